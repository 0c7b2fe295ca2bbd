/* SPDX-License-Identifier: BSD-2-Clause */
#include <microkit_linux.h>
#include <sddf/clock.h>
#include <sys/syscall.h>
#include <time.h>

#include "pd.h"

uint64_t sddf_clock_now(void)
{
    const struct mk_clock *clock = &mk_pd.system->clock;
    if (clock->mult == 0) {
        struct timespec now = {0, 0};
        microkit_linux_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
        return (uint64_t)now.tv_sec * SDDF_NS_PER_S + (uint64_t)now.tv_nsec;
    }
    /* The counter is not read before what stands before it is done: two PDs that order their
     * reads by a word in shared memory see time pass in that order. */
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    uint64_t passed = ((uint64_t)high << 32 | low) - clock->counter_base;
    return (uint64_t)(((unsigned __int128)passed * clock->mult) >> 32) + clock->ns_base;
}
