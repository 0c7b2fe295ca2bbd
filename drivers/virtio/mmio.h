/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MMIO transport of virtio 1.2 (section 4.2), not the legacy one. Calls in the order in which
 * section 3.1.1 wants them:
 *
 *   virtio_mmio_find       a transport with this kind of device behind it
 *   virtio_mmio_reset      the device forgets all queues and touches no memory any more
 *   virtio_mmio_begin      steps 2 to 6: known, and features agreed upon
 *   virtio_mmio_queue_max, virtio_mmio_queue_start          step 7, once per queue
 *   virtio_mmio_go         step 8: the device may use the queues, and doorbells may be rung
 *
 * or virtio_mmio_fail once something went wrong after reset. Only the PD that owns the device calls
 * any of these, and none blocks: what has to be waited for is asked a bounded number of times.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/config.h"
#include "sddf/device.h"

#include "virtio.h"

struct virtio_mmio {
    uintptr_t registers;
    uint32_t status;   /* as far as initialisation has come */
    uint64_t features; /* agreed upon */
};

/*
 * Looks for a device of this kind at the region's address. Boards put transports side by side,
 * VIRTIO_MMIO_SIZE apart and several to a page, while a region is whole pages: if there is another
 * kind of device, or none, the search goes on as far as the region has transports.
 */
bool virtio_mmio_find(struct virtio_mmio *device, const struct sddf_region_config *region,
                      uint32_t device_id);

/* False: the device does not say that it has reset, so it may still use what it was given. */
bool virtio_mmio_reset(struct virtio_mmio *device);

/*
 * Takes those `wanted` features that are offered; `required` are among the wanted. False if one
 * of the required is not offered, or the device does not agree.
 */
bool virtio_mmio_begin(struct virtio_mmio *device, uint64_t wanted, uint64_t required);

/* Entries that the queue may have, 0 if it is not there or in use. Selects the queue. */
uint32_t virtio_mmio_queue_max(struct virtio_mmio *device, uint32_t queue);

/* The queue that was selected last; addresses as the device sees them. */
void virtio_mmio_queue_start(struct virtio_mmio *device, uint32_t size, uint64_t desc,
                             uint64_t driver, uint64_t device_area);

void virtio_mmio_go(struct virtio_mmio *device);
void virtio_mmio_fail(struct virtio_mmio *device);

/* `length` bytes of the device's configuration, all of one moment. False if it keeps changing. */
bool virtio_mmio_config(const struct virtio_mmio *device, uint8_t *bytes, uint32_t length);

/* 2.1.2: does the device say that it has met an error that only a reset can mend? */
bool virtio_mmio_needs_reset(const struct virtio_mmio *device);

/*
 * 4.2.3.4: why the device interrupted (VIRTIO_MMIO_INTERRUPT_*), which is acknowledged with that.
 * Look at the rings after this, or an event between looking and acknowledging is lost.
 */
static inline uint32_t virtio_mmio_interrupt(const struct virtio_mmio *device)
{
    uint32_t why = sddf_device_read32(device->registers + VIRTIO_MMIO_INTERRUPT_STATUS) &
                   (VIRTIO_MMIO_INTERRUPT_USED | VIRTIO_MMIO_INTERRUPT_CONFIG);
    if (why != 0) {
        sddf_device_write32(device->registers + VIRTIO_MMIO_INTERRUPT_ACK, why);
        /* The acknowledgement is there before we look at the rings. */
        sddf_device_after_register();
    }
    return why;
}

/* 4.2.3.3: the device looks at the queue's available ring. Not before virtio_mmio_go. */
static inline void virtio_mmio_doorbell(const struct virtio_mmio *device, uint32_t queue)
{
    /* Whoever is told to look sees the ring's index and everything behind it. */
    sddf_device_before_doorbell();
    sddf_device_write32(device->registers + VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}
