/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers ping. */
#include <microkit.h>

#define CHANNEL 2

volatile const uint64_t *request; /* set by the description */
volatile uint64_t *response;

void init(void)
{
}

void notified(microkit_channel ch)
{
    if (ch != CHANNEL) {
        microkit_dbg_puts("pong: wrong channel\n");
        return;
    }
    *response = *request * UINT64_C(0x9e3779b97f4a7c15) + 1;
    microkit_deferred_notify(CHANNEL);
}
