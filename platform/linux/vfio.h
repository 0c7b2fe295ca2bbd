/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of a PCI device through VFIO, for device_vfio.c: vfio_domain.c and vfio_device.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "internal.h"

#define LINUX_VFIO_MAPS 256

struct linux_vfio {
    int container; /* the IOMMU domain */
    int group;
    int device;
    bool can_reset;
    uint64_t config_at; /* the configuration space, in `device` */
    uint64_t config_size;
    struct linux_memory config; /* its copy for the driver */
    int event[LINUX_DEVICE_IRQS];
    int unmask; /* INTx */
    int wanted; /* readable: the kernel wants the device back */
    unsigned irq_index;
    const char *how; /* interrupts come */
    struct {
        uint64_t at, size;
    } map[LINUX_VFIO_MAPS];
    size_t map_count;
};

/* vfio_domain.c: the IOMMU's side */
bool linux_vfio_open_domain(struct linux_vfio *vfio, const char *address, char **why);
bool linux_vfio_map(struct linux_vfio *vfio, const struct system *system,
                    const struct linux_memory *memory, const char *device, char **why);
void linux_vfio_unmap(struct linux_vfio *vfio);

/* vfio_device.c: the device's side */
uint32_t linux_vfio_config(const struct linux_vfio *vfio, unsigned offset, unsigned bytes);
unsigned linux_vfio_capability(const struct linux_vfio *vfio, unsigned id); /* 0: none */
bool linux_vfio_interrupts(struct linux_vfio *vfio, struct linux_device *device, char **why);
void linux_vfio_no_interrupts(const struct linux_vfio *vfio);

/*
 * Does what the device reads and writes go through the IOMMU? A virtio device made by a host that
 * runs this machine may go around it, and says so by a feature that it does not offer.
 */
bool linux_vfio_translated(const struct linux_vfio *vfio, char **why);
