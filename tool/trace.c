/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sddf trace: who wakes and who notifies whom in a running system, over time. The counters in the
 * signal pages are looked at again and again: how often something happened is exact, and when it
 * did to within one look. Nothing in the system takes part; all that it could notice is that these
 * cache lines are read from another processor.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "system/model.h"
#include "tool/inside.h"

struct seen {
    bool chosen;
    uint32_t asleep;
    uint32_t sent[MK_CHANNELS];
    size_t peer[MK_CHANNELS]; /* by channel: an index of a PD */
};

struct trace {
    struct inspect inspect;
    struct seen *seen;
    FILE *out;
    bool json;
    bool first; /* nothing has been written to the list */
    uint64_t began;
    uint64_t looks, longest; /* ns between two looks */
};

/* ---- events -------------------------------------------------------------------------------- */

static double seconds_of(const struct trace *trace, uint64_t at)
{
    return (double)(at - trace->began) / 1e9;
}

/* Names have no control characters, but else what one likes. */
static void write_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

/* Chrome's trace events, which Perfetto and others show: name, phase, time, thread, the rest. */
static void write_json(struct trace *trace, const char *phase, double us, size_t pd,
                       const char *name, const char *peer, uint32_t times)
{
    fprintf(trace->out, "%s{\"ph\":\"%s\",\"pid\":1,\"tid\":%zu,\"ts\":%.3f,\"name\":\"%s",
            trace->first ? "" : ",\n", phase, pd + 1, us, name);
    write_escaped(trace->out, peer);
    fputs("\"", trace->out);
    if (phase[0] == 'i') {
        fprintf(trace->out, ",\"s\":\"t\",\"args\":{\"times\":%u}", times);
    }
    fputs("}", trace->out);
    trace->first = false;
}

static void write_names(struct trace *trace)
{
    fputs("{\"traceEvents\":[\n", trace->out);
    trace->first = true;
    for (size_t i = 0; i < trace->inspect.pd_count; i++) {
        fprintf(trace->out,
                "%s{\"ph\":\"M\",\"pid\":1,\"tid\":%zu,\"name\":\"thread_name\","
                "\"args\":{\"name\":\"",
                i == 0 ? "" : ",\n", i + 1);
        write_escaped(trace->out, trace->inspect.pds[i].name);
        fputs("\"}}", trace->out);
        trace->first = false;
    }
}

static void write_line(struct trace *trace, uint64_t at, size_t pd, const char *what,
                       const char *peer, uint32_t times)
{
    fprintf(trace->out, "%12.6f  %-24s %s%s", seconds_of(trace, at), trace->inspect.pds[pd].name,
            what, peer);
    if (times > 1) {
        fprintf(trace->out, " %u times", times);
    }
    fputc('\n', trace->out);
}

/* It got up so often, and is asleep or awake now. */
static void write_wakes(struct trace *trace, uint64_t at, size_t pd, uint32_t before, uint32_t now)
{
    uint32_t ups = (now / 2 - before / 2) & (UINT32_MAX / 2);
    bool was_asleep = (before & 1) != 0;
    bool asleep = (now & 1) != 0;
    if (!trace->json) {
        if (ups > 0) {
            write_line(trace, at, pd, "wakes", "", ups);
        }
        if (asleep && (!was_asleep || ups > 0)) {
            write_line(trace, at, pd, "sleeps", "", 1);
        }
        return;
    }
    double us = seconds_of(trace, at) * 1e6;
    if (!was_asleep && (asleep || ups > 0)) {
        write_json(trace, "E", us, pd, "awake", "", 1);
    }
    if (ups > 1 || (ups == 1 && asleep && was_asleep)) { /* and slept again before this look */
        write_json(trace, "i", us, pd, "awake", "", asleep ? ups : ups - 1);
    }
    if (!asleep && ups > 0) {
        write_json(trace, "B", us, pd, "awake", "", 1);
    }
}

/* ---- looks --------------------------------------------------------------------------------- */

static void look_at(struct trace *trace, uint64_t at, size_t pd)
{
    const struct mk_signal_page *page = trace->inspect.pds[pd].signal;
    struct seen *seen = &trace->seen[pd];
    for (size_t i = 0; i < trace->inspect.pds[pd].channel_count; i++) {
        unsigned id = trace->inspect.pds[pd].channels[i].id;
        uint32_t sent = sddf_load_relaxed_u32(&page->sent[id].word);
        size_t peer = seen->peer[id];
        if (sent == seen->sent[id]) {
            continue;
        }
        if (seen->chosen || trace->seen[peer].chosen) {
            const char *name = trace->inspect.pds[peer].name;
            uint32_t times = sent - seen->sent[id];
            if (trace->json) {
                write_json(trace, "i", seconds_of(trace, at) * 1e6, pd, "notifies ", name, times);
            } else {
                write_line(trace, at, pd, "notifies ", name, times);
            }
        }
        seen->sent[id] = sent;
    }
    uint32_t asleep = sddf_load_relaxed_u32(&page->asleep.word);
    if (asleep != seen->asleep && seen->chosen) {
        write_wakes(trace, at, pd, seen->asleep, asleep);
    }
    seen->asleep = asleep;
}

static void begin(struct trace *trace)
{
    trace->began = inside_now();
    for (size_t i = 0; i < trace->inspect.pd_count; i++) {
        const struct inspect_pd *pd = &trace->inspect.pds[i];
        struct seen *seen = &trace->seen[i];
        seen->asleep = sddf_load_relaxed_u32(&pd->signal->asleep.word);
        for (size_t c = 0; c < pd->channel_count; c++) {
            unsigned id = pd->channels[c].id;
            seen->peer[id] = pd->channels[c].peer;
            seen->sent[id] = sddf_load_relaxed_u32(&pd->signal->sent[id].word);
        }
        if (trace->json && (seen->asleep & 1) == 0 && seen->chosen) {
            write_json(trace, "B", 0, i, "awake", "", 1);
        }
    }
}

