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
/* Which of them last brought this buffer; 0: none. */
static uint64_t sent_as[NET_REGION_BUFFERS_MAX];
static uint32_t looks; /* entries of client_free that may still be looked at in this pass */
static struct tally tally;
static struct net_stats *stats;

/* ---- what holds between two steps ---------------------------------------------------------- */

/* More frames have been sent than there will ever be; what holds of their numbers ends there. */
/*@ ghost int worn; */

/* An entry brings one buffer, and one that is yet to come has brought none. */
/*@ predicate copy_numbers = worn || (sent < 0x8000000000000000 &&
  @     (\forall integer b; 0 <= b < buffer_count ==> sent_as[b] <= sent) &&
  @     (\forall integer b, c; 0 <= b < c < buffer_count && sent_as[b] != 0 ==>
  @         sent_as[b] != sent_as[c]));
  @
  @ // The client has taken the entry that last brought it this buffer: it is not on its way.
  @ predicate copy_held(integer b) =
  @     worn || sent_as[b] + (uint32_t)(client_active.tail - client_active.head) <= sent;
  @ predicate copy_data =
  @     1 <= buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     1 <= dma_buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     \valid(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1)) &&
  @     \valid_read(dma + (0 .. dma_buffer_count * NET_BUFFER_SIZE - 1)) &&
  @     \separated(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1),
  @         dma + (0 .. dma_buffer_count * NET_BUFFER_SIZE - 1));
  @ predicate copy_rx =
  @     sddf_consumer_ok(rx_active) && sddf_consumer_slots(rx_active, net_queue_words) &&
  @     sddf_producer_ok(rx_free) && sddf_producer_slots(rx_free, net_queue_words);
  @ predicate copy_client =
  @     sddf_producer_ok(client_active) && sddf_producer_slots(client_active, net_queue_words) &&
  @     sddf_consumer_ok(client_free) && sddf_consumer_slots(client_free, net_queue_words);
  @ predicate copy_stats = tally_ok(tally) && tally_page(stats, 0);
  @ predicate copy_ok = copy_numbers && copy_data && copy_rx && copy_client && copy_stats;
  @*/

/* What a frame may change. */
#define COPY_NUMBERS sent, sent_as[..], worn
#define COPY_FRAME                                                                                 \
    client_active.head, client_active.tail, client_free.head, client_free.tail, looks, tally,      \
        COPY_NUMBERS, data[0..buffer_count * NET_BUFFER_SIZE - 1]

/* ---- one frame ----------------------------------------------------------------------------- */

/* Has the client taken the entry that last brought it this buffer? */
/*@ requires copy_numbers && sddf_producer_ok(client_active) && buffer < buffer_count;
  @ requires buffer_count <= NET_REGION_BUFFERS_MAX;
  @ assigns client_active.head;
  @ ensures sddf_producer_ok(client_active) && (\result ==> copy_held(buffer));
  @*/
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
/*@ requires copy_numbers && copy_client && tally_ok(tally);
  @ requires buffer_count <= NET_REGION_BUFFERS_MAX;
  @ assigns client_active.head, client_free.head, client_free.tail, looks, tally;
  @ ensures copy_client && tally_ok(tally);
  @ ensures \result == BUFFERS_NONE || (\result < buffer_count && copy_held(\result));
  @*/
static uint32_t client_buffer(void)
{
    struct net_entry entry;
    /*@ loop invariant copy_client && tally_ok(tally);
      @ loop assigns entry, client_active.head, client_free.head, client_free.tail, looks, tally;
      @ loop variant looks;
      @*/
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

/* A frame that lies in one buffer of the DMA region. */
/*@ predicate copy_arrived(struct net_entry e) =
  @     NET_FRAME_MIN <= e.length <= NET_FRAME_MAX &&
  @     e.address + e.length <= dma_buffer_count * NET_BUFFER_SIZE;
  @*/

/* The entry brings the client a frame in a buffer that it holds; from here on it does not. */
/*@ requires copy_numbers && copy_client && buffer < buffer_count <= NET_REGION_BUFFERS_MAX;
  @ requires held: copy_held(buffer);
  @ requires inside: buffer * NET_BUFFER_SIZE <= entry.address &&
  @     entry.address + entry.length <= (buffer + 1) * NET_BUFFER_SIZE;
  @ assigns client_active.head, client_active.tail, sent, sent_as[buffer], worn;
  @ ensures copy_numbers && copy_client;
  @*/
static bool client_give(uint32_t buffer, struct net_entry entry)
{
    if (!net_queue_enqueue(&client_active, entry)) {
        return false; /* it has taken back the room that it had given */
    }
    sent_as[buffer] = ++sent;
    /*@ ghost worn = worn || sent >= 0x8000000000000000; */
    return true;
}

/* Copies one frame, which lies in the DMA region, and hands it on; or drops it. */
/*@ requires copy_ok && \valid_read(arrived) && copy_arrived(*arrived);
  @ assigns COPY_FRAME;
  @ ensures copy_ok;
  @*/
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
    if (!client_give(buffer, entry)) {
        tally_add(&tally, NET_STAT_DROP_FULL, 1);
        return;
    }
    tally_add(&tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&tally, NET_STAT_RX_BYTES, arrived->length);
    tally_add(&tally, NET_STAT_COPIED_BYTES, arrived->length);
}

