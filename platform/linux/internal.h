/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the loader: a running system, and what the loader's files do for each other, in the order
 * in which linux_run() calls them. Functions that return bool have said why on standard error when
 * they return false; all that was made up to then is found, and undone, by linux_loader_close().
 */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include "platform/linux/abi.h"
#include "platform/linux/loader.h"
#include "system/image.h"

/* Descriptors that a PD keeps: 1 .. count in the PD, these in the loader. */
struct linux_descriptors {
    int fd[2 * MK_CHANNELS + 8];
    int count;
};

/* A system call that has begun (trace.c). */
struct linux_trace {
    bool inside;
    uint64_t number;
    uint64_t argument[6];
};

enum linux_pd_state {
    LINUX_PD_NONE, /* no process */
    LINUX_PD_STARTING,
    LINUX_PD_HELD, /* set up, and waiting at the exit page's trap */
    LINUX_PD_RUNNING,
    LINUX_PD_STOPPED, /* a child that faulted, or that its parent stopped: it may be restarted */
    LINUX_PD_FAULTED, /* reported and killed, not yet gone */
    LINUX_PD_DEAD,
};

/* What a PD that gives orders (to children, or for the system's end) shares with the loader. */
struct linux_family {
    struct linux_memory order_memory;
    struct linux_memory report_memory;
    const struct mk_order *orders; /* mapped here */
    struct mk_report *reports;
    int doorbell;                /* the loader's, rung by the parent */
    uint32_t taken[MK_CHILDREN]; /* sequence of the last order that was begun */
};

/* Times in ns; what is used is the process's CPU time. Of the keeper's alone but for `over`. */
struct linux_budget {
    bool limited;    /* budget below period */
    clockid_t clock; /* of its CPU time */
    uint64_t due;    /* when to look at its budget next */
    uint64_t budget, period;
    uint64_t window;  /* when this period began */
    uint64_t used_at; /* what had been used then */
    bool hungry; /* it has waited for this period, which therefore does not wait for it to run */
    sddf_atomic_u32 over; /* it is to stop, or to stay stopped */
    bool paused;          /* the tracer's: it is stopped for that */
    int pidfd;

    struct linux_pd *first; /* of those that take turns; NULL: nobody shares its priority */
    uint64_t turn_at;       /* used when its turn began */
    uint64_t seen;          /* used at the last look */
    uint64_t interval;      /* of the first one: between two looks, at least */
    const struct linux_pd *gave_way; /* of the first one: who was last sent to the end */
    uint64_t look;                   /* of the first one: when to look next */
    uint64_t looked;                 /* ... and when the last look was */
};

struct linux_pd {
    const struct system_pd *system;
    uint32_t index;
    struct image image;
    char *path; /* where the program was found */
    struct linux_memory signal;
    struct linux_memory stack;
    struct linux_memory boot;
    struct linux_memory exit;
    struct linux_memory *segments; /* one per segment of the image */
    int doorbell;
    int debug[2]; /* pipe */
    int start;    /* the memfd that the starter reads */

    struct mk_boot page; /* as it will stand in `boot` */
    struct mk_map *maps; /* fd: the loader's */
    size_t map_count;
    struct linux_descriptors keep;
    void *filter; /* struct sock_filter[] */
    size_t filter_length;

    enum linux_debug_kind inspect;
    bool hosted;                 /* it runs without the starter (debug.c) ... */
    char **arguments;            /* ... as this command */
    uint64_t base;               /* MK_PRIVATE, or where the platform's pages are instead */
    struct image_patch *patches; /* hosted: what differs from the file */
    size_t patch_count;
    struct linux_trace trace; /* the system call that it is in */

    struct linux_budget budget;
    struct linux_family family;
    enum mk_order_kind wish; /* of the parent's, to be carried out when the PD has come to a stop */
    uint64_t wish_entry;
    uint64_t fault;   /* the fault that its parent may reply to: its label, or 0 */
    bool said_cannot; /* that an order cannot be carried out */

    enum linux_pd_state state;
    pid_t pid;
    bool reaped;   /* (under `reaping`) */
    int complaint; /* reading end: why the process did not even reach the starter */
    int rt_priority;
    int cpu;         /* the machine's number */
    uint64_t cpu_ns; /* used in all, once it is dead */

    char line[512]; /* debug output up to the next newline */
    size_t line_used;
    size_t line_seen;     /* at the last look, ... */
    uint64_t line_cpu_ns; /* ... when it had used this much */
    char taken[4096];     /* from the pipe, and not yet looked at */
    size_t taken_at, taken_size;
    uint64_t output_allowance; /* bytes that may still be read in this period */
};

/* The two pages of one caller and one callee. */
struct linux_calls {
    struct linux_memory request;
    struct linux_memory answer;
};

