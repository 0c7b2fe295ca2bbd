/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug output: lines are put together here and go to the loader in one piece. The pipe does not
 * block; a line that finds it full is dropped, since a PD must never wait for its debug output.
 */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "pd.h"

static char line[256];
static unsigned used;

void microkit_dbg_putc(int c)
{
    line[used++] = (char)c;
    if (c != '\n' && used < sizeof line)
        return;
    if (mk_pd.boot->debug >= 0)
        microkit_linux_syscall(SYS_write, mk_pd.boot->debug, (long)line, used, 0, 0, 0);
    used = 0;
}

void microkit_dbg_puts(const char *s)
{
    while (*s != '\0')
        microkit_dbg_putc(*s++);
}

void microkit_dbg_put32(seL4_Uint32 value)
{
    char digits[10];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        microkit_dbg_putc(digits[--count]);
}

void microkit_dbg_put8(seL4_Uint8 value)
{
    microkit_dbg_put32(value);
}
