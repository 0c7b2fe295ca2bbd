/* SPDX-License-Identifier: BSD-2-Clause */
/* See world.h. x86-64 only: the switch between coroutines is written for it. */
#include "world.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES = 64 };

struct coroutine {
    void *sp; /* where its registers are, on its stack */
    bool waiting;
    uint64_t pending;  /* notifications that have not been delivered */
    uint64_t deferred; /* 1 + the channel of the deferred one, or 0 */
    unsigned signals;
    unsigned char stack[WORLD_STACK] __attribute__((aligned(64)));
};

static struct coroutine coroutine[WORLD_PDS];
static const char *wrong;
static int current = -1; /* who runs; nobody does between steps */
static bool starting;    /* init runs through, one domain after the other */
static void *scheduler_sp;

static struct {
    unsigned char *memory;
    unsigned bytes;
} range[RANGES];
static unsigned ranges;

uint64_t world_hash[2];
uint32_t world_flags;
unsigned char world_block[WORLD_BLOCK];

/* The variables of all components and stubs: sections of this name, brought together by the linker.
 */
extern unsigned char __start_world_state[], __stop_world_state[];

/* ---- coroutines ------------------------------------------------------------------------------ */

/* Saves the registers that a function must keep, and goes on where those at `to` were saved. */
__attribute__((naked, noinline)) static void switch_to(void **from __attribute__((unused)),
                                                       void *to __attribute__((unused)))
{
    __asm__("push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
            "mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
            "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret");
}

static void back_to_scheduler(void)
{
    switch_to(&coroutine[current].sp, scheduler_sp);
}

static void deliver(unsigned pd, unsigned channel)
{
    const struct world_pd *from = &scenario_pd[pd];
    const unsigned to = from->to[channel].pd;
    coroutine[to].pending |= UINT64_C(1) << from->to[channel].channel;
    coroutine[pd].signals++;
}

static void flush_deferred(struct coroutine *self)
{
    if (self->deferred != 0) {
        deliver((unsigned)current, (unsigned)self->deferred - 1);
        self->deferred = 0;
    }
}

static void run(void)
{
    struct coroutine *self = &coroutine[current];
    const struct world_pd *pd = &scenario_pd[current];
    pd->init();
    for (;;) {
        flush_deferred(self);
        self->waiting = true;
        while (self->pending == 0) {
            back_to_scheduler();
        }
        self->waiting = false;
        uint64_t pending = self->pending;
        self->pending = 0;
        for (; pending != 0; pending &= pending - 1) {
            pd->notified((unsigned)__builtin_ctzll(pending));
        }
    }
}

static bool in(const char *where, const char *const *names)
{
    while (*names != NULL && strstr(where, *names) == NULL) {
        names++;
    }
    return *names != NULL;
}

void world_stop(const char *where)
{
    /* Where it never matters when: attaching, in init, before anybody has been told anything. */
    static const char *const start[] = {"attach", "header", "tally", NULL};
    /* Heads only say that there is room. */
    static const char *const heads[] = {"producer_refresh", "release", NULL};
    /* Loads of what the others say: stores go with the step before. */
    static const char *const looks[] = {"consumer_refresh", "mark_passed", NULL};
    if (current >= 0 && !starting && !in(where, start) &&
        (scenario_stops == WORLD_ALL || !in(where, heads)) &&
        (scenario_stops != WORLD_LOOKS || in(where, looks))) {
        back_to_scheduler();
    }
}

void world_notify(unsigned channel)
{
    world_stop("notify");
    deliver((unsigned)current, channel);
}

void world_defer(unsigned channel)
{
    struct coroutine *self = &coroutine[current];
    if (self->deferred != 0 && self->deferred != channel + 1) {
        flush_deferred(self); /* as libmicrokit does: the slot is taken */
    }
    self->deferred = channel + 1;
}

void world_fail(const char *why)
{
    wrong = wrong == NULL ? why : wrong;
}

unsigned world_signals(unsigned pd)
{
    return coroutine[pd].signals;
}

/* ---- the block that SPIN keeps -----------------------------------------------------------------
 */

void world_memory(void *memory, unsigned bytes)
{
    if (ranges == RANGES) {
        fprintf(stderr, "world: too many ranges of memory\n");
        exit(2);
    }
    range[ranges].memory = memory;
    range[ranges++].bytes = bytes;
}

