/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic of a bandwidth limit, over long histories, at any time of a long life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net_rig.h"
#include "network/tx_limit.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static uint64_t state;

static uint64_t random_below(uint64_t limit)
{
    return rig_random(&state) % limit;
}

static uint32_t random_frame(void)
{
    return NET_FRAME_MIN + (uint32_t)random_below(NET_FRAME_MAX - NET_FRAME_MIN + 1);
}

/* Sends all that may be sent now, of a client that always has more. The bytes. */
static uint64_t send_all(struct tx_limit *limit)
{
    uint64_t bytes = 0;
    for (uint32_t allowed; (allowed = tx_limit_bytes(limit)) > 0;) {
        uint32_t sent = 0; /* several frames before they are charged, as the virtualiser does */
        for (int i = 0; i < 8 && sent < allowed; i++) {
            sent += random_frame();
        }
        tx_limit_charge(limit, sent);
        bytes += sent;
    }
    return bytes;
}

static void test_hundred_megabits(void **unused)
{
    (void)unused;
    struct tx_limit limit;
    tx_limit_start(&limit, 100000000, 1000, 0);
    uint64_t sum = 0;
    for (uint64_t window = 1; window <= 1000; window++) {
        uint64_t sent = send_all(&limit);
        assert_true(sent < 12500 + NET_FRAME_MAX);
        sum += sent;
        assert_true(sum >= window * 12500 && sum < window * 12500 + NET_FRAME_MAX);
        assert_int_equal(tx_limit_until(&limit), window * MS);
        tx_limit_advance(&limit, window * MS - 1);
        assert_int_equal(tx_limit_bytes(&limit), 0);
        tx_limit_advance(&limit, window * MS);
    }
    assert_in_range(sum, 12500000, 12512500); /* of a second, to 0.1 % */
}

/*
 * A client with more than enough to send, for many windows, woken by a timer that is always late
 * by less than a window: the sum follows the rate to within a frame, and no window gets more than
 * its worth, what was charged to it and less than a frame.
 */
static void check_history(uint64_t rate, uint32_t window_us, uint64_t start, uint32_t wakes)
{
    struct tx_limit limit;
    const uint64_t window = (uint64_t)window_us * 1000;
    const unsigned __int128 worth = (unsigned __int128)rate * window_us; /* 10^-6 bits */
    tx_limit_start(&limit, rate, window_us, start);
    unsigned __int128 sent = 0; /* 10^-6 bits */
    uint64_t last = 0;          /* the window that was last sent in */
    uint64_t now = start;
    for (uint32_t i = 0; i < wakes; i++) {
        tx_limit_advance(&limit, now);
        uint64_t number = (now - start) / window;
        assert_true(number == 0 || number > last);
        assert_true(limit.credit > 0 && (unsigned __int128)limit.credit <= worth);
        last = number;
        unsigned __int128 bits = (unsigned __int128)send_all(&limit) * 8000000;
        assert_true(bits > 0 && bits < worth + (uint64_t)NET_FRAME_MAX * 8000000);
        sent += bits;
        /* So far: at least the worth of all windows (it had enough), and less than a frame more. */
        assert_true(sent >= (number + 1) * worth);
        assert_true(sent < (number + 1) * worth + (uint64_t)NET_FRAME_MAX * 8000000);
        uint64_t until = tx_limit_until(&limit);
        assert_true(until > now && (until - start) % window == 0);
        now = until + random_below(window);
    }
}

static void test_lateness_changes_nothing(void **unused)
{
    (void)unused;
    state = 4711;
    for (int i = 0; i < 300; i++) {
        uint64_t rate = NET_TX_LIMIT_MIN << random_below(27);
        uint32_t window = (uint32_t)(NET_TX_WINDOW_MIN << random_below(14));
        rate += random_below(rate);
        if (rate > 1000000000 && window > 1000) {
            window = 1000; /* so that a window is not a million frames */
        }
        uint64_t start = i % 3 == 0 ? (UINT64_C(1) << 63) - random_below(S)
                                    : rig_random(&state) >> (1 + random_below(40));
        check_history(rate, window, start, 400);
    }
    check_history(NET_TX_LIMIT_MAX, NET_TX_WINDOW_MIN, 0, 1000);
    check_history(NET_TX_LIMIT_MIN, NET_TX_WINDOW_MIN, (UINT64_C(1) << 63) - S, 1000);
}

