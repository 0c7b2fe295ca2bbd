/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client library does for each frame, as inline functions: client.c makes the functions of
 * sddf/net_client.h from them, and network/lwip, which is some thousand calls a pass, takes them as
 * they are. Nobody else includes this. Who gives lwIP another library (over DPDK, say) gives it
 * another file of this name.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sddf/net_client.h"

#include "frame.h"

/* Where a buffer is, as far as this PD is concerned. */
enum client_place {
    CLIENT_AWAY = 0, /* with the neighbour */
    CLIENT_IN_USE,   /* received and not returned, or reserved and not sent */
    CLIENT_SPARE,    /* here, with no use for it: the next to be offered, or to be reserved */
};

/* Those of one direction. */
struct client_buffers {
    uint64_t base; /* what entries' addresses begin at */
    uint8_t *data;
    uint32_t count; /* in the region */
    uint32_t in_use;
    uint32_t spare_count;
    uint8_t place[NET_CLIENT_BUFFERS_MAX];  /* enum client_place */
    uint32_t spare[NET_CLIENT_BUFFERS_MAX]; /* a stack of those that are SPARE */
};

struct net_client {
    struct sddf_queue_producer rx_free;
    struct sddf_queue_consumer rx_active;
    struct sddf_queue_consumer tx_free;
    struct sddf_queue_producer tx_active;
    uint64_t count[NET_STAT_COUNT];
    struct net_stats *stats;
    bool rare; /* some that are not counted for every packet have changed */
    struct client_buffers tx;
    struct client_buffers rx;
};

extern struct net_client net_client;

/* What is counted while all is well: these counters are published after every pass. */
#define CLIENT_OFTEN (NET_STAT_SIGNALS + 1)
_Static_assert(NET_STAT_RX_PACKETS < CLIENT_OFTEN && NET_STAT_RX_BYTES < CLIENT_OFTEN &&
                   NET_STAT_TX_PACKETS < CLIENT_OFTEN && NET_STAT_TX_BYTES < CLIENT_OFTEN &&
                   NET_STAT_WAKEUPS < CLIENT_OFTEN,
               "and NET_STAT_TX_COPIED_BYTES; all others are rare");

/* net_client_count(), for a statistic that is known when this is compiled. */
static inline void client_count(enum net_stat stat, uint64_t n)
{
    net_client.count[stat] += n;
    if (stat >= CLIENT_OFTEN && stat != NET_STAT_TX_COPIED_BYTES) {
        net_client.rare |= n != 0;
    }
}

/* ---- what seldom happens: in client.c ------------------------------------------------------ */

/* Counts why a neighbour's entry is refused that names no buffer which it has. */
__attribute__((cold)) void client_refuse(const struct client_buffers *b, uint64_t offset);

/* Counts that an entry names a buffer, but no frame in it. */
__attribute__((cold)) void client_refuse_length(uint32_t buffer);

/* A Tx buffer that was put aside; or one of those behind what was refused just now. */
uint8_t *client_reserve_spare(uint32_t *buffer);
__attribute__((cold)) uint8_t *client_reserve_next(uint32_t *buffer);

/* ---- one frame ----------------------------------------------------------------------------- */

/*
 * Takes over the buffer that a neighbour's entry names. False, counted, if the address is outside
 * the region, or if the buffer is here already: then the neighbour has made it up.
 */
static inline bool client_accept(struct client_buffers *b, uint64_t offset)
{
    const uint64_t buffer = offset / NET_BUFFER_SIZE;
    if (buffer >= b->count || b->place[buffer] != CLIENT_AWAY) {
        client_refuse(b, offset);
        return false;
    }
    b->place[buffer] = CLIENT_IN_USE;
    b->in_use++;
    return true;
}

static inline struct net_entry client_entry(const struct client_buffers *b, uint32_t buffer)
{
    return (struct net_entry){.address = b->base + (uint64_t)buffer * NET_BUFFER_SIZE};
}

