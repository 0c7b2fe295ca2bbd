/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for include/sddf/atomic.h when SPIN runs the components: a protection domain stops
 * before each access to a 32-bit shared word (heads, tails and marks of queues), and SPIN decides
 * who goes on. Entries and statistics need no stop: the weak-memory checker shows that nobody
 * touches an entry while the other side may, and nobody reads statistics.
 */
#pragma once

#include <stdint.h>

#include "verify/spin/world.h"

#define SDDF_CACHE_LINE 64
#define SDDF_ALIGNED(n) _Alignas(n)

typedef uint32_t sddf_atomic_u32;
typedef uint64_t sddf_atomic_u64;
typedef uint64_t sddf_pair __attribute__((vector_size(16), may_alias));

#define sddf_load_relaxed_u32(word) (world_stop(__func__), *(word))
#define sddf_load_acquire_u32(word) (world_stop(__func__), *(word))
#define sddf_store_relaxed_u32(word, to)                                                           \
    (world_stop(__func__), (void)(*(word) = (to)), world_stored(word))
#define sddf_store_release_u32(word, to) (world_stop(__func__), (void)(*(word) = (to)))
#define sddf_load_relaxed_u64(word)      (*(word))
#define sddf_store_relaxed_u64(word, to) ((void)(*(word) = (to)))
#define sddf_fence_seq_cst()             ((void)0)

static inline sddf_pair sddf_load_pair(const sddf_atomic_u64 *words)
{
    return *(const sddf_pair *)words;
}

static inline void sddf_store_pair(sddf_atomic_u64 *words, sddf_pair pair)
{
    *(sddf_pair *)words = pair;
}
