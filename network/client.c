/* SPDX-License-Identifier: BSD-2-Clause */
/* See sddf/net_client.h. */
#include <microkit.h>

#include "sddf/net_client.h"

struct net_client_config sddf_net_config;

/* Where a buffer is, as far as this PD is concerned. */
enum place {
    AWAY = 0, /* with the neighbour */
    IN_USE,   /* received and not returned, or reserved and not sent */
    SPARE,    /* here, with no use for it: the next to be offered, or to be reserved */
};

struct buffers {
    uint8_t place[NET_CLIENT_BUFFERS_MAX];
    uint32_t spare[NET_CLIENT_BUFFERS_MAX]; /* a stack of those that are SPARE */
    uint32_t spare_count;
    uint32_t in_use;
    uint32_t count; /* in the region */
    uint64_t base;  /* what entries' addresses begin at */
};

static struct {
    struct sddf_queue_producer rx_free;
    struct sddf_queue_consumer rx_active;
    struct sddf_queue_consumer tx_free;
    struct sddf_queue_producer tx_active;
    uint8_t *rx_data;
    uint8_t *tx_data;
    struct buffers rx;
    struct buffers tx;
    uint64_t count[NET_STAT_COUNT];
    bool rare; /* some that are not counted for every packet have changed */
    struct net_stats *stats;
} client;

/* What is counted while all is well: these counters are published after every pass. */
#define OFTEN (NET_STAT_SIGNALS + 1)
_Static_assert(NET_STAT_RX_PACKETS < OFTEN && NET_STAT_RX_BYTES < OFTEN &&
                   NET_STAT_TX_PACKETS < OFTEN && NET_STAT_TX_BYTES < OFTEN &&
                   NET_STAT_COPIED_BYTES < OFTEN && NET_STAT_WAKEUPS < OFTEN,
               "and NET_STAT_TX_COPIED_BYTES; all others are rare");

static void count_rare(enum net_stat stat)
{
    client.count[stat]++;
    client.rare = true;
}

/*
 * Takes over the buffer that a neighbour's entry names. False if the address is outside the
 * region, or if the buffer is here already: then the neighbour has made it up.
 */
static inline bool accept(struct buffers *b, uint64_t address, uint32_t *buffer)
{
    const uint64_t offset = address - b->base;
    if (offset / NET_BUFFER_SIZE >= b->count) {
        count_rare(NET_STAT_REFUSED_ADDRESS);
        return false;
    }
    *buffer = (uint32_t)(offset / NET_BUFFER_SIZE);
    if (b->place[*buffer] != AWAY) {
        count_rare(NET_STAT_REFUSED_OWNER);
        return false;
    }
    b->place[*buffer] = IN_USE;
    b->in_use++;
    return true;
}

static struct net_entry empty_entry(const struct buffers *b, uint32_t buffer)
{
    return (struct net_entry){.address = b->base + (uint64_t)buffer * NET_BUFFER_SIZE};
}

/* IN_USE to SPARE. False if it is not in use: the caller's mistake. */
static bool put_aside(struct buffers *b, uint32_t buffer)
{
    if (buffer >= b->count || b->place[buffer] != IN_USE) {
        count_rare(NET_STAT_REFUSED_OWNER);
        return false;
    }
    b->place[buffer] = SPARE;
    b->in_use--;
    b->spare[b->spare_count++] = buffer; /* each buffer is here once at most */
    return true;
}

void net_client_count(enum net_stat stat, uint64_t n)
{
    client.count[stat] += n;
    client.rare |= stat >= OFTEN && stat != NET_STAT_TX_COPIED_BYTES && n != 0;
}

uint64_t net_client_counted(enum net_stat stat)
{
    return client.count[stat];
}

/* ---- receive ------------------------------------------------------------------------------- */

/* Offers spare buffers to the copier, as far as there is room. */
static void rx_provide(void)
{
    struct buffers *b = &client.rx;
    while (b->spare_count > 0) {
        uint32_t buffer = b->spare[b->spare_count - 1];
        if (!net_queue_enqueue(&client.rx_free, empty_entry(b, buffer))) {
            return; /* the copier's head is behind; the next flush tries again */
        }
        b->spare_count--;
        b->place[buffer] = AWAY;
    }
}

