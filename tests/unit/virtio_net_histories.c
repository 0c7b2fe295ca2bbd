/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network driver for a long time, with rings of all sizes and devices of all moods, and
 * then with neighbours, the device among them, that do not keep to anything.
 */
#include "virtio_net_rig.h"

#include "net_driver_history.h"

/* ---- everything at once -------------------------------------------------------------------- */

/*
 * No wake-up but those that the driver has asked for, at any time: whatever the size of the rings,
 * the order and the moods of the device, all frames arrive, and at the end every buffer is there.
 */
static void history(uint64_t offers, uint32_t size, const struct virtio_model_options *mood,
                    bool resets)
{
    configure(offers, size);
    const uint32_t max = options.queue_max[0];
    options = *mood;
    options.offers = offers;
    options.queue_max[0] = options.queue_max[1] = max;
    options.version = 2;
    options.device_id = 1;
    options.messages = TRANSPORT == PCI_MESSAGES;
    memset(&h, 0, sizeof(h));
    for (unsigned i = 0; i < BUFFERS; i++) {
        h.rx_mine[h.rx_count++] = rx_buffer(i);
        h.tx_mine[h.tx_count++] = tx_buffer(i) + i % 3;
    }
    h.asked = 1 + mood->seed * 7 % 300;
    start();
    uint64_t seed = 0x9e3779b97f4a7c15u + mood->seed;
    unsigned reset_count = 0;
    for (unsigned i = 0; i < 2000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        const uint32_t dice = (uint32_t)(seed >> 24);
        if (dice % 7 < 2) {
            history_give(dice / 7);
        }
        if (dice % 11 < 3) {
            history_take(resets);
        }
        if (dice % 5 == 0) {
            virtio_model_wire(dice / 64 % 16);
        }
        if (resets && dice % 97 == 0 && virtio_model_live()) {
            virtio_model_needs_reset();
            reset_count++;
        }
        if (resets && dice % 101 == 0) {
            memset(output, 0, sizeof(output));
            init();
            reset_count++;
        }
        virtio_model_step();
        if (dice % 3 == 0) {
            interrupt();
        }
    }
    /* The end. Nobody gives anything any more, and all comes back. */
    for (unsigned i = 0; h.rx_count < BUFFERS || h.tx_count < BUFFERS; i++) {
        assert_true(i < 200000);
        while (h.rx_count > 0 && i == 0) {
            give_rx(h.rx_mine[--h.rx_count]);
        }
        if (i == 0) {
            virtio_model_wire(BUFFERS + size);
            wake(RX);
        }
        virtio_model_step();
        interrupt();
        history_take(resets);
        if (i % 1000 == 999 && virtio_model_in_flight(MODEL_TX) == 0) {
            /* Less than what is worth a signal comes back with whatever comes next. */
            assert_true(BUFFERS - h.tx_count < h.asked);
            wake(TX);
        }
    }
    history_check();
    assert_true(resets ? reset_count > 3 : model_counts.sent == h.given);
    assert_true(h.given > 500 && h.taken > 500);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) +
                         stat(NET_STAT_DROP_MALFORMED),
                     0);
    if (!resets) {
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    }
}

static void long_histories(bool resets)
{
    static const uint32_t sizes[] = {1, 2, 8, 256};
    for (unsigned i = 0; i < 4 * 64; i++) {
        uint64_t offers = LAYOUT | MODEL_VERSION_1 | MODEL_CSUM | MODEL_GUEST_CSUM;
        offers |= i & 4 ? MODEL_INDIRECT : 0;
        offers |= i & 8 ? MODEL_EVENT_IDX : 0;
        const uint32_t size = sizes[i & 3];
        struct virtio_model_options mood = {
            .seed = i,
            .any_order = (i & 16) != 0,
            .racy = (i & 32) != 0,
            .sleeps = (i & 192) == 64,
            .wants_no_doorbells = (i & 192) == 128,
            .reset_reads = i & 7,
        };
        if ((i & 192) == 192 || (size == 1 && (offers & MODEL_INDIRECT) == 0)) {
            continue; /* not a mood of its own; not possible */
        }
        history(offers, size, &mood, resets);
    }
}

