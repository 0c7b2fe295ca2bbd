/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The weak-memory checks, as TAP: first that the checker knows the classic litmus tests' outcomes,
 * then the shipped queue under both readings of the memory model, then that each order in the
 * queue's header is needed. Exit status 0 if all is well. Arguments: only programs of these names.
 */
#include <string.h>

#include "litmus.h"
#include "queues.h"

static const char *const models[] = {[WK_C11] = "C11", [WK_C20] = "C++20"};
static unsigned tests, failures;
static unsigned long executions;

static void say(bool ok, const char *what)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", ++tests, what);
    fflush(stdout);
    failures += !ok;
}

static void check_litmus(const struct litmus *l, enum wk_model model)
{
    const bool allowed = model == WK_C11 ? l->c11 : l->c20;
    const struct wk_result r = wk_check(&l->program, model, NULL, NULL);
    char text[160];
    snprintf(text, sizeof(text), "litmus: %s: %s in %s", l->program.name,
             allowed ? "allowed" : "forbidden", models[model]);
    say(r.found == allowed, text);
}

static void check_queue(const struct wk_program *program, enum wk_model model)
{
    const struct wk_result r = wk_check(program, model, NULL, stdout);
    char text[200];
    snprintf(text, sizeof(text), "queue: %s: %s, %lu executions of at most %u events (%lu cut)",
             program->name, models[model], r.executions, r.events, r.cut);
    say(!r.found && r.executions > 1, text);
    executions += r.executions;
}

static void check_order(const struct queues_order *order)
{
    static const char *const orders[] = {"plain",   "relaxed", "acquire",
                                         "release", "acq_rel", "seq_cst"};
    const struct wk_weakening *w = &order->weakening;
    char nth[24] = "", text[320];
    struct wk_result r = {0};
    for (unsigned i = 0; i < queues_count; i++) {
        if (strcmp(queues[i].name, order->program) == 0) {
            r = wk_check(&queues[i], WK_C20, w, NULL);
        }
    }
    if (w->nth != 0) {
        snprintf(nth, sizeof(nth), "'s number %u", w->nth);
    }
    snprintf(text, sizeof(text), "order: %s%s: %s, not %s, or in \"%s\": %s", w->site, nth,
             orders[w->from], orders[w->to], order->program, r.found ? r.wrong : "nothing");
    say(r.found, text);
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool found = argc == 1;
    for (int i = 1; i < argc; i++) {
        found = found || strstr(name, argv[i]) != NULL;
    }
    return found;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("weak: checks the queue's code against every execution that the C11 memory model\n"
               "allows, within small bounds, and the checker against litmus tests.\n"
               "  weak           everything\n"
               "  weak NAME...   what has NAME in its name: litmus tests, queue programs, "
               "functions\n");
        return 0;
    }
    queues_prepare();
    for (enum wk_model model = WK_C11; model <= WK_C20; model++) {
        for (unsigned i = 0; i < litmus_count; i++) {
            if (wanted(litmus[i].program.name, argc, argv)) {
                check_litmus(&litmus[i], model);
            }
        }
    }
    for (enum wk_model model = WK_C11; model <= WK_C20; model++) {
        for (unsigned i = 0; i < queues_count; i++) {
            if (wanted(queues[i].name, argc, argv)) {
                check_queue(&queues[i], model);
            }
        }
    }
    for (unsigned i = 0; i < queues_orders_count; i++) {
        if (wanted(queues_orders[i].weakening.site, argc, argv)) {
            check_order(&queues_orders[i]);
        }
    }
    printf("1..%u\n# %lu executions of the queue, %u of %u checks failed\n", tests, executions,
           failures, tests);
    if (tests == 0) {
        fprintf(stderr, "weak: nothing has such a name; weak --help\n");
    }
    return failures != 0 || tests == 0;
}
