/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a driver talks to a virtio 1.2 device, not a legacy one: one interface, and a file for each
 * bus. A driver is linked with the one that its board needs, and is the same otherwise:
 *
 *   transport.c   what is the same on every bus
 *   mmio.c        section 4.2, Virtio Over MMIO
 *   pci.c         section 4.1, Virtio Over PCI Bus
 *
 * Calls in the order in which section 3.1.1 wants them:
 *
 *   virtio_find       a transport with this kind of device behind it
 *   virtio_reset      the device forgets all queues and touches no memory any more
 *   virtio_begin      steps 2 to 6: known, and features agreed upon
 *   virtio_queue_max, virtio_queue_start          step 7, once per queue
 *   virtio_go         step 8: the device may use the queues, and doorbells may be rung
 *
 * or virtio_fail once something went wrong after reset. Only the PD that owns the device calls
 * any of these, and none blocks: what has to be waited for is asked a bounded number of times.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/config.h"
#include "sddf/device.h"

#include "virtio.h"

/*
 * The device's regions in the configuration: registers, memory for the rings, and what else the
 * bus has (pci.c: the configuration space).
 */
enum { VIRTIO_REGION_REGISTERS, VIRTIO_REGION_RINGS, VIRTIO_REGION_CONFIG };

#define VIRTIO_QUEUES 2 /* that a driver here uses at most */

/* How often something is asked that has to change soon: a reset takes a device microseconds. */
#define VIRTIO_ASK_MAX 100000

struct virtio {
    uintptr_t registers; /* MMIO: all of them; PCI: the common configuration */
    uintptr_t specific;  /* the configuration of this kind of device */
    uint32_t specific_size;
    uint32_t status;     /* as far as initialisation has come */
    uint64_t features;   /* agreed upon */
    uintptr_t interrupt; /* PCI: the ISR status, without message-signalled interrupts */
    uintptr_t notify;    /* PCI: where doorbells lie, as far as ..._size, so far apart */
    uint32_t notify_size;
    uint32_t notify_step;
    uintptr_t doorbell[VIRTIO_QUEUES];
    bool messages;    /* PCI: interrupts are messages, and each says what it is by which it is */
    uint32_t vectors; /* PCI: so many are ours */
};

/* Has a device on this bus as many regions and interrupts as this? */
bool virtio_shape_ok(const struct sddf_device_config *config);

/* Finds out where everything lies. False: there is no device of this kind. */
bool virtio_find(struct virtio *device, const struct sddf_device_config *config,
                 uint32_t device_id);

/* False: the device does not say that it has reset, so it may still use what it was given. */
bool virtio_reset(struct virtio *device);

/*
 * Takes those `wanted` features that are offered; `required` are among the wanted. False if one
 * of the required is not offered, or the device does not agree.
 */
bool virtio_begin(struct virtio *device, uint64_t wanted, uint64_t required);

/* Entries that the queue may have, 0 if it is not there or in use. Selects the queue. */
uint32_t virtio_queue_max(struct virtio *device, uint32_t queue);

/*
 * The queue that was selected last; addresses as the device sees them. False: the device has no
 * doorbell or no interrupt for it.
 */
bool virtio_queue_start(struct virtio *device, uint32_t queue, uint32_t size, uint64_t desc,
                        uint64_t driver, uint64_t device_area);

void virtio_go(struct virtio *device);
void virtio_fail(struct virtio *device);

/* `length` bytes of the device's configuration, all of one moment. False if it keeps changing. */
bool virtio_config(const struct virtio *device, uint8_t *bytes, uint32_t length);

/* 2.1.2: does the device say that it has met an error that only a reset can mend? */
bool virtio_needs_reset(const struct virtio *device);

/*
 * Why the device interrupted (VIRTIO_INTERRUPT_*), which is acknowledged with that; `which` is
 * the interrupt's number among the device's. Look at the rings after this, or an event between
 * looking and acknowledging is lost.
 */
uint32_t virtio_interrupt(const struct virtio *device, uint32_t which);

/* The device looks at the queue's available ring. Not before virtio_go. */
void virtio_doorbell(const struct virtio *device, uint32_t queue);

/* ---- between transport.c and the bus's file -------------------------------------------------- */

uint32_t virtio_bus_status(const struct virtio *device);
void virtio_bus_set_status(const struct virtio *device, uint32_t status);

/* 32 features from bit 32 * which on: those that the device offers, and those that we accept. */
uint32_t virtio_bus_offered(const struct virtio *device, uint32_t which);
void virtio_bus_accept(const struct virtio *device, uint32_t which, uint32_t features);

/* Both have agreed upon features: what the bus wants before queues are set up. False: it cannot. */
bool virtio_bus_agreed(const struct virtio *device);

/* It changes with the configuration. */
uint32_t virtio_bus_generation(const struct virtio *device);

/* 4.1.3.1, 4.2.2.2: 64 bits are written as two registers of 32. */
static inline void virtio_put_address(const struct virtio *device, uint32_t offset,
                                      uint64_t address)
{
    sddf_device_write32(device->registers + offset, (uint32_t)address);
    sddf_device_write32(device->registers + offset + 4, (uint32_t)(address >> 32));
}
