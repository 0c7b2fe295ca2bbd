/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a MAC address to whose it is, in constant time: open addressing in the component's own
 * memory, filled at init from the configuration and never changed. At most a quarter of the slots
 * is in use, so a look-up ends after one or two, whatever address a frame carries.
 *
 * Whatever address it is, a search begins in one of the first slots, and behind these there are as
 * many as there can be owners, so it never has to wrap round. The very last slot stays empty: it
 * ends every search.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#define MAC_TABLE_BITS   8
#define MAC_TABLE_STARTS (1u << MAC_TABLE_BITS)
#define MAC_TABLE_SHARE  (UINT64_C(1) << (64 - MAC_TABLE_BITS)) /* of all numbers, for a start */
#define MAC_TABLE_SLOTS  (MAC_TABLE_STARTS + NET_CLIENTS_MAX)
#define MAC_TABLE_MACS   UINT64_C(0x1000000000000) /* how many addresses there are: 2^48 */
#define MAC_TABLE_NONE   UINT32_MAX

_Static_assert(NET_CLIENTS_MAX * 4 <= MAC_TABLE_STARTS, "look-ups end soon: slots are empty");

/* A slot: the address in the low 48 bits, the owner's number plus 1 above; 0 is empty. */
struct mac_table {
    uint64_t slot[MAC_TABLE_SLOTS];
};

/* Where a search begins. */
/*@ logic integer mac_table_at(integer mac) =
  @     (uint64_t)(mac * 0x9e3779b97f4a7c15) / MAC_TABLE_SHARE;
  @*/

/*
 * What holds of a table: owners are below their number, an address is there once at most, and
 * from where its search begins up to where it lies there is no empty slot.
 */
/*@ predicate mac_table_owners(struct mac_table t, integer owners) =
  @     \forall integer s; 0 <= s < MAC_TABLE_SLOTS && t.slot[s] != 0 ==>
  @         1 <= t.slot[s] / MAC_TABLE_MACS <= owners;
  @ predicate mac_table_reached(struct mac_table t) =
  @     \forall integer s, j; 0 <= s < MAC_TABLE_SLOTS && t.slot[s] != 0 &&
  @         mac_table_at(t.slot[s] % MAC_TABLE_MACS) <= j <= s ==> t.slot[j] != 0;
  @ predicate mac_table_begun(struct mac_table t) =
  @     \forall integer s; 0 <= s < MAC_TABLE_SLOTS && t.slot[s] != 0 ==>
  @         mac_table_at(t.slot[s] % MAC_TABLE_MACS) <= s;
  @ predicate mac_table_once(struct mac_table t) =
  @     \forall integer s, z; 0 <= s < z < MAC_TABLE_SLOTS && t.slot[s] != 0 &&
  @         t.slot[z] != 0 ==> t.slot[s] % MAC_TABLE_MACS != t.slot[z] % MAC_TABLE_MACS;
  @ predicate mac_table_ends(struct mac_table t) = t.slot[MAC_TABLE_SLOTS - 1] == 0;
  @ predicate mac_table_ok(struct mac_table t) =
  @     mac_table_ends(t) && mac_table_owners(t, NET_CLIENTS_MAX) && mac_table_reached(t) &&
  @     mac_table_begun(t) && mac_table_once(t);
  @
  @ // The address is not in the table; or it is, as that owner's.
  @ predicate mac_table_lacks(struct mac_table t, integer mac) =
  @     \forall integer s; 0 <= s < MAC_TABLE_SLOTS && t.slot[s] != 0 ==>
  @         t.slot[s] % MAC_TABLE_MACS != mac;
  @ predicate mac_table_has(struct mac_table t, integer mac, integer owner) =
  @     \exists integer s; 0 <= s < MAC_TABLE_SLOTS && t.slot[s] != 0 &&
  @         t.slot[s] % MAC_TABLE_MACS == mac && t.slot[s] / MAC_TABLE_MACS == owner + 1;
  @*/

/*@ assigns \nothing;
  @ ensures \result == mac_table_at(mac) && \result < MAC_TABLE_STARTS;
  @*/
static inline uint32_t mac_table_start(uint64_t mac)
{
    return (uint32_t)(mac * UINT64_C(0x9e3779b97f4a7c15) / MAC_TABLE_SHARE);
}

/*@ requires \valid(table);
  @ assigns *table;
  @ ensures nobody: \forall integer mac; mac_table_lacks(*table, mac);
  @ ensures mac_table_ok(*table) && mac_table_owners(*table, 0);
  @*/
