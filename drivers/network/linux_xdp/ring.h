/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of the four rings of an AF_XDP socket (Documentation/networking/af_xdp.rst, "Rings"): single
 * producer, single consumer, free-running 32-bit indices, the kernel at the other end.
 *
 * As everywhere, this side keeps its own index to itself, believes nothing of an impossible one of
 * the other's, and copies an entry out once. The private handle is the same for all four; which of
 * the two indices is its own depends on the direction.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <microkit_linux_xdp.h>

#include "sddf/atomic.h"
#include "sddf/raw.h"

struct ring {
    sddf_atomic_u32 *own_word;        /* what the kernel reads of us */
    const sddf_atomic_u32 *peer_word; /* what we read of the kernel */
    const sddf_atomic_u32 *flags;
    sddf_atomic_u64 *entries;
    uint32_t count;
    uint32_t mask;
    uint32_t own;       /* own index, with what is not yet published */
    uint32_t published; /* what own_word says */
    uint32_t peer;      /* last sight of the kernel's index, clamped */
};

#define RING_DESC_WORDS    2 /* struct linux_xdp_desc */
#define RING_ADDRESS_WORDS 1

/*
 * What holds of a ring of entries of so many words: it is memory, and what this side believes of
 * the kernel's index is possible.
 */
/*@ predicate ring_memory(struct ring r, integer words) =
  @     \valid(r.own_word) && \valid_read(r.peer_word) && \valid_read(r.flags) &&
  @     r.count >= 1 && r.mask == r.count - 1 &&
  @     \valid(r.entries + (0 .. r.count * words - 1));
  @ predicate ring_to_kernel(struct ring r) = (uint32_t)(r.own - r.peer) <= r.count;
  @ predicate ring_from_kernel(struct ring r) = (uint32_t)(r.peer - r.own) <= r.count;
  @
  @ // A region of so many bytes: every word that lies in it.
  @ predicate ring_region(integer base, integer size) =
  @     (\forall uint64_t at; base <= at && at + 4 <= base + size ==>
  @         \valid((sddf_atomic_u32 *)at)) &&
  @     (\forall uint64_t at, integer n; base <= at && 1 <= n && at + 8 * n <= base + size ==>
  @         \valid((sddf_atomic_u64 *)at + (0 .. n - 1)));
  @*/

/* False if the layout does not fit the region: `size` bytes at `base`. */
/*@ requires \valid(r) && \valid_read(layout) && \separated(r, layout);
  @ requires base + size <= UINT64_MAX && ring_region(base, size);
  @ requires words == RING_DESC_WORDS || words == RING_ADDRESS_WORDS;
  @ assigns *r;
  @ ensures \result ==> ring_memory(*r, words);
  @ ensures \result && producer ==> ring_to_kernel(*r);
  @ ensures \result && !producer ==> ring_from_kernel(*r);
  @*/
static inline bool ring_attach(struct ring *r, const struct linux_xdp_ring *layout, uint64_t base,
                               uint64_t size, uint32_t words, bool producer)
{
    uint64_t bytes = (uint64_t)layout->count * words * sizeof(uint64_t);
    if (layout->count == 0 || (layout->count & (layout->count - 1)) != 0 || size < 64 ||
        layout->producer > size - 4 || layout->consumer > size - 4 || layout->flags > size - 4 ||
        bytes > size || layout->entries > size - bytes ||
        ((layout->producer | layout->consumer | layout->flags) & 3) != 0 ||
        (layout->entries & 7) != 0) {
        return false;
    }
    /*@ assert size: bytes == layout->count * words * 8 && layout->entries + bytes <= size; */
    sddf_atomic_u32 *producer_word = (sddf_atomic_u32 *)(uintptr_t)(base + layout->producer);
    sddf_atomic_u32 *consumer_word = (sddf_atomic_u32 *)(uintptr_t)(base + layout->consumer);
    /*@ assert words: \valid(producer_word) && \valid(consumer_word); */
    r->own_word = producer ? producer_word : consumer_word;
    r->peer_word = producer ? consumer_word : producer_word;
    r->flags = (sddf_atomic_u32 *)(uintptr_t)(base + layout->flags);
    r->entries = (sddf_atomic_u64 *)(uintptr_t)(base + layout->entries);
    /*@ assert entries: \valid(r->entries + (0 .. layout->count * words - 1)); */
    r->count = layout->count;
    r->mask = layout->count - 1;
    r->own = sddf_load_relaxed_u32(r->own_word); /* not 0 after a restart */
    r->published = r->own;
    r->peer = r->own - (producer ? r->count : 0); /* nothing seen yet: looks full, or empty */
    return true;
}

/* The kernel asks for a system call before it looks at this ring again ("need wakeup"). */
/*@ requires \valid_read(r) && \valid_read(r->flags);
  @ assigns \nothing;
  @*/
static inline bool ring_needs_wakeup(const struct ring *r)
{
    return (sddf_load_relaxed_u32(r->flags) & LINUX_XDP_NEED_WAKEUP) != 0;
}

/* Shows the kernel all that was written, or that all that was read may be overwritten. */
/*@ requires \valid(r) && \valid(r->own_word);
  @ assigns r->published;
  @ ensures r->published == r->own;
  @*/
