/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue's two regions for tests, as two protection domains would have them: each region is a
 * memfd mapped twice, writable for its writer and read-only for its reader, and around each of the
 * four mappings nothing is mapped. An access that strays, or writes what it may only read, is a
 * fault.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sddf/queue.h"

/* Where a region lies in its pages: only one end can lie against the unmapped memory. */
enum guarded_placement {
    GUARDED_AT_START, /* the page below is not mapped */
    GUARDED_AT_END,   /* the page above is not mapped; the size must be a multiple of 64 */
};

struct guarded_view {
    void *base; /* of the reserved addresses, guards and all */
    size_t reserved;
    void *region;
};

struct guarded_queue {
    size_t producer_size;
    size_t consumer_size;
    struct sddf_queue_producer_region *producer;          /* the producer's own view */
    struct sddf_queue_consumer_region *consumer;          /* the consumer's own view */
    const struct sddf_queue_producer_region *producer_ro; /* what the consumer sees */
    const struct sddf_queue_consumer_region *consumer_ro; /* what the producer sees */
    struct guarded_view views[4];
};

/* All zeroes. Fails the running test if the machine refuses. */
void guarded_queue_make(struct guarded_queue *queue, uint32_t capacity, uint32_t words,
                        enum guarded_placement placement);
void guarded_queue_unmake(struct guarded_queue *queue);

/* For a process of its own for each side: gives up what the other side alone may have. */
void guarded_queue_keep_producer(struct guarded_queue *queue);
void guarded_queue_keep_consumer(struct guarded_queue *queue);

/* Both indices as if `index` entries had passed: to be called before either side attaches. */
void guarded_queue_start_at(struct guarded_queue *queue, uint32_t index);

/* Fails the running test if a byte of the regions' pages but outside the regions was written. */
void guarded_queue_check(const struct guarded_queue *queue);
