/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped component, and a look at the buffers that it keeps to itself. */
#include "network/virt_tx.c"

#include "verify/spin/peek.h"

unsigned peek_spare(uint32_t client, uint32_t *buffers)
{
    const struct tx_client *c = &tx_clients[client];
    memcpy(buffers, &tx_spares[c->first], c->spare_count * sizeof(buffers[0]));
    return c->spare_count;
}
