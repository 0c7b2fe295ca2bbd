/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser's policy: whose turn it is. The virtualiser wakes a client in the policy when
 * it may have something to send, asks for the next turn, says what it took, and lets the client
 * rest when that has sent all that it had when the pass began. At the end of a pass a client that
 * rests is woken again, or idle: then it has nothing to send, or may not.
 *
 * Each policy is a file of its own; the configuration chooses one. Whatever it is, a client's limit
 * (tx_limit.h) holds besides.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#include "tx_drr.h"
#include "tx_priority.h"
#include "tx_round_robin.h"
#include "tx_signalled.h"

/* Entries that are taken in one go at most: a burst, whose headers are fetched together. */
#define TX_POLICY_BURST 8

/* A turn, or a part of one. */
struct tx_turn {
    uint32_t client;
    uint32_t entries; /* 1 to TX_POLICY_BURST */
    uint32_t bytes;   /* above 0; frames may be taken until they are that many, or more by a part */
};

struct tx_policy {
    uint32_t kind; /* enum net_tx_policy */
    struct tx_signalled signalled;
    struct tx_round_robin round_robin;
    struct tx_priority priority;
    struct tx_drr drr;
};

_Static_assert(TX_ROUND_ROBIN_ENTRIES <= TX_POLICY_BURST, "what is left of a turn is a burst");
_Static_assert(TX_POLICY_BURST *TX_DRR_ENTRY < NET_FRAME_MAX, "a debt is less than a frame");

/*@ predicate tx_policy_ok(struct tx_policy p) =
  @     tx_signalled_ok(p.signalled) && tx_round_robin_ok(p.round_robin) &&
  @     tx_priority_ok(p.priority) && tx_drr_ok(p.drr);
  @
  @ // Whoever is awake is one of so many clients.
  @ predicate tx_policy_among(struct tx_policy p, integer n) =
  @     tx_signalled_among(p.signalled, n) && tx_round_robin_among(p.round_robin, n) &&
  @     tx_priority_among(p.priority, n) && tx_drr_among(p.drr, n);
  @
  @ // It is somebody's turn, of which so many entries and bytes may be used.
  @ predicate tx_policy_permits(struct tx_policy p, integer entries, integer bytes) =
  @     (p.kind == NET_TX_SIGNALLED ==> p.signalled.count > 0) &&
  @     (p.kind == NET_TX_ROUND_ROBIN ==> entries <= p.round_robin.left) &&
  @     (p.kind == NET_TX_DRR ==> p.drr.credit[p.drr.turn] > 0 &&
  @         entries * TX_DRR_ENTRY < NET_FRAME_MAX &&
  @         bytes < p.drr.credit[p.drr.turn] + NET_FRAME_MAX);
  @*/

/* False if there is no such policy. */
/*@ requires \valid(policy);
  @ assigns *policy;
  @ ensures tx_policy_ok(*policy);
  @ ensures \forall integer n; 0 <= n <= NET_CLIENTS_MAX ==> tx_policy_among(*policy, n);
  @ ensures \result ==> NET_TX_ROUND_ROBIN <= policy->kind <= NET_TX_DRR;
  @*/
static inline bool tx_policy_start(struct tx_policy *policy, uint32_t kind)
{
    policy->kind = kind;
    tx_signalled_start(&policy->signalled);
    tx_round_robin_start(&policy->round_robin);
    tx_priority_start(&policy->priority);
    tx_drr_start(&policy->drr);
    return kind == NET_TX_ROUND_ROBIN || kind == NET_TX_SIGNALLED || kind == NET_TX_PRIORITY ||
           kind == NET_TX_DRR;
}

/* Once for each client, before it is woken. */
/*@ requires \valid(policy) && tx_policy_ok(*policy);
  @ requires client < NET_CLIENTS_MAX && 1 <= weight <= NET_TX_WEIGHT_MAX;
  @ assigns policy->drr, policy->priority;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n);
  @*/
static inline void tx_policy_add(struct tx_policy *policy, uint32_t client, uint32_t weight,
                                 bool urgent)
{
    tx_drr_set_weight(&policy->drr, client, weight);
    if (urgent) {
        tx_priority_set_urgent(&policy->priority, client);
    }
}

