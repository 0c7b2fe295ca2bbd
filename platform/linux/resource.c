/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's memory regions and those devices of the board that it uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "platform/linux/dma.h"

static const struct board_region *board_region_of(const struct board_device *device,
                                                  const struct system_region *region)
{
    for (size_t i = 0; i < device->region_count; i++) {
        const struct board_region *there = &device->regions[i];
        if (!there->memory && region->phys >= there->phys &&
            region->phys - there->phys < there->size)
            return there;
    }
    return NULL;
}

/* Which of the device's interrupts it is; irq_count: none. */
static size_t irq_index(const struct board_device *device, uint64_t irq)
{
    size_t i = 0;
    while (i < device->irq_count && device->irqs[i].irq != irq)
        i++;
    return i;
}

static bool has_irq(const struct board_device *device, uint64_t irq)
{
    return irq_index(device, irq) < device->irq_count;
}

bool linux_device_used(const struct system *system, const struct board_device *device)
{
    for (size_t i = 0; i < system->region_count; i++)
        if (system->regions[i].has_phys && board_region_of(device, &system->regions[i]) != NULL)
            return true;
    for (size_t i = 0; i < system->io_space_count; i++)
        if (strcmp(system->io_spaces[i].name, device->name) == 0)
            return true;
    for (size_t i = 0; i < system->pd_count; i++)
        for (size_t j = 0; j < system->pds[i].irq_count; j++)
            if (has_irq(device, system->pds[i].irqs[j].irq))
                return true;
    return false;
}

/* May one of the PDs execute what it holds? */
static bool is_code(const struct system *system, size_t region)
{
    for (size_t i = 0; i < system->pd_count; i++)
        for (size_t j = 0; j < system->pds[i].map_count; j++)
            if (system->pds[i].maps[j].region == region &&
                system->pds[i].maps[j].perms & SYSTEM_EXECUTE)
                return true;
    return false;
}

static bool open_regions(struct linux_loader *loader)
{
    const struct system *system = loader->system;
    loader->memory = calloc(system->region_count + 1, sizeof *loader->memory);
    for (size_t i = 0; i < system->region_count; i++)
        loader->memory[i] = linux_no_memory;
    for (size_t i = 0; i < system->region_count; i++) {
        const struct system_region *region = &system->regions[i];
        if (!region->has_phys && !linux_memory_open(&loader->memory[i], region->name, region->size,
                                                    region->page_size, is_code(system, i)))
            return false;
    }
    return true;
}

/* Regions with a physical address become a part of a device's resource. */
static bool find_resource(struct linux_loader *loader, const struct system_region *region)
{
    uint64_t unused;
    if (linux_dma_has(loader->options->device.dma, region, &unused))
        return true;
    for (size_t i = 0; i < loader->device_count; i++) {
        const struct linux_device *device = &loader->devices[i];
        const struct board_region *there = board_region_of(device->board, region);
        if (there == NULL)
            continue;
        const struct linux_resource *resource = &device->region[there - device->board->regions];
        uint64_t offset = region->phys - there->phys;
        if (offset + region->size <= resource->size)
            return true;
        linux_complain("region %s: %s of %s has %llu bytes from 0x%llx on, the description asks "
                       "for %llu",
                       region->name, there->name, device->board->name,
                       (unsigned long long)(resource->size - offset),
                       (unsigned long long)region->phys, (unsigned long long)region->size);
        return false;
    }
    linux_complain("region %s: board %s has nothing at physical address 0x%llx", region->name,
                   loader->board->name, (unsigned long long)region->phys);
    return false;
}

bool linux_resources_open(struct linux_loader *loader)
{
    const struct board *board = loader->board;
    if (!open_regions(loader))
        return false;
    loader->devices = calloc(board->device_count + 1, sizeof *loader->devices);
    for (size_t i = 0; i < board->device_count; i++) {
        if (!linux_device_used(loader->system, &board->devices[i]))
            continue;
        struct linux_device *device = &loader->devices[loader->device_count];
        char *why = NULL;
        if (!linux_device_open(&board->devices[i], device, loader->system, loader->memory,
                               &loader->options->device, &why)) {
            linux_complain("device %s: %s", board->devices[i].name,
                           why != NULL ? why : "cannot be opened");
            free(why);
            return false;
        }
        loader->device_count++;
        if (device->interface[0] != '\0') /* how traffic will flow is worth a line */
            fprintf(stderr, "sddf: %s: %s\n", board->devices[i].name, device->text);
    }
    for (size_t i = 0; i < loader->system->region_count; i++)
        if (loader->system->regions[i].has_phys &&
            !find_resource(loader, &loader->system->regions[i]))
            return false;
    return true;
}

void linux_resources_close(struct linux_loader *loader)
{
    while (loader->device_count > 0)
        linux_device_close(&loader->devices[--loader->device_count]);
    free(loader->devices);
    if (loader->memory != NULL)
        for (size_t i = 0; i < loader->system->region_count; i++)
            linux_memory_close(&loader->memory[i]);
    free(loader->memory);
    loader->devices = NULL;
    loader->memory = NULL;
}

bool linux_irq_find(const struct linux_loader *loader, uint64_t irq, struct linux_irq *found)
{
    for (size_t i = 0; i < loader->device_count; i++) {
        const struct linux_device *device = &loader->devices[i];
        size_t index = irq_index(device->board, irq);
        if (index == device->board->irq_count)
            continue;
        *found = (struct linux_irq){.fd = device->fd, .unmask = -1};
        if (device->irq_count != 0)
            *found = device->irq[index];
        return true;
    }
    return false;
}

/* Descriptor and offset of a region with the rights asked for. */
void linux_region_backing(struct linux_loader *loader, size_t region, bool write, int *fd,
                          uint64_t *offset, uint64_t *size)
{
    const struct system_region *wanted = &loader->system->regions[region];
    if (!wanted->has_phys) {
        *fd = write ? loader->memory[region].rw : loader->memory[region].ro;
        *offset = 0;
        *size = loader->memory[region].size;
        return;
    }
    const struct linux_dma *dma = loader->options->device.dma;
    if (linux_dma_has(dma, wanted, offset)) {
        *fd = write ? dma->rw : dma->ro;
        *size = wanted->size;
        return;
    }
    for (size_t i = 0; i < loader->device_count; i++) {
        const struct linux_device *device = &loader->devices[i];
        const struct board_region *there = board_region_of(device->board, wanted);
        if (there == NULL)
            continue;
        const struct linux_resource *resource = &device->region[there - device->board->regions];
        *fd = resource->fd;
        *offset = resource->offset + (wanted->phys - there->phys);
        *size = wanted->size;
        return;
    }
}

uint64_t linux_region_address(const struct system *system, size_t region, void *context)
{
    (void)context;
    if (system->regions[region].has_phys)
        return system->regions[region].phys;
    for (size_t i = 0; i < system->io_space_count; i++)
        for (size_t j = 0; j < system->io_spaces[i].map_count; j++)
            if (system->io_spaces[i].maps[j].region == region)
                return system->io_spaces[i].maps[j].iovaddr;
    return 0;
}
