/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP in a network client: one interface, one thread, no allocation but from static pools.
 *
 * Received packets stay in the client's Rx buffers, which other protection domains (the copier)
 * can write at any time. So lwIP must keep nothing of its own in a packet: no reassembly, which
 * threads its lists, pointers and all, through the fragments' headers.
 */
#pragma once

/* ---- the system around it ------------------------------------------------------------------ */

#define NO_SYS               1
#define LWIP_TIMERS          1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_SINGLE_NETIF    1

/* What is wrong with packets, for the statistics; lwIP's memory is static and counts for itself. */
#define LWIP_STATS       1
#define LWIP_STATS_LARGE 1
#define LINK_STATS       0
#define IPFRAG_STATS     0
#define MEM_STATS        0
#define MEMP_STATS       0
#define SYS_STATS        0

#define LWIP_HOOK_FILENAME "lwip_hooks.h"

/*
 * lwIP has this where its core is entered. Nobody locks anything here: it says that timeouts may
 * have been set and counters changed, which a wake-up without it need not look for.
 */
extern unsigned char net_lwip_entered;
#define LWIP_ASSERT_CORE_LOCKED() ((void)(net_lwip_entered = 1))

/* ---- memory -------------------------------------------------------------------------------- */

/* Headers and acknowledgements have a pool that data cannot use up: lwippools.h. */
#define MEM_ALIGNMENT                 8
#define MEM_USE_POOLS                 1
#define MEMP_USE_CUSTOM_POOLS         1
#define MEM_USE_POOLS_TRY_BIGGER_POOL 1

/* Nothing here uses the pool of received packets: those are in the Rx buffers. */
#define PBUF_POOL_SIZE           2
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define MEMP_NUM_PBUF            16
#define MEMP_NUM_UDP_PCB         8
#define MEMP_NUM_TCP_PCB         32
#define MEMP_NUM_TCP_PCB_LISTEN  8
#define MEMP_NUM_TCP_SEG         768
#define MEMP_NUM_ARP_QUEUE       32
#define MEMP_NUM_SYS_TIMEOUT     (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 4)

/*
 * A packet that waits for an answer to ARP is copied out of its Rx buffer: peers that do not exist
 * must not tie the buffers up. See net_lwip_queued().
 */
struct pbuf;
int net_lwip_queued(const struct pbuf *p);
#define PBUF_NEEDS_COPY(p) net_lwip_queued(p)

/* ---- protocols ----------------------------------------------------------------------------- */

#define LWIP_IPV4           1
#define LWIP_IPV6           0
#define IP_REASSEMBLY       0
#define IP_FRAG             0
#define LWIP_ICMP           1
#define LWIP_UDP            1
#define LWIP_TCP            1
#define LWIP_DHCP           1
#define LWIP_NETIF_HOSTNAME 1

#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING   1
#define ARP_QUEUE_LEN  8

/*
 * The receive window is what 16 bits can say. What a connection may have on its way out is less,
 * so that a dozen of them fit into the pool.
 */
#define TCP_MSS                    1460
#define TCP_WND                    (44 * TCP_MSS)
#define TCP_SND_BUF                (24 * TCP_MSS)
#define TCP_SND_QUEUELEN           48
#define TCP_OOSEQ_MAX_PBUFS        44
#define LWIP_TCP_SACK_OUT          1
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 8
#define LWIP_TCP_KEEPALIVE         1
/* lwIP's check wants the window to fit into PBUF_POOL, where no packet of ours ever is. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* ---- checksums ----------------------------------------------------------------------------- */

/* Per packet, in fact: checking is off while a packet goes in that the device has verified. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY        1

#include "checksum.h"
#define LWIP_CHKSUM                     net_checksum
#define LWIP_CHKSUM_COPY(to, from, len) net_checksum_copy(to, from, len)
