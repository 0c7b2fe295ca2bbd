/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network driver against a device that obeys the specification and checks that the
 * driver does (virtio_model.h). The test is both virtualisers.
 */
#include "virtio_net_rig.h"

#include "net_driver_tests.h"

/* ---- starting ------------------------------------------------------------------------------ */

static void wrong_configuration_stays_stopped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        configure(FEATURES, 8);
        struct net_driver_config *c = &sddf_net_config;
        c->header.version += i == 0;
        c->device.region_count += i == 1;
        c->device.irq_count += i == 2 ? 2 : 0;
        c->data_count = i == 3 ? 1 : c->data_count;
        c->device.region[1].io_address += i == 4;
        c->rx.free.capacity += i == 5;
        c->data[1].size += i == 6;
        start();
        assert_non_null(strstr(output, "sddf_net_config does not match this program"));
        give_frame(0);
        notified(IRQ);
        notified(TX);
        assert_int_equal(model_counts.accesses, 0);
    }
}

static void wrong_devices_are_left_alone(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    options.version = 1;
    start();
    assert_non_null(strstr(output, "no virtio network device"));
    assert_true(model_counts.resets == 0);

    configure(FEATURES, 8);
    options.before = 7;
    options.device_id = 2;
    start();
    assert_non_null(strstr(output, "no virtio network device"));

    configure(FEATURES, 8);
    options.before = 7;
    start();
    assert_true(virtio_model_live());
}

static void what_it_cannot_use_it_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < (PACKED ? 6 : 5); i++) {
        configure(FEATURES, i == 0 ? 0 : 8);
        options.refuses_features = i == 1;
        options.offers &= i == 2 ? ~MODEL_VERSION_1 : UINT64_MAX;
        if (i == 3) { /* one entry, and no indirect descriptors */
            options.offers &= ~MODEL_INDIRECT;
            sddf_net_config.device.ring_size = 1;
        }
        options.reset_reads = i == 4 ? UINT32_MAX : 0;
        options.offers &= i == 5 ? ~MODEL_PACKED : UINT64_MAX;
        start();
        assert_non_null(strstr(output, "does not offer what this driver needs"));
        assert_int_equal(model_counts.failed, i == 4 ? 0 : 1);
        assert_int_equal(model_counts.starts, 0);
        give_frame(0);
        notified(TX);
        assert_int_equal(model_counts.doorbells[MODEL_TX], 0);
    }
}

#if PACKED
#define LAYOUT_NAME ", packed"
#else
#define LAYOUT_NAME ""
#endif

static void it_says_what_it_has(void **state)
{
    (void)state;
    configure(FEATURES | MODEL_MAC | MODEL_CSUM | MODEL_GUEST_CSUM | MODEL_PLATFORM |
                  MODEL_MRG_RXBUF | MODEL_PACKED,
              256);
    options.queue_max[MODEL_TX] = 100; /* 2.7 has powers of two, but who knows */
    options.reset_reads = 50;
    start();
    assert_string_equal(output, "ethernet0_driver: virtio-net 52:54:00:12:34:ab, rings of 256 and "
                                "64, indirect, event index, checksums out, checksums "
                                "in" LAYOUT_NAME "\n");
    assert_true((virtio_model_features() & (MODEL_MRG_RXBUF | MODEL_PACKED)) == LAYOUT);
    assert_true((virtio_model_features() & MODEL_PLATFORM) != 0);
}

static void rings_fit_their_memory(void **state)
{
    (void)state;
    static const struct {
        uint32_t memory, max, wish, size;
        bool indirect;
    } cases[] = {
        {0x28000, 1024, 0, 1024, true},  {0x10000, 1024, 0, 256, true},
        {0x1000, 1024, 0, 16, true},     {0x1000, 1024, 0, PACKED ? 64 : 32, false},
        {0x28000, 1024, 8, 8, true},     {0x28000, 4, 8, 4, true},
        {0x28000, 1024, 1, 1, true},     {0x28000, 2, 0, 2, false},
        {0x28000, 32768, 0, 1024, true},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        configure(cases[i].indirect ? FEATURES : FEATURES & ~MODEL_INDIRECT, cases[i].max);
        sddf_net_config.device.region[1].size = cases[i].memory;
        sddf_net_config.device.ring_size = cases[i].wish;
        start();
        assert_int_equal(virtio_model_queue_size(MODEL_RX), cases[i].size);
        assert_int_equal(virtio_model_queue_size(MODEL_TX), cases[i].size);
    }
}

