/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the virtio network driver: the device is the model's (virtio_model.h). */
#pragma once

#include "virtio_model.h"

#include "net_driver_rig.h"

#define FEATURES (MODEL_VERSION_1 | MODEL_INDIRECT | MODEL_EVENT_IDX)

void virtio_net_driver_forget(void);

static struct virtio_model_options options;
static bool irq_masked;
static bool deferred;

void microkit_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    irq_masked = false;
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    deferred = true;
}

static inline void configure(uint64_t offers, uint32_t queue_max)
{
    options = (struct virtio_model_options){
        .offers = offers, .queue_max = {queue_max, queue_max}, .version = 2, .device_id = 1};
    configure_neighbours(model_registers, 4096, model_rings);
    irq_masked = deferred = false;
}

static inline void start(void)
{
    virtio_net_driver_forget();
    virtio_model_power_on(&options, BUFFERS);
    init();
    model_counts.accesses = 0;
}

static inline void wake(microkit_channel ch)
{
    model_counts.accesses = 0;
    irq_masked |= ch == IRQ;
    notified(ch);
    assert_int_equal(deferred, ch == IRQ);
    if (deferred) {
        deferred = irq_masked = false;
    }
    virtio_model_driver_sleeps();
}

static inline bool interrupt(void)
{
    if (!virtio_model_interrupts() || irq_masked) {
        return false;
    }
    wake(IRQ);
    return true;
}
