/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader, the starter and the library inside a protection domain agree on.
 *
 *     loader  --- struct mk_start (a sealed memfd) --->  starter  --- rdi: struct mk_boot * ---> PD
 *
 * Pages that carry notifications between PDs, each with exactly one writer:
 *
 *     signal page   the PD's own, rw; every PD that shares a channel with it maps it read-only.
 *                   Word `asleep` counts how often the PD lay down and got up: while it is odd the
 *                   PD waits at its doorbell. `sent[ch]` counts the notifications that the PD sent
 *                   on its own channel ch.
 *     call page     one per protected procedure and direction: the caller's request, the callee's
 *                   answer. Its writer maps it rw, the other end read-only.
 *     system page   the loader's; every PD maps it read-only: which PDs are dead, and the clock.
 *     family pages  of a PD with children: what it asks the loader to do with them, written by the
 *                   PD; and what the loader reports of them, read-only for the PD.
 *
 * A notification is: add one to sent[ch]; fence; if the peer is asleep, ring its doorbell. Going
 * to sleep is: asleep + 1; fence; gather all peers' words; if nothing is new, wait at the doorbell.
 * Each side writes, fences and reads what the other wrote, so one of the two sees the other. A
 * sender remembers for which value of `asleep` it rang and does not ring twice for the same sleep:
 * a ring is queued, so the sleeper is going to get up and to gather. A peer that lies about its
 * sleep harms itself only.
 *
 * The doorbell is a blocking eventfd: one blocking read is all that a wake-up costs. Of an eventfd
 * it is known that a writer who adds close to 2^64 blocks every other writer until the reader
 * comes. The filter closes that: the bytes written must be those at `one` in the boot page, which
 * the PD cannot change, and one at a time the counter does not fill up in the life of a machine.
 * So no PD can block another that rings the same doorbell, and nobody but the owner may read it,
 * so no wake-up can be stolen. What the alternatives cost (round trip of two processes, one core,
 * SCHED_FIFO): blocking eventfd 8.1 us; pipe with a blocking read end and a non-blocking write end
 * 9.1 us; non-blocking eventfd with ppoll before each read 9.6 us.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

#define MK_CHANNELS   63 /* ids 0 .. 62; a PD uses at most 62 of them */
#define MK_PDS        63
#define MK_CHILDREN   62 /* ids 0 .. 61 */
#define MK_NAME_MAX   64
#define MK_CALL_WORDS 64
#define MK_PAGE       4096

/* One cache line per word: different receivers poll different words. */
struct mk_signal_line {
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u32 word;
};

struct mk_signal_page {
    struct mk_signal_line asleep;
    struct mk_signal_line sent[MK_CHANNELS];
};
_Static_assert(sizeof(struct mk_signal_page) == MK_PAGE, "a signal page is one page");

struct mk_call_page {
    SDDF_ALIGNED(SDDF_CACHE_LINE) sddf_atomic_u32 sequence; /* requests made, or answered, so far */
    uint32_t reserved;
    sddf_atomic_u64 info; /* seL4_MessageInfo_t */
    sddf_atomic_u64 word[MK_CALL_WORDS];
};

/*
 * The clock: now = ((counter - counter_base) * mult >> 32) + ns_base, in 128 bits. The loader
 * measures mult against CLOCK_MONOTONIC at its start, and checks that the counter is invariant.
 */
struct mk_clock { /* mult 0: the counter is of no use, ask the kernel (CLOCK_MONOTONIC) */
    uint64_t counter_base;
    uint64_t ns_base;
    uint64_t mult;
};

struct mk_system_page {
    struct mk_clock clock;
    /*
     * By PD index: odd while the PD does not run, since it has ended, faulted, or been stopped by
     * its parent; the parent may make it even again. Who called it and sees the word change has
     * called in vain.
     */
    sddf_atomic_u32 dead[MK_PDS + 1];
};

/* ---- children -------------------------------------------------------------------------------- */

