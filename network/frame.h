/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in shared memory. Somebody else (the device, a client) may change their bytes at any time,
 * so a header is read once, into locals, and judged there (sddf/raw.h).
 *
 * Nothing here knows a buffer's bounds: callers check them first, against the entry's length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sddf/net.h"
#include "sddf/wide.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "MAC keys take the first byte on the wire as the lowest");

#define FRAME_IPV4 0x0800
#define FRAME_ARP  0x0806
#define FRAME_VLAN 0x8100 /* IEEE 802.1Q's tag, then the type proper */
#define FRAME_QINQ 0x88a8 /* another one */

#define FRAME_BROADCAST UINT64_C(0xffffffffffff)
#define FRAME_MACS      (FRAME_BROADCAST + 1) /* how many addresses there are */

/*@ requires \valid_read(at);
  @ assigns \nothing;
  @*/
static inline uint8_t frame_read_u8(const uint8_t *at)
{
    return sddf_raw_u8(at);
}

/* In host order; network order is big-endian. */
/*@ requires \valid_read(at + (0 .. 1));
  @ assigns \nothing;
  @*/
static inline uint16_t frame_read_be16(const uint8_t *at)
{
    return __builtin_bswap16(sddf_raw_u16(at));
}

/* A MAC address as a number: six bytes, the first on the wire lowest. */
/*@ requires \valid_read(mac + (0 .. 5));
  @ assigns \nothing;
  @ ensures \result <= FRAME_BROADCAST;
  @*/
static inline uint64_t frame_mac(const uint8_t mac[6])
{
    return sddf_raw_u48(mac);
}

/* Broadcast or multicast. */
/*@ assigns \nothing; */
static inline bool frame_mac_is_group(uint64_t mac)
{
    return (mac & 1) != 0;
}

struct frame_header {
    uint64_t to;
    uint64_t from;
    uint16_t type; /* host order */
};

/* Needs NET_FRAME_MIN bytes. */
/*@ requires \valid_read(at + (0 .. NET_FRAME_MIN - 1));
  @ assigns \nothing;
  @ ensures \result.to < FRAME_MACS && \result.from < FRAME_MACS;
  @*/
static inline struct frame_header frame_read_header(const uint8_t *at)
{
    uint64_t low = sddf_raw_u64(at);
    uint32_t high = sddf_raw_u32(at + 8);
    struct frame_header header;
    header.to = low % FRAME_MACS;
    header.from = low / FRAME_MACS + high * UINT64_C(0x10000);
    header.type = frame_read_be16(at + 12);
    return header;
}

/*
 * Is this IPv4 frame a UDP datagram to `port`, whole or its first fragment? Everything that the
 * answer depends on lies within `length`.
 */
/*@ requires length >= NET_FRAME_MIN && \valid_read(at + (0 .. length - 1));
  @ assigns \nothing;
  @*/
static inline bool frame_is_udp_to(const uint8_t *at, uint32_t length, uint16_t port)
{
    const uint8_t *ip = at + NET_FRAME_MIN;
    uint32_t left = length - NET_FRAME_MIN;
    if (length < NET_FRAME_MIN + 20) {
        return false;
    }
    uint8_t version = frame_read_u8(ip);
    uint32_t header = (uint32_t)(version & 0xf) * 4;
    return version >> 4 == 4 && header >= 20 && left >= header + 8 && frame_read_u8(ip + 9) == 17 &&
           (frame_read_be16(ip + 6) & 0x1fff) == 0 && frame_read_be16(ip + header + 2) == port;
}

/* Whom an ARP packet for Ethernet and IPv4 speaks for. */
struct frame_arp_sender {
    uint64_t mac;
    uint32_t ipv4; /* network order */
};

/* False if it is none, or not whole: everything that is read lies within `length`. */
/*@ requires \valid_read(at + (0 .. length - 1)) && \valid(sender);
  @ assigns *sender;
  @*/
static inline bool frame_read_arp_sender(const uint8_t *at, uint32_t length,
                                         struct frame_arp_sender *sender)
{
    if (length < 42) {
        return false;
    }
    uint64_t low = sddf_raw_u64(at + 22);
    sender->mac = low & FRAME_BROADCAST;
    sender->ipv4 = sddf_raw_u32(at + 28);
    return frame_read_u8(at + 18) == 6 && frame_read_u8(at + 19) == 4;
}

/* Two tags, or one before ARP. Hosts look behind a tag of the VLAN 0 as if it was not there. */
/*@ requires \valid_read(at + (0 .. length - 1));
  @ assigns \nothing;
  @*/
static inline bool frame_hides_arp(const uint8_t *at, uint32_t length, uint16_t type)
{
    if ((type != FRAME_VLAN && type != FRAME_QINQ) || length < NET_FRAME_MIN + 4) {
        return false;
    }
    uint16_t inner = frame_read_be16(at + 16);
    return inner == FRAME_ARP || inner == FRAME_VLAN || inner == FRAME_QINQ;
}

/*
 * Copies a frame: blocks of constant size, which the compiler turns into the machine's widest
 * moves (of the builtin, that is: in a freestanding program a plain memcpy is a call), and a last
 * one that overlaps the one before instead of going byte by byte. Not a byte beyond `length` is
 * read or written: behind a frame lies what is left of somebody else's. Needs at least 8 bytes;
 * the two must not overlap.
 */
/*@ requires 8 <= length <= NET_FRAME_MAX;
  @ requires \valid_read(from + (0 .. length - 1)) && \valid(to + (0 .. length - 1));
  @ requires apart: \separated(to + (0 .. length - 1), from + (0 .. length - 1));
  @ assigns to[0 .. length - 1];
  @*/
static inline void frame_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
    if (sddf_wide_copy(to, from, length)) {
        return;
    }
    if (length >= 64) {
        uint32_t last = length - 64;
        uint32_t i = 0;
        /*@ loop invariant 0 <= i < last + 64;
          @ loop assigns i, to[0 .. length - 1];
          @ loop variant last - i;
          @*/
        for (; i + 64 < last; i += 128) {
            __builtin_memcpy(to + i, from + i, 64);
            __builtin_memcpy(to + i + 64, from + i + 64, 64);
        }
        if (i < last) {
            __builtin_memcpy(to + i, from + i, 64);
        }
        __builtin_memcpy(to + last, from + last, 64);
    } else if (length >= 32) {
        __builtin_memcpy(to, from, 32);
        __builtin_memcpy(to + length - 32, from + length - 32, 32);
    } else if (length >= 16) {
        __builtin_memcpy(to, from, 16);
        __builtin_memcpy(to + length - 16, from + length - 16, 16);
    } else {
        __builtin_memcpy(to, from, 8);
        __builtin_memcpy(to + length - 8, from + length - 8, 8);
    }
}
