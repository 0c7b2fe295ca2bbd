/* SPDX-License-Identifier: BSD-2-Clause */
/* The load generator's arithmetic: histogram, coordinated omission, pacing, mixes of sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/histogram.h"
#include "bench/mix.h"
#include "bench/pace.h"

static struct histogram h, corrected;

/* ---- the histogram ------------------------------------------------------------------------- */

static void empty(void **state)
{
    (void)state;
    histogram_reset(&h);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_true(histogram_mean(&h) == 0.0);
}

/* A quantile is never too low, and at most 1/64 too high; mean and maximum are exact. */
static void quantiles_of_every_magnitude(void **state)
{
    (void)state;
    for (uint64_t scale = 1; scale < UINT64_C(1) << 30; scale *= 7) {
        histogram_reset(&h);
        for (uint64_t i = 1; i <= 1000; i++) {
            histogram_add(&h, i * scale, 1);
        }
        static const double q[] = {0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
        for (unsigned i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
            uint64_t exact = (uint64_t)(q[i] * 1000 + 0.5) * scale;
            uint64_t got = histogram_quantile(&h, q[i]);
            assert_in_range(got, exact, exact + exact / 64 + 1);
        }
        assert_true(histogram_mean(&h) == 500.5 * (double)scale);
        assert_int_equal(h.max, 1000 * scale);
        assert_int_equal(h.min, scale);
    }
}

static void beyond_the_last_bucket(void **state)
{
    (void)state;
    histogram_reset(&h);
    histogram_add(&h, UINT64_MAX / 4, 1);
    histogram_add(&h, 5, 1);
    assert_int_equal(histogram_quantile(&h, 0.5), 5);
    assert_true(histogram_quantile(&h, 1) >= UINT64_C(1) << 39);
}

static void merged(void **state)
{
    (void)state;
    static struct histogram other;
    histogram_reset(&h);
    histogram_reset(&other);
    histogram_add(&h, 10, 3);
    histogram_add(&other, 50, 1);
    histogram_merge(&h, &other);
    assert_int_equal(h.count, 4);
    assert_int_equal(h.max, 50);
    assert_int_equal(h.min, 10);
    assert_int_equal(histogram_quantile(&h, 0.75), 10);
    assert_int_equal(histogram_quantile(&h, 0.76), 50);
}

/* ---- coordinated omission ------------------------------------------------------------------ */

/*
 * One reply every 10, and one stall of 1000. Who waited for that reply has seen it once; an even
 * load of one in 10 would have met it with 1000, 990, ..., 10.
 */
static void a_stall_counts_in_full(void **state)
{
    (void)state;
    histogram_reset(&h);
    histogram_add(&h, 10, 900);
    histogram_add(&h, 1000, 1);
    assert_int_equal(histogram_quantile(&h, 0.99), 10);
    histogram_correct(&corrected, &h, 10);
    assert_int_equal(corrected.count, 900 + 100);
    assert_int_equal(corrected.max, 1000);
    assert_in_range(histogram_quantile(&corrected, 0.99), 900, 920);
    assert_in_range((uint64_t)histogram_mean(&corrected), 58, 61);
}

static void nothing_to_correct(void **state)
{
    (void)state;
    histogram_reset(&h);
    histogram_add(&h, 10, 900);
    histogram_add(&h, 19, 5);
    histogram_correct(&corrected, &h, 10);
    assert_int_equal(corrected.count, h.count);
    histogram_add(&h, 1000, 1);
    histogram_correct(&corrected, &h, 0);
    assert_int_equal(corrected.count, h.count);
    assert_true(histogram_mean(&corrected) == histogram_mean(&h));
}

/* ---- pacing -------------------------------------------------------------------------------- */

/* Whenever one looks, exactly those are missing that were due by then. */
static void missing_is_what_is_due(void **state)
{
    (void)state;
    static const double rates[] = {0.1, 1, 3, 999, 20000, 333333.3, 1e7};
    for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        for (unsigned index = 0; index < 3; index++) {
            struct pace pace = pace_of(rates[r], index, 3);
            uint64_t now = 0, next = 0, step = (uint64_t)(pace.interval * 0.37) + 1;
            for (unsigned i = 0; i < 5000; i++, now += step) {
                uint64_t missing = pace_missing(&pace, next, now);
                if (missing > 0) {
                    assert_true(pace_due(&pace, next + missing - 1) <= now);
                }
                assert_true(pace_due(&pace, next + missing) > now);
                next += i % 5 == 0 ? missing : missing / 2;
            }
        }
    }
}

