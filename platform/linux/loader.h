/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs an expanded system on this machine: one process per protection domain, each with the
 * mappings, descriptors and system calls of the description and nothing else.
 */
#pragma once

#include <stdbool.h>

#include "platform/linux/device.h"
#include "system/system.h"

/* What a PD may be run with to look inside it (debug.c); `program` comes with the last two. */
enum linux_debug_kind {
    LINUX_DEBUG_NONE,
    LINUX_DEBUG_GDB,      /* held before its first instruction until a debugger lets it go */
    LINUX_DEBUG_STRACE,   /* its system calls are printed */
    LINUX_DEBUG_VALGRIND, /* under Valgrind, without confinement */
    LINUX_DEBUG_ASAN,     /* built with AddressSanitizer, without confinement */
};

#define LINUX_DEBUG_MAX 8

struct linux_debug {
    enum linux_debug_kind kind;
    const char *pd;
};

struct linux_options {
    struct linux_device_options device;
    const char *state; /* a JSON file that describes the running system; NULL: none */
    unsigned seconds;  /* shut down after that long; 0: run until a signal comes */
    bool checked;      /* report deferred signals that were lost to a second one */
    bool realtime;     /* real-time priorities where permitted; false: SCHED_OTHER for all */
    bool awake;        /* processors are kept from sleeping while the system runs */
    bool verbose;
    struct linux_debug debug[LINUX_DEBUG_MAX];
    size_t debug_count;
    const char *core; /* a folder for core files of PDs that fault; NULL: none */
};

/*
 * Starts the system, prints what its PDs print and how they fail, and shuts it down on SIGINT,
 * SIGTERM, SIGHUP or after `seconds`; returns when nothing is left of it. The exit status: 0 after
 * an orderly shutdown (a PD that failed on the way was reported and does not change that), 1 if the
 * system could not be started, or no PD was left alive (said why, on standard error). A state file
 * that a killed loader left behind is replaced; nothing else of such a loader stays.
 *
 * `expanded` has passed system_check and system_expand. `board` and `search` are those it was
 * expanded with. Call it from a process with one thread: it forks, traces, and takes over SIGINT,
 * SIGTERM and SIGCHLD while it runs.
 */
int linux_run(const struct system *expanded, const struct board *board,
              const struct system_search *search, const struct linux_options *options);
