/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's sddf/raw.h: contracts for what it cannot read, and facts of machine arithmetic that
 * its theory of integers leaves out. Z3 proves each in theories of its own: verify/wp/facts.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

/*
 * How often a number wraps round 32 bits; two to the power of n; four bytes the other way round; a
 * set of bits has the n-th.
 */
/*@ axiomatic Arithmetic {
  @   logic integer turns32(integer x) reads \nothing;
  @   logic integer pow2(integer n) reads \nothing;
  @   logic integer swapped32(integer x) reads \nothing;
  @ }
  @ predicate bits_has(integer bits, integer n) = (bits & pow2(n)) != 0;
  @*/

/* A unit names the facts that it needs: others would only be in the provers' way. */
/*@ lemma fact_and: \forall integer a, b;
  @     0 <= a ==> 0 <= b ==> (0 <= (a & b) <= a && (a & b) <= b);
  @ lemma fact_wrap32: \forall integer x; (uint32_t)x == x + turns32(x) * 0x100000000;
  @*/

#ifdef WP_BITS
/*@ lemma fact_or: \forall integer a, b, n; 0 <= n <= 64 ==>
  @     0 <= a < pow2(n) ==> 0 <= b < pow2(n) ==> 0 <= (a | b) < pow2(n);
  @ lemma fact_pow2: \forall integer n; 0 <= n <= 64 ==> (1 << n) == pow2(n);
  @ lemma fact_pow2_least: \forall integer n; 0 <= n <= 64 ==> pow2(n) >= 1;
  @ lemma fact_pow2_order: \forall integer m, n; 0 <= m <= 64 ==> 0 <= n <= 64 ==>
  @     (m < n <==> pow2(m) < pow2(n));
  @ lemma fact_pow2_64: pow2(64) == 0x10000000000000000;
  @ lemma fact_and_below: \forall integer a, b, n; 0 <= n <= 64 ==> 0 <= a ==> 0 <= b ==>
  @     (a == pow2(n) && b < a) || (b == pow2(n) && a < b) ==> (a & b) == 0;
  @*/
#endif

#ifdef WP_HOLDERS
/*@ lemma fact_or_least: \forall integer a, b; 0 <= a ==> 0 <= b ==>
  @     a <= (a | b) && b <= (a | b);
  @ lemma fact_and_has: \forall integer a, b, n; 0 <= n < 64 ==> 0 <= a ==> 0 <= b ==>
  @     bits_has(a & b, n) ==> bits_has(a, n) && bits_has(b, n);
  @ lemma fact_narrow: \forall integer x; (uint64_t)x <= UINT32_MAX ==>
  @     (uint32_t)x == (uint64_t)x;
  @ lemma fact_pow2_62: pow2(62) == 0x4000000000000000;
  @ lemma fact_pow2_63: pow2(63) == 0x8000000000000000;
  @*/
#endif

#ifdef WP_MEMBERS
/*@ lemma fact_or_has: \forall integer a, b, n; 0 <= n < 64 ==> 0 <= a ==> 0 <= b ==>
  @     bits_has(a | b, n) ==> bits_has(a, n) || bits_has(b, n);
  @ lemma fact_pow2_has: \forall integer m, n; 0 <= m < 64 ==> 0 <= n < 64 ==>
  @     bits_has(pow2(m), n) ==> m == n;
  @*/
#endif

#ifdef WP_SHIFT
/*@ lemma fact_shift: \forall integer x, n; 0 <= x <= UINT64_MAX ==> 56 <= n <= 63 ==>
  @     (x >> n) <= 255;
  @*/
#endif

/* More, as often, is more: where it is called for, for provers are bad at finding products. */
/*@ ghost
  @ /@ requires a <= b;
  @  @ assigns \nothing;
  @  @ ensures a * c <= b * c;
  @  @/
  @ void fact_times(uint64_t a, uint64_t b, uint64_t c);
  @*/

/* A sum that wraps round is less than its parts. */
/*@ ghost
  @ /@ requires (uint64_t)(a + b) >= a;
  @  @ assigns \nothing;
  @  @ ensures a + b <= UINT64_MAX;
  @  @/
  @ void fact_sum(uint64_t a, uint64_t b);
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

/* The lowest bit of a set. */
#define __builtin_ctzll(set) sddf_raw_first(set)

/*@ requires some: set != 0;
  @ assigns \nothing;
  @ ensures 0 <= \result < 64 && pow2(\result) <= set && bits_has(set, \result);
  @*/
int sddf_raw_first(uint64_t set);

/* A hint: nothing is read. */
#define __builtin_prefetch(at) ((void)(at))

#define __builtin_ctz(set) sddf_raw_first(set)

/* The bytes of a number, the other way round: always the same number, but it may be any. */
#define __builtin_bswap16(number) sddf_raw_swap16(number)
#define __builtin_bswap32(number) sddf_raw_swap32(number)

/*@ assigns \nothing; */
uint16_t sddf_raw_swap16(uint16_t number);

/*@ assigns \nothing;
  @ ensures \result == swapped32(number);
  @*/
uint32_t sddf_raw_swap32(uint32_t number);

/* Bytes, shared or not, may be anything each time that they are read. */
/*@ requires in_memory: \valid_read(at);
  @ assigns \nothing;
  @*/
uint8_t sddf_raw_u8(const uint8_t *at);

/*@ requires in_memory: \valid_read(at + (0 .. 1));
  @ assigns \nothing;
  @*/
uint16_t sddf_raw_u16(const uint8_t *at);

/*@ requires in_memory: \valid_read(at + (0 .. 3));
  @ assigns \nothing;
  @*/
uint32_t sddf_raw_u32(const uint8_t *at);

/*@ requires in_memory: \valid_read(at + (0 .. 5));
  @ assigns \nothing;
  @ ensures \result <= 0xffffffffffff;
  @*/
uint64_t sddf_raw_u48(const uint8_t *at);

/*@ requires in_memory: \valid_read(at + (0 .. 7));
  @ assigns \nothing;
  @*/
uint64_t sddf_raw_u64(const uint8_t *at);

/* A hint. */
#define __builtin_prefetch(at) ((void)0)

/* memcpy, of bytes. */
#define __builtin_memcpy(to, from, n) sddf_raw_copy(to, from, n)

/*@ requires in_memory: \valid_read(from + (0 .. n - 1));
  @ requires in_memory_to: \valid(to + (0 .. n - 1));
  @ requires apart: \separated(to + (0 .. n - 1), from + (0 .. n - 1));
  @ assigns to[0 .. n - 1];
  @*/
void sddf_raw_copy(uint8_t *to, const uint8_t *from, uint64_t n);

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
