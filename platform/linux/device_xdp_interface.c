/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface of an AF_XDP device: whether it is one that can be driven, and its MAC addresses.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "device_xdp.h"

#define MTU_MAX 1500

static bool request(int number, struct ifreq *ifreq, const char *interface)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    snprintf(ifreq->ifr_name, sizeof(ifreq->ifr_name), "%s", interface);
    int result = ioctl(fd, (unsigned long)number, ifreq);
    close(fd);
    return result == 0;
}

bool xdp_interface_check(const char *interface, bool *up, char **why)
{
    struct ifreq ifreq = {0};
    if (strlen(interface) >= IFNAMSIZ || if_nametoindex(interface) == 0) {
        return linux_device_fail(why,
                                 "there is no network interface \"%s\" here; \"ip link\" lists "
                                 "those that there are",
                                 interface);
    }
    if (request(SIOCGIFFLAGS, &ifreq, interface) && (ifreq.ifr_flags & IFF_LOOPBACK) != 0) {
        return linux_device_fail(
            why,
            "%s is the loopback interface, which has no other end; name one that "
            "has, or make two with \"ip link add veth0 type veth peer name "
            "veth1\" and name one of them",
            interface);
    }
    if (!request(SIOCGIFMTU, &ifreq, interface)) {
        return linux_device_fail(why, "%s: cannot read the MTU: %s", interface, strerror(errno));
    }
    if (ifreq.ifr_mtu > MTU_MAX) {
        return linux_device_fail(why,
                                 "%s: its MTU is %d, and buffers are for at most %d; \"ip link set "
                                 "dev %s mtu %d\"",
                                 interface, ifreq.ifr_mtu, MTU_MAX, interface, MTU_MAX);
    }
    /* An interface that cannot be asked has one queue. */
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    ifreq = (struct ifreq){.ifr_data = (char *)&channels};
    if (request(SIOCETHTOOL, &ifreq, interface) &&
        channels.combined_count + channels.rx_count > 1) {
        return linux_device_fail(why,
                                 "%s: it has %u Rx queues, and AF_XDP serves one of them; "
                                 "\"ethtool -L %s %s 1\"",
                                 interface, channels.combined_count + channels.rx_count, interface,
                                 channels.combined_count > 1 ? "combined" : "rx");
    }
    ifreq = (struct ifreq){0};
    *up = request(SIOCGIFFLAGS, &ifreq, interface) && (ifreq.ifr_flags & IFF_UP) != 0;
    return true;
}

bool xdp_interface_add_addresses(struct xdp_state *state, const char *interface, char **why)
{
    state->addresses = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* receives nothing */
    if (state->addresses < 0) {
        return linux_device_fail(why, "%s: packet socket: %s (it needs CAP_NET_RAW)", interface,
                                 strerror(errno));
    }
    for (unsigned i = 0; i < state->filter.receiver_count; i++) {
        struct packet_mreq member = {
            .mr_ifindex = (int)if_nametoindex(interface),
            .mr_type = PACKET_MR_UNICAST,
            .mr_alen = 6,
        };
        memcpy(member.mr_address, state->filter.receiver[i], 6);
        if (setsockopt(state->addresses, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member,
                       sizeof(member)) != 0) {
            return linux_device_fail(why, "%s: cannot take frames for a client's MAC address: %s",
                                     interface, strerror(errno));
        }
    }
    return true;
}
