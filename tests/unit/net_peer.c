/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <microkit.h>

#include "net_peer.h"
#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

struct peer peer;
static struct {
    uint8_t *base;
    size_t used, size;
} arena;

static seL4_Word message[64];
char microkit_name[MICROKIT_PD_NAME_LENGTH] = "client";

/* ---- the Microkit -------------------------------------------------------------------------- */

void microkit_notify(microkit_channel ch)
{
    peer.notified[ch]++;
}

/* Sent at the end of the wake-up, which is not told apart here. */
void microkit_deferred_notify(microkit_channel ch)
{
    peer.notified[ch]++;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    message[mr] = value;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return message[mr];
}

microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo info)
{
    if (ch == PEER_TIMER_CHANNEL) {
        assert_int_equal(microkit_msginfo_get_label(info), TIMER_CALL_SET);
        peer.timer_deadline = message[1];
        peer.timer_calls++;
        return microkit_msginfo_new(TIMER_OK, 0);
    }
    assert_int_equal(ch, PEER_ARP_CHANNEL);
    assert_int_equal(microkit_msginfo_get_label(info), NET_ARP_CLAIM);
    if (message[0] != 0 && peer.claim_refused) {
        return microkit_msginfo_new(NET_ARP_REFUSED, 0);
    }
    peer.claimed = (uint32_t)message[0];
    return microkit_msginfo_new(NET_ARP_OK, 0);
}

void microkit_dbg_puts(const char *s)
{
    strncat(peer.said, s, sizeof(peer.said) - strlen(peer.said) - 1);
}

void microkit_dbg_putc(int c)
{
    char text[2] = {(char)c, '\0'};
    microkit_dbg_puts(text);
}

uint64_t sddf_clock_now(void)
{
    return peer.now;
}

/* ---- set-up -------------------------------------------------------------------------------- */

static void *allot(size_t size)
{
    void *at = arena.base + arena.used;
    arena.used += (size + 4095) & ~(size_t)4095;
    assert_true(arena.used <= arena.size);
    return at;
}

static struct sddf_queue_config queue(uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)allot(sddf_queue_producer_size(capacity, net_queue_words)),
        .consumer = (uintptr_t)allot(sddf_queue_consumer_size()),
        .capacity = capacity,
    };
}

static struct sddf_region_config region(void *at, size_t size)
{
    return (struct sddf_region_config){.vaddr = (uintptr_t)at, .size = size};
}

static void attach_producer(struct sddf_queue_producer *q, const struct sddf_queue_config *c)
{
    assert_true(net_queue_producer_attach(q, (void *)(uintptr_t)c->producer,
                                          (void *)(uintptr_t)c->consumer, c->capacity));
}

static void attach_consumer(struct sddf_queue_consumer *q, const struct sddf_queue_config *c)
{
    assert_true(net_queue_consumer_attach(q, (void *)(uintptr_t)c->consumer,
                                          (void *)(uintptr_t)c->producer, c->capacity));
}

void peer_setup(uint32_t capacity)
{
    memset(&peer, 0, sizeof(peer));
    peer.capacity = capacity;
    peer.now = 5 * SDDF_NS_PER_S;
    size_t data = (size_t)capacity * NET_BUFFER_SIZE;
    arena.used = 0;
    arena.size = 2 * (data + 4096) + 16 * 4096 + 8 * (size_t)capacity * sizeof(struct net_entry) +
                 sizeof(struct net_stats);
    arena.base = mmap(NULL, arena.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(arena.base, MAP_FAILED);

    peer.rx_data = allot(data);
    peer.tx_data = allot(data);
    peer.stats = allot(sizeof(struct net_stats));
    struct net_client_config config = {
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_CLIENT,
                   sizeof(struct net_client_config), 0},
        .rx = {queue(capacity), queue(capacity), PEER_RX_CHANNEL, {0}},
        .tx = {queue(capacity), queue(capacity), PEER_TX_CHANNEL, {0}},
        .rx_data = region(peer.rx_data, data),
        .tx_data = region(peer.tx_data, data),
        .stats = region(peer.stats, sizeof(struct net_stats)),
        .rx_buffer_count = capacity,
        .tx_buffer_count = capacity,
        .mac = {2, 0, 0, 0, 0, 1},
        .prefix = 24,
        .arp_channel = SDDF_NO_CHANNEL,
        .name = "client",
    };
    const uint8_t address[4] = {10, 0, 0, 10};
    memcpy(&config.ipv4, address, 4);
    sddf_net_config = config;

    attach_consumer(&peer.rx_free, &config.rx.free);
    attach_producer(&peer.rx_active, &config.rx.active);
    attach_producer(&peer.tx_free, &config.tx.free);
    attach_consumer(&peer.tx_active, &config.tx.active);
}

void peer_teardown(void)
{
    munmap(arena.base, arena.size);
}

/* ---- traffic ------------------------------------------------------------------------------- */

bool peer_deliver(const void *frame, uint16_t length, uint16_t flags, uint32_t offset)
{
    struct net_entry entry;
    if (!net_queue_dequeue(&peer.rx_free, &entry)) {
        return false;
    }
    sddf_queue_release(&peer.rx_free);
    assert_true(entry.address < (uint64_t)peer.capacity * NET_BUFFER_SIZE);
    entry.address = entry.address / NET_BUFFER_SIZE * NET_BUFFER_SIZE + offset;
    entry.length = length;
    entry.flags = flags;
    memcpy(peer.rx_data + entry.address, frame, length);
    assert_true(net_queue_enqueue(&peer.rx_active, entry));
    sddf_queue_publish(&peer.rx_active);
    return true;
}

uint16_t peer_collect(uint8_t frame[NET_BUFFER_SIZE])
{
    struct net_entry entry;
    if (!net_queue_dequeue(&peer.tx_active, &entry)) {
        return 0;
    }
    sddf_queue_release(&peer.tx_active);
    assert_true(entry.address / NET_BUFFER_SIZE < peer.capacity);
    assert_in_range(entry.length, NET_FRAME_MIN, NET_FRAME_MAX);
    memcpy(frame, peer.tx_data + entry.address, entry.length);
    uint16_t length = entry.length;
    assert_true(net_queue_enqueue(&peer.tx_free, entry));
    sddf_queue_publish(&peer.tx_free);
    return length;
}

void peer_provide_tx(void)
{
    for (uint32_t i = 0; i < peer.capacity; i++) {
        struct net_entry entry = {.address = (uint64_t)i * NET_BUFFER_SIZE};
        assert_true(net_queue_enqueue(&peer.tx_free, entry));
    }
    sddf_queue_publish(&peer.tx_free);
}

uint64_t peer_stat(enum net_stat stat)
{
    return sddf_load_relaxed_u64(&peer.stats->row[0].count[stat]);
}
