/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071): the one's complement sum of 16-bit words, any alignment, any
 * length up to what an int holds. Not inverted, and in the machine's own byte order, as lwIP wants
 * it; a last odd byte counts as if a zero byte followed it.
 */
#pragma once

#include <stdint.h>

uint16_t net_checksum(const void *data, int length);

/*
 * In parts: begin with a sum of 0, add what comes in any order (each part but the last of an even
 * length; of single words as they stand in memory, their plain sum), fold at the end.
 */
uint64_t net_checksum_add(uint64_t sum, const void *data, uint32_t length);

static inline uint16_t net_checksum_fold(uint64_t sum)
{
    /* A word and its halves in the other order: the upper half is their sum, carry included. */
    sum += sum << 32 | sum >> 32;
    uint32_t half = (uint32_t)(sum >> 32);
    half += half << 16 | half >> 16;
    return (uint16_t)(half >> 16);
}

/* The same, of data that is copied on the way: one walk through the memory in place of two. */
uint16_t net_checksum_copy(void *to, const void *from, uint16_t length);

/*
 * The sum of a UDP datagram's payload, worked out from its header's checksum field (network byte
 * order, as it stands there), which must have been found right: `rest` is the plain sum of
 * everything else that the checksum covers (pseudo-header and the UDP header without the field).
 */
uint16_t net_checksum_without(uint16_t field, uint64_t rest);
