/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device apart from its rings: reset, configuration, link, interrupts, statistics. Only the PD
 * that owns the device calls any of these, and none blocks: what has to be waited for is asked a
 * bounded number of times.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/device.h"

#include "registers.h"

/*
 * Interrupt causes as this driver speaks of them. With MSI-X vector 0 is for traffic and vector 1
 * for the rest; with one interrupt everything comes by that.
 */
struct e1000e {
    uintptr_t registers;
    bool vectors; /* two, by MSI-X */
    uint32_t rx_cause, tx_cause, other_cause;
};

/* Where a ring lies, as the device sees it. */
struct e1000e_place {
    uint64_t io_address;
    uint32_t bytes;
};

static inline uint32_t e1000e_read(const struct e1000e *device, uint32_t offset)
{
    return sddf_device_read32(device->registers + offset);
}

static inline void e1000e_write(const struct e1000e *device, uint32_t offset, uint32_t value)
{
    sddf_device_write32(device->registers + offset, value);
}

void e1000e_attach(struct e1000e *device, uintptr_t registers, bool vectors);

/* 4.6.1, 4.6.2. False: it does not say that it has reset, so it may use what it was given. */
bool e1000e_reset(const struct e1000e *device);

/* 4.6.3 to 4.6.6, after a reset: both rings are there, empty; all interrupts but traffic's are on.
 */
void e1000e_start(const struct e1000e *device, const struct e1000e_place *rx,
                  const struct e1000e_place *tx);

/* STATUS. E1000E_ALL_ONES: there is no device. */
uint32_t e1000e_status(const struct e1000e *device);

/* The address that the device was born with (RAL, RAH). */
void e1000e_address(const struct e1000e *device, uint8_t mac[6]);

/* 10.2.7: frames that it missed, and frames that were damaged, since the last call. */
struct e1000e_losses {
    uint32_t missed;
    uint32_t damaged;
};
struct e1000e_losses e1000e_losses(const struct e1000e *device);

/*
 * A doorbell, for either ring's tail: whoever is told to look sees the descriptors before it.
 */
static inline void e1000e_tail(const struct e1000e *device, uint32_t tail, uint32_t index)
{
    sddf_device_before_doorbell();
    e1000e_write(device, tail, index);
}

/*
 * 7.4.3: lets these causes interrupt, once. One that has come up since it last interrupted does so
 * at once, so nobody needs to look again.
 */
static inline void e1000e_arm(const struct e1000e *device, uint32_t causes)
{
    e1000e_write(device, E1000E_IMS, causes);
}

static inline void e1000e_disarm(const struct e1000e *device, uint32_t causes)
{
    e1000e_write(device, E1000E_IMC, causes);
}

/*
 * Forgets causes that have come up. Registers are written in order, so what a doorbell written
 * after this will cause is not forgotten.
 */
static inline void e1000e_forget(const struct e1000e *device, uint32_t causes)
{
    e1000e_write(device, E1000E_ICR, causes);
}
