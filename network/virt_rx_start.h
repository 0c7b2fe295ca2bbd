/* SPDX-License-Identifier: BSD-2-Clause */
/* How the Rx virtualiser starts (see virt_rx.c, which alone includes this). */
#pragma once

#include "sddf/cache.h"

#include "buffers.h"
#include "frame.h"
#include "setup.h"
#include "virt_rx.h"

/* Buffers that come back one by one are collected so many at a time, at the most. */
#define PATIENCE_MAX 32
#ifndef PATIENCE_SHARE /* models are small, and have few buffers */
#define PATIENCE_SHARE 8
#endif

/* What the configuration names is memory, of the size that it says. */
/*@ predicate rx_client_memory(struct net_virt_rx_client c) =
  @     setup_producer_memory(c.rx.active) && setup_consumer_memory(c.rx.free);
  @ predicate rx_config_memory(struct net_virt_rx_config c) =
  @     \valid_read((uint8_t *)c.data.vaddr + (0 .. c.data.size - 1)) &&
  @     (c.client_count <= NET_CLIENTS_MAX &&
  @         c.stats.size >= 16 + (c.client_count + 1) * sizeof(struct net_stats_row) ==>
  @         tally_page((struct net_stats *)c.stats.vaddr, c.client_count)) &&
  @     setup_consumer_memory(c.driver.active) && setup_producer_memory(c.driver.free) &&
  @     (\forall integer i; 0 <= i < NET_CLIENTS_MAX && i < c.client_count ==>
  @         rx_client_memory(c.client[i]));
  @*/

/* A receiver's part of the sets and the table. */
/*@ requires rx_macs && rx_sets && number < receiver_count <= NET_CLIENTS_MAX;
  @ requires \valid_read(client) && client->rx.channel < MICROKIT_MAX_CHANNELS;
  @ assigns macs, arp_receivers, dhcp_receivers, notifiers, by_channel[..];
  @ ensures \result ==> rx_macs && rx_sets;
  @*/
static bool receiver_start_sets(uint32_t number, const struct net_virt_rx_client *client)
{
    by_channel[client->rx.channel] = bits_one(number);
    notifiers |= bits_one(number); /* ask all of them for their first signal */
    if (client->kind == NET_RECEIVER_DHCP) {
        dhcp_receivers |= bits_one(number);
    }
    if (client->kind == NET_RECEIVER_ARP) {
        arp_receivers |= bits_one(number);
        return true;
    }
    return mac_table_add(&macs, frame_mac(client->mac), number);
}

/*@ requires \valid(receiver) && \valid_read(client) && rx_client_memory(*client);
  @ requires 1 <= receiver_count <= NET_CLIENTS_MAX;
  @ assigns *receiver, patience;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==>
  @     rx_receiver(*receiver) && client->rx.channel < MICROKIT_MAX_CHANNELS;
  @*/
static const char *receiver_start(struct receiver *receiver,
                                  const struct net_virt_rx_client *client)
{
    receiver->lent = 0;
    receiver->channel = client->rx.channel;
    tally_start(&receiver->tally);
    if (!setup_producer(&receiver->active, &client->rx.active) ||
        !setup_consumer(&receiver->free, &client->rx.free)) {
        return "a receiver's queue";
    }
    if (receiver->channel >= MICROKIT_MAX_CHANNELS) {
        return "a receiver's channel";
    }
    /*
     * Signals for returned buffers are late on purpose: whenever the driver wakes us we collect
     * them anyway. All receivers together may sit on half of the buffers without a signal, so
     * the driver is never short of buffers that somebody has returned.
     */
    uint32_t capacity = client->rx.free.capacity;
    receiver->lent_max = capacity;
    patience = setup_min(patience, capacity);
    receiver->enough = setup_max(1, setup_min(capacity / 2, buffer_count / (2 * receiver_count)));
    return NULL;
}

/* All buffers are ours. The last one first: the driver gets them in order. */
/*@ requires 1 <= buffer_count <= NET_REGION_BUFFERS_MAX;
  @ assigns lent_count, RX_ACCOUNT;
  @ ensures RX_BUFFERS;
  @*/
