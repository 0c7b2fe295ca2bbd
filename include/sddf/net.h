/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network class: what the driver, the virtualisers, the copiers, the ARP component and the
 * clients of one Ethernet device say to each other.
 *
 *            device
 *              | rings, registers, interrupts
 *            driver                     entries hold IO addresses
 *        rx  |   |  tx
 *      virt_rx   virt_tx
 *       |    |   |     |                entries hold offsets into one region:
 *     copy   |   |     |                  virt_rx <-> copy, arp: the Rx DMA region
 *       |    +-arp     |                  copy <-> client: the client's Rx data region
 *       +--- client ---+                  client, arp <-> virt_tx: its own Tx data region
 *
 * Between two neighbours run two queues for each direction of traffic, `free` with empty buffers
 * and `active` with filled ones:
 *
 *      receive   free: producer is the side nearer the client    active: the side nearer the device
 *      transmit  free: producer is the side nearer the device    active: the side nearer the client
 *
 * Buffers. A data region is an array of buffers of NET_BUFFER_SIZE bytes. An entry of `active`
 * names the first byte of a frame, anywhere in its buffer, and its length; the frame never crosses
 * the buffer's end. An entry of `free` names a buffer; its address may be anything in the buffer,
 * its length and flags mean nothing.
 *
 * Data ownership. A buffer is in exactly one place at any time: in one queue, or held by one PD.
 * Each component knows which buffers its neighbour holds, privately, and refuses a buffer that
 * comes back from somebody who does not hold it. At the start, virt_rx puts the DMA region's
 * buffers into the driver's free queue, a client those of its Rx data region into its copier's,
 * and virt_tx those of a Tx data region into its client's.
 *
 * A buffer that still lies in a queue on its way to somebody is not that neighbour's yet: a client
 * releases the entry (sddf_queue_release on `active`) before it publishes the return of its buffer
 * on `free`, or its copier refuses the buffer as one that the client does not hold.
 *
 * Signals on `free` are lazy. virt_rx and virt_tx collect returned buffers whenever they run, and
 * ask for a signal only when so many have come together that somebody could be short of them; a
 * copier looks for buffers only when it has a frame to put into one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/atomic.h"
#include "sddf/config.h"
#include "sddf/queue.h"

#define NET_BUFFER_SIZE 2048
#define NET_FRAME_MIN   14   /* an Ethernet header; the device pads shorter frames */
#define NET_FRAME_MAX   1514 /* header and 1500 bytes, without the frame check sequence */
#ifndef NET_CLIENTS_MAX
#define NET_CLIENTS_MAX 61 /* 62 channels less the driver's */
#endif

/* What the components have room to keep account of. More is a configuration that does not match. */
#ifndef NET_REGION_BUFFERS_MAX
#define NET_REGION_BUFFERS_MAX 16384 /* of one data region: 32 MiB */
#endif
#ifndef NET_TX_BUFFERS_MAX
#define NET_TX_BUFFERS_MAX 131072 /* of all Tx data regions of one network together */
#endif

struct net_entry {
    uint64_t address;     /* an offset, or an IO address between virtualisers and driver */
    uint16_t length;      /* bytes */
    uint16_t flags;       /* NET_CSUM_* */
    uint16_t csum_start;  /* with NET_CSUM_WANTED: checksum from here (from the frame's start) */
    uint16_t csum_offset; /* ... and put it there (from csum_start) */
};

/* Received: the device has checked the transport checksum. */
#define NET_CSUM_VERIFIED 0x1
/* To be sent: the device is asked to fill the transport checksum in. */
#define NET_CSUM_WANTED 0x2

SDDF_QUEUE_TYPE(net_queue, struct net_entry);

/* ---- configuration ------------------------------------------------------------------------- */

/* The two queues of one direction between two neighbours, and the channel to that neighbour. */
struct net_pair_config {
    struct sddf_queue_config free;
    struct sddf_queue_config active;
    uint8_t channel;
    uint8_t reserved[7];
};

struct net_driver_config {
    struct sddf_config_header header;
    struct sddf_device_config device;
    struct net_pair_config rx; /* to virt_rx: consumer of free, producer of active */
    struct net_pair_config tx; /* to virt_tx: producer of free, consumer of active */
    struct sddf_region_config stats;
    /*
     * Data regions by IO address, with vaddr 0 where this driver has no mapping of them, as it
     * should be. Only a driver whose "device" cannot reach memory by itself (TAP) has any. The
     * first is the Rx DMA region, the only one that the device may write to.
     */
    uint32_t data_count;
    uint32_t reserved;
    struct sddf_region_config data[NET_CLIENTS_MAX + 2];
};

/* Someone who receives: a copier on behalf of a client, or the ARP component. */
struct net_virt_rx_client {
    struct net_pair_config rx; /* producer of active, consumer of free */
    uint8_t mac[6];
    uint8_t kind; /* enum net_receiver */
    uint8_t reserved;
};

enum net_receiver {
    NET_RECEIVER_CLIENT = 0, /* unicast to its MAC, and what the flags below add */
    NET_RECEIVER_ARP = 1,    /* broadcast ARP; unicast ARP goes to its client */
    NET_RECEIVER_DHCP = 2,   /* a client that gets broadcast IPv4 UDP to port 68 besides */
};

