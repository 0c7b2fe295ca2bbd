/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue: single producer, single consumer, bounded, lock-free, in memory that two protection
 * domains share and neither trusts.
 *
 *      producer's region                          consumer's region
 *      (producer rw, consumer r)                  (consumer rw, producer r)
 *      +--------------------------------+         +--------------------------------+
 *      | magic capacity words epoch     |         | magic capacity words epoch     |
 *      +--------------------------------+         +--------------------------------+
 *      | tail: entries published so far |         | head: entries released so far  |
 *      +--------------------------------+         +--------------------------------+
 *      | entry[0]                       |         | mark: signal me once the tail  |
 *      | ...                            |         |       has passed this index    |
 *      | entry[capacity - 1]            |         +--------------------------------+
 *      +--------------------------------+
 *
 * Indices run free over 32 bits; entry i lies in slot i % capacity. The capacity is a power of two
 * and all of it is usable. Between head and tail lie the entries that the consumer may take:
 * 0 <= tail - head <= capacity, modulo 2^32.
 *
 * Data ownership. What an entry speaks of (a buffer, say) belongs to the producer until
 * sddf_queue_publish(), and to the consumer from the moment it dequeued the entry. A slot belongs
 * to the producer again after the consumer's sddf_queue_release().
 *
 * Trust. Every shared word has one writer, and the page tables say so. The other side may write
 * anything into its words at any time: a peer's index is believed only within the capacity, each
 * time it is read, no address is ever computed from a peer's word without the private mask, and an
 * entry is copied out once, before anyone looks at it. An index that is impossible says that there
 * is nothing to do: no entry to take, no slot that is free. So a corrupt peer can garble the
 * entries that it sends, and stop sending or taking, and goes on where it was when it comes to its
 * senses; it cannot make this side read or write outside the two regions, or loop. What an entry
 * *says* is the caller's to check.
 *
 * Signals. After draining, a consumer publishes the index at which it wants to be signalled, looks
 * once more, and sleeps only if there is still nothing (sddf_queue_request_signal). A producer
 * publishes its tail once per batch, and signals if and only if it has passed the consumer's mark
 * since it last looked (sddf_queue_needs_signal). The mark stays behind when the consumer does not
 * ask again, so a busy consumer is not signalled.
 *
 * No wake-up is lost. Say that the consumer sleeps: it stored mark = m, fenced (Fc), and then read
 * a tail of m. Take the producer's first check after it published entry m: it stored a tail beyond
 * m, fenced (Fp), and then reads the mark. Both fences are in the one total order S of sequentially
 * consistent operations.
 *
 *   - Were Fp before Fc in S, the consumer's read of the tail, which follows Fc, would have to see
 *     the tail stored before Fp or a later one (C11 7.17.3, paragraph 11), none of which is m.
 *   - So Fc is before Fp, and by the same paragraph the producer reads the mark m or a later one.
 *     A later one means that the consumer is not asleep at m any more, and the argument is about
 *     the later one. Mark m lies among what was published since the check before, for m was not
 *     published then: the producer signals, and the platform keeps the signal for a consumer that
 *     is not quite asleep yet.
 *
 * Only the fences carry this: the orders of the accesses to mark and tail do not matter to it, and
 * it needs no more of the peer than that it follows the protocol. A peer that does not can keep
 * itself asleep, or be signalled at most once per publication.
 *
 * Who may call what: the producer's functions only the producer's thread, the consumer's functions
 * only the consumer's. No function blocks, allocates, or makes a system call.
 *
 * The functions below are the one implementation of what does not touch an entry. A class gives the
 * rest its entry type with SDDF_QUEUE_TYPE(), at the end of this file.
 *
 * Comments that begin with an at sign are contracts in ACSL, proved of every function whatever the
 * shared memory contains (docs/assurance.md): `requires` is what a caller owes, `assigns` all that
 * a function changes of private memory, and `ensures` what holds afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sddf/atomic.h"
#include "sddf/raw.h"

