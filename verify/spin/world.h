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

#include <microkit.h>

enum { WORLD_PDS = 6, WORLD_STACK = 8192, WORLD_BLOCK = 20480, WORLD_CHANNELS = 4, WORLD_MRS = 4 };

/* ---- for the model ----------------------------------------------------------------------------
 */

extern uint64_t world_hash[2];
extern unsigned char world_block[WORLD_BLOCK];

/* Of this state: bit i: protection domain i has something to do; and those below. */
extern uint32_t world_flags;
#define WORLD_MORTAL(i) (0x100u << (i)) /* it may die here, and start again */
#define WORLD_WRONG     0x8000u
#define WORLD_SERVED(i) (0x10000u << (i))

void world_start(void);
void world_step(unsigned pd); /* up to its next stop */
void world_restart(unsigned pd);
const char *world_why(void); /* with WORLD_WRONG: what is wrong */

/* ---- for the protection domains (and world_microkit.c: the Microkit's interface) ---------------
 */

void world_stop(const char *where);
void world_stored(const uint32_t *word); /* a shared word has a new value */
void world_fail(const char *why);

/* ---- for devices: protection domains of a scenario's that stand for hardware --------------------
 */

void world_interrupt(unsigned pd, unsigned channel);
/* Whether anybody but this one can do anything. */
bool world_busy(unsigned but);

/* ---- for the scenarios --------------------------------------------------------------------------
 */

struct world_pd {
    const char *name;
    void (*init)(void);
    void (*notified)(unsigned channel);
    struct {
        unsigned pd, channel; /* whom a notification on this channel reaches, and as what */
    } to[WORLD_CHANNELS];
    microkit_msginfo (*protected)(microkit_channel channel, microkit_msginfo call);
    void (*acknowledges)(unsigned channel); /* an interrupt */
    void (*signals)(unsigned channel);      /* hears of each notification that it sends */
    unsigned restarts; /* at any stop it may die and start again, so many times */
    bool device;       /* each wake-up is a step: it may wake itself */
};

/* What a scenario defines. */
extern const struct world_pd scenario_pd[];
extern const unsigned scenario_pds;
/* Before what there are stops: the more, the more orders, and states. */
enum {
    WORLD_LOOKS = 1,   /* loads of tails and marks */
    WORLD_SAYS = 2,    /* stores to them */
    WORLD_HEADS = 4,   /* accesses to heads, which only say that there is room */
    WORLD_SIGNALS = 8, /* notifications */
    WORLD_TIMES = 16,  /* looks at the clock */
    WORLD_ALL = 31,
};
extern const unsigned scenario_stops;
void scenario_start(void); /* writes the configurations */
/* When nobody can run: NULL, or what has been lost. */
const char *scenario_settled(void);
bool scenario_served(unsigned client);
extern uint64_t world_time; /* what sddf_clock_now() says; the scenario's to set */

/* Memory that a step may read or write: to be named by scenario_start(). */
void world_memory(void *memory, unsigned bytes);

/*
 * The protection domain signals on this channel when the tail has passed the mark. From now on each
 * of these signals must come with entries that were published since the one before, and answer a
 * request that no other has answered: more is wrong.
 */
void world_joint(unsigned pd, unsigned channel, const uint32_t *tail, const uint32_t *mark);
