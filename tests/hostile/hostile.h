/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hostile protection domains of tests/system/test_hostile.py have in common: orders, and
 * ways of abusing a queue.
 *
 * A test writes its orders into the last row of the PD's own statistics, which it has no other use
 * for. A PD misbehaves once a wake-up, as long as it is told to. At order 0 it puts everything back
 * where an honest one would have it, so that the auditor can count the buffers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <microkit.h>

#include "sddf/net.h"

/* What each word of that row is. */
enum {
    HOSTILE_ORDER, /* the test's: which behaviour; 0: none */
    HOSTILE_DOES,  /* the PD's: which it follows */
    HOSTILE_ACTS,  /* the PD's: how often it has misbehaved */
};

/* In none of anybody's regions, but near enough to wrap round on the way there. */
#define HOSTILE_NOWHERE (UINT64_MAX - 5 * NET_BUFFER_SIZE)
#define HOSTILE_LENGTH  65535

static sddf_atomic_u64 *hostile_words;

static inline void hostile_start(const struct sddf_region_config *stats)
{
    hostile_words = ((struct net_stats *)(uintptr_t)stats->vaddr)->row[NET_CLIENTS_MAX].count;
}

static inline uint64_t hostile_order(void)
{
    return sddf_load_relaxed_u64(&hostile_words[HOSTILE_ORDER]);
}

static inline uint64_t hostile_does(void)
{
    return sddf_load_relaxed_u64(&hostile_words[HOSTILE_DOES]);
}

static inline void hostile_obeys(uint64_t order)
{
    sddf_store_relaxed_u64(&hostile_words[HOSTILE_DOES], order);
}

static inline uint64_t hostile_acts(void)
{
    return sddf_load_relaxed_u64(&hostile_words[HOSTILE_ACTS]);
}

static inline void hostile_acted(void)
{
    sddf_store_relaxed_u64(&hostile_words[HOSTILE_ACTS], hostile_acts() + 1);
}

static inline uint64_t hostile_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Puts an entry into the queue, where there is room or where there is none. */
static inline void hostile_put(struct sddf_queue_producer *q, uint64_t address, uint16_t length)
{
    const struct net_entry entry = {.address = address, .length = length};
    net_queue_enqueue(q, entry);
}

/* Lets the other side see it, which is woken whether it likes to be or not. */
static inline void hostile_push(struct sddf_queue_producer *q, microkit_channel channel)
{
    sddf_queue_publish(q);
    sddf_queue_needs_signal(q);
    microkit_notify(channel);
}

/*
 * An index that jumps: ahead by more than there is room for, back, or just so far that everything
 * behind what the consumer has not seen yet, which is rubbish, looks like entries.
 */
static inline void hostile_jump_tail(struct sddf_queue_producer *q, microkit_channel channel)
{
    uint32_t waiting = q->tail - sddf_load_relaxed_u32(&q->peer->head);
    waiting = waiting > q->capacity ? q->capacity : waiting;
    const uint32_t there = q->tail;
    static uint32_t jumps;
    for (uint32_t i = waiting; i < q->capacity; i++) {
        hostile_put(q, HOSTILE_NOWHERE, HOSTILE_LENGTH);
    }
    const uint32_t far = (uint32_t)hostile_random() >> 1;
    const uint32_t to[] = {there + q->capacity - waiting, there + q->capacity + 1 + far,
                           there - 1 - far % 16, there + (UINT32_C(1) << 31)};
    sddf_store_release_u32(&q->own->tail, to[jumps++ % 4]);
    microkit_notify(channel);
}

/* The same of a consumer: it has taken what is not there, or gives back what it took. */
static inline void hostile_jump_head(struct sddf_queue_consumer *q, microkit_channel channel)
{
    const uint32_t far = (uint32_t)hostile_random() >> 1;
    const uint32_t to[] = {q->head + q->capacity, q->head + far, q->head - 1 - far % 16,
                           q->head + (UINT32_C(1) << 31)};
    sddf_store_release_u32(&q->own->head, to[hostile_acts() % 4]);
    microkit_notify(channel);
}

/* Whatever else is in a consumer's and a producer's own region. */
static inline void hostile_scribble(struct sddf_queue_producer *out, struct sddf_queue_consumer *in)
{
    sddf_store_relaxed_u32(&in->own->mark, (uint32_t)hostile_random());
    struct sddf_queue_header *headers[] = {&out->own->header, &in->own->header};
    for (uint32_t i = 0; i < 2; i++) {
        sddf_store_relaxed_u32(&headers[i]->magic, (uint32_t)hostile_random());
        sddf_store_relaxed_u32(&headers[i]->capacity, (uint32_t)hostile_random());
        sddf_store_relaxed_u32(&headers[i]->words, (uint32_t)hostile_random());
        sddf_store_relaxed_u32(&headers[i]->epoch, (uint32_t)hostile_random());
    }
}

/* Goes on where the consumer is. What it has not taken is gone. */
static inline void hostile_rejoin_tail(struct sddf_queue_producer *q)
{
    uint32_t head;
    do {
        head = sddf_load_acquire_u32(&q->peer->head);
        q->tail = q->head = q->published = q->signalled = head;
        sddf_store_release_u32(&q->own->tail, head);
        sddf_fence_seq_cst();
    } while (head != sddf_load_acquire_u32(&q->peer->head)); /* as long as it runs at all */
}

/* Has it seen all that was published? If not, it was in the middle of something, and may be lost.
 */
static inline bool hostile_all_taken(const struct sddf_queue_producer *q)
{
    return sddf_load_acquire_u32(&q->peer->head) == q->published;
}

/* Takes all that is there, and may be. */
static inline void hostile_rejoin_head(struct sddf_queue_consumer *q)
{
    do {
        q->head = q->tail = sddf_load_acquire_u32(&q->peer->tail);
    } while (!sddf_queue_request_signal(q));
}

/* Notifications without end, as far as that is worth the time. */
static inline void hostile_flood(microkit_channel a, microkit_channel b)
{
    for (uint32_t i = 0; i < 2000; i++) {
        microkit_notify(a);
        microkit_notify(b);
    }
}
