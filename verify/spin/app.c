/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's program on the shipped network/client.c, one for each client of a scenario: it counts
 * what it receives and gives it back, and sends packets of its own if it is to.
 */
#include "verify/spin/app.h"

#include <microkit.h>

#include "sddf/net_client.h"
#include "verify/spin/stubs.h"

struct app app;

static void receive(void)
{
    struct net_frame frame;
    for (unsigned i = 0; i < NET_CLIENT_PASS; i++) {
        const enum net_receive what = net_client_receive(&frame);
        if (what == NET_RECEIVE_EMPTY) {
            return;
        }
        const unsigned number = what == NET_RECEIVE_FRAME
                                    ? stub_read(frame.data, frame.length, app.me)
                                    : (unsigned)STUB_PACKETS;
        if (number >= STUB_PACKETS || (app.got >> number) != 0) {
            world_fail("a client gets a packet that is not its own, not whole, or out of order");
            return;
        }
        app.got |= 1u << number;
        net_client_return(frame.buffer);
    }
}

static void send(void)
{
    uint32_t buffer;
    uint8_t *data;
    while (app.sent < app.to_send && (data = net_client_reserve(&buffer)) != NULL) {
        stub_write(data, STUB_HOST, app.me, app.me * 4 + app.sent);
        net_client_send(buffer, STUB_LENGTH, 0, 0, 0);
        app.sent++;
    }
}

void init(void)
{
    app.sent = app.got = 0; /* what it did before it died, it may do again */
    if (net_client_init()) {
        notified(0);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
    do {
        receive();
        send();
        net_client_flush();
    } while (!net_client_idle(app.sent < app.to_send));
}
