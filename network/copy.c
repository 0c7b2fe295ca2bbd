/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copier: carries one client's frames from the Rx DMA region, which the client cannot see,
 * into buffers of the client's own Rx data region.
 *
 *      virt_rx  active ---> rx_return ---> active  client
 *               free   <---           <--- free
 *
 * The DMA buffer goes back at once, whatever happens to the frame: a client that offers no buffer,
 * or does not take what it has, loses frames and holds nothing up. For the same reason nobody has
 * to tell the copier of new buffers: it looks for one when it has a frame.
 *
 * The client holds all of its buffers but those that are on the way to it. A buffer is taken from
 * its free queue only if the client has taken (released) the entry by which it last got it.
 */
#include <microkit.h>

#include "sddf/net.h"

#include "buffers.h"
#include "frame.h"
#include "setup.h"
#include "tally.h"

struct net_copy_config sddf_net_config;

/*
 * Where a frame begins in a client's buffer: the IP header begins a cache line. (For the speed of
 * the copy all places are alike, but for those a few bytes behind the source's modulo a page.)
 */
#define FRAME_PLACE (SDDF_CACHE_LINE - NET_FRAME_MIN)

_Static_assert(FRAME_PLACE + NET_FRAME_MAX <= NET_BUFFER_SIZE, "a frame fits behind its place");

/* Frames that are fetched ahead of their copy. */
#define BATCH 8

static bool running;
static const uint8_t *dma;
static uint8_t *data;
static uint32_t dma_buffer_count;
static uint32_t buffer_count;
static struct sddf_queue_consumer rx_active;
static struct sddf_queue_producer rx_free;
static struct sddf_queue_producer client_active;
static struct sddf_queue_consumer client_free;
static uint64_t sent; /* entries of client_active, from the first on */
static uint64_t
    sent_as[NET_REGION_BUFFERS_MAX]; /* which of them last brought this buffer; 0: none */
static uint32_t looks; /* entries of client_free that may still be looked at in this pass */
static struct tally tally;
static struct net_stats *stats;

/* Has the client taken the entry that last brought it this buffer? */
static bool client_holds(uint32_t buffer)
{
    uint64_t waiting = client_active.tail - client_active.head;
    if (sent_as[buffer] + waiting > sent) {
        /* Not as far as we knew: look again. */
        sddf_queue_producer_refresh(&client_active);
        waiting = client_active.tail - client_active.head;
    }
    return sent_as[buffer] + waiting <= sent;
}

/* The next buffer that the client offers and holds, or BUFFERS_NONE. */
static uint32_t client_buffer(void)
{
    struct net_entry entry;
    while (looks > 0 && net_queue_dequeue(&client_free, &entry)) {
        looks--;
        uint32_t buffer = buffers_find(entry.address, buffer_count);
        if (buffer == BUFFERS_NONE) {
            tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        } else if (!client_holds(buffer)) {
            tally_add(&tally, NET_STAT_REFUSED_OWNER, 1);
        } else {
            return buffer;
        }
    }
    return BUFFERS_NONE;
}

/* Copies one frame, which lies in the DMA region, and hands it on; or drops it. */
static void frame_hand_on(const struct net_entry *arrived)
{
    if (sddf_queue_space(&client_active, 1) == 0) {
        tally_add(&tally, NET_STAT_DROP_FULL, 1);
        return;
    }
    uint32_t buffer = client_buffer();
    if (buffer == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_DROP_NO_BUFFER, 1);
        return;
    }
    struct net_entry entry = {
        .address = (uint64_t)buffer * NET_BUFFER_SIZE + FRAME_PLACE,
        .length = arrived->length,
        .flags = arrived->flags & NET_CSUM_VERIFIED,
    };
    frame_copy(data + entry.address, dma + arrived->address, arrived->length);
    net_queue_enqueue(&client_active, entry);
    sent_as[buffer] = ++sent;
    tally_add(&tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&tally, NET_STAT_RX_BYTES, arrived->length);
    tally_add(&tally, NET_STAT_COPIED_BYTES, arrived->length);
}

/* Why a frame cannot be where virt_rx says; NET_STAT_COUNT if it can. */
static enum net_stat arrival_fault(const struct net_entry *entry)
{
    if (!buffers_length_ok(entry->length)) {
        return NET_STAT_REFUSED_LENGTH;
    }
    return buffers_inside_one(entry->address, entry->length) ? NET_STAT_COUNT
                                                             : NET_STAT_REFUSED_ADDRESS;
}

