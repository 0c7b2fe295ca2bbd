/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ARP component: answers "who has this IPv4 address?" for every client, so that a broadcast
 * need not wake any of them. (Unicast ARP, and answers to a client's own questions, go to the
 * client.)
 *
 *      virt_rx  active ---> rx_return: question -> answer ---> active  virt_tx
 *               free   <---                               <--- free
 *
 * An address in the description is its client's alone. A client without one (it asks DHCP) claims
 * what it got by a protected procedure: an address of its own subnet that nobody else has.
 */
#include <microkit.h>

#include "sddf/net.h"

#include "arp_addresses.h"
#include "arp_packet.h"
#include "buffers.h"
#include "frame.h"
#include "setup.h"
#include "tally.h"

struct net_arp_config sddf_net_config;

/* Passes, in one wake-up, over a queue that others keep filling: then a claim may have its turn. */
#ifndef PASSES_MAX
#define PASSES_MAX 4
#endif

static bool running;
static const uint8_t *dma;
static uint8_t *data;
static uint32_t dma_buffer_count;
static uint32_t buffer_count;
static struct sddf_queue_consumer rx_active;
static struct sddf_queue_producer rx_free;
static struct sddf_queue_producer tx_active;
static struct sddf_queue_consumer tx_free;
static struct tally tally;
static struct tally client_tally[NET_CLIENTS_MAX];
static struct net_stats *stats;

/* ---- what holds between two steps ---------------------------------------------------------- */

/* The buffer that virt_tx gave last, if it has not been given back yet; or BUFFERS_NONE. */
/*@ ghost uint32_t taken; */

/*@ predicate arp_data =
  @     1 <= buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     1 <= dma_buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     \valid(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1)) &&
  @     \valid_read(dma + (0 .. dma_buffer_count * NET_BUFFER_SIZE - 1));
  @ predicate arp_rx =
  @     sddf_consumer_ok(rx_active) && sddf_consumer_slots(rx_active, net_queue_words) &&
  @     sddf_producer_ok(rx_free) && sddf_producer_slots(rx_free, net_queue_words);
  @ predicate arp_tx =
  @     sddf_producer_ok(tx_active) && sddf_producer_slots(tx_active, net_queue_words) &&
  @     sddf_consumer_ok(tx_free) && sddf_consumer_slots(tx_free, net_queue_words);
  @ predicate arp_stats = tally_page(stats, client_count);
  @ predicate arp_tallies =
  @     \forall integer i; 0 <= i < client_count ==> tally_ok(client_tally[i]);
  @*/

/* All of it. The prover takes one by one. */
#define ARP_OK                                                                                     \
    arp_data &&arp_rx &&arp_tx &&arp_stats &&arp_tallies &&arp_addresses &&tally_ok(tally)

/* What an answer may change, and what a question. */
#define ARP_REPLIES                                                                                \
    tx_active.head, tx_active.tail, tx_free.head, tx_free.tail, tally, client_tally[..], taken,    \
        data[0..buffer_count * NET_BUFFER_SIZE - 1]
#define ARP_QUESTIONS rx_active.head, rx_active.tail, rx_free.head, rx_free.tail, ARP_REPLIES

/* ---- questions and answers ----------------------------------------------------------------- */

/* An empty buffer of ours, or BUFFERS_NONE. An offer that is none is refused, one a time. */
/*@ requires arp_tx && tally_ok(tally);
  @ assigns tx_free.head, tx_free.tail, tally, taken;
  @ ensures arp_tx && tally_ok(tally);
  @ ensures \result == taken && (\result == BUFFERS_NONE || \result < buffer_count);
  @*/
static uint32_t empty_buffer(void)
{
    struct net_entry entry;
    if (!net_queue_dequeue(&tx_free, &entry)) {
        tally_add(&tally, NET_STAT_DROP_NO_BUFFER, 1);
        /*@ ghost taken = BUFFERS_NONE; */
        return BUFFERS_NONE;
    }
    uint32_t buffer = buffers_find(entry.address, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
    }
    /*@ ghost taken = buffer; */
    return buffer;
}

