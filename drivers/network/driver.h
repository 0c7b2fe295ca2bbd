/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every network driver has towards its two neighbours: four queues' ends, a page of
 * statistics, and the way of attaching to them. Included by the one file that is the driver, which
 * also has the configuration.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <microkit.h>

#include "sddf/net.h"

extern struct net_driver_config sddf_net_config;

static struct sddf_queue_producer rx_active;
static struct sddf_queue_consumer rx_free;
static struct sddf_queue_producer tx_free;
static struct sddf_queue_consumer tx_active;
static struct net_stats *stats;

static inline uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline void count(enum net_stat stat, uint64_t n)
{
    if (n != 0) {
        net_stat_add(&stats->row[0], stat, n);
    }
}

/* After publishing, and before this PD sleeps: notifies the neighbour if it wants to be. */
static inline void wake(struct sddf_queue_producer *queue, uint8_t channel)
{
    if (sddf_queue_needs_signal(queue)) {
        microkit_notify(channel);
        count(NET_STAT_SIGNALS, 1);
    }
}

static inline bool attach_queue_pair(const struct net_pair_config *pair,
                                     struct sddf_queue_producer *out,
                                     const struct sddf_queue_config *out_config,
                                     struct sddf_queue_consumer *in,
                                     const struct sddf_queue_config *in_config)
{
    return pair->channel < MICROKIT_MAX_CHANNELS &&
           net_queue_producer_attach(out, (void *)(uintptr_t)out_config->producer,
                                     (const void *)(uintptr_t)out_config->consumer,
                                     out_config->capacity) &&
           net_queue_consumer_attach(in, (void *)(uintptr_t)in_config->consumer,
                                     (const void *)(uintptr_t)in_config->producer,
                                     in_config->capacity);
}

/* The first step: is this a configuration that a network driver can use at all? */
static inline bool attach_config(void)
{
    const struct net_driver_config *c = &sddf_net_config;
    return sddf_config_ok(&c->header, SDDF_ROLE_NET_DRIVER, sizeof(*c)) &&
           c->stats.size >= sizeof(struct net_stats) && c->data_count <= NET_CLIENTS_MAX + 2;
}

/* The last step, once the device is known to be one that the driver can use. */
static inline bool attach_neighbours(void)
{
    const struct net_pair_config *rx = &sddf_net_config.rx;
    const struct net_pair_config *tx = &sddf_net_config.tx;
    stats = (struct net_stats *)(uintptr_t)sddf_net_config.stats.vaddr;
    sddf_store_relaxed_u32(&stats->role, SDDF_ROLE_NET_DRIVER);
    sddf_store_relaxed_u32(&stats->rows, 0);
    sddf_store_relaxed_u32(&stats->columns, NET_STAT_COUNT);
    sddf_store_release_u32(&stats->magic, NET_STATS_MAGIC); /* whoever sees it sees the rest */
    return attach_queue_pair(rx, &rx_active, &rx->active, &rx_free, &rx->free) &&
           attach_queue_pair(tx, &tx_free, &tx->free, &tx_active, &tx->active);
}

/* "ethernet0_driver: ..." */
static inline void say(const char *what)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(what);
    microkit_dbg_puts("\n");
}

static inline void refuse_configuration(void)
{
    say("configuration sddf_net_config does not match this program");
}
