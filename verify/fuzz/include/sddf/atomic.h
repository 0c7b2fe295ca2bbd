/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for include/sddf/atomic.h in the fuzz targets: before each access to a shared word the
 * neighbours may do something, as if they ran on other cores; what, the fuzzer's bytes say. The
 * harness hears of every entry of a queue that the component reads or writes, and counts the
 * accesses, so a handler that does not end is found out.
 */
#pragma once

#include <stdint.h>

#define SDDF_CACHE_LINE 64
#define SDDF_ALIGNED(n) _Alignas(n)

typedef uint32_t sddf_atomic_u32;
typedef uint64_t sddf_atomic_u64;
typedef uint64_t sddf_pair __attribute__((vector_size(16), may_alias));

extern uint32_t fuzz_steps_left; /* until the neighbours' next turn */
void fuzz_step(void);
void fuzz_entry_read(const uint64_t *slot, uint64_t address); /* the value that was seen */
void fuzz_entry_written(const uint64_t *slot);

static inline void fuzz_access(void)
{
    if (--fuzz_steps_left == 0) {
        fuzz_step();
    }
}

static inline uint32_t sddf_load_relaxed_u32(const sddf_atomic_u32 *word)
{
    fuzz_access();
    return *(const volatile uint32_t *)word;
}

static inline uint32_t sddf_load_acquire_u32(const sddf_atomic_u32 *word)
{
    return sddf_load_relaxed_u32(word);
}

static inline void sddf_store_relaxed_u32(sddf_atomic_u32 *word, uint32_t value)
{
    fuzz_access();
    *(volatile uint32_t *)word = value;
}

static inline void sddf_store_release_u32(sddf_atomic_u32 *word, uint32_t value)
{
    sddf_store_relaxed_u32(word, value);
}

static inline uint64_t sddf_load_relaxed_u64(const sddf_atomic_u64 *word)
{
    fuzz_access();
    return *(const volatile uint64_t *)word;
}

static inline void sddf_store_relaxed_u64(sddf_atomic_u64 *word, uint64_t value)
{
    fuzz_access();
    *(volatile uint64_t *)word = value;
}

/* Two accesses, between which the neighbours may have their turn, too. */
static inline sddf_pair sddf_load_pair(const sddf_atomic_u64 *words)
{
    fuzz_access();
    const uint64_t first = *(const volatile uint64_t *)words;
    fuzz_access();
    fuzz_entry_read(words, first);
    return (sddf_pair){first, *(const volatile uint64_t *)(words + 1)};
}

static inline void sddf_store_pair(sddf_atomic_u64 *words, sddf_pair pair)
{
    fuzz_access();
    ((volatile uint64_t *)words)[0] = pair[0];
    ((volatile uint64_t *)words)[1] = pair[1];
    fuzz_entry_written(words);
}

static inline void sddf_fence_seq_cst(void)
{
}
