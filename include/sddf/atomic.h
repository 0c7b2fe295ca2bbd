/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared words: every access that this project makes to memory that another protection domain
 * may write, or may read while it is written, goes through the operations below. They are C11's
 * with the order in the name, and nothing else, so that
 *
 *   - each use says which order it needs, and its comment says what for;
 *   - a model checker or a prover can put a file of its own in place of this one and check the
 *     very code that ships (Frama-C's parser, for one, knows neither _Atomic nor _Alignas).
 *
 * Layout macros are here for the same reason.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Words that different cores write lie this many bytes apart. */
#define SDDF_CACHE_LINE 64

#define SDDF_ALIGNED(n) _Alignas(n)

typedef _Atomic(uint32_t) sddf_atomic_u32;
typedef _Atomic(uint64_t) sddf_atomic_u64;

_Static_assert(sizeof(sddf_atomic_u32) == 4 && sizeof(sddf_atomic_u64) == 8,
               "shared words have the size of their value on every target");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "shared words are lock-free: a lock in shared memory would trust the neighbour");

/*
 * What a relaxed access asks of the compiler, a volatile one of an aligned machine word gives as
 * well, on every machine that we run on: exactly one access, of the whole word, in the order of the
 * others to it, and held where it is by the fences and by release and acquire. GCC makes more of
 * C11's: it forgets at each all that it knew of other memory, and computes every address apart,
 * which costs a wake-up some seventy instructions. Who reasons in C11's terms (a sanitizer; a model
 * checker, by a file of its own) gets C11's.
 */
#if defined(__SANITIZE_THREAD__)
#define SDDF_RELAXED_BY_C11 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SDDF_RELAXED_BY_C11 1
#endif
#endif
#ifdef SDDF_RELAXED_BY_C11
#define SDDF_LOAD_RELAXED(type, word) atomic_load_explicit(word, memory_order_relaxed)
#define SDDF_STORE_RELAXED(type, word, value)                                                      \
    atomic_store_explicit(word, value, memory_order_relaxed)
#else
#define SDDF_LOAD_RELAXED(type, word)         (*(const volatile type *)(word))
#define SDDF_STORE_RELAXED(type, word, value) ((void)(*(volatile type *)(word) = (value)))
#endif

static inline uint32_t sddf_load_relaxed_u32(const sddf_atomic_u32 *word)
{
    return SDDF_LOAD_RELAXED(uint32_t, word);
}

static inline uint32_t sddf_load_acquire_u32(const sddf_atomic_u32 *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline void sddf_store_relaxed_u32(sddf_atomic_u32 *word, uint32_t value)
{
    SDDF_STORE_RELAXED(uint32_t, word, value);
}

static inline void sddf_store_release_u32(sddf_atomic_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline uint64_t sddf_load_relaxed_u64(const sddf_atomic_u64 *word)
{
    return SDDF_LOAD_RELAXED(uint64_t, word);
}

static inline void sddf_store_relaxed_u64(sddf_atomic_u64 *word, uint64_t value)
{
    SDDF_STORE_RELAXED(uint64_t, word, value);
}

/*
 * Two words that follow each other, on a multiple of 16 bytes, in one go where the machine can: for
 * what a neighbour has no business to touch just then. It is read, or written, exactly once, but
 * not atomically as a whole, and only another access orders it.
 */
#ifdef __SSE2__
typedef uint64_t sddf_pair __attribute__((vector_size(16)));
/* What is stored was made in two registers of another kind, and would go by the stack. */
#define SDDF_STORE_WORD_BY_WORD
#else
typedef unsigned __int128 sddf_pair __attribute__((may_alias)); /* two registers */
#endif

static inline sddf_pair sddf_load_pair(const sddf_atomic_u64 *words)
{
    return *(const volatile sddf_pair *)words;
}

static inline void sddf_store_pair(sddf_atomic_u64 *words, sddf_pair pair)
{
    *(volatile sddf_pair *)words = pair;
}

/*
 * Orders everything before it against everything after it, in one total order with every other
 * fence of this kind: of two sides that each store, fence and load what the other stored, at
 * least one sees the other's store.
 */
static inline void sddf_fence_seq_cst(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}
