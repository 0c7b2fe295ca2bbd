/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TAP interface: for those who may not use AF_XDP. It has no DMA; its driver reads and writes one
 * frame a system call. An interface of that name that is there already and is a TAP is used as it
 * is; otherwise one is made, which goes with its descriptor.
 */
#include "platform/linux/device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/if_tun.h>

#define DEFAULT_NAME "sddf0"

struct tap_state {
    unsigned index; /* the interface's */
    int watch;      /* for its end; -1 */
};

static void tap_close(struct linux_device *device)
{
    struct tap_state *state = device->state;
    if (state != NULL && state->watch >= 0) {
        close(state->watch);
    }
    free(state);
    device->state = NULL;
    if (device->fd >= 0) {
        close(device->fd);
        device->fd = -1;
    }
}

static bool bring_up(const char *interface)
{
    struct ifreq ifreq = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", interface);
    bool ok = ioctl(fd, SIOCGIFFLAGS, &ifreq) == 0;
    ifreq.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &ifreq) == 0;
    close(fd);
    return ok;
}

static bool attach(struct linux_device *device, const char *name, char **why)
{
    struct tap_state *state = device->state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return linux_device_fail(why, "out of memory");
    }
    state->watch = linux_link_watch(); /* first, or its end could be missed */
    bool existed = if_nametoindex(name) != 0;
    device->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device->fd < 0) {
        return linux_device_fail(why, "/dev/net/tun: %s (\"modprobe tun\" makes it)",
                                 strerror(errno));
    }
    struct ifreq ifreq = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", name);
    if (ioctl(device->fd, TUNSETIFF, &ifreq) != 0) {
        const char *mend = "";
        if (errno == EPERM) {
            mend = " (it needs CAP_NET_ADMIN here, or \"ip tuntap add IFACE mode tap user NAME\")";
        } else if (errno == EINVAL && existed) {
            mend = " (it is there, and no TAP: name one that is, or one that is not there yet)";
        } else if (errno == EBUSY) {
            mend = " (another program has it open)";
        }
        return linux_device_fail(why, "cannot open the TAP interface %s: %s%s", name,
                                 strerror(errno), mend);
    }
    if (!existed && !bring_up(name)) {
        return linux_device_fail(why, "cannot bring the TAP interface %s up: %s", name,
                                 strerror(errno));
    }
    state->index = if_nametoindex(name);
    snprintf(device->interface, sizeof(device->interface), "%s", name);
    snprintf(device->text, sizeof(device->text), "%s: TAP%s", name, existed ? "" : ", made here");
    return true;
}

static bool tap_open(struct linux_device *device, const struct system *system,
                     const struct linux_memory *memory, const struct linux_device_options *options,
                     char **why)
{
    (void)system;
    (void)memory;
    const char *name = options->netdev != NULL ? options->netdev : DEFAULT_NAME;
    if (strlen(name) >= IFNAMSIZ) {
        return linux_device_fail(why, "\"%s\" is too long for the name of an interface", name);
    }
    if (device->board->region_count != 0) {
        return linux_device_fail(why, "the board's device %s has regions, and a TAP has none",
                                 device->board->name);
    }
    if (!attach(device, name, why)) {
        tap_close(device);
        return false;
    }
    /* Where the frame is and how long, the driver says: it maps the packets' memory itself. */
    device->call[0] = (struct linux_call){.number = SYS_read, .checked = 1u << 0};
    device->call[1] = (struct linux_call){.number = SYS_write, .checked = 1u << 0};
    device->call_count = 2;
    return true;
}

static void tap_poll(struct linux_device *device, struct pollfd *polled)
{
    const struct tap_state *state = device->state;
    polled[0] = (struct pollfd){.fd = state->watch, .events = POLLIN};
}

static void tap_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct tap_state *state = device->state;
    if (polled[0].revents != 0 && state->watch >= 0) {
        linux_link_serve(device, &state->watch, state->index);
    }
}

const struct linux_device_kind linux_device_tap = {
    .name = "tap",
    .open = tap_open,
    .close = tap_close,
    .poll = tap_poll,
    .serve = tap_serve,
};
