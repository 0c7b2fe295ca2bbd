/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI device through VFIO. Its BARs are mapped regions, its messages (MSI-X, MSI, or its one INTx
 * line) interrupts, and its IO address space is an IOMMU domain that has the system's iomaps, with
 * their rights, and nothing else from before the device may do anything until it cannot any more.
 *
 * The order of beginning:  domain, maps; device, reset; memory and bus master on; interrupts.
 * The order of ending:     bus master off, interrupts, reset; maps; device, domain.
 *
 * When the loader is killed the kernel keeps to that order: closing the device stops it and resets
 * it, and the device's file holds the domain's, whose end removes the maps, and only then are the
 * pages let go that they had pinned. A mapping of a BAR in a driver that is not dead yet holds the
 * device's file, so nothing of this happens while a driver can still touch the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/linux/card.h"
#include "platform/linux/pci.h"
#include "platform/linux/vfio.h"

static void vfio_close(struct linux_device *device)
{
    struct linux_vfio *vfio = device->state;
    if (vfio == NULL) {
        return;
    }
    if (vfio->device >= 0) {
        linux_card_command(vfio->device, vfio->config_at, 0, PCI_COMMAND_MASTER);
        linux_vfio_no_interrupts(vfio);
        if (vfio->can_reset) {
            ioctl(vfio->device, VFIO_DEVICE_RESET);
        }
    }
    linux_vfio_unmap(vfio);
    for (size_t i = 0; i < LINUX_DEVICE_IRQS; i++) {
        linux_card_close(&vfio->event[i]);
    }
    linux_card_close(&vfio->unmask);
    linux_card_close(&vfio->wanted);
    linux_card_close(&vfio->device);
    linux_card_close(&vfio->group);
    linux_card_close(&vfio->container);
    linux_memory_close(&vfio->config);
    free(vfio);
    device->state = NULL;
}

static bool open_device(struct linux_vfio *vfio, const char *address, char **why)
{
    struct vfio_device_info info = {.argsz = sizeof(info)};
    vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, address);
    if (vfio->device < 0 || ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &info) != 0) {
        return linux_device_fail(why, "VFIO does not open it: %s", strerror(errno));
    }
    fcntl(vfio->device, F_SETFD, FD_CLOEXEC);
    vfio->can_reset = (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
    if (!vfio->can_reset) {
        return linux_device_fail(why, "it cannot be reset (no FLR, no reset by power or bus), so "
                                      "nobody could say that it has stopped");
    }
    struct vfio_region_info config = {.argsz = sizeof(config),
                                      .index = VFIO_PCI_CONFIG_REGION_INDEX};
    if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &config) != 0) {
        return linux_device_fail(why, "VFIO shows no configuration space: %s", strerror(errno));
    }
    vfio->config_at = config.offset;
    vfio->config_size = config.size < MK_PAGE ? config.size : MK_PAGE;
    if (ioctl(vfio->device, VFIO_DEVICE_RESET) != 0) {
        return linux_device_fail(why, "it does not reset: %s", strerror(errno));
    }
    return true;
}

/* The driver has the BAR for itself; not the table that says where its messages go. */
static bool check_table(const struct linux_vfio *vfio, const struct board_region *region,
                        char **why)
{
    unsigned at = linux_vfio_capability(vfio, PCI_CAP_ID_MSIX);
    if (at == 0) {
        return true;
    }
    uint32_t table = linux_vfio_config(vfio, at + PCI_MSIX_TABLE, 4);
    uint64_t start = table & PCI_MSIX_TABLE_OFFSET;
    if ((table & PCI_MSIX_TABLE_BIR) != region->bar || start >= region->size) {
        return true;
    }
    return linux_device_fail(
        why,
        "%s (BAR %u) would contain the table of its messages, at 0x%llx, which "
        "no driver may have; end the region before that in the board file",
        region->name, region->bar, (unsigned long long)start);
}

static bool open_bar(void *state, const struct board_region *region,
                     struct linux_resource *resource, char **why)
{
    const struct linux_vfio *vfio = state;
    struct vfio_region_info info = {.argsz = sizeof(info), .index = region->bar};
    if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info) != 0 || info.size == 0) {
        return linux_device_fail(why, "it has no BAR %u, which the board file calls %s",
                                 region->bar, region->name);
    }
    if ((info.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0 || info.size < region->size) {
        return linux_device_fail(
            why,
            "BAR %u cannot be mapped, or has 0x%llx bytes where the board file "
            "has 0x%llx",
            region->bar, (unsigned long long)info.size, (unsigned long long)region->size);
    }
    *resource = (struct linux_resource){vfio->device, info.offset, info.size};
    return check_table(vfio, region, why);
}

/* "0000:00:03.0": its vendor and device number have been looked at when its card was chosen. */
static bool set_up(struct linux_device *device, const struct system *system,
                   const struct linux_memory *memory, char **why)
{
    struct linux_vfio *vfio = device->state;
    const char *address = device->board->pci;
    if (address == NULL) {
        return linux_device_fail(why, "no PCI device is named for it");
    }
    if (!linux_vfio_open_domain(vfio, address, why) ||
        !linux_vfio_map(vfio, system, memory, device->board->name, why) ||
        !open_device(vfio, address, why) ||
        !linux_card_regions(device, &vfio->config, open_bar, vfio, why) ||
        !linux_card_command(vfio->device, vfio->config_at, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                            0) ||
        !linux_vfio_translated(vfio, why) || !linux_vfio_interrupts(vfio, device, why) ||
        !linux_card_config(&vfio->config, vfio->device, vfio->config_at, vfio->config_size)) {
        return false;
    }
    snprintf(device->interface, sizeof(device->interface), "%s", address);
    snprintf(device->text, sizeof(device->text),
             "%s through VFIO, IOMMU group %d, %zu memory mappings, interrupts by %s", address,
             linux_pci_group(address), vfio->map_count, vfio->how);
    return true;
}

static bool vfio_open(struct linux_device *device, const struct system *system,
                      const struct linux_memory *memory, const struct linux_device_options *options,
                      char **why)
{
    (void)options;
    struct linux_vfio *vfio = calloc(1, sizeof(*vfio));
    if (vfio == NULL) {
        return false;
    }
    vfio->container = vfio->group = vfio->device = vfio->unmask = vfio->wanted = -1;
    vfio->config = linux_no_memory;
    for (size_t i = 0; i < LINUX_DEVICE_IRQS; i++) {
        vfio->event[i] = -1;
    }
    device->state = vfio;
    if (!set_up(device, system, memory, why)) {
        vfio_close(device);
        return false;
    }
    return true;
}

static void vfio_poll(struct linux_device *device, struct pollfd *polled)
{
    const struct linux_vfio *vfio = device->state;
    polled[0] = (struct pollfd){.fd = vfio->wanted, .events = POLLIN};
}

/* Somebody unbinds the device, or pulls it out: the kernel asks for it, and waits. */
static void vfio_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct linux_vfio *vfio = device->state;
    if ((polled[0].revents & POLLIN) != 0) {
        linux_complain("%s is wanted back: the system ends", device->board->pci);
        linux_card_close(&vfio->wanted);
        kill(getpid(), SIGTERM);
    }
}

const struct linux_device_kind linux_device_vfio = {
    .name = "vfio",
    .open = vfio_open,
    .close = vfio_close,
    .poll = vfio_poll,
    .serve = vfio_serve,
};
