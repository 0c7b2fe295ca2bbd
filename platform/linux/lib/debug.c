/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug output: what one call prints goes to the loader in one piece, at once, so that it is there
 * if the next instruction is a fault. The loader puts lines together. The pipe does not block; of a
 * line for which it has no room the rest is dropped, since a PD must never wait for its debug
 * output.
 */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "pd.h"

static char piece[256];
static unsigned used;
static bool begun; /* a part of this line has been written */
static bool cut;   /* a part of it was lost, and so is the rest */
static bool owed;  /* the end of a line that was cut */

static void flush(void)
{
    if (used == 0 || mk_pd.boot->debug < 0)
        return;
    bool ends = piece[used - 1] == '\n';
    if (microkit_linux_syscall(SYS_write, mk_pd.boot->debug, (long)piece, used, 0, 0, 0) > 0) {
        begun = !ends;
        owed = false;
    } else {
        owed |= begun;
        begun = false;
        cut = !ends;
    }
    used = 0;
}

static void put(char c)
{
    if (cut) {
        cut = c != '\n';
        return;
    }
    if (used == 0 && owed)
        piece[used++] = '\n';
    piece[used++] = c;
    if (c == '\n' || used == sizeof piece)
        flush();
}

void microkit_dbg_putc(int c)
{
    put((char)c);
    flush();
}

void microkit_dbg_puts(const char *s)
{
    while (*s != '\0')
        put(*s++);
    flush();
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
        put(digits[--count]);
    flush();
}

void microkit_dbg_put8(seL4_Uint8 value)
{
    microkit_dbg_put32(value);
}
