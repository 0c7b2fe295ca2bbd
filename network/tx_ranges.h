/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose buffer the device means: the clients' Tx data regions, by IO address. Finding it takes the
 * same time however many clients there are: what lies between the first and the last region is cut
 * into equal pieces, and for each there is the first region that it could be. Regions of one size
 * that lie side by side, as they usually do, are no smaller than a piece; where they are, the next
 * ones are looked at, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/net.h"

#define TX_RANGES_PIECES 256

/* One client's buffers as the device sees them. */
#define TX_RANGES_NONE UINT32_MAX

struct tx_range {
    uint64_t begin;
    uint64_t end;
    uint32_t client;
};

struct tx_ranges {
    uint32_t count;
    uint32_t shift;                         /* a piece is 2^shift bytes */
    struct tx_range range[NET_CLIENTS_MAX]; /* in ascending order */
    uint8_t first[TX_RANGES_PIECES];        /* range that ends behind the piece's start; or count */
};

/* At most NET_CLIENTS_MAX times. False if it overlaps another. */
/*@ requires \valid(ranges) && ranges->count < NET_CLIENTS_MAX;
  @ assigns ranges->count, ranges->range[0 .. NET_CLIENTS_MAX - 1];
  @ ensures ranges->count == \old(ranges->count) + 1;
  @ ensures in_its_place: \exists integer at; 0 <= at < ranges->count &&
  @     ranges->range[at] == range &&
  @     (\forall integer i; 0 <= i < at ==> ranges->range[i] == \old(ranges->range[i])) &&
  @     (\forall integer i; at < i < ranges->count ==>
  @         ranges->range[i] == \old(ranges->range[i - 1]));
  @*/
static inline bool tx_ranges_add(struct tx_ranges *ranges, struct tx_range range)
{
    uint32_t at = ranges->count;
    /*@ loop invariant 0 <= at <= ranges->count;
      @ loop invariant \forall integer i; 0 <= i < at ==>
      @     ranges->range[i] == \at(ranges->range[i], Pre);
      @ loop invariant \forall integer i; at < i <= ranges->count ==>
      @     ranges->range[i] == \at(ranges->range[i - 1], Pre);
      @ loop assigns at, ranges->range[0 .. NET_CLIENTS_MAX - 1];
      @ loop variant at;
      @*/
    while (at > 0 && ranges->range[at - 1].begin > range.begin) {
        ranges->range[at] = ranges->range[at - 1];
        at--;
    }
    ranges->range[at] = range;
    ranges->count++;
    return (at == 0 || ranges->range[at - 1].end <= range.begin) &&
           (at + 1 == ranges->count || range.end <= ranges->range[at + 1].begin);
}

/* After the last one, before any is looked for. */
/*@ requires \valid(ranges) && ranges->count <= NET_CLIENTS_MAX;
  @ assigns ranges->shift, ranges->first[0 .. TX_RANGES_PIECES - 1];
  @ ensures ranges->count > 0 ==> ranges->shift < 64;
  @*/
static inline void tx_ranges_index(struct tx_ranges *ranges)
{
    if (ranges->count == 0) {
        return;
    }
    const uint64_t begin = ranges->range[0].begin;
    const uint64_t span = ranges->range[ranges->count - 1].end - begin;
    ranges->shift = 0;
    /*@ loop invariant ranges->shift <= 56;
      @ loop assigns ranges->shift;
      @ loop variant 56 - ranges->shift;
      @*/
    while (span >> ranges->shift >= TX_RANGES_PIECES) {
        ranges->shift++;
    }
    uint32_t range = 0;
    /*@ loop invariant 0 <= piece <= TX_RANGES_PIECES && range <= ranges->count;
      @ loop assigns piece, range, ranges->first[0 .. TX_RANGES_PIECES - 1];
      @ loop variant TX_RANGES_PIECES - piece;
      @*/
    for (uint32_t piece = 0; piece < TX_RANGES_PIECES; piece++) {
        const uint64_t start = (uint64_t)piece << ranges->shift;
        /*@ loop invariant range <= ranges->count;
          @ loop assigns range;
          @ loop variant ranges->count - range;
          @*/
        while (range < ranges->count && ranges->range[range].end - begin <= start) {
            range++;
        }
        ranges->first[piece] = (uint8_t)range;
    }
}

/* The range that an IO address lies in, by its number, or TX_RANGES_NONE. */
/*@ requires \valid_read(ranges) && ranges->count <= NET_CLIENTS_MAX;
  @ requires ranges->count > 0 ==> ranges->shift < 64;
  @ assigns \nothing;
  @ ensures inside: \result != TX_RANGES_NONE ==> \result < ranges->count &&
  @     ranges->range[\result].begin <= address < ranges->range[\result].end;
  @*/
static inline uint32_t tx_ranges_find(const struct tx_ranges *ranges, uint64_t address)
{
    if (ranges->count == 0 || address < ranges->range[0].begin) {
        return TX_RANGES_NONE;
    }
    const uint64_t piece = (address - ranges->range[0].begin) >> ranges->shift;
    if (piece >= TX_RANGES_PIECES) {
        return TX_RANGES_NONE;
    }
    uint32_t at = ranges->first[piece];
    /*@ loop assigns at;
      @ loop variant ranges->count - at;
      @*/
    while (at < ranges->count && address >= ranges->range[at].end) {
        at++;
    }
    return at < ranges->count && address >= ranges->range[at].begin ? at : TX_RANGES_NONE;
}