struct net_virt_rx_config {
    struct sddf_config_header header;
    struct net_pair_config driver;  /* producer of free, consumer of active; IO addresses */
    struct sddf_region_config data; /* the Rx DMA region, readable */
    struct sddf_region_config stats;
    uint32_t buffer_count;
    uint32_t client_count;
    uint32_t incoherent; /* 1: the device does not write through the caches (sddf/cache.h) */
    uint32_t reserved;
    struct net_virt_rx_client client[NET_CLIENTS_MAX];
};

/* How virt_tx shares the device: network/tx_policy.h. */
enum net_tx_policy {
    NET_TX_ROUND_ROBIN = 0, /* some frames of each, in turns */
    NET_TX_SIGNALLED = 1,   /* in the order of the clients' signals, all that each has */
    NET_TX_PRIORITY = 2,    /* the first client in the table before all others, and so on */
    NET_TX_DRR = 3,         /* bytes in proportion to the clients' weights */
};

#define NET_TX_WEIGHT_MAX 100
#define NET_TX_LIMIT_MIN  UINT64_C(1000)         /* bits/s */
#define NET_TX_LIMIT_MAX  UINT64_C(100000000000) /* bits/s */
#define NET_TX_WINDOW_MIN 100                    /* us: a timer goes off no more often than that */
#define NET_TX_WINDOW_MAX 1000000                /* us */

struct net_virt_tx_client {
    struct net_pair_config tx;      /* producer of free, consumer of active; offsets */
    struct sddf_region_config data; /* its Tx data region, readable, with its IO address */
    uint64_t limit;                 /* bits/s, frames without their check sequence; 0: none */
    uint32_t window;                /* us, over which the limit holds; 0 without one */
    uint32_t weight;                /* for NET_TX_DRR: 1 to NET_TX_WEIGHT_MAX */
    uint32_t buffer_count;
    uint8_t mac[6];  /* the only source MAC that it may send with; the ARP component: see below */
    uint8_t any_mac; /* 1: may send with the MAC of any client of this network (ARP only) */
    uint8_t reserved;
    uint32_t ipv4; /* its address, which its ARP may speak for; network order, 0: it claims one */
    uint32_t reserved2;
};

struct net_virt_tx_config {
    struct sddf_config_header header;
    struct net_pair_config driver; /* consumer of free, producer of active; IO addresses */
    struct sddf_region_config stats;
    uint32_t policy; /* enum net_tx_policy */
    uint32_t client_count;
    uint32_t incoherent; /* 1: the device does not see what the caches hold (sddf/cache.h) */
    uint32_t reserved;
    struct net_virt_tx_client client[NET_CLIENTS_MAX];
};

struct net_copy_config {
    struct sddf_config_header header;
    struct net_pair_config rx;      /* to virt_rx: consumer of active, producer of free */
    struct net_pair_config client;  /* to the client: producer of active, consumer of free */
    struct sddf_region_config dma;  /* the Rx DMA region, readable */
    struct sddf_region_config data; /* the client's Rx data region, writable */
    struct sddf_region_config stats;
    uint32_t dma_buffer_count;
    uint32_t buffer_count;
};

/* What the ARP component answers for. Addresses are in network byte order. */
struct net_arp_client {
    uint8_t mac[6];
    uint8_t channel; /* the client's, by which it claims an address; SDDF_NO_CHANNEL if static */
    uint8_t prefix;  /* bits of the network part */
    uint32_t ipv4;   /* static: its address; a client that claims: its subnet, 0/0 if any may be */
};

struct net_arp_config {
    struct sddf_config_header header;
    struct net_pair_config rx; /* to virt_rx; offsets into the Rx DMA region */
    struct net_pair_config tx; /* to virt_tx; offsets into its own Tx data region */
    struct sddf_region_config dma;
    struct sddf_region_config data;
    struct sddf_region_config stats;
    uint32_t dma_buffer_count;
    uint32_t buffer_count;
    uint32_t client_count;
    uint32_t reserved;
    struct net_arp_client client[NET_CLIENTS_MAX];
};

/*
 * A client may do without its copier: then its neighbour is virt_rx, and its Rx data region the
 * DMA region, which it can write to as everybody's. A client that has a device for itself may do
 * without the virtualisers, too: then its neighbour is the driver, and entries hold IO addresses.
 */
struct net_client_config {
    struct sddf_config_header header;
    struct net_pair_config rx; /* to the copier: producer of free, consumer of active */
    struct net_pair_config tx; /* to virt_tx: consumer of free, producer of active */
    /* With the IO addresses that entries' addresses begin at; 0 if these are offsets. */
    struct sddf_region_config rx_data;
    struct sddf_region_config tx_data;
    struct sddf_region_config stats;
    uint32_t rx_buffer_count;
    uint32_t tx_buffer_count;
    uint8_t mac[6];
    uint8_t prefix;
    uint8_t arp_channel; /* for NET_ARP_CLAIM; SDDF_NO_CHANNEL if the address is static */
    uint32_t ipv4;       /* network byte order; 0: ask DHCP */
    uint32_t gateway;    /* network byte order; 0: none */
    char name[32];       /* the PD's, NUL-terminated */
    uint8_t rx_lent;     /* 1: at the start its Rx buffers are the neighbour's (virt_rx) */
    uint8_t tx_own;      /* 1: at the start its Tx buffers are its own (with a driver) */
    uint8_t reserved[6];
};