/* See net_client_receive(). */
static inline enum net_receive client_receive(struct net_frame *frame)
{
    struct client_buffers *b = &net_client.rx;
    struct net_entry entry;
    if (!net_queue_dequeue(&net_client.rx_active, &entry)) {
        return NET_RECEIVE_EMPTY;
    }
    const uint64_t offset = entry.address - b->base;
    const uint32_t length = entry.length;
    if (!client_accept(b, offset)) {
        return NET_RECEIVE_REFUSED;
    }
    frame->buffer = (uint32_t)(offset / NET_BUFFER_SIZE);
    if (length < NET_FRAME_MIN || length > NET_FRAME_MAX ||
        length > NET_BUFFER_SIZE - offset % NET_BUFFER_SIZE) {
        client_refuse_length(frame->buffer);
        return NET_RECEIVE_REFUSED;
    }
    client_count(NET_STAT_RX_PACKETS, 1);
    client_count(NET_STAT_RX_BYTES, length);
    frame->data = b->data + offset;
    frame->length = (uint16_t)length;
    frame->flags = entry.flags & NET_CSUM_VERIFIED;
    return NET_RECEIVE_FRAME;
}

/* IN_USE to SPARE. Refused, counted, if it is not in use: the caller's mistake. */
static inline void client_put_aside(struct client_buffers *b, uint32_t buffer)
{
    if (buffer >= b->count || b->place[buffer] != CLIENT_IN_USE) {
        client_count(NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    b->place[buffer] = CLIENT_SPARE;
    b->in_use--;
    b->spare[b->spare_count++] = buffer; /* each buffer is here once at most */
}

/* See net_client_return() and net_client_unreserve(). No neighbour sees it before a flush. */
static inline void client_return(uint32_t buffer)
{
    client_put_aside(&net_client.rx, buffer);
}

static inline void client_unreserve(uint32_t buffer)
{
    client_put_aside(&net_client.tx, buffer);
}

/*
 * See net_client_reserve(). A Tx buffer to use is the next that virt_tx has given back, if none has
 * been put aside.
 */
static inline uint8_t *client_reserve(uint32_t *buffer)
{
    struct client_buffers *b = &net_client.tx;
    struct net_entry entry;
    if (sddf_queue_space(&net_client.tx_active, 1) == 0) {
        return NULL;
    }
    if (b->spare_count != 0) {
        return client_reserve_spare(buffer);
    }
    if (!net_queue_dequeue(&net_client.tx_free, &entry)) {
        return NULL;
    }
    const uint64_t offset = entry.address - b->base;
    if (!client_accept(b, offset)) {
        return client_reserve_next(buffer);
    }
    *buffer = (uint32_t)(offset / NET_BUFFER_SIZE);
    return b->data + offset / NET_BUFFER_SIZE * NET_BUFFER_SIZE;
}

/* From one buffer into another, at most a frame: a call costs more than the few words of most. */
static inline void client_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
    if (length >= 8) {
        frame_copy(to, from, length);
    } else {
        memcpy(to, from, length);
    }
}

/* See net_client_send(). */
static inline void client_send(uint32_t buffer, uint16_t length, uint16_t flags,
                               uint16_t csum_start, uint16_t csum_offset)
{
    struct client_buffers *b = &net_client.tx;
    if (buffer >= b->count || b->place[buffer] != CLIENT_IN_USE) {
        client_count(NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    struct net_entry entry = client_entry(b, buffer);
    entry.length = length;
    entry.flags = flags;
    entry.csum_start = csum_start;
    entry.csum_offset = csum_offset;
    if (!net_queue_enqueue(&net_client.tx_active, entry)) {
        /* Several were reserved at once, and there was room for the first of them only. */
        client_count(NET_STAT_DROP_FULL, 1);
        client_put_aside(b, buffer);
        return;
    }
    b->place[buffer] = CLIENT_AWAY;
    b->in_use--;
    client_count(NET_STAT_TX_PACKETS, 1);
    client_count(NET_STAT_TX_BYTES, length);
}
