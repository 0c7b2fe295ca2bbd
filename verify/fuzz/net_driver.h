/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network driver between both virtualisers and its device, each of them honest or not. Included
 * by the targets before their driver; each of them is the device.
 *
 * The driver has no mapping of packet data. What it knows of a buffer is its address, so what it
 * was given is counted: it hands nobody, the device included, what it was not given.
 */
#pragma once

#define FUZZ_DEVICES 1

#include "neighbours.h"

enum { VIRT_RX, VIRT_TX };
enum { RX, TX_A, TX_B, TX_C, REGIONS }; /* of data; TX_A and TX_B lie side by side */
enum { IRQ = 20, IRQ_SECOND };

#define REGION_BYTES (FUZZ_BUFFERS * NET_BUFFER_SIZE)
#define RX_IO        UINT64_C(0x40000000)
#define TX_IO        UINT64_C(0x50000000)
#define TX_C_IO      UINT64_C(0x60000000)

static bool device_hostile;

extern struct net_driver_config sddf_net_config;

/* The target's: more of the configuration. */
static void configure_device(struct sddf_device_config *config);
/* The target's: as before the power was on; the driver's private memory, too. */
static void device_reset(void);
/* The target's: which of its interrupts the device has for the driver; 0: none. Takes it. */
static microkit_channel device_interrupt(void);
/* The target's: does the driver run? */
static bool driver_runs(void);
/* The target's: how often the driver or the device has this buffer. */
static uint32_t driver_has(uint64_t address);
/* The target's: one thing that an honest device does, if there is any. */
static bool device_works(uint8_t how);
/* The target's: one that a hostile one does. */
static void device_errs(uint8_t how);

/* Nobody but the device looks at it. */
static struct sddf_region_config add_hidden(uint64_t io_address)
{
    struct sddf_region_config region = fuzz_add_data(io_address, false, true);
    uint8_t *begin = (uint8_t *)(uintptr_t)(region.vaddr / FUZZ_PAGE * FUZZ_PAGE);
    uint8_t *end = (uint8_t *)(uintptr_t)(region.vaddr + region.size);
    fuzz_check(mprotect(begin, (size_t)(end - begin), PROT_NONE) == 0, "no rights");
    region.vaddr = 0;
    return region;
}

static void prepare(const uint64_t io[REGIONS])
{
    struct net_driver_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_DRIVER, sizeof(*c), 0};
    c->data_count = REGIONS;
    for (uint32_t i = 0; i < REGIONS; i++) {
        c->data[i] = add_hidden(io[i]);
    }
    c->rx = fuzz_add_neighbour((struct fuzz_neighbour){.io = true, .data = 1 << RX}, FUZZ_CAPACITY);
    c->tx = fuzz_add_neighbour((struct fuzz_neighbour){.io = true,
                                                       .sends = true,
                                                       .data = 1 << TX_A | 1 << TX_B | 1 << TX_C},
                               4 * FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    configure_device(&c->device);
}

static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    (void)neighbour;
    (void)frame;
    (void)length;
}

static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    (void)frame;
    fuzz_check(neighbour == VIRT_RX && (entry->flags & ~NET_CSUM_VERIFIED) == 0,
               "flags leave that nobody knows");
}

/*
 * Each buffer that came is with the driver, or its device. (Of what a hostile virt_tx sends, and
 * which is none of its buffers, some that is refused may not find its way back.)
 */
static void fuzz_account(void)
{
    for (uint32_t r = 0; r < REGIONS && !fuzz_invented && driver_runs(); r++) {
        for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
            const uint64_t address = fuzz_data[r].io_address + (uint64_t)i * NET_BUFFER_SIZE;
            const uint32_t credit = fuzz_data[r].credit[i];
            const uint32_t has = driver_has(address);
            fuzz_check(has <= credit, "a buffer is made up");
            fuzz_check(has == credit || (r != RX && fuzz_neighbour[VIRT_TX].hostile),
                       "a buffer is lost");
        }
    }
}

/* Where a device may receive to or, of so many bytes, send from: is the driver entitled to it? */
static inline void device_is_given(uint64_t address, uint32_t length, bool receives)
{
    const struct fuzz_neighbour *n = &fuzz_neighbour[receives ? VIRT_RX : VIRT_TX];
    uint32_t region;
    const uint32_t buffer = fuzz_buffer(n, address, &region);
    fuzz_check(buffer != FUZZ_NO_BUFFER, "the device is given what is no buffer");
    fuzz_check(fuzz_data[region].credit[buffer] > 0, "the device is given another's buffer");
    const uint64_t place = (address - fuzz_data[region].io_address) % NET_BUFFER_SIZE;
    fuzz_check(place + length <= NET_BUFFER_SIZE, "the device is given more than a buffer");
}

