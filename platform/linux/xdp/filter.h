/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the XDP program and the loader agree on: the maps by which the loader tells the program what
 * belongs to the system. Addresses are in network byte order.
 *
 *   sockets    queue 0 -> the AF_XDP socket
 *   receivers  MAC (its 6 bytes, then 0 0, as one key) -> 1: a client of the system
 *   addresses  IPv4 address -> 1: a static address of a client
 *   host       IPv4 address -> 1: an address of the machine's own on this interface
 *   settings   0 -> FILTER_* flags
 */
#pragma once

#define FILTER_MAX 64

/* There are clients that claim addresses: take ARP requests for every address but the host's. */
#define FILTER_CLAIMS 1u
/* There are DHCP clients: take broadcast UDP to their port. */
#define FILTER_DHCP 2u
