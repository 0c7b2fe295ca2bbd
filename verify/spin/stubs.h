/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands at the ends of a scenario, each on the shipped queue, and what it has counted. A
 * packet is 16 bytes: destination, source, a type of nobody's, and its number.
 */
#pragma once

#include "sddf/net.h"

/* Variables that SPIN must know of. */
#define STUB_STATE __attribute__((section("world_state")))

enum { STUB_A, STUB_B, STUB_HOST, STUB_NOBODY, STUB_LENGTH = 16, STUB_PACKETS = 8 };
enum { STUB_DATA = 96 }; /* bytes of each buffer that anybody writes */

extern const uint8_t stub_mac[4][6];

void stub_write(uint8_t *buffer, unsigned to, unsigned from, unsigned number);
/* The packet's number, or a large one if it is none, or not to this address. */
unsigned stub_read(const uint8_t *buffer, unsigned length, unsigned to);

/* A device that receives: fills a free buffer with the next packet of its list. Channel 0. */
struct stub_source {
    struct net_pair_config rx;
    uint8_t *dma;
    unsigned packets;
    uint8_t to[STUB_PACKETS];
    /* Instead of stub_write(), as it were from the host; its length. */
    unsigned (*write)(uint8_t *buffer, unsigned to, unsigned number);
    unsigned offered; /* handed over so far */
    uint32_t own;     /* a bit per buffer that it has */
    struct sddf_queue_consumer free;
    struct sddf_queue_producer active;
};
extern struct stub_source stub_source;
void stub_source_init(void);
void stub_source_notified(unsigned channel);
/* For a source that has its buffers from the first, and gets none from its neighbour at the start.
 */
void stub_source_fill(unsigned buffers);

/* Who takes packets and gives the buffers back at once: a copier's end, or a device that sends. */
struct stub_sink {
    struct net_pair_config pair;
    const uint8_t *data; /* at this address: 0 with offsets */
    unsigned me;         /* only packets to this address may come; STUB_HOST: from anybody */
    unsigned own;        /* so many buffers are its own at the start */
    unsigned (*read)(const uint8_t *buffer, unsigned length, unsigned to); /* or stub_read() */
    unsigned got; /* a bit per packet, by number */
    unsigned count;
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free;
};
extern struct stub_sink stub_sink[2];
void stub_sink_init_0(void);
void stub_sink_init_1(void);
void stub_sink_notified_0(unsigned channel);
void stub_sink_notified_1(unsigned channel);

/* Memory of the queues and data regions that a scenario asks for. */
struct net_pair_config stub_pair(uint32_t free, uint32_t active, uint8_t channel);
/* A region of so many buffers; its IO address is its offset in stub_io. */
struct sddf_region_config stub_data(uint32_t buffers);
extern unsigned char stub_io[];
struct sddf_region_config stub_stats(void);

/* Who signals with active, and who with free, on which of their channels. */
void stub_join(const struct net_pair_config *pair, unsigned active, unsigned active_channel,
               unsigned free, unsigned free_channel);

/* Entries that lie in a queue, between the shared head and tail. */
unsigned stub_waiting(const struct sddf_queue_config *queue);

/* An account of a region's buffers: each must be seen once. */
struct stub_account {
    unsigned seen; /* a bit per buffer */
    bool wrong;    /* one was seen twice, or is not of this region */
};
void stub_see(struct stub_account *account, unsigned buffer);
/* What lies in a pair of queues; `first` is the address of the region's first buffer in them. */
void stub_see_pair(struct stub_account *account, const struct net_pair_config *pair,
                   uint64_t first);
/* The same, of a pair that carries others' buffers as well. */
void stub_see_own(struct stub_account *account, const struct net_pair_config *pair, uint64_t first,
                  unsigned buffers);
/* NULL, or what is wrong. */
const char *stub_account_wrong(const struct stub_account *account, unsigned buffers);
