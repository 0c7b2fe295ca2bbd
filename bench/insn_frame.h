/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames that bench/insn_load.c exchanges with a guest, byte by byte: Ethernet, ARP, IPv4 and
 * UDP without options. Nothing here is in anybody's byte order but the wire's.
 *
 * A request's payload is its sequence number and then bytes that follow from it, so a reply can be
 * checked whole by one who remembers nothing but which numbers are under way.
 *
 * A stamp is what a guest says of itself: the reply to a datagram of STAMP_BYTES on STAMP_PORT, in
 * words of 64 bits, little-endian.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/stamp.h"

#define FRAME_HEADERS     42 /* Ethernet, IPv4, UDP */
#define FRAME_MAX         1514
#define FRAME_PAYLOAD_MIN 8
#define FRAME_PAYLOAD_MAX (FRAME_MAX - FRAME_HEADERS)

#define LOAD_PORT 40000 /* where requests come from */

struct frame_peer {
    uint8_t mac[6];
    uint8_t ip[4];
    uint16_t port;
};

/* The Internet checksum (RFC 1071) of `length` bytes, on top of a sum of other words. */
uint16_t frame_checksum(const uint8_t *bytes, size_t length, uint32_t sum);

/* Writes the datagram's headers around a payload that is there already; the frame's length. */
size_t frame_wrap(uint8_t *frame, const struct frame_peer *from, const struct frame_peer *to,
                  size_t payload);

/* Writes request `number` whole; the frame's length. */
size_t frame_request(uint8_t *frame, const struct frame_peer *from, const struct frame_peer *to,
                     uint64_t number, size_t payload);

/*
 * NULL if the frame is a UDP datagram from `from` to `to` with `payload` bytes in which everything
 * is right but, so far unseen, the payload; or what is wrong.
 */
const char *frame_udp_fault(const uint8_t *frame, size_t length, const struct frame_peer *from,
                            const struct frame_peer *to, size_t payload);

/* As above, of the reply to a request; then also its number, and every byte of its payload. */
const char *frame_reply_fault(const uint8_t *frame, size_t length, const struct frame_peer *from,
                              const struct frame_peer *to, size_t payload, uint64_t *number);

/* An ARP request for `to`'s address. */
size_t frame_arp_request(uint8_t *frame, const struct frame_peer *from,
                         const struct frame_peer *to);

/* Does the frame ask for `own`'s address? Then turns it into the answer, of the same length. */
bool frame_arp_answer(uint8_t *frame, size_t length, const struct frame_peer *own);

/* Does it say that `peer`'s address belongs to some MAC address? Then remembers that. */
bool frame_arp_learn(const uint8_t *frame, size_t length, struct frame_peer *peer);
