/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for include/sddf/cache.h: what is cleaned or forgotten must be there to be read. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline void fuzz_cache_touch(const void *start, size_t size)
{
    (void)*(const volatile uint8_t *)start;
    (void)*((const volatile uint8_t *)start + size - 1);
}

static inline void sddf_cache_clean(const void *start, size_t size)
{
    fuzz_cache_touch(start, size);
}

static inline void sddf_cache_forget(const void *start, size_t size)
{
    fuzz_cache_touch(start, size);
}

static inline void sddf_cache_done(void)
{
}
