/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the PL011. */
#include "serial_uart.h"

#include "drivers/serial/pl011/pl011.c"

#include "serial_driver.h"

#define DEPTH 16

static struct sddf_region_config device_region = {.vaddr = REGISTERS, .size = REGISTERS_SIZE};

static bool device_interrupts(void)
{
    return (device.rx > 0 && (mask & (INT_RX | INT_RT)) != 0) ||
           (device.tx < DEPTH && (mask & INT_TX) != 0);
}

static void device_reset(void)
{
    mask = 0;
}

uint64_t fuzz_register_read(uintptr_t address, uint32_t bytes)
{
    fuzz_access();
    fuzz_check(address - REGISTERS < REGISTERS_SIZE && bytes == 4, "a register that there is not");
    const uint32_t at = (uint32_t)(address - REGISTERS);
    if (at == UARTFR) {
        if (device.hostile) {
            return fuzz_u8();
        }
        return (device.rx == 0 ? FR_RXFE : 0) | (device.tx >= DEPTH ? FR_TXFF : 0) |
               (device.tx != 0 ? FR_BUSY : 0);
    }
    fuzz_check(at == UARTDR, "a register that need not be read");
    fuzz_check(device.hostile || device.rx > 0, "a byte is read where there is none");
    const uint32_t wrong = device.hostile ? (uint32_t)fuzz_u8() << 8 : 0;
    return device_receives() | wrong;
}

void fuzz_register_write(uintptr_t address, uint32_t bytes, uint64_t value)
{
    fuzz_access();
    fuzz_check(address - REGISTERS < REGISTERS_SIZE && bytes == 4, "a register that there is not");
    if (address - REGISTERS == UARTDR) {
        fuzz_check(device.hostile || device.tx < DEPTH, "a byte is written where there is no room");
        device_sends((uint8_t)value);
    }
}
