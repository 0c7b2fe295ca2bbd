/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI device that no IOMMU confines, for who asks for it ("--unsafe-no-iommu"): its BARs are
 * mapped from sysfs, it reaches memory at physical addresses (dma.h), and it has one interrupt, its
 * line, by Linux's driver "uio_pci_generic". The kernel masks the line when it comes, in the
 * device's command register; the loader hands it on to the driver, and takes the mask away when the
 * driver has acknowledged it.
 *
 * The order of beginning:  reset; memory, bus master and line on.
 * The order of ending:     bus master off, reset; the UIO device; the memory.
 *
 * When the loader is killed, closing the UIO device turns the bus master off, and the process that
 * gives devices back (guard.h) still holds the memory then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/card.h"
#include "platform/linux/pci.h"
#include "platform/linux/pci_sysfs.h"

struct uio {
    const char *address;
    int uio;
    int space; /* the configuration space */
    int reset;
    int bar[BOARD_NO_BAR];
    int event, unmask; /* towards the driver, and from there */
    struct linux_memory config;
};

static void reset(const struct uio *uio)
{
    if (uio->reset >= 0 && pwrite(uio->reset, "1", 1, 0) != 1) {
        linux_complain("%s does not reset: %s", uio->address, strerror(errno));
    }
}

static void uio_close(struct linux_device *device)
{
    struct uio *uio = device->state;
    if (uio == NULL) {
        return;
    }
    if (uio->space >= 0) {
        linux_card_command(uio->space, 0, 0, PCI_COMMAND_MASTER);
        reset(uio);
    }
    for (size_t i = 0; i < BOARD_NO_BAR; i++) {
        linux_card_close(&uio->bar[i]);
    }
    linux_card_close(&uio->uio);
    linux_card_close(&uio->space);
    linux_card_close(&uio->reset);
    linux_card_close(&uio->event);
    linux_card_close(&uio->unmask);
    linux_memory_close(&uio->config);
    free(uio);
    device->state = NULL;
}

static int open_file(const struct uio *uio, const char *file, int flags, char **why)
{
    char path[128];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s/%s", uio->address, file);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        linux_device_fail(why, "cannot open %s: %s", path, strerror(errno));
    }
    return fd;
}

/* Which /dev/uioN it is, is the name of a folder. */
static bool open_uio(struct uio *uio, char **why)
{
    char path[288];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s/uio", uio->address);
    DIR *folder = opendir(path);
    struct dirent *entry;
    path[0] = '\0';
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "uio", 3) == 0) {
            snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    uio->uio = path[0] == '\0' ? -1 : open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    return uio->uio >= 0 || linux_device_fail(why, "cannot open its UIO device %s: %s", path,
                                              path[0] == '\0' ? "there is none" : strerror(errno));
}

static bool open_bar(void *state, const struct board_region *region,
                     struct linux_resource *resource, char **why)
{
    struct uio *uio = state;
    char file[16];
    struct stat status;
    int *fd = &uio->bar[region->bar];
    snprintf(file, sizeof(file), "resource%u", region->bar);
    if (*fd < 0 && (*fd = open_file(uio, file, O_RDWR | O_SYNC, why)) < 0) {
        return false;
    }
    if (fstat(*fd, &status) != 0 || (uint64_t)status.st_size < region->size) {
        return linux_device_fail(why, "BAR %u has 0x%llx bytes where the board file has 0x%llx",
                                 region->bar, (unsigned long long)status.st_size,
                                 (unsigned long long)region->size);
    }
    *resource = (struct linux_resource){*fd, 0, (uint64_t)status.st_size};
    return true;
}

static bool open_interrupt(struct uio *uio, struct linux_device *device, char **why)
{
    char line[16];
    linux_card_no_irqs(device);
    if (device->irq_count == 0) {
        return true;
    }
    if (!linux_pci_read(uio->address, "irq", line, sizeof(line)) || atoi(line) == 0) {
        return linux_device_fail(why, "it has no interrupt line, and without an IOMMU there are no "
                                      "messages");
    }
    if (device->irq_count > 1 && uio->config.ro < 0) {
        return linux_device_fail(why, "it has one interrupt here, and its driver wants %zu",
                                 device->irq_count);
    }
    uio->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uio->unmask = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    device->irq[0] = (struct linux_irq){.fd = uio->event, .unmask = uio->unmask, .counted = true};
    return uio->event >= 0 && uio->unmask >= 0;
}

static bool set_up(struct linux_device *device, char **why)
{
    struct uio *uio = device->state;
    if ((uio->reset = open_file(uio, "reset", O_WRONLY, why)) < 0 ||
        (uio->space = open_file(uio, "config", O_RDWR, why)) < 0) {
        return false;
    }
    reset(uio);
    if (!open_uio(uio, why) || !linux_card_regions(device, &uio->config, open_bar, uio, why) ||
        !open_interrupt(uio, device, why) ||
        !linux_card_command(uio->space, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                            PCI_COMMAND_INTX_DISABLE) ||
        !linux_card_config(&uio->config, uio->space, 0, MK_PAGE)) {
        return false;
    }
    snprintf(device->interface, sizeof(device->interface), "%s", uio->address);
    snprintf(device->text, sizeof(device->text),
             "%s through UIO, NO IOMMU: it can reach all memory; interrupts by INTx", uio->address);
    return true;
}

static bool uio_open(struct linux_device *device, const struct system *system,
                     const struct linux_memory *memory, const struct linux_device_options *options,
                     char **why)
{
    (void)memory;
    (void)options;
    for (size_t i = 0; i < system->io_space_count; i++) {
        if (strcmp(system->io_spaces[i].name, device->board->name) == 0) {
            return linux_device_fail(why, "without an IOMMU there is no <io_address_space>; of a "
                                          "<network>, the addresses are worked out");
        }
    }
    struct uio *uio = calloc(1, sizeof(*uio));
    if (uio == NULL) {
        return false;
    }
    uio->address = device->board->pci;
    uio->uio = uio->space = uio->reset = uio->event = uio->unmask = -1;
    uio->config = linux_no_memory;
    for (size_t i = 0; i < BOARD_NO_BAR; i++) {
        uio->bar[i] = -1;
    }
    device->state = uio;
    if (!set_up(device, why)) {
        uio_close(device);
        return false;
    }
    return true;
}

static void uio_poll(struct linux_device *device, struct pollfd *polled)
{
    const struct uio *uio = device->state;
    polled[0] = (struct pollfd){.fd = uio->uio, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = uio->unmask, .events = POLLIN};
}

static void uio_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct uio *uio = device->state;
    uint32_t count;
    uint64_t once = 1;
    if (uio->uio >= 0 && polled[0].revents != 0) {
        if (read(uio->uio, &count, sizeof(count)) == sizeof(count)) {
            (void)!write(uio->event, &once, sizeof(once)); /* full: it is readable already */
        } else if (errno != EAGAIN) {
            linux_complain("%s is wanted back: the system ends", uio->address);
            linux_card_close(&uio->uio);
            kill(getpid(), SIGTERM);
        }
    }
    if ((polled[1].revents & POLLIN) != 0 &&
        read(uio->unmask, &once, sizeof(once)) == sizeof(once)) {
        linux_card_command(uio->space, 0, 0, PCI_COMMAND_INTX_DISABLE);
    }
}

const struct linux_device_kind linux_device_uio = {
    .name = "uio",
    .open = uio_open,
    .close = uio_close,
    .poll = uio_poll,
    .serve = uio_serve,
};
