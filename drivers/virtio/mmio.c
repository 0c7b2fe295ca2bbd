/* SPDX-License-Identifier: BSD-2-Clause */
/* The MMIO transport of virtio 1.2 (section 4.2). */
#include "transport.h"

static uint32_t get(const struct virtio *device, uint32_t offset)
{
    return sddf_device_read32(device->registers + offset);
}

static void put(const struct virtio *device, uint32_t offset, uint32_t value)
{
    sddf_device_write32(device->registers + offset, value);
}

bool virtio_shape_ok(const struct sddf_device_config *config)
{
    return config->region_count == VIRTIO_REGION_RINGS + 1 && config->irq_count == 1;
}

/*
 * Looks for a device of this kind at the region's address. Boards put transports side by side,
 * VIRTIO_MMIO_SIZE apart and several to a page, while a region is whole pages: if there is another
 * kind of device, or none, the search goes on as far as the region has transports.
 * 4.2.3.1.1: magic and version first; nothing but the identifier of a device that is not there.
 */
bool virtio_find(struct virtio *device, const struct sddf_device_config *config, uint32_t device_id)
{
    const struct sddf_region_config *region = &config->region[VIRTIO_REGION_REGISTERS];
    uint64_t end = region->vaddr + region->size;
    for (uint64_t at = region->vaddr; end - at >= VIRTIO_MMIO_SIZE; at += VIRTIO_MMIO_SIZE) {
        device->registers = (uintptr_t)at;
        if (get(device, VIRTIO_MMIO_MAGIC) != VIRTIO_MMIO_MAGIC_VALUE ||
            get(device, VIRTIO_MMIO_VERSION) != VIRTIO_MMIO_VERSION_VALUE) {
            return false;
        }
        if (get(device, VIRTIO_MMIO_DEVICE_ID) == device_id) {
            device->specific = device->registers + VIRTIO_MMIO_CONFIG;
            device->specific_size = VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG;
            return true;
        }
    }
    return false;
}

uint32_t virtio_bus_status(const struct virtio *device)
{
    return get(device, VIRTIO_MMIO_STATUS);
}

void virtio_bus_set_status(const struct virtio *device, uint32_t status)
{
    put(device, VIRTIO_MMIO_STATUS, status);
}

uint32_t virtio_bus_offered(const struct virtio *device, uint32_t which)
{
    put(device, VIRTIO_MMIO_DEVICE_FEAT_SEL, which);
    return get(device, VIRTIO_MMIO_DEVICE_FEATURES);
}

void virtio_bus_accept(const struct virtio *device, uint32_t which, uint32_t features)
{
    put(device, VIRTIO_MMIO_DRIVER_FEAT_SEL, which);
    put(device, VIRTIO_MMIO_DRIVER_FEATURES, features);
}

bool virtio_bus_agreed(const struct virtio *device)
{
    (void)device; /* there is one interrupt, and nothing to say of it */
    return true;
}

uint32_t virtio_bus_generation(const struct virtio *device)
{
    return get(device, VIRTIO_MMIO_CONFIG_GENERATION);
}

/* 4.2.3.2 Virtqueue Configuration, points 1 to 3 */
uint32_t virtio_queue_max(struct virtio *device, uint32_t queue)
{
    put(device, VIRTIO_MMIO_QUEUE_SEL, queue);
    if (get(device, VIRTIO_MMIO_QUEUE_READY) != 0) {
        return 0;
    }
    return get(device, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

/* 4.2.3.2, points 5 to 7 */
bool virtio_queue_start(struct virtio *device, uint32_t queue, uint32_t size, uint64_t desc,
                        uint64_t driver, uint64_t device_area)
{
    (void)queue;
    put(device, VIRTIO_MMIO_QUEUE_NUM, size);
    virtio_put_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
    virtio_put_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, driver);
    virtio_put_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, device_area);
    /* A device may look as soon as the queue is ready: the zeroed rings come first. */
    sddf_device_before_doorbell();
    put(device, VIRTIO_MMIO_QUEUE_READY, 1);
    return true;
}

/*
 * 4.2.3.4.1 wants the events acknowledged once they are handled; here they are handled as soon as
 * it is known which they were. Acknowledged after looking at the rings, an event that came in
 * between would go with those that were seen.
 */
uint32_t virtio_interrupt(const struct virtio *device, uint32_t which)
{
    (void)which; /* there is one */
    uint32_t why = get(device, VIRTIO_MMIO_INTERRUPT_STATUS) &
                   (VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG);
    if (why != 0) {
        put(device, VIRTIO_MMIO_INTERRUPT_ACK, why);
        /* The acknowledgement is there before we look at the rings. */
        sddf_device_after_register();
    }
    return why;
}

/* 4.2.3.3, and 2.7.13.4.1 for what comes before */
void virtio_doorbell(const struct virtio *device, uint32_t queue)
{
    /* Whoever is told to look sees the ring's index and everything behind it. */
    sddf_device_before_doorbell();
    put(device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}
