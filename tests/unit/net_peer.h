/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neighbours of a network client, for its tests: copier and virt_tx by hand, the ARP component
 * and the timer driver as protected procedures, and a clock that the test moves.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

enum { PEER_RX_CHANNEL = 1, PEER_TX_CHANNEL, PEER_TIMER_CHANNEL, PEER_ARP_CHANNEL };

struct peer {
    struct sddf_queue_consumer rx_free;
    struct sddf_queue_producer rx_active;
    struct sddf_queue_producer tx_free;
    struct sddf_queue_consumer tx_active;
    uint8_t *rx_data, *tx_data;
    struct net_stats *stats;
    uint32_t capacity;
    uint64_t now;            /* what sddf_clock_now says */
    unsigned notified[64];   /* by channel */
    uint64_t timer_deadline; /* the last that was set */
    unsigned timer_calls;
    bool claim_refused; /* what the ARP component answers */
    uint32_t claimed;
    char said[4096]; /* debug output */
};

extern struct peer peer;

/* Fresh regions and queues of `capacity` buffers each way, and the client's configuration. */
void peer_setup(uint32_t capacity);
void peer_teardown(void);

/* As the copier: one frame into one of the client's free buffers, at `offset`. False: no buffer. */
bool peer_deliver(const void *frame, uint16_t length, uint16_t flags, uint32_t offset);

/* As virt_tx: the next frame that the client has sent, or 0. Its buffer goes back to the client. */
uint16_t peer_collect(uint8_t frame[NET_BUFFER_SIZE]);

/* As virt_tx: gives the client all its Tx buffers. */
void peer_provide_tx(void);

uint64_t peer_stat(enum net_stat stat);
