/* SPDX-License-Identifier: BSD-2-Clause */
/* See sddf/net_client.h. */
#include <microkit.h>

#include "client_frame.h"

struct net_client_config sddf_net_config;
struct net_client net_client;

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void client_refuse(const struct client_buffers *b, uint64_t offset)
{
    const bool outside = offset / NET_BUFFER_SIZE >= b->count;
    client_count(outside ? NET_STAT_REFUSED_ADDRESS : NET_STAT_REFUSED_OWNER, 1);
}

void client_refuse_length(uint32_t buffer)
{
    client_count(NET_STAT_REFUSED_LENGTH, 1);
    client_put_aside(&net_client.rx, buffer); /* the frame makes no sense, but the buffer is ours */
}

uint8_t *client_reserve_spare(uint32_t *buffer)
{
    struct client_buffers *b = &net_client.tx;
    *buffer = b->spare[--b->spare_count];
    b->place[*buffer] = CLIENT_IN_USE;
    b->in_use++;
    return b->data + (uint64_t)*buffer * NET_BUFFER_SIZE;
}

uint8_t *client_reserve_next(uint32_t *buffer)
{
    struct client_buffers *b = &net_client.tx;
    struct net_entry entry;
    /* virt_tx may have sent rubbish, but no more of it in one go than its queue holds. */
    for (uint32_t budget = net_client.tx_free.capacity; budget > 0; budget--) {
        if (!net_queue_dequeue(&net_client.tx_free, &entry)) {
            return NULL;
        }
        const uint64_t offset = entry.address - b->base;
        if (client_accept(b, offset)) {
            *buffer = (uint32_t)(offset / NET_BUFFER_SIZE);
            return b->data + (uint64_t)*buffer * NET_BUFFER_SIZE;
        }
    }
    return NULL;
}

/* ---- one frame: see client_frame.h --------------------------------------------------------- */

void net_client_count(enum net_stat stat, uint64_t n)
{
    client_count(stat, n);
}

uint64_t net_client_counted(enum net_stat stat)
{
    return net_client.count[stat];
}

enum net_receive net_client_receive(struct net_frame *frame)
{
    return client_receive(frame);
}

void net_client_return(uint32_t buffer)
{
    client_return(buffer);
}

uint32_t net_client_held(void)
{
    return net_client.rx.in_use;
}

uint8_t *net_client_reserve(uint32_t *buffer)
{
    return client_reserve(buffer);
}

void net_client_unreserve(uint32_t buffer)
{
    client_unreserve(buffer);
}

void net_client_send(uint32_t buffer, uint16_t length, uint16_t flags, uint16_t csum_start,
                     uint16_t csum_offset)
{
    client_send(buffer, length, flags, csum_start, csum_offset);
}

uint32_t net_client_can_send(void)
{
    const uint32_t buffers = net_client.tx.spare_count + sddf_queue_available(&net_client.tx_free);
    const uint32_t space = sddf_queue_space(&net_client.tx_active, buffers);
    return buffers < space ? buffers : space;
}

/* ---- passes -------------------------------------------------------------------------------- */

static void publish(enum net_stat stat)
{
    sddf_store_relaxed_u64(&net_client.stats->row[0].count[stat], net_client.count[stat]);
}

static void publish_statistics(void)
{
    if (net_client.stats == NULL) {
        return;
    }
    publish(NET_STAT_RX_PACKETS);
    publish(NET_STAT_RX_BYTES);
    publish(NET_STAT_TX_PACKETS);
    publish(NET_STAT_TX_BYTES);
    publish(NET_STAT_TX_COPIED_BYTES);
    publish(NET_STAT_WAKEUPS);
    publish(NET_STAT_SIGNALS);
    for (unsigned i = 0; net_client.rare && i < NET_STAT_COUNT; i++) {
        publish((enum net_stat)i);
    }
    net_client.rare = false;
}

