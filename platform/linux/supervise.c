/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running system, seen from the loader: one thread that traces every PD (tracer.c), prints what
 * they print, reports how they fail, and ends them. Tracing is what makes a PD die with the loader,
 * and lets a fault be looked at from outside.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define OUTPUT_PERIOD_MS 50
#define START_SECONDS    20
#define LOOK_NS          UINT64_C(1000000) /* between two looks at what PDs can ring as they like */
#define URGENT           2 /* the first of what is waited for: signals, and PDs that may go on */

static uint64_t now_ms(void)
{
    return linux_now_ns() / 1000000;
}

bool linux_supervise_begin(struct linux_loader *loader)
{
    static const int heard[] = {
        SIGCHLD, SIGINT,  SIGTERM, SIGHUP, SIGPIPE, /* (nobody reads the output any more) */
        SIGTSTP, SIGTTIN, SIGTTOU, /* what a terminal stops with: see signals_came */
    };
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++)
        sigaddset(&signals, heard[i]);
    sigprocmask(SIG_BLOCK, &signals, &loader->old_signals);
    loader->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loader->signals >= 0)
        return true;
    sigprocmask(SIG_SETMASK, &loader->old_signals, NULL);
    linux_complain("cannot listen to signals: %s", strerror(errno));
    return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static size_t count_state(const struct linux_loader *loader, enum linux_pd_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        count += loader->pds[i].state == state;
    return count;
}

/*
 * Reads the signals that have come; true if one of them asks for an end. This process is not
 * stopped while PDs run: nobody would keep their budgets.
 */
static bool signals_came(struct linux_loader *loader)
{
    struct signalfd_siginfo info;
    bool end = false, children = false;
    while (read(loader->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            children = true;
        else if (info.ssi_signo == SIGTSTP)
            linux_complain("the system cannot be held; Ctrl-C ends it");
        else if (info.ssi_signo != SIGTTIN && info.ssi_signo != SIGTTOU)
            end = true;
    }
    for (size_t i = 0; children && i < loader->system->pd_count; i++)
        linux_process_look(loader, &loader->pds[i]);
    return end;
}

bool linux_supervise_hold(struct linux_loader *loader)
{
    uint64_t until = now_ms() + START_SECONDS * 1000;
    size_t count = loader->system->pd_count;
    for (;;) {
        if (count_state(loader, LINUX_PD_HELD) == count)
            return true;
        if (count_state(loader, LINUX_PD_DEAD) + count_state(loader, LINUX_PD_FAULTED) > 0)
            return false;
        if (now_ms() > until) {
            linux_complain("the protection domains were not set up within %d s", START_SECONDS);
            return false;
        }
        struct pollfd polled = {.fd = loader->signals, .events = POLLIN};
        poll(&polled, 1, 100);
        if (signals_came(loader)) {
            linux_complain("interrupted before the system was up");
            return false;
        }
    }
}

bool linux_supervise_go(struct linux_loader *loader)
{
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        if (!pd->hosted) { /* (which may have something to say yet) */
            close(pd->complaint);
            pd->complaint = -1;
        }
        pd->state = LINUX_PD_RUNNING;
        bool gone_on = pd->hosted ? true /* it waits for nobody */
                       : pd->inspect == LINUX_DEBUG_GDB
                           ? linux_debug_release(loader, pd)
                           : ptrace(linux_trace_request(pd), pd->pid, 0, 0) == 0;
        if (!gone_on) {
            linux_complain("%s: cannot be let go: %s", pd->system->name, strerror(errno));
            return false;
        }
    }
    return true;
}

/*
 * Output is taken in periods; a PD that used up its allowance waits for the next one, and all wait
 * while standard output is not ready.
 */
static void poll_set(struct linux_loader *loader, struct pollfd *polled)
{
    size_t count = loader->system->pd_count;
    bool ready = linux_output_ready();
    for (size_t i = 0; i < count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        bool take = ready && pd->state != LINUX_PD_DEAD && pd->output_allowance > 0;
        if (take && linux_output_waits(pd))
            linux_output_take(pd);
        polled[i] = (struct pollfd){.fd = take ? pd->debug[0] : -1, .events = POLLIN};
    }
    polled[count] = (struct pollfd){.fd = ready ? -1 : linux_output_fd(), .events = POLLOUT};
    for (size_t i = 0; i < loader->device_count; i++)
        linux_device_poll(&loader->devices[i], &polled[count + 1 + i * LINUX_DEVICE_POLLS]);
    struct pollfd *rest = &polled[count + 1 + loader->device_count * LINUX_DEVICE_POLLS];
    for (size_t i = 0; i < count; i++) /* orders of parents */
        rest[i] = (struct pollfd){.fd = loader->pds[i].family.doorbell, .events = POLLIN};
}

