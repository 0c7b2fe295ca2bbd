/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/unsafe.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "platform/linux/pci.h"

#define MOST_MEMORY (UINT64_C(64) << 20)

/* No memory has such an address. */
#define OUT_OF_THE_WAY (UINT64_C(1) << 51)

/* A card that is named, and that nothing stands in front of. */
static bool is_bare(const struct board_device *device)
{
    return device->pci != NULL && linux_pci_group(device->pci) < 0;
}

static void say(const char *address)
{
    linux_complain("--unsafe-no-iommu: no IOMMU stands between %s and memory. Whoever controls the "
                   "card or its driver can read and write all memory of this machine, the kernel's "
                   "too: no protection domain is confined any more",
                   address);
}

/* Made-up addresses tell the board's resources apart; real ones must not be among them. */
static void move_resources(struct board *board)
{
    for (size_t i = 0; i < board->device_count; i++) {
        struct board_device *device = &board->devices[i];
        for (size_t j = 0; j < device->region_count; j++) {
            device->regions[j].phys += device->regions[j].memory ? 0 : OUT_OF_THE_WAY;
        }
    }
}

bool linux_unsafe_begin(struct board *board, struct linux_dma *dma, char **why)
{
    size_t bare = 0, confined = 0;
    *dma = linux_no_dma;
    for (size_t i = 0; i < board->device_count; i++) {
        struct board_device *device = &board->devices[i];
        if (is_bare(device)) {
            bare++;
            say(device->pci);
            free(device->kind);
            device->kind = strdup(linux_device_uio.name);
        } else if (device->pci != NULL) {
            confined++;
            linux_complain("--unsafe-no-iommu is not needed: an IOMMU confines %s, and goes on "
                           "doing so",
                           device->pci);
        }
    }
    if (bare == 0) {
        return true;
    }
    if (confined != 0) {
        return linux_device_fail(why, "one system cannot have cards with an IOMMU in front of them "
                                      "and cards without");
    }
    move_resources(board);
    bool ok = linux_dma_open(dma, MOST_MEMORY, why);
    board->dma = (struct board_dma){
        .phys = dma->phys, .size = dma->size, .page = LINUX_DMA_PAGE, .coherent = true};
    return ok;
}
