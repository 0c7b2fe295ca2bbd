/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an interface still exists. An AF_XDP socket or a TAP whose interface is gone is silent,
 * as one is that nothing comes to; the kernel tells who listens to rtnetlink, which takes no
 * privilege.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define MESSAGES 64 /* in one go; more are left for the next */

int linux_link_watch(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool says_gone(const struct nlmsghdr *message, size_t size, unsigned index)
{
    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
        const struct ifinfomsg *link = NLMSG_DATA(message);
        /* (Leaving a bridge is reported in the same way, by the family of bridges.) */
        if (message->nlmsg_type == RTM_DELLINK &&
            message->nlmsg_len >= NLMSG_LENGTH(sizeof *link) && link->ifi_family == AF_UNSPEC &&
            link->ifi_index == (int)index)
            return true;
    }
    return false;
}

static bool gone(int watch, unsigned index)
{
    union {
        struct nlmsghdr message;
        char bytes[8192];
    } buffer;
    char name[IF_NAMESIZE];
    for (int i = 0; i < MESSAGES; i++) {
        struct sockaddr_nl from = {0};
        socklen_t length = sizeof from;
        ssize_t size =
            recvfrom(watch, &buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (size < 0 && errno == ENOBUFS) /* some were lost */
            return if_indextoname(index, name) == NULL && errno == ENXIO;
        if (size < 0)
            return false;
        if (from.nl_pid == 0 && says_gone(&buffer.message, (size_t)size, index)) /* the kernel */
            return true;
    }
    return false;
}

void linux_link_serve(const struct linux_device *device, int *watch, unsigned index)
{
    if (!gone(*watch, index))
        return;
    linux_complain("%s: interface %s is gone; end the system and start it again when there is one",
                   device->board->name, device->interface);
    close(*watch);
    *watch = -1;
}
