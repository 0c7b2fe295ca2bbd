/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped component, and a look at the buffers that it keeps to itself. */
#include "network/virt_tx.c"

#include "verify/spin/peek.h"

unsigned peek_spare(uint32_t client, uint32_t *buffers)
{
    const struct tx_client *c = &virt_tx.client[client];
    memcpy(buffers, c->spare, c->spare_count * sizeof(buffers[0]));
    return c->spare_count;
}

/* No client has a limit, so nobody asks for a timeout. */
bool timer_init(void)
{
    world_fail("virt_tx wants a timeout");
    return false;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    (void)id;
    (void)deadline;
    world_fail("virt_tx wants a timeout");
    return TIMER_OK;
}
