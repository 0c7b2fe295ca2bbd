/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of ipc_client.c: answers calls, and notifications on channel 1. */
#include <microkit.h>

void init(void)
{
}

void notified(microkit_channel ch)
{
    if (ch == 1)
        microkit_notify(ch);
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    return msginfo;
}
