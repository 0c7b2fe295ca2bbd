/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests of the virtio network driver: the device is the model's (virtio_model.h), behind the
 * transport that TRANSPORT says: one interrupt by MMIO, one by PCI, or two messages by PCI.
 */
#pragma once

#include "virtio_model.h"

#include "net_driver_rig.h"

/* Which layout of rings the driver was compiled with. */
#ifdef PACKED
#define LAYOUT MODEL_PACKED
#else
#define PACKED 0
#define LAYOUT UINT64_C(0)
#endif

#define FEATURES (MODEL_VERSION_1 | MODEL_INDIRECT | MODEL_EVENT_IDX | LAYOUT)

#define MMIO         0
#define PCI_LINE     1
#define PCI_MESSAGES 2

enum { CHANGE = 3 }; /* the channel of the second message */

void virtio_net_driver_forget(void);

static struct virtio_model_options options;
static bool irq_masked;
static bool acknowledged;
static bool deferred;              /* virt_rx's signal, until the end of the wake-up */
static void (*before_start)(void); /* what a test changes of a device that has its power */

void microkit_irq_ack(microkit_channel ch)
{
    assert_true(ch == IRQ || (TRANSPORT == PCI_MESSAGES && ch == CHANGE));
    irq_masked &= ch != IRQ;
    acknowledged |= ch == IRQ;
}

void microkit_deferred_notify(microkit_channel ch)
{
    assert_int_equal(ch, RX); /* there is one slot a wake-up */
    deferred = true;
}

static inline void configure(uint64_t offers, uint32_t queue_max)
{
    options = (struct virtio_model_options){.offers = offers,
                                            .queue_max = {queue_max, queue_max},
                                            .version = 2,
                                            .device_id = 1,
                                            .messages = TRANSPORT == PCI_MESSAGES};
    configure_neighbours(model_registers, MODEL_REGISTERS_SIZE, model_rings);
#if TRANSPORT != MMIO
    struct sddf_device_config *device = &sddf_net_config.device;
    device->region_count = 3;
    device->region[2] =
        (struct sddf_region_config){.vaddr = (uintptr_t)model_config, .size = MODEL_CONFIG_SIZE};
    device->irq_count = options.messages ? 2 : 1;
    device->irq[1] = CHANGE;
#endif
    irq_masked = acknowledged = deferred = false;
}

#define model(name)   virtio_model_##name
#define RING_SMALLEST 1u

static inline void configure_rings(uint32_t size)
{
    configure(FEATURES, size);
}

static inline uint32_t ring_room(uint32_t size)
{
    return size;
}

static inline void start(void)
{
    virtio_net_driver_forget();
    virtio_model_power_on(&options, BUFFERS);
    if (before_start != NULL) {
        before_start();
    }
    init();
    model_counts.accesses = 0;
}

static inline void wake(microkit_channel ch)
{
    model_counts.accesses = 0;
    irq_masked |= ch == IRQ;
    acknowledged = false;
    notified(ch);
    assert_int_equal(acknowledged, ch == IRQ);
    notified_rx += deferred;
    deferred = false;
    virtio_model_driver_sleeps();
}

static inline bool interrupt(void)
{
#if TRANSPORT == PCI_MESSAGES
    const int vector = irq_masked ? -1 : virtio_model_message();
    if (vector >= 0) {
        wake(vector == 0 ? IRQ : CHANGE);
    }
    return vector >= 0;
#else
    if (!virtio_model_interrupts() || irq_masked) {
        return false;
    }
    wake(IRQ);
    return true;
#endif
}
