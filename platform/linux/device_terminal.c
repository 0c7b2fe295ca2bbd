/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal: the driver has one end of a stream socket, and the loader joins the other end to its
 * own terminal, or to whatever its standard input and output are, or to the terminal that was named
 * (--console). So the driver holds nothing that is not its own, one descriptor serves both ways,
 * and what the system prints and what its PDs print for debugging do not get mixed up within a line
 * more than two lines of one terminal have to.
 *
 * Standard input that is a terminal gives each key as it is typed, without an echo, as long as the
 * system runs; Ctrl-C goes on ending it. It is left alone when this process is in the background.
 * Once standard input has ended, there is no more input, and the system runs on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "platform/linux/device.h"

#define POLLED_SOCKET 0
#define POLLED_INPUT  1
#define POLLED_OUTPUT 2
_Static_assert(POLLED_OUTPUT < LINUX_DEVICE_POLLS, "there are places for them");

/* Bytes on their way. */
struct way {
    char bytes[4096]; /* what a pipe that is ready takes at once */
    size_t begin, end;
};

struct terminal {
    int socket;        /* the loader's end */
    int input, output; /* -1: none, or no more */
    int console;       /* opened here; -1 */
    int own_output;    /* standard output, opened again; -1 */
    int raw;           /* the terminal whose mode was changed; -1 */
    struct termios before;
    struct way in, out;
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* Setting a terminal's mode from the background would stop the process. */
static bool set_mode(int fd, const struct termios *mode)
{
    sigset_t background, before;
    sigemptyset(&background);
    sigaddset(&background, SIGTTOU);
    sigprocmask(SIG_BLOCK, &background, &before);
    bool ok = tcsetattr(fd, TCSANOW, mode) == 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool make_raw(struct terminal *terminal, int fd)
{
    if (tcgetattr(fd, &terminal->before) != 0) {
        return false;
    }
    struct termios raw = terminal->before;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    /* These are the system's now; what is left is Ctrl-C. */
    raw.c_cc[VQUIT] = raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (!set_mode(fd, &raw)) {
        return false;
    }
    terminal->raw = fd;
    return true;
}

/* ---- while the system runs ----------------------------------------------------------------- */

/* The socket does not block, and of input poll() has said so. -1: the way has come to its end. */
static ssize_t way_fill(struct way *way, int from)
{
    ssize_t count = read(from, way->bytes, sizeof(way->bytes));
    way->begin = 0;
    way->end = count > 0 ? (size_t)count : 0;
    bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
    return count > 0 ? count : later ? 0 : -1;
}

static bool way_empty(const struct way *way)
{
    return way->begin == way->end;
}

/* False: nobody is there to take it any more. */
static bool way_drained(struct way *way, ssize_t count)
{
    if (count < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    way->begin += (size_t)count;
    return true;
}

static bool way_drain(struct way *way, int output)
{
    return way_drained(way,
                       linux_write_now(output, way->bytes + way->begin, way->end - way->begin));
}

/* That the driver has ended is nothing to end the system for, as SIGPIPE would. */
static bool way_send(struct way *way, int socket)
{
    return way_drained(way,
                       send(socket, way->bytes + way->begin, way->end - way->begin, MSG_NOSIGNAL));
}

static void terminal_poll(struct linux_device *device, struct pollfd *polled)
{
    struct terminal *terminal = device->state;
    short events = way_empty(&terminal->out) ? POLLIN : 0;
    if (!way_empty(&terminal->in)) {
        events |= POLLOUT;
    }
    polled[POLLED_SOCKET] = (struct pollfd){.fd = terminal->socket, .events = events};
    polled[POLLED_INPUT] = (struct pollfd){
        .fd = way_empty(&terminal->in) ? terminal->input : -1,
        .events = POLLIN,
    };
    polled[POLLED_OUTPUT] = (struct pollfd){
        .fd = way_empty(&terminal->out) ? -1 : terminal->output,
        .events = POLLOUT,
    };
    if (events == 0) {
        polled[POLLED_SOCKET].fd = -1; /* or a hang-up would be reported again and again */
    }
}

static void terminal_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct terminal *terminal = device->state;
    if (polled[POLLED_INPUT].revents != 0 && way_fill(&terminal->in, terminal->input) < 0) {
        terminal->input = -1; /* (it is not ours to close) */
    }
    if (!way_empty(&terminal->in) && !way_send(&terminal->in, terminal->socket)) {
        terminal->in.begin = terminal->in.end = 0;
        terminal->input = -1;
    }
    if ((polled[POLLED_SOCKET].revents & (POLLIN | POLLHUP)) != 0 && way_empty(&terminal->out) &&
        way_fill(&terminal->out, terminal->socket) < 0) {
        close_fd(&terminal->socket); /* the driver has ended */
        terminal->input = -1;
    }
    if (polled[POLLED_OUTPUT].revents != 0 && !way_drain(&terminal->out, terminal->output)) {
        terminal->out.begin = terminal->out.end = 0;
    }
}

/* ---- before and after ---------------------------------------------------------------------- */

static void show_taken(struct terminal *terminal)
{
    struct pollfd output = {.fd = terminal->output, .events = POLLOUT};
    while (poll(&output, 1, 0) == 1) {
        if (way_empty(&terminal->out) && way_fill(&terminal->out, terminal->socket) <= 0) {
            return;
        }
        if (!way_drain(&terminal->out, terminal->output)) {
            return;
        }
    }
}

/*
 * What has come and can be shown without waiting is shown. If nobody is there any more, this is no
 * time to die of it: there is more to be put in order.
 */
static void show_rest(struct terminal *terminal)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe, &before);
    show_taken(terminal);
    if (!sigismember(&before, SIGPIPE)) {
        sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void terminal_close(struct linux_device *device)
{
    struct terminal *terminal = device->state;
    if (terminal != NULL) {
        close_fd(&device->fd); /* before the rest is shown: its end is then seen */
        if (terminal->socket >= 0) {
            show_rest(terminal);
        }
        if (terminal->raw >= 0) {
            set_mode(terminal->raw, &terminal->before);
        }
        close_fd(&terminal->socket);
        close_fd(&terminal->console);
        close_fd(&terminal->own_output);
        free(terminal);
        device->state = NULL;
    }
    close_fd(&device->fd);
}

static bool open_console(struct terminal *terminal, const char *path, char **why)
{
    terminal->console = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (terminal->console < 0) {
        return linux_device_fail(why, "--console %s: %s", path, strerror(errno));
    }
    if (!isatty(terminal->console)) {
        return linux_device_fail(why,
                                 "--console %s is no terminal; without the option, standard "
                                 "input and output are used, which need not be one",
                                 path);
    }
    terminal->input = terminal->output = terminal->console;
    if (!make_raw(terminal, terminal->console)) {
        return linux_device_fail(why, "--console %s: cannot set its mode: %s", path,
                                 strerror(errno));
    }
    return true;
}

static bool open_standard(struct terminal *terminal, char **why)
{
    terminal->own_output = linux_write_open(STDOUT_FILENO);
    terminal->output = terminal->own_output >= 0 ? terminal->own_output : STDOUT_FILENO;
    terminal->input = STDIN_FILENO;
    if (!isatty(STDIN_FILENO)) {
        return true; /* a pipe, a file, or nothing at all */
    }
    if (tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        terminal->input = -1; /* what is typed is for whoever is in the foreground */
        return true;
    }
    if (!make_raw(terminal, STDIN_FILENO)) {
        return linux_device_fail(why, "cannot set the terminal's mode: %s", strerror(errno));
    }
    return true;
}

static bool terminal_start(struct linux_device *device, const char *console, char **why)
{
    struct terminal *terminal = device->state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return linux_device_fail(why, "cannot make a pair of sockets: %s", strerror(errno));
    }
    device->fd = ends[0];
    terminal->socket = ends[1];
    if (!(console != NULL ? open_console(terminal, console, why) : open_standard(terminal, why))) {
        return false;
    }
    /* Both are bounded by what the socket takes; where the bytes are is the driver's own affair. */
    device->call[0] = (struct linux_call){.number = SYS_read, .checked = 1u << 0};
    device->call[1] = (struct linux_call){.number = SYS_write, .checked = 1u << 0};
    device->call_count = 2;
    const char *where = console != NULL        ? console
                        : terminal->raw >= 0   ? "this terminal"
                        : terminal->input >= 0 ? "standard input and output"
                                               : "standard output";
    snprintf(device->text, sizeof(device->text), "%s: %s", device->board->name, where);
    return true;
}

static bool terminal_open(struct linux_device *device, const struct system *system,
                          const struct linux_memory *memory,
                          const struct linux_device_options *options, char **why)
{
    (void)system;
    (void)memory;
    if (device->board->region_count != 0) {
        return linux_device_fail(why, "the board's device %s has regions, and a terminal has none",
                                 device->board->name);
    }
    struct terminal *terminal = calloc(1, sizeof(*terminal));
    if (terminal == NULL) {
        return linux_device_fail(why, "out of memory");
    }
    terminal->socket = terminal->input = terminal->output = -1;
    terminal->console = terminal->own_output = terminal->raw = -1;
    device->state = terminal;
    if (!terminal_start(device, options->console, why)) {
        terminal_close(device);
        return false;
    }
    return true;
}

const struct linux_device_kind linux_device_terminal = {
    .name = "terminal",
    .open = terminal_open,
    .close = terminal_close,
    .poll = terminal_poll,
    .serve = terminal_serve,
};
