/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock: nanoseconds since some moment before the system started. Monotonic, the same for
 * every PD of the system and on every core, and cheap: a counter read and a multiplication, no
 * system call. Each platform implements it (Linux: the time-stamp counter with a scale that the
 * loader measured; AArch64: the generic timer's physical counter).
 *
 * Any PD may call it at any time, init included.
 */
#pragma once

#include <stdint.h>

#define SDDF_NS_PER_US UINT64_C(1000)
#define SDDF_NS_PER_MS UINT64_C(1000000)
#define SDDF_NS_PER_S  UINT64_C(1000000000)

uint64_t sddf_clock_now(void);
