/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo example's UDP services over DPDK: lwIP as a network client has it, from the same sources
 * with the same options, the short way of datagrams included. What is here takes the place of the
 * client's queues (sddf/net_client.h) and of the platform: frames are DPDK's own buffers.
 *
 * lwIP's timeouts are looked at when packets come, as they are by a client; nothing waits for them
 * otherwise, for nothing but UDP and ARP comes this way.
 */
#include <microkit.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#include "dpdk.h"
#include "echo.h"
#include "net_lwip.h"
#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

_Static_assert(NET_CLIENT_BUFFERS_MAX >= DPDK_BUFFERS, "lwIP's record has a place for each");

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "dpdk_lwip";
struct net_client_config sddf_net_config;

static struct rte_mempool *packets;
static struct rte_mbuf *packet[NET_CLIENT_BUFFERS_MAX]; /* by its number, which it also carries */
static uint64_t counted[NET_STAT_COUNT];
static struct {
    struct rte_mbuf **in, **out;
    uint16_t come, taken, gone;
    uint32_t held;
} burst;

static uint32_t *number_of(struct rte_mbuf *p)
{
    return rte_mbuf_to_priv(p);
}

/* ---- in place of network/client.c ---------------------------------------------------------- */

enum net_receive net_client_receive(struct net_frame *frame)
{
    if (burst.taken == burst.come) {
        return NET_RECEIVE_EMPTY;
    }
    struct rte_mbuf *p = burst.in[burst.taken++];
    const bool good = (p->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    frame->data = rte_pktmbuf_mtod(p, uint8_t *);
    frame->buffer = *number_of(p);
    frame->length = p->data_len;
    frame->flags = good ? NET_CSUM_VERIFIED : 0;
    counted[NET_STAT_RX_PACKETS]++;
    counted[NET_STAT_RX_BYTES] += p->data_len;
    burst.held++;
    return NET_RECEIVE_FRAME;
}

void net_client_return(uint32_t buffer)
{
    burst.held--;
    rte_pktmbuf_free(packet[buffer]);
}

uint32_t net_client_held(void)
{
    return burst.held;
}

uint8_t *net_client_reserve(uint32_t *buffer)
{
    struct rte_mbuf *p = burst.gone < DPDK_SEND ? rte_pktmbuf_alloc(packets) : NULL;
    if (p == NULL) {
        return NULL;
    }
    *buffer = *number_of(p);
    return rte_pktmbuf_mtod(p, uint8_t *);
}

void net_client_unreserve(uint32_t buffer)
{
    rte_pktmbuf_free(packet[buffer]);
}

void net_client_send(uint32_t buffer, uint16_t length, uint16_t flags, uint16_t csum_start,
                     uint16_t csum_offset)
{
    (void)flags; /* 0: lwIP works checksums out itself */
    (void)csum_start;
    (void)csum_offset;
    struct rte_mbuf *p = packet[buffer];
    p->data_len = length;
    p->pkt_len = length;
    burst.out[burst.gone++] = p;
    counted[NET_STAT_TX_PACKETS]++;
    counted[NET_STAT_TX_BYTES] += length;
}

uint32_t net_client_can_send(void)
{
    return DPDK_SEND - burst.gone;
}

void net_client_flush(void)
{
    /* dpdk.c sends */
}

bool net_client_idle(bool want_tx)
{
    (void)want_tx;
    return true; /* one pass a burst */
}

bool net_client_idle_until_send(void)
{
    return true;
}

void net_client_count(enum net_stat stat, uint64_t n)
{
    counted[stat] += n;
}

uint64_t net_client_counted(enum net_stat stat)
{
    return counted[stat];
}

static void number(struct rte_mempool *pool, void *unused, void *object, unsigned index)
{
    (void)pool;
    (void)unused;
    packet[index] = object;
    *number_of(object) = index;
}

bool net_client_init(void)
{
    return rte_mempool_obj_iter(packets, number, NULL) == DPDK_BUFFERS;
}

/* ---- in place of timer, clock and platform ------------------------------------------------- */

bool timer_init(void)
{
    return true;
}

uint8_t timer_channel(void)
{
    return SDDF_NO_CHANNEL;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    (void)id;
    (void)deadline;
    return TIMER_OK;
}

uint32_t timer_due(void)
{
    return 0;
}

uint64_t sddf_clock_now(void)
{
    static uint64_t scale; /* ns * 2^32 for each tick, as the loader gives it to a client */
    if (scale == 0) {
        scale = (SDDF_NS_PER_S << 32) / rte_get_tsc_hz();
    }
    return (uint64_t)((unsigned __int128)rte_rdtsc() * scale >> 32);
}

void microkit_dbg_puts(const char *s)
{
    fputs(s, stdout);
}

/* Nobody is there to grant addresses: this one's is given. */
void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    (void)mr;
    (void)value;
}

microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    return msginfo;
}

/* ---- a burst ------------------------------------------------------------------------------- */

bool dpdk_answers_init(struct rte_mempool *pool, struct in_addr address)
{
    packets = pool;
    burst.out = NULL;
    sddf_net_config.ipv4 = address.s_addr;
    sddf_net_config.prefix = 24;
    sddf_net_config.arp_channel = SDDF_NO_CHANNEL;
    sddf_net_config.rx_buffer_count = DPDK_BUFFERS;
    memcpy(sddf_net_config.mac, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x0a}, 6);
    strcpy(sddf_net_config.name, microkit_name);
    struct rte_mbuf *first[DPDK_SEND] = {NULL};
    burst.out = first;
    if (!net_lwip_init() || !udp_services_start()) {
        return false;
    }
    net_lwip_start(NULL);
    while (burst.gone > 0) { /* its announcement: the port has not started yet */
        rte_pktmbuf_free(first[--burst.gone]);
    }
    return true;
}

uint16_t dpdk_answers(struct rte_mbuf **in, uint16_t count, struct rte_mbuf **out)
{
    burst.in = in;
    burst.out = out;
    burst.come = count;
    burst.taken = burst.gone = 0;
    net_lwip_notified(sddf_net_config.rx.channel);
    while (burst.taken < burst.come) {
        rte_pktmbuf_free(in[burst.taken++]);
    }
    return burst.gone;
}
