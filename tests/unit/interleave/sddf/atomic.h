/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the place of include/sddf/atomic.h in queue_interleave.c: every access to a shared word
 * goes to a model of two cores with store buffers, which decides who comes next.
 */
#pragma once

#include <stdint.h>

#define SDDF_CACHE_LINE 64
#define SDDF_ALIGNED(n) _Alignas(n)

typedef struct {
    uint32_t value;
} sddf_atomic_u32;

typedef struct {
    uint64_t value;
} sddf_atomic_u64;

uint32_t model_load(const sddf_atomic_u32 *word);
void model_store(sddf_atomic_u32 *word, uint32_t value);
void model_fence(void);

#define sddf_load_relaxed_u32  model_load
#define sddf_load_acquire_u32  model_load
#define sddf_store_relaxed_u32 model_store
#define sddf_store_release_u32 model_store
#define sddf_fence_seq_cst     model_fence

/* Entries are not what is modelled: they are there at once, and nobody is interrupted for them. */
static inline uint64_t sddf_load_relaxed_u64(const sddf_atomic_u64 *word)
{
    return word->value;
}

static inline void sddf_store_relaxed_u64(sddf_atomic_u64 *word, uint64_t value)
{
    word->value = value;
}

typedef uint64_t sddf_pair __attribute__((vector_size(16)));

static inline sddf_pair sddf_load_pair(const sddf_atomic_u64 *words)
{
    return (sddf_pair){words[0].value, words[1].value};
}

static inline void sddf_store_pair(sddf_atomic_u64 *words, sddf_pair pair)
{
    words[0].value = pair[0];
    words[1].value = pair[1];
}
