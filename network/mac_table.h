/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a MAC address to whose it is, in constant time: open addressing in the component's own
 * memory, filled at init from the configuration and never changed. At most a quarter of the slots
 * is in use, so a look-up ends after one or two, whatever address a frame carries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sddf/net.h"

#define MAC_TABLE_BITS  8
#define MAC_TABLE_SLOTS (1u << MAC_TABLE_BITS)
#define MAC_TABLE_NONE  UINT32_MAX

_Static_assert(NET_CLIENTS_MAX * 4 <= MAC_TABLE_SLOTS, "look-ups end soon because slots are empty");

/* A slot: the address in the low 48 bits, the owner's number plus 1 above; 0 is empty. */
struct mac_table {
    uint64_t slot[MAC_TABLE_SLOTS];
};

static inline uint32_t mac_table_start(uint64_t mac)
{
    return (uint32_t)((mac * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - MAC_TABLE_BITS));
}

/* Whose address this is, or MAC_TABLE_NONE. */
static inline uint32_t mac_table_find(const struct mac_table *table, uint64_t mac)
{
    uint32_t at = mac_table_start(mac);
    while (table->slot[at] != 0) {
        if ((table->slot[at] & UINT64_C(0xffffffffffff)) == mac) {
            return (uint32_t)(table->slot[at] >> 48) - 1;
        }
        at = (at + 1) % MAC_TABLE_SLOTS;
    }
    return MAC_TABLE_NONE;
}

/* False if somebody has the address already. At most NET_CLIENTS_MAX times. */
static inline bool mac_table_add(struct mac_table *table, uint64_t mac, uint32_t owner)
{
    if (mac_table_find(table, mac) != MAC_TABLE_NONE) {
        return false;
    }
    uint32_t at = mac_table_start(mac);
    while (table->slot[at] != 0) {
        at = (at + 1) % MAC_TABLE_SLOTS;
    }
    table->slot[at] = mac | (uint64_t)(owner + 1) << 48;
    return true;
}