/*
 * The ARP component's protected procedure, for clients without a static address: label
 * NET_ARP_CLAIM, mr0 the IPv4 address (network byte order; 0 gives the claim back), mr1 the
 * prefix length. Answers with label NET_ARP_OK or NET_ARP_REFUSED: the address is another
 * client's, no host address, or outside the client's subnet.
 */
enum net_arp_label {
    NET_ARP_CLAIM = 1,
    NET_ARP_OK = 0,
    NET_ARP_REFUSED = 2,
};

/* ---- statistics ---------------------------------------------------------------------------- */

/*
 * One region per PD, written by that PD alone (relaxed, once per pass), readable by whoever the
 * description lets. The first row counts for the PD as a whole, the others one neighbour each, in
 * the order of its configuration's client table; a driver, copier or client has none.
 */
enum net_stat {
    NET_STAT_RX_PACKETS,      /* frames taken from the device's side and passed on, or consumed */
    NET_STAT_RX_BYTES,        /* ... their bytes, without the frame check sequence */
    NET_STAT_TX_PACKETS,      /* frames taken from the client's side and passed on */
    NET_STAT_TX_BYTES,        /* */
    NET_STAT_COPIED_BYTES,    /* bytes of received packets that this PD copied in memory */
    NET_STAT_WAKEUPS,         /* entry points run: packets / wakeups is the batch size */
    NET_STAT_SIGNALS,         /* notifications sent */
    NET_STAT_KICKS,           /* doorbells of the device rung (system calls, on Linux) */
    NET_STAT_DROP_FULL,       /* dropped: the neighbour's queue is full */
    NET_STAT_DROP_NO_BUFFER,  /* dropped: the client offers no buffer */
    NET_STAT_DROP_UNKNOWN,    /* dropped: nobody has this destination address */
    NET_STAT_DROP_MALFORMED,  /* dropped: too short, too long, or not what its header says */
    NET_STAT_DROP_LOCAL,      /* dropped: from one client to another of the same network */
    NET_STAT_DROP_STACK,      /* dropped: the client's IP stack had no memory for it */
    NET_STAT_REFUSED_ADDRESS, /* refused: the address is outside the region, or across buffers */
    NET_STAT_REFUSED_LENGTH,  /* refused: shorter than a header, or longer than a frame */
    NET_STAT_REFUSED_OWNER,   /* refused: a buffer that the neighbour does not hold */
    NET_STAT_REFUSED_MAC,     /* refused: a source MAC that is not the client's own */
    NET_STAT_REFUSED_FLAGS,   /* refused: a checksum request that makes no sense */
    NET_STAT_REFUSED_CLAIM,   /* refused: an address that the client may not have */
    NET_STAT_ARP_ANSWERS,     /* ARP replies sent */
    NET_STAT_DEVICE_ERRORS,   /* the device said no, or something impossible */
    NET_STAT_TX_COPIED_BYTES, /* bytes of packets to be sent that this PD copied in memory */
    NET_STAT_REFUSED_ARP,     /* refused: ARP that speaks for an address not the client's own */
    NET_STAT_DROP_LINK,       /* dropped: there is no link, or no device, to send with */
    NET_STAT_COUNT,
};

/* Names for tools, in the order above. */
#define NET_STAT_NAMES                                                                             \
    {                                                                                              \
        "rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "copied_bytes", "wakeups", "signals",  \
            "kicks", "drop_full", "drop_no_buffer", "drop_unknown", "drop_malformed",              \
            "drop_local", "drop_stack", "refused_address", "refused_length", "refused_owner",      \
            "refused_mac", "refused_flags", "refused_claim", "arp_answers", "device_errors",       \
            "tx_copied_bytes", "refused_arp", "drop_link"                                          \
    }

#define NET_STATS_MAGIC 0x5354454eu /* "NETS" as bytes on a little-endian machine */

struct net_stats_row {
    sddf_atomic_u64 count[NET_STAT_COUNT];
};

struct net_stats {
    sddf_atomic_u32 magic;
    sddf_atomic_u32 role;    /* enum sddf_role */
    sddf_atomic_u32 rows;    /* neighbours' rows behind the first */
    sddf_atomic_u32 columns; /* NET_STAT_COUNT */
    struct net_stats_row row[1 + NET_CLIENTS_MAX];
};

/* Adds to a counter of which the caller is the only writer. */
/*@ requires 0 <= stat < NET_STAT_COUNT && \valid(row);
  @ assigns \nothing;
  @*/
static inline void net_stat_add(struct net_stats_row *row, enum net_stat stat, uint64_t n)
{
    sddf_store_relaxed_u64(&row->count[stat], sddf_load_relaxed_u64(&row->count[stat]) + n);
}
