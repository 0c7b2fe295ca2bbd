/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Rx virtualiser: hands each received frame to whoever its destination MAC names, and each
 * buffer that nobody holds any more back to the driver.
 *
 *                   active: frames, IO addresses
 *      driver  ---------------------------------->  rx_return  ---> receivers' active queues
 *              <----------------------------------  rx_provide <--- receivers' free queues
 *                   free: empty buffers
 *
 * A receiver is a copier on behalf of its client, or the ARP component. A frame for a receiver that
 * has no room in its queue is dropped at once, and so is one for a receiver that holds as many
 * buffers as nobody holds: however many receivers keep what they got (died, or mean it), one more
 * still gets as many as any of them, and the driver has as many again to receive into.
 *
 * A broadcast may go to several receivers, so for every DMA buffer there is a set of holders, and
 * the buffer is the driver's again when the set has become empty.
 */
#include <microkit.h>

#include "sddf/cache.h"
#include "sddf/net.h"

#include "buffers.h"
#include "drain.h"
#include "frame.h"
#include "mac_table.h"
#include "setup.h"
#include "tally.h"

struct net_virt_rx_config sddf_net_config;

/* Holders besides the receivers, who have the bits of their places in the configuration. */
#define HELD_BY_DRIVER (UINT64_C(1) << 63)
#define HELD_BY_SELF   (UINT64_C(1) << 62) /* in spare[] */

_Static_assert(NET_CLIENTS_MAX <= 62, "a receiver is a bit below those two");

/* Frames whose headers are fetched ahead of their turn: about a cache miss's worth of work. */
#define BATCH 16

#define DHCP_CLIENT_PORT 68

struct receiver {
    struct sddf_queue_producer active;
    struct sddf_queue_consumer free;
    uint32_t lent;     /* buffers that it holds, those in its active queue included */
    uint32_t lent_max; /* its free queue's capacity: what it holds it can always give back */
    uint32_t enough;   /* returned buffers that are worth a signal */
    uint8_t channel;
    struct tally tally;
};

static bool running;
static const uint8_t *data;
static uint64_t data_io_address;
static bool incoherent; /* the device writes past the caches */
static uint32_t buffer_count;
static struct sddf_queue_consumer driver_active;
static struct sddf_queue_producer driver_free;
static uint64_t holders[NET_REGION_BUFFERS_MAX];
static uint32_t spare[NET_REGION_BUFFERS_MAX]; /* ours, on the way to the driver's free queue */
static uint32_t spare_count;
static struct receiver receivers[NET_CLIENTS_MAX];
static uint32_t receiver_count;
static uint32_t lent_count;    /* buffers that some receiver holds, each counted once */
static uint64_t arp_receivers; /* bit per receiver */
static uint64_t dhcp_receivers;
static uint64_t lenders;   /* receivers that hold buffers */
static uint64_t notifiers; /* receivers that have notified */
static uint64_t given;     /* receivers to hand over to, or to count for, in this pass */
static uint64_t by_channel[MICROKIT_MAX_CHANNELS];
static struct mac_table macs;
static struct tally tally; /* what is no receiver's */
static struct net_stats *stats;

/* ---- from the driver to the receivers ------------------------------------------------------ */

struct arrival {
    uint32_t buffer;
    uint32_t offset;
    uint16_t length;
    uint16_t flags;
};

static void buffer_reclaim(uint32_t buffer)
{
    holders[buffer] = HELD_BY_SELF;
    spare[spare_count++] = buffer;
}

/* Takes what the driver says, as far as it can be true. From here on the buffer is ours. */
static bool arrival_take(struct net_entry entry, struct arrival *arrival)
{
    uint64_t offset = entry.address - data_io_address;
    uint32_t buffer = buffers_find(offset, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        return false;
    }
    if (holders[buffer] != HELD_BY_DRIVER) {
        tally_add(&tally, NET_STAT_REFUSED_OWNER, 1);
        return false;
    }
    if (!buffers_length_ok(entry.length)) {
        tally_add(&tally, NET_STAT_REFUSED_LENGTH, 1);
        buffer_reclaim(buffer);
        return false;
    }
    if (!buffers_inside_one(offset, entry.length)) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        buffer_reclaim(buffer);
        return false;
    }
    holders[buffer] = 0;
    *arrival =
        (struct arrival){buffer, (uint32_t)offset, entry.length, entry.flags & NET_CSUM_VERIFIED};
    return true;
}

/* Who gets this frame: a bit per receiver. */
static uint64_t arrival_receivers(const struct arrival *arrival)
{
    const uint8_t *frame = data + arrival->offset;
    struct frame_header header = frame_read_header(frame);
    if (!frame_mac_is_group(header.to)) {
        uint32_t receiver = mac_table_find(&macs, header.to);
        return receiver == MAC_TABLE_NONE ? 0 : UINT64_C(1) << receiver;
    }
    if (header.to != FRAME_BROADCAST) {
        return 0;
    }
    if (header.type == FRAME_ARP) {
        return arp_receivers;
    }
    if (header.type == FRAME_IPV4 && dhcp_receivers != 0 &&
        frame_is_udp_to(frame, arrival->length, DHCP_CLIENT_PORT)) {
        return dhcp_receivers;
    }
    return 0;
}

