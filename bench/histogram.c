/* SPDX-License-Identifier: BSD-2-Clause */
#include "histogram.h"

#include <string.h>

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB) {
        return (unsigned)ns;
    }
    /* The leading bit names the power of two, the HISTOGRAM_SUB_BITS behind it the bucket in it. */
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    unsigned index = (shift + 1) * HISTOGRAM_SUB + (unsigned)(ns >> shift) - HISTOGRAM_SUB;
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

static uint64_t bucket_end(unsigned index)
{
    if (index < HISTOGRAM_SUB) {
        return index;
    }
    unsigned shift = index / HISTOGRAM_SUB - 1;
    uint64_t first = (uint64_t)(index % HISTOGRAM_SUB + HISTOGRAM_SUB) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
    h->min = UINT64_MAX;
}

void histogram_add(struct histogram *h, uint64_t ns, uint64_t times)
{
    h->count += times;
    h->sum += ns * times;
    h->min = ns < h->min ? ns : h->min;
    h->max = ns > h->max ? ns : h->max;
    h->bucket[bucket_of(ns)] += times;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->bucket[i] += from->bucket[i];
    }
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->count == 0) {
        return 0;
    }
    uint64_t rank = (uint64_t)(q * (double)h->count + 0.999999);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank && h->bucket[i] != 0) {
            uint64_t end = bucket_end(i);
            return end < h->max ? end : h->max;
        }
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0.0 : (double)h->sum / (double)h->count;
}

void histogram_correct(struct histogram *into, const struct histogram *from, uint64_t expected)
{
    histogram_reset(into);
    histogram_merge(into, from);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && expected > 0; i++) {
        uint64_t times = from->bucket[i];
        uint64_t value = bucket_end(i) < from->max ? bucket_end(i) : from->max;
        while (times > 0 && value > expected && value - expected >= expected) {
            value -= expected;
            histogram_add(into, value, times);
        }
    }
}
