/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of the true one: writes down what is done to the caches, and lets a test look on. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum cache_act { CACHE_CLEAN, CACHE_FORGET, CACHE_DONE };

struct cache_step {
    enum cache_act act;
    uintptr_t start;
    size_t size;
};

static struct cache_step cache_steps[256];
static size_t cache_count;
static void (*cache_watch)(enum cache_act act); /* called with each, or NULL */

static inline void cache_record(enum cache_act act, const void *start, size_t size)
{
    if (cache_count < sizeof(cache_steps) / sizeof(cache_steps[0])) {
        cache_steps[cache_count] = (struct cache_step){act, (uintptr_t)start, size};
    }
    cache_count++;
    if (cache_watch != NULL) {
        cache_watch(act);
    }
}

static inline void sddf_cache_clean(const void *start, size_t size)
{
    cache_record(CACHE_CLEAN, start, size);
}

static inline void sddf_cache_forget(const void *start, size_t size)
{
    cache_record(CACHE_FORGET, start, size);
}

static inline void sddf_cache_done(void)
{
    cache_record(CACHE_DONE, NULL, 0);
}