enum linux_sandbox {
    LINUX_SANDBOX_NONE,       /* no namespaces */
    LINUX_SANDBOX_NAMESPACES, /* all but a user namespace */
    LINUX_SANDBOX_FULL,
};

struct linux_loader {
    const struct system *system;
    const struct board *board;
    const struct system_search *search;
    const struct linux_options *options;

    struct linux_memory *memory; /* per region */
    struct linux_device *devices;
    size_t device_count;
    struct linux_memory system_memory;
    struct mk_system_page *system_page;
    struct linux_calls (*calls)[2]; /* per channel, by the calling end */
    struct linux_pd *pds;
    struct mk_clock first; /* the first of two looks at both clocks */

    enum linux_sandbox sandbox;
    int starter; /* memfd with the starter's program */
    bool realtime;
    bool restore_scheduler;
    int awake;   /* keeps the processors from sleeping as long as it is open; -1 */
    int signals; /* signalfd; -1 before */
    sigset_t old_signals;
    struct linux_keeper *keepers; /* one per CPU that needs one */
    size_t keeper_count;
    pthread_mutex_t reaping; /* keepers do not meet a process id that has become another's */
    int replenished;         /* eventfd: a PD may go on */
    int keepers_end;         /* eventfd */
    bool state_ours;         /* the state file */
    bool stopping;
    bool ending; /* a PD that may has ended the system, with this exit status */
    int status;
    int core; /* the folder for core files; -1 */
};

void linux_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline uint64_t linux_now_ns(void) /* CLOCK_MONOTONIC */
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* limits.c: what this process may have */
void linux_limits_raise(void);
void linux_limits_explain(const struct linux_loader *loader); /* after a start that failed */
bool linux_limits_memory(const char *name, uint64_t size);    /* is there so much left? */

/* memory.c */
extern const struct linux_memory linux_no_memory;
bool linux_memory_open(struct linux_memory *memory, const char *name, uint64_t size,
                       uint64_t page_size, bool executable);
bool linux_memory_write(const struct linux_memory *memory, uint64_t at, const void *bytes,
                        size_t size);
void linux_memory_seal(const struct linux_memory *memory); /* never written again by descriptor */
void linux_memory_close(struct linux_memory *memory);

/* clock.c */
void linux_clock_begin(struct linux_loader *loader);
void linux_clock_end(struct linux_loader *loader, struct mk_clock *clock);

/* devices of the board that the system uses: resource.c */
bool linux_resources_open(struct linux_loader *loader);
void linux_resources_close(struct linux_loader *loader);
bool linux_irq_find(const struct linux_loader *loader, uint64_t irq, struct linux_irq *found);
void linux_region_backing(struct linux_loader *loader, size_t region, bool write, int *fd,
                          uint64_t *offset, uint64_t *size);
/* What region_paddr of a region is: its address for devices; 0 if it has none. */
uint64_t linux_region_address(const struct system *system, size_t region, void *context);

/* plan.c: what a PD gets */
bool linux_plan(struct linux_loader *loader, struct linux_pd *pd);

/* filter.c */
bool linux_filter_build(struct linux_loader *loader, struct linux_pd *pd);

/* process.c */
void linux_sandbox_probe(struct linux_loader *loader);
bool linux_starter_open(struct linux_loader *loader);
bool linux_process_start(struct linux_loader *loader, struct linux_pd *pd);
uint64_t linux_process_cpu_ns(const struct linux_pd *pd);

/* schedule.c */
bool linux_schedule_plan(struct linux_loader *loader);
bool linux_schedule_apply(struct linux_loader *loader);
void linux_schedule_restore(struct linux_loader *loader);

/*
 * budget.c: budgets, and turns among PDs of one priority. The thread that keeps them on each CPU
 * sends LINUX_BUDGET_SIGNAL to a PD that has used its budget up; the PD stops at that, and the
 * tracer leaves it there until the next period.
 */
#define LINUX_BUDGET_SIGNAL SIGXCPU
bool linux_budget_begin(struct linux_loader *loader);
void linux_budget_end(struct linux_loader *loader);
bool linux_budget_pause(struct linux_pd *pd); /* it is stopped: is it to stay so for now? */
bool linux_budget_paused(const struct linux_pd *pd);
void linux_budget_resume(struct linux_loader *loader); /* those whose period has begun */

/* privilege.c: of the calling thread, and of those that it starts */
bool linux_privilege_drop(const struct linux_loader *loader);

/* supervise.c */
bool linux_supervise_begin(struct linux_loader *loader); /* first of all: signals wait from here */
bool linux_supervise_hold(struct linux_loader *loader);  /* until every PD is set up */
bool linux_supervise_go(struct linux_loader *loader);
bool linux_supervise(struct linux_loader *loader); /* false: no PD was left alive */
void linux_supervise_end(struct linux_loader *loader);
void linux_supervise_release(struct linux_loader *loader); /* the last step: signals as before */

