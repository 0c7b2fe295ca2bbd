/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes every system call, on the descriptors that it has and some that it lacks, with two sets of
 * arguments, and prints what was let through. What is not is a fault, which its parent (warden.c)
 * answers with REFUSED. The rest of all descriptors is product.c's.
 */
#include <microkit.h>

#include "hostile.h"

#define REFUSED     UINT64_C(0x5ddf5ddf)
#define NUMBERS     600 /* none above 470 is a call so far */
#define DESCRIPTORS 6   /* of all calls; it has 1 to 4 */
#define ALL         128 /* of those that it may make on one; no process may have more */

/* This one passes every filter, and does nothing but from the kernel's own trampolines. */
#define UPROBE 336
#define ENXIO  6

/* What is no number of a descriptor, though the kernel might take the lower half of some as one. */
static const long odd[] = {-1, -100, (1L << 32) + 1, (1L << 32) + 3, 1L << 31};

/* What it may do on some descriptor. */
static const long permitted[] = {SYS_read, SYS_write, SYS_timerfd_settime};

static void probe(const char *arguments, long number, long descriptor, long b, long c)
{
    long result = call(number, descriptor, b, c, 0, 0, 0);
    if (result == (long)REFUSED || (number == UPROBE && result == -ENXIO))
        return;
    microkit_dbg_puts(arguments);
    microkit_dbg_put32((seL4_Uint32)number);
    microkit_dbg_puts(" ");
    microkit_dbg_put32((seL4_Uint32)descriptor);
    microkit_dbg_puts("\n");
}

void init(void)
{
    static const uint64_t at_once[2];
    for (long number = 0; number < NUMBERS; number++) {
        long most = number <= SYS_write ? ALL : number == SYS_ppoll ? 1 : DESCRIPTORS;
        for (long descriptor = 0; descriptor < most; descriptor++) {
            /* (Without a time ppoll would wait.) */
            probe("zeroes ", number, descriptor, 0, number == SYS_ppoll ? (long)at_once : 0);
            /* (A read of its own doorbell would wait.) */
            if (number != SYS_read || descriptor != BOOT->doorbell)
                probe("one ", number, descriptor, (long)&BOOT->one, sizeof BOOT->one);
        }
    }
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++)
        for (unsigned j = 0; j < sizeof permitted / sizeof permitted[0]; j++)
            probe("odd ", permitted[j], odd[i], (long)&BOOT->one, sizeof BOOT->one);
    microkit_dbg_puts("probed\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
