/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running system, seen from the loader: one thread that traces every PD, prints what they
 * print, reports how they fail, and ends them. Tracing is what makes a PD die with the loader, and
 * lets a fault be looked at from outside.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define OUTPUT_PERIOD_MS 50
#define START_SECONDS    20
#define RELEASED_MS      2000
#define LOOK_NS          UINT64_C(1000000) /* between two looks at what PDs can ring as they like */
#define URGENT           2 /* the first of what is waited for: signals, and PDs that may go on */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t now_ms(void)
{
    return now_ns() / 1000000;
}

bool linux_supervise_begin(struct linux_loader *loader)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGPIPE); /* nobody reads the output any more */
    sigprocmask(SIG_BLOCK, &signals, &loader->old_signals);
    loader->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loader->signals >= 0)
        return true;
    sigprocmask(SIG_SETMASK, &loader->old_signals, NULL);
    linux_complain("cannot listen to signals: %s", strerror(errno));
    return false;
}

/* ---- one PD's changes of state --------------------------------------------------------------- */

void linux_ring(const struct linux_pd *pd)
{
    uint64_t one = 1;
    if (write(pd->doorbell, &one, sizeof one) < 0)
        linux_complain("cannot ring the doorbell of %s: %s", pd->system->name, strerror(errno));
}

/* Who waits for an answer of this PD's is to look at the system page: it has called in vain. */
void linux_mark_dead(struct linux_loader *loader, struct linux_pd *pd, bool dead)
{
    sddf_atomic_u32 *word = &loader->system_page->dead[pd->index];
    uint32_t before = sddf_load_relaxed_u32(word);
    if ((before & 1) == dead)
        return;
    sddf_store_release_u32(word, before + 1);
    sddf_fence_seq_cst();
    for (size_t i = 0; i < loader->system->channel_count; i++) {
        const struct system_end *end = loader->system->channels[i].end;
        for (int side = 0; side < 2; side++)
            if (end[side].pd == pd->index)
                linux_ring(&loader->pds[end[!side].pd]);
    }
}

void linux_continue(struct linux_pd *pd)
{
    if (!linux_budget_pause(pd))
        ptrace(linux_trace_request(pd), pd->pid, 0, 0);
}

static void ended(struct linux_loader *loader, struct linux_pd *pd, int status,
                  const struct rusage *usage)
{
    bool expected = pd->state == LINUX_PD_FAULTED || loader->stopping;
    bool starting = pd->state == LINUX_PD_STARTING || pd->state == LINUX_PD_HELD;
    bool looked_into = linux_debug_aloof(pd);
    pd->cpu_ns = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000 +
                 (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000;
    if (starting && !expected) {
        char why[256];
        ssize_t length = pd->complaint < 0 ? 0 : read(pd->complaint, why, sizeof why - 1);
        why[length > 0 ? length : 0] = '\0';
        linux_complain("%s: could not be set up: %s", pd->system->name,
                       length > 0 ? why : "its process ended");
    } else if (!expected && WIFSIGNALED(status)) {
        linux_complain("%s: %s by signal %d (%s); the rest of the system goes on", pd->system->name,
                       looked_into ? "ended" : "killed from outside", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    } else if (!expected) {
        linux_complain("%s: ended with status %d; the rest of the system goes on", pd->system->name,
                       WEXITSTATUS(status));
    }
    linux_output_close(pd);
    pd->state = LINUX_PD_DEAD;
    linux_mark_dead(loader, pd, true);
    if (!loader->stopping) {
        if (pd->wish != MK_ORDER_NONE)
            linux_family_gone(loader, pd);
        linux_family_parent_died(loader, pd);
    }
    if (!loader->stopping && !starting && loader->options->state != NULL)
        linux_state_write(loader);
}

static const char *const steps[] = {
    [MK_STEP_READY] = "is ready",
    [MK_STEP_START] = "cannot read what to do",
    [MK_STEP_MAP] = "cannot make mapping",
    [MK_STEP_LIMIT] = "cannot set limit",
    [MK_STEP_CLOSE] = "cannot close descriptors",
    [MK_STEP_PRIVILEGE] = "cannot drop privileges, step",
    [MK_STEP_UNMAP] = "cannot unmap the starter",
    [MK_STEP_FILTER] = "cannot install the filter of system calls",
};

/* The starter's trap. */
static void set_up(struct linux_pd *pd)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0)
        return; /* it is gone; the next wait says so */
    if (registers.rdi == MK_STEP_READY && registers.rip > MK_EXIT_AT &&
        registers.rip < MK_EXIT_AT + pd->exit.size) {
        pd->state = LINUX_PD_HELD;
        return;
    }
    const char *step =
        registers.rdi < sizeof steps / sizeof steps[0] ? steps[registers.rdi] : "an unknown step";
    char at[32] = "";
    if (registers.rdi == MK_STEP_MAP && registers.rdx < pd->map_count)
        snprintf(at, sizeof at, " at 0x%llx", (unsigned long long)pd->maps[registers.rdx].vaddr);
    linux_complain("%s: could not be set up: the starter %s%s (%llu): %s", pd->system->name, step,
                   at, (unsigned long long)registers.rdx, strerror((int)registers.rsi));
    pd->state = LINUX_PD_FAULTED;
    kill(pd->pid, SIGKILL);
}

