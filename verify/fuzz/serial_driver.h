/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial driver between both virtualisers and its device, which is honest or not. Included by the
 * targets, each of which includes its driver before it, and is the device.
 */
#pragma once

#include "serial.h"

#include "serial/driver.c"

enum { VIRT_TX, VIRT_RX, IRQ = 3 };

#define RECEIVED_MAX 65536

/* The device's two FIFOs, as far as all devices have them. */
static struct {
    bool hostile;
    uint32_t rx;     /* bytes that have come in */
    uint32_t tx;     /* bytes that have not left yet */
    uint8_t next_rx; /* the next byte that comes in */
} device;

static uint8_t received[RECEIVED_MAX]; /* by the driver, of an honest device */
static uint32_t received_count;
static uint32_t arrived; /* of those, or lost before */
static uint8_t sent;     /* bytes of virt_tx's, and the next that leaves */
static uint8_t left;

/* Does the device assert its interrupt? */
static bool device_interrupts(void);
/* What a target must undo: globals of the driver that a restart keeps. */
static void device_reset(void);

static struct sddf_region_config device_region;

static void prepare(void)
{
    struct serial_driver_config *c = &sddf_serial_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_SERIAL_DRIVER, sizeof(*c), 0};
    c->device.region_count = 1;
    c->device.region[0] = device_region;
    c->device.irq_count = 1;
    c->device.irq[0] = IRQ;
    c->tx = fuzz_add_tx(true, FUZZ_CAPACITY);
    c->rx = fuzz_add_rx(false, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
}

void microkit_irq_ack(microkit_channel ch)
{
    fuzz_check(ch == IRQ, "another interrupt is acknowledged");
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    microkit_irq_ack(ch);
}

static inline uint8_t device_receives(void)
{
    if (!device.hostile) {
        device.rx -= device.rx > 0;
        fuzz_check(received_count < RECEIVED_MAX, "more is received than there is");
        received[received_count++] = device.next_rx;
    }
    return device.next_rx++;
}

static inline void device_sends(uint8_t byte)
{
    device.tx++;
    fuzz_check(device.hostile || fuzz_peer[VIRT_TX].hostile || byte == left,
               "something else is sent");
    left++;
}

static struct serial_entry fuzz_bytes_of(uint32_t peer)
{
    (void)peer;
    struct serial_entry entry = {.count = fuzz_u8() % (SERIAL_ENTRY_BYTES + 1)};
    for (uint32_t i = 0; i < entry.count; i++) {
        entry.bytes[i] = sent++;
    }
    return entry;
}

/* Some are lost where there is no room; none is made up. */
static void fuzz_arrives(uint32_t peer, const struct serial_entry *entry)
{
    fuzz_check(peer == VIRT_RX && entry->count >= 1 && entry->count <= SERIAL_ENTRY_BYTES,
               "an entry leaves that is none");
    for (uint32_t i = 0; i < entry->count && !device.hostile; i++) {
        while (arrived < received_count && received[arrived] != entry->bytes[i]) {
            arrived++;
        }
        fuzz_check(arrived < received_count, "something is received that has not come in");
        arrived++;
    }
}

static void fuzz_device_acts(uint8_t act)
{
    if (act < 26) {
        device.tx -= act < device.tx ? act : device.tx;
    } else if (device.rx < 100) { /* more than a driver takes in one go */
        device.rx += act - 26u;
    }
}

static void fuzz_interrupts(void)
{
    if (device.hostile || device_interrupts()) {
        fuzz_wake(IRQ);
    }
}

/* All that is on its way leaves, at last. */
static bool fuzz_device_settles(void)
{
    device.tx = 0;
    if (device.hostile || !device_interrupts()) {
        return false;
    }
    fuzz_wake(IRQ);
    return true;
}

static void fuzz_run(void)
{
    if (fuzz_peer_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct serial_driver_config *c = &sddf_serial_config;
    fuzz_reset(mode & 3);
    fuzz_concurrent = (mode & 4) != 0;
    memset(&device, 0, sizeof(device));
    device.hostile = (mode & 8) != 0;
    received_count = arrived = 0;
    sent = left = 0;
    device_reset();
    const struct serial_driver_config good = *c;
    switch (more) {
    case 255:
        c->header.size--;
        break;
    case 254:
        c->device.irq_count = 2;
        break;
    case 253:
        c->stats.size = 8;
        break;
    case 252:
        c->tx.active.capacity = 3;
        break;
    case 251:
        c->rx.channel = MICROKIT_MAX_CHANNELS;
        break;
    case 250:
        c->device.region[0].size = 1; /* no registers; or, of Linux, no descriptor */
        c->device.irq[0] = IRQ + 1;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    *c = good;
    if (fuzz_lives(more >= 250, running) && !device.hostile) {
        fuzz_check_taken(VIRT_TX);
        fuzz_check(fuzz_peer[VIRT_TX].hostile || sent == left, "bytes are left that nobody sends");
        fuzz_check(device.rx == 0, "bytes are left that nobody takes");
    }
}
