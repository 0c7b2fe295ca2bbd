/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AArch64 generic timer's counters, which run with QEMU's instruction counter: at 62.5 MHz, and
 * with one instruction a nanosecond, a tick is 16 instructions.
 */
#pragma once

#include <stdint.h>

/* seL4 lets programs read the physical one, Linux the virtual one: there is nothing between them.
 */
#ifndef COUNTER
#define COUNTER "cntpct_el0"
#endif

/* Ticks between two reads that nothing came in between of. */
#define COUNTER_UNDISTURBED 8

static inline uint64_t counter_now(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, " COUNTER : "=r"(ticks) : : "memory");
    return ticks;
}

static inline uint64_t counter_frequency(void)
{
    uint64_t frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}
