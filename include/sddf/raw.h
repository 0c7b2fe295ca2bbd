/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory seen other than by its C type, and what a compiler does better than C says: the entries
 * of a queue as words that two protection domains share, and the place of a free-running index in
 * an array whose size is a power of two.
 *
 * Like the shared words of sddf/atomic.h it is apart so that the prover, which reads memory by its
 * types only, can put contracts in its place, and check the code that calls it as it ships. The
 * builtins __builtin_memcpy (of bytes), __builtin_ctz and __builtin_ctzll it replaces, too.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

/* The length of an array at the end of a struct that is as long as its user says. */
#define SDDF_RAW_ANY_LENGTH

/* index modulo size, for a size that is a power of two; mask is size - 1. Never more than mask. */
static inline uint32_t sddf_raw_wrap(uint32_t index, uint32_t mask)
{
    return index & mask;
}

/*
 * Copies an entry of `words` 64-bit words into shared memory. (It need not be an array of words.
 * The builtin, because a freestanding memcpy is a call.)
 */
static inline void sddf_raw_store(sddf_atomic_u64 *to, const void *entry, uint32_t words)
{
    const unsigned char *from = entry;
#ifdef SDDF_STORE_WORD_BY_WORD
    const uint32_t in_pairs = 0;
#else
    const uint32_t in_pairs = words % 2 == 0 ? words : 0;
#endif
    for (uint32_t i = 0; i < in_pairs; i += 2) {
        sddf_pair pair;
        __builtin_memcpy(&pair, from + i * 8, 16);
        sddf_store_pair(&to[i], pair);
    }
    for (uint32_t i = in_pairs; i < words; i++) {
        uint64_t word;
        __builtin_memcpy(&word, from + i * 8, 8);
        sddf_store_relaxed_u64(&to[i], word);
    }
}

/* Copies one out. Once: what is checked later is what was read here, whatever the others do. */
static inline void sddf_raw_load(const sddf_atomic_u64 *from, void *entry, uint32_t words)
{
    unsigned char *to = entry;
    const uint32_t in_pairs = words % 2 == 0 ? words : 0;
    for (uint32_t i = 0; i < in_pairs; i += 2) {
        const sddf_pair pair = sddf_load_pair(&from[i]);
        __builtin_memcpy(to + i * 8, &pair, 16);
    }
    for (uint32_t i = in_pairs; i < words; i++) {
        const uint64_t word = sddf_load_relaxed_u64(&from[i]);
        __builtin_memcpy(to + i * 8, &word, 8);
    }
}

/*
 * Numbers at any address: packed, so that the compiler knows, and reads in one go if it may. The
 * access is volatile, which forbids to read a second time what has been checked already.
 */
struct sddf_raw_16 {
    uint16_t value;
} __attribute__((packed));
struct sddf_raw_32 {
    uint32_t value;
} __attribute__((packed));
struct sddf_raw_64 {
    uint64_t value;
} __attribute__((packed));

static inline uint8_t sddf_raw_u8(const uint8_t *at)
{
    return *(const volatile uint8_t *)at;
}

static inline uint16_t sddf_raw_u16(const uint8_t *at)
{
    return ((const volatile struct sddf_raw_16 *)at)->value;
}

static inline uint32_t sddf_raw_u32(const uint8_t *at)
{
    return ((const volatile struct sddf_raw_32 *)at)->value;
}

static inline uint64_t sddf_raw_u64(const uint8_t *at)
{
    return ((const volatile struct sddf_raw_64 *)at)->value;
}

/* Of private memory: six bytes, the first one lowest. */
static inline uint64_t sddf_raw_u48(const uint8_t at[6])
{
    uint64_t value = 0;
    __builtin_memcpy(&value, at, 6);
    return value;
}

/*
 * SDDF_RAW_ENTRY(net_queue, struct net_entry) makes these two for a type of whole 64-bit words:
 *
 *   net_queue_store(sddf_atomic_u64 *slot, const struct net_entry *entry)
 *   net_queue_load(const sddf_atomic_u64 *slot, struct net_entry *entry)
 */
#define SDDF_RAW_ENTRY(prefix, type)                                                               \
    static inline void prefix##_store(sddf_atomic_u64 *slot, const type *entry)                    \
    {                                                                                              \
        sddf_raw_store(slot, entry, sizeof(type) / 8);                                             \
    }                                                                                              \
                                                                                                   \
    static inline void prefix##_load(const sddf_atomic_u64 *slot, type *entry)                     \
    {                                                                                              \
        sddf_raw_load(slot, entry, sizeof(type) / 8);                                              \
    }
