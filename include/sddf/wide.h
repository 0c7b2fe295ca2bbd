/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies by the widest moves of the machine that this turns out to run on. Programs are compiled
 * for any machine of their architecture; of x86-64 that means moves of 16 bytes, where nearly every
 * one has some of 32 (AVX). Other architectures' compilers need no help.
 *
 * The prover puts a contract in its place, like in that of sddf/raw.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/atomic.h"

/* What goes in one round of the loop; shorter copies are not worth the call. */
#define SDDF_WIDE_LEAST 256u

#if defined(__x86_64__)
#include <cpuid.h>

typedef uint64_t sddf_wide __attribute__((vector_size(32), aligned(1), may_alias));

/* Has the processor such moves, and does the kernel keep their registers (CPUID, XGETBV)? */
static inline bool sddf_wide_there(void)
{
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) {
        return false;
    }
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6; /* both halves of a register */
}

__attribute__((target("avx"))) static inline void sddf_wide_move_128(uint8_t *to,
                                                                     const uint8_t *from)
{
    const sddf_wide a = *(const sddf_wide *)from;
    const sddf_wide b = *(const sddf_wide *)(from + 32);
    const sddf_wide c = *(const sddf_wide *)(from + 64);
    const sddf_wide d = *(const sddf_wide *)(from + 96);
    *(sddf_wide *)to = a;
    *(sddf_wide *)(to + 32) = b;
    *(sddf_wide *)(to + 64) = c;
    *(sddf_wide *)(to + 96) = d;
}

/* At least SDDF_WIDE_LEAST bytes, so many in one go; the last go overlaps the one before it. */
__attribute__((target("avx"))) static inline void sddf_wide_move(uint8_t *to, const uint8_t *from,
                                                                 size_t length)
{
    const size_t last = length - SDDF_WIDE_LEAST;
    for (size_t i = 0; i < last; i += SDDF_WIDE_LEAST) {
        sddf_wide_move_128(to + i, from + i);
        sddf_wide_move_128(to + i + 128, from + i + 128);
    }
    sddf_wide_move_128(to + last, from + last);
    sddf_wide_move_128(to + last + 128, from + last + 128);
}

/*
 * True if it has copied all of it, and not a byte beyond; false, with nothing copied, if this is no
 * such machine, or the copy is a short one. The two must not overlap.
 */
static inline bool sddf_wide_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
    enum { UNKNOWN, THERE, MISSING };
    static sddf_atomic_u32 known; /* atomic for tests that have several components in one process */
    if (length < SDDF_WIDE_LEAST) {
        return false;
    }
    uint32_t state = sddf_load_relaxed_u32(&known);
    if (state == UNKNOWN) {
        state = sddf_wide_there() ? THERE : MISSING;
        sddf_store_relaxed_u32(&known, state);
    }
    if (state == THERE) {
        sddf_wide_move(to, from, length);
    }
    return state == THERE;
}
#else
static inline bool sddf_wide_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
    (void)to;
    (void)from;
    (void)length;
    return false;
}
#endif
