/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the 16550. */
#include "serial_uart.h"

#include "drivers/serial/ns16550/ns16550.c"

#include "serial_driver.h"

static struct sddf_region_config device_region = {.vaddr = REGISTERS, .size = REGISTERS_SIZE};

static bool started; /* what was there before is thrown away */

static bool device_interrupts(void)
{
    return (device.rx > 0 && (enabled & IER_ERBFI) != 0) ||
           (device.tx == 0 && (enabled & IER_ETBEI) != 0);
}

static void device_reset(void)
{
    enabled = 0;
    started = false;
}

static uint8_t status(void)
{
    if (device.hostile) {
        return fuzz_u8();
    }
    return (device.rx > 0 ? LSR_DR : 0) | (device.tx == 0 ? LSR_THRE | LSR_TEMT : 0);
}

uint64_t fuzz_register_read(uintptr_t address, uint32_t bytes)
{
    fuzz_access();
    fuzz_check(address - REGISTERS < REGISTERS_SIZE && bytes == 1, "a register that there is not");
    switch ((enum reg)(address - REGISTERS)) {
    case LSR:
        return status();
    case RBR:
        if (!started) {
            return 0;
        }
        fuzz_check(device.hostile || device.rx > 0, "a byte is read where there is none");
        return device_receives();
    default:
        return device.hostile ? fuzz_u8() : 0;
    }
}

void fuzz_register_write(uintptr_t address, uint32_t bytes, uint64_t value)
{
    fuzz_access();
    fuzz_check(address - REGISTERS < REGISTERS_SIZE && bytes == 1, "a register that there is not");
    if (address - REGISTERS == THR) {
        fuzz_check(device.hostile || device.tx < FIFO_DEPTH,
                   "a byte is written where there is no room");
        device_sends((uint8_t)value);
    }
    started |= address - REGISTERS == IER && value != 0;
}
