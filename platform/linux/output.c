/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What PDs print, line by line, with the name of who did. A PD may print as fast as it likes: the
 * loader takes only so many bytes in a period, and what does not fit into the pipe the PD drops.
 * Whoever reads the loader's output may be slow, or stopped: the loader writes a line only if that
 * does not block, so that it goes on supervising.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define ALLOWANCE    16384 /* bytes of one PD per period (supervise.c) */
#define COMPLAINT_MS 100
#define SILENT_NS    UINT64_C(200000000) /* of a PD's own time */

/* The process has one standard output and one standard error, and so one of these. */
static struct {
    int out, error;   /* opened here; -1 */
    char bytes[1024]; /* of a line that a terminal took in part */
    size_t begin, end;
} output = {.out = -1, .error = -1};

void linux_output_begin(void)
{
    fflush(stdout);
    output.out = linux_write_open(STDOUT_FILENO);
    output.error = linux_write_open(STDERR_FILENO);
}

void linux_output_end(void)
{
    linux_output_ready(); /* the rest, if there is room */
    if (output.out >= 0)
        close(output.out);
    if (output.error >= 0)
        close(output.error);
    output.out = output.error = -1;
    output.begin = output.end = 0;
}

int linux_output_fd(void)
{
    return output.out >= 0 ? output.out : STDOUT_FILENO;
}

/* A pipe that is ready takes a page, and a line is shorter; a terminal may take a part. */
bool linux_output_ready(void)
{
    while (output.begin < output.end) {
        ssize_t count = linux_write_now(linux_output_fd(), output.bytes + output.begin,
                                        output.end - output.begin);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        output.begin = count < 0 ? output.end : output.begin + (size_t)count; /* nobody is there */
    }
    struct pollfd polled = {.fd = linux_output_fd(), .events = POLLOUT};
    return poll(&polled, 1, 0) != 0; /* (an error counts: the write shows it) */
}

/* What is wrong is worth a moment's wait, but not more: then it is lost. */
void linux_output_complain(const char *text, size_t size)
{
    int fd = output.error >= 0 ? output.error : STDERR_FILENO;
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    while (size > 0 && poll(&polled, 1, COMPLAINT_MS) > 0) {
        ssize_t count = linux_write_now(fd, text, size);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            return;
        text += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
}

/* Control characters would let a PD write over what others print. */
static void print_line(struct linux_pd *pd)
{
    linux_text_clean(pd->line, pd->line_used);
    int length = snprintf(output.bytes, sizeof output.bytes, "%s | %.*s\n", pd->system->name,
                          (int)pd->line_used, pd->line);
    output.begin = 0; /* there is nothing in it: it was ready */
    output.end = (size_t)length < sizeof output.bytes ? (size_t)length : sizeof output.bytes - 1;
    pd->line_used = pd->line_seen = 0;
    linux_output_ready();
}

/*
 * A line that was begun is printed as it is when its PD has nothing more to say for now: it sleeps,
 * or has run on for so long without a word. (That it did not run at all means nothing.)
 */
static void print_unfinished(struct linux_pd *pd)
{
    uint32_t asleep = 0;
    uint64_t used = linux_process_cpu_ns(pd);
    if (pd->line_used != pd->line_seen) {
        pd->line_seen = pd->line_used;
        pd->line_cpu_ns = used;
    } else if (pread(pd->signal.ro, &asleep, sizeof asleep, 0) == sizeof asleep &&
               ((asleep & 1) != 0 || used - pd->line_cpu_ns >= SILENT_NS) && linux_output_ready()) {
        print_line(pd);
    }
}

void linux_output_refill(struct linux_pd *pd)
{
    pd->output_allowance = ALLOWANCE;
    if (pd->line_used > 0 && !linux_output_waits(pd))
        print_unfinished(pd);
}

bool linux_output_later(const struct linux_pd *pd)
{
    return pd->output_allowance == 0 || (pd->line_used > 0 && pd->state == LINUX_PD_RUNNING);
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
