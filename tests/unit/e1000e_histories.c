/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 82574L's driver for a long time, with rings of all sizes and devices of all moods, and then
 * with neighbours, the device among them, that do not keep to anything.
 */
#include "e1000e_rig.h"

#include "net_driver_history.h"

#define DONE   (UINT64_C(1) << 32)
#define RX_EOP (UINT64_C(1) << 33)

/* ---- everything at once -------------------------------------------------------------------- */

static uint32_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 24);
}

static void history_begin(uint32_t size, uint32_t mood)
{
    configure(size);
    options.seed = mood;
    options.racy = (mood & 1) != 0;
    options.reset_reads = mood & 7;
    options.master_reads = mood & 5;
    if ((mood & 2) != 0) {
        one_interrupt();
    }
    memset(&h, 0, sizeof(h));
    for (unsigned i = 0; i < BUFFERS; i++) {
        h.rx_mine[h.rx_count++] = rx_buffer(i);
        h.tx_mine[h.tx_count++] = tx_buffer(i) + i % 3;
    }
    h.asked = 1 + mood * 7 % 300;
    start();
}

static void history_end(bool resets, uint32_t size)
{
    e1000e_model_link(true);
    while (interrupt()) {
    }
    for (unsigned i = 0; h.rx_count < BUFFERS || h.tx_count < BUFFERS; i++) {
        assert_true(i < 200000);
        while (h.rx_count > 0 && i == 0) {
            give_rx(h.rx_mine[--h.rx_count]);
        }
        if (i == 0) {
            e1000e_model_wire(BUFFERS + size);
            wake(RX);
        }
        e1000e_model_step();
        interrupt();
        history_take(resets);
        if (i % 1000 == 999 && e1000e_model_in_flight(MODEL_TX) == 0) {
            /* Less than what is worth a signal comes back with whatever comes next. */
            assert_true(BUFFERS - h.tx_count < h.asked);
            wake(TX);
        }
    }
    history_check();
}

/*
 * No wake-up but those that the driver has asked for, at any time: whatever the size of the rings
 * and the moods of the device, all frames arrive, and at the end every buffer is there.
 */
static void history(uint32_t size, uint32_t mood, bool resets)
{
    history_begin(size, mood);
    uint64_t seed = 0x9e3779b97f4a7c15u + mood;
    for (unsigned i = 0; i < 2000; i++) {
        const uint32_t dice = draw(&seed);
        if (dice % 7 < 2) {
            history_give(dice / 7);
        }
        if (dice % 11 < 3) {
            history_take(resets);
        }
        if (dice % 5 == 0) {
            e1000e_model_wire(dice / 64 % 16);
        }
        if (resets && dice % 97 == 0) {
            memset(output, 0, sizeof(output));
            e1000e_model_link(dice / 97 % 2 == 0);
        }
        if (resets && dice % 101 == 0) {
            memset(output, 0, sizeof(output));
            init();
        }
        e1000e_model_step();
        if (dice % 3 == 0) {
            interrupt();
        }
    }
    history_end(resets, size);
    assert_true(h.given > 500 && h.taken > 500);
    if (!resets) {
        assert_int_equal(model_counts.sent, h.given);
        assert_int_equal(model_counts.resets, 1);
    }
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) +
                         stat(NET_STAT_DROP_MALFORMED) + stat(NET_STAT_DEVICE_ERRORS),
                     0);
}

static void long_histories(bool resets)
{
    static const uint32_t sizes[] = {8, 16, 64, 1024};
    for (unsigned mood = 0; mood < 64; mood++) {
        history(sizes[mood % 4], mood / 4 + 16 * (mood % 4), resets);
    }
}

static void a_long_history_loses_nothing(void **state)
{
    (void)state;
    long_histories(false);
}

static void nor_does_one_with_link_flaps_and_restarts(void **state)
{
    (void)state;
    long_histories(true);
}

/* ---- hostile devices ----------------------------------------------------------------------- */

static void busy(uint32_t size)
{
    configure(size);
    give_all_rx(size - 1);
    start();
    for (unsigned i = 0; i < size - 1; i++) {
        give_frame(i);
    }
    model_holds_tx = true;
    wake(TX);
}

static void account(uint32_t size)
{
    struct net_entry entry = {0};
    unsigned n = 0;
    while (take_rx(&entry)) {
        assert_true(entry.address - MODEL_RX_IO < RX_BYTES && entry.length <= NET_FRAME_MAX);
        n++;
    }
    assert_int_equal(n + e1000e_model_in_flight(MODEL_RX), size - 1);
}

static void impossible_frames_are_answered_with_a_reset(void **state)
{
    (void)state;
    static const uint64_t rests[] = {
        DONE | 60,                             /* no end of the frame */
        DONE | RX_EOP,                         /* no frame */
        DONE | RX_EOP | (NET_BUFFER_SIZE + 1), /* out of its buffer */
        DONE | RX_EOP | 0xffff,
        UINT64_MAX,
    };
    for (unsigned i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        busy(16);
        e1000e_model_lie(MODEL_RX, 0, rests[i]);
        assert_true(interrupt());
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
        assert_int_equal(model_counts.starts, 2);
        assert_int_equal(take_tx(), 15);
        account(16);
    }
}