static void follow(struct trace *trace, uint64_t every_ns)
{
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    if (trace->json) {
        write_names(trace);
    }
    begin(trace);
    for (uint64_t before = trace->began; inside_goes_on(&trace->inspect);) {
        inside_pause(every_ns);
        uint64_t now = inside_now();
        for (size_t i = 0; i < trace->inspect.pd_count; i++) {
            look_at(trace, now, i);
        }
        if (!trace->json) {
            fflush(trace->out); /* somebody may be watching */
        }
        trace->longest = now - before > trace->longest ? now - before : trace->longest;
        trace->looks++;
        before = now;
    }
    if (trace->json) {
        fputs("\n]}\n", trace->out);
    }
}

/* ---- the command --------------------------------------------------------------------------- */

static bool choose(const struct tool_command *self, struct trace *trace, const char *name)
{
    const char *names[MK_PDS + 1];
    size_t count = 0;
    bool found = false;
    for (size_t i = 0; i < trace->inspect.pd_count; i++) {
        bool is = name == NULL || strcmp(trace->inspect.pds[i].name, name) == 0;
        trace->seen[i].chosen |= is;
        found |= is;
        if (count < MK_PDS) {
            names[count++] = trace->inspect.pds[i].name;
        }
    }
    if (!found) {
        char *meant = model_suggest(name, names, count, "protection domains");
        tool_usage(self, "--pd %s: there is no such protection domain; %s", name, meant);
        free(meant);
    }
    return found;
}

static int report(const struct tool_command *self, struct trace *trace, const char *path)
{
    bool good = !ferror(trace->out) && fflush(trace->out) == 0;
    if (path != NULL) {
        good = fclose(trace->out) == 0 && good;
    }
    if (!good) {
        fprintf(stderr, "sddf %s: %s cannot be written\n", self->name,
                path != NULL ? path : "standard output");
        return TOOL_MISTAKES;
    }
    double us =
        trace->looks == 0 ? 0 : seconds_of(trace, inside_now()) * 1e6 / (double)trace->looks;
    fprintf(stderr, "sddf %s: %llu looks, %.0f us apart, and once %.0f us\n", self->name,
            (unsigned long long)trace->looks, us, (double)trace->longest / 1e3);
    return TOOL_OK;
}

static int trace_system(const struct tool_command *self, struct trace *trace,
                        const struct inside_order *order, double every)
{
    trace->seen = calloc(trace->inspect.pd_count + 1, sizeof(*trace->seen));
    for (size_t i = 0; i < order->pd_count; i++) {
        if (!choose(self, trace, order->pds[i])) {
            return TOOL_USAGE;
        }
    }
    if (order->pd_count == 0) {
        choose(self, trace, NULL);
    }
    trace->json = order->path != NULL;
    trace->out = order->path != NULL ? fopen(order->path, "we") : stdout;
    if (trace->out == NULL) {
        fprintf(stderr, "sddf %s: %s cannot be written: %s\n", self->name, order->path,
                strerror(errno));
        return TOOL_MISTAKES;
    }
    inside_begin(order->seconds);
    follow(trace, (uint64_t)(every * 1e9));
    return report(self, trace, order->path);
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        INSIDE_OPTIONS,
        {"every", required_argument, NULL, 'e'},
        {0},
    };
    struct inside_order order = {0};
    double every = 100e-6;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        bool good = option == 'e' ? inside_seconds(self, "--every", optarg, 0, 1, &every)
                                  : inside_option(self, option, argv, &order);
        if (!good) {
            return TOOL_USAGE;
        }
    }
    struct trace trace = {0};
    int status = inside_open(self, argc, argv, &trace.inspect);
    if (status == TOOL_OK) {
        status = trace_system(self, &trace, &order, every);
        inspect_close(&trace.inspect);
        free(trace.seen);
    }
    return status;
}

const struct tool_command tool_trace = {
    .name = "trace",
    .summary = "show wake-ups and notifications of a running system over time",
    .help =
        "sddf trace STATE [OPTIONS]\n"
        "\n"
        "Prints, of a system that was started with \"sddf run --state STATE\", which protection\n"
        "domain wakes, falls asleep, or notifies which other, and when (in seconds from the\n"
        "start), until Ctrl-C or the system's end. It looks at counters that are there anyway,\n"
        "again and again: how often is exact, when is known to within one look, and of what comes\n"
        "between two looks the order is not known. Let it run on another processor than the\n"
        "system (taskset). It takes the user who started the system, or root.\n"
        "\n"
        "  -o, --output FILE  write a file that Perfetto (ui.perfetto.dev) or Chrome's tracing\n"
        "                     shows, in place of lines\n"
        "  --seconds S        end after so many seconds\n"
        "  --pd NAME          only this one, and who notifies it; may be repeated\n"
        "  --every S          seconds between two looks (0.0001); 0: no pause\n"
        "\n"
        "At the end it says how far the looks were apart.\n"
        "\n"
        "Exit status: 0, also if the system has ended; 1 if it could not be looked at; 2 if the\n"
        "command line makes no sense.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  sddf trace /run/echo.json --pd alice --seconds 2\n"
        "  taskset -c 1 sddf trace /run/echo.json --every 0 --seconds 0.5 -o echo.trace\n",
    .run = run,
};
