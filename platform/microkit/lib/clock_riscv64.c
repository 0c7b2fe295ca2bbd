/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock on RISC-V: the CSR `time`, a counter of real time that is the same for all cores (The
 * RISC-V Instruction Set Manual, Volume I, "Zicntr"). Its frequency is the board's and cannot be
 * read.
 */
#include "sddf/clock.h"

#define SCALE ((SDDF_NS_PER_S << 32) / CLOCK_HZ) /* nanoseconds a tick, times 2^32 */

uint64_t sddf_clock_now(void)
{
    /*
     * The counter is not read before what stands before it is done: two PDs that order their reads
     * by a word in shared memory see time pass in that order. A CSR read counts as device input.
     */
    uint64_t ticks;
    __asm__ volatile("fence iorw, i; rdtime %0" : "=r"(ticks) : : "memory");
    return (uint64_t)(((unsigned __int128)ticks * SCALE) >> 32);
}
