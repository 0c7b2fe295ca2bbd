/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a program's threads once for every execution graph: see weak.h for how. */
#include "graph.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define CHOICES 128 /* of one thread in one run */
#define VALUES  32  /* that one thread stores to one location, over all executions */
#define DOMAINS 128

/* A store that a thread may make: the n-th one of this value to a location. */
struct guess {
    struct wk_value value;
    uint8_t nth, of;
};

/* What a thread has been seen to store to a location: what loads of earlier threads may guess. */
struct domain {
    const void *address;
    unsigned thread;
    unsigned n;
    struct guess guess[VALUES];
};

struct choice {
    unsigned taken, options;
};

struct tape {
    struct choice choice[CHOICES];
    unsigned n, at;
};

/* A thread that waits for ever has seen this last value of that location. */
struct sleeper {
    bool asleep;
    unsigned location;
    uint32_t seen;
};

static struct {
    const struct wk_program *program;
    enum wk_model model;
    const struct wk_weakening *weakening;
    FILE *show;
    bool running; /* accesses are events; otherwise they are just accesses */
    unsigned thread;
    unsigned matched; /* accesses of this run of the thread that the weakening speaks of */
    struct wk_graph graph;
    const void *address[WK_LOCATIONS];
    struct sleeper sleeper[WK_THREADS];
    struct tape tape[WK_THREADS];
    struct domain domain[DOMAINS];
    unsigned domains;
    bool grown;
    jmp_buf cut[WK_THREADS];
    struct wk_result result;
} now;

static void give_up(const char *why)
{
    fprintf(stderr, "weak: %s: %s\n", now.program->name, why);
    exit(2);
}

/* One of `options` ways on: each in turn, over the runs of the thread. */
static unsigned choose(unsigned options)
{
    struct tape *tape = &now.tape[now.thread];
    if (options == 0) {
        longjmp(now.cut[now.thread], 1);
    }
    if (tape->at == CHOICES) {
        give_up("a thread makes too many accesses; give it less to do");
    }
    if (tape->at == tape->n) {
        tape->choice[tape->n++] = (struct choice){.options = options};
    }
    return tape->choice[tape->at++].taken;
}

/* Turns the tape to the next run. False: there is none. */
static bool turn(struct tape *tape)
{
    while (tape->n > 0) {
        struct choice *last = &tape->choice[tape->n - 1];
        if (++last->taken < last->options) {
            tape->at = 0;
            return true;
        }
        tape->n--;
    }
    return false;
}

/* ---- events --------------------------------------------------------------------------------- */

static unsigned add_event(struct wk_event event)
{
    struct wk_graph *g = &now.graph;
    if (g->n == WK_EVENTS) {
        give_up("an execution has too many events; give the threads less to do");
    }
    g->event[g->n] = event;
    return g->n++;
}

/* The location's number; its initial store is an event from its first use on. */
static unsigned location_of(const void *address, unsigned bytes)
{
    struct wk_graph *g = &now.graph;
    for (unsigned i = 0; i < g->locations; i++) {
        if (now.address[i] == address) {
            return i;
        }
    }
    if (g->locations == WK_LOCATIONS) {
        give_up("too many locations");
    }
    struct wk_value initial = {0};
    memcpy(&initial, address, bytes);
    const unsigned location = g->locations++;
    now.address[location] = address;
    g->mo[location][0] = (uint8_t)add_event((struct wk_event){
        .kind = WK_STORE,
        .order = WK_PLAIN,
        .thread = WK_NOBODY,
        .location = (uint8_t)location,
        .from = -1,
        .written = initial,
        .site = "at first",
    });
    g->stores[location] = 1;
    return location;
}

static void keep_or_cut(void)
{
    const struct tape *tape = &now.tape[now.thread];
    /* What the run before this one has done too is known to be consistent. */
    if (tape->at == tape->n && !wk_consistent(&now.graph, now.model)) {
        now.result.cut++;
        longjmp(now.cut[now.thread], 1);
    }
}

static enum wk_order order_of(const char *site, enum wk_order order, bool store)
{
    const struct wk_weakening *w = now.weakening;
    if (w == NULL || w->from != order || w->store != store || strcmp(w->site, site) != 0) {
        return order;
    }
    now.matched++;
    return w->nth == 0 || w->nth == now.matched ? w->to : order;
}

