/* SPDX-License-Identifier: BSD-2-Clause */
#include "uart.h"

#include <microkit.h>

#include "sddf/serial.h"

#include "driver.h"

struct serial_driver_config sddf_serial_config;
uintptr_t uart_registers;

static bool running;
static uint8_t irq;

static void serve(void)
{
    bool full;
    serial_driver_woken();
    uart_take();
    do {
        serial_driver_begin();
        full = uart_give();
    } while (serial_driver_end(full));
    uart_wait(full);
}

void init(void)
{
    running = false;
    const struct sddf_device_config *device = &sddf_serial_config.device;
    if (!serial_driver_start(&sddf_serial_config)) {
        return;
    }
    if (device->region_count < 1 || device->region[0].vaddr == 0 ||
        device->region[0].size < uart_registers_size) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": the configuration has no registers of a ");
        microkit_dbg_puts(uart_registers_name);
        microkit_dbg_puts("\n");
        return;
    }
    uart_registers = (uintptr_t)device->region[0].vaddr;
    irq = device->irq[0];
    uart_start();
    running = true;
    serve();
    microkit_irq_ack(irq); /* it may be masked from before a restart */
}

void notified(microkit_channel ch)
{
    if (!running) {
        return;
    }
    serve();
    if (ch == irq) {
        microkit_deferred_irq_ack(irq);
    }
}