/*
 * True if it names a buffer, which then goes back, whatever becomes of the frame: whose it is is
 * virt_rx's account.
 */
/*@ requires copy_ok && \valid_read(entry);
  @ assigns COPY_FRAME;
  @ ensures copy_ok;
  @*/
static bool entry_take(const struct net_entry *entry)
{
    if (buffers_find(entry->address, dma_buffer_count) == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        return false;
    }
    enum net_stat fault = buffers_fault(entry);
    if (fault == NET_STAT_COUNT) {
        frame_hand_on(entry);
    } else {
        tally_add(&tally, fault, 1);
    }
    return true;
}

/* So many entries of virt_rx's; there is room to return as many. */
/*@ requires copy_ok && 1 <= entries <= BATCH;
  @ requires there: entries <= sddf_consumer_count(rx_active);
  @ requires room: entries <= sddf_producer_space(rx_free);
  @ assigns rx_active.head, rx_free.tail, COPY_FRAME;
  @ ensures copy_ok;
  @ ensures there: sddf_consumer_count(rx_active) ==
  @     \old(sddf_consumer_count(rx_active)) - entries;
  @ ensures room: sddf_producer_space(rx_free) >= \old(sddf_producer_space(rx_free)) - entries;
  @*/
static void batch_take(uint32_t entries)
{
    struct net_entry batch[BATCH];
    uint32_t back = 0;
    /*@ loop invariant 0 <= i <= entries;
      @ loop assigns i, batch[0 .. BATCH - 1];
      @ loop variant entries - i;
      @*/
    for (uint32_t i = 0; i < entries; i++) {
        net_queue_get(&rx_active, i, &batch[i]);
        if (batch[i].address < (uint64_t)dma_buffer_count * NET_BUFFER_SIZE) {
            __builtin_prefetch(dma + batch[i].address);
            __builtin_prefetch(dma + batch[i].address + SDDF_CACHE_LINE);
        }
    }
    sddf_queue_consume(&rx_active, entries);
    /*@ loop invariant copy_ok && 0 <= back <= i <= entries;
      @ loop assigns i, back, COPY_FRAME;
      @ loop variant entries - i;
      @*/
    for (uint32_t i = 0; i < entries; i++) {
        if (entry_take(&batch[i])) {
            net_queue_set(&rx_free, back, (struct net_entry){.address = batch[i].address});
            back++;
        }
    }
    sddf_queue_produce(&rx_free, back);
}

/* At most what virt_rx's queue holds. True: there is more already. */
/*@ requires copy_ok;
  @ assigns rx_active.head, rx_active.tail, rx_free.head, rx_free.tail, COPY_FRAME;
  @ ensures copy_ok;
  @*/
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
    /*@ loop invariant copy_ok;
      @ loop invariant there: left <= sddf_consumer_count(rx_active);
      @ loop invariant room: left <= sddf_producer_space(rx_free);
      @ loop assigns left, rx_active.head, rx_free.tail, COPY_FRAME;
      @ loop variant left;
      @*/
    while (left > 0) {
        uint32_t entries = setup_min(left, BATCH);
        batch_take(entries);
        left -= entries;
    }
    return !sddf_queue_request_signal(&rx_active) && !stuck;
}

/* The end of a pass: hands everything over, once, and counts. True: the client wants a signal. */
/*@ requires copy_ok;
  @ assigns rx_free, client_active, tally;
  @ ensures copy_ok;
  @*/
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

/* ---- start --------------------------------------------------------------------------------- */

