/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of network drivers for devices with DMA stand on: the platform, both virtualisers'
 * ends of the queues, and buffers. The device is a model's, whose header comes before this one and
 * says where it has its regions: MODEL_RX_IO and MODEL_TX_IO, MODEL_RINGS_IO and MODEL_RINGS_SIZE.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <microkit.h>

#include "sddf/net.h"

#define BUFFERS  512u /* of each direction */
#define RX_BYTES (BUFFERS * NET_BUFFER_SIZE)

enum { IRQ, RX, TX };

extern struct net_driver_config sddf_net_config;

/* ---- the platform -------------------------------------------------------------------------- */

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "ethernet0_driver";

static unsigned notified_rx, notified_tx;
static char output[1024];

void microkit_notify(microkit_channel ch)
{
    assert_true(ch == RX || ch == TX);
    *(ch == RX ? &notified_rx : &notified_tx) += 1;
}

void microkit_dbg_putc(int c)
{
    const size_t length = strlen(output);
    assert_true(length + 1 < sizeof(output));
    output[length] = (char)c;
}

void microkit_dbg_puts(const char *s)
{
    for (; *s != '\0'; s++) {
        microkit_dbg_putc(*s);
    }
}

void microkit_dbg_put32(seL4_Uint32 value)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", value);
    microkit_dbg_puts(number);
}

/* ---- the rig ------------------------------------------------------------------------------- */

static _Alignas(64) struct {
    unsigned char producer[sizeof(struct sddf_queue_producer_region) + 16 * BUFFERS];
    unsigned char pad[64];
    struct sddf_queue_consumer_region consumer;
} memory[4];

static _Alignas(64) struct net_stats stats_page;
static struct sddf_queue_producer rx_free, tx_active;
static struct sddf_queue_consumer rx_active, tx_free;

static inline uint64_t stat(enum net_stat which)
{
    return stats_page.row[0].count[which];
}

static inline void *producer_memory(unsigned which)
{
    const uintptr_t at = (uintptr_t)memory[which].producer;
    return (void *)((at + 63) / 64 * 64);
}

static inline struct sddf_queue_config queue_config(unsigned which, uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)producer_memory(which),
        .consumer = (uintptr_t)&memory[which].consumer,
        .capacity = capacity,
    };
}

/*
 * A configuration with all that any of these drivers needs, and both virtualisers at their ends of
 * the queues. The device's registers, and its interrupts but the first, are the caller's.
 */
static inline void configure_neighbours(const void *registers, uint64_t registers_size, void *rings)
{
    struct net_driver_config *c = &sddf_net_config;
    memset(memory, 0, sizeof(memory));
    memset(&stats_page, 0, sizeof(stats_page));
    memset(c, 0, sizeof(*c));
    c->header = (struct sddf_config_header){.magic = SDDF_CONFIG_MAGIC,
                                            .version = SDDF_CONFIG_VERSION,
                                            .role = SDDF_ROLE_NET_DRIVER,
                                            .size = sizeof(*c)};
    c->device.region_count = 2;
    c->device.region[0] =
        (struct sddf_region_config){.vaddr = (uintptr_t)registers, .size = registers_size};
    c->device.region[1] = (struct sddf_region_config){
        .vaddr = (uintptr_t)rings, .size = MODEL_RINGS_SIZE, .io_address = MODEL_RINGS_IO};
    c->device.irq_count = 1;
    c->device.irq[0] = IRQ;
    c->rx = (struct net_pair_config){
        .free = queue_config(0, BUFFERS), .active = queue_config(1, BUFFERS), .channel = RX};
    c->tx = (struct net_pair_config){
        .free = queue_config(2, BUFFERS), .active = queue_config(3, BUFFERS), .channel = TX};
    c->stats =
        (struct sddf_region_config){.vaddr = (uintptr_t)&stats_page, .size = sizeof(stats_page)};
    c->data_count = 3; /* the Rx DMA region, and two clients' */
    c->data[0] = (struct sddf_region_config){.size = RX_BYTES, .io_address = MODEL_RX_IO};
    c->data[1] = (struct sddf_region_config){.size = RX_BYTES / 2, .io_address = MODEL_TX_IO};
    c->data[2] =
        (struct sddf_region_config){.size = RX_BYTES / 2, .io_address = MODEL_TX_IO + RX_BYTES / 2};
    net_queue_producer_attach(&rx_free, producer_memory(0), &memory[0].consumer, BUFFERS);
    net_queue_consumer_attach(&rx_active, &memory[1].consumer, producer_memory(1), BUFFERS);
    net_queue_consumer_attach(&tx_free, &memory[2].consumer, producer_memory(2), BUFFERS);
    net_queue_producer_attach(&tx_active, producer_memory(3), &memory[3].consumer, BUFFERS);
    notified_rx = notified_tx = 0;
    memset(output, 0, sizeof(output));
}

static inline uint64_t rx_buffer(unsigned i)
{
    return MODEL_RX_IO + (uint64_t)i * NET_BUFFER_SIZE;
}

static inline uint64_t tx_buffer(unsigned i)
{
    return MODEL_TX_IO + (uint64_t)i * NET_BUFFER_SIZE;
}

static inline void give_rx(uint64_t address)
{
    assert_true(net_queue_enqueue(&rx_free, (struct net_entry){.address = address}));
    sddf_queue_publish(&rx_free);
}

static inline void give_tx(struct net_entry entry)
{
    assert_true(net_queue_enqueue(&tx_active, entry));
    sddf_queue_publish(&tx_active);
}

static inline void give_frame(unsigned i)
{
    give_tx((struct net_entry){.address = tx_buffer(i) + 2, .length = 60});
}

static inline bool take_rx(struct net_entry *entry)
{
    const bool taken = net_queue_dequeue(&rx_active, entry);
    sddf_queue_release(&rx_active);
    return taken;
}

static inline unsigned take_tx(void)
{
    struct net_entry entry = {0};
    unsigned n = 0;
    while (net_queue_dequeue(&tx_free, &entry)) {
        assert_true(entry.address - MODEL_TX_IO < RX_BYTES);
        n++;
    }
    sddf_queue_release(&tx_free);
    return n;
}

static inline void give_all_rx(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        give_rx(rx_buffer(i));
    }
}
