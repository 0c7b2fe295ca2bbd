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

static inline void tx_priority_start(struct tx_priority *p)
{
    p->awake = 0;
    p->urgent = 0;
    p->turn = 0;
}

static inline void tx_priority_set_urgent(struct tx_priority *p, uint32_t client)
{
    p->urgent |= bits_one(client);
}

static inline void tx_priority_wake(struct tx_priority *p, uint32_t client)
{
    p->awake |= bits_one(client);
}

/* Somebody is awake. */
static inline uint32_t tx_priority_turn(struct tx_priority *p)
{
    uint64_t first = p->awake & p->urgent;
    p->turn = bits_first(first != 0 ? first : p->awake);
    return p->turn;
}

static inline void tx_priority_rest(struct tx_priority *p)
{
    p->awake &= ~bits_one(p->turn);
}
