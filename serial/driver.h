/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers of serial devices share: everything but the device. A driver runs in passes:
 *
 *     serial_driver_begin();
 *     serial_driver_received(byte) for what the device has
 *     serial_driver_next(&byte) while the device has room
 *     more = serial_driver_end(full);
 *
 * and again while there is more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/serial.h"

/* Attaches to everything; false with a message if the configuration does not match. */
bool serial_driver_start(const struct serial_driver_config *config);

/* Once a wake-up. */
void serial_driver_woken(void);

void serial_driver_begin(void);

/* From the device. What virt_rx has no room for is lost, and counted. */
void serial_driver_received(uint8_t byte);

/* For the device; false if there is no more in this pass. */
bool serial_driver_next(uint8_t *byte);

/* Is there more for the device in this pass, for which it has no room? */
bool serial_driver_waits(void);

/*
 * `full`: the device has no room; its interrupt will start the next pass. True: it has, and there
 * is more to send.
 */
bool serial_driver_end(bool full);

void serial_driver_count(enum serial_stat stat, uint64_t n);
