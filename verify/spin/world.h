/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protection domains for SPIN: the shipped C of the components runs here, each protection domain as
 * a coroutine that stops before every access to a shared index. SPIN's model is then small: as long
 * as somebody can run, somebody takes one step. Between steps everything that a step may read (the
 * domains' variables, their stacks, the shared memory) is in one block, which SPIN saves and brings
 * back as it searches; of it, it compares a hash of 128 bits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WORLD_PDS = 6, WORLD_STACK = 8192, WORLD_BLOCK = 98304 };

/* ---- for the model ----------------------------------------------------------------------------
 */

extern uint64_t world_hash[2];
extern unsigned char world_block[WORLD_BLOCK];

/* Of this state: bit i: protection domain i has something to do; and the two below. */
extern uint32_t world_flags;
#define WORLD_WRONG     0x8000u
#define WORLD_SERVED(i) (0x10000u << (i))

void world_start(void);
void world_step(unsigned pd); /* up to its next stop */
const char *world_why(void);  /* with WORLD_WRONG: what is wrong */

/* ---- for the protection domains ----------------------------------------------------------------
 */

void world_stop(const char *where);
void world_notify(unsigned channel);
void world_defer(unsigned channel);
void world_fail(const char *why);

/* ---- for the scenarios --------------------------------------------------------------------------
 */

struct world_pd {
    const char *name;
    void (*init)(void);
    void (*notified)(unsigned channel);
    struct {
        unsigned pd, channel; /* whom a notification on this channel reaches, and as what */
    } to[4];
};

/* What a scenario defines. */
extern const struct world_pd scenario_pd[];
extern const unsigned scenario_pds;
/* Before which accesses there are stops: the more, the more orders, and states. */
extern const enum world_stops {
    WORLD_ALL,      /* all */
    WORLD_NO_HEADS, /* to tails and marks, and before notifications */
    WORLD_LOOKS,    /* loads of tails and marks */
} scenario_stops;
void scenario_start(void); /* writes the configurations */
/* When nobody can run: NULL, or what has been lost. */
const char *scenario_settled(void);
bool scenario_served(unsigned client);

/* Memory that a step may read or write: to be named by scenario_start(). */
void world_memory(void *memory, unsigned bytes);

/* How many notifications this protection domain has sent. */
unsigned world_signals(unsigned pd);
