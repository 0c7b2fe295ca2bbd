/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for include/sddf/atomic.h when the weak-memory checker runs the queue's code: every
 * access goes to the checker, with the name of the function that it is in. The entries of a queue
 * (64-bit words and pairs of them) count as ordinary, non-atomic memory here, though they are
 * atomic or volatile in the real header: so the checker finds a race on one to be an error.
 */
#pragma once

#include <stdint.h>

#include "verify/weak/weak.h"

#define SDDF_CACHE_LINE 64
#define SDDF_ALIGNED(n) _Alignas(n)

typedef uint32_t sddf_atomic_u32;
typedef uint64_t sddf_atomic_u64;
typedef uint64_t sddf_pair __attribute__((vector_size(16), may_alias));

#define sddf_load_relaxed_u32(word)      wk_load_u32(__func__, (word), WK_RELAXED)
#define sddf_load_acquire_u32(word)      wk_load_u32(__func__, (word), WK_ACQUIRE)
#define sddf_store_relaxed_u32(word, to) wk_store_u32(__func__, (word), (to), WK_RELAXED)
#define sddf_store_release_u32(word, to) wk_store_u32(__func__, (word), (to), WK_RELEASE)
#define sddf_load_relaxed_u64(word)      wk_read_plain(__func__, (word), 1).lo
#define sddf_store_relaxed_u64(word, to)                                                           \
    wk_write_plain(__func__, (word), (struct wk_value){.lo = (to)}, 1)
#define sddf_fence_seq_cst() wk_fence(__func__, WK_SEQ_CST)

static inline sddf_pair sddf_load_pair(const sddf_atomic_u64 *words)
{
    const struct wk_value value = wk_read_plain(__func__, words, 2);
    return (sddf_pair){value.lo, value.hi};
}

static inline void sddf_store_pair(sddf_atomic_u64 *words, sddf_pair pair)
{
    wk_write_plain(__func__, words, (struct wk_value){.lo = pair[0], .hi = pair[1]}, 2);
}
