/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that hold for every network driver with a ring of descriptors in each direction. Before
 * this header comes the model's rig, which has besides what net_driver_rig.h says
 *
 *   model(NAME)          the model's function of that name
 *   configure_rings(n)   configure, with rings of n entries
 *   ring_room(n)         how many buffers such a ring takes
 *   RING_SMALLEST        the smallest n
 */
#pragma once

/* Each is refused, counted as what it is, and given back. */
static void refuse_bad_frames(void)
{
    static const struct {
        struct net_entry entry;
        enum net_stat why;
    } bad[] = {
        {{.address = MODEL_TX_IO, .length = 13}, NET_STAT_REFUSED_LENGTH},
        {{.address = MODEL_TX_IO, .length = 1515}, NET_STAT_REFUSED_LENGTH},
        {{.address = MODEL_TX_IO, .length = 60, .flags = NET_CSUM_WANTED}, NET_STAT_REFUSED_FLAGS},
        {{.address = MODEL_TX_IO, .length = 60, .flags = 4}, NET_STAT_REFUSED_FLAGS},
        {{.address = MODEL_TX_IO + 2020, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO - 1, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO + RX_BYTES, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO + RX_BYTES - 59, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_RX_IO, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = UINT64_MAX - 10, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_RINGS_IO, .length = 60}, NET_STAT_REFUSED_ADDRESS},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint64_t before = stat(bad[i].why);
        give_tx(bad[i].entry);
        wake(TX);
        assert_int_equal(stat(bad[i].why), before + 1);
        struct net_entry entry = {0};
        assert_true(net_queue_dequeue(&tx_free, &entry));
        assert_int_equal(entry.address, bad[i].entry.address);
        sddf_queue_release(&tx_free);
    }
    assert_int_equal(model(in_flight)(MODEL_TX), 0);
}

static void the_device_writes_to_the_rx_region_only(void **state)
{
    (void)state;
    configure_rings(8);
    start();
    give_rx(tx_buffer(0));
    give_rx(MODEL_RX_IO - 1);
    give_rx(MODEL_RX_IO + RX_BYTES);
    give_rx(UINT64_MAX);
    give_rx(MODEL_RX_IO + RX_BYTES - 1);
    wake(RX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 4);
    assert_int_equal(model(in_flight)(MODEL_RX), 1);
}

/* The driver runs, and has no interrupt; the rings are of 64 entries. */
static void interrupt_only_when_somebody_is_short(void)
{
    sddf_queue_request_signal_at(&tx_free, 20);
    /* One at a time: no interrupt, and the buffers come back with whatever comes next. */
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(notified_tx, 0);
        give_frame(i);
        wake(TX);
        assert_true(model(in_flight)(MODEL_TX) <= 1);
        if (i < 19) {
            model(finish)();
            assert_false(interrupt());
        }
    }
    /* The twentieth would make a signal: this one interrupts. */
    model(finish)();
    assert_true(interrupt());
    assert_int_equal(notified_tx, 1);
    assert_int_equal(take_tx(), 20);
    assert_false(interrupt());
    /* virt_tx has had its signal and not asked again: everything comes back all the same. */
    for (unsigned i = 0; i < 50; i++) {
        give_frame(i);
    }
    wake(TX);
    while (model(in_flight)(MODEL_TX) != 0) {
        model(step)();
        interrupt();
    }
    while (interrupt()) {
    }
    assert_int_equal(take_tx(), 50);
}

static void a_full_ring_goes_on_by_itself(void **state)
{
    (void)state;
    for (unsigned size = RING_SMALLEST; size <= 512; size *= 8) {
        configure_rings(size);
        start();
        sddf_queue_request_signal_at(&tx_free, BUFFERS);
        for (unsigned i = 0; i < BUFFERS; i++) {
            give_frame(i);
        }
        wake(TX);
        assert_int_equal(model(in_flight)(MODEL_TX), ring_room(size));
        for (unsigned i = 0; model_counts.sent < BUFFERS; i++) {
            assert_true(i < 100000);
            model(step)();
            interrupt();
        }
        while (interrupt()) {
        }
        wake(TX);
        assert_int_equal(take_tx(), BUFFERS);
    }
}

static void free_rx_buffers_signal_late(void **state)
{
    (void)state;
    configure_rings(64);
    give_all_rx(ring_room(64));
    start();
    sddf_queue_needs_signal(&rx_free);
    struct net_entry entry = {0};
    /* One at a time: returned buffers need no signal, for the next frame interrupts anyway. */
    for (unsigned i = 0; i < 100; i++) {
        model(wire)(1);
        model(finish)();
        assert_true(interrupt());
        assert_true(take_rx(&entry));
        give_rx(entry.address);
        assert_false(sddf_queue_needs_signal(&rx_free));
    }
    /* All at once: without one buffer left the driver wants to hear of the first. */
    model(wire)(200);
    for (unsigned i = 0; i < 2; i++) {
        model(finish)();
        while (interrupt()) {
        }
    }
    assert_int_equal(model(in_flight)(MODEL_RX), 0);
    assert_true(take_rx(&entry));
    give_rx(entry.address);
    assert_true(sddf_queue_needs_signal(&rx_free));
    wake(RX);
    assert_int_equal(model(in_flight)(MODEL_RX), 1);
}
