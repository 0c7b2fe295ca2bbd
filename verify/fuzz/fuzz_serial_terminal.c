/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the Linux board's terminal: the device is a socket. */
#define FUZZ_DEVICES 1

#include "drivers/serial/linux/terminal.c"

#include "serial_driver.h"

#define ROOM 16 /* of the socket */

static struct sddf_region_config device_region;
static uint64_t after; /* the driver wants to be woken then, in ns */

static bool device_interrupts(void)
{
    return device.rx > 0 || after != 0;
}

static void device_reset(void)
{
    after = 0;
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == IRQ ? 7 : -1;
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    fuzz_check(ch == IRQ, "another interrupt");
    after = ns;
}

static long device_reads(uint8_t *bytes, uint32_t size)
{
    uint32_t count = 0;
    for (; count < size && device.rx > 0; count++) {
        bytes[count] = device_receives();
    }
    return count > 0 ? (long)count : -EAGAIN;
}

static long device_writes(const uint8_t *bytes, uint32_t size)
{
    uint32_t count = 0;
    for (; count < size && device.tx < ROOM; count++) {
        device_sends(bytes[count]);
    }
    return count > 0 ? (long)count : -EAGAIN;
}

/* Of the kernel itself no more is expected than that it does not lie about how much it did. */
long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    fuzz_access();
    fuzz_check(a == 7 && d == 0 && e == 0 && f == 0, "another system call");
    fuzz_check(number == SYS_read || number == SYS_write, "another system call");
    uint8_t *bytes = (uint8_t *)(uintptr_t)b;
    if (number == SYS_read) {
        memset(bytes, 0, (size_t)c);
    } else {
        fuzz_check(c > 0 && bytes >= out && bytes + c <= out + sizeof(out), "not its buffer");
    }
    uint8_t kind = device.hostile ? fuzz_u8() : 0;
    if (kind >= 128) {
        return kind < 160 ? -EAGAIN : kind < 192 ? -EIO : kind < 224 ? 0 : kind % c;
    }
    return number == SYS_read ? device_reads(bytes, (uint32_t)c)
                              : device_writes(bytes, (uint32_t)c);
}
