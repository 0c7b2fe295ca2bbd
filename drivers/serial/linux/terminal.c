/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial driver for the Linux board: the device is a stream socket whose other end the loader joins
 * to its terminal, or to its standard input and output. Its interrupt is the descriptor's
 * readability; that there is room again, Linux does not say here, so the driver looks again after a
 * while.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <string.h>
#include <sys/syscall.h>

#include <microkit.h>
#include <microkit_linux.h>

#include "sddf/serial.h"

#include "driver.h"

#define RETRY_NS (UINT64_C(2) * 1000 * 1000)

struct serial_driver_config sddf_serial_config;

static bool running;
static uint8_t irq;
static int fd;
static uint8_t out[4096]; /* taken from virt_tx, and not yet written */
static uint32_t out_begin;
static uint32_t out_end;

/*
 * At most one full buffer a wake-up: more keeps the descriptor readable, and comes with the next
 * interrupt.
 */
static void rx_take(void)
{
    uint8_t in[512];
    long count = microkit_linux_syscall(SYS_read, fd, (long)in, sizeof(in), 0, 0, 0);
    if (count < 0 && count != -EAGAIN) {
        serial_driver_count(SERIAL_STAT_DEVICE_ERRORS, 1);
    }
    for (long i = 0; i < count; i++) {
        serial_driver_received(in[i]);
    }
}

/* Fills the buffer, so that lines leave together, and writes it. True: the device has no room. */
static bool tx_give(void)
{
    for (;;) {
        if (out_begin == out_end) {
            out_begin = out_end = 0;
        }
        while (out_end < sizeof(out) && serial_driver_next(&out[out_end])) {
            out_end++;
        }
        if (out_begin == out_end) {
            return false;
        }
        long count = microkit_linux_syscall(SYS_write, fd, (long)&out[out_begin],
                                            out_end - out_begin, 0, 0, 0);
        if (count == -EAGAIN || count == 0) {
            return true;
        }
        if (count < 0) {
            serial_driver_count(SERIAL_STAT_DEVICE_ERRORS, 1);
            count = out_end - out_begin; /* as a line that nobody listens to: it is gone */
        }
        out_begin += (uint32_t)count;
    }
}

static void serve(void)
{
    bool full;
    serial_driver_woken();
    rx_take();
    do {
        serial_driver_begin();
        full = tx_give();
    } while (serial_driver_end(full));
    microkit_linux_irq_after(irq, full ? RETRY_NS : 0);
    microkit_irq_ack(irq);
}

void init(void)
{
    running = false;
    out_begin = out_end = 0;
    if (!serial_driver_start(&sddf_serial_config)) {
        return;
    }
    irq = sddf_serial_config.device.irq[0];
    fd = microkit_linux_irq_fd(irq);
    if (fd < 0) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": the configuration's interrupt is none of this program's\n");
        return;
    }
    running = true;
    serve();
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        serve();
    }
}
