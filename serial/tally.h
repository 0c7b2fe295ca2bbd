/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting: into private tallies while a pass runs, and at its end into the statistics page. The
 * page's first row is the sum of everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/serial.h"

_Static_assert(SERIAL_STAT_COUNT <= 32, "a tally marks what has changed with a bit per counter");

struct tally {
    uint32_t changed;
    uint64_t count[SERIAL_STAT_COUNT]; /* since the last flush */
};

static inline void tally_add(struct tally *tally, enum serial_stat stat, uint64_t n)
{
    tally->changed |= UINT32_C(1) << stat;
    tally->count[stat] += n;
}

/* Is there a page with room for so many rows behind the first? */
static inline bool tally_page_ok(const struct sddf_region_config *region, uint32_t rows)
{
    return region->vaddr != 0 && region->size >= offsetof(struct serial_stats, row) +
                                                     (1 + rows) * sizeof(struct serial_stats_row);
}

/* Zeroes the counters, then says what they are: whoever sees the magic may read them. */
static inline struct serial_stats *tally_page_start(const struct sddf_region_config *region,
                                                    enum sddf_role role, uint32_t rows)
{
    struct serial_stats *page = (struct serial_stats *)(uintptr_t)region->vaddr;
    for (uint32_t row = 0; row <= rows; row++) {
        for (uint32_t stat = 0; stat < SERIAL_STAT_COUNT; stat++) {
            sddf_store_relaxed_u64(&page->row[row].count[stat], 0);
        }
    }
    sddf_store_relaxed_u32(&page->role, role);
    sddf_store_relaxed_u32(&page->rows, rows);
    sddf_store_relaxed_u32(&page->columns, SERIAL_STAT_COUNT);
    /* Release: the rest is there for whoever sees the magic. */
    sddf_store_release_u32(&page->magic, SERIAL_STATS_MAGIC);
    return page;
}

/* Writes what has changed into the first row, and into the client's (1 and up) if it has one. */
static inline void tally_flush(struct tally *tally, struct serial_stats *page, uint32_t row)
{
    for (; tally->changed != 0; tally->changed &= tally->changed - 1) {
        uint32_t stat = (uint32_t)__builtin_ctz(tally->changed);
        uint64_t n = tally->count[stat];
        tally->count[stat] = 0;
        sddf_atomic_u64 *sum = &page->row[0].count[stat];
        sddf_store_relaxed_u64(sum, sddf_load_relaxed_u64(sum) + n);
        if (row != 0) {
            sddf_atomic_u64 *own = &page->row[row].count[stat];
            sddf_store_relaxed_u64(own, sddf_load_relaxed_u64(own) + n);
        }
    }
}
