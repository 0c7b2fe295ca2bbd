/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What PDs print, line by line, with the name of who did. A PD may print as fast as it likes: the
 * loader takes only so many bytes in a period, and what does not fit into the pipe the PD drops.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define ALLOWANCE 16384 /* bytes of one PD per period (supervise.c) */

void linux_output_refill(struct linux_pd *pd)
{
    pd->output_allowance = ALLOWANCE;
}

/* Control characters would let a PD write over what others print. */
static void print_line(struct linux_pd *pd)
{
    for (size_t i = 0; i < pd->line_used; i++)
        if ((unsigned char)pd->line[i] < ' ' && pd->line[i] != '\t')
            pd->line[i] = '?';
    printf("%s | %.*s\n", pd->system->name, (int)pd->line_used, pd->line);
    fflush(stdout);
    pd->line_used = 0;
}

static ssize_t take(struct linux_pd *pd)
{
    char bytes[4096];
    ssize_t length = read(pd->debug[0], bytes, sizeof bytes); /* does not block */
    for (ssize_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || pd->line_used == sizeof pd->line)
            print_line(pd);
        if (bytes[i] != '\n' && bytes[i] != '\r')
            pd->line[pd->line_used++] = bytes[i];
    }
    return length;
}

void linux_output_take(struct linux_pd *pd)
{
    ssize_t length = take(pd);
    if (length > 0)
        pd->output_allowance -=
            (uint64_t)length < pd->output_allowance ? (uint64_t)length : pd->output_allowance;
}

void linux_output_close(struct linux_pd *pd)
{
    /* At most what the pipe holds. */
    for (int i = 0; i < 16 && pd->debug[0] >= 0 && take(pd) > 0; i++)
        continue;
    if (pd->line_used > 0)
        print_line(pd);
}
