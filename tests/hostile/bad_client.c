/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network client that breaks every rule of its two queue pairs, by orders (see hostile.h). With
 * each wake-up, of which a timer sees to some, it first goes back to where its neighbours are, so
 * that the next misdeed has its full effect. The numbers are those of test_hostile.py.
 */
#include <string.h>

#include "hostile.h"
#include "sddf/timer.h"

struct net_client_config sddf_net_config;

#define PERIOD (UINT64_C(5) * 1000 * 1000) /* ns */

enum behaviour {
    HONEST,
    TX_TWICE,
    TX_FOREIGN,
    TX_WILD,
    TX_ACROSS,
    TX_LENGTHS,
    TX_FLAGS,
    TX_MAC,
    TX_ARP,
    TX_TAIL,
    TX_HEAD,
    RX_TWICE,
    RX_FOREIGN,
    RX_TAIL,
    RX_HEAD,
    WORDS,
    FLOOD,
    SILENCE,
};

static struct sddf_queue_producer rx_free, tx_active;
static struct sddf_queue_consumer rx_active, tx_free;
static uint32_t next_buffer;
static bool settling; /* everything has been given back: has virt_tx seen it? */

static microkit_channel copier(void)
{
    return sddf_net_config.rx.channel;
}

static microkit_channel virt_tx(void)
{
    return sddf_net_config.tx.channel;
}

/* A frame to nobody, of a type that nobody knows, in the next of the Tx buffers. Its address. */
static uint64_t frame(void)
{
    static const uint8_t start[] = {2, 0, 0, 0, 0, 0x99, 0, 0, 0, 0, 0, 0, 0x88, 0xb5};
    const uint64_t address = (next_buffer++ % sddf_net_config.tx_buffer_count) * NET_BUFFER_SIZE;
    uint8_t *bytes = (uint8_t *)(uintptr_t)sddf_net_config.tx_data.vaddr + address;
    memset(bytes, 0, 64);
    memcpy(bytes, start, sizeof(start));
    memcpy(bytes + 6, sddf_net_config.mac, 6);
    return address;
}

static uint8_t *bytes_of(uint64_t address)
{
    return (uint8_t *)(uintptr_t)sddf_net_config.tx_data.vaddr + address;
}

/* Its neighbour in the table, whose addresses differ in the last byte. */
static void in_others_name(uint64_t address)
{
    bytes_of(address)[11] ^= 3;
}

/* "The neighbour's IP address is at my MAC." */
static void lying_arp(uint64_t address)
{
    static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 2};
    const uint32_t ipv4 = sddf_net_config.ipv4 ^ __builtin_bswap32(1);
    uint8_t *bytes = bytes_of(address);
    memcpy(bytes + 12, arp, sizeof(arp));
    memcpy(bytes + 22, sddf_net_config.mac, 6);
    memcpy(bytes + 28, &ipv4, 4);
}

static void rejoin(void)
{
    hostile_rejoin_head(&rx_active);
    hostile_rejoin_head(&tx_free);
    hostile_rejoin_tail(&tx_active);
    hostile_rejoin_tail(&rx_free);
    for (uint32_t i = 0; i < sddf_net_config.rx_buffer_count; i++) {
        hostile_put(&rx_free, (uint64_t)i * NET_BUFFER_SIZE, 0);
    }
    sddf_queue_publish(&rx_free);
}

/* Every Tx buffer that is here goes out, and so comes back into the queue of free ones. */
static void settle(void)
{
    settling = true;
    rejoin();
    for (uint32_t i = 0; i < sddf_net_config.tx_buffer_count; i++) {
        hostile_put(&tx_active, frame(), 64);
    }
    hostile_push(&tx_active, virt_tx());
}

/* Every received buffer is returned, unread. */
static void honest(void)
{
    struct net_entry entry;
    do {
        while (net_queue_dequeue(&rx_active, &entry)) {
            sddf_queue_release(&rx_active);
            hostile_put(&rx_free, entry.address, 0);
        }
        sddf_queue_publish(&rx_free);
    } while (!sddf_queue_request_signal(&rx_active));
}

