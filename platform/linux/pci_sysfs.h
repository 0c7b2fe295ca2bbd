/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two files about PCI devices (pci.c, pci_take.c) look at in sysfs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINUX_PCI_DEVICES "/sys/bus/pci/devices"

/* The first line of a device's file; "" and false if there is none. */
bool linux_pci_read(const char *address, const char *file, char *text, size_t size);

/* The kernel's driver that has it; "" and false: none. */
bool linux_pci_driver(const char *address, char *driver, size_t size);

/* The network interface that its driver makes of it, or "". */
void linux_pci_interface(const char *address, char *name, size_t size);