#define SDDF_QUEUE_PRODUCER_MAGIC 0x51505344u /* "DSPQ" as bytes on a little-endian machine */
#define SDDF_QUEUE_CONSUMER_MAGIC 0x51435344u /* "DSCQ" */

#define SDDF_QUEUE_CAPACITY_MAX (UINT32_C(1) << 24)
#define SDDF_QUEUE_WORDS_MAX    8 /* an entry has at most this many 64-bit words */

/*
 * At the head of both regions. Written once by the region's writer when it attaches. The epoch
 * counts the attachments, from 1: a peer that sees it change knows that this side has restarted.
 */
struct sddf_queue_header {
    sddf_atomic_u32 magic;
    sddf_atomic_u32 capacity;
    sddf_atomic_u32 words; /* 64-bit words per entry */
    sddf_atomic_u32 epoch;
};

struct sddf_queue_producer_region {
    SDDF_ALIGNED(SDDF_CACHE_LINE) struct sddf_queue_header header;
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u32 tail;
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u64 entries[SDDF_RAW_ANY_LENGTH];
};

/*
 * Head and mark have a line each: the producer reads the mark after every batch, and should not
 * miss its cache for it because the consumer has moved its head.
 */
struct sddf_queue_consumer_region {
    SDDF_ALIGNED(SDDF_CACHE_LINE) struct sddf_queue_header header;
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u32 head;
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u32 mark;
};

/* Bytes that each region needs, before rounding up to pages. */
/*@ assigns \nothing; */
static inline size_t sddf_queue_producer_size(uint32_t capacity, uint32_t words)
{
    return sizeof(struct sddf_queue_producer_region) + (size_t)capacity * words * 8;
}

/*@ assigns \nothing; */
static inline size_t sddf_queue_consumer_size(void)
{
    return sizeof(struct sddf_queue_consumer_region);
}

/* The producer's private handle. Nothing in it is shared. */
struct sddf_queue_producer {
    struct sddf_queue_producer_region *own;
    const struct sddf_queue_consumer_region *peer;
    uint32_t capacity;
    uint32_t mask;
    uint32_t tail;       /* where the next entry goes */
    uint32_t head;       /* last sight of the consumer's head, a possible one */
    uint32_t published;  /* what the shared tail says */
    uint32_t signalled;  /* up to where the mark has been compared */
    uint32_t epoch;      /* this side's own */
    uint32_t peer_epoch; /* last seen; 0 before the peer first attached */
};

/* The consumer's private handle. */
struct sddf_queue_consumer {
    struct sddf_queue_consumer_region *own;
    const struct sddf_queue_producer_region *peer;
    uint32_t capacity;
    uint32_t mask;
    uint32_t head; /* the next entry to take */
    uint32_t tail; /* last sight of the producer's tail, a possible one */
    uint32_t epoch;
    uint32_t peer_epoch;
};

/*
 * What holds of an attached handle, always: both regions are memory, and what this side believes of
 * the peer's index is possible. Of a queue of entries of so many words the slots are memory, too.
 */
/*@ predicate sddf_producer_ok(struct sddf_queue_producer q) =
  @     \valid(&q.own->header) && \valid(&q.own->tail) && \valid_read(&q.peer->header) &&
  @     \valid_read(&q.peer->head) && \valid_read(&q.peer->mark) &&
  @     1 <= q.capacity <= SDDF_QUEUE_CAPACITY_MAX && q.mask == q.capacity - 1 &&
  @     (uint32_t)(q.tail - q.head) <= q.capacity;
  @ predicate sddf_producer_slots(struct sddf_queue_producer q, integer words) =
  @     \valid(&q.own->entries[0 .. q.capacity * words - 1]);
  @ logic integer sddf_producer_space(struct sddf_queue_producer q) =
  @     q.capacity - (uint32_t)(q.tail - q.head);
  @
  @ predicate sddf_consumer_ok(struct sddf_queue_consumer q) =
  @     \valid(&q.own->header) && \valid(&q.own->head) && \valid(&q.own->mark) &&
  @     \valid_read(&q.peer->header) && \valid_read(&q.peer->tail) &&
  @     1 <= q.capacity <= SDDF_QUEUE_CAPACITY_MAX && q.mask == q.capacity - 1 &&
  @     (uint32_t)(q.tail - q.head) <= q.capacity;
  @ predicate sddf_consumer_slots(struct sddf_queue_consumer q, integer words) =
  @     \valid_read(&q.peer->entries[0 .. q.capacity * words - 1]);
  @ logic integer sddf_consumer_count(struct sddf_queue_consumer q) =
  @     (uint32_t)(q.tail - q.head);
  @*/

