/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser: shares the device among its clients, lets nothing through that a client may
 * not send, and translates between offsets into a client's Tx data region and IO addresses.
 *
 *                       active: frames
 *      clients' active queues ---> tx_provide  ---------------------->  driver
 *      clients' free queues   <--- tx_return   <----------------------
 *                       free: buffers that the device is done with
 *
 * Whose turn it is is the policy's affair (tx_policy.h). Frames for which the driver's queue has
 * no room stay in their clients' queues: when the device is slow, it is the clients who wait.
 *
 * For every buffer there is an owner: its client (which may have it in its free queue), the driver,
 * or this PD while a client's free queue has no room for it, which no honest client lets happen.
 * What a client sends must be its own; what is refused goes back to it if it was.
 *
 * The source MAC is checked in memory that the client can still write to before the device reads
 * it. Where that matters, a copier has to stand in between.
 */
#include <microkit.h>

#include "sddf/net.h"

#include "buffers.h"
#include "drain.h"
#include "frame.h"
#include "mac_table.h"
#include "setup.h"
#include "tally.h"
#include "tx_policy.h"

struct net_virt_tx_config sddf_net_config;

enum owner { OWNER_CLIENT, OWNER_DRIVER, OWNER_SELF };

struct client {
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free;
    const uint8_t *data;
    uint64_t io_address;
    uint64_t mac;
    uint32_t buffer_count;
    uint32_t in_flight; /* buffers at the driver */
    uint32_t budget;    /* entries that it may still send in this pass */
    uint32_t ipv4;      /* 0: it claims one */
    bool any_mac;
    uint8_t channel;
    uint8_t *owner;  /* enum owner, of each of its buffers */
    uint32_t *spare; /* its buffers that are ours, on the way to its free queue */
    uint32_t spare_count;
    struct tally tally;
};

/* One client's buffers as the device sees them. */
struct io_range {
    uint64_t begin;
    uint64_t end;
    uint32_t client;
};

static bool running;
static struct client clients[NET_CLIENTS_MAX];
static uint32_t client_count;
static struct sddf_queue_consumer driver_free;
static struct sddf_queue_producer driver_active;
static uint32_t driver_enough; /* returned buffers that are worth a signal */
static struct tx_policy policy;
static uint64_t drained; /* clients that have sent all that they had when the pass began */
static uint64_t touched; /* clients to hand over to, or to count for, in this pass */
static uint64_t owed;    /* clients with spare buffers */
static uint64_t hungry;  /* clients with more than half of their buffers at the driver */
static uint64_t by_channel[MICROKIT_MAX_CHANNELS];
static struct io_range ranges[NET_CLIENTS_MAX]; /* in ascending order */
static struct mac_table macs;                   /* the clients', not the ARP component's */
static uint8_t owners[NET_TX_BUFFERS_MAX];
static uint32_t spares[NET_TX_BUFFERS_MAX];
static struct tally tally; /* what is no client's */
static struct net_stats *stats;

/* ---- from the driver to the clients -------------------------------------------------------- */

static bool client_provide(struct client *client, uint32_t buffer)
{
    struct net_entry entry = {.address = (uint64_t)buffer * NET_BUFFER_SIZE};
    if (!net_queue_enqueue(&client->free, entry)) {
        return false;
    }
    client->owner[buffer] = OWNER_CLIENT;
    return true;
}

/* Gives a buffer back to its client, or keeps it until the client takes what it has. */
static void buffer_give_back(uint32_t number, uint32_t buffer)
{
    struct client *client = &clients[number];
    uint64_t bit = UINT64_C(1) << number;
    touched |= bit;
    if (!client_provide(client, buffer)) {
        client->owner[buffer] = OWNER_SELF;
        client->spare[client->spare_count++] = buffer;
        owed |= bit;
    }
}

static void clients_provide_spares(void)
{
    for (uint64_t left = owed; left != 0; left &= left - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(left);
        struct client *client = &clients[number];
        touched |= UINT64_C(1) << number;
        while (client->spare_count > 0 &&
               client_provide(client, client->spare[client->spare_count - 1])) {
            client->spare_count--;
        }
        if (client->spare_count == 0) {
            owed &= ~(UINT64_C(1) << number);
        }
    }
}

/* The range that an IO address lies in, or NULL. */
static const struct io_range *range_find(uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = client_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (address >= ranges[middle].end) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < client_count && address >= ranges[low].begin ? &ranges[low] : NULL;
}