/* Offers spare buffers to the copier, as far as there is room: if there is none, the next time. */
static void rx_provide(void)
{
    struct client_buffers *b = &net_client.rx;
    const uint32_t left =
        b->spare_count - min(b->spare_count, sddf_queue_space(&net_client.rx_free, b->spare_count));
    while (b->spare_count > left) {
        const uint32_t buffer = b->spare[--b->spare_count];
        net_queue_enqueue(&net_client.rx_free, client_entry(b, buffer));
        b->place[buffer] = CLIENT_AWAY;
    }
}

/* Publishes what is new. True: the consumer wants a signal. */
static inline bool hand_over(struct sddf_queue_producer *q)
{
    const bool wanted = sddf_queue_hand_over(q);
    net_client.count[NET_STAT_SIGNALS] += wanted;
    return wanted;
}

void net_client_flush(void)
{
    /* Read slots and empty buffers first: virt_tx, once notified, runs before we go on. */
    sddf_queue_release(&net_client.rx_active);
    sddf_queue_release(&net_client.tx_free);
    rx_provide();
    if (hand_over(&net_client.rx_free)) {
        microkit_notify(sddf_net_config.rx.channel);
    }
    const bool send = hand_over(&net_client.tx_active);
    publish_statistics();
    if (send && sddf_queue_available(&net_client.rx_active) != 0) {
        microkit_notify(sddf_net_config.tx.channel); /* there is more to do: let it begin */
    } else if (send) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.tx.channel);
    }
}

bool net_client_idle(bool want_tx)
{
    bool idle = sddf_queue_request_signal(&net_client.rx_active);
    if (want_tx) {
        idle = sddf_queue_request_signal(&net_client.tx_free) && idle;
    }
    return idle;
}

bool net_client_idle_until_send(void)
{
    /* Buffers without room to send one: virt_tx has not looked, and comes back with more. */
    return sddf_queue_request_signal(&net_client.tx_free) ||
           sddf_queue_space(&net_client.tx_active, 1) == 0;
}

/* ---- start --------------------------------------------------------------------------------- */

static bool pair_ok(const struct net_pair_config *pair)
{
    return sddf_queue_capacity_ok(pair->free.capacity) &&
           sddf_queue_capacity_ok(pair->active.capacity);
}

static bool region_ok(const struct sddf_region_config *region, uint32_t buffers)
{
    return buffers > 0 && buffers <= NET_CLIENT_BUFFERS_MAX && region->vaddr != 0 &&
           region->size >= (uint64_t)buffers * NET_BUFFER_SIZE;
}

static bool config_ok(const struct net_client_config *config)
{
    return sddf_config_ok(&config->header, SDDF_ROLE_NET_CLIENT, sizeof(*config)) &&
           pair_ok(&config->rx) && pair_ok(&config->tx) &&
           region_ok(&config->rx_data, config->rx_buffer_count) &&
           region_ok(&config->tx_data, config->tx_buffer_count) &&
           (config->stats.vaddr == 0 || config->stats.size >= sizeof(struct net_stats));
}

static void *at(uint64_t vaddr)
{
    return (void *)(uintptr_t)vaddr;
}

static void attach_statistics(const struct sddf_region_config *region)
{
    net_client.stats = at(region->vaddr);
    if (net_client.stats == NULL) {
        return;
    }
    for (unsigned i = 0; i < NET_STAT_COUNT; i++) {
        /* After a restart the counters go on. */
        net_client.count[i] = sddf_load_relaxed_u64(&net_client.stats->row[0].count[i]);
    }
    sddf_store_relaxed_u32(&net_client.stats->role, SDDF_ROLE_NET_CLIENT);
    sddf_store_relaxed_u32(&net_client.stats->rows, 0);
    sddf_store_relaxed_u32(&net_client.stats->columns, NET_STAT_COUNT);
    sddf_store_release_u32(&net_client.stats->magic, NET_STATS_MAGIC);
}