/* ---- frames -------------------------------------------------------------------------------- */

static void frames_come_in(void **state)
{
    (void)state;
    for (unsigned guest = 0; guest < 2; guest++) {
        configure(FEATURES | (guest ? MODEL_GUEST_CSUM : 0), 64);
        for (unsigned i = 0; i < 64; i++) {
            give_rx(rx_buffer(i) + 100); /* anywhere in the buffer */
        }
        start();
        sddf_queue_request_signal(&rx_active);
        assert_int_equal(virtio_model_in_flight(MODEL_RX), 64);
        static const uint32_t flags[] = {0, 1, 2, 3, 4};
        for (unsigned i = 0; i < 5; i++) {
            model_next_flags = flags[i];
            virtio_model_wire(8);
            while (virtio_model_wire_left() != 0) {
                virtio_model_step();
            }
        }
        assert_true(interrupt());
        assert_int_equal(notified_rx, 1);
        notified_rx = 0;
        struct net_entry entry = {0};
        for (unsigned i = 0; i < 40; i++) {
            assert_true(take_rx(&entry));
            assert_int_equal((entry.address - MODEL_RX_IO) % NET_BUFFER_SIZE, 0);
            assert_int_equal(model_content[(entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE], i);
            assert_int_equal(entry.length, model_frame_length[i]);
            const bool good = guest && (flags[i / 8] & 3) != 0;
            assert_int_equal(entry.flags, good ? NET_CSUM_VERIFIED : 0);
        }
        assert_false(take_rx(&entry));
        assert_int_equal(stat(NET_STAT_RX_PACKETS), 40);
        assert_true(model_counts.interrupts < 10); /* one a burst at the most */
    }
}

static void frames_go_out(void **state)
{
    (void)state;
    configure(FEATURES | MODEL_CSUM, 64);
    options.sleeps = true;
    start();
    for (unsigned i = 0; i < 10; i++) {
        give_frame(i);
    }
    wake(TX);
    assert_int_equal(model_counts.doorbells[MODEL_TX], 1);
    virtio_model_finish();
    assert_int_equal(model_counts.sent, 10);
    assert_int_equal(model_last_sent.address, tx_buffer(9) + 2);
    assert_int_equal(model_last_sent.length, 60);

    const uint64_t end = tx_buffer(BUFFERS) - 1000;
    give_tx((struct net_entry){.address = end,
                               .length = 1000,
                               .flags = NET_CSUM_WANTED,
                               .csum_start = 34,
                               .csum_offset = 16});
    wake(TX);
    virtio_model_finish();
    assert_true(model_last_sent.address == end && model_last_sent.length == 1000);
    assert_int_equal(model_last_sent.header[0], 1);
    assert_int_equal(model_last_sent.header[1], 34 << 16);
    assert_int_equal(model_last_sent.header[2], 16);
    /* Whatever the slot, a frame after it has no such header: the model checks it. */
    for (unsigned i = 0; i < 64; i++) {
        give_frame(i);
        wake(TX);
        virtio_model_finish();
        assert_int_equal(model_last_sent.header[0], 0);
    }
    wake(TX);
    assert_int_equal(take_tx(), 75);
    assert_int_equal(stat(NET_STAT_TX_PACKETS), 75);
}

static void bad_frames_are_refused_and_given_back(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    start();
    refuse_bad_frames();

    configure(FEATURES | MODEL_CSUM, 8);
    start();
    give_tx((struct net_entry){.address = MODEL_TX_IO,
                               .length = 60,
                               .flags = NET_CSUM_WANTED,
                               .csum_start = 50,
                               .csum_offset = 9});
    wake(TX);
    assert_int_equal(stat(NET_STAT_REFUSED_FLAGS), 1);
}

/* ---- interrupts, doorbells, signals -------------------------------------------------------- */

static void tx_interrupts_only_when_somebody_is_short(void **state)
{
    (void)state;
    for (unsigned event = 0; event < 2; event++) {
        configure(event ? FEATURES : FEATURES & ~MODEL_EVENT_IDX, 64);
        start();
        interrupt();
        model_counts.interrupts = 0;
        interrupt_only_when_somebody_is_short();
        assert_true(model_counts.interrupts <= 50);
    }
}

static void no_doorbell_that_is_not_wanted(void **state)
{
    (void)state;
    for (unsigned event = 0; event < 2; event++) {
        configure(event ? FEATURES : FEATURES & ~MODEL_EVENT_IDX, 16);
        options.wants_no_doorbells = true;
        give_all_rx(64);
        start();
        for (unsigned i = 0; i < 2000; i++) {
            give_frame(i % BUFFERS);
            wake(TX);
            virtio_model_wire(1);
            virtio_model_finish();
            interrupt();
            struct net_entry entry;
            while (take_rx(&entry)) {
                give_rx(entry.address);
            }
            take_tx();
        }
        assert_true(model_counts.sent == 2000 && model_counts.received == 2000);
        assert_int_equal(model_counts.doorbells[0] + model_counts.doorbells[1], 0);
        assert_int_equal(stat(NET_STAT_KICKS), 0);
    }
}

/* ---- resets -------------------------------------------------------------------------------- */

static void a_reset_loses_no_buffer(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(40);
    start();
    for (unsigned i = 0; i < 30; i++) {
        give_frame(i);
    }
    model_holds_tx = true;
    wake(TX);
    virtio_model_finish(); /* the device has taken them */
    virtio_model_wire(3);
    virtio_model_finish();
    virtio_model_needs_reset();
    assert_true(interrupt());
    while (interrupt()) {
    }
    assert_int_equal(model_counts.resets, 2);
    assert_int_equal(model_counts.starts, 2);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
    assert_int_equal(take_tx(), 16); /* sent or not, nobody knows */
    assert_int_equal(virtio_model_in_flight(MODEL_TX), 14);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
    model_holds_tx = false;
    virtio_model_finish();
    wake(TX);
    assert_int_equal(take_tx(), 14);
    bool seen[40] = {false};
    struct net_entry entry = {0};
    virtio_model_wire(40);
    for (unsigned i = 0; i < 40;) {
        virtio_model_step();
        interrupt();
        while (take_rx(&entry)) {
            const unsigned buffer = (unsigned)((entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE);
            assert_true(buffer < 40 && !seen[buffer]);
            seen[buffer] = true;
            i++;
        }
    }
}

static void a_device_that_stays_down_is_left_alone(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    start();
    give_frame(0);
    model_holds_tx = true;
    wake(TX);
    virtio_model_never_resets();
    virtio_model_needs_reset();
    interrupt();
    assert_false(virtio_model_live());
    give_frame(1);
    notified(TX);
    assert_int_equal(take_tx(), 0); /* the device may still have the first */
    assert_int_equal(model_counts.starts, 1);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configuration_stays_stopped),
        cmocka_unit_test(wrong_devices_are_left_alone),
        cmocka_unit_test(what_it_cannot_use_it_fails),
        cmocka_unit_test(it_says_what_it_has),
        cmocka_unit_test(rings_fit_their_memory),
        cmocka_unit_test(frames_come_in),
        cmocka_unit_test(frames_go_out),
        cmocka_unit_test(bad_frames_are_refused_and_given_back),
        cmocka_unit_test(the_device_writes_to_the_rx_region_only),
        cmocka_unit_test(tx_interrupts_only_when_somebody_is_short),
        cmocka_unit_test(a_full_ring_goes_on_by_itself),
        cmocka_unit_test(no_doorbell_that_is_not_wanted),
        cmocka_unit_test(free_rx_buffers_signal_late),
        cmocka_unit_test(a_reset_loses_no_buffer),
        cmocka_unit_test(a_device_that_stays_down_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