static void buffers_start(void)
{
    spare_count = 0;
    lent_count = 0;
    /*@ loop invariant 0 <= buffer <= buffer_count;
      @ loop invariant \forall integer b; 0 <= b < buffer ==>
      @     holders[b] == 0 && row[b] == b && place[b] == b;
      @ loop assigns buffer, RX_HOLDERS, RX_ROW;
      @ loop variant buffer_count - buffer;
      @*/
    for (uint32_t buffer = 0; buffer < buffer_count; buffer++) {
        holders[buffer] = 0;
        /*@ ghost row[buffer] = buffer; */
        /*@ ghost place[buffer] = buffer; */
    }
    /*@ loop invariant RX_BUFFERS && buffer <= buffer_count;
      @ loop invariant \forall integer b; 0 <= b < buffer ==> holders[b] == 0;
      @ loop assigns buffer, RX_ACCOUNT;
      @ loop variant buffer;
      @*/
    for (uint32_t buffer = buffer_count; buffer-- > 0;) {
        buffer_reclaim(buffer);
    }
}

/*@ assigns arp_receivers, dhcp_receivers, lenders, notifiers, given, macs, tally, by_channel[..];
  @ ensures 0 <= receiver_count <= NET_CLIENTS_MAX ==> rx_macs && rx_sets;
  @ ensures tally_ok(tally);
  @*/
static void sets_start(void)
{
    arp_receivers = dhcp_receivers = lenders = notifiers = given = 0;
    mac_table_clear(&macs);
    tally_start(&tally);
    /*@ loop invariant 0 <= i <= MICROKIT_MAX_CHANNELS;
      @ loop invariant \forall integer ch; 0 <= ch < i ==> by_channel[ch] == 0;
      @ loop assigns i, by_channel[..];
      @ loop variant MICROKIT_MAX_CHANNELS - i;
      @*/
    for (uint32_t i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        by_channel[i] = 0;
    }
}

/* The memory, and who is beyond. */
/*@ requires \valid_read(config) && rx_config_memory(*config);
  @ assigns data, data_io_address, incoherent, buffer_count, receiver_count, stats, driver_active,
  @     driver_free;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> receiver_count == config->client_count &&
  @     receiver_count <= NET_CLIENTS_MAX && 1 <= buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     rx_data && RX_DRIVER && tally_page(stats, receiver_count);
  @*/
static const char *memory_start(const struct net_virt_rx_config *config)
{
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_VIRT_RX, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    receiver_count = config->client_count;
    buffer_count = config->buffer_count;
    if (!buffers_region_ok(&config->data, buffer_count)) {
        return "the Rx DMA region";
    }
    data = (const uint8_t *)(uintptr_t)config->data.vaddr;
    data_io_address = config->data.io_address;
    incoherent = config->incoherent != 0;
    if (incoherent) {
        /* The zeroes of the beginning must not be written over what a device has received. */
        sddf_cache_forget(data, (size_t)buffer_count * NET_BUFFER_SIZE);
        sddf_cache_done();
    }
    if (!tally_page_ok(&config->stats, receiver_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_NET_VIRT_RX, receiver_count);
    if (!setup_consumer(&driver_active, &config->driver.active) ||
        !setup_producer(&driver_free, &config->driver.free)) {
        return "a driver's queue";
    }
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
/*@ requires \valid_read(config) && rx_config_memory(*config);
  @ assigns data, data_io_address, incoherent, buffer_count, receiver_count, stats, driver_active,
  @     driver_free, running, arp_receivers, dhcp_receivers, lenders, notifiers, given, macs,
  @     tally, by_channel[..], receivers[..], lent_count, patience, RX_ACCOUNT;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> (RX_OK);
  @ ensures !running;
  @*/
static const char *start(const struct net_virt_rx_config *config)
{
    running = false;
    const char *wrong = memory_start(config);
    if (wrong != NULL) {
        return wrong;
    }
    sets_start();
    buffers_start();
    patience = setup_min(buffer_count / PATIENCE_SHARE, PATIENCE_MAX);
    /*@ loop invariant 0 <= i <= receiver_count && RX_RECEIVERS(i) && rx_macs && rx_sets;
      @ loop assigns i, wrong, receivers[..], patience, macs, arp_receivers, dhcp_receivers,
      @     notifiers, by_channel[..];
      @ loop variant receiver_count - i;
      @*/
    for (uint32_t i = 0; i < receiver_count; i++) {
        wrong = receiver_start(&receivers[i], &config->client[i]);
        if (wrong != NULL) {
            return wrong;
        }
        if (!receiver_start_sets(i, &config->client[i])) {
            return "a MAC address";
        }
    }
    return NULL;
}
