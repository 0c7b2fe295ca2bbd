/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of a PD, one line each when it is over, and one before it for those in which it
 * sleeps: what strace would show, by the tracer
 * that the PD has anyway, so that it stays as confined, and its faults as reported, as ever. With
 * the names of descriptors, which in a PD are few and known.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "internal.h"

int linux_trace_request(const struct linux_pd *pd)
{
    return pd->inspect == LINUX_DEBUG_STRACE ? PTRACE_SYSCALL : PTRACE_CONT;
}

/* What a descriptor of the PD's is: "doorbell of bob" or the like; "" if it has none of that
 * number.
 */
static void describe_fd(const struct linux_loader *loader, const struct linux_pd *pd, uint64_t fd,
                        char *text, size_t size)
{
    text[0] = '\0';
    if (fd == 0 || fd > (uint64_t)pd->keep.count)
        return;
    int own = pd->keep.fd[fd - 1];
    if (own == pd->doorbell)
        snprintf(text, size, " own doorbell");
    else if (own == pd->debug[1])
        snprintf(text, size, " debug output");
    else if (own == pd->family.doorbell)
        snprintf(text, size, " loader's doorbell");
    for (size_t i = 0; i < loader->system->pd_count && text[0] == '\0'; i++)
        if (own == loader->pds[i].doorbell)
            snprintf(text, size, " doorbell of %.64s", loader->pds[i].system->name);
    for (size_t i = 0; i < loader->device_count && text[0] == '\0'; i++)
        if (own == loader->devices[i].fd)
            snprintf(text, size, " %.64s", loader->devices[i].board->name);
}

/* How many arguments there are to print; 6 where it is not known. */
static unsigned arguments_of(uint64_t number)
{
    switch (number) {
    case SYS_clock_gettime:
        return 2;
    case SYS_read:
    case SYS_write:
    case SYS_ioctl:
        return 3;
    case SYS_ppoll:
    case SYS_timerfd_settime:
        return 4;
    default:
        return 6;
    }
}

static void print(const struct linux_loader *loader, const struct linux_pd *pd, const char *result)
{
    char text[512], what[96];
    const struct linux_trace *trace = &pd->trace;
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)trace->number);
    bool on_descriptor = trace->number != SYS_ppoll && trace->number != SYS_clock_gettime;
    describe_fd(loader, pd, trace->argument[0], what, sizeof what);
    int used = snprintf(text, sizeof text, "%s(", name != NULL ? name : "?");
    free(name);
    for (unsigned i = 0; i < arguments_of(trace->number); i++)
        used +=
            snprintf(text + used, sizeof text - (size_t)used,
                     trace->argument[i] < 4096 ? "%s%" PRIu64 "%s" : "%s0x%" PRIx64 "%s",
                     i > 0 ? ", " : "", trace->argument[i], i == 0 && on_descriptor ? what : "");
    linux_complain("%s: system call %s)%s", pd->system->name, text, result);
}

/* A signal is pending then: the filter's, or the one for calls that pass it (fault.c). */
static bool refused(const struct linux_pd *pd)
{
    struct __ptrace_peeksiginfo_args first = {.nr = 1};
    siginfo_t info;
    return ptrace(PTRACE_PEEKSIGINFO, pd->pid, &first, &info) == 1 &&
           (info.si_signo == SIGSYS || (info.si_signo == SIGILL && info.si_code == SI_KERNEL));
}

void linux_trace_stop(const struct linux_loader *loader, struct linux_pd *pd)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pd->pid, sizeof info, &info) <= 0)
        return; /* it is gone; the next wait says so */
    struct linux_trace *trace = &pd->trace;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        trace->inside = true;
        trace->number = info.entry.nr;
        memcpy(trace->argument, info.entry.args, sizeof trace->argument);
        if (trace->number == SYS_read || trace->number == SYS_ppoll)
            print(loader, pd, " ...");
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && trace->inside) {
        char result[96];
        int64_t value = info.exit.rval;
        if (refused(pd))
            snprintf(result, sizeof result, " is refused");
        else if (info.exit.is_error)
            snprintf(result, sizeof result, " = -1 (%s)", strerror((int)-value));
        else
            snprintf(result, sizeof result, " = %" PRId64, value);
        print(loader, pd, result);
        trace->inside = false;
    }
}
