/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <stddef.h>

/* A lag that means that the generator did not keep its times. */
#define LAG_BAD_NS    5000000
#define RATE_BAD      0.98 /* fewer sent than this part of what was asked, likewise */
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

static double window_seconds(const struct load *load)
{
    return (double)(load->end - load->begin) / 1e9;
}

void load_progress(const struct load *load, uint64_t now)
{
    uint64_t sent = 0, returned = 0;
    for (unsigned i = 0; i < load->option.targets; i++) {
        sent += load->stream[i].count.sent;
        returned += load->stream[i].count.returned;
    }
    double seconds = (double)(now - load->begin) / 1e9;
    fprintf(stderr, "\r%5.1f of %.1f s: sent %llu, returned %llu, %.0f/s \033[K", seconds,
            load->option.seconds, (unsigned long long)sent, (unsigned long long)returned,
            (double)returned / seconds);
    fflush(stderr);
}

void load_judge(struct load *load)
{
    const struct load_options *o = &load->option;
    static struct histogram lag;
    histogram_reset(&lag);
    for (unsigned i = 0; i < o->targets; i++) {
        histogram_merge(&lag, &load->stream[i].lag);
    }
    load->behind = histogram_quantile(&lag, 0.99);
    /* The final interval's datagrams may fall on either side of the end. */
    double asked = o->rate * o->targets * window_seconds(load) - o->targets;
    load->fell_behind =
        o->rate > 0 && (load->behind > LAG_BAD_NS || (double)lag.count < RATE_BAD * asked);
}

static void print_stream(const struct load *load, unsigned i, FILE *out)
{
    const struct stream *s = &load->stream[i];
    const struct stream_counts *c = &s->count;
    double rate = (double)load->within[i] / window_seconds(load);
    fprintf(
        out,
        "%s: sent %llu, returned %llu, wrong %llu, late %llu, lost %llu, unknown %llu, doubled "
        "%llu, "
        "reordered %llu\n"
        "  %.0f packets/s, %.0f Mb/s; round trip mean %.1f, p50 %.1f, p99 %.1f, max %.1f us\n",
        s->name, (unsigned long long)c->sent, (unsigned long long)c->returned,
        (unsigned long long)c->wrong, (unsigned long long)c->late, (unsigned long long)c->lost,
        (unsigned long long)c->unknown, (unsigned long long)c->doubled,
        (unsigned long long)c->reordered, rate, rate * (s->size + FRAME_HEADERS) * 8 / 1e6,
        histogram_mean(&s->round_trip) / 1e3, (double)histogram_quantile(&s->round_trip, 0.5) / 1e3,
        (double)histogram_quantile(&s->round_trip, 0.99) / 1e3, (double)s->round_trip.max / 1e3);
}

void load_print(const struct load *load, FILE *out)
{
    uint64_t sent = 0;
    for (unsigned i = 0; i < load->option.targets; i++) {
        print_stream(load, i, out);
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

/* Times are in microseconds, unless they are called seconds. */
void load_json(const struct load *load, FILE *out)
{
    const struct load_options *o = &load->option;
    double seconds = window_seconds(load);
    fprintf(out,
            "{\"mode\": \"%s\", \"rate_asked\": %.3f, \"window\": %u, \"size\": %u, "
            "\"seconds\": %.6f, \"check_every\": %u, \"cpu_seconds\": %.6f, "
            "\"lag_p99\": %.3f, \"fell_behind\": %s, \"interrupted\": %s,\n \"targets\": [",
            o->rate > 0 ? "open" : "closed", o->rate, o->rate > 0 ? 0 : o->window, o->size, seconds,
            o->check_every, load->cpu, (double)load->behind / 1e3,
            load->fell_behind ? "true" : "false", load->interrupted ? "true" : "false");
    for (unsigned i = 0; i < o->targets; i++) {
        const struct stream *s = &load->stream[i];
        fprintf(out, "%s\n  {\"name\": \"%s\", \"segmentation\": %s", i > 0 ? "," : "", s->name,
                s->gso ? "true" : "false");
        for (unsigned f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
            uint64_t value = *(const uint64_t *)((const char *)&s->count + fields[f].offset);
            fprintf(out, ", \"%s\": %llu", fields[f].name, (unsigned long long)value);
        }
        fprintf(out, ", \"packets_per_second\": %.3f, \"megabits_per_second\": %.3f, ",
                (double)load->within[i] / seconds,
                (double)load->within[i] * (s->size + FRAME_HEADERS) * 8 / seconds / 1e6);
        json_histogram(&s->round_trip, "round_trip", out);
        fprintf(out, ", ");
        json_histogram(&s->lag, "lag", out);
        fprintf(out, "}");
    }
    fprintf(out, "]}\n");
}
