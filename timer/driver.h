/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a timer driver adds to the class's own part (driver.c: entry points, clients, timeouts): the
 * device. It only says when to look. What is due is what the clock says, so a device whose time
 * runs a little differently, or that goes off early, is set again for the rest, and nobody
 * notices.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/config.h"

/*
 * From init, before anything else: finds the device and stops it, as it may still be set from
 * before a restart. False if the configuration is not one of this device.
 */
bool timer_device_init(const struct sddf_device_config *device);

/*
 * Have the interrupt come in `ahead` ns (at least 1) or as soon after as the device can; no later
 * because of rounding. Withdraws an interrupt that the device asserts.
 */
void timer_device_set(uint64_t ahead);

/* No interrupt until it is set again. Withdraws one that the device asserts. */
void timer_device_stop(void);