enum net_receive net_client_receive(struct net_frame *frame)
{
    struct net_entry entry;
    if (!net_queue_dequeue(&client.rx_active, &entry)) {
        return NET_RECEIVE_EMPTY;
    }
    uint32_t buffer;
    if (!accept(&client.rx, entry.address, &buffer)) {
        return NET_RECEIVE_REFUSED;
    }
    uint64_t offset = entry.address - client.rx.base;
    if (entry.length < NET_FRAME_MIN || entry.length > NET_FRAME_MAX ||
        entry.length > NET_BUFFER_SIZE - offset % NET_BUFFER_SIZE) {
        count_rare(NET_STAT_REFUSED_LENGTH);
        put_aside(&client.rx, buffer); /* the frame makes no sense, but the buffer is ours */
        return NET_RECEIVE_REFUSED;
    }
    client.count[NET_STAT_RX_PACKETS]++;
    client.count[NET_STAT_RX_BYTES] += entry.length;
    frame->data = client.rx_data + offset;
    frame->buffer = buffer;
    frame->length = entry.length;
    frame->flags = entry.flags & NET_CSUM_VERIFIED;
    return NET_RECEIVE_FRAME;
}

void net_client_return(uint32_t buffer)
{
    put_aside(&client.rx, buffer); /* until the next flush, for the copier does not see it before */
}

uint32_t net_client_held(void)
{
    return client.rx.in_use;
}

/* ---- transmit ------------------------------------------------------------------------------ */

uint32_t net_client_can_send(void)
{
    const uint32_t buffers = client.tx.spare_count + sddf_queue_available(&client.tx_free);
    const uint32_t space = sddf_queue_space(&client.tx_active, buffers);
    return buffers < space ? buffers : space;
}

/* A Tx buffer to use: one put aside earlier, or the next that virt_tx has given back. */
static bool tx_take(uint32_t *buffer)
{
    struct buffers *b = &client.tx;
    if (b->spare_count > 0) {
        *buffer = b->spare[--b->spare_count];
        b->place[*buffer] = IN_USE;
        b->in_use++;
        return true;
    }
    /* virt_tx may have sent rubbish, but no more of it in one go than its queue holds. */
    struct net_entry entry;
    for (uint32_t budget = client.tx_free.capacity; budget > 0; budget--) {
        if (!net_queue_dequeue(&client.tx_free, &entry)) {
            return false;
        }
        if (accept(b, entry.address, buffer)) {
            return true;
        }
    }
    return false;
}

uint8_t *net_client_reserve(uint32_t *buffer)
{
    if (sddf_queue_space(&client.tx_active, 1) == 0 || !tx_take(buffer)) {
        return NULL;
    }
    return client.tx_data + (uint64_t)*buffer * NET_BUFFER_SIZE;
}

void net_client_unreserve(uint32_t buffer)
{
    put_aside(&client.tx, buffer);
}

void net_client_send(uint32_t buffer, uint16_t length, uint16_t flags, uint16_t csum_start,
                     uint16_t csum_offset)
{
    if (buffer >= client.tx.count || client.tx.place[buffer] != IN_USE) {
        count_rare(NET_STAT_REFUSED_OWNER);
        return;
    }
    struct net_entry entry = empty_entry(&client.tx, buffer);
    entry.length = length;
    entry.flags = flags;
    entry.csum_start = csum_start;
    entry.csum_offset = csum_offset;
    if (!net_queue_enqueue(&client.tx_active, entry)) {
        /* Several were reserved at once, and there was room for the first of them only. */
        count_rare(NET_STAT_DROP_FULL);
        put_aside(&client.tx, buffer);
        return;
    }
    client.tx.place[buffer] = AWAY;
    client.tx.in_use--;
    client.count[NET_STAT_TX_PACKETS]++;
    client.count[NET_STAT_TX_BYTES] += length;
}

/* ---- passes -------------------------------------------------------------------------------- */

static void publish_statistics(void)
{
    if (client.stats == NULL) {
        return;
    }
    struct net_stats_row *row = &client.stats->row[0];
    const unsigned first = client.rare ? NET_STAT_COUNT : OFTEN;
    for (unsigned i = 0; i < first; i++) {
        sddf_store_relaxed_u64(&row->count[i], client.count[i]);
    }
    sddf_store_relaxed_u64(&row->count[NET_STAT_TX_COPIED_BYTES],
                           client.count[NET_STAT_TX_COPIED_BYTES]);
    client.rare = false;
}

/* Publishes, if there is anything new. True: the consumer wants a signal. */
static bool hand_over(struct sddf_queue_producer *q)
{
    if (q->published != q->tail) {
        sddf_queue_publish(q);
    }
    const bool wanted = sddf_queue_needs_signal(q);
    client.count[NET_STAT_SIGNALS] += wanted;
    return wanted;
}