/* What so many entries from this one on name is ours, or is not. */
static void place_queued(struct client_buffers *b, const sddf_atomic_u64 *entries, uint32_t from,
                         uint32_t count, uint32_t capacity, enum client_place place)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (from + i) & (capacity - 1);
        uint64_t address = sddf_load_relaxed_u64(&entries[(size_t)slot * net_queue_words]);
        uint64_t buffer = (address - b->base) / NET_BUFFER_SIZE;
        if (buffer < b->count) {
            b->place[buffer] = place;
        }
    }
}

/*
 * Where each buffer is, before the queues are attached. At the first start all are ours, or none.
 * After a restart our private records are as they were, and they say what no queue does: whether a
 * buffer that is in neither is with the neighbour, or had been taken. What was put into `given` and
 * not published is ours again.
 */
static void buffers_recall(struct client_buffers *b, uint32_t count, bool own,
                           const struct sddf_queue_producer *given,
                           const struct sddf_queue_config *config)
{
    const struct sddf_queue_producer_region *region = at(config->producer);
    const bool restarted = sddf_load_relaxed_u32(&region->header.epoch) != 0 && b->count == count;
    const enum client_place first = own ? CLIENT_SPARE : CLIENT_AWAY;
    b->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const enum client_place kept = b->place[i] == CLIENT_AWAY ? CLIENT_AWAY : CLIENT_SPARE;
        b->place[i] = restarted ? kept : first;
    }
    const uint32_t published = sddf_load_relaxed_u32(&region->tail);
    const uint32_t more = given->tail - published;
    if (restarted && more <= config->capacity) {
        place_queued(b, region->entries, published, more, config->capacity, CLIENT_SPARE);
    }
}

/* What lies in the queue `coming` is to be taken first. The rest that is ours is to be used. */
static void buffers_start(struct client_buffers *b, struct sddf_queue_consumer *coming)
{
    const uint32_t entries = sddf_queue_available(coming);
    place_queued(b, coming->peer->entries, coming->head, entries, coming->capacity, CLIENT_AWAY);
    b->in_use = b->spare_count = 0;
    /* The last first: spares are a stack, and buffer 0 is to be the first that is used. */
    for (uint32_t buffer = b->count; buffer-- > 0;) {
        if (b->place[buffer] == CLIENT_SPARE) {
            b->spare[b->spare_count++] = buffer;
        }
    }
}

bool net_client_init(void)
{
    const struct net_client_config *config = &sddf_net_config;
    if (!config_ok(config)) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": the network client's configuration does not match this program\n");
        return false;
    }
    const struct net_pair_config *rx = &config->rx, *tx = &config->tx;
    struct net_client *c = &net_client;
    c->rare = false;
    c->rx.data = at(config->rx_data.vaddr);
    c->tx.data = at(config->tx_data.vaddr);
    c->rx.base = config->rx_data.io_address;
    c->tx.base = config->tx_data.io_address;
    attach_statistics(&config->stats);

    buffers_recall(&c->rx, config->rx_buffer_count, config->rx_lent == 0, &c->rx_free, &rx->free);
    buffers_recall(&c->tx, config->tx_buffer_count, config->tx_own != 0, &c->tx_active,
                   &tx->active);
    net_queue_producer_attach(&c->rx_free, at(rx->free.producer), at(rx->free.consumer),
                              rx->free.capacity);
    net_queue_consumer_attach(&c->rx_active, at(rx->active.consumer), at(rx->active.producer),
                              rx->active.capacity);
    net_queue_consumer_attach(&c->tx_free, at(tx->free.consumer), at(tx->free.producer),
                              tx->free.capacity);
    net_queue_producer_attach(&c->tx_active, at(tx->active.producer), at(tx->active.consumer),
                              tx->active.capacity);
    buffers_start(&c->rx, &c->rx_active);
    buffers_start(&c->tx, &c->tx_free);
    net_client_flush();
    return true;
}