/* After a day the next one is due within a nanosecond of where it should be. */
static void no_rounding_error_grows(void **state)
{
    (void)state;
    struct pace pace = pace_of(300000, 0, 1);
    uint64_t day = UINT64_C(86400) * 300000;
    assert_in_range(pace_due(&pace, day), UINT64_C(86400) * 1000000000 - 1,
                    UINT64_C(86400) * 1000000000 + 1);
    assert_int_equal(pace_missing(&pace, day, UINT64_C(86401) * 1000000000 + 1), 300001);
}

static void streams_take_turns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct pace pace = pace_of(1000, i, 4);
        assert_int_equal(pace_due(&pace, 0), i * 250000u);
        assert_int_equal(pace_due(&pace, 3), 3000000 + i * 250000u);
    }
    struct pace none = pace_of(0, 1, 4);
    assert_true(none.interval == 0.0);
}

/* ---- mixes --------------------------------------------------------------------------------- */

static unsigned times(const struct mix *mix, unsigned size, uint64_t from, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        n += mix_size(mix, from + i) == size;
    }
    return n;
}

static void one_size(void **state)
{
    (void)state;
    struct mix mix;
    assert_true(mix_parse(&mix, "512"));
    assert_int_equal(times(&mix, 512, UINT64_C(0xffffffff00000000), 100), 100);
    assert_true(mix_parse(&mix, "64:9"));
    assert_int_equal(mix.length, 1);
    assert_int_equal(mix.largest, 64);
}

/* The simple Internet mix, in any twelve datagrams that follow each other, and in its mean. */
static void internet_mix(void **state)
{
    (void)state;
    struct mix mix;
    assert_true(mix_parse(&mix, "imix"));
    assert_int_equal(mix.largest, 1472);
    for (uint64_t from = 0; from < 30; from++) {
        assert_int_equal(times(&mix, 18, from, 12), 7);
        assert_int_equal(times(&mix, 548, from, 12), 4);
        assert_int_equal(times(&mix, 1472, from, 12), 1);
    }
    /* Frames with their check sequence: 64, 594, 1518. */
    assert_true(mix_mean(&mix) + 46 == (7 * 64 + 4 * 594 + 1518) / 12.0);
}

/* Spread out: whichever piece of the stream one takes, half of it is the part of half the weight.
 */
static void evenly_spread(void **state)
{
    (void)state;
    struct mix mix;
    assert_true(mix_parse(&mix, "64:4,512:3,1472:1"));
    for (unsigned from = 0; from < 8; from++) {
        for (unsigned count = 2; count < 40; count += 2) {
            assert_in_range(times(&mix, 64, from, count), count / 2 - 1, count / 2 + 1);
        }
    }
}

static void no_mixes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "7",    "1473",   "512,", ",512",    "512:0", "512:65", "512:60,64:5",         "x",
        "512x", "-512", "512:-1", "512:", "imix,64", " 64",   "64:1:1", "18446744073709551680"};
    struct mix mix;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(mix_parse(&mix, texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(quantiles_of_every_magnitude),
        cmocka_unit_test(beyond_the_last_bucket),
        cmocka_unit_test(merged),
        cmocka_unit_test(a_stall_counts_in_full),
        cmocka_unit_test(nothing_to_correct),
        cmocka_unit_test(missing_is_what_is_due),
        cmocka_unit_test(no_rounding_error_grows),
        cmocka_unit_test(streams_take_turns),
        cmocka_unit_test(one_size),
        cmocka_unit_test(internet_mix),
        cmocka_unit_test(evenly_spread),
        cmocka_unit_test(no_mixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
