/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose an IPv4 address is: those of the description, which are their clients' alone, and those
 * that clients without one have claimed. See arp.c, which alone includes this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

static uint32_t client_count;
static uint32_t address[NET_CLIENTS_MAX]; /* each client's, in network order; 0: none */

/* Nobody has an address that somebody else has. */
/*@ predicate arp_addresses =
  @     client_count <= NET_CLIENTS_MAX &&
  @     (\forall integer i, j; 0 <= i < j < client_count && address[i] != 0 ==>
  @         address[i] != address[j]);
  @
  @ // It is no address, or one that nobody else has.
  @ predicate arp_may_have(integer client, integer ipv4) =
  @     ipv4 == 0 || (\forall integer i; 0 <= i < client_count && i != client ==>
  @         address[i] != ipv4);
  @*/

/* Nobody has any. */
/*@ requires clients <= NET_CLIENTS_MAX;
  @ assigns client_count, address[..];
  @ ensures arp_addresses && client_count == clients;
  @*/
static inline void addresses_start(uint32_t clients)
{
    client_count = clients;
    /*@ loop invariant 0 <= i <= NET_CLIENTS_MAX;
      @ loop invariant \forall integer c; 0 <= c < i ==> address[c] == 0;
      @ loop assigns i, address[..];
      @ loop variant NET_CLIENTS_MAX - i;
      @*/
    for (uint32_t i = 0; i < NET_CLIENTS_MAX; i++) {
        address[i] = 0;
    }
}

/* Whose this is, or client_count. */
/*@ requires arp_addresses;
  @ assigns \nothing;
  @ ensures owner: \result != client_count ==>
  @     \result < client_count && ipv4 != 0 && address[\result] == ipv4;
  @ ensures nobody: \result == client_count ==> ipv4 == 0 ||
  @     (\forall integer i; 0 <= i < client_count ==> address[i] != ipv4);
  @*/
static inline uint32_t client_of(uint32_t ipv4)
{
    uint32_t client = 0;
    /*@ loop invariant 0 <= client <= client_count;
      @ loop invariant \forall integer i; 0 <= i < client ==> ipv4 == 0 || address[i] != ipv4;
      @ loop assigns client;
      @ loop variant client_count - client;
      @*/
    while (client < client_count && (ipv4 == 0 || address[client] != ipv4)) {
        client++;
    }
    return client;
}

/*@ requires arp_addresses && client < client_count && arp_may_have(client, ipv4);
  @ assigns address[client];
  @ ensures arp_addresses && address[client] == ipv4;
  @*/
static inline void address_set(uint32_t client, uint32_t ipv4)
{
    address[client] = ipv4;
}

/* ---- subnets, in host order ---------------------------------------------------------------- */

/* How many addresses a subnet has. */
/*@ assigns \nothing;
  @ ensures \result >= 1 && (prefix <= 32 ==> \result == pow2(32 - prefix));
  @*/
static inline uint64_t subnet_size(uint32_t prefix)
{
    return prefix <= 32 ? UINT64_C(1) << (32 - prefix) : 1;
}

/* Neither the subnet's own address nor its broadcast. */
/*@ assigns \nothing;
  @ ensures \result && prefix < 31 ==>
  @     0 < ipv4 % pow2(32 - prefix) < pow2(32 - prefix) - 1;
  @*/
static inline bool is_host_in_subnet(uint32_t ipv4, uint32_t prefix)
{
    uint64_t size = subnet_size(prefix);
    uint64_t host = ipv4 % size;
    return prefix >= 31 || (host != 0 && host != size - 1);
}

/* An address that one host may have: no 0/8, 127/8, multicast, reserved or broadcast. */
/*@ assigns \nothing;
  @ ensures \result <==> 0x01000000 <= ipv4 < 0xe0000000 &&
  @     !(0x7f000000 <= ipv4 < 0x80000000);
  @*/
static inline bool is_host(uint32_t ipv4)
{
    uint32_t top = ipv4 / 0x1000000;
    return top != 0 && top != 127 && top < 224;
}

/*
 * May this client have this address, whose subnet's prefix it says is `prefix`? It must be one of
 * the subnet that the description gives it, and nobody else's.
 */
/*@ requires arp_addresses && client < client_count;
  @ requires \valid_read(config);
  @ assigns \nothing;
  @ ensures \result ==> ipv4 <= UINT32_MAX && arp_may_have(client, ipv4);
  @ ensures subnet: \result && config->prefix <= 32 ==> swapped32(ipv4) /
  @     pow2(32 - config->prefix) == swapped32(config->ipv4) / pow2(32 - config->prefix);
  @*/
static inline bool claim_ok(uint32_t client, const struct net_arp_client *config, uint64_t ipv4,
                            uint64_t prefix)
{
    if (ipv4 > UINT32_MAX || prefix == 0 || prefix > 32) {
        return false;
    }
    uint32_t wanted = __builtin_bswap32((uint32_t)ipv4);
    uint32_t subnet = __builtin_bswap32(config->ipv4);
    uint64_t size = subnet_size(config->prefix);
    uint32_t owner = client_of((uint32_t)ipv4);
    return is_host(wanted) && is_host_in_subnet(wanted, (uint32_t)prefix) &&
           wanted / size == subnet / size &&
           (config->prefix == 0 || is_host_in_subnet(wanted, config->prefix)) &&
           (owner == client_count || owner == client);
}