static uint64_t mix(uint64_t hash, uint64_t word, uint64_t by)
{
    hash = (hash ^ word) * by;
    return hash ^ hash >> 29;
}

static void take_in(unsigned *at, const unsigned char *memory, unsigned bytes)
{
    if (*at + bytes + 8 > WORLD_BLOCK) {
        fprintf(stderr, "world: WORLD_BLOCK is too small\n");
        exit(2);
    }
    memcpy(&world_block[*at], memory, bytes);
    unsigned i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, memory + i, 8);
        world_hash[0] = mix(world_hash[0], word, UINT64_C(0x9e3779b97f4a7c15));
        world_hash[1] = mix(world_hash[1], word, UINT64_C(0xc2b2ae3d27d4eb4f));
    }
    for (; i < bytes; i++) {
        world_hash[0] = mix(world_hash[0], memory[i], UINT64_C(0x9e3779b97f4a7c15));
        world_hash[1] = mix(world_hash[1], memory[i], UINT64_C(0xc2b2ae3d27d4eb4f));
    }
    *at += bytes;
}

/* Of a stack only what is above the stack pointer: below it lies what nobody will read again. */
static unsigned live(const struct coroutine *c)
{
    return (unsigned)(c->stack + WORLD_STACK - (unsigned char *)c->sp);
}

static void keep(void)
{
    unsigned at = 0;
    world_hash[0] = world_hash[1] = 1;
    for (unsigned i = 0; i < ranges; i++) {
        take_in(&at, range[i].memory, range[i].bytes);
    }
    for (unsigned i = 0; i < scenario_pds; i++) {
        take_in(&at, (void *)&coroutine[i], offsetof(struct coroutine, stack));
        take_in(&at, coroutine[i].sp, live(&coroutine[i]));
    }
    take_in(&at, (void *)&wrong, sizeof(wrong));
    world_flags = 0;
    for (unsigned i = 0; i < scenario_pds; i++) {
        world_flags |= !coroutine[i].waiting || coroutine[i].pending != 0 ? UINT32_C(1) << i : 0;
        world_flags |= scenario_served(i) ? WORLD_SERVED(i) : 0;
    }
    const bool quiet = (world_flags & (WORLD_WRONG - 1)) == 0;
    world_flags |= wrong != NULL || (quiet && scenario_settled() != NULL) ? WORLD_WRONG : 0;
}

static void bring_back(void)
{
    unsigned at = 0;
    for (unsigned i = 0; i < ranges; i++) {
        memcpy(range[i].memory, &world_block[at], range[i].bytes);
        at += range[i].bytes;
    }
    for (unsigned i = 0; i < scenario_pds; i++) {
        struct coroutine *c = &coroutine[i];
        memcpy(c, &world_block[at], offsetof(struct coroutine, stack));
        at += offsetof(struct coroutine, stack);
        memcpy(c->sp, &world_block[at], live(c));
        at += live(c);
    }
    memcpy(&wrong, &world_block[at], sizeof(wrong));
}

/* ---- for the model ------------------------------------------------------------------------------
 */

void world_start(void)
{
    world_memory(__start_world_state, (unsigned)(__stop_world_state - __start_world_state));
    scenario_start();
    for (unsigned i = 0; i < scenario_pds; i++) {
        struct coroutine *c = &coroutine[i];
        /* As after a switch in run(): six registers, where to return, and the stack aligned. */
        uint64_t *sp = (uint64_t *)(void *)(c->stack + WORLD_STACK) - 10;
        memset(sp, 0, 80);
        sp[6] = (uintptr_t)run;
        c->sp = sp;
    }
    starting = true;
    for (unsigned i = 0; i < scenario_pds; i++) {
        current = (int)i;
        switch_to(&scheduler_sp, coroutine[i].sp);
    }
    current = -1;
    starting = false;
    keep();
}

void world_step(unsigned pd)
{
    bring_back();
    current = (int)pd;
    switch_to(&scheduler_sp, coroutine[pd].sp);
    current = -1;
    keep();
}

const char *world_why(void)
{
    bring_back();
    return wrong != NULL ? wrong : scenario_settled();
}