/* At most what the driver's queue holds. */
static void tx_return(void)
{
    clients_provide_spares();
    uint32_t left = sddf_queue_available(&driver_free);
    struct net_entry entry;
    while (left-- > 0 && net_queue_dequeue(&driver_free, &entry)) {
        const struct io_range *range = range_find(entry.address);
        if (range == NULL) {
            tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
            continue;
        }
        uint32_t buffer = (uint32_t)((entry.address - range->begin) / NET_BUFFER_SIZE);
        struct client *client = &clients[range->client];
        if (client->owner[buffer] != OWNER_DRIVER) {
            tally_add(&tally, NET_STAT_REFUSED_OWNER, 1);
            continue;
        }
        client->in_flight--;
        if (client->in_flight <= client->buffer_count / 2) {
            hungry &= ~(UINT64_C(1) << range->client);
        }
        buffer_give_back(range->client, buffer);
    }
}

/*
 * Asks for a signal when the driver has returned more, late on purpose: we collect buffers whenever
 * we run. But whoever waits for room in a full queue must hear of it, so half a queue is enough;
 * and so are half of the buffers of a client that has less than the other half left. Comes after
 * tx_provide, which makes clients hungry. True: there is as much already.
 */
static bool tx_return_request(void)
{
    uint32_t enough = driver_enough;
    for (uint64_t left = hungry; left != 0; left &= left - 1) {
        enough = setup_min(enough, clients[__builtin_ctzll(left)].buffer_count / 2);
    }
    return !sddf_queue_request_signal_at(&driver_free, setup_max(enough, 1)) &&
           drain_again(&driver_free);
}

/* ---- from the clients to the driver -------------------------------------------------------- */

struct departure {
    struct net_entry entry;
    uint32_t buffer;
};

/* Why a frame that lies in the client's own buffer may not be sent; NET_STAT_COUNT if it may. */
static enum net_stat departure_entry_fault(const struct net_entry *entry)
{
    if (!buffers_length_ok(entry->length)) {
        return NET_STAT_REFUSED_LENGTH;
    }
    if (!buffers_inside_one(entry->address, entry->length)) {
        return NET_STAT_REFUSED_ADDRESS;
    }
    if ((entry->flags & ~NET_CSUM_WANTED) != 0) {
        return NET_STAT_REFUSED_FLAGS;
    }
    if ((entry->flags & NET_CSUM_WANTED) != 0 &&
        (entry->csum_start < NET_FRAME_MIN ||
         (uint32_t)entry->csum_start + entry->csum_offset + 2 > entry->length)) {
        return NET_STAT_REFUSED_FLAGS;
    }
    return NET_STAT_COUNT;
}

/*
 * May a client say this by ARP? An answer in a neighbour's name would take all that is sent to it.
 * Who has an address speaks for it alone, or asks whether somebody has one (for nobody, RFC 5227);
 * who claims one speaks for any that is no other client's by the configuration. Rare enough to look
 * through the clients.
 */
static bool arp_ok(const struct client *client, const uint8_t *frame, uint32_t length)
{
    struct frame_arp_sender sender;
    if (!frame_read_arp_sender(frame, length, &sender) || sender.mac != client->mac) {
        return false;
    }
    if (sender.ipv4 == 0 || client->ipv4 != 0) {
        return sender.ipv4 == 0 || sender.ipv4 == client->ipv4;
    }
    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].ipv4 == sender.ipv4) {
            return false;
        }
    }
    return true;
}

static enum net_stat departure_frame_fault(const struct client *client,
                                           const struct net_entry *entry)
{
    const uint8_t *frame = client->data + entry->address;
    struct frame_header header = frame_read_header(frame);
    bool own = client->any_mac ? mac_table_find(&macs, header.from) != MAC_TABLE_NONE
                               : header.from == client->mac;
    if (!own) {
        return NET_STAT_REFUSED_MAC;
    }
    if (!client->any_mac && ((header.type == FRAME_ARP && !arp_ok(client, frame, entry->length)) ||
                             frame_hides_arp(frame, entry->length, header.type))) {
        return NET_STAT_REFUSED_ARP;
    }
    if (mac_table_find(&macs, header.to) != MAC_TABLE_NONE) {
        return NET_STAT_DROP_LOCAL; /* there is no switch here */
    }
    return NET_STAT_COUNT;
}

