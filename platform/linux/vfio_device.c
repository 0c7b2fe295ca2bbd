/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI device itself, as VFIO shows it: its configuration space and its interrupts. */
#include "platform/linux/vfio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "platform/linux/card.h"

/* virtio 1.2, 4.1.4: the loader looks for one thing only, and before any driver runs. */
#define VIRTIO_VENDOR          0x1af4u
#define VIRTIO_CAP_TYPE        3u
#define VIRTIO_CAP_BAR         4u
#define VIRTIO_CAP_OFFSET      8u
#define VIRTIO_CAP_COMMON      1u
#define VIRTIO_FEATURE_SELECT  0u
#define VIRTIO_FEATURES        4u
#define VIRTIO_ACCESS_PLATFORM (1u << 1) /* bit 33, in the second word */

uint32_t linux_vfio_config(const struct linux_vfio *vfio, unsigned offset, unsigned bytes)
{
    uint32_t value = 0;
    if (offset + bytes > vfio->config_size ||
        pread(vfio->device, &value, bytes, (off_t)(vfio->config_at + offset)) != (ssize_t)bytes) {
        return 0;
    }
    return value;
}

/* The next capability of that kind, behind the one at `at` or, with 0, from the first on. */
static unsigned next_capability(const struct linux_vfio *vfio, unsigned at, unsigned id)
{
    unsigned offset = at == 0 ? PCI_CAPABILITY_LIST : at + PCI_CAP_LIST_NEXT;
    for (unsigned i = 0; i < 64; i++) {
        at = linux_vfio_config(vfio, offset, 1) & ~3u;
        if (at < PCI_STD_HEADER_SIZEOF) {
            return 0;
        }
        if (linux_vfio_config(vfio, at + PCI_CAP_LIST_ID, 1) == id) {
            return at;
        }
        offset = at + PCI_CAP_LIST_NEXT;
    }
    return 0;
}

unsigned linux_vfio_capability(const struct linux_vfio *vfio, unsigned id)
{
    return next_capability(vfio, 0, id);
}

bool linux_vfio_translated(const struct linux_vfio *vfio, char **why)
{
    if (linux_vfio_config(vfio, PCI_VENDOR_ID, 2) != VIRTIO_VENDOR) {
        return true;
    }
    unsigned at = 0;
    while ((at = next_capability(vfio, at, PCI_CAP_ID_VNDR)) != 0 &&
           linux_vfio_config(vfio, at + VIRTIO_CAP_TYPE, 1) != VIRTIO_CAP_COMMON) {
    }
    struct vfio_region_info bar = {.argsz = sizeof(bar)};
    bar.index = linux_vfio_config(vfio, at + VIRTIO_CAP_BAR, 1);
    uint32_t word = 1;
    uint32_t features = 0;
    if (at == 0 || bar.index > VFIO_PCI_BAR5_REGION_INDEX ||
        ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &bar) != 0) {
        return linux_device_fail(why, "it is a legacy virtio device, of which there is no driver");
    }
    off_t common = (off_t)(bar.offset + linux_vfio_config(vfio, at + VIRTIO_CAP_OFFSET, 4));
    if (pwrite(vfio->device, &word, sizeof(word), common + VIRTIO_FEATURE_SELECT) < 0 ||
        pread(vfio->device, &features, sizeof(features), common + VIRTIO_FEATURES) < 0) {
        return linux_device_fail(why, "its registers cannot be read: %s", strerror(errno));
    }
    if ((features & VIRTIO_ACCESS_PLATFORM) == 0) {
        return linux_device_fail(why,
                                 "it goes around the IOMMU (it does not offer "
                                 "VIRTIO_F_ACCESS_PLATFORM), so nothing would confine it. Have "
                                 "its host give it iommu_platform=on");
    }
    return true;
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static bool set_irqs(const struct linux_vfio *vfio, unsigned index, unsigned action, const int *fds,
                     unsigned count)
{
    /* The head, and behind it the descriptors. */
    const struct vfio_irq_set head = {.argsz = (uint32_t)(sizeof(head) + count * sizeof(int32_t)),
                                      .flags = VFIO_IRQ_SET_DATA_EVENTFD | action,
                                      .index = index,
                                      .count = count};
    uint32_t request[(sizeof(head) + LINUX_DEVICE_IRQS * sizeof(int32_t)) / sizeof(uint32_t)];
    memcpy(request, &head, sizeof(head));
    memcpy((char *)request + sizeof(head), fds, count * sizeof(int32_t));
    return ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, request) == 0;
}

