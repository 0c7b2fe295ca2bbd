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
static inline void setup_refuse(const char *what)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(what);
    microkit_dbg_puts(" in the configuration does not match this program\n");
}

static inline bool setup_producer(struct sddf_queue_producer *q,
                                  const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           net_queue_producer_attach(q, (void *)(uintptr_t)config->producer,
                                     (const void *)(uintptr_t)config->consumer, config->capacity);
}

static inline bool setup_consumer(struct sddf_queue_consumer *q,
                                  const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           net_queue_consumer_attach(q, (void *)(uintptr_t)config->consumer,
                                     (const void *)(uintptr_t)config->producer, config->capacity);
}

static inline uint32_t setup_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t setup_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