static bool is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
           signal == SIGSYS || signal == SIGTRAP;
}

static void stopped(struct linux_loader *loader, struct linux_pd *pd, int status)
{
    int signal = WSTOPSIG(status);
    if (pd->wish != MK_ORDER_NONE) { /* its parent's, and whatever stopped it is as good */
        linux_family_stopped(loader, pd);
        return;
    }
    if (status >> 16 == PTRACE_EVENT_STOP) {
        /* Stopped by SIGSTOP, and to stay so until SIGCONT; or just gone on from that. */
        bool stays =
            signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
        if (stays)
            ptrace(PTRACE_LISTEN, pd->pid, 0, 0);
        else
            linux_continue(pd);
        return;
    }
    if (pd->state == LINUX_PD_STARTING && signal == SIGTRAP) {
        set_up(pd);
        return;
    }
    if (signal == (SIGTRAP | 0x80)) { /* PTRACE_O_TRACESYSGOOD */
        linux_trace_stop(loader, pd);
        linux_continue(pd);
        return;
    }
    if (pd->hosted) { /* its signals are the tool's affair */
        ptrace(PTRACE_CONT, pd->pid, 0, signal);
        return;
    }
    if (signal == LINUX_BUDGET_SIGNAL) {
        linux_continue(pd); /* or not */
        return;
    }
    siginfo_t info;
    bool kernels = ptrace(PTRACE_GETSIGINFO, pd->pid, 0, &info) == 0 && info.si_code > 0;
    if (is_fault(signal) && kernels) {
        bool parents = linux_family_fault(loader, pd, signal);
        if (!parents)
            linux_fault_report(loader, pd, signal);
        linux_core_write(loader, pd, signal);
        if (!parents) {
            pd->state = LINUX_PD_FAULTED;
            kill(pd->pid, SIGKILL);
        }
        return;
    }
    ptrace(linux_trace_request(pd), pd->pid, 0, signal);
}

/* Once a process has been waited for, its number may become another's: keepers must know. */
static pid_t reap(struct linux_loader *loader, struct linux_pd *pd, int *status, int options,
                  struct rusage *usage)
{
    pthread_mutex_lock(&loader->reaping);
    pid_t pid = wait4(pd->pid, status, options | __WALL, usage);
    if (pid == pd->pid && !WIFSTOPPED(*status))
        pd->reaped = true;
    pthread_mutex_unlock(&loader->reaping);
    return pid;
}

static void look_at(struct linux_loader *loader, struct linux_pd *pd)
{
    int status;
    struct rusage usage;
    while (pd->state != LINUX_PD_NONE && pd->state != LINUX_PD_DEAD &&
           reap(loader, pd, &status, WNOHANG, &usage) == pd->pid) {
        if (WIFSTOPPED(status))
            stopped(loader, pd, status);
        else
            ended(loader, pd, status, &usage);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static size_t count_state(const struct linux_loader *loader, enum linux_pd_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        count += loader->pds[i].state == state;
    return count;
}

/* Reads the signals that have come; true if one of them asks for an end. */
static bool signals_came(struct linux_loader *loader)
{
    struct signalfd_siginfo info;
    bool end = false, children = false;
    while (read(loader->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            children = true;
        else
            end = true;
    }
    for (size_t i = 0; children && i < loader->system->pd_count; i++)
        look_at(loader, &loader->pds[i]);
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
        if (signals_came(loader))
            return false;
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
                           ? linux_debug_release(pd)
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

static int timeout_until(uint64_t until, bool short_of_allowance)
{
    uint64_t now = now_ms();
    uint64_t left = until == 0 ? UINT64_MAX : until > now ? until - now : 0;
    if (short_of_allowance && left > OUTPUT_PERIOD_MS)
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
    uint64_t since = now_ns() - *looked;
    if (since < LOOK_NS) {
        struct timespec rest = {0, (long)(LOOK_NS - since)};
        ppoll(polled, URGENT, &rest, NULL);
    } else {
        poll_set(loader, polled + URGENT);
        poll(polled, size, timeout_ms);
        *looked = now_ns();
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
        bool spent = false;
        for (size_t i = 0; i < count; i++)
            spent |= loader->pds[i].output_allowance == 0;
        await(loader, polled, size, &looked, timeout_until(until, spent));
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

/*
 * Waits for its end. A debugger that has it may keep it from being buried: it is the debugger's to
 * look at first. Then it is left, dead, to whoever inherits it.
 */
static void bury(struct linux_loader *loader, struct linux_pd *pd)
{
    uint64_t until = linux_debug_released(pd) ? now_ms() + RELEASED_MS : UINT64_MAX;
    int status;
    struct rusage usage;
    while (pd->state != LINUX_PD_NONE && pd->state != LINUX_PD_DEAD) {
        pid_t pid = wait4(pd->pid, &status, __WALL | (until != UINT64_MAX ? WNOHANG : 0), &usage);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid == pd->pid && !WIFSTOPPED(status))
            ended(loader, pd, status, &usage);
        if (pid == 0 && now_ms() > until) {
            linux_complain("%s: a debugger has it still", pd->system->name);
            break;
        }
        if (pid == 0)
            poll(NULL, 0, 1);
    }
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
        bury(loader, &loader->pds[i]);
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