/* A client that sends now and then: never more than the limit, however long it was silent. */
static void test_silence_saves_nothing(void **unused)
{
    (void)unused;
    state = 815;
    struct tx_limit limit;
    const uint32_t worth = 12500;
    uint64_t now = (UINT64_C(1) << 63) - 50 * S;
    const uint64_t start = now;
    tx_limit_start(&limit, 100000000, 1000, now);
    uint64_t window = UINT64_MAX;
    uint64_t in_window = 0, debt = 0;
    for (int i = 0; i < 1000000; i++) {
        static const uint64_t gaps[] = {1000, 10000, 400 * 1000, 3 * MS, S, 3600 * S};
        now += random_below(gaps[random_below(i % 1000 == 0 ? 6 : 4)]) + 1;
        tx_limit_advance(&limit, now);
        if ((now - start) / MS != window) {
            uint64_t passed = window == UINT64_MAX ? 1 : (now - start) / MS - window;
            uint64_t over = in_window + debt > worth ? in_window + debt - worth : 0;
            uint64_t paid = (passed - 1) * worth;
            debt = over > paid ? over - paid : 0;
            in_window = 0;
            window = (now - start) / MS;
        }
        uint32_t allowed = tx_limit_bytes(&limit);
        /* Exactly what is left of this window, less the debt: who is entitled is let through. */
        assert_int_equal(allowed, in_window + debt < worth ? worth - debt - in_window : 0);
        if (allowed > 0) {
            uint32_t frame = random_frame();
            tx_limit_charge(&limit, frame);
            in_window += frame;
            assert_true(in_window + debt < worth + NET_FRAME_MAX);
        }
    }
    assert_true(now > UINT64_C(1) << 63); /* beyond the middle of time */
}

/* Steps of many years, to the end of time, and clocks that stand still. */
static void test_the_end_of_time(void **unused)
{
    (void)unused;
    struct tx_limit limit;
    tx_limit_start(&limit, NET_TX_LIMIT_MIN, NET_TX_WINDOW_MAX, 0);
    tx_limit_charge(&limit, NET_FRAME_MAX);
    assert_int_equal(tx_limit_until(&limit), 12 * S); /* 1000 bits of 11112 in each */
    tx_limit_advance(&limit, 0);
    assert_int_equal(tx_limit_bytes(&limit), 0);
    tx_limit_advance(&limit, UINT64_MAX - 1);
    assert_int_equal(tx_limit_bytes(&limit), 125);
    assert_true(limit.begin > UINT64_MAX - S);
    tx_limit_advance(&limit, 1); /* a time that has been */
    assert_true(limit.begin > UINT64_MAX - S);
    tx_limit_charge(&limit, NET_FRAME_MAX);
    assert_int_equal(tx_limit_until(&limit), TX_LIMIT_NEVER);

    tx_limit_start(&limit, NET_TX_LIMIT_MAX, NET_TX_WINDOW_MAX, UINT64_MAX - 2 * S);
    assert_int_equal(tx_limit_bytes(&limit), UINT32_MAX); /* 12.5 GB, as far as it can be said */
    for (int i = 0; i < 4; i++) {
        tx_limit_charge(&limit, UINT32_MAX);
    }
    assert_int_equal(tx_limit_bytes(&limit), 0);
    tx_limit_advance(&limit, UINT64_MAX - S);
    assert_true(tx_limit_bytes(&limit) > 0);
}

static void test_no_limit(void **unused)
{
    (void)unused;
    struct tx_limit limit;
    tx_limit_start(&limit, 0, 0, 7);
    assert_false(tx_limit_is(&limit));
    tx_limit_start(&limit, NET_TX_LIMIT_MIN, NET_TX_WINDOW_MIN, 7);
    assert_true(tx_limit_is(&limit));
    assert_int_equal(tx_limit_bytes(&limit), 1); /* 0.1 bits: one frame, then a long wait */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hundred_megabits),
        cmocka_unit_test(test_lateness_changes_nothing),
        cmocka_unit_test(test_silence_saves_nothing),
        cmocka_unit_test(test_the_end_of_time),
        cmocka_unit_test(test_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
