/* SPDX-License-Identifier: BSD-2-Clause */
/* See stubs.h. */
#include "verify/spin/stubs.h"

#include <stdio.h>
#include <stdlib.h>

const uint8_t stub_mac[4][6] = {{0x52, 0x54, 0, 0, 0, 1},
                                {0x52, 0x54, 0, 0, 0, 2},
                                {0x02, 0, 0, 0, 0x99, 1},
                                {0x52, 0x54, 0, 0, 0, 9}};

void stub_write(uint8_t *buffer, unsigned to, unsigned from, unsigned number)
{
    memcpy(buffer, stub_mac[to], 6);
    memcpy(buffer + 6, stub_mac[from], 6);
    buffer[12] = 0x88;
    buffer[13] = 0xb5;
    buffer[14] = (uint8_t)number;
    buffer[15] = (uint8_t)~number;
}

unsigned stub_read(const uint8_t *buffer, unsigned length, unsigned to)
{
    if (length != STUB_LENGTH || memcmp(buffer, stub_mac[to], 6) != 0 || buffer[12] != 0x88 ||
        (buffer[14] ^ buffer[15]) != 0xff || buffer[14] >= STUB_PACKETS) {
        return STUB_PACKETS;
    }
    return buffer[14];
}

/* ---- memory ------------------------------------------------------------------------------------
 */

enum { POOL = 96 << 10 };
unsigned char stub_io[POOL] __attribute__((aligned(4096)));
static size_t used;

static void *allot(size_t size, size_t align)
{
    used = (used + align - 1) / align * align;
    void *memory = &stub_io[used];
    used += size;
    if (used > POOL) {
        fprintf(stderr, "stubs: the pool is too small\n");
        exit(2);
    }
    return memory;
}

static struct sddf_queue_config stub_queue(uint32_t capacity)
{
    const size_t producer = sddf_queue_producer_size(capacity, net_queue_words);
    const size_t consumer = sddf_queue_consumer_size();
    struct sddf_queue_config queue = {
        .producer = (uintptr_t)allot(producer, 64),
        .consumer = (uintptr_t)allot(consumer, 64),
        .capacity = capacity,
    };
    world_memory((void *)(uintptr_t)queue.producer, (unsigned)producer);
    world_memory((void *)(uintptr_t)queue.consumer, (unsigned)consumer);
    return queue;
}

struct net_pair_config stub_pair(uint32_t free, uint32_t active, uint8_t channel)
{
    return (struct net_pair_config){stub_queue(free), stub_queue(active), channel, {0}};
}

static void join(const struct sddf_queue_config *queue, unsigned pd, unsigned channel)
{
    const struct sddf_queue_producer_region *p = (const void *)(uintptr_t)queue->producer;
    const struct sddf_queue_consumer_region *c = (const void *)(uintptr_t)queue->consumer;
    world_joint(pd, channel, &p->tail, &c->mark);
}

void stub_join(const struct net_pair_config *pair, unsigned active, unsigned active_channel,
               unsigned free, unsigned free_channel)
{
    join(&pair->active, active, active_channel);
    join(&pair->free, free, free_channel);
}

struct sddf_region_config stub_data(uint32_t buffers)
{
    unsigned char *data = allot((size_t)buffers * NET_BUFFER_SIZE, NET_BUFFER_SIZE);
    for (uint32_t i = 0; i < buffers; i++) {
        world_memory(data + (size_t)i * NET_BUFFER_SIZE, STUB_DATA);
    }
    return (struct sddf_region_config){(uintptr_t)data, (uint64_t)buffers * NET_BUFFER_SIZE,
                                       (uint64_t)(data - stub_io)};
}

/* Written and never read: no part of the state. */
struct sddf_region_config stub_stats(void)
{
    static struct net_stats stats[WORLD_PDS];
    static unsigned n;
    return (struct sddf_region_config){(uintptr_t)&stats[n++ % WORLD_PDS], sizeof(stats[0]), 0};
}

unsigned stub_waiting(const struct sddf_queue_config *queue)
{
    const struct sddf_queue_producer_region *p = (const void *)(uintptr_t)queue->producer;
    const struct sddf_queue_consumer_region *c = (const void *)(uintptr_t)queue->consumer;
    return p->tail - c->head;
}

void stub_see(struct stub_account *account, unsigned buffer)
{
    account->wrong |= buffer >= 32 || (account->seen >> buffer & 1) != 0;
    account->seen |= 1u << buffer % 32;
}

static void see_queue(struct stub_account *account, const struct sddf_queue_config *queue,
                      uint64_t first, unsigned buffers)
{
    const struct sddf_queue_producer_region *p = (const void *)(uintptr_t)queue->producer;
    const struct sddf_queue_consumer_region *c = (const void *)(uintptr_t)queue->consumer;
    for (uint32_t i = c->head; i != p->tail; i++) {
        const uint64_t address = p->entries[(size_t)(i & (queue->capacity - 1)) * net_queue_words];
        if (buffers == 0 || address - first < (uint64_t)buffers * NET_BUFFER_SIZE) {
            stub_see(account, (unsigned)((address - first) / NET_BUFFER_SIZE));
        }
    }
}