/* tracer.c: what becomes of one PD */
void linux_ring(const struct linux_pd *pd); /* its doorbell */
void linux_continue(struct linux_pd *pd);   /* from a stop, unless something else keeps it there */
void linux_mark_dead(struct linux_loader *loader, struct linux_pd *pd, bool dead);
void linux_process_look(struct linux_loader *loader, struct linux_pd *pd); /* something has come */
void linux_process_bury(struct linux_loader *loader, struct linux_pd *pd); /* it has been killed */

/* fault.c; `signal` is the one that the PD is stopped at */
void linux_fault_report(struct linux_loader *loader, struct linux_pd *pd, int signal);

/* What the parent is told: seL4's label and message. Returns the message's length; 0: it is gone.
 */
unsigned linux_fault_message(struct linux_pd *pd, int signal, uint64_t *label, uint64_t *word);

/* family.c: children, their parents, and the loader between them */
bool linux_family_open(struct linux_pd *pd);
void linux_family_close(struct linux_pd *pd);
struct linux_pd *linux_family_parent(struct linux_loader *loader, const struct linux_pd *pd);
bool linux_family_fault(struct linux_loader *loader, struct linux_pd *pd, int signal);
void linux_family_serve(struct linux_loader *loader,
                        struct linux_pd *parent);                            /* its doorbell rang */
void linux_family_stopped(struct linux_loader *loader, struct linux_pd *pd); /* with a wish */
void linux_family_gone(struct linux_loader *loader, struct linux_pd *pd);    /* it had a wish */
void linux_family_parent_died(struct linux_loader *loader, const struct linux_pd *parent);

/* decode.c */
enum linux_access { LINUX_ACCESS_UNKNOWN, LINUX_ACCESS_READ, LINUX_ACCESS_WRITE };
enum linux_access linux_decode_access(const unsigned char *code, size_t size, bool near_stack);

/* output.c */
void linux_output_begin(void); /* from now on nothing that is printed waits for its reader */
void linux_output_end(void);
int linux_output_fd(void);     /* where there is no room if it is not ready */
bool linux_output_ready(void); /* may a line be printed without waiting? */
void linux_output_complain(const char *text, size_t size); /* to standard error */
void linux_output_refill(struct linux_pd *pd);             /* a new period begins */
bool linux_output_later(const struct linux_pd *pd); /* is there something for the next one? */
void linux_output_take(struct linux_pd *pd);        /* prints what is there, within the allowance */
bool linux_output_waits(const struct linux_pd *pd); /* something taken is not printed yet */
void linux_output_close(struct linux_pd *pd);       /* the PD is at rest: the rest of it */

/*
 * text.c: whatever would do something to a terminal becomes '?': control characters but tabs and
 * newlines, those of UTF-8 too (U+0080 to U+009F), and what is no UTF-8. The text may hold zeroes.
 */
void linux_text_clean(char *text, size_t size);

/*
 * debug.c: PDs that are looked into. A PD is `hosted` if it runs without the starter; one that a
 * debugger has is `released`: it is not traced by the loader any more.
 */
bool linux_debug_plan(struct linux_loader *loader); /* before anything is planned for PDs */
bool linux_debug_program(struct linux_loader *loader, struct linux_pd *pd, char **why);
bool linux_debug_released(const struct linux_pd *pd);
bool linux_debug_aloof(const struct linux_pd *pd); /* nothing can be done to its registers */
bool linux_debug_release(const struct linux_loader *loader,
                         struct linux_pd *pd); /* in place of letting it go */
void linux_debug_close(struct linux_pd *pd);
_Noreturn void linux_debug_execute(const struct linux_pd *pd, int complaint);

/* trace.c: its system calls, printed; `signal` is 0 or one that it is to get. */
int linux_trace_request(const struct linux_pd *pd); /* PTRACE_CONT or PTRACE_SYSCALL */
void linux_trace_stop(const struct linux_loader *loader, struct linux_pd *pd);

/* core.c */
bool linux_core_begin(struct linux_loader *loader);
void linux_core_write(struct linux_loader *loader, struct linux_pd *pd, int signal);

/* symbol.c: "echo.c:43" for an address; false: unknown, or it took too long. */
bool linux_symbol_line(const struct linux_pd *pd, uint64_t address, char *text, size_t size);

/* state.c */
bool linux_state_claim(struct linux_loader *loader); /* may the file be written, and removed? */
bool linux_state_write(const struct linux_loader *loader);
void linux_state_remove(const struct linux_loader *loader);
