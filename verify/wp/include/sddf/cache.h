/* SPDX-License-Identifier: BSD-2-Clause */
/* The prover's sddf/cache.h: an instruction for a cache takes an address in our memory, too. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*@ requires in_memory: size > 0 ==> \valid_read(start + (0 .. size - 1));
  @ assigns \nothing;
  @*/
void sddf_cache_clean(const uint8_t *start, size_t size);

/*@ requires in_memory: size > 0 ==> \valid_read(start + (0 .. size - 1));
  @ assigns \nothing;
  @*/
void sddf_cache_forget(const uint8_t *start, size_t size);

/*@ assigns \nothing; */
void sddf_cache_done(void);
