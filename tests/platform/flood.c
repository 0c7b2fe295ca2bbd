/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints without end. */
#include <microkit.h>

void init(void)
{
    for (;;)
        microkit_dbg_puts("a line of sixty-four bytes, printed again and again and again ...\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
