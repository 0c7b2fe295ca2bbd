/* SPDX-License-Identifier: BSD-2-Clause */
/* Where lwIP asks before it goes on; net_lwip.c answers. */
#pragma once

#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"

int net_lwip_check(struct pbuf *p, struct netif *netif);
#define LWIP_HOOK_IP4_INPUT(p, netif) net_lwip_check(p, netif)

u32_t net_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port)                                  \
    net_lwip_isn(local, local_port, remote, remote_port)