/* "Done" where it was never given anything to do is not even looked at. */
static void done_out_of_turn_is_not_believed(void **state)
{
    (void)state;
    configure(16);
    give_all_rx(4);
    start();
    e1000e_model_lie(MODEL_RX, 6, DONE | RX_EOP | 60);
    e1000e_model_lie(MODEL_TX, 3, DONE);
    for (unsigned i = 0; i < 100; i++) {
        interrupt();
        e1000e_model_interrupt();
    }
    struct net_entry entry;
    assert_false(take_rx(&entry));
    assert_int_equal(take_tx(), 0);
    assert_int_equal(model_counts.resets, 1);
}

/* A device that goes on behind one that it leaves out is found out, and reset. */
static void a_ring_that_jumps_is_reset(void **state)
{
    (void)state;
    for (unsigned ring = 0; ring < 2; ring++) {
        busy(16);
        if (ring == MODEL_RX) {
            e1000e_model_jump(MODEL_RX, 3);
            e1000e_model_wire(5);
        } else {
            e1000e_model_lie(MODEL_TX, 2, DONE);
        }
        model_holds_tx = true;
        e1000e_model_finish();
        for (unsigned i = 0; i < 40 && model_counts.resets == 1; i++) {
            e1000e_model_interrupt();
            interrupt();
        }
        assert_int_equal(model_counts.resets, 2);
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
        assert_int_equal(take_tx(), 15);
        account(16);
        /* And it works again. */
        model_holds_tx = false;
        e1000e_model_wire(4);
        e1000e_model_finish();
        interrupt();
        account(16);
    }
}

/* One wake-up, one reset, however often the device is wrong. */
static void lies_without_end_cost_one_reset_a_wake_up(void **state)
{
    (void)state;
    configure(16);
    give_all_rx(100);
    start();
    uint64_t seed = 1;
    for (unsigned i = 0; i < 2000; i++) {
        const uint32_t wild = draw(&seed);
        const unsigned resets = model_counts.resets;
        if (e1000e_model_live()) {
            e1000e_model_lie(wild & 1, wild >> 1 & 1,
                             (uint64_t)draw(&seed) << 32 | draw(&seed) | DONE);
        }
        if (wild % 5 == 0) {
            give_frame(i % BUFFERS);
        }
        memset(output, 0, sizeof(output));
        now += SDDF_NS_PER_MS;
        notified(wild >> 8 & 3);
        deferred = false;
        model_counts.accesses = 0;
        assert_true(model_counts.resets - resets <= 1);
        struct net_entry entry;
        while (take_rx(&entry)) {
            assert_true(entry.address - MODEL_RX_IO < RX_BYTES && entry.length <= NET_FRAME_MAX);
            give_rx(entry.address);
        }
        take_tx();
    }
    assert_true(stat(NET_STAT_DEVICE_ERRORS) > 200);
}

static void a_device_that_begins_with_a_lie_is_tried_once(void **state)
{
    (void)state;
    configure(16);
    give_all_rx(15);
    options.lies_at_once = true;
    start();
    assert_int_equal(model_counts.resets, 2); /* init's, and one that did not help */
    wake(RX);
    assert_int_equal(model_counts.resets, 3);
    wake(TX);
    assert_int_equal(model_counts.resets, 4);
}

static void nobody_waits_for_a_device_that_goes_in_a_reset(void **state)
{
    (void)state;
    configure(16);
    options.goes_in_resets = true;
    start();
    assert_non_null(strstr(output, "does not reset"));
    assert_true(model_counts.reads < 10);
}

static void a_device_that_is_pulled_out_is_left_alone(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        busy(16);
        memset(output, 0, sizeof(output));
        e1000e_model_remove();
        if (how == 0) {
            wake(LINK);
        } else if (how == 1) { /* nobody says so, but nothing is sent any more */
            give_frame(20);
            wake(TX);
            now += 3 * SDDF_NS_PER_S;
            give_frame(21);
            wake(TX);
        } else {
            one_interrupt();
            init(); /* as after a restart: and now it is not there */
            assert_non_null(strstr(output, "there is no 82574L"));
            continue;
        }
        assert_non_null(strstr(output, "the device is gone"));
        assert_true(stat(NET_STAT_DEVICE_ERRORS) >= 1);
        take_tx();
        /* It may still have what it had. All else comes back, and no more is said. */
        memset(output, 0, sizeof(output));
        for (unsigned i = 100; i < 200; i++) {
            give_frame(i);
            wake(TX);
            assert_int_equal(take_tx(), 1);
        }
        assert_true(stat(NET_STAT_DROP_LINK) >= 100);
        assert_string_equal(output, "");
        give_rx(rx_buffer(30));
        model_counts.reads = 0;
        wake(RX);
        assert_true(model_counts.reads <= 2);
    }
}