/*
 * Whether a receiver may hold one more. The limit moves with what is left, so a receiver alone may
 * have half of the buffers, and of n that give nothing back each ends up with 1/(n + 1) of them. A
 * fixed share would have to be small for the case that all do, and wrong for a burst to one. It is
 * one comparison per frame: nobody looks at the others.
 */
static bool receiver_may_hold(const struct receiver *receiver)
{
    return receiver->lent < setup_min(receiver->lent_max, buffer_count - lent_count);
}

static void arrival_give(const struct arrival *arrival, uint32_t number)
{
    struct receiver *receiver = &receivers[number];
    struct net_entry entry = {
        .address = arrival->offset,
        .length = arrival->length,
        .flags = arrival->flags,
    };
    if (!receiver_may_hold(receiver) || !net_queue_enqueue(&receiver->active, entry)) {
        tally_add(&receiver->tally, NET_STAT_DROP_FULL, 1);
        return;
    }
    lent_count += holders[arrival->buffer] == 0;
    holders[arrival->buffer] |= UINT64_C(1) << number;
    receiver->lent++;
    tally_add(&receiver->tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&receiver->tally, NET_STAT_RX_BYTES, arrival->length);
}

static void arrival_deliver(const struct arrival *arrival)
{
    uint64_t to = arrival_receivers(arrival);
    if (to == 0) {
        tally_add(&tally, NET_STAT_DROP_UNKNOWN, 1);
    }
    given |= to;
    for (; to != 0; to &= to - 1) {
        arrival_give(arrival, (uint32_t)__builtin_ctzll(to));
    }
    if (holders[arrival->buffer] == 0) {
        buffer_reclaim(arrival->buffer);
    }
}

/* At most what the driver's queue holds. True: there is more already. */
static bool rx_return(void)
{
    uint32_t left = sddf_queue_available(&driver_active);
    while (left > 0) {
        struct arrival batch[BATCH];
        uint32_t count = 0;
        uint32_t entries = setup_min(left, BATCH);
        struct net_entry entry;
        for (uint32_t i = 0; i < entries && net_queue_dequeue(&driver_active, &entry); i++) {
            if (arrival_take(entry, &batch[count])) {
                if (incoherent) {
                    sddf_cache_forget(data + batch[count].offset, batch[count].length);
                } else {
                    __builtin_prefetch(data + batch[count].offset);
                }
                count++;
            }
        }
        if (incoherent) {
            sddf_cache_done(); /* before we look at the frames, and before anybody else may */
        }
        for (uint32_t i = 0; i < count; i++) {
            arrival_deliver(&batch[i]);
        }
        left -= entries;
    }
    return !sddf_queue_request_signal(&driver_active) && drain_again(&driver_active);
}

/* ---- from the receivers to the driver ------------------------------------------------------ */

static void receiver_take_back(uint32_t number, struct net_entry entry)
{
    struct receiver *receiver = &receivers[number];
    uint64_t bit = UINT64_C(1) << number;
    uint32_t buffer = buffers_find(entry.address, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&receiver->tally, NET_STAT_REFUSED_ADDRESS, 1);
        return;
    }
    if ((holders[buffer] & bit) == 0) {
        tally_add(&receiver->tally, NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    receiver->lent--;
    holders[buffer] &= ~bit;
    if (holders[buffer] == 0) {
        lent_count--;
        buffer_reclaim(buffer);
    }
}

static void driver_provide(void)
{
    while (spare_count > 0) {
        uint32_t buffer = spare[spare_count - 1];
        struct net_entry entry = {
            .address = data_io_address + (uint64_t)buffer * NET_BUFFER_SIZE,
        };
        if (!net_queue_enqueue(&driver_free, entry)) {
            return; /* it does not take what it has; the rest stays ours until the next pass */
        }
        holders[buffer] = HELD_BY_DRIVER;
        spare_count--;
    }
}

/* From each that may have something, at most what its queue holds. True: there is more already. */
static bool rx_provide(void)
{
    bool more = false;
    uint64_t from = lenders | notifiers;
    notifiers = 0;
    for (; from != 0; from &= from - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(from);
        struct receiver *receiver = &receivers[number];
        uint32_t left = sddf_queue_available(&receiver->free);
        struct net_entry entry;
        while (left-- > 0 && net_queue_dequeue(&receiver->free, &entry)) {
            receiver_take_back(number, entry);
        }
        if (receiver->lent == 0) {
            lenders &= ~(UINT64_C(1) << number);
        }
        if (!sddf_queue_request_signal_at(&receiver->free, receiver->enough) &&
            drain_again(&receiver->free)) {
            notifiers |= UINT64_C(1) << number;
            more = true;
        }
        given |= UINT64_C(1) << number; /* its counters may have changed */
    }
    return more;
}

/* ---- entry points -------------------------------------------------------------------------- */

/*
 * The end of a pass: hands everything over, once, and counts. True: the first receiver wants a
 * signal, which the caller sends: nearly every frame of a system with one client is for that one.
 */
static bool pass_end(void)
{
    bool first_waits = false;
    driver_provide();
    sddf_queue_publish(&driver_free);
    if (sddf_queue_needs_signal(&driver_free)) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
        microkit_notify(sddf_net_config.driver.channel);
    }
    for (; given != 0; given &= given - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(given);
        struct receiver *receiver = &receivers[number];
        if (receiver->lent > 0) {
            lenders |= UINT64_C(1) << number;
        }
        sddf_queue_publish(&receiver->active);
        if (sddf_queue_needs_signal(&receiver->active)) {
            tally_add(&receiver->tally, NET_STAT_SIGNALS, 1);
            if (number == 0) {
                first_waits = true;
            } else {
                microkit_notify(receiver->channel);
            }
        }
        tally_flush(&receiver->tally, stats, number + 1);
    }
    tally_flush(&tally, stats, 0);
    return first_waits;
}