/* The frame goes to virt_tx in the buffer that it gave last, which is its again. */
/*@ requires arp_data && arp_tx && \valid_read(frame + (0 .. ARP_FRAME_SIZE - 1));
  @ requires room: sddf_producer_space(tx_active) > 0;
  @ requires ours: buffer == taken && buffer < buffer_count;
  @ requires apart: \separated(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1),
  @     frame + (0 .. ARP_FRAME_SIZE - 1));
  @ assigns tx_active.head, tx_active.tail, taken, data[0 .. buffer_count * NET_BUFFER_SIZE - 1];
  @ ensures arp_tx && taken == BUFFERS_NONE;
  @*/
static void buffer_send(uint32_t buffer, const uint8_t *frame)
{
    struct net_entry entry = {
        .address = (uint64_t)buffer * NET_BUFFER_SIZE,
        .length = ARP_FRAME_SIZE,
    };
    frame_copy(data + entry.address, frame, ARP_FRAME_SIZE);
    net_queue_enqueue(&tx_active, entry);
    /*@ ghost taken = BUFFERS_NONE; */
}

/* An answer that says that an address is this client's, which it is, and in whose MAC it is. */
/*@ requires ARP_OK && client < client_count && \valid_read(frame + (0 .. ARP_FRAME_SIZE - 1));
  @ requires owner: address[client] != 0 &&
  @     ARP_ANSWER(frame, address[client], sddf_net_config.client[client].mac);
  @ requires apart: \separated(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1),
  @     frame + (0 .. ARP_FRAME_SIZE - 1));
  @ assigns ARP_REPLIES;
  @ ensures ARP_OK;
  @*/
static void answer_send(const uint8_t *frame, uint32_t client)
{
    if (sddf_queue_space(&tx_active, 1) == 0) {
        tally_add(&tally, NET_STAT_DROP_FULL, 1);
        return;
    }
    uint32_t buffer = empty_buffer();
    if (buffer == BUFFERS_NONE) {
        return;
    }
    buffer_send(buffer, frame);
    tally_add(&client_tally[client], NET_STAT_ARP_ANSWERS, 1);
    tally_add(&client_tally[client], NET_STAT_TX_PACKETS, 1);
    tally_add(&client_tally[client], NET_STAT_TX_BYTES, ARP_FRAME_SIZE);
}

/* Our own copy of the frame, in which nobody changes anything from here on. */
/*@ requires \valid_read(from + (0 .. ARP_FRAME_SIZE - 1));
  @ requires \valid(frame + (0 .. ARP_FRAME_SIZE - 1));
  @ assigns frame[0 .. ARP_FRAME_SIZE - 1];
  @*/
static void frame_read(uint8_t *frame, const uint8_t *from)
{
    /*@ loop invariant 0 <= i <= ARP_FRAME_SIZE;
      @ loop assigns i, frame[0 .. ARP_FRAME_SIZE - 1];
      @ loop variant ARP_FRAME_SIZE - i;
      @*/
    for (uint32_t i = 0; i < ARP_FRAME_SIZE; i++) {
        frame[i] = frame_read_u8(from + i);
    }
}

/* A frame that lies within one buffer of the DMA region. */
/*@ requires ARP_OK && \valid_read(entry);
  @ requires inside: entry->address + entry->length <= dma_buffer_count * NET_BUFFER_SIZE;
  @ assigns ARP_REPLIES;
  @ ensures ARP_OK;
  @*/
static void frame_consider(const struct net_entry *entry)
{
    tally_add(&tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&tally, NET_STAT_RX_BYTES, entry->length);
    if (entry->length < ARP_FRAME_SIZE) {
        tally_add(&tally, NET_STAT_DROP_MALFORMED, 1);
        return;
    }
    uint8_t frame[ARP_FRAME_SIZE];
    frame_read(frame, dma + entry->address);
    if (!packet_ok(frame)) {
        tally_add(&tally, NET_STAT_DROP_MALFORMED, 1);
        return;
    }
    uint32_t wanted = read_ipv4(frame + ARP_TPA);
    uint32_t client = client_of(wanted);
    /* Nobody asks for an address that they announce as their own. */
    if (read_be16(frame + ARP_OPER) != ARP_REQUEST || client == client_count ||
        read_ipv4(frame + ARP_SPA) == wanted) {
        return;
    }
    answer_make(frame, sddf_net_config.client[client].mac);
    answer_send(frame, client);
}

