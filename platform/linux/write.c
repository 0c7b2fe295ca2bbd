/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing to what other processes read: a pipe or a terminal whose reader has stopped must not stop
 * the loader, which supervises the system and hears Ctrl-C. O_NONBLOCK belongs to the open file,
 * which is shared with others (a shell's terminal, say), so the loader opens the file once more
 * for itself. Where that cannot be done (a socket; a pipe of another user's) it asks right before
 * each write, and writes no more than a pipe that is ready takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/device.h"

int linux_write_open(int fd)
{
    char path[32];
    struct stat status;
    /* (A file, which takes all at once, would be written over from its beginning.) */
    if (fstat(fd, &status) != 0 || (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

ssize_t linux_write_now(int fd, const void *bytes, size_t size)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    if (poll(&polled, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, bytes, size < PIPE_BUF ? size : PIPE_BUF); /* (an error it shows itself) */
}
