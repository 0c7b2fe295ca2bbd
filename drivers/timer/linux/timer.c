/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer driver for the Linux board: the device is a timerfd, its one register is
 * timerfd_settime(2), its interrupt is the descriptor's readability.
 *
 * The timer is set relative to now. timerfd counts CLOCK_MONOTONIC, which is trimmed while it runs;
 * the system's clock is a counter with a scale that was measured once (sddf/clock.h). Over the
 * length of one timeout the two differ by a few millionths, over days by as much as one likes.
 */
#include <stdbool.h>
#include <stdint.h>

#include <sys/syscall.h>
#include <time.h>

#include <microkit_linux.h>

#include "driver.h"
#include "sddf/clock.h"

static int fd;

/* timerfd_settime(2): sets or, with 0, stops the timer, and ends its being readable. */
void timer_device_set(uint64_t ahead)
{
    const struct {
        int64_t interval[2], value[2]; /* struct itimerspec, seconds and nanoseconds */
    } timer = {{0, 0}, {(int64_t)(ahead / SDDF_NS_PER_S), (int64_t)(ahead % SDDF_NS_PER_S)}};
    microkit_linux_syscall(SYS_timerfd_settime, fd, 0, (long)&timer, 0, 0, 0);
}

void timer_device_stop(void)
{
    timer_device_set(0);
}

bool timer_device_init(const struct sddf_device_config *device)
{
    fd = microkit_linux_irq_fd(device->irq[0]);
    if (fd < 0) {
        return false;
    }
    timer_device_stop();
    return true;
}
