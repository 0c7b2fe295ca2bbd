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
#include "network/client_frame.h"
#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

_Static_assert(NET_CLIENT_BUFFERS_MAX >= DPDK_BUFFERS, "lwIP's record has a place for each");

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "dpdk_lwip";
struct net_client_config sddf_net_config;

struct rte_mempool *client_packets;
struct rte_mbuf *client_packet[NET_CLIENT_BUFFERS_MAX];
uint64_t client_counted[NET_STAT_COUNT];
struct client_burst client_burst;

/* ---- in place of network/client.c; each frame's part is in apart/network/client_frame.h ------ */

uint32_t net_client_held(void)
{
    return client_burst.held;
}

void net_client_send(uint32_t buffer, uint16_t length, uint16_t flags, uint16_t csum_start,
                     uint16_t csum_offset)
{
    client_send(buffer, length, flags, csum_start, csum_offset);
}

uint32_t net_client_can_send(void)
{
    return DPDK_SEND - client_burst.gone;
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
    client_count(stat, n);
}

uint64_t net_client_counted(enum net_stat stat)
{
    return client_counted[stat];
}

static void number(struct rte_mempool *pool, void *unused, void *object, unsigned index)
{
    (void)pool;
    (void)unused;
    client_packet[index] = object;
    *client_number_of(object) = index;
}

bool net_client_init(void)
{
    return rte_mempool_obj_iter(client_packets, number, NULL) == DPDK_BUFFERS;
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
    return TIMER_GONE;
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
    client_packets = pool;
    client_burst.out = NULL;
    sddf_net_config.ipv4 = address.s_addr;
    sddf_net_config.prefix = 24;
    sddf_net_config.arp_channel = SDDF_NO_CHANNEL;
    sddf_net_config.rx_buffer_count = DPDK_BUFFERS;
    memcpy(sddf_net_config.mac, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x0a}, 6);
    strcpy(sddf_net_config.name, microkit_name);
    struct rte_mbuf *first[DPDK_SEND] = {NULL};
    client_burst.out = first;
    if (!net_lwip_init() || !udp_services_start()) {
        return false;
    }
    net_lwip_start(NULL);
    while (client_burst.gone > 0) { /* its announcement: the port has not started yet */
        rte_pktmbuf_free(first[--client_burst.gone]);
    }
    return true;
}

uint16_t dpdk_answers(struct rte_mbuf **in, uint16_t count, struct rte_mbuf **out)
{
    client_burst.in = in;
    client_burst.out = out;
    client_burst.come = count;
    client_burst.taken = client_burst.gone = 0;
    net_lwip_notified(sddf_net_config.rx.channel);
    while (client_burst.taken < client_burst.come) {
        rte_pktmbuf_free(in[client_burst.taken++]);
    }
    return client_burst.gone;
}
