/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between two passes. A queue never offers more than its capacity at a time, but a producer whose
 * tail is impossible would offer that much again and again, 2^32 entries long, without lifting a
 * finger. Such a one is looked at once a wake-up. (One that keeps writing entries on another core
 * is a matter of this PD's budget.)
 */
#pragma once

#include <stdbool.h>

#include "sddf/queue.h"

/* After a request for a signal has found something: is it worth another pass now? */
/*@ requires \valid_read(q) && sddf_consumer_ok(q);
  @ assigns \nothing;
  @*/
static inline bool drain_again(const struct sddf_queue_consumer *q)
{
    return sddf_load_relaxed_u32(&q->peer->tail) - q->head <= q->capacity;
}