/* Takes what a client says, as far as it can be true. From here on the buffer is ours. */
static bool departure_take(uint32_t number, struct departure *departure)
{
    struct client *client = &clients[number];
    const struct net_entry *entry = &departure->entry;
    uint32_t buffer = buffers_find(entry->address, client->buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&client->tally, NET_STAT_REFUSED_ADDRESS, 1);
        return false;
    }
    if (client->owner[buffer] != OWNER_CLIENT) {
        tally_add(&client->tally, NET_STAT_REFUSED_OWNER, 1);
        return false;
    }
    enum net_stat fault = departure_entry_fault(entry);
    if (fault != NET_STAT_COUNT) {
        tally_add(&client->tally, fault, 1);
        buffer_give_back(number, buffer);
        return false;
    }
    client->owner[buffer] = OWNER_SELF;
    departure->buffer = buffer;
    return true;
}

/* There is room for it in the driver's queue. */
static void departure_send(uint32_t number, const struct departure *departure)
{
    struct client *client = &clients[number];
    struct net_entry entry = departure->entry;
    enum net_stat fault = departure_frame_fault(client, &entry);
    if (fault != NET_STAT_COUNT) {
        tally_add(&client->tally, fault, 1);
        buffer_give_back(number, departure->buffer);
        return;
    }
    entry.address += client->io_address;
    net_queue_enqueue(&driver_active, entry);
    client->owner[departure->buffer] = OWNER_DRIVER;
    client->in_flight++;
    if (client->in_flight > client->buffer_count / 2) {
        hungry |= UINT64_C(1) << number;
    }
    tally_add(&client->tally, NET_STAT_TX_PACKETS, 1);
    tally_add(&client->tally, NET_STAT_TX_BYTES, entry.length);
}

/* So many entries of one client: all headers are fetched ahead, then one after the other judged. */
static void turn_take(uint32_t number, uint32_t entries)
{
    struct client *client = &clients[number];
    struct departure batch[TX_POLICY_QUANTUM];
    uint32_t count = 0;
    while (entries-- > 0 && net_queue_dequeue(&client->active, &batch[count].entry)) {
        if (departure_take(number, &batch[count])) {
            __builtin_prefetch(client->data + batch[count].entry.address);
            count++;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        departure_send(number, &batch[i]);
    }
}

/* What each client may send in this pass is what its queue holds now. */
static void budgets_set(void)
{
    drained = 0;
    for (uint64_t left = policy.awake; left != 0; left &= left - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(left);
        clients[number].budget = sddf_queue_available(&clients[number].active);
        touched |= UINT64_C(1) << number;
    }
}

/*
 * In turns, from each client at most what its queue holds, and no more than the driver has room
 * for. True: there is more already, and room for it.
 */
static bool tx_provide(void)
{
    uint32_t number;
    uint32_t quantum;
    budgets_set();
    while ((number = tx_policy_next(&policy, &quantum)) != TX_POLICY_NOBODY) {
        struct client *client = &clients[number];
        if (client->budget == 0) {
            tx_policy_rest(&policy, number);
            drained |= UINT64_C(1) << number;
            continue;
        }
        uint32_t entries = setup_min(setup_min(quantum, client->budget),
                                     sddf_queue_space(&driver_active, quantum));
        if (entries == 0) {
            /*
             * Full. All that is in the driver's queue now comes back behind what tx_return has
             * taken, and is more than what tx_return_request wants a signal for. So we will run
             * again, and whoever is still awake in the policy is served then.
             */
            break;
        }
        turn_take(number, entries);
        client->budget -= entries;
        tx_policy_used(&policy, entries);
    }
    bool more = false;
    for (; drained != 0; drained &= drained - 1) {
        number = (uint32_t)__builtin_ctzll(drained);
        if (!sddf_queue_request_signal(&clients[number].active) &&
            drain_again(&clients[number].active)) {
            tx_policy_wake(&policy, number);
            more = true;
        }
    }
    return more && sddf_queue_space(&driver_active, 1) > 0;
}

/* ---- entry points -------------------------------------------------------------------------- */

/* The end of a pass: hands everything over, once, and counts. True: the driver wants a signal. */
static bool pass_end(void)
{
    sddf_queue_publish(&driver_active);
    bool driver_waits = sddf_queue_needs_signal(&driver_active);
    if (driver_waits) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
    }
    for (; touched != 0; touched &= touched - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(touched);
        struct client *client = &clients[number];
        sddf_queue_release(&client->active); /* those who wait for room have sent something, too */
        sddf_queue_publish(&client->free);
        if (sddf_queue_needs_signal(&client->free)) {
            tally_add(&client->tally, NET_STAT_SIGNALS, 1);
            microkit_notify(client->channel);
        }
        tally_flush(&client->tally, stats, number + 1);
    }
    tally_flush(&tally, stats, 0);
    return driver_waits;
}