static void a_long_history_loses_nothing(void **state)
{
    (void)state;
    long_histories(false);
}

static void nor_does_one_with_resets_and_restarts(void **state)
{
    (void)state;
    long_histories(true);
}

/* ---- hostile neighbours -------------------------------------------------------------------- */

static void a_lying_device_is_reset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        configure(FEATURES, 16);
        give_all_rx(16);
        start();
        for (unsigned f = 0; f < 16; f++) {
            give_frame(f);
        }
        model_holds_tx = true;
        wake(TX);
        const uint32_t rx_head = virtio_model_some_head(MODEL_RX);
        const uint32_t tx_head = virtio_model_some_head(MODEL_TX);
        switch (i) {
        case 0:
            virtio_model_lie(MODEL_RX, rx_head, 72, 17); /* more than it has */
            break;
        case 1:
            virtio_model_lie(MODEL_TX, tx_head, 0, 0xffff);
            break;
        case 2:
            virtio_model_lie(MODEL_RX, 16, 72, 1); /* there is no such chain */
            break;
        case 3:
            virtio_model_lie(MODEL_TX, UINT32_MAX, 0, 1);
            break;
        case 4:
            virtio_model_lie(MODEL_RX, rx_head, 11, 1); /* not even a header */
            break;
        case 5:
            virtio_model_lie(MODEL_RX, rx_head, 12 + NET_BUFFER_SIZE + 1,
                             1); /* out of its buffer */
            break;
        case 6:
            virtio_model_lie(MODEL_TX, tx_head, 0, 1); /* the same one twice */
            virtio_model_lie(MODEL_TX, tx_head, 0, 1);
            break;
        case 7:
            virtio_model_lie(MODEL_RX, rx_head, 72, 1);
            virtio_model_lie(MODEL_RX, rx_head, 72, 1);
            break;
        }
        wake(IRQ);
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
        assert_int_equal(model_counts.starts, 2);
        assert_int_equal(take_tx(), 16);
        struct net_entry entry = {0};
        unsigned n = 0;
        while (take_rx(&entry)) {
            assert_true(entry.address - MODEL_RX_IO < RX_BYTES && entry.length == 60);
            n++;
        }
        assert_int_equal(n + virtio_model_in_flight(MODEL_RX), 16);
    }
}

/* One wake-up, one reset, however often the device is wrong. */
static void lies_without_end_cost_one_reset_a_wake_up(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(100);
    start();
    uint32_t wild = 1;
    for (unsigned i = 0; i < 500; i++) {
        wild = wild * 1664525 + 1013904223;
        const unsigned resets = model_counts.resets;
        if (virtio_model_live()) {
            virtio_model_lie(wild >> 31, wild >> 8 & 31 ? 16 + (wild >> 12) : UINT32_MAX, wild >> 4,
                             (uint16_t)(1 + (wild >> 16 & 7)));
        }
        wake(wild >> 31 != 0 ? TX : IRQ); /* who looks at that queue */
        assert_true(model_counts.resets - resets <= 1);
    }
    /* (Of a packed ring without frames nothing is looked at: half of the lies are of that.) */
    assert_true(stat(NET_STAT_DEVICE_ERRORS) >= (PACKED ? 200 : 500));
    assert_true(virtio_model_live());
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
}

#if !PACKED /* There is no word to say it with: only entries that the device has got are looked    \
               at. */
static void a_device_that_begins_with_a_lie_is_tried_once(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    options.lies_at_once = true;
    start();
    assert_int_equal(model_counts.resets, 2); /* init's, and one that did not help */
    wake(RX);
    assert_int_equal(model_counts.resets, 3);
    wake(TX);
    assert_int_equal(model_counts.resets, 4);
}

