/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock on AArch64: the generic timer's physical counter, which seL4 lets every PD read. */
#include "sddf/clock.h"

/* Nanoseconds a tick, times 2^32. What is lost by rounding is lost for everybody alike. */
static uint64_t scale;

uint64_t sddf_clock_now(void)
{
    if (scale == 0) {
        uint64_t frequency;
        __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
        scale = (SDDF_NS_PER_S << 32) / frequency;
    }
    /*
     * The counter is not read before what stands before it is done: two PDs that order their reads
     * by a word in shared memory see time pass in that order.
     */
    uint64_t ticks;
    __asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks) : : "memory");
    return (uint64_t)(((unsigned __int128)ticks * scale) >> 32);
}
