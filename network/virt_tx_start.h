/* SPDX-License-Identifier: BSD-2-Clause */
/* How the Tx virtualiser starts (see virt_tx.c, which alone includes this). */
#pragma once

#include <microkit.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

#include "buffers.h"
#include "setup.h"
#include "virt_tx.h"

/* What the configuration names is memory, of the size that it says. */
/*@ predicate tx_config_client_memory(struct net_virt_tx_client c) =
  @     setup_consumer_memory(c.tx.active) && setup_producer_memory(c.tx.free) &&
  @     \valid_read((uint8_t *)c.data.vaddr + (0 .. c.data.size - 1));
  @ predicate tx_config_memory(struct net_virt_tx_config c) =
  @     (c.client_count <= NET_CLIENTS_MAX &&
  @         c.stats.size >= 16 + (c.client_count + 1) * sizeof(struct net_stats_row) ==>
  @         tally_page((struct net_stats *)c.stats.vaddr, c.client_count)) &&
  @     setup_consumer_memory(c.driver.free) && setup_producer_memory(c.driver.active) &&
  @     (\forall integer i; 0 <= i < NET_CLIENTS_MAX && i < c.client_count ==>
  @         tx_config_client_memory(c.client[i]));
  @*/

/* ---- one client ---------------------------------------------------------------------------- */

/*@ requires \valid_read(config);
  @ assigns \nothing;
  @ ensures \result ==> config->limit == 0 || (1 <= config->limit <= NET_TX_LIMIT_MAX &&
  @     1 <= config->window <= NET_TX_WINDOW_MAX);
  @*/
static bool limit_ok(const struct net_virt_tx_client *config)
{
    return config->limit == 0 ||
           (config->limit >= NET_TX_LIMIT_MIN && config->limit <= NET_TX_LIMIT_MAX &&
            config->window >= NET_TX_WINDOW_MIN && config->window <= NET_TX_WINDOW_MAX);
}

/* All of its buffers are its own. */
/*@ requires \valid(client) && number < NET_CLIENTS_MAX;
  @ requires 1 <= count <= NET_REGION_BUFFERS_MAX && first + count <= NET_TX_BUFFERS_MAX;
  @ assigns client->first, client->buffer_count, client->spare_count, client->in_flight,
  @     tx_owners[first .. first + count - 1], tx_rows[number];
  @ ensures client->first == first && client->buffer_count == count;
  @ ensures TX_BUFFERS(number, *client, -1) && client->spare_count == 0 && client->in_flight == 0;
  @*/
static void client_start_buffers(uint32_t number, struct tx_client *client, uint32_t first,
                                 uint32_t count)
{
    (void)number; /* the proofs need it */
    client->first = first;
    client->buffer_count = count;
    client->spare_count = 0;
    client->in_flight = 0;
    /*@ loop invariant 0 <= buffer <= count;
      @ loop invariant \forall integer b; 0 <= b < buffer ==> tx_rows[number].at[b] == b;
      @ loop invariant \forall integer b; 0 <= b < buffer ==> tx_rows[number].place[b] == b;
      @ loop invariant \forall integer b; 0 <= b < buffer ==>
      @     tx_owners[first + b] == TX_OWNER_CLIENT;
      @ loop assigns buffer, tx_owners[first .. first + count - 1], tx_rows[number];
      @ loop variant count - buffer;
      @*/
    for (uint32_t buffer = 0; buffer < count; buffer++) {
        /*@ assert inside: first + buffer < NET_TX_BUFFERS_MAX; */
        tx_owners[first + buffer] = TX_OWNER_CLIENT;
        /*@ ghost tx_rows[number].at[buffer] = buffer; */
        /*@ ghost tx_rows[number].place[buffer] = buffer; */
    }
    /*@ assert owners: \forall integer b; 0 <= b < count ==>
      @     tx_rows[number].place[b] == b && tx_owners[first + b] == TX_OWNER_CLIENT;
      @*/
}