enum mk_order_kind {
    MK_ORDER_NONE = 0,
    MK_ORDER_RESTART = 1, /* at word[0], with an empty stack */
    MK_ORDER_STOP = 2,
    MK_ORDER_REPLY = 3, /* to a fault: go on, with the registers of the message */
    MK_ORDER_END = 4,   /* the whole system, with exit status word[0] */
};

#define MK_FAULT_WORDS 20 /* (the longest, an unknown system call, has 19) */

/*
 * One per child id, in the parent's page, and behind them one (MK_CHILDREN) for the system itself,
 * of who may end it: a new sequence number makes it an order.
 */
struct mk_order {
    sddf_atomic_u32 sequence;
    uint32_t kind;
    uint64_t info; /* seL4_MessageInfo_t */
    uint64_t word[MK_FAULT_WORDS];
};

/* One per child id, in the loader's page. */
struct mk_report {
    sddf_atomic_u32 done;   /* sequence of the last order that has been carried out */
    sddf_atomic_u32 faults; /* so far; a change is a new fault, and this is it: */
    uint64_t info;
    uint64_t word[MK_FAULT_WORDS];
};

enum mk_channel_kind {
    MK_CHANNEL_NONE = 0,
    MK_CHANNEL_NOTIFY = 1, /* another PD; this end may be without the right to notify */
    MK_CHANNEL_IRQ = 2,
};

enum mk_channel_flag {
    MK_CHANNEL_MAY_NOTIFY = 1, /* (who only answers calls holds the doorbell without it) */
    MK_CHANNEL_COUNTED = 2,    /* an interrupt that counts: to be read when it has come */
};

/* One channel as its owner sees it. Addresses are the owner's; 0 where there is no right. */
struct mk_channel {
    uint32_t kind;
    uint32_t peer;      /* PD index, for system page `dead` */
    int32_t doorbell;   /* the peer's, or, to unmask it, the interrupt's; -1: nothing to write to */
    int32_t irq;        /* descriptor whose readability is the interrupt; -1 */
    uint64_t peer_page; /* the peer's signal page, read-only */
    uint32_t peer_id;   /* the channel's number at the peer: sent[peer_id] in its page */
    uint32_t flags;     /* enum mk_channel_flag */
    uint64_t call_out;  /* this end calls: own call page (rw) and the peer's answers (r) */
    uint64_t call_out_answer;
    uint64_t call_in; /* this end is called: the peer's requests (r), own answers (rw) */
    uint64_t call_in_answer;
};

#define MK_BOOT_MAGIC   0x544f4f42u /* "BOOT" */
#define MK_BOOT_VERSION 4

enum mk_boot_flag {
    MK_BOOT_FSGSBASE = 1, /* the program may set its thread pointer by itself */
    MK_BOOT_CHECKED = 2,  /* report deferred signals that were lost */
    MK_BOOT_MAY_END = 4,  /* it may order the system's end */
};

/* Read-only in the PD. Its address is in the first argument register at the program's entry. */
struct mk_boot {
    uint32_t magic;
    uint32_t version;
    uint32_t pd;      /* index */
    int32_t doorbell; /* own, to wait at */
    int32_t debug;    /* debug output: the writing end of a pipe that never blocks; -1 for none */
    uint32_t flags;   /* enum mk_boot_flag */
    uint64_t one;     /* 1: the only bytes that may be written to a doorbell */
    uint64_t signal_page; /* own, rw */
    uint64_t system_page;
    uint64_t children; /* bit per child id */
    uint64_t orders;   /* struct mk_order[MK_CHILDREN + 1], rw; 0 without any right to order */
    uint64_t reports;  /* struct mk_report[MK_CHILDREN + 1] */
    int32_t loader;    /* the loader's doorbell: for orders; -1 */
    uint32_t poll_ns;  /* how long it looks about before it sleeps, at most */
    char name[MK_NAME_MAX];
    struct mk_channel channel[MK_CHANNELS];
};

