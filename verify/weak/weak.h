/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checker for weak memory: it runs small concurrent programs in every way that the C11 memory
 * model allows, and not only in every interleaving.
 *
 * How. Threads are run one after the other, each alone and natively. A load does not read memory:
 * it is given one of the stores to its location that the threads before it (or itself) have made,
 * or a value that a later thread may turn out to store, which is then looked for. So what is
 * enumerated are execution graphs: events, each load with the store that it reads from (rf), the
 * stores to each location in a total order (mo). A graph counts if it keeps the model's axioms, and
 * a branch ends as soon as its graph does not: what is forbidden stays forbidden when events are
 * added. Two readings of the model are offered:
 *
 *   C11    fences as in C11 7.17.3, paragraph 11, and nothing stronger; a release sequence goes on
 *          with later stores of the same thread (C11 5.1.2.4, paragraph 10)
 *   C20    fences as repaired in "Repairing Sequential Consistency in C/C++11" (Lahav and others,
 *          PLDI 2017), which C++20 took over; a release sequence goes on with read-modify-writes
 * only
 *
 * Neither has an axiom against values out of thin air, as C11's text has none in effect: a relaxed
 * load may read what only happens because of it. That errs on the side of more executions.
 *
 * Ordinary accesses race if they conflict and neither happens before the other: an error.
 *
 * Waiting. wk_wait() stands for a blocking wait on a counter that its only writer raises. A thread
 * may stay blocked only if it has seen the last value that the counter ever has: executions in
 * which a wake-up is merely still on its way do not count, those in which it is lost do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum wk_order {
    WK_PLAIN, /* not atomic */
    WK_RELAXED,
    WK_ACQUIRE,
    WK_RELEASE,
    WK_ACQ_REL,
    WK_SEQ_CST,
};

enum wk_model { WK_C11, WK_C20 };

/* What a location holds: up to two 64-bit words, of which the second is 0 unless it is a pair. */
struct wk_value {
    uint64_t lo, hi;
};

#define WK_THREADS 4

/* A program: what memory holds at first is what it holds when wk_check() is called. */
struct wk_program {
    const char *name;
    unsigned threads;
    /* Run again and again, from its start: keeps no state but what it sets at its start. */
    void (*run[WK_THREADS])(void);
    /* After each whole execution: NULL, or what is wrong with it. May be NULL. */
    const char *(*wrong)(void);
    /* Loads do not guess values above this, if not 0: for counters that threads raise in turns. */
    uint64_t highest;
};

/* Replaces the order of the accesses in function `site` that have the order `from`. */
struct wk_weakening {
    const char *site;
    enum wk_order from, to; /* a fence weakened to WK_RELAXED is none */
    bool store;             /* stores (or fences) rather than loads */
    unsigned nth;           /* only the thread's n-th such access, from 1; 0: all */
};

struct wk_result {
    unsigned long executions; /* whole and consistent */
    unsigned long cut;        /* branches that broke an axiom */
    unsigned events;          /* in the largest execution */
    bool found;               /* something is wrong */
    char wrong[160];
};

/* Checks all executions, up to the first that is wrong; that one is printed to `show`, if given. */
struct wk_result wk_check(const struct wk_program *program, enum wk_model model,
                          const struct wk_weakening *weakening, FILE *show);

/* For threads. `site` says where, in reports and to weakenings. */
uint32_t wk_load_u32(const char *site, const uint32_t *word, enum wk_order order);
void wk_store_u32(const char *site, uint32_t *word, uint32_t value, enum wk_order order);
uint32_t wk_add_u32(const char *site, uint32_t *word, uint32_t add, enum wk_order order);
void wk_fence(const char *site, enum wk_order order);
struct wk_value wk_read_plain(const char *site, const void *words, unsigned n);
void wk_write_plain(const char *site, void *words, struct wk_value value, unsigned n);

/*
 * Waits for the counter to be other than `seen` and returns it, as an acquiring load. False: it
 * never will be; the thread sleeps for ever and should return.
 */
bool wk_wait(const char *site, const uint32_t *counter, uint32_t *seen);
