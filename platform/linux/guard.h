/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small parent of a loader that has PCI devices: it takes them before there is a loader, only
 * waits, and gives them back when the loader and all protection domains are gone, however they
 * went.
 *
 *     sddf run ──┬── the parent: holds the devices' records
 *                └── the loader ── protection domains
 *
 * If the parent is killed the loader shuts down in order and gives the devices back itself. If both
 * are killed, the next one finds the records (pci.h).
 */
#pragma once

#include "platform/linux/device.h"
#include "system/system.h"

/*
 * Runs `run(context)` and returns what it returned: here if the system uses no PCI device, else in
 * a child, with the devices taken. 1 with the reason on standard error if they cannot be had.
 */
int linux_guard(const struct system *system, const struct board *board,
                const struct linux_device_options *options, int (*run)(void *context),
                void *context);