static void misbehave_tx(enum behaviour what)
{
    static const uint16_t lengths[] = {0, 13, 1515, 2048, HOSTILE_LENGTH};
    const uint64_t address = frame();
    const uint64_t end = sddf_net_config.tx_buffer_count * UINT64_C(2048);
    struct net_entry entry = {.address = address, .length = 64};
    if (what == TX_ACROSS) {
        entry.address += NET_BUFFER_SIZE - 63;
    } else if (what == TX_FLAGS) {
        entry.flags = (uint16_t)hostile_random() | NET_CSUM_WANTED;
        entry.csum_start = (uint16_t)hostile_random() | 64;
    } else if (what == TX_MAC) {
        in_others_name(address);
    } else if (what == TX_ARP) {
        lying_arp(address);
    } else if (what == TX_WILD) {
        entry.address = hostile_random() | end;
    }
    for (uint32_t i = 0; i < 5; i++) {
        if (what == TX_FOREIGN) { /* of who lies behind it, and before it, for the device */
            entry.address = i % 2 != 0 ? end + i * NET_BUFFER_SIZE : 0 - i * NET_BUFFER_SIZE - 1;
        } else if (what == TX_LENGTHS) {
            entry.address = frame();
            entry.length = lengths[i];
        }
        net_queue_enqueue(&tx_active, entry);
    }
    hostile_push(&tx_active, virt_tx());
}

/* (The copier looks when it has a frame.) */
static void misbehave_rx(enum behaviour what)
{
    const uint64_t end = sddf_net_config.rx_buffer_count * UINT64_C(2048);
    hostile_rejoin_tail(&rx_free);
    for (uint32_t i = 0; i < rx_free.capacity; i++) {
        const uint64_t address = what == RX_TWICE ? (i / 8 + hostile_acts() % 8) * NET_BUFFER_SIZE
                                                  : end + hostile_random() % end;
        hostile_put(&rx_free, address, HOSTILE_LENGTH);
    }
    hostile_push(&rx_free, copier());
}

static void misbehave(enum behaviour what)
{
    if (what >= TX_TWICE && what <= TX_ARP) {
        misbehave_tx(what);
    } else if (what == TX_TAIL) {
        hostile_jump_tail(&tx_active, virt_tx());
    } else if (what == TX_HEAD) {
        hostile_jump_head(&tx_free, virt_tx());
    } else if (what == RX_TWICE || what == RX_FOREIGN) {
        misbehave_rx(what);
    } else if (what == RX_TAIL) {
        hostile_rejoin_tail(&rx_free);
        hostile_jump_tail(&rx_free, copier());
    } else if (what == RX_HEAD) {
        hostile_jump_head(&rx_active, copier());
    } else if (what == WORDS) {
        hostile_scribble(&rx_free, &rx_active);
        hostile_scribble(&tx_active, &tx_free);
        microkit_notify(virt_tx());
        microkit_notify(copier());
    } else if (what == FLOOD) {
        hostile_flood(virt_tx(), copier());
    }
    hostile_acted();
}

void notified(microkit_channel ch)
{
    (void)ch;
    const uint64_t order = hostile_order();
    timer_due();
    if (order == HONEST && hostile_does() == HONEST) {
        honest();
    } else if (order == HONEST) {
        settling = settling && hostile_all_taken(&tx_active);
        if (!settling) {
            settle();
            return;
        }
        settling = false;
    } else if (order == SILENCE) {
        hostile_acted(); /* that is all */
    } else {
        rejoin();
        misbehave((enum behaviour)order);
    }
    hostile_obeys(order);
}

void init(void)
{
    const struct net_pair_config *rx = &sddf_net_config.rx, *tx = &sddf_net_config.tx;
    hostile_start(&sddf_net_config.stats);
    net_queue_producer_attach(&rx_free, (void *)(uintptr_t)rx->free.producer,
                              (const void *)(uintptr_t)rx->free.consumer, rx->free.capacity);
    net_queue_consumer_attach(&rx_active, (void *)(uintptr_t)rx->active.consumer,
                              (const void *)(uintptr_t)rx->active.producer, rx->active.capacity);
    net_queue_consumer_attach(&tx_free, (void *)(uintptr_t)tx->free.consumer,
                              (const void *)(uintptr_t)tx->free.producer, tx->free.capacity);
    net_queue_producer_attach(&tx_active, (void *)(uintptr_t)tx->active.producer,
                              (const void *)(uintptr_t)tx->active.consumer, tx->active.capacity);
    for (uint32_t i = 0; i < sddf_net_config.rx_buffer_count; i++) {
        hostile_put(&rx_free, (uint64_t)i * NET_BUFFER_SIZE, 0);
    }
    sddf_queue_publish(&rx_free);
    honest();
    if (timer_init() && timer_set_periodic(0, PERIOD) == TIMER_OK) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(" is up\n");
    }
}
