/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 82574L's driver against a device that obeys its datasheet and checks that the driver does
 * (e1000e_model.h). The test is both virtualisers.
 */
#include "e1000e_rig.h"

#include "net_driver_tests.h"

/* ---- starting ------------------------------------------------------------------------------ */

static void wrong_configuration_stays_stopped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        configure(64);
        struct net_driver_config *c = &sddf_net_config;
        c->header.version += i == 0;
        c->device.region_count = i == 1 ? 1 : 2;
        c->device.irq_count = i == 2 ? 0 : 2;
        c->data_count = i == 3 ? 1 : c->data_count;
        c->device.region[1].io_address += i == 4;
        c->rx.free.capacity += i == 5;
        c->data[1].size += i == 6;
        c->device.region[0].size -= i == 7 ? 4096 : 0;
        c->device.ring_size = i == 8 ? 7 : c->device.ring_size;
        c->device.region[1].size = i == 9 ? 128 : c->device.region[1].size;
        start();
        assert_non_null(strstr(output, "sddf_net_config does not match this program"));
        give_frame(0);
        notified(IRQ);
        notified(TX);
        notified(LINK);
        assert_int_equal(model_counts.accesses, 0);
    }
}

static void no_device_is_left_alone(void **state)
{
    (void)state;
    configure(64);
    options.absent = true;
    start();
    assert_non_null(strstr(output, "there is no 82574L at these registers"));
    assert_int_equal(model_counts.writes, 0);

    configure(64);
    options.reset_reads = UINT32_MAX;
    start();
    assert_non_null(strstr(output, "does not reset"));
    give_frame(0);
    notified(TX);
    assert_int_equal(model_counts.starts, 0);
}

/* Requests that end late are waited for; one that never does takes a second reset. */
static void a_busy_bus_is_waited_for(void **state)
{
    (void)state;
    static const uint32_t reads[] = {0, 1, 700, UINT32_MAX};
    for (unsigned i = 0; i < 4; i++) {
        configure(64);
        options.master_reads = reads[i];
        options.reset_reads = 30;
        start();
        assert_true(e1000e_model_live());
        assert_int_equal(model_counts.resets, i == 3 ? 2 : 1);
    }
}

static void it_says_what_it_has(void **state)
{
    (void)state;
    configure(256);
    start();
    assert_string_equal(output, "ethernet0_driver: 82574L 52:54:00:12:34:ab, rings of 256, MSI-X\n"
                                "ethernet0_driver: link is up, 1000 Mb/s\n");
    configure(0);
    one_interrupt();
    start();
    assert_non_null(strstr(output, "rings of 1024, one interrupt\n"));
}

static void rings_fit_their_memory(void **state)
{
    (void)state;
    static const struct {
        uint32_t memory, wish, size;
    } cases[] = {{0x8000, 0, 1024}, {0x4000, 0, 512}, {0x8000, 100, 64},   {0x8000, 8, 8},
                 {0x100, 0, 8},     {0x180, 0, 8},    {0x8000, 5000, 1024}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        configure(cases[i].wish);
        sddf_net_config.device.region[1].size = cases[i].memory;
        start();
        assert_int_equal(e1000e_model_ring_size(MODEL_RX), cases[i].size);
        assert_int_equal(e1000e_model_ring_size(MODEL_TX), cases[i].size);
    }
}

/* ---- frames -------------------------------------------------------------------------------- */