/* Stores to this location that threads after this one may make. */
static unsigned guesses(unsigned location, struct guess *guess, unsigned max)
{
    unsigned n = 0;
    for (unsigned d = 0; d < now.domains; d++) {
        const struct domain *domain = &now.domain[d];
        if (domain->address == now.address[location] && domain->thread > now.thread) {
            for (unsigned i = 0; i < domain->n && n < max; i++) {
                guess[n++] = domain->guess[i];
            }
        }
    }
    return n;
}

/* How many stores of this value to its location the thread has made, this one excepted. */
static uint8_t nth_of(unsigned store)
{
    const struct wk_graph *g = &now.graph;
    const struct wk_event *s = &g->event[store];
    uint8_t nth = 0;
    for (unsigned i = 0; i < store; i++) {
        const struct wk_event *e = &g->event[i];
        nth += e->thread == s->thread && wk_writes(e) && e->location == s->location &&
               wk_same(e->written, s->written);
    }
    return nth;
}

static void learn(unsigned location, struct wk_value value, uint8_t nth)
{
    if (now.program->highest != 0 && value.lo > now.program->highest) {
        return;
    }
    struct domain *domain = now.domain;
    while (domain < &now.domain[now.domains] &&
           (domain->address != now.address[location] || domain->thread != now.thread)) {
        domain++;
    }
    if (domain == &now.domain[now.domains]) {
        if (now.domains == DOMAINS) {
            give_up("too many locations");
        }
        *domain = (struct domain){.address = now.address[location], .thread = now.thread};
        now.domains++;
    }
    for (unsigned i = 0; i < domain->n; i++) {
        if (wk_same(domain->guess[i].value, value) && domain->guess[i].nth == nth) {
            return;
        }
    }
    if (domain->n == VALUES) {
        give_up("a thread stores too many values to one location");
    }
    domain->guess[domain->n++] =
        (struct guess){.value = value, .nth = nth, .of = (uint8_t)now.thread};
    now.grown = true;
}

/*
 * A load's value and store, chosen. `unlike`: not this value, and if it is chosen that there is
 * none ever, false.
 */
static bool choose_source(struct wk_event *e, const uint32_t *unlike)
{
    const struct wk_graph *g = &now.graph;
    struct guess guess[VALUES * WK_THREADS];
    unsigned from[WK_EVENTS], options = 0, n = 0;
    for (unsigned i = 0; i < g->stores[e->location]; i++) {
        const unsigned store = g->mo[e->location][i];
        if (unlike == NULL || g->event[store].written.lo != *unlike) {
            from[options++] = store;
        }
    }
    const unsigned guessed = guesses(e->location, guess, VALUES * WK_THREADS);
    for (unsigned i = 0; i < guessed; i++) {
        if (unlike == NULL || guess[i].value.lo != *unlike) {
            guess[n++] = guess[i];
        }
    }
    const unsigned taken = choose(options + n + (unlike != NULL));
    if (taken == options + n) {
        return false;
    }
    if (taken < options) {
        e->from = (int8_t)from[taken];
        e->read = g->event[from[taken]].written;
    } else {
        e->from = -1;
        e->read = guess[taken - options].value;
        e->nth = guess[taken - options].nth;
        e->of = guess[taken - options].of;
    }
    return true;
}

/* Loads of earlier threads that have guessed this very store read from it. */
static bool meet_guesses(unsigned store, uint8_t nth)
{
    struct wk_graph *g = &now.graph;
    const struct wk_event *s = &g->event[store];
    bool met = false;
    for (unsigned i = 0; i < g->n; i++) {
        struct wk_event *e = &g->event[i];
        if (wk_reads(e) && e->from < 0 && i != store && e->location == s->location &&
            e->of == s->thread && e->nth == nth && wk_same(e->read, s->written)) {
            e->from = (int8_t)store;
            met = true;
        }
    }
    return met;
}

