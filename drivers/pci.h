/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver may find out from the copy of its device's configuration space, which the platform
 * gives it as it is when the driver starts (PCI 3.0, chapter 6). The copy was written by the
 * device: nothing in it leads out of it, and no list in it is longer than it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PCI_SPACE        256u /* where capabilities are, but for PCI Express's own */
#define PCI_VENDOR       0x00u
#define PCI_DEVICE       0x02u
#define PCI_SUBSYSTEM    0x2eu
#define PCI_CAPABILITIES 0x34u
#define PCI_CAP_VENDOR   0x09u
#define PCI_CAP_MSIX     0x11u
#define PCI_CAPS_MAX     (PCI_SPACE / 4) /* more do not fit */
#define MSIX_CONTROL     2u
#define MSIX_ENABLE      0x8000u

static inline uint32_t pci_word(const uint8_t *space, uint32_t offset, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes && offset + i < PCI_SPACE; i++) {
        value |= (uint32_t)space[offset + i] << 8 * i;
    }
    return value;
}

/* The capability behind the one at `at`, or with 0 the first one; 0: there is none. 6.7. */
static inline uint32_t pci_next_capability(const uint8_t *space, uint32_t at)
{
    const uint32_t next = pci_word(space, at == 0 ? PCI_CAPABILITIES : at + 1, 1) & ~3u;
    return next >= 0x40 ? next : 0;
}

/* 6.8.2: are its interrupts MSI-X's? Else there is one, by MSI or a line. */
static inline bool pci_has_msix(const uint8_t *space)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < PCI_CAPS_MAX && (at = pci_next_capability(space, at)) != 0; i++) {
        if (pci_word(space, at, 1) == PCI_CAP_MSIX) {
            return (pci_word(space, at + MSIX_CONTROL, 2) & MSIX_ENABLE) != 0;
        }
    }
    return false;
}