/*@ requires \valid(policy) && tx_policy_ok(*policy) && client < NET_CLIENTS_MAX;
  @ assigns policy->signalled, policy->round_robin, policy->priority, policy->drr;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; client < n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n);
  @*/
static inline void tx_policy_wake(struct tx_policy *policy, uint32_t client)
{
    switch (policy->kind) {
    case NET_TX_SIGNALLED:
        tx_signalled_wake(&policy->signalled, client);
        break;
    case NET_TX_PRIORITY:
        tx_priority_wake(&policy->priority, client);
        break;
    case NET_TX_DRR:
        tx_drr_wake(&policy->drr, client);
        break;
    default:
        tx_round_robin_wake(&policy->round_robin, client);
    }
}

/* Who may send how much now. False: nobody is awake. */
/*@ requires \valid(policy) && tx_policy_ok(*policy) && \valid(turn) && \separated(policy, turn);
  @ assigns *turn, policy->signalled, policy->round_robin, policy->priority, policy->drr;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n) &&
  @     (\result ==> turn->client < n);
  @ ensures somebody: \result ==> turn->client < NET_CLIENTS_MAX &&
  @     1 <= turn->entries <= TX_POLICY_BURST && turn->bytes >= 1;
  @ ensures something: \result ==> \forall integer entries, bytes;
  @     entries <= turn->entries ==> bytes < turn->bytes + NET_FRAME_MAX ==>
  @     tx_policy_permits(*policy, entries, bytes);
  @*/
static inline bool tx_policy_next(struct tx_policy *policy, struct tx_turn *turn)
{
    turn->entries = TX_POLICY_BURST;
    turn->bytes = UINT32_MAX;
    switch (policy->kind) {
    case NET_TX_SIGNALLED:
        if (policy->signalled.count == 0) {
            return false;
        }
        turn->client = tx_signalled_turn(&policy->signalled);
        return true;
    case NET_TX_PRIORITY:
        if (policy->priority.awake == 0) {
            return false;
        }
        turn->client = tx_priority_turn(&policy->priority);
        return true;
    case NET_TX_DRR:
        if (policy->drr.awake == 0) {
            return false;
        }
        turn->client = tx_drr_turn(&policy->drr);
        turn->bytes = tx_drr_bytes(&policy->drr);
        return true;
    default:
        if (policy->round_robin.awake == 0) {
            return false;
        }
        turn->client = tx_round_robin_turn(&policy->round_robin);
        turn->entries = policy->round_robin.left;
        return true;
    }
}

/* The client whose turn it is has used so much of it. */
/*@ requires \valid(policy) && tx_policy_ok(*policy) && tx_policy_permits(*policy, entries, bytes);
  @ assigns policy->round_robin, policy->drr;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n);
  @*/
static inline void tx_policy_used(struct tx_policy *policy, uint32_t entries, uint32_t bytes)
{
    if (policy->kind == NET_TX_ROUND_ROBIN) {
        tx_round_robin_used(&policy->round_robin, entries);
    } else if (policy->kind == NET_TX_DRR) {
        tx_drr_used(&policy->drr, entries, bytes);
    }
}

/* The client whose turn it is rests. */
/*@ requires \valid(policy) && tx_policy_ok(*policy);
  @ requires policy->kind == NET_TX_SIGNALLED ==> policy->signalled.count > 0;
  @ assigns policy->signalled, policy->round_robin, policy->priority, policy->drr;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n);
  @*/
static inline void tx_policy_rest(struct tx_policy *policy)
{
    switch (policy->kind) {
    case NET_TX_SIGNALLED:
        tx_signalled_rest(&policy->signalled);
        break;
    case NET_TX_PRIORITY:
        tx_priority_rest(&policy->priority);
        break;
    case NET_TX_DRR:
        tx_drr_rest(&policy->drr);
        break;
    default:
        tx_round_robin_rest(&policy->round_robin);
    }
}

/* A client that rests is idle. */
/*@ requires \valid(policy) && tx_policy_ok(*policy) && client < NET_CLIENTS_MAX;
  @ assigns policy->drr;
  @ ensures tx_policy_ok(*policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(*policy, n)) ==> tx_policy_among(*policy, n);
  @*/
static inline void tx_policy_idle(struct tx_policy *policy, uint32_t client)
{
    if (policy->kind == NET_TX_DRR) {
        tx_drr_idle(&policy->drr, client);
    }
}
