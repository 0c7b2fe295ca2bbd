/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data regions as arrays of buffers, and the checks that stand between a neighbour's entry and a
 * memory access. Addresses here are offsets into the region; whoever deals in IO addresses
 * subtracts the region's first (an address below it wraps round to a huge offset, and is refused).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#define BUFFERS_NONE UINT32_MAX

/* The buffer that the offset lies in, or BUFFERS_NONE. */
/*@ assigns \nothing;
  @ ensures none: \result == BUFFERS_NONE <==> offset >= buffer_count * NET_BUFFER_SIZE;
  @ ensures it: \result != BUFFERS_NONE ==> \result < buffer_count &&
  @     \result * NET_BUFFER_SIZE <= offset < (\result + 1) * NET_BUFFER_SIZE;
  @*/
static inline uint32_t buffers_find(uint64_t offset, uint32_t buffer_count)
{
    uint64_t buffer = offset / NET_BUFFER_SIZE;
    return buffer < buffer_count ? (uint32_t)buffer : BUFFERS_NONE;
}

/*@ assigns \nothing;
  @ ensures \result <==> NET_FRAME_MIN <= length <= NET_FRAME_MAX;
  @*/
static inline bool buffers_length_ok(uint32_t length)
{
    return length >= NET_FRAME_MIN && length <= NET_FRAME_MAX;
}

/* Does a frame that begins here end in the same buffer? */
/*@ requires length <= NET_FRAME_MAX;
  @ assigns \nothing;
  @ ensures \result <==> offset % NET_BUFFER_SIZE + length <= NET_BUFFER_SIZE;
  @ ensures \result ==> \forall integer b;
  @     b * NET_BUFFER_SIZE <= offset < (b + 1) * NET_BUFFER_SIZE ==>
  @     offset + length <= (b + 1) * NET_BUFFER_SIZE;
  @*/
static inline bool buffers_inside_one(uint64_t offset, uint32_t length)
{
    return offset % NET_BUFFER_SIZE + length <= NET_BUFFER_SIZE;
}

/* Why a frame cannot lie in one buffer, as its entry says; NET_STAT_COUNT if it can. */
/*@ requires \valid_read(entry);
  @ assigns \nothing;
  @ ensures \result == NET_STAT_COUNT || \result == NET_STAT_REFUSED_LENGTH ||
  @     \result == NET_STAT_REFUSED_ADDRESS;
  @ ensures length: \result == NET_STAT_COUNT ==> NET_FRAME_MIN <= entry->length <= NET_FRAME_MAX;
  @ ensures inside: \result == NET_STAT_COUNT ==> \forall integer buffers;
  @     entry->address < buffers * NET_BUFFER_SIZE ==>
  @     entry->address + entry->length <= buffers * NET_BUFFER_SIZE;
  @*/
static inline enum net_stat buffers_fault(const struct net_entry *entry)
{
    if (!buffers_length_ok(entry->length)) {
        return NET_STAT_REFUSED_LENGTH;
    }
    return buffers_inside_one(entry->address, entry->length) ? NET_STAT_COUNT
                                                             : NET_STAT_REFUSED_ADDRESS;
}

/* A region that the configuration describes, as far as the number of buffers goes. */
/*@ requires \valid_read(region);
  @ assigns \nothing;
  @ ensures \result ==> region->vaddr != 0 && 1 <= buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     buffer_count * NET_BUFFER_SIZE <= region->size;
  @*/
static inline bool buffers_region_ok(const struct sddf_region_config *region, uint32_t buffer_count)
{
    return region->vaddr != 0 && buffer_count > 0 && buffer_count <= NET_REGION_BUFFERS_MAX &&
           region->size / NET_BUFFER_SIZE >= buffer_count;
}
