/* SPDX-License-Identifier: BSD-2-Clause */
/* How the Tx virtualiser starts (see virt_tx.c, which alone includes this). */
#pragma once

#include <microkit.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

#include "buffers.h"
#include "setup.h"
#include "virt_tx.h"

/* ---- one client ---------------------------------------------------------------------------- */

static bool limit_ok(const struct net_virt_tx_client *config)
{
    return config->limit == 0 ||
           (config->limit >= NET_TX_LIMIT_MIN && config->limit <= NET_TX_LIMIT_MAX &&
            config->window >= NET_TX_WINDOW_MIN && config->window <= NET_TX_WINDOW_MAX);
}

/* All of its buffers are its own. */
static void client_start_buffers(uint32_t number, struct tx_client *client, uint32_t first,
                                 uint32_t count)
{
    (void)number;
    client->first = first;
    client->buffer_count = count;
    client->spare_count = 0;
    client->in_flight = 0;
    for (uint32_t buffer = 0; buffer < count; buffer++) {
        tx_owners[first + buffer] = TX_OWNER_CLIENT;
    }
}

static const char *client_start(uint32_t number, struct tx_client *client,
                                const struct net_virt_tx_client *config, uint32_t first,
                                uint64_t now)
{
    if (!buffers_region_ok(&config->data, config->buffer_count) ||
        config->buffer_count > NET_TX_BUFFERS_MAX - first) {
        return "a Tx data region";
    }
    client->data = (const uint8_t *)(uintptr_t)config->data.vaddr;
    client->io_address = config->data.io_address;
    client->channel = config->tx.channel;
    client->budget = 0;
    client_start_buffers(number, client, first, config->buffer_count);
    tally_start(&client->tally);
    if (client->channel >= MICROKIT_MAX_CHANNELS) {
        return "a client's channel";
    }
    if (!setup_consumer(&client->active, &config->tx.active) ||
        !setup_producer(&client->free, &config->tx.free)) {
        return "a client's queue";
    }
    if (config->weight == 0 || config->weight > NET_TX_WEIGHT_MAX || !limit_ok(config)) {
        return "a share";
    }
    tx_limit_start(&client->limit, config->limit, config->window, now);
    return NULL;
}

/* Where its buffers are for the device, whose turn it is when, and as whom it may speak. */
static const char *client_enter(uint32_t number, const struct net_virt_tx_client *config)
{
    const struct tx_range range = {
        .begin = config->data.io_address,
        .end = config->data.io_address + (uint64_t)config->buffer_count * NET_BUFFER_SIZE,
        .client = number,
    };
    if (range.end < range.begin || !tx_ranges_add(&virt_tx.ranges, range)) {
        return "an IO address";
    }
    const struct tx_sender sender = {frame_mac(config->mac), config->ipv4, config->any_mac != 0};
    virt_tx.senders.sender[number] = sender;
    virt_tx.senders.count = number + 1;
    if (!sender.any_mac && !mac_table_add(&virt_tx.senders.macs, sender.mac, number)) {
        return "a MAC address";
    }
    virt_tx.by_channel[config->tx.channel] = bits_one(number);
    tx_policy_add(&virt_tx.policy, number, config->weight, sender.any_mac);
    if (config->limit != 0) {
        virt_tx.limited |= bits_one(number);
    }
    return NULL;
}

/* ---- everything ---------------------------------------------------------------------------- */

/* Nobody is there yet. */
static void nobody_start(void)
{
    virt_tx.client_count = 0;
    virt_tx.senders.count = 0;
    virt_tx.ranges.count = 0;
    virt_tx.touched = virt_tx.owed = virt_tx.hungry = virt_tx.limited = virt_tx.held = 0;
    virt_tx.held_until = virt_tx.armed = TX_LIMIT_NEVER;
    virt_tx.looked_at = 0;
    virt_tx.asked_for = 0;
    mac_table_clear(&virt_tx.senders.macs);
    tally_start(&virt_tx.tally);
    for (uint32_t i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        virt_tx.by_channel[i] = 0;
    }
}

/* The memory that is nobody's, and the driver. */
static const char *driver_start(const struct net_virt_tx_config *config)
{
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_VIRT_TX, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    if (!tx_policy_start(&virt_tx.policy, config->policy)) {
        return "the policy";
    }
    if (!tally_page_ok(&config->stats, config->client_count)) {
        return "the statistics region";
    }
    virt_tx.incoherent = config->incoherent != 0;
    virt_tx.stats = tally_page_start(&config->stats, SDDF_ROLE_NET_VIRT_TX, config->client_count);
    if (!setup_consumer(&virt_tx.driver_free, &config->driver.free) ||
        !setup_producer(&virt_tx.driver_active, &config->driver.active)) {
        return "a driver's queue";
    }
    virt_tx.driver_enough =
        setup_min(config->driver.free.capacity, config->driver.active.capacity) / 2;
    return NULL;
}

static const char *clients_start(const struct net_virt_tx_config *config)
{
    uint32_t buffers = 0;
    uint64_t now = sddf_clock_now(); /* windows of one length begin together */
    for (uint32_t i = 0; i < config->client_count; i++) {
        const char *wrong = client_start(i, &tx_clients[i], &config->client[i], buffers, now);
        if (wrong == NULL) {
            wrong = client_enter(i, &config->client[i]);
        }
        if (wrong != NULL) {
            return wrong;
        }
        buffers += config->client[i].buffer_count;
        virt_tx.client_count = i + 1;
    }
    tx_ranges_index(&virt_tx.ranges);
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_virt_tx_config *config)
{
    virt_tx.running = false;
    nobody_start();
    const char *wrong = driver_start(config);
    if (wrong == NULL) {
        wrong = clients_start(config);
    }
    if (wrong == NULL && virt_tx.limited != 0 && !timer_init()) {
        wrong = "the timer, which a limit needs,";
    }
    return wrong;
}
