/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy "signalled": whoever signalled first sends first, all that its queue held when its turn
 * came; then the next one does. What a client's share is then depends on what it asks for and on
 * its queue's size, and on nothing that anybody has to reckon.
 *
 * The clients that wait stand in a circle of places, each of them once.
 */
#pragma once

#include <stdint.h>

#include "bits.h"

#define TX_SIGNALLED_PLACES 64

_Static_assert(NET_CLIENTS_MAX <= TX_SIGNALLED_PLACES, "there is a place for everybody");

struct tx_signalled {
    uint64_t awake; /* who stands in the line */
    uint32_t first; /* place of the one whose turn it is */
    uint32_t count; /* how many stand there */
    uint8_t line[TX_SIGNALLED_PLACES];
};

/*@ predicate tx_signalled_ok(struct tx_signalled p) =
  @     p.first < TX_SIGNALLED_PLACES && p.count <= TX_SIGNALLED_PLACES &&
  @     p.awake < pow2(NET_CLIENTS_MAX) &&
  @     (\forall integer i; 0 <= i < TX_SIGNALLED_PLACES ==> p.line[i] < NET_CLIENTS_MAX);
  @
  @ // Whoever waits is one of so many clients. (A place where nobody ever stood has 0.)
  @ predicate tx_signalled_among(struct tx_signalled p, integer n) =
  @     (p.count > 0 ==> n > 0) &&
  @     \forall integer i; 0 <= i < TX_SIGNALLED_PLACES ==> p.line[i] < n || p.line[i] == 0;
  @*/

/*@ requires \valid(p);
  @ assigns *p;
  @ ensures tx_signalled_ok(*p) && p->count == 0;
  @ ensures \forall integer n; 0 <= n <= NET_CLIENTS_MAX ==> tx_signalled_among(*p, n);
  @*/
static inline void tx_signalled_start(struct tx_signalled *p)
{
    p->awake = 0;
    p->first = 0;
    p->count = 0;
    /*@ loop invariant 0 <= i <= TX_SIGNALLED_PLACES;
      @ loop invariant \forall integer j; 0 <= j < i ==> p->line[j] == 0;
      @ loop assigns i, p->line[0 .. TX_SIGNALLED_PLACES - 1];
      @ loop variant TX_SIGNALLED_PLACES - i;
      @*/
    for (uint32_t i = 0; i < TX_SIGNALLED_PLACES; i++) {
        p->line[i] = 0;
    }
}

/*@ requires \valid(p) && tx_signalled_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns *p;
  @ ensures tx_signalled_ok(*p);
  @ ensures among: \forall integer n; client < n <= NET_CLIENTS_MAX &&
  @     \old(tx_signalled_among(*p, n)) ==> tx_signalled_among(*p, n);
  @*/
static inline void tx_signalled_wake(struct tx_signalled *p, uint32_t client)
{
    /* Who is not there finds a place; the second half only says so. */
    if ((p->awake & bits_one(client)) == 0 && p->count < TX_SIGNALLED_PLACES) {
        p->awake |= bits_one(client);
        p->line[(p->first + p->count) % TX_SIGNALLED_PLACES] = (uint8_t)client;
        p->count++;
    }
}

/* Somebody waits. */
/*@ requires \valid_read(p) && tx_signalled_ok(*p) && p->count > 0;
  @ assigns \nothing;
  @ ensures \result == p->line[p->first] && \result < NET_CLIENTS_MAX;
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX && tx_signalled_among(*p, n) ==>
  @     \result < n;
  @*/
static inline uint32_t tx_signalled_turn(const struct tx_signalled *p)
{
    return p->line[p->first];
}

/* Whoever's turn it is has had it. */
/*@ requires \valid(p) && tx_signalled_ok(*p) && p->count > 0;
  @ assigns p->awake, p->first, p->count;
  @ ensures tx_signalled_ok(*p) && p->count == \old(p->count) - 1;
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_signalled_among(*p, n)) ==> tx_signalled_among(*p, n);
  @*/
static inline void tx_signalled_rest(struct tx_signalled *p)
{
    p->awake &= ~bits_one(p->line[p->first]);
    p->first = (p->first + 1) % TX_SIGNALLED_PLACES;
    p->count--;
}
