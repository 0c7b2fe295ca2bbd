/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Even pacing: datagram n is due `offset` + n times `interval` after the beginning, whatever became
 * of those before it. Times are computed from the beginning each time and not added up, so that no
 * rounding error grows.
 */
#pragma once

#include <stdint.h>

struct pace {
    double interval; /* ns; 0: no fixed times */
    double offset;   /* ns */
};

/*
 * The pace of stream `index` of `streams` that send `rate` datagrams/s each: they take turns within
 * the interval and do not send in one burst.
 */
static inline struct pace pace_of(double rate, unsigned index, unsigned streams)
{
    double interval = rate > 0 ? 1e9 / rate : 0;
    return (struct pace){.interval = interval, .offset = interval * index / streams};
}

/* When datagram `number` is due, in ns after the beginning. */
static inline uint64_t pace_due(const struct pace *pace, uint64_t number)
{
    return (uint64_t)(pace->offset + (double)number * pace->interval);
}

/* How many datagrams from `next` on are due at `elapsed` ns after the beginning. */
static inline uint64_t pace_missing(const struct pace *pace, uint64_t next, uint64_t elapsed)
{
    if (pace_due(pace, next) > elapsed) {
        return 0;
    }
    uint64_t n = (uint64_t)(((double)elapsed - pace->offset) / pace->interval);
    /* The division may round either way; the due times decide. */
    n = n >= next ? n : next;
    while (pace_due(pace, n + 1) <= elapsed) {
        n++;
    }
    while (n > next && pace_due(pace, n) > elapsed) {
        n--;
    }
    return n - next + 1;
}
