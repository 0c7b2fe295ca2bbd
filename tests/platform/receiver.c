/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints each notification. Of two deferred notifications in one wake-up the second replaces the
 * first. Calls on channels that this PD does not have, or may not use so, are reported and
 * survived.
 */
#include <microkit.h>

#define READY 40

static void report(const char *what, microkit_channel ch)
{
    microkit_dbg_puts(what);
    microkit_dbg_put32(ch);
    microkit_dbg_puts("\n");
}

void init(void)
{
    microkit_notify(17);
    microkit_notify(1000);
    microkit_irq_ack(READY);
    microkit_deferred_notify(18);
    microkit_deferred_irq_ack(19);
    microkit_ppcall(READY, microkit_msginfo_new(0, 0));
    microkit_notify(50); /* this end may not notify */
    microkit_dbg_puts("survived\n");
    microkit_deferred_notify(READY); /* of init: sent when it has returned */
    microkit_dbg_puts("init is over\n");
}

void notified(microkit_channel ch)
{
    report("channel ", ch);
    if (ch == 5)
        microkit_deferred_notify(5); /* lost */
    if (ch == 9)
        microkit_deferred_notify(9);
    report("done ", ch);
}
