/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP's packets for Ethernet and IPv4 (RFC 826), in private memory: is it one, what does it ask,
 * and its answer. See arp.c, which alone includes this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

/* Offsets into the frame: Ethernet's header, then the packet. */
enum {
    ETH_TO = 0,
    ETH_FROM = 6,
    ETH_TYPE = 12,
    ARP_HTYPE = 14,
    ARP_PTYPE = 16,
    ARP_HLEN = 18,
    ARP_PLEN = 19,
    ARP_OPER = 20,
    ARP_SHA = 22,
    ARP_SPA = 28,
    ARP_THA = 32,
    ARP_TPA = 38,
    ARP_FRAME_SIZE = 42,
};

#define ARP_HTYPE_ETHERNET 1
#define ARP_REQUEST        1
#define ARP_REPLY          2

/* For contracts: an IPv4 address in network order as a little-endian machine's number. */
#define ARP_IPV4(at) (at)[0] + (at)[1] * 0x100 + (at)[2] * 0x10000 + (at)[3] * 0x1000000
#define ARP_SAME_IPV4(a, b)                                                                        \
    (a)[0] == (b)[0] && (a)[1] == (b)[1] && (a)[2] == (b)[2] && (a)[3] == (b)[3]
#define ARP_SAME_MAC(a, b) ARP_SAME_IPV4(a, b) && (a)[4] == (b)[4] && (a)[5] == (b)[5]

/* An answer that says: this address has that MAC; and that comes from there. */
#define ARP_ANSWER(frame, ipv4, mac)                                                               \
    (frame)[ARP_OPER] == 0 &&                                                                      \
        (frame)[ARP_OPER + 1] == ARP_REPLY &&ARP_IPV4(frame + ARP_SPA) ==                          \
            ipv4 &&ARP_SAME_MAC(frame + ARP_SHA, mac) &&                                           \
        ARP_SAME_MAC(frame + ETH_FROM, frame + ARP_SHA)

/*@ requires \valid_read(at + (0 .. 1));
  @ assigns \nothing;
  @ ensures \result == at[0] * 0x100 + at[1];
  @*/
static inline uint16_t read_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] * 0x100 + at[1]);
}

/*@ requires \valid_read(at + (0 .. 3));
  @ assigns \nothing;
  @ ensures \result == ARP_IPV4(at);
  @*/
static inline uint32_t read_ipv4(const uint8_t *at)
{
    return at[0] + at[1] * 0x100u + at[2] * 0x10000u + at[3] * 0x1000000u;
}

/*@ requires \valid(to + (0 .. 5)) && \valid_read(from + (0 .. 5));
  @ requires apart: \separated(to + (0 .. 5), from + (0 .. 5));
  @ assigns to[0 .. 5];
  @ ensures ARP_SAME_MAC(to, from);
  @*/
static inline void mac_copy(uint8_t *to, const uint8_t *from)
{
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
    to[4] = from[4];
    to[5] = from[5];
}

/*@ requires \valid(to + (0 .. 3)) && \valid_read(from + (0 .. 3));
  @ requires apart: \separated(to + (0 .. 3), from + (0 .. 3));
  @ assigns to[0 .. 3];
  @ ensures ARP_SAME_IPV4(to, from);
  @*/
static inline void ipv4_copy(uint8_t *to, const uint8_t *from)
{
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
}

/* A packet for Ethernet and IPv4, from a host that can be answered. */
/*@ requires \valid_read(frame + (0 .. ARP_FRAME_SIZE - 1));
  @ assigns \nothing;
  @ ensures \result ==> frame[ARP_HLEN] == 6 && frame[ARP_PLEN] == 4;
  @*/
static inline bool packet_ok(const uint8_t *frame)
{
    uint64_t sender = frame_mac(frame + ARP_SHA);
    return read_be16(frame + ETH_TYPE) == FRAME_ARP &&
           read_be16(frame + ARP_HTYPE) == ARP_HTYPE_ETHERNET &&
           read_be16(frame + ARP_PTYPE) == FRAME_IPV4 && frame[ARP_HLEN] == 6 &&
           frame[ARP_PLEN] == 4 && sender != 0 && !frame_mac_is_group(sender) &&
           sender == frame_mac(frame + ETH_FROM);
}

/*
 * Turns a question into its answer: from the owner of the address, to whoever asked. In the
 * Ethernet header, too, the answer comes from the owner, or switches would learn a wrong port.
 */
/*@ requires \valid(frame + (0 .. ARP_FRAME_SIZE - 1)) && \valid_read(mac + (0 .. 5));
  @ requires apart: \separated(frame + (0 .. ARP_FRAME_SIZE - 1), mac + (0 .. 5));
  @ assigns frame[ETH_TO .. ETH_FROM + 5], frame[ARP_OPER .. ARP_TPA + 3];
  @ ensures reply: frame[ARP_OPER] == 0 && frame[ARP_OPER + 1] == ARP_REPLY;
  @ ensures wanted: ARP_IPV4(frame + ARP_SPA) == \old(ARP_IPV4(frame + ARP_TPA));
  @ ensures owner: ARP_SAME_MAC(frame + ARP_SHA, mac);
  @ ensures sender: ARP_SAME_MAC(frame + ETH_FROM, frame + ARP_SHA);
  @ ensures asker: ARP_SAME_MAC(frame + ETH_TO, frame + ARP_THA) &&
  @     ARP_IPV4(frame + ARP_TPA) == \old(ARP_IPV4(frame + ARP_SPA));
  @*/
static inline void answer_make(uint8_t *frame, const uint8_t mac[6])
{
    uint8_t wanted[4];
    /*@ assert apart: \separated(frame + (ETH_FROM .. ETH_FROM + 5), mac + (0 .. 5)); */
    /*@ assert apart: \separated(frame + (ARP_SHA .. ARP_SHA + 5), mac + (0 .. 5)); */
    ipv4_copy(wanted, frame + ARP_TPA);
    mac_copy(frame + ETH_TO, frame + ARP_SHA);
    mac_copy(frame + ARP_THA, frame + ARP_SHA);
    ipv4_copy(frame + ARP_TPA, frame + ARP_SPA);
    ipv4_copy(frame + ARP_SPA, wanted);
    frame[ARP_OPER] = 0;
    frame[ARP_OPER + 1] = ARP_REPLY;
    mac_copy(frame + ARP_SHA, mac);
    mac_copy(frame + ETH_FROM, frame + ARP_SHA);
}