/* Capacities are powers of two, from 1 to SDDF_QUEUE_CAPACITY_MAX. */
/*@ assigns \nothing;
  @ ensures \result ==> 1 <= capacity <= SDDF_QUEUE_CAPACITY_MAX;
  @*/
static inline bool sddf_queue_capacity_ok(uint32_t capacity)
{
    return capacity != 0 && (capacity & (capacity - 1)) == 0 && capacity <= SDDF_QUEUE_CAPACITY_MAX;
}

/*
 * Writes this side's header and returns its epoch. The magic is stored last, with release, so that
 * whoever sees it sees the rest.
 */
/*@ requires \valid(header);
  @ assigns \nothing;
  @ ensures \result != 0;
  @*/
static inline uint32_t sddf_queue_header_write(struct sddf_queue_header *header, uint32_t magic,
                                               uint32_t capacity, uint32_t words)
{
    uint32_t epoch = sddf_load_relaxed_u32(&header->epoch) + 1;
    if (epoch == 0) {
        epoch = 1; /* 0 means "never attached" */
    }
    sddf_store_relaxed_u32(&header->capacity, capacity);
    sddf_store_relaxed_u32(&header->words, words);
    /* Release, with the peer's acquire when it looks for a restart: it sees repaired indices. */
    sddf_store_release_u32(&header->epoch, epoch);
    sddf_store_release_u32(&header->magic, magic);
    return epoch;
}

/* ---- producer ------------------------------------------------------------------------------ */

/*
 * Attaches to a queue as its producer. `own` is this side's region, `peer` the consumer's; both
 * are zeroed memory the first time, and nobody needs to have attached before. After a restart the
 * queue goes on where the shared tail says, provided that this is a possible place; if it is not,
 * it goes on with an empty queue at the consumer's head. What it published before it died it may
 * not have signalled, so ask sddf_queue_needs_signal() after attaching, published anew or not.
 * False, with nothing touched, if capacity or words are out of range.
 */
/*@ requires \valid(q);
  @ requires own: \valid(&own->header) && \valid(&own->tail);
  @ requires slots:
  @     1 <= capacity <= SDDF_QUEUE_CAPACITY_MAX && 1 <= words <= SDDF_QUEUE_WORDS_MAX ==>
  @     \valid(&own->entries[0 .. capacity * words - 1]);
  @ requires peer: \valid_read(&peer->header) && \valid_read(&peer->head) &&
  @     \valid_read(&peer->mark);
  @ assigns *q;
  @ ensures attached: \result ==> sddf_producer_ok(*q) && sddf_producer_slots(*q, words);
  @ ensures \result ==> q->capacity == capacity;
  @ ensures refused: !\result ==> *q == \old(*q);
  @*/
static inline bool sddf_queue_producer_attach(struct sddf_queue_producer *q,
                                              struct sddf_queue_producer_region *own,
                                              const struct sddf_queue_consumer_region *peer,
                                              uint32_t capacity, uint32_t words)
{
    if (!sddf_queue_capacity_ok(capacity) || words == 0 || words > SDDF_QUEUE_WORDS_MAX) {
        return false;
    }
    uint32_t head = sddf_load_acquire_u32(&peer->head);
    uint32_t tail = sddf_load_relaxed_u32(&own->tail);
    if (tail - head > capacity) {
        tail = head;
        sddf_store_relaxed_u32(&own->tail, tail);
    }
    q->own = own;
    q->peer = peer;
    q->capacity = capacity;
    q->mask = capacity - 1;
    q->tail = tail;
    q->published = tail;
    /* What was published before a restart may not have been signalled: compare all of it again. */
    q->signalled = head;
    q->head = head;
    q->peer_epoch = sddf_load_relaxed_u32(&peer->header.epoch);
    q->epoch = sddf_queue_header_write(&own->header, SDDF_QUEUE_PRODUCER_MAGIC, capacity, words);
    return true;
}

