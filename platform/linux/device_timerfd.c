/* SPDX-License-Identifier: BSD-2-Clause */
/* A timer: one timerfd. Setting it is the doorbell, its readability the interrupt. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "platform/linux/device.h"

static void timerfd_close(struct linux_device *device)
{
    if (device->fd >= 0) {
        close(device->fd);
        device->fd = -1;
    }
}

static bool timerfd_open(struct linux_device *device, const struct system *system,
                         const struct linux_memory *memory,
                         const struct linux_device_options *options, char **why)
{
    (void)system;
    (void)memory;
    (void)options;
    if (device->board->region_count != 0) {
        return linux_device_fail(why, "the board's timer %s has regions, and a timerfd has none",
                                 device->board->name);
    }
    device->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (device->fd < 0) {
        return linux_device_fail(why, "%s: timerfd_create: %s", device->board->name,
                                 strerror(errno));
    }
    /* timerfd_settime(fd, 0, any time, NULL): relative times only, and nothing is handed back. */
    device->call[0] = (struct linux_call){
        .number = SYS_timerfd_settime,
        .checked = 1u << 0 | 1u << 1 | 1u << 3,
    };
    device->call_count = 1;
    snprintf(device->text, sizeof(device->text), "%s: timerfd", device->board->name);
    return true;
}

const struct linux_device_kind linux_device_timerfd = {
    .name = "timerfd",
    .open = timerfd_open,
    .close = timerfd_close,
};
