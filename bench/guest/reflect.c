/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network client without an IP stack: every UDP datagram for its address goes back from where it
 * came, and ARP is answered. What it does with a frame is what bench/guest/dpdk.c does.
 */
#include <microkit.h>

#include "bench/echo_frame.h"
#include "sddf/net_client.h"

static bool running;
static struct echo_addresses addresses = {.count = 1};

static void reflect(const struct net_frame *frame)
{
    uint32_t buffer;
    if (echo_answer(&addresses, (char *)frame->data, frame->length)) {
        uint8_t *data = net_client_reserve(&buffer);
        if (data == NULL) {
            net_client_count(NET_STAT_DROP_NO_BUFFER, 1);
        } else {
            memcpy(data, frame->data, frame->length);
            net_client_send(buffer, frame->length, 0, 0, 0);
        }
    }
    net_client_return(frame->buffer);
}

static void serve(void)
{
    struct net_frame frame;
    do {
        for (uint32_t i = 0; i < NET_CLIENT_PASS; i++) {
            const enum net_receive result = net_client_receive(&frame);
            if (result == NET_RECEIVE_EMPTY) {
                break;
            }
            if (result == NET_RECEIVE_FRAME) {
                reflect(&frame);
            }
        }
        net_client_flush();
    } while (!net_client_idle(false));
}

void init(void)
{
    running = net_client_init();
    addresses.address[0].s_addr = sddf_net_config.ipv4;
    if (running) {
        serve();
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        serve();
    }
}
