/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Budgets, and turns among PDs of one priority. Linux has neither for real-time processes: its
 * CPU-time timers come with the tick, its round robin has one slice for all. So each CPU that has
 * such a PD has a keeper, a thread of the loader that is bound to it and stands above everything.
 * While it runs none of that CPU's PDs does, so what their CPU clocks say is exact; it looks, acts,
 * and sleeps until the next moment at which a PD could have used up what it has.
 *
 * A PD over its budget gets a signal: it is traced, so it stops without having run another
 * instruction, and the tracer (tracer.c) leaves it there until the keeper says that its next
 * period has begun. A period begins when its PD first uses the CPU after the last one ended, and
 * what a PD had too much is taken from its next period.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define NEVER UINT64_MAX
/* ns that a keeper sleeps at least: what a PD may use too much, against what its CPU loses to looks
 * at one that has almost used its budget up, and sleeps. */
#define SHORTEST     UINT64_C(60000)
#define LEAST_PERIOD UINT64_C(100000)  /* ns; shorter ones are kept several at a time */
#define LONGEST_TURN UINT64_C(8000000) /* ns between looks at those of whom only one runs */

struct linux_keeper {
    struct linux_loader *loader;
    pthread_t thread;
    int cpu;
    uint64_t latest; /* ns that it was woken too late, at most: the machine's doing */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the keeper -------------------------------------------------------------------------------*/

static void tell(int eventfd)
{
    uint64_t one = 1;
    if (write(eventfd, &one, sizeof one) < 0)
        return; /* full: it has been told */
}

static void begin_period(struct linux_loader *loader, struct linux_budget *budget, uint64_t now,
                         uint64_t used)
{
    uint64_t spent = used - budget->used_at;
    /* One that keeps busy has its periods end to end. */
    budget->window = spent == 0 ? now : now - (now - budget->window) % budget->period;
    budget->used_at = used - (spent > budget->budget ? spent - budget->budget : 0);
    budget->hungry = sddf_load_relaxed_u32(&budget->over) != 0;
    if (budget->hungry) {
        sddf_store_release_u32(&budget->over, 0);
        tell(loader->replenished);
    }
}

/* Returns when to look next. */
static uint64_t keep_budget(struct linux_loader *loader, struct linux_pd *pd, uint64_t now,
                            uint64_t used)
{
    struct linux_budget *budget = &pd->budget;
    if (now - budget->window >= budget->period)
        begin_period(loader, budget, now, used);
    else if (used == budget->used_at && !budget->hungry)
        budget->window = now;
    uint64_t spent = used - budget->used_at;
    uint64_t end = budget->window + budget->period;
    if (spent < budget->budget)
        return smaller(now + budget->budget - spent, end);
    if (sddf_load_relaxed_u32(&budget->over) == 0) {
        /* Before the signal: the tracer looks at it when the PD has stopped. */
        sddf_store_release_u32(&budget->over, 1);
        syscall(SYS_pidfd_send_signal, budget->pidfd, LINUX_BUDGET_SIGNAL, NULL, 0);
    }
    return end;
}

/*
 * To the end of the queue of its priority: that is where a process comes whose priority is raised.
 * Nothing runs here between the two calls but this thread.
 */
static void next_turn(const struct linux_pd *pd)
{
    sched_setparam(pd->pid, &(struct sched_param){.sched_priority = pd->rt_priority - 1});
    sched_setparam(pd->pid, &(struct sched_param){.sched_priority = pd->rt_priority});
}

/* PDs that share a priority, of which `first` is one. Returns when to look next. */
static uint64_t keep_turns(struct linux_loader *loader, struct linux_pd *first, uint64_t now,
                           const uint64_t *used)
{
    struct linux_budget *leader = &first->budget;
    if (now < leader->look)
        return leader->look;
    bool others = false; /* has one run that did not have to give way last time? */
    uint64_t left = LONGEST_TURN, busy = 0;
    const struct linux_pd *gave_way = NULL;
    for (size_t i = first->index; i < loader->system->pd_count; i++) {
        struct linux_budget *budget = &loader->pds[i].budget;
        if (budget->first != first || used[i] == NEVER)
            continue;
        others |= used[i] != budget->seen && leader->gave_way != &loader->pds[i];
        busy += used[i] - budget->seen;
        budget->seen = used[i];
        if (used[i] - budget->turn_at >= budget->budget) {
            next_turn(&loader->pds[i]);
            budget->turn_at = used[i];
            gave_way = &loader->pds[i];
        }
        left = smaller(left, budget->budget - (used[i] - budget->turn_at));
    }
    /*
     * If the one that gave way was the one that ran on, it is alone (or nobody ran) and needs no
     * turns; whoever joins then waits a little longer for its first. The same if all of them
     * together used less than half of the CPU since the last look: they sleep in between, so they
     * make room for each other anyway, and looking costs more than it could mend.
     */
    bool crowded = 2 * busy >= now - leader->looked;
    leader->looked = now;
    leader->interval = others && crowded ? 0 : smaller(2 * leader->interval + left, LONGEST_TURN);
    if (gave_way != NULL || others)
        leader->gave_way = gave_way;
    leader->look = now + (left > leader->interval ? left : leader->interval);
    return leader->look;
}

/* CPU time so far; NEVER if it has ended. */
static uint64_t used_by(const struct linux_pd *pd)
{
    struct timespec used;
    if (pd->reaped || clock_gettime(pd->budget.clock, &used) != 0)
        return NEVER;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* Is it time to look at this one? Each look is a system call, and there are many PDs. */
static bool due(const struct linux_keeper *keeper, const struct linux_pd *pd, uint64_t now)
{
    const struct linux_budget *budget = &pd->budget;
    return pd->cpu == keeper->cpu && ((budget->limited && now >= budget->due) ||
                                      (budget->first != NULL && now >= budget->first->budget.look));
}

static uint64_t look(struct linux_keeper *keeper)
{
    struct linux_loader *loader = keeper->loader;
    uint64_t used[MK_PDS], now = linux_now_ns(), next = NEVER;
    pthread_mutex_lock(&loader->reaping);
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        used[i] = due(keeper, pd, now) ? used_by(pd) : NEVER;
        if (pd->cpu != keeper->cpu || !pd->budget.limited || pd->reaped)
            continue;
        if (used[i] != NEVER && now >= pd->budget.due)
            pd->budget.due = keep_budget(loader, pd, now, used[i]);
        next = smaller(next, pd->budget.due);
    }
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (loader->pds[i].budget.first == &loader->pds[i] && loader->pds[i].cpu == keeper->cpu)
            next = smaller(next, keep_turns(loader, &loader->pds[i], now, used));
    pthread_mutex_unlock(&loader->reaping);
    return next;
}

static void *keep(void *argument)
{
    struct linux_keeper *keeper = argument;
    struct pollfd end = {.fd = keeper->loader->keepers_end, .events = POLLIN};
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* (real-time threads have none) */
    do {
        uint64_t next = look(keeper), now = linux_now_ns();
        uint64_t rest = next > now + SHORTEST ? next - now : SHORTEST;
        struct timespec timeout = {(time_t)(rest / 1000000000), (long)(rest % 1000000000)};
        ppoll(&end, 1, next == NEVER ? NULL : &timeout, NULL);
        uint64_t slept = linux_now_ns() - now;
        if (next != NEVER && slept > rest + keeper->latest)
            keeper->latest = slept - rest;
    } while ((end.revents & POLLIN) == 0);
    return NULL;
}

/* ---- the tracer -------------------------------------------------------------------------------*/

bool linux_budget_pause(struct linux_pd *pd)
{
    pd->budget.paused = sddf_load_acquire_u32(&pd->budget.over) != 0;
    return pd->budget.paused;
}

bool linux_budget_paused(const struct linux_pd *pd)
{
    return pd->budget.paused && pd->state == LINUX_PD_RUNNING;
}

void linux_budget_resume(struct linux_loader *loader)
{
    uint64_t count;
    if (read(loader->replenished, &count, sizeof count) < 0)
        return;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (linux_budget_paused(&loader->pds[i]))
            linux_continue(&loader->pds[i]);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static bool plan(struct linux_loader *loader, struct linux_pd *pd)
{
    struct linux_budget *budget = &pd->budget;
    uint64_t period = pd->system->period * 1000;
    uint64_t together = period < LEAST_PERIOD ? (LEAST_PERIOD + period - 1) / period : 1;
    budget->budget = together * pd->system->budget * 1000;
    budget->period = together * period;
    /* One that it cannot stop, or whose stopping others would see, has none. */
    budget->limited = budget->budget < budget->period && !linux_debug_aloof(pd);
    for (size_t i = 0; i < loader->system->pd_count && loader->realtime; i++) {
        const struct linux_pd *other = &loader->pds[i];
        if (other == pd || other->cpu != pd->cpu || other->rt_priority != pd->rt_priority)
            continue;
        budget->first = other->index < pd->index ? other->budget.first : pd;
        break;
    }
    if (clock_getcpuclockid(pd->pid, &budget->clock) != 0) {
        linux_complain("%s: has no clock of its processor time", pd->system->name);
        return false;
    }
    if (!budget->limited)
        return true;
    budget->pidfd = (int)syscall(SYS_pidfd_open, pd->pid, 0);
    if (budget->pidfd < 0)
        linux_complain("%s: its budget cannot be kept: %s", pd->system->name, strerror(errno));
    return budget->pidfd >= 0;
}

static bool start(struct linux_loader *loader, int cpu)
{
    struct linux_keeper *keeper = &loader->keepers[loader->keeper_count];
    *keeper = (struct linux_keeper){.loader = loader, .cpu = cpu};
    pthread_attr_t attributes;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    /* Its priority is inherited: the loader's, which stands above all PDs. */
    int error = pthread_create(&keeper->thread, &attributes, keep, keeper);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        linux_complain("cannot start the keeper of CPU %d's budgets: %s", cpu, strerror(error));
        return false;
    }
    loader->keeper_count++;
    return true;
}

static bool needs_keeper(const struct linux_loader *loader, const struct linux_pd *pd)
{
    if (!pd->budget.limited && pd->budget.first == NULL)
        return false;
    for (size_t i = 0; i < loader->keeper_count; i++)
        if (loader->keepers[i].cpu == pd->cpu)
            return false;
    return true;
}

bool linux_budget_begin(struct linux_loader *loader)
{
    bool limited = false;
    loader->keepers = calloc(loader->system->pd_count + 1, sizeof *loader->keepers);
    loader->replenished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loader->keepers_end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loader->keepers == NULL || loader->replenished < 0 || loader->keepers_end < 0) {
        linux_complain("cannot prepare to keep budgets: %s", strerror(errno));
        return false;
    }
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        if (!plan(loader, &loader->pds[i]))
            return false;
        limited |= loader->pds[i].budget.limited;
    }
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (needs_keeper(loader, &loader->pds[i]) && !start(loader, loader->pds[i].cpu))
            return false;
    if (limited && !loader->realtime && loader->options->verbose)
        fprintf(stderr, "sddf: without real-time priorities budgets are kept to about a "
                        "millisecond only\n");
    return true;
}

void linux_budget_end(struct linux_loader *loader)
{
    if (loader->keepers_end >= 0)
        tell(loader->keepers_end);
    for (size_t i = 0; i < loader->keeper_count; i++) {
        const struct linux_keeper *keeper = &loader->keepers[i];
        pthread_join(keeper->thread, NULL);
        if (loader->options->verbose)
            linux_complain("budgets on CPU %d: their keeper was woken late by %llu us at most",
                           keeper->cpu, (unsigned long long)keeper->latest / 1000);
    }
    loader->keeper_count = 0;
    free(loader->keepers);
    loader->keepers = NULL;
    if (loader->keepers_end >= 0)
        close(loader->keepers_end);
    if (loader->replenished >= 0)
        close(loader->replenished);
    loader->keepers_end = loader->replenished = -1;
}
