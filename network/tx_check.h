/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client may send: an entry that makes sense, and a frame that says no more about its sender
 * than is true. Each check gives the cause for which to refuse it, or NET_STAT_COUNT if it may go.
 *
 * A frame lies in memory that the client can still write to before the device reads it. Where that
 * matters, a copier has to stand in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#include "buffers.h"
#include "frame.h"
#include "mac_table.h"

/* As whom a client may speak. */
struct tx_sender {
    uint64_t mac;
    uint32_t ipv4; /* network order; 0: it claims one */
    bool any_mac;  /* any of the clients' (the ARP component) */
};

/* All of them. */
struct tx_senders {
    struct mac_table macs; /* the clients', not the ARP component's */
    uint32_t count;
    struct tx_sender sender[NET_CLIENTS_MAX];
};

/*@ predicate tx_senders_ok(struct tx_senders s) =
  @     mac_table_ok(s.macs) && s.count <= NET_CLIENTS_MAX;
  @*/

/* The entry, whose address is an offset, and inside the client's region. */
/*@ requires \valid_read(entry);
  @ assigns \nothing;
  @ ensures good: \result == NET_STAT_COUNT ==>
  @     NET_FRAME_MIN <= entry->length <= NET_FRAME_MAX &&
  @     entry->address % NET_BUFFER_SIZE + entry->length <= NET_BUFFER_SIZE;
  @ ensures checksum: \result == NET_STAT_COUNT && (entry->flags & NET_CSUM_WANTED) != 0 ==>
  @     NET_FRAME_MIN <= entry->csum_start &&
  @     entry->csum_start + entry->csum_offset + 2 <= entry->length;
  @ ensures 0 <= \result <= NET_STAT_COUNT;
  @*/
static inline enum net_stat tx_check_entry(const struct net_entry *entry)
{
    if (!buffers_length_ok(entry->length)) {
        return NET_STAT_REFUSED_LENGTH;
    }
    if (!buffers_inside_one(entry->address, entry->length)) {
        return NET_STAT_REFUSED_ADDRESS;
    }
    if ((entry->flags & ~NET_CSUM_WANTED) != 0) {
        return NET_STAT_REFUSED_FLAGS;
    }
    if ((entry->flags & NET_CSUM_WANTED) != 0 &&
        (entry->csum_start < NET_FRAME_MIN ||
         (uint32_t)entry->csum_start + entry->csum_offset + 2 > entry->length)) {
        return NET_STAT_REFUSED_FLAGS;
    }
    return NET_STAT_COUNT;
}

/*
 * May a client say this by ARP? An answer in a neighbour's name would take all that is sent to it.
 * Who has an address speaks for it alone, or asks whether somebody has one (for nobody, RFC 5227);
 * who claims one speaks for any that is no other client's by the configuration. Rare enough to look
 * through the clients.
 */
/*@ requires \valid_read(senders) && tx_senders_ok(*senders);
  @ requires \valid_read(frame + (0 .. length - 1));
  @ assigns \nothing;
  @*/
static inline bool tx_check_arp(const struct tx_senders *senders, struct tx_sender client,
                                const uint8_t *frame, uint32_t length)
{
    struct frame_arp_sender sender;
    if (!frame_read_arp_sender(frame, length, &sender) || sender.mac != client.mac) {
        return false;
    }
    if (sender.ipv4 == 0 || client.ipv4 != 0) {
        return sender.ipv4 == 0 || sender.ipv4 == client.ipv4;
    }
    /*@ loop invariant 0 <= i <= senders->count;
      @ loop assigns i;
      @ loop variant senders->count - i;
      @*/
    for (uint32_t i = 0; i < senders->count; i++) {
        if (senders->sender[i].ipv4 == sender.ipv4) {
            return false;
        }
    }
    return true;
}

/* May the client send with this source address? */
/*@ requires \valid_read(senders) && tx_senders_ok(*senders);
  @ requires from < FRAME_MACS;
  @ assigns \nothing;
  @ ensures its_own: \result && !client.any_mac ==> from == client.mac;
  @ ensures somebodys: \result && client.any_mac ==>
  @     \exists integer owner; mac_table_has(senders->macs, from, owner);
  @*/
static inline bool tx_check_from(const struct tx_senders *senders, struct tx_sender client,
                                 uint64_t from)
{
    return client.any_mac ? mac_table_find(&senders->macs, from) != MAC_TABLE_NONE
                          : from == client.mac;
}

/* The frame, whose entry is good. */
/*@ requires \valid_read(senders) && tx_senders_ok(*senders);
  @ requires NET_FRAME_MIN <= length <= NET_FRAME_MAX && \valid_read(frame + (0 .. length - 1));
  @ assigns \nothing;
  @ ensures 0 <= \result <= NET_STAT_COUNT;
  @*/
static inline enum net_stat tx_check_frame(const struct tx_senders *senders,
                                           struct tx_sender client, const uint8_t *frame,
                                           uint32_t length)
{
    struct frame_header header = frame_read_header(frame);
    if (!tx_check_from(senders, client, header.from)) {
        return NET_STAT_REFUSED_MAC;
    }
    if (!client.any_mac &&
        ((header.type == FRAME_ARP && !tx_check_arp(senders, client, frame, length)) ||
         frame_hides_arp(frame, length, header.type))) {
        return NET_STAT_REFUSED_ARP;
    }
    if (mac_table_find(&senders->macs, header.to) != MAC_TABLE_NONE) {
        return NET_STAT_DROP_LOCAL; /* there is no switch here */
    }
    return NET_STAT_COUNT;
}
