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
