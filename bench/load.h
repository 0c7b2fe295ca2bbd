/* SPDX-License-Identifier: BSD-2-Clause */
/* What the load generator is asked to do, what it saw, and how it says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "load_stream.h"

#define LOAD_TARGETS 16

struct load_options {
    const char *target[LOAD_TARGETS];
    unsigned targets;
    double rate;     /* datagrams/s per target; 0: closed loop */
    unsigned window; /* on their way per target, closed loop */
    unsigned size;
    double seconds;
    double timeout;  /* s: a reply that is later counts as late */
    double patience; /* s to wait for each target's first answer */
    unsigned check_every;
    const char *json; /* file for the result, "-" for stdout */
    bool progress;
    bool flood;  /* send first, and read replies only when nothing is overdue */
    int control; /* descriptor to tell about start and stop, or -1 */
};

struct load {
    struct load_options option;
    struct stream stream[LOAD_TARGETS];
    uint64_t begin, end;           /* ns: the measured window */
    uint64_t within[LOAD_TARGETS]; /* returned inside it */
    double cpu;                    /* s of processor time that the generator took inside it */
    uint64_t behind;               /* ns: 99th percentile of the send lag, all targets */
    bool fell_behind, interrupted;
};

/* load_options.c: exits with 2 on a mistake, 0 after --help. */
void load_parse(struct load_options *option, int argc, char **argv);

/* load_report.c */
void load_progress(const struct load *load, uint64_t now);
void load_judge(struct load *load);
void load_print(const struct load *load, FILE *out);
void load_json(const struct load *load, FILE *out);
