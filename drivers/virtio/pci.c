/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport of virtio 1.2 (section 4.1).
 *
 * Where the structures lie is said by capabilities in the configuration space (4.1.4), of which
 * the platform gives a copy as it is when the driver starts: the driver has no access to the space
 * itself. All structures are in the one BAR that is its registers; a device that scatters them is
 * refused. Whether interrupts are messages (MSI-X) has been settled by then and stands there, too.
 * Interrupt 0 is both queues', interrupt 1, if there is one, the configuration's; else 0 is all.
 */
#include "transport.h"

#include <stddef.h>

#include "../pci.h"

#define BAR_LAST 5u /* 4.1.4: larger numbers are reserved */
#define NO_BAR   0xffu

/* Each within the registers, or not found: address 0. */
struct structure {
    uintptr_t address;
    uint32_t size;
};

struct search {
    const uint8_t *space;
    const struct sddf_region_config *registers;
    uint32_t bar;
    struct structure found[VIRTIO_PCI_CAP_DEVICE_CFG + 1];
    uint32_t notify_step;
};

/* 4.1.4.1: the first one of a kind that can be used; kinds that are unknown are passed over. */
static void take_structure(struct search *s, uint32_t at)
{
    const uint32_t type = pci_word(s->space, at + VIRTIO_PCI_CAP_TYPE, 1);
    const uint32_t bar = pci_word(s->space, at + VIRTIO_PCI_CAP_BAR, 1);
    const uint64_t offset = pci_word(s->space, at + VIRTIO_PCI_CAP_OFFSET, 4);
    const uint32_t length = pci_word(s->space, at + VIRTIO_PCI_CAP_LENGTH, 4);
    if (type < VIRTIO_PCI_CAP_COMMON_CFG || type > VIRTIO_PCI_CAP_DEVICE_CFG || bar > BAR_LAST ||
        s->found[type].address != 0 || offset + length > s->registers->size || offset % 4 != 0 ||
        (s->bar != NO_BAR && s->bar != bar)) {
        return;
    }
    s->bar = bar;
    s->found[type] = (struct structure){(uintptr_t)(s->registers->vaddr + offset), length};
    if (type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
        s->notify_step = pci_word(s->space, at + VIRTIO_PCI_CAP_MULTIPLY, 4);
    }
}

static void look_through(struct search *s)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < PCI_CAPS_MAX && (at = pci_next_capability(s->space, at)) != 0; i++) {
        if (pci_word(s->space, at, 1) == PCI_CAP_VENDOR) {
            take_structure(s, at);
        }
    }
}

/* 4.1.2.1: by its number, or as a transitional device by that of its subsystem. */
static bool is_device(const struct search *s, uint32_t device_id)
{
    const uint32_t number = pci_word(s->space, PCI_DEVICE, 2);
    return pci_word(s->space, PCI_VENDOR, 2) == VIRTIO_PCI_VENDOR &&
           (number == VIRTIO_PCI_DEVICE + device_id ||
            (number < VIRTIO_PCI_DEVICE && pci_word(s->space, PCI_SUBSYSTEM, 2) == device_id));
}

bool virtio_shape_ok(const struct sddf_device_config *config)
{
    return config->region_count == VIRTIO_REGION_CONFIG + 1 &&
           config->region[VIRTIO_REGION_CONFIG].size >= PCI_SPACE && config->irq_count >= 1 &&
           config->irq_count <= 2;
}

bool virtio_find(struct virtio *device, const struct sddf_device_config *config, uint32_t device_id)
{
    struct search s = {
        .space = (const uint8_t *)(uintptr_t)config->region[VIRTIO_REGION_CONFIG].vaddr,
        .registers = &config->region[VIRTIO_REGION_REGISTERS],
        .bar = NO_BAR,
    };
    look_through(&s);
    const struct structure *common = &s.found[VIRTIO_PCI_CAP_COMMON_CFG];
    const struct structure *notify = &s.found[VIRTIO_PCI_CAP_NOTIFY_CFG];
    const struct structure *interrupt = &s.found[VIRTIO_PCI_CAP_ISR_CFG];
    const struct structure *specific = &s.found[VIRTIO_PCI_CAP_DEVICE_CFG];
    if (!is_device(&s, device_id) || common->address == 0 ||
        common->size < VIRTIO_PCI_COMMON_SIZE || notify->address == 0 || interrupt->address == 0 ||
        interrupt->size == 0) {
        return false;
    }
    device->registers = common->address;
    device->interrupt = interrupt->address;
    device->notify = notify->address;
    device->notify_size = notify->size;
    device->notify_step = s.notify_step;
    device->specific = specific->address;
    device->specific_size = specific->size;
    device->messages = pci_has_msix(s.space);
    device->vectors = config->irq_count;
    return true;
}

