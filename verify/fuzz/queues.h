/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues between a component and its neighbours, of which one end is the component's and the other
 * a neighbour's: by the protocol, or with anything in its words. Below neighbours.h and serial.h.
 */
#pragma once

#include "core.h"
#include "sddf/config.h"
#include "sddf/queue.h"

struct fuzz_queue {
    struct sddf_queue_producer_region *producer; /* as the neighbours see it */
    struct sddf_queue_consumer_region *consumer;
    struct sddf_queue_config config;
    uint32_t words; /* of an entry */
};

static int8_t fuzz_queue_at[FUZZ_ARENA / FUZZ_PAGE]; /* by the page of the producer's region */

/* ours: the component produces. tag: what fuzz_queue_at says of it. */
static void fuzz_add_queue(struct fuzz_queue *queue, uint32_t capacity, uint32_t words, bool ours,
                           int8_t tag)
{
    uint8_t *producer = fuzz_region(sddf_queue_producer_size(capacity, words), ours);
    uint8_t *consumer = fuzz_region(sddf_queue_consumer_size(), !ours);
    fuzz_queue_at[(producer - fuzz_view) / FUZZ_PAGE] = tag;
    queue->producer = fuzz_theirs(producer);
    queue->consumer = fuzz_theirs(consumer);
    queue->words = words;
    queue->config = (struct sddf_queue_config){
        .producer = (uintptr_t)producer, .consumer = (uintptr_t)consumer, .capacity = capacity};
}

static void fuzz_queue_reset(struct fuzz_queue *queue)
{
    memset(queue->producer, 0, sddf_queue_producer_size(queue->config.capacity, queue->words));
    memset(queue->consumer, 0, sddf_queue_consumer_size());
}

static uint64_t *fuzz_slot(const struct fuzz_queue *queue, uint32_t index)
{
    return &queue->producer->entries[(index & (queue->config.capacity - 1)) * queue->words];
}

/* Whatever is there already. True: the component wants a signal for this one. */
static bool fuzz_put(struct fuzz_queue *out, uint32_t *tail, const void *entry)
{
    memcpy(fuzz_slot(out, *tail), entry, out->words * sizeof(uint64_t));
    uint32_t before = (*tail)++;
    out->producer->tail = *tail;
    /* As sddf_queue_needs_signal, of a batch of one. */
    return *tail - out->consumer->mark - 1 < *tail - before;
}

/* Any value, but more often one around what is expected. */
static uint32_t fuzz_index(uint32_t about)
{
    uint8_t kind = fuzz_u8();
    if (kind < 160) {
        return about + kind % 20 - 10;
    }
    return kind < 200 ? about + (UINT32_C(1) << kind % 32) : fuzz_u32();
}

/* What of its own words a hostile neighbour writes to, that is none of an entry. */
enum fuzz_word { FUZZ_TAIL, FUZZ_HEAD, FUZZ_MARK, FUZZ_HEADER, FUZZ_OWN_TAIL };

/* out: what it produces; in: what it consumes; tail: its own index in out. */
static void fuzz_hostile_index(enum fuzz_word which, struct fuzz_queue *out, struct fuzz_queue *in,
                               bool header_of_out, uint32_t *tail)
{
    struct sddf_queue_header *header =
        header_of_out ? &out->producer->header : &in->consumer->header;
    switch (which) {
    case FUZZ_TAIL:
        out->producer->tail = fuzz_index(out->consumer->head);
        break;
    case FUZZ_HEAD:
        in->consumer->head = fuzz_index(in->producer->tail);
        break;
    case FUZZ_MARK:
        in->consumer->mark = fuzz_index(in->producer->tail);
        break;
    case FUZZ_HEADER:
        header->epoch = fuzz_u32();
        header->magic = fuzz_u8();
        header->capacity = fuzz_u32();
        header->words = fuzz_u8();
        break;
    case FUZZ_OWN_TAIL:
        *tail = fuzz_index(out->consumer->head);
        break;
    }
}