static const char *receivers_start(const struct net_virt_rx_config *config)
{
    for (uint32_t i = 0; i < receiver_count; i++) {
        const struct net_virt_rx_client *client = &config->client[i];
        struct receiver *receiver = &receivers[i];
        *receiver = (struct receiver){.channel = client->rx.channel};
        if (!setup_producer(&receiver->active, &client->rx.active) ||
            !setup_consumer(&receiver->free, &client->rx.free)) {
            return "a receiver's queue";
        }
        if (receiver->channel >= MICROKIT_MAX_CHANNELS) {
            return "a receiver's channel";
        }
        by_channel[receiver->channel] = UINT64_C(1) << i;
        /*
         * Signals for returned buffers are late on purpose: whenever the driver wakes us we collect
         * them anyway. All receivers together may sit on half of the buffers without a signal, so
         * the driver is never short of buffers that somebody has returned.
         */
        uint32_t capacity = client->rx.free.capacity;
        receiver->lent_max = capacity;
        receiver->enough =
            setup_max(1, setup_min(capacity / 2, buffer_count / (2 * receiver_count)));
        if (client->kind == NET_RECEIVER_ARP) {
            arp_receivers |= UINT64_C(1) << i;
        } else if (!mac_table_add(&macs, frame_mac(client->mac), i)) {
            return "a MAC address";
        }
        if (client->kind == NET_RECEIVER_DHCP) {
            dhcp_receivers |= UINT64_C(1) << i;
        }
        notifiers |= UINT64_C(1) << i; /* ask all of them for their first signal */
    }
    return NULL;
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_virt_rx_config *config)
{
    running = false;
    spare_count = 0;
    lent_count = 0;
    arp_receivers = dhcp_receivers = lenders = notifiers = given = 0;
    memset(by_channel, 0, sizeof(by_channel));
    memset(&macs, 0, sizeof(macs));
    memset(&tally, 0, sizeof(tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_VIRT_RX, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    receiver_count = config->client_count;
    buffer_count = config->buffer_count;
    if (!buffers_region_ok(&config->data, buffer_count)) {
        return "the Rx DMA region";
    }
    data = (const uint8_t *)(uintptr_t)config->data.vaddr;
    data_io_address = config->data.io_address;
    incoherent = config->incoherent != 0;
    if (incoherent) {
        /* The zeroes of the beginning must not be written over what a device has received. */
        sddf_cache_forget(data, (size_t)buffer_count * NET_BUFFER_SIZE);
        sddf_cache_done();
    }
    if (!tally_page_ok(&config->stats, receiver_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_NET_VIRT_RX, receiver_count);
    if (!setup_consumer(&driver_active, &config->driver.active) ||
        !setup_producer(&driver_free, &config->driver.free)) {
        return "a driver's queue";
    }
    for (uint32_t buffer = buffer_count; buffer-- > 0;) {
        buffer_reclaim(buffer); /* the last one first: the driver gets them in order */
    }
    return receivers_start(config);
}

/* True: the first receiver wants a signal. */
static bool serve(void)
{
    bool first_waits;
    bool more;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    do {
        /* First what came back: then its owner may have that much again. */
        more = rx_provide();
        more |= rx_return();
        first_waits = pass_end();
        if (first_waits && more) {
            microkit_notify(receivers[0].channel);
        }
    } while (more);
    return first_waits;
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
        microkit_notify(receivers[0].channel);
    }
}

void notified(microkit_channel ch)
{
    if (!running) {
        return;
    }
    notifiers |= by_channel[ch % MICROKIT_MAX_CHANNELS];
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(receivers[0].channel);
    }
}