/* Looks at the consumer's head again; how many slots are free. */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->head;
  @ ensures sddf_producer_ok(*q);
  @ ensures \result == sddf_producer_space(*q);
  @*/
static inline uint32_t sddf_queue_producer_refresh(struct sddf_queue_producer *q)
{
    const uint32_t tail = q->tail;
    /* Acquire, with the consumer's release: its reads of the slots come before our next writes. */
    uint32_t head = sddf_load_acquire_u32(&q->peer->head);
    if (tail - head > q->capacity) {
        head = tail - q->capacity; /* impossible: it has not said that anything is free */
    }
    q->head = head;
    return q->capacity - (tail - head);
}

/* Free slots, at least as many as `want` if there are so many: looks at the peer only if needed. */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->head;
  @ ensures sddf_producer_ok(*q);
  @ ensures \result == sddf_producer_space(*q);
  @ ensures known: \old(sddf_producer_space(*q)) >= want ==> q->head == \old(q->head);
  @*/
static inline uint32_t sddf_queue_space(struct sddf_queue_producer *q, uint32_t want)
{
    uint32_t space = q->capacity - (q->tail - q->head);
    return space >= want ? space : sddf_queue_producer_refresh(q);
}

/*
 * Enqueues so many entries, for which there is room and which a class's function `set` has put
 * where they belong: a loop that has asked for room once need not ask for each.
 */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ requires room: count <= sddf_producer_space(*q);
  @ assigns q->tail;
  @ ensures sddf_producer_ok(*q) && q->tail == (uint32_t)(\old(q->tail) + count);
  @ ensures sddf_producer_space(*q) == \old(sddf_producer_space(*q)) - count;
  @*/
static inline void sddf_queue_produce(struct sddf_queue_producer *q, uint32_t count)
{
    q->tail += count;
}

/* Hands over all that was enqueued. Once per batch: this is what the consumer's core misses on. */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->published;
  @ ensures q->published == q->tail;
  @*/
static inline void sddf_queue_publish(struct sddf_queue_producer *q)
{
    const uint32_t tail = q->tail;
    q->published = tail;
    /* Release, with the consumer's acquire: the entries, and what they speak of, come first. */
    sddf_store_release_u32(&q->own->tail, tail);
}

/*
 * After the tail has been stored: does the consumer's mark lie between `since` and that tail, so
 * that the consumer wants to hear of it?
 */
/*@ requires \valid_read(q) && sddf_producer_ok(*q);
  @ assigns \nothing;
  @*/
static inline bool sddf_queue_mark_passed(const struct sddf_queue_producer *q, uint32_t since,
                                          uint32_t tail)
{
    /*
     * Orders our store of the tail before our load of the mark, against the consumer's store of
     * the mark before its load of the tail (sddf_queue_request_signal): one of us sees the other.
     */
    sddf_fence_seq_cst();
    return tail - sddf_load_relaxed_u32(&q->peer->mark) - 1 < tail - since;
}

/*
 * After publishing: must the consumer be notified? True if and only if what was published since
 * the last call has passed the index at which the consumer wants a signal. Publishing several
 * times and asking once is fine; publishing and not asking before this PD sleeps is not.
 */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->signalled;
  @ ensures nothing_new: \old(q->published == q->signalled) ==> !\result;
  @ ensures q->signalled == q->published;
  @*/
static inline bool sddf_queue_needs_signal(struct sddf_queue_producer *q)
{
    const uint32_t since = q->signalled, published = q->published;
    q->signalled = published;
    return published != since && sddf_queue_mark_passed(q, since, published);
}

