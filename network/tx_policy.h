/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser's policy: whose turn it is. The virtualiser wakes a client in the policy when
 * it may have something to send, asks for the next turn, says how many entries it took, and lets
 * the client rest when it has nothing more (in this pass).
 *
 * Round robin: every client that has something sends up to TX_POLICY_QUANTUM entries, then the
 * next one does. A turn that the device cuts short goes on where it stopped, so that a full device
 * does not favour whoever comes first.
 */
#pragma once

#include <stdint.h>

#include "sddf/net.h"

#define TX_POLICY_QUANTUM 8
#define TX_POLICY_NOBODY  UINT32_MAX

_Static_assert(NET_CLIENTS_MAX <= 64, "a client is a bit");

struct tx_policy {
    uint64_t awake; /* bit per client: has, or may have, something to send */
    uint32_t turn;  /* whose */
    uint32_t left;  /* entries of that turn */
};

static inline void tx_policy_start(struct tx_policy *policy)
{
    *policy = (struct tx_policy){.left = TX_POLICY_QUANTUM};
}

static inline void tx_policy_wake(struct tx_policy *policy, uint32_t client)
{
    policy->awake |= UINT64_C(1) << client;
}

static inline void tx_policy_rest(struct tx_policy *policy, uint32_t client)
{
    policy->awake &= ~(UINT64_C(1) << client);
}

/* Who may send how many entries now, or TX_POLICY_NOBODY. */
static inline uint32_t tx_policy_next(struct tx_policy *policy, uint32_t *quantum)
{
    if (policy->awake == 0) {
        return TX_POLICY_NOBODY;
    }
    if (policy->left == 0 || (policy->awake >> policy->turn & 1) == 0) {
        /* The next one awake behind the last, or else the first. */
        uint64_t behind = policy->awake & ~((UINT64_C(2) << policy->turn) - 1);
        policy->turn = (uint32_t)__builtin_ctzll(behind != 0 ? behind : policy->awake);
        policy->left = TX_POLICY_QUANTUM;
    }
    *quantum = policy->left;
    return policy->turn;
}

/* The client whose turn it is has used so much of it. */
static inline void tx_policy_used(struct tx_policy *policy, uint32_t entries)
{
    policy->left -= entries;
}