/*@ requires \valid(client) && \valid_read(config) && tx_config_client_memory(*config);
  @ requires number < NET_CLIENTS_MAX && first <= NET_TX_BUFFERS_MAX;
  @ assigns *client, tx_owners[first .. NET_TX_BUFFERS_MAX - 1], tx_rows[number];
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> tx_active_ok(client->active) &&
  @     tx_free_ok(client->free) && tally_ok(client->tally) && tx_limit_fits(client->limit) &&
  @     TX_BUFFERS(number, *client, -1) && client->spare_count == 0 && client->in_flight == 0;
  @ ensures its_own: \result == \null ==> client->first == first &&
  @     client->buffer_count == config->buffer_count &&
  @     client->io_address == config->data.io_address &&
  @     \valid_read(client->data + (0 .. client->buffer_count * NET_BUFFER_SIZE - 1));
  @ ensures config: \result == \null ==> config->tx.channel < MICROKIT_MAX_CHANNELS &&
  @     1 <= config->weight <= NET_TX_WEIGHT_MAX;
  @*/
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

/* The first clients' ranges, of which each has one. */
/*@ predicate tx_entered(struct tx_ranges r, integer n) =
  @     r.count == n && (\forall integer i; 0 <= i < n ==> tx_range_ok(r.range[i], n));
  @*/
#define TX_ENTERED(n) tx_entered(virt_tx.ranges, n)

/* Where its buffers are for the device, whose turn it is when, and as whom it may speak. */
/*@ requires \valid_read(config) && number < NET_CLIENTS_MAX && virt_tx.ranges.count == number;
  @ requires config->buffer_count <= NET_REGION_BUFFERS_MAX;
  @ requires config->tx.channel < MICROKIT_MAX_CHANNELS;
  @ requires 1 <= config->weight <= NET_TX_WEIGHT_MAX;
  @ requires tx_channels_ok(number) && TX_POLICY(number) && tx_senders_ok(virt_tx.senders);
  @ requires TX_ENTERED(number) && tx_clients[number].buffer_count == config->buffer_count &&
  @     tx_clients[number].io_address == config->data.io_address;
  @ assigns virt_tx.ranges, virt_tx.senders, virt_tx.by_channel[..], virt_tx.policy,
  @     virt_tx.limited;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> tx_channels_ok(number + 1) && TX_POLICY(number + 1) &&
  @     tx_senders_ok(virt_tx.senders) && TX_ENTERED(number + 1) &&
  @     config->data.io_address + config->buffer_count * NET_BUFFER_SIZE <= UINT64_MAX;
  @*/
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
    /*@ ghost fact_sum(config->data.io_address, (uint64_t)config->buffer_count * NET_BUFFER_SIZE);
      @*/
    /*@ assert end: config->data.io_address + config->buffer_count * NET_BUFFER_SIZE ==
      @     range.end <= UINT64_MAX;
      @*/
    /*@ assert its_own: tx_range_ok(range, number + 1); */
    /*@ assert known: \forall integer i; 0 <= i < number ==>
      @     tx_range_ok(\at(virt_tx.ranges.range[i], Pre), number + 1);
      @*/
    /*@ assert entered: TX_ENTERED(number + 1); */
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

/* They hold all of their buffers, and have been given none. */
/*@ predicate tx_new(integer n) = \forall integer k; 0 <= k < n ==>
  @     tx_clients[k].spare_count == 0 && tx_clients[k].in_flight == 0;
  @*/

/* ---- everything ---------------------------------------------------------------------------- */

/* Nobody is there yet. */
/*@ assigns virt_tx.client_count, virt_tx.senders, virt_tx.ranges.count, virt_tx.touched,
  @     virt_tx.owed, virt_tx.hungry, virt_tx.limited, virt_tx.held, virt_tx.held_until,
  @     virt_tx.armed, virt_tx.looked_at, virt_tx.asked_for, virt_tx.tally,
  @     virt_tx.by_channel[..];
  @ ensures virt_tx.client_count == 0 && TX_ENTERED(0) && tx_senders_ok(virt_tx.senders);
  @ ensures sets: virt_tx.touched == 0 && virt_tx.owed == 0 && virt_tx.hungry == 0 &&
  @     virt_tx.held == 0 && tx_channels_ok(0);
  @ ensures tally_ok(virt_tx.tally);
  @*/
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
    /*@ loop invariant 0 <= i <= MICROKIT_MAX_CHANNELS;
      @ loop invariant \forall integer ch; 0 <= ch < i ==> virt_tx.by_channel[ch] == 0;
      @ loop assigns i, virt_tx.by_channel[..];
      @ loop variant MICROKIT_MAX_CHANNELS - i;
      @*/
    for (uint32_t i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        virt_tx.by_channel[i] = 0;
    }
}