/*
 * Addresses from here on are the platform's in every PD; a description's end below it. (Above what
 * an address sanitizer claims, should a program come with one.)
 */
#define MK_PRIVATE         UINT64_C(0x200000000000)
#define MK_BOOT_AT         (MK_PRIVATE + 0x00000)
#define MK_SYSTEM_AT       (MK_PRIVATE + 0x10000)
#define MK_SIGNAL_AT       (MK_PRIVATE + 0x20000)
#define MK_EXIT_AT         (MK_PRIVATE + 0x30000)
#define MK_ORDERS_AT       (MK_PRIVATE + 0x40000)
#define MK_REPORTS_AT      (MK_PRIVATE + 0x50000)
#define MK_CHANNEL_AT      (MK_PRIVATE + 0x100000) /* + channel * MK_CHANNEL_STEP + one of: */
#define MK_CHANNEL_STEP    0x10000
#define MK_PEER_PAGE       0x0000
#define MK_CALL_OUT        0x2000
#define MK_CALL_OUT_ANSWER 0x4000
#define MK_CALL_IN         0x6000
#define MK_CALL_IN_ANSWER  0x8000
#define MK_STACK_TOP       (MK_PRIVATE + 0x40000000)
#define MK_STACK_GUARD     0x100000 /* never mapped; an access here is a stack overflow */

/* ---- the starter -------------------------------------------------------------------------- */

/*
 * The starter finds a struct mk_start at descriptor MK_START_FD. Descriptors 1 .. keep are the PD's
 * own and stay; those after them are only for mapping.
 *
 * A program that runs without the starter, under a debugging tool (debug.c), finds the same there
 * and maps it by itself (lib/hosted.c). Its image is the file's, so what the description sets in it
 * comes as patches: bytes of this very file, at `offset`, to be written to `vaddr`.
 */
#define MK_START_FD    0
#define MK_START_MAGIC 0x54524154u /* "TART" */

struct mk_map {
    uint64_t vaddr;
    uint64_t size;
    uint64_t offset;
    int32_t fd;
    uint32_t prot; /* PROT_READ ..., MK_MAP_PRIVATE */
};

/* A copy of its own on writing, for who may write nothing: a debugger sets its breakpoints there.
 */
#define MK_MAP_PRIVATE 0x100

struct mk_patch {
    uint64_t vaddr;
    uint64_t size;
    uint64_t offset;
};

struct mk_start {
    uint32_t magic;
    uint32_t map_count;
    uint32_t keep;
    uint32_t dumpable; /* may be looked into by its own user */
    char name[16];     /* for ps and the like */
    uint64_t boot;     /* these three for who runs without the starter */
    uint64_t patches;  /* offset of struct mk_patch[patch_count] in this file */
    uint64_t patch_count;
    struct mk_map map[];
};

/*
 * The exit page (r-x) is the last of the starter: it unmaps everything that is not the PD's, the
 * starter and its stack included, installs the filter, traps so that the loader can hold the PD
 * until everybody is there, and jumps to the program. Its code stands at 0, this at MK_EXIT_DATA,
 * then come the gaps and the filter.
 */
#define MK_EXIT_DATA 512

struct mk_exit {
    uint64_t entry;
    uint64_t stack;
    uint64_t boot;
    uint64_t gaps;          /* how many */
    uint64_t filter_length; /* these two are a struct sock_fprog */
    uint64_t filter;
    struct mk_gap {
        uint64_t start;
        uint64_t size;
    } gap[];
};

/* At the trap: rdi says what happened, rsi the error number, rdx the number of the mapping. */
enum mk_step {
    MK_STEP_READY = 0,
    MK_STEP_START = 1,
    MK_STEP_MAP = 2,
    MK_STEP_LIMIT = 3,
    MK_STEP_CLOSE = 4,
    MK_STEP_PRIVILEGE = 5,
    MK_STEP_UNMAP = 6,
    MK_STEP_FILTER = 7,
    MK_STEP_TRACER = 8, /* (before the starter: the loader died, or did not let it go on) */
};
