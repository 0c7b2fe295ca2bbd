/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's sddf/raw.h: contracts for what it cannot read, and facts of machine arithmetic that
 * its theory of integers leaves out. Z3 proves each in theories of its own: verify/wp/facts.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

/*@ axiomatic Turns {
  @   logic integer turns32(integer x) reads \nothing;
  @   logic integer turns64(integer x) reads \nothing;
  @ }
  @*/

/*@ lemma fact_and: \forall integer a, b;
  @     0 <= a ==> 0 <= b ==> (0 <= (a & b) <= a && (a & b) <= b);
  @ lemma fact_wrap32: \forall integer x; (uint32_t)x == x + turns32(x) * 0x100000000;
  @*/

/* As long as any queue's array may be; how much of it is memory, the contracts say. */
#define SDDF_RAW_ANY_LENGTH 0x8000000

/*@ assigns \nothing;
  @ ensures inside: \result <= mask;
  @*/
static inline uint32_t sddf_raw_wrap(uint32_t index, uint32_t mask)
{
    return index & mask;
}

/* An entry that is read may be anything. */
#define SDDF_RAW_ENTRY(prefix, type)                                                               \
    /*@ requires in_memory: \valid(slot + (0 .. queue_words - 1));                                 \
      @ requires entry: \valid_read(entry);                                                        \
      @ assigns \nothing;                                                                          \
      @*/                                                                                          \
    void prefix##_store(sddf_atomic_u64 *slot, const type *entry);                                 \
                                                                                                   \
    /*@ requires in_memory: \valid_read(slot + (0 .. queue_words - 1));                            \
      @ requires entry: \valid(entry);                                                             \
      @ assigns *entry;                                                                            \
      @*/                                                                                          \
    void prefix##_load(const sddf_atomic_u64 *slot, type *entry);
