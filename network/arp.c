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

#include "buffers.h"
#include "frame.h"
#include "setup.h"
#include "tally.h"

struct net_arp_config sddf_net_config;

/* Offsets into the frame: Ethernet's header, then RFC 826's packet for Ethernet and IPv4. */
enum {
    ETH_TO = 0,
    ETH_FROM = 6,
    ETH_TYPE = 12,
    ARP_HTYPE = 14,
    ARP_PTYPE = 16,
    ARP_HLEN = 18,
    ARP_PLEN = 19,
    ARP_OPER = 20,
    ARP_SHA = 22,
    ARP_SPA = 28,
    ARP_THA = 32,
    ARP_TPA = 38,
    ARP_FRAME_SIZE = 42,
};

#define ARP_HTYPE_ETHERNET 1
#define ARP_REQUEST        1
#define ARP_REPLY          2

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
static uint32_t client_count;
static uint32_t address[NET_CLIENTS_MAX]; /* each client's, in network order; 0: none */
static struct tally tally;
static struct tally client_tally[NET_CLIENTS_MAX];
static struct net_stats *stats;

/* ---- questions and answers ----------------------------------------------------------------- */

static uint16_t read_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_ipv4(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* Whose address this is, or client_count. */
static uint32_t client_of(uint32_t ipv4)
{
    uint32_t client = 0;
    while (client < client_count && (ipv4 == 0 || address[client] != ipv4)) {
        client++;
    }
    return client;
}

/* A packet of RFC 826 for Ethernet and IPv4, from a host that can be answered. */
static bool packet_ok(const uint8_t *frame)
{
    uint64_t sender = frame_mac(frame + ARP_SHA);
    return read_be16(frame + ETH_TYPE) == FRAME_ARP &&
           read_be16(frame + ARP_HTYPE) == ARP_HTYPE_ETHERNET &&
           read_be16(frame + ARP_PTYPE) == FRAME_IPV4 && frame[ARP_HLEN] == 6 &&
           frame[ARP_PLEN] == 4 && sender != 0 && !frame_mac_is_group(sender) &&
           sender == frame_mac(frame + ETH_FROM);
}

/*
 * Turns a question into its answer: from the owner of the address, to whoever asked. In the
 * Ethernet header, too, the answer comes from the owner, or switches would learn a wrong port.
 */
static void answer_make(uint8_t *frame, const uint8_t mac[6])
{
    uint8_t wanted[4];
    memcpy(wanted, frame + ARP_TPA, 4);
    memcpy(frame + ETH_TO, frame + ARP_SHA, 6);
    memcpy(frame + ETH_FROM, mac, 6);
    frame[ARP_OPER] = 0;
    frame[ARP_OPER + 1] = ARP_REPLY;
    memcpy(frame + ARP_THA, frame + ARP_SHA, 10); /* hardware and protocol address */
    memcpy(frame + ARP_SHA, mac, 6);
    memcpy(frame + ARP_SPA, wanted, 4);
}

/* An empty buffer of ours, or BUFFERS_NONE. An offer that is none is refused, one a time. */
static uint32_t empty_buffer(void)
{
    struct net_entry entry;
    if (!net_queue_dequeue(&tx_free, &entry)) {
        tally_add(&tally, NET_STAT_DROP_NO_BUFFER, 1);
        return BUFFERS_NONE;
    }
    uint32_t buffer = buffers_find(entry.address, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
    }
    return buffer;
}

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
    struct net_entry entry = {
        .address = (uint64_t)buffer * NET_BUFFER_SIZE,
        .length = ARP_FRAME_SIZE,
    };
    frame_copy(data + entry.address, frame, ARP_FRAME_SIZE);
    net_queue_enqueue(&tx_active, entry);
    tally_add(&client_tally[client], NET_STAT_ARP_ANSWERS, 1);
    tally_add(&client_tally[client], NET_STAT_TX_PACKETS, 1);
    tally_add(&client_tally[client], NET_STAT_TX_BYTES, ARP_FRAME_SIZE);
}

/* A frame that lies within one buffer of the DMA region. */
static void frame_consider(const struct net_entry *entry)
{
    tally_add(&tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&tally, NET_STAT_RX_BYTES, entry->length);
    if (entry->length < ARP_FRAME_SIZE) {
        tally_add(&tally, NET_STAT_DROP_MALFORMED, 1);
        return;
    }
    /* Read once: from here on only our own copy counts. */
    uint8_t frame[ARP_FRAME_SIZE];
    for (uint32_t i = 0; i < ARP_FRAME_SIZE; i++) {
        frame[i] = frame_read_u8(dma + entry->address + i);
    }
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

static void entry_take(const struct net_entry *entry)
{
    if (buffers_find(entry->address, dma_buffer_count) == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        return;
    }
    if (!buffers_length_ok(entry->length)) {
        tally_add(&tally, NET_STAT_REFUSED_LENGTH, 1);
    } else if (!buffers_inside_one(entry->address, entry->length)) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
    } else {
        frame_consider(entry);
    }
    struct net_entry empty = {.address = entry->address};
    net_queue_enqueue(&rx_free, empty);
}

