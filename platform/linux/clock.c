/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scale between the time-stamp counter and CLOCK_MONOTONIC, from two looks at both: one when
 * the loader begins and one, at least 20 ms later, when the PDs are about to start.
 */
#include <cpuid.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#include "internal.h"

#define APART_NS UINT64_C(20000000)
#define NS_PER_S UINT64_C(1000000000)

static uint64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Both clocks at one moment: of several tries, the one that took least. */
static struct mk_clock look(void)
{
    struct mk_clock best = {0, 0, 0};
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        _mm_lfence();
        uint64_t before = __rdtsc();
        uint64_t ns = monotonic();
        _mm_lfence();
        uint64_t after = __rdtsc();
        if (after - before < shortest) {
            shortest = after - before;
            best.counter_base = before + shortest / 2;
            best.ns_base = ns;
        }
    }
    return best;
}

static bool invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8) != 0;
}

void linux_clock_begin(struct linux_loader *loader)
{
    loader->first = look();
}

void linux_clock_end(struct linux_loader *loader, struct mk_clock *clock)
{
    *clock = loader->first;
    clock->mult = 0;
    if (!invariant()) {
        fprintf(stderr, "sddf: the processor's time-stamp counter does not run evenly: reading "
                        "the clock costs a PD a system call\n");
        return;
    }
    uint64_t passed = monotonic() - loader->first.ns_base;
    if (passed < APART_NS) {
        struct timespec rest = {0, (long)(APART_NS - passed)};
        while (nanosleep(&rest, &rest) != 0)
            continue;
    }
    struct mk_clock second = look();
    uint64_t counts = second.counter_base - clock->counter_base;
    unsigned __int128 ns = second.ns_base - clock->ns_base;
    clock->mult = (uint64_t)((ns << 32) / counts);
}
