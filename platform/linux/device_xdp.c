/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux network interface, driven through AF_XDP as if it were hardware
 * (Documentation/networking/af_xdp.rst):
 *
 *     its IOMMU domain   the UMEM: the regions that the device's io_address_space names, mapped
 *                        side by side in this process; an IO address is an offset into it
 *     its registers      the four rings of the socket, and a page that says how they are laid out
 *     its doorbell       sendto (Tx) and recvfrom (fill), with nothing to send and nowhere to put
 *     its interrupt      the socket is readable: the Rx ring is not empty
 *
 * Of a veth, the other end's transmit checksumming must be off ("ethtool -K PEER tx off"), or
 * frames arrive with checksums that nobody has computed: a veth leaves that to a receiver who can
 * tell, and AF_XDP cannot. It does not show from this end; whoever checks the checksums counts them
 * as wrong.
 *
 * All of it goes when this process does: the socket, the XDP program (a BPF link) and the
 * interface's additional MAC addresses (a packet socket's memberships) are descriptors.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_xdp.h>

#include "device_xdp.h"

#define BIND_TRIES 400 /* 5 ms apart */

/* ---- the socket ---------------------------------------------------------------------------- */

/* af_xdp.rst, "XDP_COPY and XDP_ZEROCOPY bind flags", "XDP_USE_NEED_WAKEUP bind flag". */
static bool bind_socket(struct linux_device *device, char **why)
{
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP,
        .sxdp_flags = XDP_USE_NEED_WAKEUP,
        .sxdp_ifindex = if_nametoindex(device->interface),
        .sxdp_queue_id = 0,
    };
    device->need_wakeup = true;
    /* Zero-copy would bypass a program in generic mode. Without XDP_COPY the kernel tries it. */
    address.sxdp_flags |= device->native ? 0 : XDP_COPY;
    /*
     * The kernel lets go of a queue some time after its last socket was closed, so a system that
     * follows upon another has to wait a little.
     */
    const struct timespec pause = {.tv_nsec = 5000000};
    int result = bind(device->fd, (struct sockaddr *)&address, sizeof(address));
    for (int i = 0; i < BIND_TRIES && result != 0 && errno == EBUSY; i++) {
        nanosleep(&pause, NULL);
        result = bind(device->fd, (struct sockaddr *)&address, sizeof(address));
    }
    if (result != 0) {
        return linux_device_fail(why, "%s: cannot bind an AF_XDP socket to queue 0: %s%s",
                                 device->interface, strerror(errno),
                                 errno == EBUSY ? " (another AF_XDP socket has it: end the program "
                                                  "that holds it)"
                                                : "");
    }
    struct xdp_options options = {0};
    socklen_t length = sizeof(options);
    device->zero_copy = getsockopt(device->fd, SOL_XDP, XDP_OPTIONS, &options, &length) == 0 &&
                        (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    return true;
}

/* The doorbells, with every argument fixed: the driver can ring them and do nothing else. */
static void permit_calls(struct linux_device *device)
{
    static const int numbers[] = {SYS_sendto, SYS_recvfrom};
    for (size_t i = 0; i < 2; i++) {
        device->call[i] = (struct linux_call){
            .number = numbers[i],
            .checked = 0x3f,
            .value = {0, 0, 0, MSG_DONTWAIT, 0, 0},
        };
    }
    device->call_count = 2;
}

/* ---- open and close ------------------------------------------------------------------------ */

static void xdp_close(struct linux_device *device)
{
    struct xdp_state *state = device->state;
    if (state != NULL) {
        xdp_filter_close(&state->filter); /* first: from here on all frames are the host's */
        if (state->addresses >= 0) {
            close(state->addresses);
        }
        if (state->layout >= 0) {
            close(state->layout);
        }
        if (state->watch >= 0) {
            close(state->watch);
        }
    }
    if (device->fd >= 0) {
        close(device->fd);
        device->fd = -1;
    }
    if (state != NULL && state->reserved != NULL) {
        munmap(state->reserved, state->reserved_size);
    }
    free(state);
    device->state = NULL;
}

static bool start(struct linux_device *device, struct xdp_state *state, const struct system *system,
                  const struct linux_memory *memory, const struct linux_device_options *options,
                  char **why)
{
    bool up = false;
    if (options->netdev == NULL) {
        return linux_device_fail(why,
                                 "%s is a network interface of this machine: say which with "
                                 "\"--netdev IFACE\"",
                                 device->board->name);
    }
    if (!xdp_interface_check(options->netdev, &up, why)) {
        return false;
    }
    snprintf(device->interface, sizeof(device->interface), "%s", options->netdev);
    state->watch = linux_link_watch(); /* first, or its end could be missed */
    state->index = if_nametoindex(device->interface);
    device->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (device->fd < 0) {
        return linux_device_fail(why, "cannot make an AF_XDP socket: %s%s", strerror(errno),
                                 errno == EPERM ? " (it needs CAP_NET_RAW; without it use the "
                                                  "board linux_tap)"
                                                : "");
    }
    if (!xdp_umem_map(state, device, system, memory, why) || !xdp_rings_make(device, state, why) ||
        !xdp_rings_lay_out(device, state, why) ||
        !xdp_filter_load(&state->filter, system, device->board->name, device->interface, why) ||
        !xdp_filter_attach(&state->filter, device->interface, options->allow_generic,
                           &device->native, why) ||
        !bind_socket(device, why) || !xdp_interface_add_addresses(state, device->interface, why) ||
        !xdp_filter_direct(&state->filter, device->fd, why)) {
        return false;
    }
    permit_calls(device);
    snprintf(device->text, sizeof(device->text), "%s: %s XDP, %s mode, need-wakeup%s",
             device->interface, device->native ? "native" : "generic",
             device->zero_copy ? "zero-copy" : "copy",
             up ? "" : ", but the interface is down: \"ip link set\" brings it up");
    return true;
}

static bool xdp_open(struct linux_device *device, const struct system *system,
                     const struct linux_memory *memory, const struct linux_device_options *options,
                     char **why)
{
    struct xdp_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return linux_device_fail(why, "out of memory");
    }
    state->filter.link = -1;
    state->addresses = -1;
    state->layout = -1;
    state->watch = -1;
    device->state = state;
    if (!start(device, state, system, memory, options, why)) {
        xdp_close(device);
        return false;
    }
    return true;
}

static void xdp_poll(struct linux_device *device, struct pollfd *polled)
{
    const struct xdp_state *state = device->state;
    polled[0] = (struct pollfd){.fd = state->watch, .events = POLLIN};
}

static void xdp_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct xdp_state *state = device->state;
    if (polled[0].revents != 0 && state->watch >= 0) {
        linux_link_serve(device, &state->watch, state->index);
    }
}

const struct linux_device_kind linux_device_xdp = {
    .name = "af_xdp",
    .open = xdp_open,
    .close = xdp_close,
    .poll = xdp_poll,
    .serve = xdp_serve,
};