/* 4.1.3.1: each field by accesses of its own width, but 64 bits as two of 32. */
static uint32_t get32(const struct virtio *device, uint32_t offset)
{
    return sddf_device_read32(device->registers + offset);
}

static void put32(const struct virtio *device, uint32_t offset, uint32_t value)
{
    sddf_device_write32(device->registers + offset, value);
}

static uint16_t get16(const struct virtio *device, uint32_t offset)
{
    return sddf_device_read16(device->registers + offset);
}

static void put16(const struct virtio *device, uint32_t offset, uint32_t value)
{
    sddf_device_write16(device->registers + offset, (uint16_t)value);
}

/* 4.1.5.1.2: which message an event has; the device says no if it cannot. */
static bool give_vector(const struct virtio *device, uint32_t offset, uint32_t vector)
{
    put16(device, offset, vector);
    return get16(device, offset) == vector;
}

uint32_t virtio_bus_status(const struct virtio *device)
{
    return sddf_device_read8(device->registers + VIRTIO_PCI_STATUS);
}

void virtio_bus_set_status(const struct virtio *device, uint32_t status)
{
    sddf_device_write8(device->registers + VIRTIO_PCI_STATUS, (uint8_t)status);
}

uint32_t virtio_bus_offered(const struct virtio *device, uint32_t which)
{
    put32(device, VIRTIO_PCI_DEVICE_FEAT_SEL, which);
    return get32(device, VIRTIO_PCI_DEVICE_FEATURES);
}

void virtio_bus_accept(const struct virtio *device, uint32_t which, uint32_t features)
{
    put32(device, VIRTIO_PCI_DRIVER_FEAT_SEL, which);
    put32(device, VIRTIO_PCI_DRIVER_FEATURES, features);
}

bool virtio_bus_agreed(const struct virtio *device)
{
    return !device->messages ||
           give_vector(device, VIRTIO_PCI_CONFIG_VECTOR, device->vectors > 1 ? 1 : 0);
}

uint32_t virtio_bus_generation(const struct virtio *device)
{
    return sddf_device_read8(device->registers + VIRTIO_PCI_CONFIG_GENERATION);
}

uint32_t virtio_queue_max(struct virtio *device, uint32_t queue)
{
    if (queue >= VIRTIO_QUEUES || queue >= get16(device, VIRTIO_PCI_NUM_QUEUES)) {
        return 0;
    }
    put16(device, VIRTIO_PCI_QUEUE_SEL, queue);
    if (get16(device, VIRTIO_PCI_QUEUE_ENABLE) != 0) {
        return 0;
    }
    return get16(device, VIRTIO_PCI_QUEUE_SIZE);
}

/* 4.1.5.1.3 */
bool virtio_queue_start(struct virtio *device, uint32_t queue, uint32_t size, uint64_t desc,
                        uint64_t driver, uint64_t device_area)
{
    /* 4.1.4.4: a doorbell is 16 bits at the queue's own place. */
    const uint64_t at = (uint64_t)get16(device, VIRTIO_PCI_QUEUE_NOTIFY_OFF) * device->notify_step;
    if (at + 2 > device->notify_size || at % 2 != 0 ||
        (device->messages && !give_vector(device, VIRTIO_PCI_QUEUE_VECTOR, 0))) {
        return false;
    }
    device->doorbell[queue] = device->notify + (uintptr_t)at;
    put16(device, VIRTIO_PCI_QUEUE_SIZE, size);
    virtio_put_address(device, VIRTIO_PCI_QUEUE_DESC_LOW, desc);
    virtio_put_address(device, VIRTIO_PCI_QUEUE_DRIVER_LOW, driver);
    virtio_put_address(device, VIRTIO_PCI_QUEUE_DEVICE_LOW, device_area);
    /* A device may look as soon as the queue is enabled: the zeroed rings come first. */
    sddf_device_before_doorbell();
    put16(device, VIRTIO_PCI_QUEUE_ENABLE, 1);
    return true;
}

/* 4.1.5.5: a message says by itself why; else reading the status acknowledges it (4.1.4.5). */
uint32_t virtio_interrupt(const struct virtio *device, uint32_t which)
{
    if (device->messages) {
        return (which == 0 ? VIRTIO_INTERRUPT_USED : 0) |
               (which + 1 == device->vectors ? VIRTIO_INTERRUPT_CONFIG : 0);
    }
    const uint32_t why = sddf_device_read8(device->interrupt);
    /* The acknowledgement is there before we look at the rings. */
    sddf_device_after_register();
    return why & (VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG);
}

/* 4.1.5.2 */
void virtio_doorbell(const struct virtio *device, uint32_t queue)
{
    /* Whoever is told to look sees the ring's index and everything behind it. */
    sddf_device_before_doorbell();
    sddf_device_write16(device->doorbell[queue], (uint16_t)queue);
}