/* What the configuration names is memory, of the size that it says; the two regions are apart. */
/*@ predicate copy_config_memory(struct net_copy_config c) =
  @     \valid_read((uint8_t *)c.dma.vaddr + (0 .. c.dma.size - 1)) &&
  @     \valid((uint8_t *)c.data.vaddr + (0 .. c.data.size - 1)) &&
  @     \separated((uint8_t *)c.dma.vaddr + (0 .. c.dma.size - 1),
  @         (uint8_t *)c.data.vaddr + (0 .. c.data.size - 1)) &&
  @     (c.stats.size >= 16 + sizeof(struct net_stats_row) ==>
  @         tally_page((struct net_stats *)c.stats.vaddr, 0)) &&
  @     setup_consumer_memory(c.rx.active) && setup_producer_memory(c.rx.free) &&
  @     setup_producer_memory(c.client.active) && setup_consumer_memory(c.client.free);
  @*/

/* The memory, and where to count. */
/*@ requires \valid_read(config) && copy_config_memory(*config);
  @ assigns dma, data, dma_buffer_count, buffer_count, stats;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> copy_data && tally_page(stats, 0) &&
  @     data == (uint8_t *)config->data.vaddr && buffer_count * NET_BUFFER_SIZE <=
  config->data.size;
  @*/
static const char *memory_start(const struct net_copy_config *config)
{
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
    return NULL;
}

/* Nothing has been sent but what a restarted one finds: that may still be on its way. */
/*@ requires buffer_count <= NET_REGION_BUFFERS_MAX;
  @ assigns COPY_NUMBERS;
  @ ensures copy_numbers && sent == (uint32_t)(client_active.tail - client_active.head);
  @*/
static void numbers_start(void)
{
    sent = client_active.tail - client_active.head;
    /*@ ghost worn = 0; */
    /*@ loop invariant 0 <= buffer <= buffer_count;
      @ loop invariant \forall integer b; 0 <= b < buffer ==> sent_as[b] == 0;
      @ loop assigns buffer, sent_as[..];
      @ loop variant buffer_count - buffer;
      @*/
    for (uint32_t buffer = 0; buffer < buffer_count; buffer++) {
        sent_as[buffer] = 0;
    }
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
/*@ requires \valid_read(config) && copy_config_memory(*config);
  @ assigns running, dma, data, dma_buffer_count, buffer_count, stats, tally, rx_active, rx_free,
  @     client_active, client_free, COPY_NUMBERS;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> copy_ok &&
  @     data == (uint8_t *)config->data.vaddr && buffer_count * NET_BUFFER_SIZE <=
  config->data.size;
  @ ensures !running;
  @*/
static const char *start(const struct net_copy_config *config)
{
    running = false;
    tally_start(&tally);
    const char *wrong = memory_start(config);
    if (wrong != NULL) {
        return wrong;
    }
    if (!setup_consumer(&rx_active, &config->rx.active) ||
        !setup_producer(&rx_free, &config->rx.free) ||
        !setup_producer(&client_active, &config->client.active) ||
        !setup_consumer(&client_free, &config->client.free)) {
        return "a queue";
    }
    numbers_start();
    return NULL;
}

/* ---- entry points -------------------------------------------------------------------------- */

/* True: the client wants a signal. */
/*@ requires copy_ok;
  @ assigns rx_active, rx_free, client_active, client_free, COPY_FRAME;
  @ ensures copy_ok;
  @*/
static bool serve(void)
{
    bool client_waits;
    bool more;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    /*@ loop invariant copy_ok;
      @ loop assigns client_waits, more, rx_active, rx_free, client_active, client_free, COPY_FRAME;
      @*/
    do {
        more = rx_return();
        client_waits = pass_end();
        if (client_waits && more) {
            microkit_notify(sddf_net_config.client.channel);
        }
    } while (more);
    return client_waits;
}

/*@ requires copy_config_memory(sddf_net_config);
  @ assigns running, dma, data, dma_buffer_count, buffer_count, stats, tally, looks, rx_active,
  @     rx_free, client_active, client_free, COPY_NUMBERS,
  @     ((uint8_t *)sddf_net_config.data.vaddr)[0 .. sddf_net_config.data.size - 1];
  @ ensures running ==> copy_ok;
  @*/
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

/*@ requires running ==> copy_ok;
  @ assigns rx_active, rx_free, client_active, client_free, COPY_FRAME;
  @ ensures running ==> copy_ok;
  @*/
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
