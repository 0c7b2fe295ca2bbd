/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody whose memory others are after. */
#include <microkit.h>

/* Set by the description. */
seL4_Word victim, rx, tx;

void init(void)
{
    /* Whatever is used is in the page table, where the test finds out its physical address. */
    *(volatile char *)victim = 0;
    *(volatile char *)rx = 0;
    *(volatile char *)tx = 0;
    microkit_dbg_puts("bystander: here\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
