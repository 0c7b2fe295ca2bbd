/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI devices as Linux shows them (/sys/bus/pci): which there are, whether one may be driven from
 * here and what is missing if not, and taking one from the kernel's driver and giving it back.
 *
 * Whoever has a device holds a record of it, a locked file in LINUX_PCI_RECORDS that says whose it
 * was before. The lock goes with the last process that holds it, however that ended; a record that
 * nobody holds is of a device that somebody did not give back.
 */
#pragma once

#include <stdbool.h>

#define LINUX_PCI_ADDRESS 13 /* "0000:00:03.0" with its end */
#define LINUX_PCI_RECORDS "/run/sddf-pci"

struct linux_pci {
    char address[LINUX_PCI_ADDRESS];
    unsigned vendor, number;
};

/*
 * The device that `what` says: an address (with or without domain), or vendor:device, of which
 * there must be one. False with `*why` set (to be freed), as below: what would be right.
 */
bool linux_pci_find(const char *what, struct linux_pci *found, char **why);

/* Its IOMMU group; -1: none. */
int linux_pci_group(const char *address);

/* The drivers of Linux's that lend a device: behind an IOMMU, and without one. */
#define LINUX_PCI_CONFINED "vfio-pci"
#define LINUX_PCI_UNSAFE   "uio_pci_generic"

/*
 * May it be driven from here that way (one of the two), as far as can be seen before anything is
 * changed? What is missing, and how to mend it, in `*why`.
 */
bool linux_pci_check(const char *address, const char *way, bool take, char **why);

/* Becomes its holder; the record's descriptor, or -1 with `*why` set: somebody else is. */
int linux_pci_hold(const char *address, char **why);

/* Gives it to that driver, with a line that says so if it had another one. */
bool linux_pci_take(const char *address, const char *way, int record, char **why);

/* Gives it to whom it was taken from, and ends the holding. Nobody uses it any more. */
void linux_pci_give_back(const char *address, int record);

/* Gives back what nobody holds and was not given back, with a line for each. */
void linux_pci_mend(void);