static void serve(struct linux_loader *loader, const struct pollfd *polled)
{
    size_t count = loader->system->pd_count;
    for (size_t i = 0; i < count; i++)
        if (polled[i].revents & POLLIN)
            linux_output_take(&loader->pds[i]);
    for (size_t i = 0; i < loader->device_count; i++)
        linux_device_serve(&loader->devices[i], &polled[count + 1 + i * LINUX_DEVICE_POLLS]);
    const struct pollfd *rest = &polled[count + 1 + loader->device_count * LINUX_DEVICE_POLLS];
    for (size_t i = 0; i < count; i++)
        if (rest[i].revents & POLLIN)
            linux_family_serve(loader, &loader->pds[i]);
}

static int timeout_until(uint64_t until, bool next_period)
{
    uint64_t now = now_ms();
    uint64_t left = until == 0 ? UINT64_MAX : until > now ? until - now : 0;
    if (next_period && left > OUTPUT_PERIOD_MS)
        return OUTPUT_PERIOD_MS;
    return left > 3600000 ? until == 0 ? -1 : 3600000 : (int)left;
}

/*
 * Waits for something to do. What PDs have at hand - a byte to print, an order to a child - they
 * may ring as often as they like, and this thread comes before every one of them: so that is looked
 * at once in LOOK_NS at most, and they pay for the rest of what they do themselves.
 */
static void await(struct linux_loader *loader, struct pollfd *polled, size_t size, uint64_t *looked,
                  int timeout_ms)
{
    polled[0] = (struct pollfd){.fd = loader->signals, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = loader->replenished, .events = POLLIN};
    uint64_t since = linux_now_ns() - *looked;
    if (since < LOOK_NS) {
        struct timespec rest = {0, (long)(LOOK_NS - since)};
        ppoll(polled, URGENT, &rest, NULL);
    } else {
        poll_set(loader, polled + URGENT);
        poll(polled, size, timeout_ms);
        *looked = linux_now_ns();
        serve(loader, polled + URGENT);
    }
    if (polled[1].revents & POLLIN)
        linux_budget_resume(loader);
}

/* The exit status tells of the end; what was lost before is not to be missed above it. */
static void name_the_dead(const struct linux_loader *loader)
{
    char names[768] = "";
    size_t used = 0;
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        const struct linux_pd *pd = &loader->pds[i];
        if ((pd->state == LINUX_PD_DEAD || pd->state == LINUX_PD_FAULTED) && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used > 0 ? ", " : "", pd->system->name);
    }
    if (used > 0)
        linux_complain("ended with these protection domains dead: %s%s", names,
                       used < sizeof names ? "" : " ...");
}

bool linux_supervise(struct linux_loader *loader)
{
    size_t count = loader->system->pd_count;
    size_t size = URGENT + count + 1 + loader->device_count * LINUX_DEVICE_POLLS + count;
    struct pollfd *polled = calloc(size, sizeof *polled);
    uint64_t until =
        loader->options->seconds > 0 ? now_ms() + UINT64_C(1000) * loader->options->seconds : 0;
    uint64_t period = 0, looked = 0;
    bool alive = true;
    for (;;) {
        if (count_state(loader, LINUX_PD_DEAD) == count) {
            linux_complain("no protection domain is left");
            alive = false;
            break;
        }
        if (until != 0 && now_ms() >= until)
            break;
        if (now_ms() - period >= OUTPUT_PERIOD_MS) {
            period = now_ms();
            for (size_t i = 0; i < count; i++)
                linux_output_refill(&loader->pds[i]);
        }
        bool later = false;
        for (size_t i = 0; i < count; i++)
            later |= linux_output_later(&loader->pds[i]);
        await(loader, polled, size, &looked, timeout_until(until, later));
        if (signals_came(loader) || loader->ending)
            break;
    }
    free(polled);
    if (alive)
        name_the_dead(loader);
    return alive;
}

static void print_times(struct linux_loader *loader)
{
    for (size_t i = 0; i < loader->system->pd_count; i++)
        linux_complain("%s: %.3f s of CPU time", loader->pds[i].system->name,
                       (double)loader->pds[i].cpu_ns / 1e9);
}

void linux_supervise_end(struct linux_loader *loader)
{
    if (loader->signals < 0)
        return;
    loader->stopping = true;
    linux_budget_end(loader);
    bool ran = false;
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        ran |= pd->state == LINUX_PD_RUNNING || pd->state == LINUX_PD_DEAD;
        if (pd->state != LINUX_PD_NONE && pd->state != LINUX_PD_DEAD)
            kill(pd->pid, SIGKILL);
    }
    for (size_t i = 0; i < loader->system->pd_count; i++)
        linux_process_bury(loader, &loader->pds[i]);
    if (ran && loader->options->verbose)
        print_times(loader);
}

void linux_supervise_release(struct linux_loader *loader)
{
    if (loader->signals < 0)
        return;
    /* What came meanwhile (children that were waited for, a second Ctrl-C) means nothing more. */
    struct signalfd_siginfo info;
    while (read(loader->signals, &info, sizeof info) == sizeof info)
        continue;
    close(loader->signals);
    loader->signals = -1;
    sigprocmask(SIG_SETMASK, &loader->old_signals, NULL);
}
