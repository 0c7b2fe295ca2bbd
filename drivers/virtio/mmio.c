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

/* 2.1.1: one step after another, and none is taken back. */
static void put_status(struct virtio *device, uint32_t bit)
{
    device->status |= bit;
    put(device, VIRTIO_MMIO_STATUS, device->status);
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
            return true;
        }
    }
    return false;
}

/* 2.4.2: a reset is complete when the status reads as 0. */
bool virtio_reset(struct virtio *device)
{
    device->features = 0;
    device->status = 0;
    put(device, VIRTIO_MMIO_STATUS, 0);
    for (uint32_t i = 0; i < VIRTIO_ASK_MAX; i++) {
        if (get(device, VIRTIO_MMIO_STATUS) == 0) {
            /* The device's memory is ours again only now: no earlier access of ours to it. */
            sddf_device_after_register();
            return true;
        }
    }
    return false;
}

static uint64_t offered(const struct virtio *device)
{
    put(device, VIRTIO_MMIO_DEVICE_FEAT_SEL, 0);
    uint64_t low = get(device, VIRTIO_MMIO_DEVICE_FEATURES);
    put(device, VIRTIO_MMIO_DEVICE_FEAT_SEL, 1);
    return low | (uint64_t)get(device, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

bool virtio_begin(struct virtio *device, uint64_t wanted, uint64_t required)
{
    put_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    put_status(device, VIRTIO_STATUS_DRIVER);
    uint64_t features = offered(device) & wanted;
    if ((features & required) != required) {
        return false;
    }
    put(device, VIRTIO_MMIO_DRIVER_FEAT_SEL, 0);
    put(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
    put(device, VIRTIO_MMIO_DRIVER_FEAT_SEL, 1);
    put(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
    put_status(device, VIRTIO_STATUS_FEATURES_OK);
    if ((get(device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK) == 0) {
        device->status &= ~VIRTIO_STATUS_FEATURES_OK; /* the device's word, not ours */
        return false;
    }
    device->features = features;
    return true;
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

static void put_address(const struct virtio *device, uint32_t offset, uint64_t address)
{
    put(device, offset, (uint32_t)address);
    put(device, offset + 4, (uint32_t)(address >> 32));
}

/* 4.2.3.2, points 5 to 7 */
bool virtio_queue_start(struct virtio *device, uint32_t queue, uint32_t size, uint64_t desc,
                        uint64_t driver, uint64_t device_area)
{
    (void)queue;
    put(device, VIRTIO_MMIO_QUEUE_NUM, size);
    put_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
    put_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, driver);
    put_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, device_area);
    /* A device may look as soon as the queue is ready: the zeroed rings come first. */
    sddf_device_before_doorbell();
    put(device, VIRTIO_MMIO_QUEUE_READY, 1);
    return true;
}

void virtio_go(struct virtio *device)
{
    put_status(device, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio *device)
{
    put_status(device, VIRTIO_STATUS_FAILED);
}

/* 4.2.2.2: bytes by bytes; 2.5.1: again if the generation has changed meanwhile. */
bool virtio_config(const struct virtio *device, uint8_t *bytes, uint32_t length)
{
    for (uint32_t tries = 0; tries < 16; tries++) {
        uint32_t before = get(device, VIRTIO_MMIO_CONFIG_GENERATION);
        for (uint32_t i = 0; i < length; i++) {
            bytes[i] = sddf_device_read8(device->specific + i);
        }
        if (get(device, VIRTIO_MMIO_CONFIG_GENERATION) == before) {
            return true;
        }
    }
    return false;
}

bool virtio_needs_reset(const struct virtio *device)
{
    return (get(device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

/* 4.2.3.4 */
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

/* 4.2.3.3 */
void virtio_doorbell(const struct virtio *device, uint32_t queue)
{
    /* Whoever is told to look sees the ring's index and everything behind it. */
    sddf_device_before_doorbell();
    put(device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}