static void frames_come_in(void **state)
{
    (void)state;
    configure(64);
    for (unsigned i = 0; i < 63; i++) {
        give_rx(rx_buffer(i) + 100); /* anywhere in the buffer */
    }
    start();
    sddf_queue_request_signal(&rx_active);
    assert_int_equal(e1000e_model_in_flight(MODEL_RX), 63);
    /* 7.1.10: status in the low byte (IXSM, UDPCS, TCPCS), errors in the high one (TCPE, IPE) */
    static const struct {
        uint16_t status;
        bool good;
    } cases[] = {{0, false},    {0x60, true},    {0x50, true},   {0x40, false},
                 {0x64, false}, {0x2060, false}, {0x4060, false}};
    for (unsigned i = 0; i < 7; i++) {
        model_next_status = cases[i].status;
        e1000e_model_wire(8);
        e1000e_model_finish();
    }
    assert_int_equal(model_counts.messages, 1);
    assert_true(interrupt());
    assert_int_equal(notified_rx, 1);
    struct net_entry entry = {0};
    for (unsigned i = 0; i < 56; i++) {
        assert_true(take_rx(&entry));
        assert_int_equal((entry.address - MODEL_RX_IO) % NET_BUFFER_SIZE, 0);
        assert_int_equal(model_content[(entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE], i);
        assert_int_equal(entry.length, model_frame_length[i]);
        assert_int_equal(entry.flags, cases[i / 8].good ? NET_CSUM_VERIFIED : 0);
    }
    assert_false(take_rx(&entry));
    assert_int_equal(stat(NET_STAT_RX_PACKETS), 56);
}

static void frames_go_out(void **state)
{
    (void)state;
    configure(64);
    start();
    for (unsigned i = 0; i < 10; i++) {
        give_frame(i);
    }
    wake(TX);
    assert_int_equal(model_counts.tails[MODEL_TX], 1);
    e1000e_model_finish();
    assert_int_equal(model_counts.sent, 10);
    assert_true(model_sent_address == tx_buffer(9) + 2 && model_sent_length == 60);
    const uint64_t end = tx_buffer(BUFFERS) - 1514;
    give_tx((struct net_entry){.address = end, .length = 1514});
    wake(TX);
    e1000e_model_finish();
    assert_true(model_sent_address == end && model_sent_length == 1514);
    wake(TX);
    assert_int_equal(take_tx(), 11);
    assert_int_equal(stat(NET_STAT_TX_PACKETS), 11);
    assert_int_equal(stat(NET_STAT_TX_BYTES), 10 * 60 + 1514);
}

static void bad_frames_are_refused_and_given_back(void **state)
{
    (void)state;
    configure(8);
    start();
    refuse_bad_frames();
    assert_int_equal(model_counts.tails[MODEL_TX], 0);
}

/* ---- interrupts, doorbells, signals -------------------------------------------------------- */

static void tx_interrupts_only_when_somebody_is_short(void **state)
{
    (void)state;
    for (unsigned vectors = 0; vectors < 2; vectors++) {
        configure(64);
        if (!vectors) {
            one_interrupt();
        }
        start();
        while (interrupt()) {
        }
        interrupt_only_when_somebody_is_short();
    }
}

/* While the device is masked nobody waits for its message; what came meanwhile says so at once. */
static void one_message_for_what_comes_together(void **state)
{
    (void)state;
    configure(64);
    give_all_rx(63);
    start();
    struct net_entry entry = {0};
    for (unsigned i = 0; i < 100; i++) {
        model_counts.messages = 0;
        e1000e_model_wire(5);
        e1000e_model_finish();
        assert_int_equal(model_counts.messages, 1);
        while (interrupt()) {
        }
        assert_true(model_counts.messages <= 2);
        for (unsigned n = 0; n < 5; n++) {
            assert_true(take_rx(&entry));
            give_rx(entry.address);
        }
    }
}

/* ---- the link, and losses ------------------------------------------------------------------ */

static void without_a_link_frames_come_back(void **state)
{
    (void)state;
    for (unsigned vectors = 0; vectors < 2; vectors++) {
        configure(64);
        if (!vectors) {
            one_interrupt();
        }
        give_all_rx(63);
        start();
        model_holds_tx = true;
        for (unsigned i = 0; i < 5; i++) {
            give_frame(i);
        }
        wake(TX);
        e1000e_model_link(false);
        assert_true(interrupt());
        assert_non_null(strstr(output, "link is down\n"));
        assert_int_equal(take_tx(), 5); /* by a reset */
        assert_int_equal(model_counts.resets, 2);
        assert_int_equal(e1000e_model_in_flight(MODEL_RX), 63);
        assert_int_equal(stat(NET_STAT_DROP_LINK), 0);
        for (unsigned i = 0; i < 100; i++) {
            give_frame(i);
        }
        wake(TX);
        assert_int_equal(take_tx(), 100);
        assert_int_equal(stat(NET_STAT_DROP_LINK), 100);
        e1000e_model_link(true);
        assert_true(interrupt());
        model_holds_tx = false;
        give_frame(7);
        wake(TX);
        e1000e_model_finish();
        assert_int_equal(model_counts.sent, 1);
        assert_true(model_sent_address == tx_buffer(7) + 2);
        assert_int_equal(model_counts.resets, 2);
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    }
}

static void losses_are_counted(void **state)
{
    (void)state;
    configure(8);
    start();
    e1000e_model_overrun(7);
    while (interrupt()) {
    }
    assert_int_equal(stat(NET_STAT_DROP_NO_BUFFER), 7);
    e1000e_model_overrun(2);
    while (interrupt()) {
    }
    assert_int_equal(stat(NET_STAT_DROP_NO_BUFFER), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configuration_stays_stopped),
        cmocka_unit_test(no_device_is_left_alone),
        cmocka_unit_test(a_busy_bus_is_waited_for),
        cmocka_unit_test(it_says_what_it_has),
        cmocka_unit_test(rings_fit_their_memory),
        cmocka_unit_test(frames_come_in),
        cmocka_unit_test(frames_go_out),
        cmocka_unit_test(bad_frames_are_refused_and_given_back),
        cmocka_unit_test(the_device_writes_to_the_rx_region_only),
        cmocka_unit_test(tx_interrupts_only_when_somebody_is_short),
        cmocka_unit_test(a_full_ring_goes_on_by_itself),
        cmocka_unit_test(one_message_for_what_comes_together),
        cmocka_unit_test(free_rx_buffers_signal_late),
        cmocka_unit_test(without_a_link_frames_come_back),
        cmocka_unit_test(losses_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