static void one_that_does_not_reset_keeps_its_buffers(void **state)
{
    (void)state;
    busy(16);
    e1000e_model_never_resets();
    e1000e_model_lie(MODEL_RX, 0, DONE | 60);
    assert_true(interrupt());
    assert_non_null(strstr(output, "the device is gone, or does not reset"));
    assert_int_equal(take_tx(), 0);
    assert_int_equal(model_counts.starts, 1);
}

/* Frames that are not sent for a long time, with the link up, are reason for a reset. */
static void a_device_that_stops_sending_is_reset(void **state)
{
    (void)state;
    busy(16);
    wake(TX);
    now += SDDF_NS_PER_S;
    wake(TX);
    assert_int_equal(model_counts.resets, 1);
    now += 2 * SDDF_NS_PER_S;
    wake(TX);
    assert_int_equal(model_counts.resets, 2);
    assert_int_equal(take_tx(), 15);
    /* But not one that sends slowly. */
    model_holds_tx = false;
    for (unsigned i = 0; i < 50; i++) {
        give_frame(i);
        wake(TX);
        now += 3 * SDDF_NS_PER_S / 2;
        e1000e_model_finish();
    }
    assert_int_equal(model_counts.resets, 2);
}

static void overlong_and_short_frames_stay_here(void **state)
{
    (void)state;
    configure(16);
    give_all_rx(15);
    start();
    static const struct {
        uint32_t length;
        uint16_t status;
    } cases[] = {{1, 0},       {13, 0},      {1515, 0},    {NET_BUFFER_SIZE, 0},
                 {60, 0x0100}, {60, 0x0200}, {60, 0x1000}, {60, 0x8000}};
    struct net_entry entry = {0};
    for (unsigned i = 0; i < 8; i++) {
        model_next_length = cases[i].length;
        model_next_status = cases[i].status;
        e1000e_model_wire(4);
        e1000e_model_finish();
        interrupt();
        assert_false(take_rx(&entry));
        assert_int_equal(e1000e_model_in_flight(MODEL_RX), 15);
    }
    assert_int_equal(stat(NET_STAT_DROP_MALFORMED), 32);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    model_next_length = 1514;
    model_next_status = 0;
    e1000e_model_wire(1);
    e1000e_model_finish();
    interrupt();
    assert_true(take_rx(&entry) && entry.length == 1514);
}

/* ---- hostile virtualisers ------------------------------------------------------------------ */

/* Refused frames take no room in the ring, so those behind them need not wait for any. */
static void refused_frames_hold_nobody_up(void **state)
{
    (void)state;
    configure(8);
    start();
    for (unsigned i = 0; i < 20; i++) {
        give_tx((struct net_entry){.address = tx_buffer(i), .length = 5});
        give_rx(tx_buffer(i));
    }
    give_frame(20);
    give_rx(rx_buffer(0));
    wake(TX);
    wake(RX);
    assert_int_equal(e1000e_model_in_flight(MODEL_TX), 1);
    assert_int_equal(e1000e_model_in_flight(MODEL_RX), 1);
    assert_int_equal(take_tx(), 20);
}

/* Indices and entries from anywhere: every wake-up ends, and nothing but Rx data is written to. */
static void wild_virtualisers_do_not_keep_the_driver(void **state)
{
    (void)state;
    configure(1024); /* so that it is not the rings that end it */
    start();
    uint64_t seed = 1;
    for (unsigned i = 0; i < 2000; i++) {
        const uint32_t wild = draw(&seed);
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
        if (i % 7 == 0) {
            memset(output, 0, sizeof(output));
            e1000e_model_link(i % 14 == 0);
        }
        model_counts.accesses = 0;
        notified(i % 4);
        deferred = false;
        assert_true(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) - before <=
                    4 * BUFFERS);
        e1000e_model_wire(i % 5);
        e1000e_model_step();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_history_loses_nothing),
        cmocka_unit_test(nor_does_one_with_link_flaps_and_restarts),
        cmocka_unit_test(impossible_frames_are_answered_with_a_reset),
        cmocka_unit_test(done_out_of_turn_is_not_believed),
        cmocka_unit_test(a_ring_that_jumps_is_reset),
        cmocka_unit_test(lies_without_end_cost_one_reset_a_wake_up),
        cmocka_unit_test(a_device_that_begins_with_a_lie_is_tried_once),
        cmocka_unit_test(nobody_waits_for_a_device_that_goes_in_a_reset),
        cmocka_unit_test(a_device_that_is_pulled_out_is_left_alone),
        cmocka_unit_test(one_that_does_not_reset_keeps_its_buffers),
        cmocka_unit_test(a_device_that_stops_sending_is_reset),
        cmocka_unit_test(overlong_and_short_frames_stay_here),
        cmocka_unit_test(refused_frames_hold_nobody_up),
        cmocka_unit_test(wild_virtualisers_do_not_keep_the_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
