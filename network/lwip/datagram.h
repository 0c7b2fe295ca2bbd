/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way of a UDP datagram. Nearly all that come to a busy service look alike: plain
 * headers, for this interface's own address, for a port that exactly one pcb listens on. Such a one
 * is checked here as lwIP would check it, all at once, and handed to the pcb. Whatever looks in any
 * way different goes lwIP's own way, which also counts what is wrong with it.
 */
#pragma once

#include <stdbool.h>

#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "sddf/net_client.h"

/*
 * `p` is the pbuf of the whole frame. True: it has been handed over, and is the receiver's. False:
 * nothing has happened.
 */
bool datagram_input(struct pbuf *p, const struct net_frame *frame, struct netif *netif);

/* net_client_reserve(); without a buffer the frame is counted as lost, and a wake-up asked for. */
uint8_t *net_lwip_reserve(uint32_t *buffer);
