/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two ways to a PCI card have in common: through VFIO (device_vfio.c), and without an
 * IOMMU through UIO (device_uio.c).
 */
#pragma once

#include "internal.h"

/* Says where a BAR is to be mapped from. False with `*why` set. */
typedef bool (*linux_card_bar)(void *state, const struct board_region *region,
                               struct linux_resource *resource, char **why);

/*
 * Each region of the card that its driver gets: BARs, and "config", a page for a copy of the
 * configuration space, which is made if the card has it.
 */
bool linux_card_regions(struct linux_device *device, struct linux_memory *config,
                        linux_card_bar open_bar, void *state, char **why);

/*
 * Makes the copy, from `at` on in `fd`, for good. Last, for it says how interrupts have come out.
 */
bool linux_card_config(const struct linux_memory *config, int fd, uint64_t at, uint64_t size);

/* Interrupts, of which none comes yet. */
void linux_card_no_irqs(struct linux_device *device);

/* Sets and clears bits of the command register, in a configuration space from `at` on in `fd`. */
bool linux_card_command(int fd, uint64_t at, unsigned set, unsigned clear);

void linux_card_close(int *fd);