/*
 * Both, in fewer steps: hands over all that was enqueued, if anything was, and says whether the
 * consumer must be notified.
 */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->published, q->signalled;
  @ ensures nothing_new: \old(q->tail == q->signalled) ==> !\result;
  @ ensures q->signalled == q->tail;
  @ ensures \old(q->tail != q->signalled) ==> q->published == q->tail;
  @*/
static inline bool sddf_queue_hand_over(struct sddf_queue_producer *q)
{
    const uint32_t since = q->signalled, tail = q->tail;
    if (tail == since) {
        return false; /* it is published, too, for nobody asks before it is */
    }
    sddf_queue_publish(q);
    q->signalled = tail;
    return sddf_queue_mark_passed(q, since, tail);
}

/*
 * For a producer that could wait before it publishes more, and saves work by it: how many entries
 * must be published from now on until the consumer wants a signal, 1..capacity. 0: it has had its
 * signal and not asked again yet, so nothing is known (nor is anything of a hostile one's mark).
 */
/*@ requires \valid_read(q) && sddf_producer_ok(*q);
  @ assigns \nothing;
  @ ensures \result <= q->capacity;
  @*/
static inline uint32_t sddf_queue_signal_distance(const struct sddf_queue_producer *q)
{
    const uint32_t distance = sddf_load_relaxed_u32(&q->peer->mark) + 1 - q->published;
    return distance <= q->capacity ? distance : 0;
}

/* True once after each time that the consumer has attached anew (not the first time). */
/*@ requires \valid(q) && sddf_producer_ok(*q);
  @ assigns q->peer_epoch;
  @ ensures \old(q->peer_epoch) == 0 ==> !\result;
  @*/
static inline bool sddf_queue_consumer_restarted(struct sddf_queue_producer *q)
{
    uint32_t seen = q->peer_epoch;
    q->peer_epoch = sddf_load_acquire_u32(&q->peer->header.epoch);
    return seen != 0 && seen != q->peer_epoch;
}

/* ---- consumer ------------------------------------------------------------------------------ */

/* As sddf_queue_producer_attach(), for the other side. An impossible head goes on at the tail. */
/*@ requires \valid(q);
  @ requires own: \valid(&own->header) && \valid(&own->head) && \valid(&own->mark);
  @ requires peer: \valid_read(&peer->header) && \valid_read(&peer->tail);
  @ requires slots:
  @     1 <= capacity <= SDDF_QUEUE_CAPACITY_MAX && 1 <= words <= SDDF_QUEUE_WORDS_MAX ==>
  @     \valid_read(&peer->entries[0 .. capacity * words - 1]);
  @ assigns *q;
  @ ensures attached: \result ==> sddf_consumer_ok(*q) && sddf_consumer_slots(*q, words);
  @ ensures \result ==> q->capacity == capacity;
  @ ensures refused: !\result ==> *q == \old(*q);
  @*/
static inline bool sddf_queue_consumer_attach(struct sddf_queue_consumer *q,
                                              struct sddf_queue_consumer_region *own,
                                              const struct sddf_queue_producer_region *peer,
                                              uint32_t capacity, uint32_t words)
{
    if (!sddf_queue_capacity_ok(capacity) || words == 0 || words > SDDF_QUEUE_WORDS_MAX) {
        return false;
    }
    uint32_t tail = sddf_load_acquire_u32(&peer->tail);
    uint32_t head = sddf_load_relaxed_u32(&own->head);
    if (tail - head > capacity) {
        head = tail;
        sddf_store_relaxed_u32(&own->head, head);
    }
    q->own = own;
    q->peer = peer;
    q->capacity = capacity;
    q->mask = capacity - 1;
    q->head = head;
    q->tail = tail;
    q->peer_epoch = sddf_load_relaxed_u32(&peer->header.epoch);
    q->epoch = sddf_queue_header_write(&own->header, SDDF_QUEUE_CONSUMER_MAGIC, capacity, words);
    return true;
}

/* Looks at the producer's tail again; how many entries may be taken. */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns q->tail;
  @ ensures sddf_consumer_ok(*q);
  @ ensures \result == sddf_consumer_count(*q);
  @*/
