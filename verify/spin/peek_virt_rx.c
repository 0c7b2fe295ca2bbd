/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped component, and a look at the buffers that it keeps to itself. */
#include "network/virt_rx.c"

#include "verify/spin/peek.h"

unsigned peek_spare(uint32_t client, uint32_t *buffers)
{
    (void)client;
    memcpy(buffers, spare, spare_count * sizeof(spare[0]));
    return spare_count;
}