/* The buffer goes back, whatever becomes of the frame: whose it is is virt_rx's account. */
/*@ requires ARP_OK && \valid_read(entry);
  @ requires room: sddf_producer_space(rx_free) > 0;
  @ assigns rx_free.head, rx_free.tail, ARP_REPLIES;
  @ ensures ARP_OK;
  @ ensures room: sddf_producer_space(rx_free) >= \old(sddf_producer_space(rx_free)) - 1;
  @*/
static void entry_take(const struct net_entry *entry)
{
    if (buffers_find(entry->address, dma_buffer_count) == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        return;
    }
    enum net_stat fault = buffers_fault(entry);
    if (fault == NET_STAT_COUNT) {
        frame_consider(entry);
    } else {
        tally_add(&tally, fault, 1);
    }
    struct net_entry empty = {.address = entry->address};
    net_queue_enqueue(&rx_free, empty);
}

/* So many entries at most, and no more than can be given back. How many it were. */
/*@ requires ARP_OK;
  @ assigns ARP_QUESTIONS;
  @ ensures ARP_OK;
  @ ensures \result <= count;
  @*/
static uint32_t entries_take(uint32_t count)
{
    const uint32_t entries = setup_min(count, sddf_queue_space(&rx_free, count));
    struct net_entry entry;
    /*@ loop invariant ARP_OK && 0 <= i <= entries;
      @ loop invariant room: sddf_producer_space(rx_free) >= entries - i;
      @ loop assigns i, entry, ARP_QUESTIONS;
      @ loop variant entries - i;
      @*/
    for (uint32_t i = 0; i < entries && net_queue_dequeue(&rx_active, &entry); i++) {
        entry_take(&entry);
    }
    return entries;
}

/*
 * The last pass: asks for a signal behind what is there, and only then takes that, so whatever
 * comes meanwhile is another wake-up. Impossible while the queue is full, for an entry that it has
 * no room for will not come: false.
 */
/*@ requires ARP_OK;
  @ assigns ARP_QUESTIONS;
  @ ensures ARP_OK;
  @*/
static bool rx_return_last(void)
{
    sddf_queue_consumer_refresh(&rx_active);
    uint32_t count = sddf_queue_available(&rx_active);
    if (count == rx_active.capacity || !sddf_queue_request_signal_at(&rx_active, count + 1)) {
        return false;
    }
    entries_take(count);
    sddf_queue_release(&rx_active);
    return true;
}

/* At most what virt_rx's queue holds. True: there is more already. */
/*@ requires ARP_OK;
  @ assigns ARP_QUESTIONS;
  @ ensures ARP_OK;
  @*/
static bool rx_return(void)
{
    /* virt_rx lends no more than it takes back; if it does, it waits. */
    bool stuck = entries_take(sddf_queue_available(&rx_active)) == 0;
    return !sddf_queue_request_signal(&rx_active) && !stuck;
}

/* The end of a pass: hands everything over, once, and counts. */
/*@ requires ARP_OK;
  @ assigns rx_free, tx_active, tally, client_tally[..];
  @ ensures ARP_OK;
  @*/
static void pass_end(void)
{
    sddf_queue_publish(&rx_free);
    if (sddf_queue_needs_signal(&rx_free)) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
        microkit_notify(sddf_net_config.rx.channel);
    }
    sddf_queue_release(&tx_free);
    sddf_queue_publish(&tx_active);
    if (sddf_queue_needs_signal(&tx_active)) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
        microkit_notify(sddf_net_config.tx.channel);
    }
    /*@ loop invariant arp_tallies && 0 <= i <= client_count;
      @ loop assigns i, client_tally[..];
      @ loop variant client_count - i;
      @*/
    for (uint32_t i = 0; i < client_count; i++) {
        tally_flush(&client_tally[i], stats, i + 1);
    }
    tally_flush(&tally, stats, 0);
}