/* So many entries at most, and no more than can be given back. How many it were. */
static uint32_t entries_take(uint32_t count)
{
    count = setup_min(count, sddf_queue_space(&rx_free, count));
    struct net_entry entry;
    for (uint32_t i = 0; i < count && net_queue_dequeue(&rx_active, &entry); i++) {
        entry_take(&entry);
    }
    return count;
}

/*
 * The last pass: asks for a signal behind what is there, and only then takes that, so whatever
 * comes meanwhile is another wake-up. Impossible while the queue is full, for an entry that it has
 * no room for will not come: false.
 */
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
static bool rx_return(void)
{
    /* virt_rx lends no more than it takes back; if it does, it waits. */
    bool stuck = entries_take(sddf_queue_available(&rx_active)) == 0;
    return !sddf_queue_request_signal(&rx_active) && !stuck;
}

/* The end of a pass: hands everything over, once, and counts. */
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
    for (uint32_t i = 0; i < client_count; i++) {
        tally_flush(&client_tally[i], stats, i + 1);
    }
    tally_flush(&tally, stats, 0);
}

/* ---- claims -------------------------------------------------------------------------------- */

static uint32_t prefix_mask(uint32_t prefix)
{
    return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

/* Neither the subnet's own address nor its broadcast. Host order. */
static bool is_host_in_subnet(uint32_t ipv4, uint32_t prefix)
{
    uint32_t host = ipv4 & ~prefix_mask(prefix);
    return prefix >= 31 || (host != 0 && host != ~prefix_mask(prefix));
}

/* An address that one host may have: no 0/8, 127/8, multicast, reserved or broadcast. */
static bool is_host(uint32_t ipv4)
{
    uint32_t top = ipv4 >> 24;
    return top != 0 && top != 127 && top < 224;
}

static bool claim_ok(uint32_t client, uint64_t ipv4, uint64_t prefix)
{
    const struct net_arp_client *config = &sddf_net_config.client[client];
    if (ipv4 > UINT32_MAX || prefix == 0 || prefix > 32) {
        return false;
    }
    uint32_t wanted = __builtin_bswap32((uint32_t)ipv4);
    uint32_t subnet = __builtin_bswap32(config->ipv4);
    uint32_t owner = client_of((uint32_t)ipv4);
    return is_host(wanted) && is_host_in_subnet(wanted, (uint32_t)prefix) &&
           ((wanted ^ subnet) & prefix_mask(config->prefix)) == 0 &&
           (config->prefix == 0 || is_host_in_subnet(wanted, config->prefix)) &&
           (owner == client_count || owner == client);
}

/* The client that claims on this channel, or client_count. */
static uint32_t client_on(microkit_channel ch)
{
    uint32_t client = 0;
    while (client < client_count && sddf_net_config.client[client].channel != ch) {
        client++;
    }
    return client;
}

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
        ok = claim_ok(client, ipv4, microkit_mr_get(1));
    }
    if (ok) {
        address[client] = (uint32_t)ipv4;
    } else {
        tally_add(&client_tally[client], NET_STAT_REFUSED_CLAIM, 1);
    }
    tally_flush(&client_tally[client], stats, client + 1);
    tally_flush(&tally, stats, 0);
    return microkit_msginfo_new(ok ? NET_ARP_OK : NET_ARP_REFUSED, 0);
}

/* ---- the other entry points ---------------------------------------------------------------- */

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_arp_config *config)
{
    running = false;
    memset(address, 0, sizeof(address));
    memset(&tally, 0, sizeof(tally));
    memset(client_tally, 0, sizeof(client_tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_ARP, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    client_count = config->client_count;
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
    if (!setup_consumer(&rx_active, &config->rx.active) ||
        !setup_producer(&rx_free, &config->rx.free) ||
        !setup_producer(&tx_active, &config->tx.active) ||
        !setup_consumer(&tx_free, &config->tx.free)) {
        return "a queue";
    }
    for (uint32_t i = 0; i < client_count; i++) {
        if (config->client[i].prefix > 32) {
            return "a prefix";
        }
        if (config->client[i].channel == SDDF_NO_CHANNEL) {
            address[i] = config->client[i].ipv4;
        }
    }
    return NULL;
}

void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    running = true;
    notified(sddf_net_config.rx.channel);
}

void notified(microkit_channel ch)
{
    (void)ch; /* virt_tx's signals say nothing that is not looked at anyway */
    if (!running) {
        return;
    }
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    bool more;
    uint32_t passes = 0;
    do {
        more = passes++ < PASSES_MAX || !rx_return_last();
        more = more && rx_return();
        pass_end();
    } while (more);
}
