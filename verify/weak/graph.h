/* SPDX-License-Identifier: BSD-2-Clause */
/* Execution graphs of the weak-memory checker, and the axioms that they must keep. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "verify/weak/weak.h"

#define WK_EVENTS    64 /* of one execution, initial stores included: a set of them is a word */
#define WK_LOCATIONS 32
#define WK_NOBODY    0xff /* the thread of the initial stores */

enum wk_kind { WK_LOAD, WK_STORE, WK_UPDATE, WK_FENCE };

struct wk_event {
    enum wk_kind kind;
    enum wk_order order;
    uint8_t thread;
    uint8_t location;
    int8_t from; /* a load's store; -1: not known yet */
    uint8_t nth; /* such a load reads the thread's n-th store of this value to the location */
    uint8_t of;  /* ... and this is the thread */
    struct wk_value read, written;
    const char *site;
};

struct wk_graph {
    unsigned n;
    unsigned locations;
    struct wk_event event[WK_EVENTS];
    /* Each location's stores in modification order, the initial one first. */
    unsigned stores[WK_LOCATIONS];
    uint8_t mo[WK_LOCATIONS][WK_EVENTS];
};

static inline bool wk_reads(const struct wk_event *e)
{
    return e->kind == WK_LOAD || e->kind == WK_UPDATE;
}

static inline bool wk_writes(const struct wk_event *e)
{
    return e->kind == WK_STORE || e->kind == WK_UPDATE;
}

static inline bool wk_same(struct wk_value a, struct wk_value b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* Do the graph's events, as far as they are known, keep the axioms? */
bool wk_consistent(const struct wk_graph *g, enum wk_model model);

/* Two events that race, or false. Of a whole, consistent graph. */
bool wk_race(const struct wk_graph *g, enum wk_model model, unsigned *a, unsigned *b);
