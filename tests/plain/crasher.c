/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to address 0, each time. */
#include <stdint.h>
#include <microkit.h>

static volatile uintptr_t nowhere;

void init(void)
{
    microkit_dbg_puts("starting\n");
    *(volatile int *)nowhere = 1;
}

void notified(microkit_channel ch)
{
}