/*
 * So many entries of virt_rx's; there is room to return as many. Whose buffer it is is virt_rx's
 * account; what lies in the region goes back.
 */
static void batch_take(uint32_t entries)
{
    struct net_entry batch[BATCH];
    net_queue_dequeue_batch(&rx_active, batch, entries);
    for (uint32_t i = 0; i < entries; i++) {
        if (batch[i].address < (uint64_t)dma_buffer_count * NET_BUFFER_SIZE) {
            __builtin_prefetch(dma + batch[i].address);
            __builtin_prefetch(dma + batch[i].address + SDDF_CACHE_LINE);
        }
    }
    for (uint32_t i = 0; i < entries; i++) {
        if (buffers_find(batch[i].address, dma_buffer_count) == BUFFERS_NONE) {
            tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
            continue;
        }
        enum net_stat fault = arrival_fault(&batch[i]);
        if (fault == NET_STAT_COUNT) {
            frame_hand_on(&batch[i]);
        } else {
            tally_add(&tally, fault, 1);
        }
        struct net_entry empty = {.address = batch[i].address};
        net_queue_enqueue(&rx_free, empty);
    }
}

/* At most what virt_rx's queue holds. True: there is more already. */
static bool rx_return(void)
{
    uint32_t left = sddf_queue_available(&rx_active);
    uint32_t room = sddf_queue_space(&rx_free, left);
    if (room < left) {
        /*
         * virt_rx lends no more than it lets us give back; this one does not keep to that. What
         * there is no room for stays in its queue until it signals again.
         */
        left = room;
    }
    bool stuck = left == 0;
    /* One a frame, and some for an honest client's exceptions; rubbish costs its sender frames. */
    looks = left + BATCH;
    while (left > 0) {
        uint32_t entries = setup_min(left, BATCH);
        batch_take(entries);
        left -= entries;
    }
    return !sddf_queue_request_signal(&rx_active) && !stuck;
}

/* The end of a pass: hands everything over, once, and counts. True: the client wants a signal. */
static bool pass_end(void)
{
    if (sddf_queue_hand_over(&rx_free)) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
        microkit_notify(sddf_net_config.rx.channel);
    }
    sddf_queue_release(&client_free);
    bool client_waits = sddf_queue_hand_over(&client_active);
    if (client_waits) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
    }
    tally_flush(&tally, stats, 0);
    return client_waits;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_copy_config *config)
{
    running = false;
    sent = 0;
    memset(sent_as, 0, sizeof(sent_as));
    memset(&tally, 0, sizeof(tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_COPY, sizeof(*config))) {
        return "the header";
    }
    dma_buffer_count = config->dma_buffer_count;
    buffer_count = config->buffer_count;
    if (!buffers_region_ok(&config->dma, dma_buffer_count)) {
        return "the Rx DMA region";
    }
    if (!buffers_region_ok(&config->data, buffer_count)) {
        return "the Rx data region";
    }
    dma = (const uint8_t *)(uintptr_t)config->dma.vaddr;
    data = (uint8_t *)(uintptr_t)config->data.vaddr;
    if (!tally_page_ok(&config->stats, 0)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_NET_COPY, 0);
    if (!setup_consumer(&rx_active, &config->rx.active) ||
        !setup_producer(&rx_free, &config->rx.free) ||
        !setup_producer(&client_active, &config->client.active) ||
        !setup_consumer(&client_free, &config->client.free)) {
        return "a queue";
    }
    /* Entries from before a restart may still be on their way to the client. */
    sent = client_active.tail - client_active.head;
    return NULL;
}

/* True: the client wants a signal. */
static bool serve(void)
{
    bool client_waits;
    bool more;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    do {
        more = rx_return();
        client_waits = pass_end();
        if (client_waits && more) {
            microkit_notify(sddf_net_config.client.channel);
        }
    } while (more);
    return client_waits;
}

void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    running = true;
    if (serve()) {
        microkit_notify(sddf_net_config.client.channel);
    }
}

void notified(microkit_channel ch)
{
    (void)ch; /* the client's signals say nothing that is not looked at anyway */
    if (!running) {
        return;
    }
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.client.channel);
    }
}
