/* SPDX-License-Identifier: BSD-2-Clause */
/* What the load generator is asked to do, what it saw, and how it says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "load_stream.h"

#define LOAD_TARGETS 64
#define LOAD_THREADS 16

struct load_target {
    char address[32]; /* "10.0.0.10:7" */
    double rate;      /* datagrams/s; 0: closed loop */
};

struct load_options {
    struct load_target target[LOAD_TARGETS];
    unsigned targets;
    unsigned threads;
    double rate;     /* datagrams/s of each target that names no rate of its own */
    unsigned window; /* on their way per target, closed loop */
    struct mix mix;
    double seconds;
    double timeout;   /* s: a reply that is later counts as late */
    double patience;  /* s to wait for each target's first answer */
    double lag_limit; /* s: a 99th percentile of the send lag above it means: fell behind */
    unsigned check_every;
    const char *json; /* file for the result, "-" for stdout */
    bool progress;
    bool flood;  /* send first, and read replies only when nothing is overdue */
    int control; /* descriptor to tell about start and stop, or -1 */
};

/* Stream i goes to target i % targets and is thread i % threads' work. */
struct load {
    struct load_options option;
    struct stream stream[LOAD_TARGETS];
    struct stream_counts within[LOAD_TARGETS]; /* the counts at the window's end */
    unsigned streams;
    uint64_t begin, end; /* ns: the measured window */
    double cpu;          /* s of processor time that the generator took inside it */
    uint64_t behind;     /* ns: 99th percentile of the send lag, all streams */
    bool fell_behind, interrupted;
};

/* load_options.c: exits with 2 on a mistake, 0 after --help. */
void load_parse(struct load_options *option, int argc, char **argv);

/* How many streams go to a target: with more threads than targets, several. */
static inline unsigned load_share(const struct load *load, unsigned target)
{
    const struct load_options *o = &load->option;
    return (load->streams - target + o->targets - 1) / o->targets;
}

/* load_report.c */
void load_progress(const struct load *load, uint64_t now);
void load_judge(struct load *load);
void load_print(const struct load *load, FILE *out);
void load_json(const struct load *load, FILE *out);
