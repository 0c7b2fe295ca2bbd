/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer driver for the Goldfish real-time clock, the one timer that QEMU's RISC-V "virt" machine
 * offers besides those that the kernel keeps to itself.
 *
 * Time and alarm are as in "Goldfish Virtual Hardware" (docs/GOLDFISH-VIRTUAL-HARDWARE.TXT of
 * Android's emulator, chapter III, "Goldfish timer"): a 64-bit count of nanoseconds, read low
 * half first, which holds the high half; an alarm, written high half first, set by the low one,
 * and there at once if its time has passed. The registers from 0x10 on are those of QEMU's
 * device (hw/rtc/goldfish_rtc.c), which is newer than that text. The interrupt is level-
 * sensitive: asserted from the alarm until it is cleared.
 *
 * The count may be of wall-clock time, and then whoever sets that moves alarms that are set.
 * With QEMU's option -rtc clock=vm it is the machine's own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "sddf/device.h"

#define TIME_LOW        0x00
#define TIME_HIGH       0x04
#define ALARM_LOW       0x08
#define ALARM_HIGH      0x0c
#define IRQ_ENABLED     0x10
#define CLEAR_ALARM     0x14
#define CLEAR_INTERRUPT 0x1c
#define REGISTERS_SIZE  0x20

static uintptr_t registers;

static void clear(void)
{
    sddf_device_write32(registers + CLEAR_ALARM, 1);
    sddf_device_write32(registers + CLEAR_INTERRUPT, 1);
}

void timer_device_set(uint64_t ahead)
{
    clear();
    uint64_t now = sddf_device_read32(registers + TIME_LOW);
    now |= (uint64_t)sddf_device_read32(registers + TIME_HIGH) << 32;
    uint64_t alarm = ahead < INT64_MAX - now ? now + ahead : INT64_MAX;
    sddf_device_write32(registers + ALARM_HIGH, (uint32_t)(alarm >> 32));
    sddf_device_write32(registers + ALARM_LOW, (uint32_t)alarm);
    /* The interrupt was withdrawn, or is a new one, before it is acknowledged. */
    sddf_device_after_register();
}

void timer_device_stop(void)
{
    clear();
    sddf_device_after_register();
}

bool timer_device_init(const struct sddf_device_config *device)
{
    if (device->region_count != 1 || device->region[0].size < REGISTERS_SIZE) {
        return false;
    }
    registers = (uintptr_t)device->region[0].vaddr;
    timer_device_stop();
    sddf_device_write32(registers + IRQ_ENABLED, 1);
    return true;
}
