/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the 82574L's driver: the device is the model's (e1000e_model.h). */
#pragma once

#include "e1000e_model.h"

#include "net_driver_rig.h"

#include "sddf/clock.h"

enum { LINK = 3 }; /* the channel of the interrupt for what happens seldom */

void e1000e_driver_forget(void);

static struct e1000e_model_options options;
static bool irq_masked[2];
static bool deferred;
static uint64_t now = 1; /* what the clock says */

uint64_t sddf_clock_now(void)
{
    return now;
}

void microkit_irq_ack(microkit_channel ch)
{
    assert_true(ch == IRQ || ch == LINK);
    irq_masked[ch == LINK] = false;
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    assert_false(deferred); /* there is one slot a wake-up */
    deferred = true;
}

/* ring_size: of both rings at most; 0: as many as there is room for. */
static inline void configure(uint32_t ring_size)
{
    options = (struct e1000e_model_options){.vectors = true};
    configure_neighbours(model_registers, MODEL_REGISTERS_SIZE, model_rings);
    sddf_net_config.device.ring_size = ring_size;
    sddf_net_config.device.irq_count = 2;
    sddf_net_config.device.irq[1] = LINK;
    irq_masked[0] = irq_masked[1] = deferred = false;
}

#define model(name)   e1000e_model_##name
#define RING_SMALLEST 8u

static inline void configure_rings(uint32_t size)
{
    configure(size);
}

static inline uint32_t ring_room(uint32_t size)
{
    return size - 1; /* a full ring would look like an empty one */
}

static inline void one_interrupt(void)
{
    options.vectors = false;
    sddf_net_config.device.irq_count = 1;
}

static inline void start(void)
{
    e1000e_driver_forget();
    e1000e_model_power_on(&options, BUFFERS);
    init();
    model_counts.accesses = 0;
}

static inline void wake(microkit_channel ch)
{
    model_counts.accesses = 0;
    if (ch == IRQ || ch == LINK) {
        irq_masked[ch == LINK] = true;
    }
    notified(ch);
    assert_int_equal(deferred, ch == IRQ);
    if (deferred) {
        deferred = irq_masked[0] = false;
    }
    assert_false(irq_masked[0] || irq_masked[1]);
    e1000e_model_driver_sleeps();
}

static inline bool interrupt(void)
{
    const int vector = e1000e_model_message();
    if (vector < 0) {
        return false;
    }
    wake(vector == 0 ? IRQ : LINK);
    return true;
}
