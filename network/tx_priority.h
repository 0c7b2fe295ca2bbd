/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy "priority": as long as a client has something to send, nobody behind it in the table
 * sends. Before all of them come those that the configuration calls urgent: the ARP component,
 * whose few answers everybody's traffic depends on.
 *
 * Who comes later may starve: that is what a priority says. A limit on those in front is the cure.
 */
#pragma once

#include <stdint.h>

#include "bits.h"

struct tx_priority {
    uint64_t awake;
    uint64_t urgent;
    uint32_t turn;
};

/*@ predicate tx_priority_ok(struct tx_priority p) =
  @     p.awake < pow2(NET_CLIENTS_MAX) && p.urgent < pow2(NET_CLIENTS_MAX) &&
  @     p.turn < NET_CLIENTS_MAX;
  @
  @ // Whoever is awake is one of so many clients.
  @ predicate tx_priority_among(struct tx_priority p, integer n) = p.awake < pow2(n);
  @*/

/*@ requires \valid(p);
  @ assigns *p;
  @ ensures tx_priority_ok(*p) && p->awake == 0;
  @ ensures \forall integer n; 0 <= n <= NET_CLIENTS_MAX ==> tx_priority_among(*p, n);
  @*/
static inline void tx_priority_start(struct tx_priority *p)
{
    p->awake = 0;
    p->urgent = 0;
    p->turn = 0;
}

/*@ requires \valid(p) && tx_priority_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns p->urgent;
  @ ensures tx_priority_ok(*p);
  @*/
static inline void tx_priority_set_urgent(struct tx_priority *p, uint32_t client)
{
    p->urgent |= bits_one(client);
}

/*@ requires \valid(p) && tx_priority_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns p->awake;
  @ ensures tx_priority_ok(*p);
  @ ensures among: \forall integer n; client < n <= NET_CLIENTS_MAX &&
  @     \old(tx_priority_among(*p, n)) ==> tx_priority_among(*p, n);
  @*/
static inline void tx_priority_wake(struct tx_priority *p, uint32_t client)
{
    p->awake |= bits_one(client);
}

/* Somebody is awake. */
/*@ requires \valid(p) && tx_priority_ok(*p) && p->awake != 0;
  @ assigns p->turn;
  @ ensures tx_priority_ok(*p) && \result == p->turn;
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_priority_among(*p, n)) ==> tx_priority_among(*p, n) && \result < n;
  @*/
static inline uint32_t tx_priority_turn(struct tx_priority *p)
{
    uint64_t first = p->awake & p->urgent;
    p->turn = bits_first(first != 0 ? first : p->awake);
    return p->turn;
}

/*@ requires \valid(p) && tx_priority_ok(*p);
  @ assigns p->awake;
  @ ensures tx_priority_ok(*p) && p->awake <= \old(p->awake);
  @*/
static inline void tx_priority_rest(struct tx_priority *p)
{
    p->awake &= ~bits_one(p->turn);
}
