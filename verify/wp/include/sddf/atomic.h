/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's sddf/atomic.h: shared memory as the worst of neighbours sees it.
 *
 * A shared word has no contents here. Whatever is read from it may be anything, each time anew, and
 * what is written to it is forgotten, so nothing can be proved that depends on what a neighbour, or
 * this side itself, has left there. What is proved of a shared word is that it lies where this
 * protection domain has memory. The words are structs of types of their own: a program that looks
 * at one without these functions does not get through the parser.
 */
#pragma once

#include <stdint.h>

#define SDDF_CACHE_LINE 64

#define SDDF_ALIGNED(n)

typedef struct {
    uint32_t hidden;
} sddf_atomic_u32;

typedef struct {
    uint64_t hidden;
} sddf_atomic_u64;

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint32_t sddf_load_relaxed_u32(const sddf_atomic_u32 *word);

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint32_t sddf_load_acquire_u32(const sddf_atomic_u32 *word);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_store_relaxed_u32(sddf_atomic_u32 *word, uint32_t value);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_store_release_u32(sddf_atomic_u32 *word, uint32_t value);

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint64_t sddf_load_relaxed_u64(const sddf_atomic_u64 *word);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_store_relaxed_u64(sddf_atomic_u64 *word, uint64_t value);

/*@ assigns \nothing; */
void sddf_fence_seq_cst(void);
