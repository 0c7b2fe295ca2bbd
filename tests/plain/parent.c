/* SPDX-License-Identifier: BSD-2-Clause */
/* Restarts a crashing child ten times, then stops it. */
#include <microkit.h>

#define ENTRY_POINT  0x200000
#define RESTARTS_MAX 10

static unsigned restarts;

void init(void)
{
    microkit_dbg_puts("watching\n");
}

void notified(microkit_channel ch)
{
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    if (microkit_msginfo_get_label(msginfo) != seL4_Fault_VMFault ||
        microkit_mr_get(seL4_VMFault_Addr) != 0)
        microkit_dbg_puts("not what was expected\n");
    if (restarts < RESTARTS_MAX) {
        restarts++;
        microkit_dbg_puts("restarting\n");
        microkit_pd_restart(child, ENTRY_POINT);
    } else {
        microkit_pd_stop(child);
        microkit_dbg_puts("stopped it\n");
    }
    return seL4_False;
}