/* ---- claims -------------------------------------------------------------------------------- */

/* The client that claims on this channel, or client_count. */
/*@ requires client_count <= NET_CLIENTS_MAX;
  @ assigns \nothing;
  @ ensures \result == client_count ||
  @     (\result < client_count && sddf_net_config.client[\result].channel == ch);
  @*/
static uint32_t client_on(microkit_channel ch)
{
    uint32_t client = 0;
    /*@ loop invariant 0 <= client <= client_count;
      @ loop assigns client;
      @ loop variant client_count - client;
      @*/
    while (client < client_count && sddf_net_config.client[client].channel != ch) {
        client++;
    }
    return client;
}

/* Nobody's address changes but that of the client that calls, and to one that nobody else has. */
/*@ requires running ==> (ARP_OK);
  @ assigns address[..], tally, client_tally[..];
  @ ensures running ==> (ARP_OK);
  @ ensures others: \forall integer i; 0 <= i < NET_CLIENTS_MAX &&
  @     sddf_net_config.client[i].channel != ch ==> address[i] == \old(address[i]);
  @*/
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    uint32_t client = running ? client_on(ch) : client_count;
    if (client == client_count) {
        return microkit_msginfo_new(NET_ARP_REFUSED, 0);
    }
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    bool ok = microkit_msginfo_get_label(msginfo) == NET_ARP_CLAIM &&
              microkit_msginfo_get_count(msginfo) >= 2;
    uint64_t ipv4 = ok ? microkit_mr_get(0) : 0;
    if (ok && ipv4 != 0) {
        ok = claim_ok(client, &sddf_net_config.client[client], ipv4, microkit_mr_get(1));
    }
    if (ok) {
        address_set(client, (uint32_t)ipv4);
    } else {
        tally_add(&client_tally[client], NET_STAT_REFUSED_CLAIM, 1);
    }
    tally_flush(&client_tally[client], stats, client + 1);
    tally_flush(&tally, stats, 0);
    return microkit_msginfo_new(ok ? NET_ARP_OK : NET_ARP_REFUSED, 0);
}

/* ---- start --------------------------------------------------------------------------------- */

/* What the configuration names is memory, of the size that it says. */
/*@ predicate arp_config_memory(struct net_arp_config c) =
  @     \valid_read((uint8_t *)c.dma.vaddr + (0 .. c.dma.size - 1)) &&
  @     \valid((uint8_t *)c.data.vaddr + (0 .. c.data.size - 1)) &&
  @     (c.client_count <= NET_CLIENTS_MAX &&
  @         c.stats.size >= 16 + (c.client_count + 1) * sizeof(struct net_stats_row) ==>
  @         tally_page((struct net_stats *)c.stats.vaddr, c.client_count)) &&
  @     setup_consumer_memory(c.rx.active) && setup_producer_memory(c.rx.free) &&
  @     setup_producer_memory(c.tx.active) && setup_consumer_memory(c.tx.free);
  @*/

/* The memory, and where to count. */
/*@ requires \valid_read(config) && arp_config_memory(*config);
  @ requires config->client_count <= NET_CLIENTS_MAX && client_count == config->client_count;
  @ assigns dma, data, dma_buffer_count, buffer_count, stats;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> arp_data && tally_page(stats, client_count) &&
  @     data == (uint8_t *)config->data.vaddr &&
  @     buffer_count * NET_BUFFER_SIZE <= config->data.size;
  @*/