/* True: the driver wants a signal. */
static bool serve(void)
{
    bool driver_waits;
    bool more;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    do {
        tx_return();
        more = tx_provide();
        more |= tx_return_request();
        driver_waits = pass_end();
        if (driver_waits && more) {
            microkit_notify(sddf_net_config.driver.channel);
        }
        if (more) {
            /*
             * Notifications wait until we return, which one client that never runs dry (on another
             * core) can put off for ever: so this pass ends the wait of the others, too.
             */
            policy.awake = (UINT64_C(1) << client_count) - 1;
        }
    } while (more);
    return driver_waits;
}

/* Keeps the ranges in order. False if two overlap. */
static bool range_add(uint32_t count, struct io_range range)
{
    uint32_t at = count;
    while (at > 0 && ranges[at - 1].begin > range.begin) {
        ranges[at] = ranges[at - 1];
        at--;
    }
    ranges[at] = range;
    return (at == 0 || ranges[at - 1].end <= range.begin) &&
           (at == count || range.end <= ranges[at + 1].begin);
}

static const char *client_start(uint32_t number, const struct net_virt_tx_client *config,
                                uint32_t first_buffer)
{
    struct client *client = &clients[number];
    if (!buffers_region_ok(&config->data, config->buffer_count) ||
        config->buffer_count > NET_TX_BUFFERS_MAX - first_buffer) {
        return "a Tx data region";
    }
    *client = (struct client){
        .data = (const uint8_t *)(uintptr_t)config->data.vaddr,
        .io_address = config->data.io_address,
        .mac = frame_mac(config->mac),
        .ipv4 = config->ipv4,
        .buffer_count = config->buffer_count,
        .any_mac = config->any_mac != 0,
        .channel = config->tx.channel,
        .owner = &owners[first_buffer],
        .spare = &spares[first_buffer],
    };
    struct io_range range = {
        .begin = client->io_address,
        .end = client->io_address + (uint64_t)client->buffer_count * NET_BUFFER_SIZE,
        .client = number,
    };
    if (range.end < range.begin || !range_add(number, range)) {
        return "an IO address";
    }
    if (!client->any_mac && !mac_table_add(&macs, client->mac, number)) {
        return "a MAC address";
    }
    if (client->channel >= MICROKIT_MAX_CHANNELS) {
        return "a client's channel";
    }
    by_channel[client->channel] = UINT64_C(1) << number;
    if (!setup_consumer(&client->active, &config->tx.active) ||
        !setup_producer(&client->free, &config->tx.free)) {
        return "a client's queue";
    }
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_virt_tx_config *config)
{
    running = false;
    drained = touched = owed = hungry = 0;
    memset(by_channel, 0, sizeof(by_channel));
    memset(&macs, 0, sizeof(macs));
    memset(&tally, 0, sizeof(tally));
    tx_policy_start(&policy);
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_VIRT_TX, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    if (config->policy != NET_TX_ROUND_ROBIN) {
        return "the policy";
    }
    client_count = config->client_count;
    if (!tally_page_ok(&config->stats, client_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_NET_VIRT_TX, client_count);
    if (!setup_consumer(&driver_free, &config->driver.free) ||
        !setup_producer(&driver_active, &config->driver.active)) {
        return "a driver's queue";
    }
    driver_enough = setup_min(config->driver.free.capacity, config->driver.active.capacity) / 2;
    uint32_t buffers = 0;
    for (uint32_t i = 0; i < client_count; i++) {
        const char *wrong = client_start(i, &config->client[i], buffers);
        if (wrong != NULL) {
            return wrong;
        }
        buffers += clients[i].buffer_count;
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
    for (uint32_t i = 0; i < client_count; i++) {
        for (uint32_t buffer = 0; buffer < clients[i].buffer_count; buffer++) {
            buffer_give_back(i, buffer);
        }
        tx_policy_wake(&policy, i); /* some may have sent something already */
    }
    running = true;
    if (serve()) {
        microkit_notify(sddf_net_config.driver.channel);
    }
}

void notified(microkit_channel ch)
{
    if (!running) {
        return;
    }
    for (uint64_t left = by_channel[ch % MICROKIT_MAX_CHANNELS]; left != 0; left &= left - 1) {
        tx_policy_wake(&policy, (uint32_t)__builtin_ctzll(left));
    }
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.driver.channel);
    }
}
