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

static inline void tx_signalled_start(struct tx_signalled *p)
{
    p->awake = 0;
    p->first = 0;
    p->count = 0;
}

static inline void tx_signalled_wake(struct tx_signalled *p, uint32_t client)
{
    if ((p->awake & bits_one(client)) == 0) {
        p->awake |= bits_one(client);
        p->line[(p->first + p->count) % TX_SIGNALLED_PLACES] = (uint8_t)client;
        p->count++;
    }
}

/* Somebody waits. */
static inline uint32_t tx_signalled_turn(const struct tx_signalled *p)
{
    return p->line[p->first];
}

/* Whoever's turn it is has had it. */
static inline void tx_signalled_rest(struct tx_signalled *p)
{
    p->awake &= ~bits_one(p->line[p->first]);
    p->first = (p->first + 1) % TX_SIGNALLED_PLACES;
    p->count--;
}
