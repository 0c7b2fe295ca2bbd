/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of network/client_frame.h: frames are DPDK's own buffers (bench/guest/dpdk_lwip.c). */
#pragma once

#include <rte_ethdev.h>
#include <string.h>

#include "dpdk.h"
#include "sddf/net_client.h"

extern struct rte_mempool *client_packets;
extern struct rte_mbuf *client_packet[NET_CLIENT_BUFFERS_MAX]; /* by its number, which it carries */
extern uint64_t client_counted[NET_STAT_COUNT];

extern struct client_burst {
    struct rte_mbuf **in, **out;
    uint16_t come, taken, gone;
    uint32_t held;
} client_burst;

static inline uint32_t *client_number_of(struct rte_mbuf *p)
{
    return rte_mbuf_to_priv(p);
}

static inline void client_count(enum net_stat stat, uint64_t n)
{
    client_counted[stat] += n;
}

static inline enum net_receive client_receive(struct net_frame *frame)
{
    if (client_burst.taken == client_burst.come) {
        return NET_RECEIVE_EMPTY;
    }
    struct rte_mbuf *p = client_burst.in[client_burst.taken++];
    const bool good = (p->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    frame->data = rte_pktmbuf_mtod(p, uint8_t *);
    frame->buffer = *client_number_of(p);
    frame->length = p->data_len;
    frame->flags = good ? NET_CSUM_VERIFIED : 0;
    client_count(NET_STAT_RX_PACKETS, 1);
    client_count(NET_STAT_RX_BYTES, p->data_len);
    client_burst.held++;
    return NET_RECEIVE_FRAME;
}

static inline void client_return(uint32_t buffer)
{
    client_burst.held--;
    rte_pktmbuf_free(client_packet[buffer]);
}

static inline uint8_t *client_reserve(uint32_t *buffer)
{
    struct rte_mbuf *p = client_burst.gone < DPDK_SEND ? rte_pktmbuf_alloc(client_packets) : NULL;
    if (p == NULL) {
        return NULL;
    }
    *buffer = *client_number_of(p);
    return rte_pktmbuf_mtod(p, uint8_t *);
}

static inline void client_unreserve(uint32_t buffer)
{
    rte_pktmbuf_free(client_packet[buffer]);
}

/* The C library's, as whoever writes for DPDK has it. */
static inline void client_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
    memcpy(to, from, length);
}

static inline void client_send(uint32_t buffer, uint16_t length, uint16_t flags,
                               uint16_t csum_start, uint16_t csum_offset)
{
    (void)flags; /* 0: lwIP works checksums out itself */
    (void)csum_start;
    (void)csum_offset;
    struct rte_mbuf *p = client_packet[buffer];
    p->data_len = length;
    p->pkt_len = length;
    client_burst.out[client_burst.gone++] = p;
    client_count(NET_STAT_TX_PACKETS, 1);
    client_count(NET_STAT_TX_BYTES, length);
}
