/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <stddef.h>

#define RATE_BAD      0.98 /* fewer sent than this part of what was asked: fell behind */
#define FRAME_HEADERS 42   /* Ethernet, IPv4, UDP: Mb/s count frames, without preamble and FCS */

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    {"sent", offsetof(struct stream_counts, sent)},
    {"returned", offsetof(struct stream_counts, returned)},
    {"wrong", offsetof(struct stream_counts, wrong)},
    {"late", offsetof(struct stream_counts, late)},
    {"lost", offsetof(struct stream_counts, lost)},
    {"unknown", offsetof(struct stream_counts, unknown)},
    {"doubled", offsetof(struct stream_counts, doubled)},
    {"reordered", offsetof(struct stream_counts, reordered)},
    {"checked", offsetof(struct stream_counts, checked)},
    {"refused", offsetof(struct stream_counts, refused)},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t field(const struct stream_counts *counts, unsigned f)
{
    return *(const uint64_t *)((const char *)counts + fields[f].offset);
}

/* All streams of a target together. */
struct result {
    uint64_t count[FIELDS];
    double packets_per_second, megabits_per_second; /* returned within the window */
    struct histogram round_trip, corrected, lag;
    bool segmented;
};

static double window_seconds(const struct load *load)
{
    return (double)(load->end - load->begin) / 1e9;
}

static const struct result *result_of(const struct load *load, unsigned target)
{
    static struct result r;
    r = (struct result){.segmented = true};
    histogram_reset(&r.round_trip);
    histogram_reset(&r.lag);
    double returned = 0, bytes = 0;
    for (unsigned i = target; i < load->streams; i += load->option.targets) {
        const struct stream *s = &load->stream[i];
        for (unsigned f = 0; f < FIELDS; f++) {
            r.count[f] += field(&s->count, f);
        }
        histogram_merge(&r.round_trip, &s->round_trip);
        histogram_merge(&r.lag, &s->lag);
        returned += (double)load->within[i].returned;
        bytes += (double)load->within[i].bytes;
        r.segmented = r.segmented && s->gso;
    }
    r.packets_per_second = returned / window_seconds(load);
    r.megabits_per_second = (bytes + returned * FRAME_HEADERS) * 8 / window_seconds(load) / 1e6;
    /* In open loop every datagram counts from when it was due: nothing is omitted. In closed loop
     * the usual round trip is the interval at which each place in the window would have sent. */
    bool closed = load->option.target[target].rate <= 0;
    histogram_correct(&r.corrected, &r.round_trip,
                      closed ? histogram_quantile(&r.round_trip, 0.5) : 0);
    return &r;
}

void load_progress(const struct load *load, uint64_t now)
{
    uint64_t sent = 0, returned = 0;
    for (unsigned i = 0; i < load->streams; i += load->option.threads) {
        sent += load->stream[i].count.sent; /* this thread's streams: the others are at work */
        returned += load->stream[i].count.returned;
    }
    double seconds = (double)(now - load->begin) / 1e9;
    fprintf(stderr, "\r%5.1f of %.1f s: %ssent %llu, returned %llu, %.0f/s \033[K", seconds,
            load->option.seconds, load->option.threads > 1 ? "the first thread " : "",
            (unsigned long long)sent, (unsigned long long)returned, (double)returned / seconds);
    fflush(stderr);
}

void load_judge(struct load *load)
{
    static struct histogram lag;
    histogram_reset(&lag);
    double asked = 0, sent = 0;
    for (unsigned i = 0; i < load->streams; i++) {
        const struct stream *s = &load->stream[i];
        histogram_merge(&lag, &s->lag);
        if (s->pace.interval > 0) {
            /* The final interval's datagrams may fall on either side of the end. */
            asked += window_seconds(load) * 1e9 / s->pace.interval - 1;
            sent += (double)s->count.sent;
        }
    }
    load->behind = histogram_quantile(&lag, 0.99);
    load->fell_behind = asked > 0 && ((double)load->behind > load->option.lag_limit * 1e9 ||
                                      sent < RATE_BAD * asked);
}

