/* SPDX-License-Identifier: BSD-2-Clause */
/* What the targets of UARTs' drivers share; included before the driver. */
#pragma once

#include "drivers/serial/uart.h"

/* As often as it matters here; more only takes time. */
#undef UART_START_READS
#define UART_START_READS 100

#include "sddf/device.h"

#define FUZZ_DEVICES 1

#define REGISTERS UINT64_C(0x90000000) /* nobody dereferences it */

#include "drivers/serial/uart.c"
