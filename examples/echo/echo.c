/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network client that answers: UDP echo on ports 7 and 1235, TCP echo on 7 and 1236, discard on
 * 9, ipbench's utilisation target on TCP 1237, and ping. It says so when it has got its address: on
 * the serial line, if the description makes it a client of one, else as debug output.
 */
#include <microkit.h>

#include "sddf/serial.h"

#include "echo.h"
#include "net_lwip.h"

static void say(const char *what)
{
    serial_puts(microkit_name);
    serial_puts(": ");
    serial_puts(what);
}

static void is_up(const char *address)
{
    say(address);
    serial_puts(" is up: echo on UDP 7 and 1235, TCP 7 and 1236; discard on 9\n");
}

void init(void)
{
    serial_init();
    if (!net_lwip_init()) {
        return; /* it has said why; lwIP stays off, and so do we */
    }
    if (!udp_services_start() || !tcp_services_start() || !use_service_start()) {
        say("lwIP has no room for the listeners\n");
        return;
    }
    net_lwip_start(is_up);
}

void notified(microkit_channel ch)
{
    net_lwip_notified(ch);
}