void stub_see_pair(struct stub_account *account, const struct net_pair_config *pair, uint64_t first)
{
    stub_see_own(account, pair, first, 0);
}

void stub_see_own(struct stub_account *account, const struct net_pair_config *pair, uint64_t first,
                  unsigned buffers)
{
    see_queue(account, &pair->free, first, buffers);
    see_queue(account, &pair->active, first, buffers);
}

const char *stub_account_wrong(const struct stub_account *account, unsigned buffers)
{
    return account->wrong                         ? "a buffer is in two places"
           : account->seen != (1u << buffers) - 1 ? "a buffer is lost"
                                                  : NULL;
}

static void attach_consumer(struct sddf_queue_consumer *q, const struct sddf_queue_config *config)
{
    net_queue_consumer_attach(q, (void *)(uintptr_t)config->consumer,
                              (const void *)(uintptr_t)config->producer, config->capacity);
}

static void attach_producer(struct sddf_queue_producer *q, const struct sddf_queue_config *config)
{
    net_queue_producer_attach(q, (void *)(uintptr_t)config->producer,
                              (const void *)(uintptr_t)config->consumer, config->capacity);
}

/* ---- the source --------------------------------------------------------------------------------
 */

struct stub_source stub_source STUB_STATE = {.packets = 0};

void stub_source_init(void)
{
    attach_consumer(&stub_source.free, &stub_source.rx.free);
    attach_producer(&stub_source.active, &stub_source.rx.active);
    stub_source_notified(0);
}

void stub_source_fill(unsigned buffers)
{
    stub_source.own = (1u << buffers) - 1;
}

/* One that it has, or the next that it gets back. */
static bool source_buffer(struct stub_source *s, struct net_entry *entry)
{
    if (s->own != 0) {
        *entry = (struct net_entry){
            .address = (uint64_t)__builtin_ctz(s->own) * NET_BUFFER_SIZE,
        };
        s->own &= s->own - 1;
        return true;
    }
    return net_queue_dequeue(&s->free, entry);
}

/* Hands packets over one by one, for more orders of events. */
static void source_serve(struct stub_source *s)
{
    struct net_entry entry;
    while (s->offered < s->packets && sddf_queue_space(&s->active, 1) > 0 &&
           source_buffer(s, &entry)) {
        uint8_t *buffer = s->dma + entry.address;
        if (s->write != NULL) {
            entry.length = (uint16_t)s->write(buffer, s->to[s->offered], s->offered);
        } else {
            stub_write(buffer, s->to[s->offered], STUB_HOST, s->offered);
            entry.length = STUB_LENGTH;
        }
        net_queue_enqueue(&s->active, entry);
        s->offered++;
        /* Its slot first: there is always room for the buffers that are lent to come back. */
        sddf_queue_release(&s->free);
        sddf_queue_publish(&s->active);
        if (sddf_queue_needs_signal(&s->active)) {
            microkit_notify(s->rx.channel);
        }
    }
}

void stub_source_notified(unsigned channel)
{
    (void)channel;
    do {
        source_serve(&stub_source);
    } while (stub_source.offered < stub_source.packets &&
             !sddf_queue_request_signal(&stub_source.free));
}

/* ---- the sinks ----------------------------------------------------------------------------------
 */

struct stub_sink stub_sink[2] STUB_STATE = {{.me = 0}};

static void sink_serve(struct stub_sink *s)
{
    do {
        struct net_entry entry;
        while (net_queue_dequeue(&s->active, &entry)) {
            const unsigned number = (s->read != NULL ? s->read : stub_read)(s->data + entry.address,
                                                                            entry.length, s->me);
            if (number >= STUB_PACKETS || (s->me != STUB_HOST && (s->got >> number) != 0)) {
                world_fail("a packet is not its receiver's, not whole, or out of order");
            }
            s->got |= 1u << number;
            s->count++;
            if (!net_queue_enqueue(&s->free, entry)) {
                world_fail("there is no room for a buffer that goes back");
            }
        }
        sddf_queue_release(&s->active);
        sddf_queue_publish(&s->free);
        if (sddf_queue_needs_signal(&s->free)) {
            microkit_notify(s->pair.channel);
        }
    } while (!sddf_queue_request_signal(&s->active));
}

static void sink_init(struct stub_sink *s)
{
    attach_consumer(&s->active, &s->pair.active);
    attach_producer(&s->free, &s->pair.free);
    for (unsigned i = 0; i < s->own; i++) {
        net_queue_enqueue(&s->free, (struct net_entry){.address = (uint64_t)i * NET_BUFFER_SIZE});
    }
    sink_serve(s);
}

void stub_sink_init_0(void)
{
    sink_init(&stub_sink[0]);
}

void stub_sink_init_1(void)
{
    sink_init(&stub_sink[1]);
}

void stub_sink_notified_0(unsigned channel)
{
    (void)channel;
    sink_serve(&stub_sink[0]);
}

void stub_sink_notified_1(unsigned channel)
{
    (void)channel;
    sink_serve(&stub_sink[1]);
}