void net_client_flush(void)
{
    /* Read slots and empty buffers first: virt_tx, once notified, runs before we go on. */
    rx_provide();
    sddf_queue_release(&client.rx_active);
    sddf_queue_release(&client.tx_free);
    if (hand_over(&client.rx_free)) {
        microkit_notify(sddf_net_config.rx.channel);
    }
    const bool send = hand_over(&client.tx_active);
    publish_statistics();
    if (send && sddf_queue_available(&client.rx_active) != 0) {
        microkit_notify(sddf_net_config.tx.channel); /* there is more to do: let it begin */
    } else if (send) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.tx.channel);
    }
}

bool net_client_idle(bool want_tx)
{
    bool idle = sddf_queue_request_signal(&client.rx_active);
    if (want_tx) {
        idle = sddf_queue_request_signal(&client.tx_free) && idle;
    }
    return idle;
}

bool net_client_idle_until_send(void)
{
    /* Buffers without room to send one: virt_tx has not looked, and comes back with more. */
    return sddf_queue_request_signal(&client.tx_free) ||
           sddf_queue_space(&client.tx_active, 1) == 0;
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
    client.stats = at(region->vaddr);
    if (client.stats == NULL) {
        return;
    }
    for (unsigned i = 0; i < NET_STAT_COUNT; i++) {
        /* After a restart the counters go on. */
        client.count[i] = sddf_load_relaxed_u64(&client.stats->row[0].count[i]);
    }
    sddf_store_relaxed_u32(&client.stats->role, SDDF_ROLE_NET_CLIENT);
    sddf_store_relaxed_u32(&client.stats->rows, 0);
    sddf_store_relaxed_u32(&client.stats->columns, NET_STAT_COUNT);
    sddf_store_release_u32(&client.stats->magic, NET_STATS_MAGIC);
}

/*
 * After a restart: what lies in a queue is with the copier, or on its way from there, and must not
 * be offered a second time. (One that the copier fills just now is in neither queue. It refuses the
 * second offer until the frame is taken; after that, one frame may overwrite another.)
 */
static void mark_queued(struct buffers *b, const sddf_atomic_u64 *entries, uint32_t from,
                        uint32_t count, uint32_t capacity)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (from + i) & (capacity - 1);
        uint64_t address = sddf_load_relaxed_u64(&entries[(size_t)slot * net_queue_words]);
        uint64_t buffer = (address - b->base) / NET_BUFFER_SIZE;
        if (buffer < b->count) {
            b->place[buffer] = AWAY;
        }
    }
}

/*
 * Buffers that are ours at the start, but for those that lie in a queue. (In the order of the two
 * queues: a buffer that the neighbour takes out of the first meanwhile is in neither later.)
 */
static void buffers_start(struct buffers *b, struct sddf_queue_producer *given,
                          struct sddf_queue_consumer *coming)
{
    for (uint32_t buffer = 0; buffer < b->count; buffer++) {
        b->place[buffer] = SPARE;
    }
    uint32_t waiting = given->capacity - sddf_queue_space(given, given->capacity);
    mark_queued(b, given->own->entries, given->tail - waiting, waiting, given->capacity);
    uint32_t entries = sddf_queue_available(coming);
    mark_queued(b, coming->peer->entries, coming->head, entries, coming->capacity);
    /* The last first: spares are a stack, and buffer 0 is to be the first that is used. */
    for (uint32_t buffer = b->count; buffer-- > 0;) {
        if (b->place[buffer] == SPARE) {
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
    memset(&client, 0, sizeof(client)); /* a restarted PD finds its old values here */
    const struct net_pair_config *rx = &config->rx, *tx = &config->tx;
    net_queue_producer_attach(&client.rx_free, at(rx->free.producer), at(rx->free.consumer),
                              rx->free.capacity);
    net_queue_consumer_attach(&client.rx_active, at(rx->active.consumer), at(rx->active.producer),
                              rx->active.capacity);
    net_queue_consumer_attach(&client.tx_free, at(tx->free.consumer), at(tx->free.producer),
                              tx->free.capacity);
    net_queue_producer_attach(&client.tx_active, at(tx->active.producer), at(tx->active.consumer),
                              tx->active.capacity);
    client.rx_data = at(config->rx_data.vaddr);
    client.tx_data = at(config->tx_data.vaddr);
    client.rx.count = config->rx_buffer_count;
    client.tx.count = config->tx_buffer_count;
    client.rx.base = config->rx_data.io_address;
    client.tx.base = config->tx_data.io_address;
    attach_statistics(&config->stats);

    if (config->rx_lent == 0) {
        buffers_start(&client.rx, &client.rx_free, &client.rx_active);
    }
    if (config->tx_own != 0) {
        buffers_start(&client.tx, &client.tx_active, &client.tx_free);
    }
    net_client_flush();
    return true;
}
