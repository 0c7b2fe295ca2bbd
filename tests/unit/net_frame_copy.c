/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of frames: every length, at places of every kind, whole and not a byte more. By the
 * machine's widest moves where it has them, and without them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "network/frame.h"

enum { LEAST = 8, MARGIN = 64, SKEWS = 33 };

static uint8_t from[MARGIN + NET_FRAME_MAX + MARGIN], to[sizeof(from)];

static void copy_and_look(uint32_t length, uint32_t read_at, uint32_t write_at)
{
    memset(to, 0xee, sizeof(to));
    frame_copy(to + write_at, from + read_at, length);
    assert_memory_equal(to + write_at, from + read_at, length);
    for (uint32_t i = 0; i < sizeof(to); i++) {
        if (i < write_at || i >= write_at + length) {
            assert_int_equal(to[i], 0xee);
        }
    }
}

static void copies_every_length(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sizeof(from); i++) {
        from[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (uint32_t length = LEAST; length <= NET_FRAME_MAX; length++) {
        copy_and_look(length, length % SKEWS, length / 3 % SKEWS);
    }
}

#if defined(__x86_64__)
/* What a machine without the moves does is done by all of them for short frames. */
static void says_whether_it_is_worth_it(void **state)
{
    (void)state;
    memset(to, 0, sizeof(to));
    assert_false(sddf_wide_copy(to, from, SDDF_WIDE_LEAST - 1));
    assert_int_equal(to[0], 0);
    assert_int_equal(sddf_wide_copy(to, from, SDDF_WIDE_LEAST), sddf_wide_there());
    assert_int_equal(sddf_wide_there(), __builtin_cpu_supports("avx") != 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_every_length),
#if defined(__x86_64__)
        cmocka_unit_test(says_whether_it_is_worth_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
