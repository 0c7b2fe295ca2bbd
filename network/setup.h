/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every network component does in init: attach to the queues that its configuration names,
 * and say so if that is impossible. The configuration is trusted, but may be of another version.
 */
#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

/* Prints why this PD stays stopped. */
/*@ requires \valid_read(what);
  @ assigns \nothing;
  @*/
static inline void setup_refuse(const char *what)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(what);
    microkit_dbg_puts(" in the configuration does not match this program\n");
}

/* What the configuration calls a queue is memory: of this PD as its producer, or its consumer. */
/*@ predicate setup_producer_memory(struct sddf_queue_config config) =
  @     \let own = (struct sddf_queue_producer_region *)config.producer;
  @     \let peer = (struct sddf_queue_consumer_region *)config.consumer;
  @     \valid(&own->header) && \valid(&own->tail) &&
  @     (1 <= config.capacity <= SDDF_QUEUE_CAPACITY_MAX ==>
  @         \valid(&own->entries[0 .. config.capacity * net_queue_words - 1])) &&
  @     \valid_read(&peer->header) && \valid_read(&peer->head) && \valid_read(&peer->mark);
  @ predicate setup_consumer_memory(struct sddf_queue_config config) =
  @     \let own = (struct sddf_queue_consumer_region *)config.consumer;
  @     \let peer = (struct sddf_queue_producer_region *)config.producer;
  @     \valid(&own->header) && \valid(&own->head) && \valid(&own->mark) &&
  @     \valid_read(&peer->header) && \valid_read(&peer->tail) &&
  @     (1 <= config.capacity <= SDDF_QUEUE_CAPACITY_MAX ==>
  @         \valid_read(&peer->entries[0 .. config.capacity * net_queue_words - 1]));
  @*/

/*@ requires \valid(q) && \valid_read(config) && \separated(q, config);
  @ requires in_memory: config->producer != 0 && config->consumer != 0 ==>
  @     setup_producer_memory(*config);
  @ assigns *q;
  @ ensures \result ==> sddf_producer_ok(*q) && sddf_producer_slots(*q, net_queue_words);
  @*/
static inline bool setup_producer(struct sddf_queue_producer *q,
                                  const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           net_queue_producer_attach(
               q, (struct sddf_queue_producer_region *)(uintptr_t)config->producer,
               (const struct sddf_queue_consumer_region *)(uintptr_t)config->consumer,
               config->capacity);
}

/*@ requires \valid(q) && \valid_read(config) && \separated(q, config);
  @ requires in_memory: config->producer != 0 && config->consumer != 0 ==>
  @     setup_consumer_memory(*config);
  @ assigns *q;
  @ ensures \result ==> sddf_consumer_ok(*q) && sddf_consumer_slots(*q, net_queue_words);
  @*/
static inline bool setup_consumer(struct sddf_queue_consumer *q,
                                  const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           net_queue_consumer_attach(
               q, (struct sddf_queue_consumer_region *)(uintptr_t)config->consumer,
               (const struct sddf_queue_producer_region *)(uintptr_t)config->producer,
               config->capacity);
}

/*@ assigns \nothing;
  @ ensures \result == \min(a, b);
  @*/
static inline uint32_t setup_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*@ assigns \nothing;
  @ ensures \result == \max(a, b);
  @*/
static inline uint32_t setup_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
