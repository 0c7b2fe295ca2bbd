/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the network components share: regions that end at unmapped memory, the other
 * side of a queue pair, and frames.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "sddf/net.h"

#define RIG_PAGE 4096u

/* Zeroed memory that ends where nothing is mapped. Lives as long as the test program. */
static inline void *rig_region(size_t size)
{
    size_t rounded = (size + 63) / 64 * 64;
    size_t pages = (rounded + RIG_PAGE - 1) / RIG_PAGE * RIG_PAGE;
    char *base = mmap(NULL, pages + 2 * RIG_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(base != MAP_FAILED);
    assert_int_equal(mprotect(base + RIG_PAGE, pages, PROT_READ | PROT_WRITE), 0);
    return base + RIG_PAGE + pages - rounded;
}

static inline struct sddf_queue_config rig_queue(uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)rig_region(sddf_queue_producer_size(capacity, net_queue_words)),
        .consumer = (uintptr_t)rig_region(sddf_queue_consumer_size()),
        .capacity = capacity,
    };
}

static inline struct net_pair_config rig_pair(uint32_t free, uint32_t active, uint8_t channel)
{
    return (struct net_pair_config){rig_queue(free), rig_queue(active), channel, {0}};
}

static inline struct sddf_region_config rig_data(uint32_t buffers, uint64_t io_address)
{
    size_t size = (size_t)buffers * NET_BUFFER_SIZE;
    return (struct sddf_region_config){(uintptr_t)rig_region(size), size, io_address};
}

static inline struct sddf_region_config rig_stats(void)
{
    size_t size = sizeof(struct net_stats);
    return (struct sddf_region_config){(uintptr_t)rig_region(size), size, 0};
}

static inline uint64_t rig_stat(const struct sddf_region_config *stats, uint32_t row,
                                enum net_stat stat)
{
    const struct net_stats *page = (const struct net_stats *)(uintptr_t)stats->vaddr;
    return sddf_load_relaxed_u64(&page->row[row].count[stat]);
}

/* A neighbour: the side of a pair that the component is not. */
struct rig_peer {
    struct sddf_queue_producer out;
    struct sddf_queue_consumer in;
};

static inline void rig_attach(struct rig_peer *peer, const struct sddf_queue_config *out,
                              const struct sddf_queue_config *in)
{
    assert_true(net_queue_producer_attach(&peer->out, (void *)(uintptr_t)out->producer,
                                          (const void *)(uintptr_t)out->consumer, out->capacity));
    assert_true(net_queue_consumer_attach(&peer->in, (void *)(uintptr_t)in->consumer,
                                          (const void *)(uintptr_t)in->producer, in->capacity));
}

static inline void rig_send(struct rig_peer *peer, struct net_entry entry)
{
    assert_true(net_queue_enqueue(&peer->out, entry));
    sddf_queue_publish(&peer->out);
}

static inline void rig_send_at(struct rig_peer *peer, uint64_t address, uint16_t length)
{
    rig_send(peer, (struct net_entry){.address = address, .length = length});
}

/* Takes one entry, which must be there. */
static inline struct net_entry rig_take(struct rig_peer *peer)
{
    struct net_entry entry = {0};
    assert_true(net_queue_dequeue(&peer->in, &entry));
    sddf_queue_release(&peer->in);
    return entry;
}

static inline uint32_t rig_waiting(struct rig_peer *peer)
{
    sddf_queue_consumer_refresh(&peer->in);
    return peer->in.tail - peer->in.head;
}

/* Takes all that is there. */
static inline uint32_t rig_drain(struct rig_peer *peer)
{
    struct net_entry entry;
    uint32_t count = 0;
    while (net_queue_dequeue(&peer->in, &entry)) {
        count++;
    }
    sddf_queue_release(&peer->in);
    return count;
}

static inline uint64_t rig_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A producer's tail is somewhere, half of the time about where it could be. */
static inline void rig_garble_tail(struct sddf_queue_producer *q, uint64_t *random)
{
    uint32_t about = sddf_load_relaxed_u32(&q->peer->head);
    about += (uint32_t)rig_random(random) % (2 * q->capacity);
    sddf_store_relaxed_u32(&q->own->tail,
                           rig_random(random) % 2 ? (uint32_t)rig_random(random) : about);
}

/* The same of a consumer's head. */
static inline void rig_garble_head(struct sddf_queue_consumer *q, uint64_t *random)
{
    uint32_t about = sddf_load_relaxed_u32(&q->peer->tail);
    about -= (uint32_t)rig_random(random) % (2 * q->capacity);
    sddf_store_relaxed_u32(&q->own->head,
                           rig_random(random) % 2 ? (uint32_t)rig_random(random) : about);
}

/* Writes garbage into every word that a neighbour may write in its two regions. */
static inline void rig_garble(struct rig_peer *peer, uint64_t *random)
{
    rig_garble_tail(&peer->out, random);
    rig_garble_head(&peer->in, random);
    sddf_store_relaxed_u32(&peer->in.own->mark, (uint32_t)rig_random(random));
    sddf_store_relaxed_u32(&peer->out.own->header.magic, (uint32_t)rig_random(random));
    sddf_store_relaxed_u32(&peer->out.own->header.capacity, (uint32_t)rig_random(random));
    sddf_store_relaxed_u32(&peer->in.own->header.epoch, (uint32_t)rig_random(random));
}

/* An entry that is wrong in some way, but often near enough to get past the first check. */
static inline void rig_garble_entry(struct rig_peer *peer, uint64_t *random, uint64_t base,
                                    uint32_t buffers)
{
    uint64_t slot = rig_random(random) % peer->out.capacity * net_queue_words;
    uint64_t address = rig_random(random);
    if (rig_random(random) % 8 != 0) {
        address = base + address % ((uint64_t)(buffers + 2) * NET_BUFFER_SIZE);
    }
    if (rig_random(random) % 2 != 0) {
        address &= ~(uint64_t)(NET_BUFFER_SIZE - 1);
    }
    uint64_t rest = rig_random(random);
    if (rig_random(random) % 4 != 0) {
        rest = rest % NET_FRAME_MAX;
    }
    sddf_store_relaxed_u64(&peer->out.own->entries[slot], address);
    sddf_store_relaxed_u64(&peer->out.own->entries[slot + 1], rest);
}

static inline void rig_ethernet(uint8_t *frame, const uint8_t to[6], const uint8_t from[6],
                                uint16_t type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
}

static const uint8_t rig_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t rig_host[6] = {0x02, 0, 0, 0, 0x99, 0x01};
static const uint8_t rig_mac_a[6] = {0x52, 0x54, 0, 0, 0, 0x01};
static const uint8_t rig_mac_b[6] = {0x52, 0x54, 0, 0, 0, 0x02};