static unsigned irqs_of(const struct linux_vfio *vfio, unsigned index)
{
    struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
    return ioctl(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 ? info.count : 0;
}

/* The best kind that it has and may have: many messages, one message, a line. */
static unsigned choose(struct linux_vfio *vfio, enum board_interrupts best, unsigned wanted)
{
    static const struct {
        unsigned index;
        const char *how;
    } kinds[] = {/* as enum board_interrupts has them */
                 {VFIO_PCI_MSIX_IRQ_INDEX, "MSI-X"},
                 {VFIO_PCI_MSI_IRQ_INDEX, "MSI"},
                 {VFIO_PCI_INTX_IRQ_INDEX, "INTx"}};
    for (size_t i = best; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        unsigned count = irqs_of(vfio, kinds[i].index);
        if (count >= wanted || (count > 0 && i > 0)) {
            vfio->irq_index = kinds[i].index;
            vfio->how = kinds[i].how;
            return count < wanted ? 1 : wanted;
        }
    }
    return 0;
}

/*
 * A message is an edge: each adds one to its eventfd, which the driver's PD empties when it comes;
 * what comes later waits there until the driver has acknowledged. A line is a level: the kernel
 * masks it when it comes, and unmasks it on the acknowledgement.
 */
bool linux_vfio_interrupts(struct linux_vfio *vfio, struct linux_device *device, char **why)
{
    unsigned wanted = (unsigned)device->board->irq_count;
    unsigned count = wanted == 0 ? 0 : choose(vfio, device->board->interrupts, wanted);
    vfio->how = wanted == 0 ? "nothing" : vfio->how;
    if (wanted != 0 && count < wanted && (count == 0 || vfio->config.ro < 0)) {
        /* (Only a driver that is shown the configuration space can know that there are fewer.) */
        return linux_device_fail(why, "it has %u interrupts, and its driver wants %u", count,
                                 wanted);
    }
    linux_card_no_irqs(device);
    for (unsigned i = 0; i < count; i++) {
        vfio->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        device->irq[i].fd = vfio->event[i];
        device->irq[i].counted = true;
    }
    bool ok = count == 0 ||
              set_irqs(vfio, vfio->irq_index, VFIO_IRQ_SET_ACTION_TRIGGER, vfio->event, count);
    if (ok && count != 0 && vfio->irq_index == VFIO_PCI_INTX_IRQ_INDEX) {
        vfio->unmask = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        device->irq[0].unmask = vfio->unmask;
        ok = set_irqs(vfio, vfio->irq_index, VFIO_IRQ_SET_ACTION_UNMASK, &vfio->unmask, 1);
    }
    if (!ok) {
        return linux_device_fail(why, "its interrupts (%s) cannot be had: %s", vfio->how,
                                 strerror(errno));
    }
    if (irqs_of(vfio, VFIO_PCI_REQ_IRQ_INDEX) != 0) {
        vfio->wanted = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        set_irqs(vfio, VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, &vfio->wanted, 1);
    }
    return true;
}

void linux_vfio_no_interrupts(const struct linux_vfio *vfio)
{
    struct vfio_irq_set none = {
        .argsz = sizeof(none),
        .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
        .index = vfio->irq_index,
    };
    ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &none);
}
