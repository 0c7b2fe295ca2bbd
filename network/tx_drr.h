/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy "drr", deficit-weighted round robin: in each round every client that has something sends
 * bytes in proportion to its weight, whatever sizes its frames have.
 *
 * A turn lasts while the client has credit, so its last frame may take it below zero, by less than
 * a frame; its next turn is that much shorter. As a round's worth is a whole frame at least, one
 * round always makes the credit positive: finding out whose turn it is takes no loop, and over n
 * rounds nobody who has something all the time has sent a whole frame more or less than was due.
 *
 * Who has nothing to send loses its credit, but not its debt. Who is only out for the rest of a
 * pass keeps both, up to a round's worth.
 */
#pragma once

#include <stdint.h>

#include "bits.h"

/* A round's worth for each unit of weight, in bytes. */
#define TX_DRR_QUANTUM NET_FRAME_MAX

/*
 * What an entry costs at least, in bytes, so that a client whose entries are all refused has
 * turns that end.
 */
#define TX_DRR_ENTRY NET_FRAME_MIN

struct tx_drr {
    uint64_t awake;
    uint32_t turn;                     /* whose */
    uint32_t quantum[NET_CLIENTS_MAX]; /* bytes of a round */
    int32_t credit[NET_CLIENTS_MAX];   /* bytes: above -NET_FRAME_MAX, up to twice the quantum */
};

/* No turn, sum or difference below overflows, whatever the frames are. */
/*@ predicate tx_drr_ok(struct tx_drr p) =
  @     p.awake < pow2(NET_CLIENTS_MAX) && p.turn < NET_CLIENTS_MAX &&
  @     (\forall integer i; 0 <= i < NET_CLIENTS_MAX ==>
  @         TX_DRR_QUANTUM <= p.quantum[i] <= TX_DRR_QUANTUM * NET_TX_WEIGHT_MAX &&
  @         -NET_FRAME_MAX < p.credit[i] <= 2 * p.quantum[i]);
  @
  @ // Whoever is awake is one of so many clients.
  @ predicate tx_drr_among(struct tx_drr p, integer n) = p.awake < pow2(n);
  @*/

/* A weight from 1 to NET_TX_WEIGHT_MAX. */
/*@ requires \valid(p) && client < NET_CLIENTS_MAX && 1 <= weight <= NET_TX_WEIGHT_MAX;
  @ assigns p->quantum[client], p->credit[client];
  @ ensures p->quantum[client] == weight * TX_DRR_QUANTUM && p->credit[client] == 0;
  @ ensures \old(tx_drr_ok(*p)) ==> tx_drr_ok(*p);
  @*/
static inline void tx_drr_set_weight(struct tx_drr *p, uint32_t client, uint32_t weight)
{
    p->quantum[client] = weight * TX_DRR_QUANTUM;
    p->credit[client] = 0;
}

/* All have the same weight. */
/*@ requires \valid(p);
  @ assigns *p;
  @ ensures tx_drr_ok(*p) && p->awake == 0;
  @ ensures \forall integer n; 0 <= n <= NET_CLIENTS_MAX ==> tx_drr_among(*p, n);
  @*/
static inline void tx_drr_start(struct tx_drr *p)
{
    p->awake = 0;
    p->turn = 0;
    /*@ loop invariant 0 <= i <= NET_CLIENTS_MAX;
      @ loop invariant \forall integer j; 0 <= j < i ==>
      @     p->quantum[j] == TX_DRR_QUANTUM && p->credit[j] == 0;
      @ loop assigns i, p->quantum[0 .. NET_CLIENTS_MAX - 1], p->credit[0 .. NET_CLIENTS_MAX - 1];
      @ loop variant NET_CLIENTS_MAX - i;
      @*/
    for (uint32_t i = 0; i < NET_CLIENTS_MAX; i++) {
        tx_drr_set_weight(p, i, 1);
    }
}

/*@ requires \valid(p) && tx_drr_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns p->awake;
  @ ensures tx_drr_ok(*p);
  @ ensures among: \forall integer n; client < n <= NET_CLIENTS_MAX &&
  @     \old(tx_drr_among(*p, n)) ==> tx_drr_among(*p, n);
  @*/
static inline void tx_drr_wake(struct tx_drr *p, uint32_t client)
{
    p->awake |= bits_one(client);
}

/* Somebody is awake. */
/*@ requires \valid(p) && tx_drr_ok(*p) && p->awake != 0;
  @ assigns p->turn, p->credit[0 .. NET_CLIENTS_MAX - 1];
  @ ensures tx_drr_ok(*p) && \result == p->turn;
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_drr_among(*p, n)) ==> tx_drr_among(*p, n) && \result < n;
  @ ensures something: p->credit[p->turn] > 0;
  @*/
static inline uint32_t tx_drr_turn(struct tx_drr *p)
{
    if ((p->awake & bits_one(p->turn)) == 0 || p->credit[p->turn] <= 0) {
        p->turn = bits_next(p->awake, p->turn);
        int32_t quantum = (int32_t)p->quantum[p->turn];
        int32_t kept = p->credit[p->turn] < quantum ? p->credit[p->turn] : quantum;
        p->credit[p->turn] = kept + quantum;
    }
    return p->turn;
}

/* Bytes that the one whose turn it is may still send, the last frame's part; above 0. */
/*@ requires \valid_read(p) && tx_drr_ok(*p) && p->credit[p->turn] > 0;
  @ assigns \nothing;
  @ ensures \result == p->credit[p->turn];
  @*/
static inline uint32_t tx_drr_bytes(const struct tx_drr *p)
{
    return (uint32_t)p->credit[p->turn];
}

/*
 * Of the turn, so many entries and bytes (of those that were sent): fewer bytes than it had, or
 * more by less than a frame; and fewer entries than TX_DRR_ENTRY goes into a frame.
 */
/*@ requires \valid(p) && tx_drr_ok(*p) && p->credit[p->turn] > 0;
  @ requires bytes < p->credit[p->turn] + NET_FRAME_MAX;
  @ requires entries * TX_DRR_ENTRY < NET_FRAME_MAX;
  @ assigns p->credit[p->turn];
  @ ensures tx_drr_ok(*p);
  @ ensures paid: p->credit[p->turn] <= \old(p->credit[p->turn]) - bytes;
  @*/
static inline void tx_drr_used(struct tx_drr *p, uint32_t entries, uint32_t bytes)
{
    uint32_t least = entries * TX_DRR_ENTRY;
    p->credit[p->turn] -= (int32_t)(bytes > least ? bytes : least);
}

/* Whoever's turn it is has had it, in this pass. */
/*@ requires \valid(p) && tx_drr_ok(*p);
  @ assigns p->awake;
  @ ensures tx_drr_ok(*p) && p->awake <= \old(p->awake);
  @*/
static inline void tx_drr_rest(struct tx_drr *p)
{
    p->awake &= ~bits_one(p->turn);
}

/* A client that rests has nothing to send, or may not. */
/*@ requires \valid(p) && tx_drr_ok(*p) && client < NET_CLIENTS_MAX;
  @ assigns p->credit[client];
  @ ensures tx_drr_ok(*p);
  @ ensures p->credit[client] == \min(\old(p->credit[client]), 0);
  @*/
static inline void tx_drr_idle(struct tx_drr *p, uint32_t client)
{
    if (p->credit[client] > 0) {
        p->credit[client] = 0;
    }
}
