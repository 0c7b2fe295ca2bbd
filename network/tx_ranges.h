/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose buffer the device means: the clients' Tx data regions, by IO address. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/net.h"

/* One client's buffers as the device sees them. */
struct tx_range {
    uint64_t begin;
    uint64_t end;
    uint32_t client;
};

struct tx_ranges {
    uint32_t count;
    struct tx_range range[NET_CLIENTS_MAX]; /* in ascending order */
};

/* At most NET_CLIENTS_MAX times. False if it overlaps another. */
static inline bool tx_ranges_add(struct tx_ranges *ranges, struct tx_range range)
{
    uint32_t at = ranges->count;
    while (at > 0 && ranges->range[at - 1].begin > range.begin) {
        ranges->range[at] = ranges->range[at - 1];
        at--;
    }
    ranges->range[at] = range;
    ranges->count++;
    return (at == 0 || ranges->range[at - 1].end <= range.begin) &&
           (at + 1 == ranges->count || range.end <= ranges->range[at + 1].begin);
}

/* The range that an IO address lies in, or NULL. */
static inline const struct tx_range *tx_ranges_find(const struct tx_ranges *ranges,
                                                    uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = ranges->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (address >= ranges->range[middle].end) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranges->count && address >= ranges->range[low].begin ? &ranges->range[low] : NULL;
}
