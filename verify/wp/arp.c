/* SPDX-License-Identifier: BSD-2-Clause */
/* The ARP component. */
#define WP_BITS
#include "../../network/arp.c"
