/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting without touching shared memory for every packet: a component counts into private
 * tallies, one per neighbour and one for what is nobody's, and at the end of a pass writes those
 * that have changed into its statistics page. The page's first row is the sum of everything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

_Static_assert(NET_STAT_COUNT <= 32, "a tally marks what has changed with a bit per counter");

#define TALLY_BIT(stat) (UINT32_C(1) << (stat))

/* The counters below this one are counted while all is well. */
#define TALLY_OFTEN (NET_STAT_SIGNALS + 1)

struct tally {
    uint32_t changed;
    uint64_t count[NET_STAT_COUNT]; /* since the last flush */
};

/*@ predicate tally_ok(struct tally t) = t.changed < pow2(NET_STAT_COUNT);
  @*/

/* Nothing is counted. */
/*@ requires \valid(tally);
  @ assigns *tally;
  @ ensures tally_ok(*tally);
  @*/
static inline void tally_start(struct tally *tally)
{
    tally->changed = 0;
    /*@ loop invariant 0 <= stat <= NET_STAT_COUNT;
      @ loop assigns stat, tally->count[0 .. NET_STAT_COUNT - 1];
      @ loop variant NET_STAT_COUNT - stat;
      @*/
    for (uint32_t stat = 0; stat < NET_STAT_COUNT; stat++) {
        tally->count[stat] = 0;
    }
}

/*@ requires \valid(tally) && tally_ok(*tally) && 0 <= stat < NET_STAT_COUNT;
  @ assigns tally->changed, tally->count[stat];
  @ ensures tally_ok(*tally);
  @*/
static inline void tally_add(struct tally *tally, enum net_stat stat, uint64_t n)
{
    tally->changed |= UINT32_C(1) << stat;
    tally->count[stat] += n;
}

/* Is there a page with room for so many rows behind the first? */
/*@ requires \valid_read(region) && rows <= NET_CLIENTS_MAX;
  @ assigns \nothing;
  @ ensures \result ==> region->vaddr != 0 &&
  @     region->size >= 16 + (rows + 1) * sizeof(struct net_stats_row);
  @*/
static inline bool tally_page_ok(const struct sddf_region_config *region, uint32_t rows)
{
    return region->vaddr != 0 &&
           region->size >=
               sizeof(struct net_stats) - (NET_CLIENTS_MAX - rows) * sizeof(struct net_stats_row);
}

/* A page that is memory, with so many rows behind the first. */
/*@ predicate tally_page(struct net_stats *page, integer rows) =
  @     \valid(&page->magic) && \valid(&page->role) && \valid(&page->rows) &&
  @     \valid(&page->columns) && \valid(&page->row[0 .. rows]);
  @*/

/* Zeroes the counters, then says what they are: whoever sees the magic may read them. */
/*@ requires \valid_read(region) && rows <= NET_CLIENTS_MAX;
  @ requires in_memory: tally_page((struct net_stats *)region->vaddr, rows);
  @ assigns \nothing;
  @ ensures tally_page(\result, rows);
  @*/
static inline struct net_stats *tally_page_start(const struct sddf_region_config *region,
                                                 enum sddf_role role, uint32_t rows)
{
    struct net_stats *page = (struct net_stats *)(uintptr_t)region->vaddr;
    /*@ loop invariant 0 <= row <= rows + 1;
      @ loop assigns row;
      @ loop variant rows + 1 - row;
      @*/
    for (uint32_t row = 0; row <= rows; row++) {
        /*@ loop invariant 0 <= stat <= NET_STAT_COUNT;
          @ loop assigns stat;
          @ loop variant NET_STAT_COUNT - stat;
          @*/
        for (uint32_t stat = 0; stat < NET_STAT_COUNT; stat++) {
            sddf_store_relaxed_u64(&page->row[row].count[stat], 0);
        }
    }
    sddf_store_relaxed_u32(&page->role, role);
    sddf_store_relaxed_u32(&page->rows, rows);
    sddf_store_relaxed_u32(&page->columns, NET_STAT_COUNT);
    /* Release: the rest is there for whoever sees the magic. */
    sddf_store_release_u32(&page->magic, NET_STATS_MAGIC);
    return page;
}

/* Writes one counter into the first row, and into the neighbour's (1 and up) if it has one. */
/*@ requires \valid(tally) && row <= NET_CLIENTS_MAX && 0 <= stat < NET_STAT_COUNT;
  @ requires in_memory: tally_page(page, row);
  @ assigns tally->count[stat];
  @*/
static inline void tally_move(struct tally *tally, struct net_stats *page, uint32_t row,
                              enum net_stat stat)
{
    const uint64_t n = tally->count[stat];
    tally->count[stat] = 0;
    net_stat_add(&page->row[0], stat, n);
    if (row != 0) {
        net_stat_add(&page->row[row], stat, n);
    }
}

/* What is counted while all is well: one by one, for a loop over bits costs twice as much. */
/*@ requires \valid(tally) && row <= NET_CLIENTS_MAX;
  @ requires in_memory: tally_page(page, row);
  @ assigns tally->count[0 .. NET_STAT_COUNT - 1];
  @*/
static inline void tally_move_often(struct tally *tally, struct net_stats *page, uint32_t row,
                                    uint32_t changed)
{
    if ((changed & TALLY_BIT(NET_STAT_RX_PACKETS)) != 0) {
        tally_move(tally, page, row, NET_STAT_RX_PACKETS);
    }
    if ((changed & TALLY_BIT(NET_STAT_RX_BYTES)) != 0) {
        tally_move(tally, page, row, NET_STAT_RX_BYTES);
    }
    if ((changed & TALLY_BIT(NET_STAT_TX_PACKETS)) != 0) {
        tally_move(tally, page, row, NET_STAT_TX_PACKETS);
    }
    if ((changed & TALLY_BIT(NET_STAT_TX_BYTES)) != 0) {
        tally_move(tally, page, row, NET_STAT_TX_BYTES);
    }
    if ((changed & TALLY_BIT(NET_STAT_COPIED_BYTES)) != 0) {
        tally_move(tally, page, row, NET_STAT_COPIED_BYTES);
    }
    if ((changed & TALLY_BIT(NET_STAT_WAKEUPS)) != 0) {
        tally_move(tally, page, row, NET_STAT_WAKEUPS);
    }
    if ((changed & TALLY_BIT(NET_STAT_SIGNALS)) != 0) {
        tally_move(tally, page, row, NET_STAT_SIGNALS);
    }
}

/* Writes what has changed into the first row, and into the neighbour's (1 and up) if it has one. */
/*@ requires \valid(tally) && tally_ok(*tally) && row <= NET_CLIENTS_MAX;
  @ requires in_memory: tally_page(page, row);
  @ assigns *tally;
  @ ensures tally_ok(*tally) && tally->changed == 0;
  @*/
static inline void tally_flush(struct tally *tally, struct net_stats *page, uint32_t row)
{
    uint32_t changed = tally->changed;
    tally->changed = 0;
    tally_move_often(tally, page, row, changed);
    changed = changed / TALLY_BIT(TALLY_OFTEN) * TALLY_BIT(TALLY_OFTEN);
    /*@ loop invariant changed < pow2(NET_STAT_COUNT);
      @ loop assigns changed, tally->count[0 .. NET_STAT_COUNT - 1];
      @ loop variant changed;
      @*/
    for (; changed != 0; changed &= changed - 1) {
        tally_move(tally, page, row, (enum net_stat)__builtin_ctz(changed));
    }
}