static void print_target(const struct load *load, unsigned target, FILE *out)
{
    const struct result *r = result_of(load, target);
    fprintf(out, "%s:", load->option.target[target].address);
    for (unsigned f = 0; f < FIELDS; f++) {
        fprintf(out, "%s %s %llu", f > 0 ? "," : "", fields[f].name,
                (unsigned long long)r->count[f]);
    }
    fprintf(out,
            "\n  %.0f packets/s, %.0f Mb/s; round trip mean %.1f, p50 %.1f, p99 %.1f, max %.1f "
            "us\n",
            r->packets_per_second, r->megabits_per_second, histogram_mean(&r->round_trip) / 1e3,
            (double)histogram_quantile(&r->round_trip, 0.5) / 1e3,
            (double)histogram_quantile(&r->round_trip, 0.99) / 1e3,
            (double)r->round_trip.max / 1e3);
    if (load->option.target[target].rate <= 0) {
        fprintf(out, "  corrected for coordinated omission: mean %.1f, p99 %.1f us\n",
                histogram_mean(&r->corrected) / 1e3,
                (double)histogram_quantile(&r->corrected, 0.99) / 1e3);
    }
}

void load_print(const struct load *load, FILE *out)
{
    uint64_t sent = 0;
    for (unsigned i = 0; i < load->option.targets; i++) {
        print_target(load, i, out);
    }
    for (unsigned i = 0; i < load->streams; i++) {
        sent += load->stream[i].count.sent;
    }
    fprintf(out, "generator: %.2f of a core, %.2f us for each datagram sent; lag p99 %.1f us\n",
            load->cpu / window_seconds(load), sent > 0 ? load->cpu * 1e6 / (double)sent : 0.0,
            (double)load->behind / 1e3);
    if (load->fell_behind) {
        fprintf(out, "generator: it did NOT keep the rate it was asked for; do not read this as "
                     "what the service can do\n");
    }
}

static void json_histogram(const struct histogram *h, const char *name, FILE *out)
{
    fprintf(out,
            "\"%s\": {\"count\": %llu, \"mean\": %.3f, \"p50\": %.3f, \"p99\": %.3f, "
            "\"max\": %.3f}",
            name, (unsigned long long)h->count, histogram_mean(h) / 1e3,
            (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3,
            (double)h->max / 1e3);
}

static void json_target(const struct load *load, unsigned target, FILE *out)
{
    const struct result *r = result_of(load, target);
    const struct load_target *t = &load->option.target[target];
    fprintf(out, "\n  {\"name\": \"%s\", \"rate_asked\": %.3f, \"segmentation\": %s", t->address,
            t->rate, r->segmented ? "true" : "false");
    for (unsigned f = 0; f < FIELDS; f++) {
        fprintf(out, ", \"%s\": %llu", fields[f].name, (unsigned long long)r->count[f]);
    }
    fprintf(out, ", \"packets_per_second\": %.3f, \"megabits_per_second\": %.3f, ",
            r->packets_per_second, r->megabits_per_second);
    json_histogram(&r->round_trip, "round_trip", out);
    fprintf(out, ", ");
    json_histogram(&r->corrected, "corrected", out);
    fprintf(out, ", ");
    json_histogram(&r->lag, "lag", out);
    fprintf(out, "}");
}

/* Times are in microseconds, unless they are called seconds. */
void load_json(const struct load *load, FILE *out)
{
    const struct load_options *o = &load->option;
    bool open = false;
    for (unsigned i = 0; i < o->targets; i++) {
        open = open || o->target[i].rate > 0;
    }
    fprintf(out,
            "{\"mode\": \"%s\", \"rate_asked\": %.3f, \"window\": %u, \"size\": %.1f, "
            "\"threads\": %u, \"seconds\": %.6f, \"check_every\": %u, \"cpu_seconds\": %.6f, "
            "\"lag_p99\": %.3f, \"fell_behind\": %s, \"interrupted\": %s,\n \"targets\": [",
            open ? "open" : "closed", o->rate, open ? 0 : o->window, mix_mean(&o->mix), o->threads,
            window_seconds(load), o->check_every, load->cpu, (double)load->behind / 1e3,
            load->fell_behind ? "true" : "false", load->interrupted ? "true" : "false");
    for (unsigned i = 0; i < o->targets; i++) {
        fprintf(out, "%s", i > 0 ? "," : "");
        json_target(load, i, out);
    }
    fprintf(out, "]}\n");
}
