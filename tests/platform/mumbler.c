/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints without ever ending a line, and then, by its own name: "asleep" waits, "busy" runs on,
 * "faulty" faults at once. "torrent" prints lines in three pieces, more than there is room for.
 */
#include <microkit.h>
#include <string.h>

static volatile unsigned count;

void init(void)
{
    if (strcmp(microkit_name, "torrent") == 0) {
        for (unsigned i = 0; i < 100000; i++) {
            microkit_dbg_puts("number ");
            microkit_dbg_put32(i);
            microkit_dbg_puts(" ends here\n");
        }
        return;
    }
    microkit_dbg_puts("a line without");
    microkit_dbg_putc(' ');
    microkit_dbg_puts("an end");
    if (strcmp(microkit_name, "faulty") == 0)
        __asm__ volatile("ud2");
    while (strcmp(microkit_name, "busy") == 0)
        count++;
}

void notified(microkit_channel ch)
{
    (void)ch;
}
