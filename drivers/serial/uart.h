/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers of UARTs share: the program around a device with two FIFOs, one interrupt and its
 * registers in memory. A driver defines all that is declared here but uart_registers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where the registers are mapped; from uart_start() on. */
extern uintptr_t uart_registers;

/* How many bytes of them there must be, and whose, for the message if there are not. */
extern const uint64_t uart_registers_size;
extern const char uart_registers_name[];

/*
 * Sets the device up: what it does afterwards does not depend on what it did before. What it has
 * still to send goes out first, for as many reads of its status as this at the most: some tenths of
 * a second, in which even a slow line sends a FIFO.
 */
#define UART_START_READS 1000000
void uart_start(void);

/*
 * Hands on what has been received, and what went wrong with it. Bounded; what is left asserts the
 * interrupt anew.
 */
void uart_take(void);

/* Fills the device from serial_driver_next(). True: it has no room, and there is more. */
bool uart_give(void);

/* The interrupt comes for what is received and, if `full`, when there is room again. */
void uart_wait(bool full);