#else /* In a split ring there is no such thing: what is used is counted. */
static void what_is_used_out_of_turn_keeps_nobody(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    start();
    model_holds_tx = true;
    assert_true(sddf_queue_request_signal_at(&tx_free, 4));
    for (unsigned i = 0; i < 8; i++) {
        give_frame(i);
    }
    wake(TX);
    virtio_model_use_out_of_turn(MODEL_TX, 3); /* the one that is worth an interrupt */
    wake(TX);
    wake(IRQ);
    assert_int_equal(take_tx(), 0);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    model_holds_tx = false;
}
#endif

/* Refused frames take no room in the ring, so those behind them need not wait for any. */
static void refused_frames_hold_nobody_up(void **state)
{
    (void)state;
    configure(FEATURES, 4);
    start();
    for (unsigned i = 0; i < 20; i++) {
        give_tx((struct net_entry){.address = tx_buffer(i), .length = 5});
        give_rx(tx_buffer(i));
    }
    give_frame(20);
    give_rx(rx_buffer(0));
    wake(TX);
    wake(RX);
    assert_int_equal(virtio_model_in_flight(MODEL_TX), 1);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 1);
    assert_int_equal(take_tx(), 20);
    sddf_queue_needs_signal(&tx_active);
    give_frame(21);
    assert_true(sddf_queue_needs_signal(&tx_active));
}

static void overlong_and_short_frames_stay_here(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    start();
    static const uint32_t lengths[] = {1, 13, 1515, NET_BUFFER_SIZE};
    for (unsigned i = 0; i < 4; i++) {
        model_next_length = lengths[i];
        virtio_model_wire(4);
        virtio_model_finish();
        interrupt();
        struct net_entry entry;
        assert_false(take_rx(&entry));
        assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
    }
    assert_int_equal(stat(NET_STAT_DROP_MALFORMED), 16);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    model_next_length = 1514;
    virtio_model_wire(1);
    virtio_model_finish();
    interrupt();
    struct net_entry entry = {0};
    assert_true(take_rx(&entry) && entry.length == 1514);
}

/* Indices and entries from anywhere: every wake-up ends, and nothing but Rx data is written to. */
static void wild_virtualisers_do_not_keep_the_driver(void **state)
{
    (void)state;
    configure(FEATURES, 1024); /* so that it is not the rings that end it */
    start();
    uint32_t wild = 1;
    for (unsigned i = 0; i < 2000; i++) {
        wild = wild * 1664525 + 1013904223;
        sddf_store_relaxed_u32(&tx_active.own->tail, wild);
        sddf_store_relaxed_u32(&rx_free.own->tail, wild ^ 0x5a5a5a5a);
        sddf_store_relaxed_u32(&tx_free.own->head, ~wild);
        sddf_store_relaxed_u32(&tx_free.own->mark, wild * 3);
        sddf_store_relaxed_u32(&rx_active.own->head, wild >> 3);
        for (unsigned j = 0; j < 8; j++) {
            sddf_store_relaxed_u64(&tx_active.own->entries[(wild + j) % (2 * BUFFERS)],
                                   MODEL_TX_IO + wild % RX_BYTES);
            sddf_store_relaxed_u64(&rx_free.own->entries[(wild + j) % (2 * BUFFERS)],
                                   MODEL_RX_IO + wild % (2 * RX_BYTES));
        }
        const uint64_t before = stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH);
        wake(i % 3);
        assert_true(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) - before <=
                    4 * BUFFERS);
        virtio_model_wire(i % 5);
        virtio_model_step();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_history_loses_nothing),
        cmocka_unit_test(nor_does_one_with_resets_and_restarts),
        cmocka_unit_test(a_lying_device_is_reset),
        cmocka_unit_test(lies_without_end_cost_one_reset_a_wake_up),
#if !PACKED
        cmocka_unit_test(a_device_that_begins_with_a_lie_is_tried_once),
#else
        cmocka_unit_test(what_is_used_out_of_turn_keeps_nobody),
#endif
        cmocka_unit_test(refused_frames_hold_nobody_up),
        cmocka_unit_test(overlong_and_short_frames_stay_here),
        cmocka_unit_test(wild_virtualisers_do_not_keep_the_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