static inline void ring_publish(struct ring *r)
{
    if (r->own != r->published) {
        /*
         * Release, for the kernel's acquire of this index: of a producer, the entries come first;
         * of a consumer, its reads of the slots do.
         */
        sddf_store_release_u32(r->own_word, r->own);
        r->published = r->own;
    }
}

/* ---- where the kernel consumes: Tx, fill --------------------------------------------------- */

/* Entries that the kernel has not taken yet, as far as is known. */
/*@ requires \valid(r) && ring_memory(*r, 1);
  @ assigns r->peer;
  @ ensures ring_to_kernel(*r) && \result == (uint32_t)(r->own - r->peer);
  @*/
static inline uint32_t ring_pending(struct ring *r)
{
    /* Acquire: the kernel's reads of the slots come before our next writes to them. */
    uint32_t pending = r->own - sddf_load_acquire_u32(r->peer_word);
    if (pending > r->count) {
        pending = r->count;
    }
    r->peer = r->own - pending;
    return pending;
}

/* Free slots; looks at the kernel's index only if fewer than `want` are known of. */
/*@ requires \valid(r) && ring_memory(*r, 1) && ring_to_kernel(*r);
  @ assigns r->peer;
  @ ensures ring_to_kernel(*r) && \result == r->count - (uint32_t)(r->own - r->peer);
  @*/
static inline uint32_t ring_space(struct ring *r, uint32_t want)
{
    uint32_t space = r->count - (r->own - r->peer);
    return space >= want ? space : r->count - ring_pending(r);
}

/* There must be space. */
/*@ requires \valid(r) && ring_memory(*r, RING_ADDRESS_WORDS);
  @ requires space: (uint32_t)(r->own - r->peer) < r->count;
  @ assigns r->own;
  @ ensures ring_to_kernel(*r) && r->own == (uint32_t)(\old(r->own) + 1);
  @*/
static inline void ring_put_address(struct ring *r, uint64_t address)
{
    sddf_store_relaxed_u64(&r->entries[sddf_raw_wrap(r->own, r->mask)], address);
    r->own++;
}

/*@ requires \valid(r) && ring_memory(*r, RING_DESC_WORDS);
  @ requires space: (uint32_t)(r->own - r->peer) < r->count;
  @ assigns r->own;
  @ ensures ring_to_kernel(*r) && r->own == (uint32_t)(\old(r->own) + 1);
  @*/
static inline void ring_put_desc(struct ring *r, uint64_t address, uint32_t length)
{
    sddf_atomic_u64 *slot = &r->entries[(uint64_t)sddf_raw_wrap(r->own, r->mask) * RING_DESC_WORDS];
    sddf_store_relaxed_u64(&slot[0], address);
    sddf_store_relaxed_u64(&slot[1], length); /* struct linux_xdp_desc: the options are 0 */
    r->own++;
}

/* ---- where the kernel produces: Rx, completion --------------------------------------------- */

/* Entries that may be taken; looks at the kernel's index only if none are known of. */
/*@ requires \valid(r) && ring_memory(*r, 1) && ring_from_kernel(*r);
  @ assigns r->peer;
  @ ensures ring_from_kernel(*r) && \result == (uint32_t)(r->peer - r->own);
  @*/
static inline uint32_t ring_available(struct ring *r)
{
    if (r->peer == r->own) {
        /* Acquire: the entries, and the frames that they speak of, are there. */
        uint32_t available = sddf_load_acquire_u32(r->peer_word) - r->own;
        if (available > r->count) {
            available = 0; /* impossible: believed, it would be a ring's worth again and again */
        }
        r->peer = r->own + available;
    }
    return r->peer - r->own;
}

/* There must be one available. */
/*@ requires \valid(r) && ring_memory(*r, RING_ADDRESS_WORDS);
  @ requires available: 1 <= (uint32_t)(r->peer - r->own) <= r->count;
  @ assigns r->own;
  @ ensures ring_from_kernel(*r) && r->own == (uint32_t)(\old(r->own) + 1);
  @*/
static inline uint64_t ring_take_address(struct ring *r)
{
    return sddf_load_relaxed_u64(&r->entries[sddf_raw_wrap(r->own++, r->mask)]);
}

/*@ requires \valid(r) && ring_memory(*r, RING_DESC_WORDS);
  @ requires available: 1 <= (uint32_t)(r->peer - r->own) <= r->count;
  @ assigns r->own;
  @ ensures ring_from_kernel(*r) && r->own == (uint32_t)(\old(r->own) + 1);
  @*/
static inline struct linux_xdp_desc ring_take_desc(struct ring *r)
{
    sddf_atomic_u64 *slot =
        &r->entries[(uint64_t)sddf_raw_wrap(r->own++, r->mask) * RING_DESC_WORDS];
    uint64_t rest = sddf_load_relaxed_u64(&slot[1]);
    return (struct linux_xdp_desc){
        .address = sddf_load_relaxed_u64(&slot[0]),
        .length = (uint32_t)rest,
        .options = (uint32_t)(rest >> 32),
    };
}
