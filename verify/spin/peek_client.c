/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped library, and a look at the buffers that it, or its program, keeps to itself. */
#include "network/client.c"

#include "verify/spin/peek.h"

/* Client 0: those for receiving; 1: for sending. */
unsigned peek_spare(uint32_t client_number, uint32_t *buffers)
{
    const struct client_buffers *b = client_number == 0 ? &net_client.rx : &net_client.tx;
    unsigned count = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->place[i] != CLIENT_AWAY) {
            buffers[count++] = i;
        }
    }
    return count;
}