static void interrupt(microkit_channel ch)
{
    fuzz_steps_begin();
    notified(ch);
    fuzz_at_rest();
}

static void fuzz_device_acts(uint8_t act)
{
    if (device_hostile && act % 2 != 0) {
        device_errs(act / 2);
    } else {
        for (uint32_t i = 0; i <= act / 16u; i++) {
            device_works(act / 2);
        }
    }
}

static void device_interrupts(uint8_t act)
{
    const microkit_channel ch = device_interrupt();
    if (ch != 0 || device_hostile) {
        interrupt(ch != 0 ? ch : IRQ + act % 2);
    }
}

static bool fuzz_device_settles(void)
{
    bool woken = false;
    for (uint32_t i = 0; i < 200 && !device_hostile; i++) {
        const bool works = device_works(UINT8_MAX);
        const microkit_channel ch = device_interrupt();
        if (ch != 0) {
            interrupt(ch);
            woken = true;
        } else if (!works) {
            break;
        }
    }
    return woken;
}

/* What every driver refuses of its configuration. */
static bool spoil_configuration(uint8_t how)
{
    struct net_driver_config *c = &sddf_net_config;
    switch (how) {
    case 255:
        c->header.size--;
        return true;
    case 254:
        c->data_count = NET_CLIENTS_MAX + 3;
        return true;
    case 253:
        c->stats.size = 8;
        return true;
    case 252:
        c->rx.active.capacity = 3;
        return true;
    case 251:
        c->tx.channel = MICROKIT_MAX_CHANNELS;
        return true;
    case 250:
        c->device.region_count = 0;
        return true;
    case 249:
        c->device.irq_count = 0;
        return true;
    default:
        return false;
    }
}

/* All as before the driver's first life. mode: who is hostile, and when they have their turns. */
static void begin(uint8_t mode)
{
    fuzz_reset(mode & 3);
    fuzz_data_reset(RX, VIRT_RX);
    for (uint32_t i = TX_A; i < REGIONS; i++) {
        fuzz_data_reset(i, VIRT_TX);
    }
    device_reset();
    device_hostile = (mode & 4) != 0;
    fuzz_concurrent = (mode & 8) != 0;
}

/* One life of the driver. more: from 249 on its configuration is bad, and below that the target's.
 */
static void drive(uint8_t mode, uint8_t more)
{
    const struct net_driver_config good = sddf_net_config;
    const bool bad = spoil_configuration(more);
    fuzz_steps_begin();
    init();
    sddf_net_config = good;
    if (bad || !driver_runs()) {
        fuzz_check(!bad || !driver_runs(), "it runs with a bad configuration");
        notified(IRQ);
        return;
    }
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        const uint8_t act = fuzz_u8();
        if (act < 60) {
            fuzz_neighbour_notifies(act % fuzz_neighbour_count);
        } else if (act < 100) {
            device_interrupts(act);
        } else if (act == 100 && (mode & 128) != 0) {
            fuzz_steps_begin();
            init(); /* a restart: what it had, it remembers */
            if (!driver_runs()) {
                return;
            }
            fuzz_at_rest();
        } else {
            fuzz_neighbours_act();
        }
    }
}

/* At the end: is nothing left to do, of what could be checked? */
static bool settles(void)
{
    fuzz_steps_left = UINT32_MAX;
    return driver_runs() && fuzz_settle() && !device_hostile;
}

/* If all are honest and the device works: each buffer has gone where it should. */
static void check_settled(uint32_t device_has_of_rx)
{
    const struct fuzz_neighbour *virt_rx = &fuzz_neighbour[VIRT_RX];
    const struct fuzz_neighbour *virt_tx = &fuzz_neighbour[VIRT_TX];
    fuzz_check(virt_tx->out.consumer->head == virt_tx->tail,
               "frames are left, and nobody will look at them");
    fuzz_check(fuzz_has(virt_tx) == 3 * FUZZ_BUFFERS, "buffers of sent frames do not come back");
    fuzz_check(fuzz_has(virt_rx) + device_has_of_rx +
                       (virt_rx->tail - virt_rx->out.consumer->head) ==
                   FUZZ_BUFFERS,
               "buffers for receiving do not come back");
}