static const char *memory_start(const struct net_arp_config *config)
{
    dma_buffer_count = config->dma_buffer_count;
    buffer_count = config->buffer_count;
    if (!buffers_region_ok(&config->dma, dma_buffer_count)) {
        return "the Rx DMA region";
    }
    if (!buffers_region_ok(&config->data, buffer_count)) {
        return "the Tx data region";
    }
    dma = (const uint8_t *)(uintptr_t)config->dma.vaddr;
    data = (uint8_t *)(uintptr_t)config->data.vaddr;
    if (!tally_page_ok(&config->stats, client_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_NET_ARP, client_count);
    return NULL;
}

/* Nothing has been counted. */
/*@ assigns tally, client_tally[..];
  @ ensures tally_ok(tally);
  @ ensures \forall integer i; 0 <= i < NET_CLIENTS_MAX ==> tally_ok(client_tally[i]);
  @*/
static void tallies_start(void)
{
    tally_start(&tally);
    /*@ loop invariant 0 <= i <= NET_CLIENTS_MAX;
      @ loop invariant \forall integer c; 0 <= c < i ==> tally_ok(client_tally[c]);
      @ loop assigns i, client_tally[..];
      @ loop variant NET_CLIENTS_MAX - i;
      @*/
    for (uint32_t i = 0; i < NET_CLIENTS_MAX; i++) {
        tally_start(&client_tally[i]);
    }
}

/* The clients' addresses; those that claim theirs have none yet. */
/*@ requires \valid_read(config) && config->client_count <= NET_CLIENTS_MAX;
  @ assigns client_count, address[..];
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures arp_addresses && client_count == config->client_count;
  @*/
static const char *clients_start(const struct net_arp_config *config)
{
    addresses_start(config->client_count);
    /*@ loop invariant 0 <= i <= client_count && arp_addresses;
      @ loop assigns i, address[..];
      @ loop variant client_count - i;
      @*/
    for (uint32_t i = 0; i < client_count; i++) {
        if (config->client[i].prefix > 32) {
            return "a prefix";
        }
        if (config->client[i].channel != SDDF_NO_CHANNEL) {
            continue;
        }
        if (client_of(config->client[i].ipv4) != client_count) {
            return "an address";
        }
        address_set(i, config->client[i].ipv4);
    }
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
/*@ requires \valid_read(config) && arp_config_memory(*config);
  @ assigns running, dma, data, dma_buffer_count, buffer_count, stats, tally, client_tally[..],
  @     client_count, address[..], rx_active, rx_free, tx_active, tx_free;
  @ ensures wrong: \result == \null || \valid_read(\result);
  @ ensures right: \result == \null ==> (ARP_OK) &&
  @     data == (uint8_t *)config->data.vaddr &&
  @     buffer_count * NET_BUFFER_SIZE <= config->data.size;
  @ ensures !running;
  @*/
static const char *start(const struct net_arp_config *config)
{
    running = false;
    tallies_start();
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_ARP, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    const char *wrong = clients_start(config);
    if (wrong == NULL) {
        wrong = memory_start(config);
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (!setup_consumer(&rx_active, &config->rx.active) ||
        !setup_producer(&rx_free, &config->rx.free) ||
        !setup_producer(&tx_active, &config->tx.active) ||
        !setup_consumer(&tx_free, &config->tx.free)) {
        return "a queue";
    }
    return NULL;
}

/* ---- the other entry points ---------------------------------------------------------------- */

/*@ requires ARP_OK;
  @ assigns rx_active, rx_free, tx_active, tx_free, ARP_REPLIES;
  @ ensures ARP_OK;
  @*/
static void serve(void)
{
    bool more;
    uint32_t passes = 0;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    /*@ loop invariant ARP_OK;
      @ loop assigns more, passes, rx_active, rx_free, tx_active, tx_free, ARP_REPLIES;
      @*/
    do {
        more = passes++ < PASSES_MAX || !rx_return_last();
        more = more && rx_return();
        pass_end();
    } while (more);
}

/*@ requires arp_config_memory(sddf_net_config);
  @ assigns running, dma, data, dma_buffer_count, buffer_count, stats, tally, client_tally[..],
  @     client_count, address[..], taken, rx_active, rx_free, tx_active, tx_free,
  @     ((uint8_t *)sddf_net_config.data.vaddr)[0 .. sddf_net_config.data.size - 1];
  @ ensures running ==> (ARP_OK);
  @*/
void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    running = true;
    serve();
}

/*@ requires running ==> (ARP_OK);
  @ assigns rx_active, rx_free, tx_active, tx_free, ARP_REPLIES;
  @ ensures running ==> (ARP_OK);
  @*/
void notified(microkit_channel ch)
{
    (void)ch; /* virt_tx's signals say nothing that is not looked at anyway */
    if (running) {
        serve();
    }
}
