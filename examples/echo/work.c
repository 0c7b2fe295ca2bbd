/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extra work for each datagram, for systems that are to be busy. The description says how much, by
 * giving this program memory to go through:
 *
 *     <map mr="work" vaddr="0x20000000" perms="r" setvar_vaddr="echo_work"
 *          setvar_size="echo_work_size" />
 *
 * It reads 64-bit words, each at a place that the one before has a say in, sixteen times as many as
 * there are: a region of 0x4000 bytes, which stays in the nearest cache, is worth some 100 us.
 * Several clients may share one. Its size is a power of two.
 */
#include <stdint.h>

#include "echo.h"

#define PASSES 16

/* Not static: the description sets them. */
uint64_t echo_work;
uint64_t echo_work_size;

void work_through(void)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(uintptr_t)echo_work;
    const uint64_t count = echo_work_size / sizeof(*words);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count * PASSES; i++) {
        sum += words[(i + sum) & (count - 1)];
    }
}