static inline uint32_t sddf_queue_consumer_refresh(struct sddf_queue_consumer *q)
{
    const uint32_t head = q->head;
    /* Acquire, with the producer's release: the entries up to the tail are there to be read. */
    uint32_t tail = sddf_load_acquire_u32(&q->peer->tail);
    if (tail - head > q->capacity) {
        tail = head; /* impossible: it has not said that anything is there */
    }
    q->tail = tail;
    return tail - head;
}

/* Entries that may be taken; looks at the peer only when none are left of those it knew of. */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns q->tail;
  @ ensures sddf_consumer_ok(*q);
  @ ensures \result == sddf_consumer_count(*q);
  @ ensures known: \old(sddf_consumer_count(*q)) != 0 ==> q->tail == \old(q->tail);
  @*/
static inline uint32_t sddf_queue_available(struct sddf_queue_consumer *q)
{
    const uint32_t available = q->tail - q->head;
    return available != 0 ? available : sddf_queue_consumer_refresh(q);
}

/* Dequeues so many entries, which are there, and which a class's function `get` has read. */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ requires there: count <= sddf_consumer_count(*q);
  @ assigns q->head;
  @ ensures sddf_consumer_ok(*q) && q->head == (uint32_t)(\old(q->head) + count);
  @ ensures sddf_consumer_count(*q) == \old(sddf_consumer_count(*q)) - count;
  @*/
static inline void sddf_queue_consume(struct sddf_queue_consumer *q, uint32_t count)
{
    q->head += count;
}

/*
 * Gives the slots of all that was dequeued back to the producer. Once per batch: each call stores
 * the head, changed or not.
 */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns \nothing;
  @*/
static inline void sddf_queue_release(struct sddf_queue_consumer *q)
{
    const uint32_t head = q->head;
    /* Release, with the producer's acquire: our reads of the slots come first. */
    sddf_store_release_u32(&q->own->head, head);
}

/*
 * Releases, asks for a signal at the next entry, and looks once more. True: the queue is empty,
 * and its producer will signal the next entry. False: there is something to take, go on (and ask
 * again later).
 */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns q->tail;
  @ ensures sddf_consumer_ok(*q);
  @ ensures \result <==> sddf_consumer_count(*q) == 0;
  @*/
static inline bool sddf_queue_request_signal(struct sddf_queue_consumer *q)
{
    const uint32_t head = q->head;
    sddf_queue_release(q);
    sddf_store_relaxed_u32(&q->own->mark, head);
    /* Orders our store of the mark before our load of the tail; see sddf_queue_needs_signal. */
    sddf_fence_seq_cst();
    return q->tail == head && sddf_queue_consumer_refresh(q) == 0;
}

/*
 * As above, for a consumer that can wait: asks for a signal when `count` entries (1..capacity) are
 * there. True: there are fewer, and its producer will signal with the one that makes them `count`.
 */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns q->tail;
  @ ensures sddf_consumer_ok(*q);
  @ ensures \result <==> sddf_consumer_count(*q) < count;
  @*/
static inline bool sddf_queue_request_signal_at(struct sddf_queue_consumer *q, uint32_t count)
{
    sddf_queue_release(q);
    sddf_store_relaxed_u32(&q->own->mark, q->head + count - 1);
    /* Orders our store of the mark before our load of the tail; see sddf_queue_needs_signal. */
    sddf_fence_seq_cst();
    sddf_queue_consumer_refresh(q);
    return q->tail - q->head < count;
}

/* True once after each time that the producer has attached anew (not the first time). */
/*@ requires \valid(q) && sddf_consumer_ok(*q);
  @ assigns q->peer_epoch;
  @ ensures \old(q->peer_epoch) == 0 ==> !\result;
  @*/
static inline bool sddf_queue_producer_restarted(struct sddf_queue_consumer *q)
{
    uint32_t seen = q->peer_epoch;
    q->peer_epoch = sddf_load_acquire_u32(&q->peer->header.epoch);
    return seen != 0 && seen != q->peer_epoch;
}

#include "sddf/queue_type.h"