/* Puts the store into its location's modification order, somewhere behind the thread's last. */
static void place_store(unsigned store)
{
    struct wk_graph *g = &now.graph;
    const unsigned location = g->event[store].location;
    unsigned first = 1;
    for (unsigned i = 1; i < g->stores[location]; i++) {
        first = g->event[g->mo[location][i]].thread == now.thread ? i + 1 : first;
    }
    const unsigned at = first + choose(g->stores[location] - first + 1);
    memmove(&g->mo[location][at + 1], &g->mo[location][at], g->stores[location] - at);
    g->mo[location][at] = (uint8_t)store;
    g->stores[location]++;
    const uint8_t nth = nth_of(store);
    learn(location, g->event[store].written, nth);
    /* Behind all other stores, and read by nobody, it stands in nobody's way. */
    const bool last = at + 1 == g->stores[location] && g->event[store].kind == WK_STORE;
    if (meet_guesses(store, nth) || !last) {
        keep_or_cut();
    }
}

static struct wk_value load(const char *site, const void *address, unsigned bytes,
                            enum wk_order order)
{
    struct wk_value value = {0};
    if (!now.running) {
        memcpy(&value, address, bytes);
        return value;
    }
    struct wk_event e = {
        .kind = WK_LOAD,
        .order = order_of(site, order, false),
        .thread = (uint8_t)now.thread,
        .location = (uint8_t)location_of(address, bytes),
        .site = site,
    };
    choose_source(&e, NULL);
    add_event(e);
    keep_or_cut();
    return e.read;
}

static void store(const char *site, void *address, struct wk_value value, unsigned bytes,
                  enum wk_order order)
{
    if (!now.running) {
        memcpy(address, &value, bytes);
        return;
    }
    place_store(add_event((struct wk_event){
        .kind = WK_STORE,
        .order = order_of(site, order, true),
        .thread = (uint8_t)now.thread,
        .location = (uint8_t)location_of(address, bytes),
        .from = -1,
        .written = value,
        .site = site,
    }));
}

uint32_t wk_load_u32(const char *site, const uint32_t *word, enum wk_order order)
{
    return (uint32_t)load(site, word, 4, order).lo;
}

void wk_store_u32(const char *site, uint32_t *word, uint32_t value, enum wk_order order)
{
    store(site, word, (struct wk_value){.lo = value}, 4, order);
}

uint32_t wk_add_u32(const char *site, uint32_t *word, uint32_t add, enum wk_order order)
{
    struct wk_event e = {
        .kind = WK_UPDATE,
        .order = order_of(site, order, true),
        .thread = (uint8_t)now.thread,
        .location = (uint8_t)location_of(word, 4),
        .site = site,
    };
    choose_source(&e, NULL);
    e.written.lo = (uint32_t)e.read.lo + add;
    place_store(add_event(e));
    return (uint32_t)e.read.lo;
}

void wk_fence(const char *site, enum wk_order order)
{
    order = order_of(site, order, true);
    if (now.running && order != WK_RELAXED) {
        add_event((struct wk_event){.kind = WK_FENCE,
                                    .order = order,
                                    .thread = (uint8_t)now.thread,
                                    .from = -1,
                                    .site = site});
    }
}

struct wk_value wk_read_plain(const char *site, const void *words, unsigned n)
{
    return load(site, words, n * 8, WK_PLAIN);
}

void wk_write_plain(const char *site, void *words, struct wk_value value, unsigned n)
{
    store(site, words, value, n * 8, WK_PLAIN);
}

bool wk_wait(const char *site, const uint32_t *counter, uint32_t *seen)
{
    struct wk_event e = {
        .kind = WK_LOAD,
        .order = order_of(site, WK_ACQUIRE, false),
        .thread = (uint8_t)now.thread,
        .location = (uint8_t)location_of(counter, 4),
        .site = site,
    };
    if (!choose_source(&e, seen)) {
        now.sleeper[now.thread] =
            (struct sleeper){.asleep = true, .location = e.location, .seen = *seen};
        return false;
    }
    add_event(e);
    keep_or_cut();
    *seen = (uint32_t)e.read.lo;
    return true;
}

/* ---- whole executions ----------------------------------------------------------------------- */

