/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's sddf/clock.h: time may have gone on by any amount each time that it is read, but it
 * does not go backwards, and the system has not run for 292 years.
 */
#pragma once

#include <stdint.h>

#define SDDF_NS_PER_US UINT64_C(1000)
#define SDDF_NS_PER_MS UINT64_C(1000000)
#define SDDF_NS_PER_S  UINT64_C(1000000000)

/* What the clock said last. */
/*@ ghost uint64_t sddf_clock_time; */

/* When nobody will be there to see it. */
#define SDDF_CLOCK_END 0x8000000000000000

/*@ assigns sddf_clock_time;
  @ ensures \result == sddf_clock_time && \old(sddf_clock_time) <= sddf_clock_time;
  @ ensures sddf_clock_time < SDDF_CLOCK_END;
  @*/
uint64_t sddf_clock_now(void);
