/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PCI device may reach: its IOMMU domain, with the system's iomaps and nothing else. */
#include "platform/linux/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/linux/pci.h"

static bool fail_open(const char *path, char **why)
{
    const char *mend = "";
    if (errno == EACCES || errno == EPERM) {
        mend = " (be root, or let root give it to you: \"chown $USER FILE\")";
    } else if (errno == EBUSY) {
        mend = " (another program has it open)";
    }
    return linux_device_fail(why, "cannot open %s: %s%s", path, strerror(errno), mend);
}

static bool open_container(struct linux_vfio *vfio, char **why)
{
    vfio->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
    if (vfio->container < 0) {
        return fail_open("/dev/vfio/vfio", why);
    }
    if (ioctl(vfio->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
        ioctl(vfio->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
        return linux_device_fail(why,
                                 "this Linux has VFIO without IOMMU domains of type 1 (\"modprobe "
                                 "vfio_iommu_type1\")");
    }
    return true;
}

bool linux_vfio_open_domain(struct linux_vfio *vfio, const char *address, char **why)
{
    char path[32];
    struct vfio_group_status status = {.argsz = sizeof(status)};
    snprintf(path, sizeof(path), "/dev/vfio/%d", linux_pci_group(address));
    if (!open_container(vfio, why)) {
        return false;
    }
    vfio->group = open(path, O_RDWR | O_CLOEXEC);
    if (vfio->group < 0) {
        return fail_open(path, why);
    }
    if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status) != 0 ||
        (status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
        return linux_device_fail(why,
                                 "other devices of its IOMMU group are still the kernel's (see "
                                 "/sys/bus/pci/devices/%s/iommu_group/devices)",
                                 address);
    }
    if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) != 0 ||
        ioctl(vfio->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
        return linux_device_fail(
            why, "it cannot have an IOMMU domain of its own: %s%s", strerror(errno),
            errno == EPERM ? " (the IOMMU does not remap interrupts: any device "
                             "could send any interrupt. Turn that on in the "
                             "firmware's settings; \"dmesg | grep -i remap\")"
                           : "");
    }
    return true;
}

/*
 * One iomap. The memory is mapped here only for the call, in which the kernel pins it for as long
 * as the IOMMU has it; with a read-only descriptor if the device only reads, so that rights cannot
 * be mixed up.
 */
static bool map_one(struct linux_vfio *vfio, const struct system_region *region,
                    const struct linux_memory *memory, const struct system_iomap *map, char **why)
{
    bool write = (map->perms & SYSTEM_WRITE) != 0;
    void *here = mmap(NULL, memory->size, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                      write ? memory->rw : memory->ro, 0);
    if (here == MAP_FAILED) {
        return linux_device_fail(why, "cannot map %s: %s", region->name, strerror(errno));
    }
    struct vfio_iommu_type1_dma_map request = {
        .argsz = sizeof(request),
        .flags = (write ? VFIO_DMA_MAP_FLAG_WRITE : 0u) |
                 ((map->perms & SYSTEM_READ) != 0 ? VFIO_DMA_MAP_FLAG_READ : 0u),
        .vaddr = (uint64_t)(uintptr_t)here,
        .iova = map->iovaddr,
        .size = memory->size,
    };
    bool ok = ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &request) == 0;
    int error = errno;
    munmap(here, memory->size);
    if (!ok) {
        return linux_device_fail(
            why, "the IOMMU cannot map %s (0x%llx bytes at IO address 0x%llx): %s%s", region->name,
            (unsigned long long)memory->size, (unsigned long long)map->iovaddr, strerror(error),
            error == ENOMEM
                ? " (the memory stays where it is, which counts as locked: raise \"ulimit "
                  "-l\")"
            : error == EINVAL ? " (the address may be beyond the IOMMU's, or kept for interrupts: "
                                "choose another io_base in the board file)"
                              : "");
    }
    vfio->map[vfio->map_count].at = map->iovaddr;
    vfio->map[vfio->map_count++].size = memory->size;
    return true;
}

bool linux_vfio_map(struct linux_vfio *vfio, const struct system *system,
                    const struct linux_memory *memory, const char *device, char **why)
{
    for (size_t i = 0; i < system->io_space_count; i++) {
        const struct system_io_space *space = &system->io_spaces[i];
        if (strcmp(space->name, device) != 0) {
            continue;
        }
        for (size_t j = 0; j < space->map_count; j++) {
            const struct system_iomap *map = &space->maps[j];
            if (vfio->map_count == LINUX_VFIO_MAPS) {
                return linux_device_fail(why, "its IO address space has more than %d maps",
                                         LINUX_VFIO_MAPS);
            }
            if (!map_one(vfio, &system->regions[map->region], &memory[map->region], map, why)) {
                return false;
            }
        }
    }
    return true;
}

void linux_vfio_unmap(struct linux_vfio *vfio)
{
    while (vfio->map_count > 0) {
        vfio->map_count--;
        struct vfio_iommu_type1_dma_unmap request = {
            .argsz = sizeof(request),
            .iova = vfio->map[vfio->map_count].at,
            .size = vfio->map[vfio->map_count].size,
        };
        ioctl(vfio->container, VFIO_IOMMU_UNMAP_DMA, &request);
    }
}
