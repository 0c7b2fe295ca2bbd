/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo example's own services, from its own sources, and one more, on STAMP_PORT: it says what
 * the counter, the idle protection domain and the network client have counted (stamp.h).
 */
#include <microkit.h>

#include "sddf/atomic.h"
#include "sddf/net_client.h"

#include "counter.h"
#include "echo.h"
#include "lwip/udp.h"
#include "net_lwip.h"
#include "stamp.h"

uintptr_t idle_page; /* the description says where */

static void stamp(void *unused, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                  u16_t port)
{
    (void)unused;
    if (p->len == STAMP_BYTES) {
        uint64_t words[STAMP_BYTES / 8];
        memcpy(words, p->payload, sizeof(words));
        words[STAMP_COUNTER] = counter_now();
        words[STAMP_FREQUENCY] = counter_frequency();
        words[STAMP_IDLE] = sddf_load_relaxed_u64((sddf_atomic_u64 *)idle_page);
        words[STAMP_PACKETS] = net_client_counted(NET_STAT_TX_PACKETS);
        words[STAMP_ACCOUNTS] = 0;
        memcpy(p->payload, words, sizeof(words));
        udp_sendto(pcb, p, from, port);
    }
    pbuf_free(p);
}

void init(void)
{
    if (!net_lwip_init()) {
        return;
    }
    struct udp_pcb *pcb = udp_new();
    if (!udp_services_start() || pcb == NULL || udp_bind(pcb, IP_ADDR_ANY, STAMP_PORT) != ERR_OK) {
        return;
    }
    udp_recv(pcb, stamp, NULL);
    net_lwip_start(NULL);
}

void notified(microkit_channel ch)
{
    net_lwip_notified(ch);
}
