/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What PDs print, line by line, with the name of who did. A PD may print as fast as it likes: the
 * loader takes only so many bytes in a period, and what does not fit into the pipe the PD drops.
 * Whoever reads the loader's output may be slow, or stopped: the loader writes a line only if that
 * does not block, so that it goes on supervising.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define ALLOWANCE 16384 /* bytes of one PD per period (supervise.c) */

void linux_output_refill(struct linux_pd *pd)
{
    pd->output_allowance = ALLOWANCE;
}

/* A pipe that is ready takes a page, and a line is shorter. (An error counts: the write shows it.)
 */
bool linux_output_ready(void)
{
    struct pollfd polled = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&polled, 1, 0) != 0;
}

/* Control characters would let a PD write over what others print. */
static void print_line(struct linux_pd *pd)
{
    linux_text_clean(pd->line, pd->line_used);
    printf("%s | %.*s\n", pd->system->name, (int)pd->line_used, pd->line);
    fflush(stdout);
    pd->line_used = 0;
}

bool linux_output_waits(const struct linux_pd *pd)
{
    return pd->taken_at < pd->taken_size;
}

/* Prints what was taken from the pipe, as far as standard output takes it. */
static void print_taken(struct linux_pd *pd)
{
    while (linux_output_waits(pd)) {
        char c = pd->taken[pd->taken_at];
        if (c == '\n' || pd->line_used == sizeof pd->line) {
            if (!linux_output_ready())
                return;
            print_line(pd);
        }
        pd->taken_at++;
        if (c != '\n' && c != '\r')
            pd->line[pd->line_used++] = c;
    }
}

void linux_output_take(struct linux_pd *pd)
{
    if (!linux_output_waits(pd)) {
        ssize_t size = read(pd->debug[0], pd->taken, sizeof pd->taken); /* does not block */
        uint64_t taken = size > 0 ? (uint64_t)size : 0;
        pd->taken_at = 0;
        pd->taken_size = taken;
        pd->output_allowance -= taken < pd->output_allowance ? taken : pd->output_allowance;
    }
    print_taken(pd);
}

void linux_output_close(struct linux_pd *pd)
{
    do {
        linux_output_take(pd); /* ends: the pipe's owner no longer runs */
    } while (pd->taken_size > 0 && !linux_output_waits(pd));
    if (pd->line_used > 0 && linux_output_ready())
        print_line(pd);
}