static inline void mac_table_clear(struct mac_table *table)
{
    /*@ loop invariant 0 <= i <= MAC_TABLE_SLOTS;
      @ loop invariant \forall integer s; 0 <= s < i ==> table->slot[s] == 0;
      @ loop assigns i, *table;
      @ loop variant MAC_TABLE_SLOTS - i;
      @*/
    for (uint32_t i = 0; i < MAC_TABLE_SLOTS; i++) {
        table->slot[i] = 0;
    }
}

/* Whose address this is, or MAC_TABLE_NONE. */
/*@ requires \valid_read(table) && mac < MAC_TABLE_MACS;
  @ requires mac_table_ok(*table);
  @ assigns \nothing;
  @ ensures nobody: \result == MAC_TABLE_NONE ==> mac_table_lacks(*table, mac);
  @ ensures owner: \result != MAC_TABLE_NONE ==> mac_table_has(*table, mac, \result);
  @ ensures one_of_them: \result != MAC_TABLE_NONE ==>
  @     \forall integer owners; mac_table_owners(*table, owners) ==> \result < owners;
  @*/
static inline uint32_t mac_table_find(const struct mac_table *table, uint64_t mac)
{
    uint32_t at = mac_table_start(mac);
    /*@ loop invariant mac_table_at(mac) <= at < MAC_TABLE_SLOTS;
      @ loop invariant others: \forall integer s; mac_table_at(mac) <= s < at ==>
      @     table->slot[s] != 0 && table->slot[s] % MAC_TABLE_MACS != mac;
      @ loop assigns at;
      @ loop variant MAC_TABLE_SLOTS - at;
      @*/
    while (table->slot[at] != 0) {
        if (table->slot[at] % MAC_TABLE_MACS == mac) {
            return (uint32_t)(table->slot[at] / MAC_TABLE_MACS) - 1;
        }
        at++;
    }
    return MAC_TABLE_NONE;
}

/* Into an empty slot, up to which there is none: an address that is not there, with its owner. */
/*@ requires \valid(table) && mac_table_ok(*table);
  @ requires empty: at < MAC_TABLE_SLOTS - 1 && table->slot[at] == 0;
  @ requires owner: 1 <= entry / MAC_TABLE_MACS <= NET_CLIENTS_MAX;
  @ requires new: mac_table_lacks(*table, entry % MAC_TABLE_MACS);
  @ requires in_reach: mac_table_at(entry % MAC_TABLE_MACS) <= at &&
  @     \forall integer s; mac_table_at(entry % MAC_TABLE_MACS) <= s < at ==> table->slot[s] != 0;
  @ assigns table->slot[at];
  @ ensures table->slot[at] == entry;
  @ ensures mac_table_ends(*table) && mac_table_owners(*table, NET_CLIENTS_MAX);
  @ ensures mac_table_reached(*table);
  @ ensures mac_table_begun(*table);
  @ ensures mac_table_once(*table);
  @ ensures owners: \forall integer n; entry / MAC_TABLE_MACS <= n &&
  @     \old(mac_table_owners(*table, n)) ==> mac_table_owners(*table, n);
  @*/
static inline void mac_table_put(struct mac_table *table, uint32_t at, uint64_t entry)
{
    table->slot[at] = entry;
}

/* False if somebody has the address already. At most NET_CLIENTS_MAX times. */
/*@ requires \valid(table) && mac < MAC_TABLE_MACS && owner < NET_CLIENTS_MAX;
  @ requires mac_table_ok(*table);
  @ assigns *table;
  @ ensures mac_table_ok(*table);
  @ ensures owners: \forall integer owners; owner < owners &&
  @     \old(mac_table_owners(*table, owners)) ==> mac_table_owners(*table, owners);
  @ ensures added: \result ==> mac_table_has(*table, mac, owner);
  @ ensures refused: !\result ==> *table == \old(*table);
  @*/
static inline bool mac_table_add(struct mac_table *table, uint64_t mac, uint32_t owner)
{
    if (mac_table_find(table, mac) != MAC_TABLE_NONE) {
        return false;
    }
    uint32_t at = mac_table_start(mac);
    /*@ loop invariant mac_table_at(mac) <= at < MAC_TABLE_SLOTS;
      @ loop invariant used: \forall integer s; mac_table_at(mac) <= s < at ==>
      @     table->slot[s] != 0;
      @ loop assigns at;
      @ loop variant MAC_TABLE_SLOTS - at;
      @*/
    while (table->slot[at] != 0) {
        at++;
    }
    if (at == MAC_TABLE_SLOTS - 1) {
        return false; /* so many owners there are not */
    }
    const uint64_t entry = (owner + 1) * MAC_TABLE_MACS + mac;
    /*@ assert whose: entry / MAC_TABLE_MACS == owner + 1; */
    /*@ assert which: entry % MAC_TABLE_MACS == mac; */
    mac_table_put(table, at, entry);
    return true;
}
