/* SPDX-License-Identifier: BSD-2-Clause */
/* The prover's sddf/wide.h: either nothing is copied, or all of it, and nothing else is written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*@ requires \valid_read(from + (0 .. length - 1)) && \valid(to + (0 .. length - 1));
  @ requires apart: \separated(to + (0 .. length - 1), from + (0 .. length - 1));
  @ assigns to[0 .. length - 1];
  @*/
bool sddf_wide_copy(uint8_t *to, const uint8_t *from, uint32_t length);
