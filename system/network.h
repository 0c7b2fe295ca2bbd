/* SPDX-License-Identifier: BSD-2-Clause */
/* The element <network>, as it was written. Addresses here are in host byte order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net_client.h"
#include "system/component.h"

#define NETWORK_RX_BUFFERS_DEFAULT 2048
#define NETWORK_QUEUE_DEFAULT      512                    /* a client's rx and tx */
#define NETWORK_QUEUE_MAX          NET_CLIENT_BUFFERS_MAX /* the library has tables of that size */
#define NETWORK_RX_BUFFERS_MAX     16384
#define NETWORK_WINDOW_DEFAULT     1000 /* us */

/* Priorities of what expansion makes, unless the description says otherwise. */
#define NETWORK_PRIORITY_DRIVER  140
#define NETWORK_PRIORITY_VIRT_TX 130
#define NETWORK_PRIORITY_VIRT_RX 120
#define NETWORK_PRIORITY_ARP     115
#define NETWORK_PRIORITY_COPY    110

struct network_subnet {
    bool valid;
    uint32_t address;
    unsigned prefix;
};

struct network_client {
    size_t pd; /* SYSTEM_NONE if there is no such PD */
    bool has_mac;
    uint8_t mac[6];
    bool dhcp;
    struct network_subnet ip;     /* valid: a static address */
    struct network_subnet subnet; /* valid: where a DHCP client's address must be */
    bool has_gateway;
    uint32_t gateway;
    uint64_t rx; /* buffers, and capacity of the queues; a power of two */
    uint64_t tx;
    uint64_t weight;
    uint64_t limit;  /* bits/s; 0: none */
    uint64_t window; /* us; 0 without a limit */
    bool has_copier; /* or it is at virt_rx itself */
    bool in_place;   /* at the driver itself: it sends from the buffers that it receives in */
    struct system_component copy;
    struct system_place place;
};

struct system_network {
    char *device;
    uint32_t policy;    /* enum net_tx_policy */
    bool shared;        /* or its one client is at the driver itself */
    uint64_t ring_size; /* of the device; 0: as its board has it */
    uint64_t rx_buffers;
    struct network_client *clients;
    size_t client_count;
    struct system_component driver, virt_rx, virt_tx, arp;
    struct system_place place;
};

/* Must its Tx virtualiser be woken, because somebody has a limit? */
static inline bool network_needs_timer(const struct system_network *network)
{
    for (size_t i = 0; i < network->client_count; i++) {
        if (network->clients[i].limit != 0) {
            return true;
        }
    }
    return false;
}
