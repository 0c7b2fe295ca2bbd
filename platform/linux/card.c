/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/card.h"

#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

static bool open_config(struct linux_device *device, size_t i, struct linux_memory *config,
                        char **why)
{
    const struct board_region *region = &device->board->regions[i];
    if (strcmp(region->name, "config") != 0 || region->size != MK_PAGE ||
        (region->perms & SYSTEM_WRITE) != 0) {
        return linux_device_fail(
            why, "%s has no bar, and is not \"config\" (0x1000 bytes, perms=\"r\")", region->name);
    }
    if (config->ro < 0 && !linux_memory_open(config, "config", MK_PAGE, MK_PAGE, false)) {
        return false;
    }
    device->region[i] = (struct linux_resource){config->ro, 0, MK_PAGE};
    return true;
}

bool linux_card_regions(struct linux_device *device, struct linux_memory *config,
                        linux_card_bar open_bar, void *state, char **why)
{
    for (size_t i = 0; i < device->board->region_count; i++) {
        const struct board_region *region = &device->board->regions[i];
        bool ok = region->memory /* of the system's own */ ||
                  (region->bar != BOARD_NO_BAR ? open_bar(state, region, &device->region[i], why)
                                               : open_config(device, i, config, why));
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool linux_card_config(const struct linux_memory *config, int fd, uint64_t at, uint64_t size)
{
    uint8_t bytes[MK_PAGE] = {0};
    if (config->rw < 0) {
        return true;
    }
    ssize_t length = pread(fd, bytes, size < sizeof(bytes) ? size : sizeof(bytes), (off_t)at);
    bool ok = length > 0 && linux_memory_write(config, 0, bytes, sizeof(bytes));
    linux_memory_seal(config);
    return ok;
}

void linux_card_no_irqs(struct linux_device *device)
{
    device->irq_count = device->board->irq_count;
    for (size_t i = 0; i < device->irq_count; i++) {
        device->irq[i] = (struct linux_irq){.fd = -1, .unmask = -1};
    }
}

bool linux_card_command(int fd, uint64_t at, unsigned set, unsigned clear)
{
    uint16_t command = 0;
    if (pread(fd, &command, sizeof(command), (off_t)(at + PCI_COMMAND)) != sizeof(command)) {
        return false;
    }
    command = (uint16_t)((command | set) & ~clear);
    return pwrite(fd, &command, sizeof(command), (off_t)(at + PCI_COMMAND)) == sizeof(command);
}

void linux_card_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}
