/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy "round_robin": every client that has something sends up to TX_ROUND_ROBIN_ENTRIES frames,
 * then the next one does. A turn that the device cuts short goes on where it stopped, so that a
 * full device does not favour whoever comes first.
 */
#pragma once

#include <stdint.h>

#include "bits.h"

#define TX_ROUND_ROBIN_ENTRIES 8

struct tx_round_robin {
    uint64_t awake; /* who has, or may have, something to send */
    uint32_t turn;  /* whose */
    uint32_t left;  /* entries of that turn */
};

/*@ predicate tx_round_robin_ok(struct tx_round_robin p) =
  @     p.awake < pow2(NET_CLIENTS_MAX) && p.turn < NET_CLIENTS_MAX &&
  @     p.left <= TX_ROUND_ROBIN_ENTRIES;
  @
  @ // Whoever is awake is one of so many clients.
  @ predicate tx_round_robin_among(struct tx_round_robin p, integer n) = p.awake < pow2(n);
  @*/

/*@ requires \valid(p);
  @ assigns *p;
  @ ensures tx_round_robin_ok(*p) && p->awake == 0;
  @ ensures \forall integer n; 0 <= n <= NET_CLIENTS_MAX ==> tx_round_robin_among(*p, n);
  @*/
static inline void tx_round_robin_start(struct tx_round_robin *p)
{
    p->awake = 0;
    p->turn = 0;
    p->left = TX_ROUND_ROBIN_ENTRIES;
}

/*@ requires \valid(p) && tx_round_robin_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns p->awake;
  @ ensures tx_round_robin_ok(*p);
  @ ensures among: \forall integer n; client < n <= NET_CLIENTS_MAX &&
  @     \old(tx_round_robin_among(*p, n)) ==> tx_round_robin_among(*p, n);
  @*/
static inline void tx_round_robin_wake(struct tx_round_robin *p, uint32_t client)
{
    p->awake |= bits_one(client);
}

/* Somebody is awake. */
/*@ requires \valid(p) && tx_round_robin_ok(*p) && p->awake != 0;
  @ assigns p->turn, p->left;
  @ ensures tx_round_robin_ok(*p) && p->left > 0 && \result == p->turn;
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_round_robin_among(*p, n)) ==> tx_round_robin_among(*p, n) && \result < n;
  @ ensures goes_on: \old(p->left) > 0 && (p->awake & pow2(\old(p->turn))) != 0 ==>
  @     p->turn == \old(p->turn) && p->left == \old(p->left);
  @*/
static inline uint32_t tx_round_robin_turn(struct tx_round_robin *p)
{
    if (p->left == 0 || (p->awake & bits_one(p->turn)) == 0) {
        p->turn = bits_next(p->awake, p->turn);
        p->left = TX_ROUND_ROBIN_ENTRIES;
    }
    return p->turn;
}

/* Of the turn, which had so many. */
/*@ requires \valid(p) && tx_round_robin_ok(*p) && entries <= p->left;
  @ assigns p->left;
  @ ensures tx_round_robin_ok(*p) && p->left == \old(p->left) - entries;
  @*/
static inline void tx_round_robin_used(struct tx_round_robin *p, uint32_t entries)
{
    p->left -= entries;
}

/*@ requires \valid(p) && tx_round_robin_ok(*p);
  @ assigns p->awake;
  @ ensures tx_round_robin_ok(*p) && p->awake <= \old(p->awake);
  @*/
static inline void tx_round_robin_rest(struct tx_round_robin *p)
{
    p->awake &= ~bits_one(p->turn);
}
