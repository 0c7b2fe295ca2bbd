/* SPDX-License-Identifier: BSD-2-Clause */
/* Initialisation and configuration as they are on every bus (virtio 1.2, sections 2 and 3). */
#include "transport.h"

#define ALL_ONES 0xffu

/* 2.1.1: one step after another, and none is taken back. */
static void put_status(struct virtio *device, uint32_t bit)
{
    device->status |= bit;
    virtio_bus_set_status(device, device->status);
}

/*
 * 2.4.2: a reset is complete when the status reads as 0. All ones is no status that there is: the
 * device has been pulled out, and need not be asked again.
 */
bool virtio_reset(struct virtio *device)
{
    uint32_t status = 0;
    device->features = 0;
    device->status = 0;
    put_status(device, 0);
    for (uint32_t i = 0; i < VIRTIO_ASK_MAX && (status & ALL_ONES) != ALL_ONES; i++) {
        status = virtio_bus_status(device);
        if (status == 0) {
            /* The device's memory is ours again only now: no earlier access of ours to it. */
            sddf_device_after_register();
            return true;
        }
    }
    return false;
}

bool virtio_begin(struct virtio *device, uint64_t wanted, uint64_t required)
{
    put_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    put_status(device, VIRTIO_STATUS_DRIVER);
    uint64_t features = virtio_bus_offered(device, 0);
    features |= (uint64_t)virtio_bus_offered(device, 1) << 32;
    features &= wanted;
    if ((features & required) != required) {
        return false;
    }
    virtio_bus_accept(device, 0, (uint32_t)features);
    virtio_bus_accept(device, 1, (uint32_t)(features >> 32));
    put_status(device, VIRTIO_STATUS_FEATURES_OK);
    if ((virtio_bus_status(device) & VIRTIO_STATUS_FEATURES_OK) == 0) {
        device->status &= ~VIRTIO_STATUS_FEATURES_OK; /* the device's word, not ours */
        return false;
    }
    device->features = features;
    return virtio_bus_agreed(device);
}

void virtio_go(struct virtio *device)
{
    put_status(device, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio *device)
{
    put_status(device, VIRTIO_STATUS_FAILED);
}

/* 4.1.3.1, 4.2.2.2: bytes by bytes; 2.5.1: again if the generation has changed meanwhile. */
bool virtio_config(const struct virtio *device, uint8_t *bytes, uint32_t length)
{
    for (uint32_t tries = 0; length <= device->specific_size && tries < 16; tries++) {
        const uint32_t before = virtio_bus_generation(device);
        for (uint32_t i = 0; i < length; i++) {
            bytes[i] = sddf_device_read8(device->specific + i);
        }
        if (virtio_bus_generation(device) == before) {
            return true;
        }
    }
    return false;
}

bool virtio_needs_reset(const struct virtio *device)
{
    return (virtio_bus_status(device) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}
