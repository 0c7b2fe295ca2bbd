/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints single bytes, one in some ten microseconds, without end, and past the library. */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "platform/linux/lib/pd.h"

void init(void)
{
    for (;;) {
        microkit_linux_syscall(SYS_write, mk_pd.boot->debug, (long)"x", 1, 0, 0, 0);
        for (volatile int i = 0; i < 4000; i++)
            continue;
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