static void show_execution(void)
{
    static const char *const orders[] = {"plain",   "relaxed", "acquire",
                                         "release", "acq_rel", "seq_cst"};
    const struct wk_graph *g = &now.graph;
    FILE *out = now.show;
    if (out == NULL) {
        return;
    }
    fprintf(out, "    %s\n", now.result.wrong);
    for (unsigned i = 0; i < g->n; i++) {
        const struct wk_event *e = &g->event[i];
        fprintf(out, "    %2u  ", i);
        if (e->thread == WK_NOBODY) {
            fprintf(out, "        L%u = %llu at first\n", e->location,
                    (unsigned long long)e->written.lo);
            continue;
        }
        fprintf(out, "thread %u  ", e->thread);
        if (e->kind == WK_FENCE) {
            fprintf(out, "fence");
        }
        if (wk_reads(e)) {
            fprintf(out, "reads L%u = %llu from %d", e->location, (unsigned long long)e->read.lo,
                    e->from);
        }
        if (wk_writes(e)) {
            fprintf(out, "%sL%u = %llu", wk_reads(e) ? ", " : "", e->location,
                    (unsigned long long)e->written.lo);
        }
        fprintf(out, " (%s, %s)\n", orders[e->order], e->site);
    }
    for (unsigned t = 0; t < now.program->threads; t++) {
        if (now.sleeper[t].asleep) {
            fprintf(out, "        thread %u sleeps for ever\n", t);
        }
    }
}

/* Nobody sleeps whom a wake-up is still to reach. */
static bool all_woken(void)
{
    const struct wk_graph *g = &now.graph;
    for (unsigned t = 0; t < now.program->threads; t++) {
        const struct sleeper *s = &now.sleeper[t];
        if (s->asleep) {
            const unsigned last = g->mo[s->location][g->stores[s->location] - 1];
            if (g->event[last].written.lo != s->seen) {
                return false;
            }
        }
    }
    return true;
}

static void judge(void)
{
    unsigned a, b;
    if (!all_woken()) {
        return;
    }
    now.result.executions++;
    now.result.events = now.graph.n > now.result.events ? now.graph.n : now.result.events;
    const char *wrong = now.program->wrong == NULL ? NULL : now.program->wrong();
    if (wrong != NULL) {
        snprintf(now.result.wrong, sizeof(now.result.wrong), "%s", wrong);
    } else if (wk_race(&now.graph, now.model, &a, &b)) {
        snprintf(now.result.wrong, sizeof(now.result.wrong), "%s races with %s (events %u and %u)",
                 now.graph.event[a].site, now.graph.event[b].site, a, b);
    } else {
        return;
    }
    now.result.found = true;
    show_execution();
}

/* Has every guess been met? */
static bool all_met(void)
{
    for (unsigned i = 0; i < now.graph.n; i++) {
        if (wk_reads(&now.graph.event[i]) && now.graph.event[i].from < 0) {
            return false;
        }
    }
    return true;
}

/* All runs of this thread, each followed by all of the threads behind it. */
static void explore(unsigned thread)
{
    if (thread == now.program->threads) {
        if (all_met()) {
            judge();
        }
        return;
    }
    const struct wk_graph before = now.graph;
    now.tape[thread].n = now.tape[thread].at = 0;
    do {
        now.graph = before;
        now.thread = thread;
        now.matched = 0;
        now.sleeper[thread].asleep = false;
        now.running = true;
        if (setjmp(now.cut[thread]) == 0) {
            now.program->run[thread]();
            now.running = false;
            explore(thread + 1);
        }
        now.running = false;
    } while (!now.result.found && turn(&now.tape[thread]));
}

struct wk_result wk_check(const struct wk_program *program, enum wk_model model,
                          const struct wk_weakening *weakening, FILE *show)
{
    memset(&now, 0, sizeof(now));
    now.program = program;
    now.model = model;
    now.weakening = weakening;
    now.show = show;
    /* Until nobody stores what had not been known to be stored: then every guess was tried. */
    do {
        now.grown = false;
        now.graph.n = now.graph.locations = 0;
        memset(&now.result, 0, sizeof(now.result));
        explore(0);
    } while (now.grown && !now.result.found);
    return now.result;
}
