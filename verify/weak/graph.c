/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The axioms. Relations are rows of bits: relation[a] has bit b set if a is related to b. Names are
 * those of the literature: sb sequenced before, rf reads from, mo modification order, fr from-read
 * (a load to the stores after the one that it read), sw synchronises with, hb happens before, eco
 * extended coherence order, psc partial sequential consistency.
 */
#include "graph.h"

#include <string.h>

typedef uint64_t row;

struct relations {
    unsigned n;
    row sb[WK_EVENTS], rf[WK_EVENTS], mo[WK_EVENTS], fr[WK_EVENTS];
    row hb[WK_EVENTS], eco[WK_EVENTS];
};

#define BIT(i) ((row)1 << (i))
#define EACH(i, r)                                                                                 \
    for (row r_##i = (r); r_##i != 0; r_##i &= r_##i - 1)                                          \
        for (unsigned i = (unsigned)__builtin_ctzll(r_##i), o_##i = 1; o_##i != 0; o_##i = 0)

static bool releases(const struct wk_event *e)
{
    return e->order == WK_RELEASE || e->order == WK_ACQ_REL || e->order == WK_SEQ_CST;
}

static bool acquires(const struct wk_event *e)
{
    return e->order == WK_ACQUIRE || e->order == WK_ACQ_REL || e->order == WK_SEQ_CST;
}

static void close_transitively(row *r, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        for (unsigned i = 0; i < n; i++) {
            if (r[i] & BIT(k)) {
                r[i] |= r[k];
            }
        }
    }
}

/* r ; s */
static row follow(row from, const row *s)
{
    row to = 0;
    EACH(i, from)
    {
        to |= s[i];
    }
    return to;
}

static void basic(const struct wk_graph *g, struct relations *r)
{
    const unsigned n = g->n;
    memset(r, 0, sizeof(*r));
    r->n = n;
    row behind[WK_THREADS] = {0};
    for (unsigned i = n; i-- > 0;) {
        const unsigned thread = g->event[i].thread;
        if (thread != WK_NOBODY) {
            r->sb[i] = behind[thread];
            behind[thread] |= BIT(i);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const struct wk_event *e = &g->event[i];
        if (wk_reads(e) && e->from >= 0) {
            r->rf[e->from] |= BIT(i);
        }
    }
    for (unsigned location = 0; location < g->locations; location++) {
        row later = 0;
        for (unsigned i = g->stores[location]; i-- > 0;) {
            r->mo[g->mo[location][i]] = later;
            later |= BIT(g->mo[location][i]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (wk_reads(&g->event[i]) && g->event[i].from >= 0) {
            r->fr[i] = r->mo[g->event[i].from] & ~BIT(i);
        }
    }
}

/*
 * For each store, the events that release to an acquiring load of it: itself, fences before it, and
 * what releases to a store whose release sequence it goes on with.
 */
static void find_releases(const struct wk_graph *g, enum wk_model model, row *found)
{
    row fences[WK_THREADS] = {0};
    for (unsigned i = 0; i < g->n; i++) {
        const struct wk_event *e = &g->event[i];
        found[i] = 0;
        if (e->thread == WK_NOBODY) {
            continue;
        }
        if (e->kind == WK_FENCE) {
            fences[e->thread] |= releases(e) ? BIT(i) : 0;
        } else if (wk_writes(e) && e->order != WK_PLAIN) {
            found[i] = fences[e->thread] | (releases(e) ? BIT(i) : 0);
            for (unsigned j = i; j-- > 0 && model == WK_C11;) {
                const struct wk_event *before = &g->event[j];
                if (before->thread == e->thread && before->location == e->location &&
                    wk_writes(before)) {
                    found[i] |= found[j];
                    break;
                }
            }
        }
    }
    /* Read-modify-writes, which may read from events with a higher number: until all is said. */
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < g->n; i++) {
            const struct wk_event *e = &g->event[i];
            if (e->kind == WK_UPDATE && e->from >= 0 && (found[e->from] & ~found[i]) != 0) {
                found[i] |= found[e->from];
                more = true;
            }
        }
    }
}

static void happens_before(const struct wk_graph *g, enum wk_model model, struct relations *r)
{
    const unsigned n = g->n;
    row release[WK_EVENTS], everybody = 0;
    find_releases(g, model, release);
    for (unsigned i = 0; i < n; i++) {
        everybody |= g->event[i].thread != WK_NOBODY ? BIT(i) : 0;
    }
    for (unsigned i = 0; i < n; i++) {
        r->hb[i] = g->event[i].thread == WK_NOBODY ? everybody : r->sb[i];
    }
    for (unsigned i = 0; i < n; i++) {
        const struct wk_event *e = &g->event[i];
        if (!wk_reads(e) || e->from < 0 || e->order == WK_PLAIN) {
            continue;
        }
        row acquired = acquires(e) ? BIT(i) : 0;
        EACH(j, r->sb[i])
        {
            const struct wk_event *f = &g->event[j];
            acquired |= f->kind == WK_FENCE && acquires(f) ? BIT(j) : 0;
        }
        if (acquired != 0) {
            EACH(from, release[e->from])
            {
                r->hb[from] |= acquired;
            }
        }
    }
    close_transitively(r->hb, n);
}

static bool coherent(const struct wk_graph *g, struct relations *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        r->eco[i] = r->rf[i] | r->mo[i] | r->fr[i] | follow(r->mo[i] | r->fr[i], r->rf);
    }
    for (unsigned i = 0; i < r->n; i++) {
        if (r->hb[i] & BIT(i)) {
            return false;
        }
        EACH(j, r->eco[i])
        {
            if (r->hb[j] & BIT(i)) {
                return false;
            }
        }
        /* An update's store follows the store that it read at once. */
        const struct wk_event *e = &g->event[i];
        if (e->kind == WK_UPDATE && e->from >= 0 && (follow(r->fr[i], r->mo) & BIT(i))) {
            return false;
        }
    }
    return true;
}

static bool acyclic(row *r, unsigned n)
{
    close_transitively(r, n);
    for (unsigned i = 0; i < n; i++) {
        if (r[i] & BIT(i)) {
            return false;
        }
    }
    return true;
}

/* The order of sequentially consistent operations exists. */
static bool sequential(const struct wk_graph *g, enum wk_model model, const struct relations *r)
{
    const unsigned n = g->n;
    row fences = 0, accesses = 0;
    for (unsigned i = 0; i < n; i++) {
        if (g->event[i].order == WK_SEQ_CST) {
            *(g->event[i].kind == WK_FENCE ? &fences : &accesses) |= BIT(i);
        }
    }
    if (fences == 0 && accesses == 0) {
        return true;
    }
    row psc[WK_EVENTS] = {0};
    /* Between fences. */
    EACH(f, fences)
    {
        row to = r->hb[f];
        if (model == WK_C11) {
            to |= follow(follow(r->sb[f], r->fr), r->sb);
        } else {
            to |= follow(follow(r->hb[f], r->eco), r->hb);
        }
        psc[f] |= to & fences;
    }
    /* Between accesses, and between them and fences: sb, mo, fr and what happens before by them. */
    for (unsigned i = 0; i < n && accesses != 0; i++) {
        row here = 0, elsewhere = 0, scb = 0;
        for (unsigned j = 0; j < n; j++) {
            const bool same = g->event[i].kind != WK_FENCE && g->event[j].kind != WK_FENCE &&
                              g->event[i].location == g->event[j].location;
            *(same ? &here : &elsewhere) |= BIT(j);
        }
        scb = r->sb[i] | (r->hb[i] & here) | r->mo[i] | r->fr[i];
        EACH(j, follow(r->sb[i] & elsewhere, r->hb))
        {
            EACH(k, r->sb[j])
            {
                const bool same = g->event[j].kind != WK_FENCE && g->event[k].kind != WK_FENCE &&
                                  g->event[j].location == g->event[k].location;
                scb |= same ? 0 : BIT(k);
            }
        }
        row to = scb & (accesses | fences);
        EACH(j, scb)
        {
            to |= r->hb[j] & fences;
        }
        row from = accesses & BIT(i);
        EACH(f, fences)
        {
            from |= f == i || (r->hb[f] & BIT(i)) ? BIT(f) : 0;
        }
        EACH(f, from)
        {
            psc[f] |= to;
        }
    }
    return acyclic(psc, n);
}

bool wk_consistent(const struct wk_graph *g, enum wk_model model)
{
    struct relations r;
    basic(g, &r);
    happens_before(g, model, &r);
    return coherent(g, &r) && sequential(g, model, &r);
}

bool wk_race(const struct wk_graph *g, enum wk_model model, unsigned *a, unsigned *b)
{
    struct relations r;
    basic(g, &r);
    happens_before(g, model, &r);
    for (unsigned i = 0; i < g->n; i++) {
        for (unsigned j = i + 1; j < g->n; j++) {
            const struct wk_event *x = &g->event[i], *y = &g->event[j];
            if (x->kind != WK_FENCE && y->kind != WK_FENCE && x->location == y->location &&
                x->thread != y->thread && (x->order == WK_PLAIN || y->order == WK_PLAIN) &&
                (wk_writes(x) || wk_writes(y)) && !(r.hb[i] & BIT(j)) && !(r.hb[j] & BIT(i))) {
                *a = i;
                *b = j;
                return true;
            }
        }
    }
    return false;
}
