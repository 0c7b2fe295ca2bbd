/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How busy a processor is: a count of the time in which nothing wanted it, in a page that one
 * writes and others read.
 *
 * Who writes it is the board's business. Where there is nothing below the protection domains that
 * knows (seL4), it is one of the lowest priority, which never sleeps: it reads the clock without
 * end, and what lies between two readings that follow each other closely was idle time. On Linux
 * such a thing would keep the processor, and its neighbours' caches and clock, from ever resting,
 * and the kernel knows anyway: there the loader writes down, now and then, what the kernel says.
 *
 * The count tells a reader what others do with the processor. So only those have it who are listed
 * in the description.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/atomic.h"
#include "sddf/clock.h"
#include "sddf/config.h"

/* Nanoseconds since some moment in the past. */
struct idle_sample {
    uint64_t idle;
    uint64_t total; /* the moment at which `idle` was right */
};

/*
 * The samples lie in two slots by turns, so a reader that has stopped the writer halfway, being of
 * a higher priority, finds the last one whole.
 */
struct idle_page {
    sddf_atomic_u32 latest; /* counts samples; slot[latest % 2] is the last one */
    uint32_t reserved;
    struct {
        sddf_atomic_u64 idle;
        sddf_atomic_u64 total; /* 0: `idle` is right until the next sample, whenever it is read */
    } slot[2];
};

/* For the counter and for those who read. */
struct idle_config {
    struct sddf_config_header header;
    struct sddf_region_config page; /* struct idle_page */
};

/* For the one writer. */
static inline void idle_publish(struct idle_page *page, struct idle_sample sample)
{
    uint32_t next = sddf_load_relaxed_u32(&page->latest) + 1;
    /* Nobody sees this slot change who does not see too that it is no longer the last one's. */
    sddf_fence_seq_cst();
    sddf_store_relaxed_u64(&page->slot[next % 2].idle, sample.idle);
    sddf_store_relaxed_u64(&page->slot[next % 2].total, sample.total);
    sddf_store_release_u32(&page->latest, next); /* the sample is there before it is the last one */
}

/*
 * What is counted up to now, of samples that were taken at some moments: since the last one, things
 * are taken to have gone on as between the two, for as long as that at the most.
 */
static inline struct idle_sample idle_go_on(struct idle_sample before, struct idle_sample last,
                                            uint64_t now)
{
    uint64_t idle = last.idle - before.idle;
    uint64_t total = last.total - before.total;
    uint64_t since = now > last.total ? now - last.total : 0;
    if (before.total != 0 && total != 0 && total < 4 * SDDF_NS_PER_S) {
        idle = idle < total ? idle : total;
        last.idle += (since < total ? since : total) * idle / total;
    }
    last.total = now;
    return last;
}

/*
 * The count as it is now. False if the writer, on another processor, was quicker each time; it is
 * not the next time.
 */
static inline bool idle_read(const struct idle_page *page, struct idle_sample *sample)
{
    for (int tries = 0; tries < 8; tries++) {
        struct idle_sample slot[2];
        uint32_t latest = sddf_load_acquire_u32(&page->latest);
        for (int i = 0; i < 2; i++) {
            slot[i].idle = sddf_load_relaxed_u64(&page->slot[i].idle);
            slot[i].total = sddf_load_relaxed_u64(&page->slot[i].total);
        }
        sddf_fence_seq_cst(); /* the slots were read before this looks whether they may have changed
                               */
        if (sddf_load_relaxed_u32(&page->latest) == latest) {
            *sample = slot[latest % 2];
            if (sample->total == 0) {
                sample->total = sddf_clock_now();
            } else {
                *sample = idle_go_on(slot[(latest + 1) % 2], *sample, sddf_clock_now());
            }
            return true;
        }
    }
    return false;
}
