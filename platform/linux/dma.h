/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for devices that no IOMMU is in front of: one stretch of physical memory, in huge pages,
 * which Linux neither swaps nor moves about. What the devices of a system reach is taken from it,
 * so that its addresses are known before the system is expanded (struct board_dma).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "system/system.h"

#define LINUX_DMA_PAGE UINT64_C(0x200000)

struct linux_dma {
    int rw, ro;      /* of one memfd, as of a region's memory (device.h) */
    uint64_t offset; /* in it */
    uint64_t phys, size;
};

extern const struct linux_dma linux_no_dma;

/*
 * The longest stretch that the free huge pages have, but no more than `most` bytes. False with
 * `*why` set, to be freed.
 */
bool linux_dma_open(struct linux_dma *dma, uint64_t most, char **why);

/* Gives back what the expanded system has not taken. */
void linux_dma_trim(struct linux_dma *dma, const struct system *system);

/* Does the region lie there? Its offset in the memfd. */
bool linux_dma_has(const struct linux_dma *dma, const struct system_region *region,
                   uint64_t *offset);

void linux_dma_close(struct linux_dma *dma);