/* The memory that is nobody's, and the driver. */
/*@ requires \valid_read(config) && tx_config_memory(*config);
  @ assigns virt_tx.policy, virt_tx.incoherent, virt_tx.stats, virt_tx.driver_free,
  @     virt_tx.driver_active, virt_tx.driver_enough;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> config->client_count <= NET_CLIENTS_MAX &&
  @     TX_POLICY(0) && TX_DRIVER && tally_page(virt_tx.stats, config->client_count);
  @*/
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

/*@ requires \valid_read(config) && tx_config_memory(*config);
  @ requires config->client_count <= NET_CLIENTS_MAX && virt_tx.client_count == 0;
  @ requires TX_SETS(0) && TX_POLICY(0) && TX_ENTERED(0) && tx_senders_ok(virt_tx.senders);
  @ requires none: virt_tx.touched == 0 && virt_tx.owed == 0 && virt_tx.hungry == 0 &&
  @     virt_tx.held == 0;
  @ assigns sddf_clock_time, virt_tx.client_count, virt_tx.ranges, virt_tx.senders,
  @     virt_tx.by_channel[..], virt_tx.policy, virt_tx.limited, tx_clients[..], tx_owners[..],
  @     tx_rows[..];
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> virt_tx.client_count == config->client_count &&
  @     TX_CLIENTS(virt_tx.client_count) && TX_SETS(virt_tx.client_count) &&
  @     TX_POLICY(virt_tx.client_count) && TX_KNOWN(virt_tx.client_count) &&
  @     tx_new(virt_tx.client_count);
  @*/
static const char *clients_start(const struct net_virt_tx_config *config)
{
    uint32_t buffers = 0;
    uint64_t now = sddf_clock_now(); /* windows of one length begin together */
    /*@ loop invariant i <= config->client_count && virt_tx.client_count == i;
      @ loop invariant \forall integer k; 0 <= k < i ==>
      @     tx_clients[k].first + tx_clients[k].buffer_count <= buffers;
      @ loop invariant buffers <= NET_TX_BUFFERS_MAX && tx_channels_ok(i) && TX_POLICY(i) &&
      @     TX_ENTERED(i) && tx_senders_ok(virt_tx.senders) && TX_CLIENTS(i) && tx_new(i);
      @ loop assigns i, buffers, virt_tx.client_count, virt_tx.ranges, virt_tx.senders,
      @     virt_tx.by_channel[..], virt_tx.policy, virt_tx.limited, tx_clients[..],
      @     tx_owners[..], tx_rows[..];
      @ loop variant config->client_count - i;
      @*/
    for (uint32_t i = 0; i < config->client_count; i++) {
        const char *wrong = client_start(i, &tx_clients[i], &config->client[i], buffers, now);
        if (wrong == NULL) {
            wrong = client_enter(i, &config->client[i]);
        }
        if (wrong != NULL) {
            return wrong;
        }
        /*@ assert fit: TX_FIT(tx_clients[i]); */
        /*@ assert buffers: TX_BUFFERS(i, tx_clients[i], -1); */
        /*@ assert owners: \forall integer k, b; 0 <= k < i ==>
          @     0 <= b < tx_clients[k].buffer_count ==> tx_owners[tx_clients[k].first + b] ==
          @     \at(tx_owners, LoopCurrent)[tx_clients[k].first + b];
          @*/
        /*@ assert those: tx_all_fit(i) && tx_all_counts(i) && tx_all_rows(i) &&
          @     tx_all_spares(i) && tx_all_owners(i) && tx_apart(i) && tx_new(i);
          @*/
        buffers += config->client[i].buffer_count;
        virt_tx.client_count = i + 1;
    }
    tx_ranges_index(&virt_tx.ranges);
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
/*@ requires \valid_read(config) && tx_config_memory(*config);
  @ assigns sddf_clock_time, virt_tx, tx_clients[..], tx_owners[..], tx_rows[..];
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> (TX_OK) && tx_new(virt_tx.client_count);
  @ ensures !virt_tx.running;
  @*/
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
