/* SPDX-License-Identifier: BSD-2-Clause */
/* The client: lwIP and the echo, from its receive queue to its transmit queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <microkit.h>

#include "sddf/timer.h"
#include "tests/unit/net_lwip_frames.h"
#include "tests/unit/net_peer.h"

#include "parts.h"

extern struct timer_client_config sddf_timer_config;

static uint8_t datagram[NET_BUFFER_SIZE], answer[NET_BUFFER_SIZE];
static uint16_t length;

/* After this the client knows the peer's hardware address. */
static void part_setup(void)
{
    peer_setup(PART_BUFFERS);
    peer_provide_tx();
    sddf_timer_config = (struct timer_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT,
                   sizeof(struct timer_client_config), 0},
        .channel = PEER_TIMER_CHANNEL,
    };
    init();
    length = make_udp(datagram, 40000, 7, PART_LENGTH - 42, 1);
    uint8_t arp[NET_BUFFER_SIZE];
    peer_deliver(datagram, length, 0, 0);
    notified(PEER_RX_CHANNEL);
    peer_deliver(arp, make_arp_reply(arp), 0, 0);
    notified(PEER_RX_CHANNEL);
    while (peer_collect(answer) != 0) {
    }
}

static void part_offer(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        if (!peer_deliver(datagram, length, 0, 0)) {
            part_wrong("the client offers no buffer");
        }
    }
}

void part_wake(void)
{
    notified(PEER_RX_CHANNEL);
}

static void part_take(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        if (!is_udp_echo(answer, peer_collect(answer), 40000, 7, PART_LENGTH - 42, 1)) {
            part_wrong("no echo, or a wrong one");
        }
    }
}
