/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits until the receiver has come to rest (it says so on channel 0), then sends it several
 * notifications at once, some of them twice, in no order. Of higher priority than the receiver.
 */
#include <microkit.h>

void init(void)
{
}

void notified(microkit_channel ch)
{
    static unsigned wakes;
    if (ch != 0) {
        microkit_dbg_puts("got channel ");
        microkit_dbg_put32(ch);
        microkit_dbg_puts("\n");
        return;
    }
    if (wakes++ == 0) {
        microkit_notify(3);
        microkit_notify(1);
        microkit_notify(2);
        microkit_notify(1);
        microkit_notify(3);
    }
}
