/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One PD's changes of state, as its tracer sees them: it is set up, stops (a fault, a signal, its
 * budget, a wish of its parent's), goes on, ends. supervise.c has the loop in which they are found.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define RELEASED_NS UINT64_C(2000000000)

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

void linux_process_look(struct linux_loader *loader, struct linux_pd *pd)
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

/*
 * Waits for its end. A debugger that has it may keep it from being buried: it is the debugger's to
 * look at first. Then it is left, dead, to whoever inherits it.
 */
void linux_process_bury(struct linux_loader *loader, struct linux_pd *pd)
{
    uint64_t until = linux_debug_released(pd) ? linux_now_ns() + RELEASED_NS : UINT64_MAX;
    int status;
    struct rusage usage;
    while (pd->state != LINUX_PD_NONE && pd->state != LINUX_PD_DEAD) {
        pid_t pid = wait4(pd->pid, &status, __WALL | (until != UINT64_MAX ? WNOHANG : 0), &usage);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid == pd->pid && !WIFSTOPPED(status))
            ended(loader, pd, status, &usage);
        if (pid == 0 && linux_now_ns() > until) {
            linux_complain("%s: a debugger has it still", pd->system->name);
            break;
        }
        if (pid == 0)
            poll(NULL, 0, 1);
    }
}
