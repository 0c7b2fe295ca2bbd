/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader, the starter and the library inside a protection domain agree on.
 *
 *     loader  --- struct mk_start (a sealed memfd) --->  starter  --- rdi: struct mk_boot * --->  PD
 *
 * Pages that carry notifications between PDs, each with exactly one writer:
 *
 *     signal page   the PD's own, rw; every PD that shares a channel with it maps it read-only.
 *                   Word `asleep` says that the PD waits at its doorbell; `sent[ch]` counts the
 *                   notifications that the PD sent on its own channel ch.
 *     call page     one per protected procedure and direction: the caller's request, the callee's
 *                   answer. Its writer maps it rw, the other end read-only.
 *     system page   the loader's; every PD maps it read-only: which PDs are dead, and the clock.
 *
 * A notification is: add one to sent[ch]; fence; if the peer is asleep, ring its doorbell. Going
 * to sleep is: asleep = 1; fence; gather all peers' words; if nothing is new, wait at the doorbell.
 * Each side writes, fences and reads what the other wrote, so one of the two sees the other.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

#define MK_CHANNELS   63 /* ids 0 .. 62; a PD uses at most 62 of them */
#define MK_PDS        63
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
struct mk_clock {
    uint64_t counter_base;
    uint64_t ns_base;
    uint64_t mult;
};

struct mk_system_page {
    struct mk_clock clock;
    sddf_atomic_u32 dead[MK_PDS + 1]; /* by PD index: 1 once the PD has ended */
};

enum mk_channel_kind {
    MK_CHANNEL_NONE = 0,
    MK_CHANNEL_NOTIFY = 1, /* another PD; this end may be without the right to notify */
    MK_CHANNEL_IRQ = 2,
};

/* One channel as its owner sees it. Addresses are the owner's; 0 where there is no right. */
struct mk_channel {
    uint32_t kind;
    uint32_t peer;        /* PD index, for system page `dead` */
    int32_t doorbell;     /* descriptor to write to; -1 without the right to notify */
    int32_t irq;          /* descriptor whose readability is the interrupt; -1 */
    uint64_t peer_page;   /* the peer's signal page, read-only */
    uint32_t peer_id;     /* the channel's number at the peer: sent[peer_id] in its page */
    uint32_t reserved;
    uint64_t call_out;    /* this end calls: own call page (rw) and the peer's answers (r) */
    uint64_t call_out_answer;
    uint64_t call_in;     /* this end is called: the peer's requests (r), own answers (rw) */
    uint64_t call_in_answer;
};

#define MK_BOOT_MAGIC   0x544f4f42u /* "BOOT" */
#define MK_BOOT_VERSION 1

/* Read-only in the PD. Its address is in the first argument register at the program's entry. */
struct mk_boot {
    uint32_t magic;
    uint32_t version;
    uint32_t pd; /* index */
    int32_t doorbell; /* own, to wait at */
    int32_t debug;    /* debug output; -1 for none */
    uint32_t reserved;
    uint64_t signal_page; /* own, rw */
    uint64_t system_page;
    char name[MK_NAME_MAX];
    struct mk_channel channel[MK_CHANNELS];
};
