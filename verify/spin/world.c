/* SPDX-License-Identifier: BSD-2-Clause */
/* See world.h. x86-64 only: the switch between coroutines is written for it. */
#include "world.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sddf/clock.h"

enum { RANGES = 64, JOINTS = 16, CREDIT = 2 };

struct coroutine {
    void *sp; /* where its registers are, on its stack */
    bool waiting;
    uint8_t restarts;  /* that it may still have */
    uint8_t calls;     /* 1 + the channel on which it waits for an answer, or 0 */
    uint8_t turn;      /* among those that call the same: 1 is next, 0 is being served */
    uint64_t pending;  /* notifications that have not been delivered */
    uint64_t deferred; /* 1 + the channel of the deferred one, or 0 */
    microkit_msginfo message;
    seL4_Word mr[WORLD_MRS];
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

/* Of each joint two numbers are state: requests that may still be answered, and the tail before. */
static struct {
    unsigned pd, channel;
    const uint32_t *tail, *mark;
} joint[JOINTS];
static unsigned joints;
static struct joint_state {
    uint32_t asked;
    uint32_t tail; /* at the last signal */
} joint_state[JOINTS];

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

/* A signal that nobody asked for, or with nothing new, would be one too many. */
static void joint_signalled(unsigned pd, unsigned channel)
{
    for (unsigned i = 0; i < joints; i++) {
        if (joint[i].pd == pd && joint[i].channel == channel) {
            struct joint_state *state = &joint_state[i];
            if (state->asked == 0) {
                world_fail("a signal answers no request");
            } else if (state->tail == *joint[i].tail) {
                world_fail("a signal comes with nothing new");
            } else {
                state->asked--;
            }
            state->tail = *joint[i].tail;
        }
    }
}

/*
 * Who stores its mark asks. It may ask again while the answer to the request before is on its way;
 * then the newest one counts, so more than two are never open.
 */
void world_stored(const uint32_t *word)
{
    for (unsigned i = 0; i < joints; i++) {
        if (joint[i].mark == word && joint_state[i].asked < CREDIT) {
            joint_state[i].asked++;
        }
    }
}

void world_joint(unsigned pd, unsigned channel, const uint32_t *tail, const uint32_t *mark)
{
    if (joints == JOINTS) {
        fprintf(stderr, "world: too many joints\n");
        exit(2);
    }
    joint[joints].pd = pd;
    joint[joints].channel = channel;
    joint[joints].tail = tail;
    joint[joints].mark = mark;
    joint_state[joints++] = (struct joint_state){.asked = 1}; /* a mark of 0, as memory has it */
}

static void deliver(unsigned pd, unsigned channel)
{
    const struct world_pd *from = &scenario_pd[pd];
    const unsigned to = from->to[channel].pd;
    coroutine[to].pending |= UINT64_C(1) << from->to[channel].channel;
    joint_signalled(pd, channel);
    if (from->signals != NULL) {
        from->signals(channel);
    }
}

static unsigned callee_of(unsigned pd)
{
    return scenario_pd[pd].to[coroutine[pd].calls - 1].pd;
}

/* Who waits for this one to answer, and is next; or -1. */
static int caller_of(unsigned pd)
{
    for (unsigned i = 0; i < scenario_pds; i++) {
        if (coroutine[i].calls != 0 && coroutine[i].turn == 1 && callee_of(i) == pd) {
            return (int)i;
        }
    }
    return -1;
}

static void answer(unsigned caller)
{
    struct coroutine *self = &coroutine[current], *from = &coroutine[caller];
    const microkit_channel channel = scenario_pd[caller].to[from->calls - 1].channel;
    for (unsigned i = 0; i < scenario_pds; i++) {
        if (coroutine[i].calls != 0 && callee_of(i) == (unsigned)current) {
            coroutine[i].turn--; /* of this one to 0 */
        }
    }
    memcpy(self->mr, from->mr, sizeof(self->mr));
    const microkit_msginfo said = scenario_pd[current].protected(channel, from->message);
    if (from->calls != 0 && from->turn == 0) { /* it has not died meanwhile */
        memcpy(from->mr, self->mr, sizeof(from->mr));
        from->message = said;
        from->calls = 0;
    }
}

static void notifications(uint64_t pending)
{
    for (; pending != 0; pending &= pending - 1) {
        scenario_pd[current].notified((unsigned)__builtin_ctzll(pending));
    }
}

static void run(void)
{
    struct coroutine *self = &coroutine[current];
    scenario_pd[current].init();
    for (;;) {
        if (self->deferred != 0) {
            const unsigned channel = (unsigned)self->deferred - 1;
            self->deferred = 0;
            deliver((unsigned)current, channel);
        }
        self->waiting = true;
        if (scenario_pd[current].device) {
            back_to_scheduler();
        }
        while (self->pending == 0 && caller_of((unsigned)current) < 0) {
            back_to_scheduler();
        }
        self->waiting = false;
        const uint64_t pending = self->pending;
        self->pending = 0;
        if (pending != 0) { /* the kernel looks at the notification first */
            notifications(pending);
        } else {
            answer((unsigned)caller_of((unsigned)current));
        }
    }
}

static bool can_run(unsigned pd)
{
    const struct coroutine *c = &coroutine[pd];
    return c->calls == 0 && (!c->waiting || c->pending != 0 || caller_of(pd) >= 0);
}

static bool in(const char *where, const char *const *names)
{
    while (*names != NULL && strstr(where, *names) == NULL) {
        names++;
    }
    return *names != NULL;
}

bool world_busy(unsigned but)
{
    bool busy = false;
    for (unsigned i = 0; i < scenario_pds; i++) {
        busy = busy || (i != but && can_run(i));
    }
    return busy;
}

void world_interrupt(unsigned pd, unsigned channel)
{
    coroutine[pd].pending |= UINT64_C(1) << channel;
}

/* What kind of stop this is; 0: where it never matters when. */
static unsigned kind_of(const char *where)
{
    /* Attaching, in init, before anybody has been told anything; and what nobody reads. */
    static const char *const start[] = {"attach", "header", "tally", NULL};
    static const char *const heads[] = {"producer_refresh", "release", NULL};
    static const char *const looks[] = {"consumer_refresh", "mark_passed", NULL};
    static const char *const signals[] = {"notify", NULL};
    static const char *const times[] = {"clock", "device", NULL};
    return in(where, start) && scenario_pd[current].restarts == 0 ? 0
           : in(where, heads)                                     ? WORLD_HEADS
           : in(where, looks)                                     ? WORLD_LOOKS
           : in(where, signals)                                   ? WORLD_SIGNALS
           : in(where, times)                                     ? WORLD_TIMES
                                                                  : WORLD_SAYS;
}

void world_stop(const char *where)
{
    if (current >= 0 && !starting && (scenario_stops & kind_of(where)) != 0) {
        back_to_scheduler();
    }
}

void world_fail(const char *why)
{
    wrong = wrong == NULL ? why : wrong;
}

/* ---- the Microkit ---------------------------------------------------------------------------- */

uint64_t world_time __attribute__((section("world_state")));

uint64_t sddf_clock_now(void)
{
    world_stop(__func__);
    return world_time;
}

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "a component";

void microkit_notify(microkit_channel channel)
{
    world_stop(__func__);
    deliver((unsigned)current, channel);
}

void microkit_deferred_notify(microkit_channel channel)
{
    coroutine[current].deferred = channel + 1; /* another that was there before is lost */
}

void microkit_irq_ack(microkit_channel channel)
{
    if (scenario_pd[current].acknowledges != NULL) {
        scenario_pd[current].acknowledges(channel);
    }
}

microkit_msginfo microkit_ppcall(microkit_channel channel, microkit_msginfo call)
{
    struct coroutine *self = &coroutine[current];
    uint8_t turn = 1;
    for (unsigned i = 0; i < scenario_pds; i++) {
        turn += coroutine[i].calls != 0 && coroutine[i].turn != 0 &&
                callee_of(i) == scenario_pd[current].to[channel].pd;
    }
    self->message = call;
    self->turn = turn;
    self->calls = (uint8_t)(channel + 1);
    while (self->calls != 0) {
        back_to_scheduler();
    }
    return self->message;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    coroutine[current].mr[mr % WORLD_MRS] = value;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return coroutine[current].mr[mr % WORLD_MRS];
}

void microkit_dbg_puts(const char *text)
{
    world_fail(text);
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
    take_in(&at, (void *)joint_state, joints * (unsigned)sizeof(joint_state[0]));
    take_in(&at, (void *)&wrong, sizeof(wrong));
    world_flags = 0;
    bool quiet = true;
    for (unsigned i = 0; i < scenario_pds; i++) {
        quiet = quiet && !can_run(i);
        world_flags |= can_run(i) ? UINT32_C(1) << i : 0;
        world_flags |= coroutine[i].restarts != 0 ? WORLD_MORTAL(i) : 0;
        world_flags |= scenario_served(i) ? WORLD_SERVED(i) : 0;
    }
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
    memcpy(joint_state, &world_block[at], joints * sizeof(joint_state[0]));
    at += joints * (unsigned)sizeof(joint_state[0]);
    memcpy(&wrong, &world_block[at], sizeof(wrong));
}

/* ---- for the model ------------------------------------------------------------------------------
 */

/* At its entry point, with an empty stack. What it was signalled stays. */
static void enter(unsigned pd)
{
    struct coroutine *c = &coroutine[pd];
    /* As after a switch in run(): six registers, where to return, and the stack aligned. */
    uint64_t *sp = (uint64_t *)(void *)(c->stack + WORLD_STACK) - 10;
    memset(sp, 0, 80);
    sp[6] = (uintptr_t)run;
    c->sp = sp;
    c->waiting = false;
    c->calls = 0;
    c->deferred = 0;
}

void world_start(void)
{
    world_memory(__start_world_state, (unsigned)(__stop_world_state - __start_world_state));
    scenario_start();
    starting = true;
    for (unsigned i = 0; i < scenario_pds; i++) {
        coroutine[i].restarts = (uint8_t)scenario_pd[i].restarts;
        enter(i);
        current = (int)i;
        if (scenario_pd[i].restarts == 0) { /* who may die may do so in init */
            switch_to(&scheduler_sp, coroutine[i].sp);
        }
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

void world_restart(unsigned pd)
{
    bring_back();
    const struct coroutine *dead = &coroutine[pd];
    for (unsigned i = 0; i < scenario_pds; i++) {
        const bool behind = i != pd && dead->calls != 0 && coroutine[i].calls != 0 &&
                            callee_of(i) == callee_of(pd) && coroutine[i].turn > dead->turn;
        coroutine[i].turn -= behind && dead->turn != 0;
    }
    coroutine[pd].restarts--;
    enter(pd);
    for (unsigned i = 0; i < joints; i++) {
        /* It does not know what it has said of what it published, so it may say it once more. */
        if (joint[i].pd == pd) {
            joint_state[i] = (struct joint_state){joint_state[i].asked + 1, *joint[i].tail - 1};
        }
    }
    keep();
}

const char *world_why(void)
{
    bring_back();
    return wrong != NULL ? wrong : scenario_settled();
}
