/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of UART drivers share: the virtualisers, and a FIFO. */
#pragma once

#include "serial_rig.h"

enum { IRQ = 7, CH_VIRT_TX = 1, CH_VIRT_RX = 2 };
enum { REGISTERS = 0x40000000 };

extern struct serial_driver_config sddf_serial_config;

static struct rig_sender writer; /* virt_tx */
static struct rig_taker reader;  /* virt_rx */

static inline void uart_configure(void)
{
    struct serial_driver_config *config = &sddf_serial_config;
    fake_microkit_reset();
    *config = (struct serial_driver_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_SERIAL_DRIVER, sizeof(*config),
                   0},
        .device = {.region_count = 1,
                   .irq_count = 1,
                   .region = {{.vaddr = REGISTERS, .size = 0x1000}},
                   .irq = {IRQ}},
        .tx = rig_tx(RIG_CAPACITY, CH_VIRT_TX),
        .rx = rig_rx(RIG_CAPACITY, CH_VIRT_RX),
        .stats = rig_serial_stats(),
    };
    rig_sender_tx(&writer, &config->tx);
    rig_taker_rx(&reader, &config->rx);
}

static inline uint64_t uart_stat(enum serial_stat stat)
{
    return rig_serial_stat(&sddf_serial_config.stats, 0, stat);
}

/* ---- a FIFO of the device's ---------------------------------------------------------------- */

enum { FIFO_DEPTH_MODEL = 16 };

struct fifo {
    uint16_t slot[FIFO_DEPTH_MODEL];
    unsigned count;
};

static inline bool fifo_put(struct fifo *fifo, uint16_t value)
{
    if (fifo->count == FIFO_DEPTH_MODEL) {
        return false;
    }
    fifo->slot[fifo->count++] = value;
    return true;
}

static inline uint16_t fifo_take(struct fifo *fifo)
{
    uint16_t value = fifo->slot[0];
    fifo->count--;
    memmove(fifo->slot, fifo->slot + 1, fifo->count * sizeof(fifo->slot[0]));
    return value;
}
