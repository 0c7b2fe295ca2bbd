/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A histogram of durations with a bounded relative error, in the manner of HdrHistogram: values
 * below 64 ns have a bucket each, above that every power of two is divided into 64 equal buckets.
 * A quantile is therefore at most 1/64 (1.6 %) too high; mean, minimum and maximum are exact.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_SUB      (1u << HISTOGRAM_SUB_BITS)
/* Up to 2^40 ns, 18 minutes; what is longer counts in the last bucket. */
#define HISTOGRAM_BUCKETS (HISTOGRAM_SUB * (40 - HISTOGRAM_SUB_BITS + 1))

struct histogram {
    uint64_t count, sum, min, max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
/* Counts `ns` `times` times. */
void histogram_add(struct histogram *h, uint64_t ns, uint64_t times);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that the fraction `q` (0..1) of all values does not exceed; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *h, double q);
double histogram_mean(const struct histogram *h);

/*
 * Corrects for coordinated omission: who sends the next datagram only when a reply is there sends
 * none while the service stalls, and so measures the stall once where an even load would have met
 * it many times. For every value above `expected`, the interval at which such a load would have
 * sent, the round trips that it would have seen meanwhile are added: value - expected, value - 2
 * times expected, and so on. (HdrHistogram does the same.) `into` is reset first. Values are taken
 * as the buckets have them, so minimum and mean of the result have the buckets' error.
 */
void histogram_correct(struct histogram *into, const struct histogram *from, uint64_t expected);
