/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of clients: a bit for each, which costs one look however many there are. */
#pragma once

#include <stdint.h>

#include "sddf/net.h"

_Static_assert(NET_CLIENTS_MAX <= 64, "a client is a bit");

/*@ requires number < 64;
  @ assigns \nothing;
  @ ensures \result == pow2(number);
  @*/
static inline uint64_t bits_one(uint32_t number)
{
    return UINT64_C(1) << number;
}

/* All below `count`, which is NET_CLIENTS_MAX at most. */
/*@ requires count < 64;
  @ assigns \nothing;
  @ ensures \result == pow2(count) - 1;
  @*/
static inline uint64_t bits_below(uint32_t count)
{
    return bits_one(count) - 1;
}

/* The lowest number in the set, which has one. */
/*@ requires set != 0;
  @ assigns \nothing;
  @ ensures inside: \forall integer n; 0 <= n <= 64 && set < pow2(n) ==> \result < n;
  @ ensures \result < 64 && bits_has(set, \result);
  @*/
static inline uint32_t bits_first(uint64_t set)
{
    return (uint32_t)__builtin_ctzll(set);
}

/* The lowest number above `number`, or else the lowest of all: whose turn is next in a circle. */
/*@ requires set != 0 && number < 64;
  @ assigns \nothing;
  @ ensures inside: \forall integer n; 0 <= n <= 64 && set < pow2(n) ==> \result < n;
  @ ensures \result < 64;
  @*/
static inline uint32_t bits_next(uint64_t set, uint32_t number)
{
    uint64_t behind = set & ~((UINT64_C(2) << number) - 1);
    return bits_first(behind != 0 ? behind : set);
}
