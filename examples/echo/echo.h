/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the echo program: each sets its listeners up, and lwIP calls it from then on. */
#pragma once

#include <stdbool.h>

#include "lwip/tcp.h"

#define PORT_ECHO     7    /* UDP and TCP: RFC 862 */
#define PORT_DISCARD  9    /* UDP and TCP: RFC 863 */
#define PORT_ECHO_UDP 1235 /* the ports where ipbench looks for an echo */
#define PORT_ECHO_TCP 1236
#define PORT_USE      1237 /* TCP: how busy the processor is, as ipbench asks for it */

/* False if lwIP has no memory for that many listeners: a mistake in its options. */
bool udp_services_start(void);
bool tcp_services_start(void);
bool use_service_start(void);

/* One listener. */
bool tcp_service_start(u16_t port, tcp_accept_fn with);

/* Before a UDP echo is answered: nothing, unless the description gives us work to do (work.c). */
extern uint64_t echo_work_size;
void work_through(void);

static inline void work_do(void)
{
    if (echo_work_size != 0) {
        work_through();
    }
}
