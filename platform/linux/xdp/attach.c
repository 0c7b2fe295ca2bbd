/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/xdp/attach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "platform/linux/xdp/filter.h"
#include "sddf/net.h"

/* filter.bpf.c, compiled, as bytes (embed.py). */
extern const unsigned char linux_xdp_filter[];
extern const size_t linux_xdp_filter_size;

_Static_assert(NET_CLIENTS_MAX <= FILTER_MAX && NET_CLIENTS_MAX <= XDP_RECEIVERS_MAX,
               "every client of a network fits the program's maps");

/* ---- what the program is told -------------------------------------------------------------- */

/* The PD's configuration, if it plays that role; NULL otherwise. */
static const void *config_in(const struct system_pd *pd, enum sddf_role role, size_t size)
{
    for (size_t i = 0; i < pd->patch_count; i++) {
        const struct system_patch *patch = &pd->patches[i];
        if (strcmp(patch->symbol, "sddf_net_config") == 0 && patch->size == size &&
            sddf_config_ok(patch->bytes, role, (uint32_t)size)) {
            return patch->bytes;
        }
    }
    return NULL;
}

/*
 * The configuration of the PD that plays `role` for the device; NULL if there is none. With several
 * devices in a system the PD's name, which begins with the device's, tells whose it is.
 */
static const void *config_of(const struct system *system, const char *device, enum sddf_role role,
                             size_t size)
{
    size_t length = strlen(device);
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct system_pd *pd = &system->pds[i];
        if (strncmp(pd->name, device, length) != 0 || pd->name[length] != '_') {
            continue;
        }
        const void *config = config_in(pd, role, size);
        if (config != NULL) {
            return config;
        }
    }
    return NULL;
}

static bool set(const struct xdp_filter *filter, const char *map, const void *key,
                const void *value, char **why)
{
    int fd = bpf_object__find_map_fd_by_name(filter->object, map);
    if (fd < 0 || bpf_map_update_elem(fd, key, value, BPF_ANY) != 0) {
        return linux_device_fail(why, "cannot fill the XDP program's map \"%s\": %s", map,
                                 strerror(errno));
    }
    return true;
}

static bool set_receivers(struct xdp_filter *filter, const struct net_virt_rx_config *config,
                          unsigned *flags, char **why)
{
    const uint8_t one = 1;
    for (uint32_t i = 0; i < config->client_count && i < NET_CLIENTS_MAX; i++) {
        const struct net_virt_rx_client *client = &config->client[i];
        if (client->kind == NET_RECEIVER_ARP) {
            continue; /* it has no MAC of its own */
        }
        uint64_t key = 0;
        memcpy(&key, client->mac, sizeof(client->mac));
        memcpy(filter->receiver[filter->receiver_count++], client->mac, sizeof(client->mac));
        if (!set(filter, "receivers", &key, &one, why)) {
            return false;
        }
        *flags |= client->kind == NET_RECEIVER_DHCP ? FILTER_DHCP : 0;
    }
    return true;
}

static bool set_addresses(const struct xdp_filter *filter, const struct net_arp_config *config,
                          unsigned *flags, char **why)
{
    const uint8_t one = 1;
    for (uint32_t i = 0; i < config->client_count && i < NET_CLIENTS_MAX; i++) {
        const struct net_arp_client *client = &config->client[i];
        if (client->channel != SDDF_NO_CHANNEL) {
            *flags |= FILTER_CLAIMS;
        } else if (!set(filter, "addresses", &client->ipv4, &one, why)) {
            return false;
        }
    }
    return true;
}

/* Only needed where ARP requests for anything but the host's own addresses are taken. */
static bool set_host(const struct xdp_filter *filter, const char *interface, char **why)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0) {
        return linux_device_fail(why, "%s: cannot list the host's addresses: %s", interface,
                                 strerror(errno));
    }
    const uint8_t one = 1;
    bool ok = true;
    for (const struct ifaddrs *at = list; at != NULL && ok; at = at->ifa_next) {
        if (at->ifa_addr != NULL && at->ifa_addr->sa_family == AF_INET &&
            strcmp(at->ifa_name, interface) == 0) {
            struct sockaddr_in address;
            memcpy(&address, at->ifa_addr, sizeof(address));
            ok = set(filter, "host", &address.sin_addr.s_addr, &one, why);
        }
    }
    freeifaddrs(list);
    return ok;
}

/* The configuration of the client that sits at the device's driver itself; NULL if none does. */
static const struct net_client_config *direct_client(const struct system *system,
                                                     const char *device)
{
    char driver[SYSTEM_NAME_MAX + 1];
    snprintf(driver, sizeof(driver), "%s_driver", device);
    for (size_t i = 0; i < system->channel_count; i++) {
        const struct system_end *end = system->channels[i].end;
        for (int side = 0; side < 2; side++) {
            const struct system_pd *pd = &system->pds[end[1 - side].pd];
            if (strcmp(system->pds[end[side].pd].name, driver) != 0) {
                continue;
            }
            const struct net_client_config *config =
                config_in(pd, SDDF_ROLE_NET_CLIENT, sizeof(*config));
            if (config != NULL) {
                return config;
            }
        }
    }
    return NULL;
}

/* As if there were virtualisers and an ARP component for this one client. */
static bool tell_direct(struct xdp_filter *filter, const struct net_client_config *client,
                        char **why)
{
    struct net_virt_rx_config receivers = {.client_count = 1};
    struct net_arp_config addresses = {.client_count = 1};
    unsigned flags = 0;
    memcpy(receivers.client[0].mac, client->mac, sizeof(client->mac));
    addresses.client[0].channel = SDDF_NO_CHANNEL;
    addresses.client[0].ipv4 = client->ipv4;
    const uint32_t key = 0;
    return set_receivers(filter, &receivers, &flags, why) &&
           set_addresses(filter, &addresses, &flags, why) &&
           set(filter, "settings", &key, &flags, why);
}

static bool tell(struct xdp_filter *filter, const struct system *system, const char *device,
                 const char *interface, char **why)
{
    const struct net_virt_rx_config *virt_rx =
        config_of(system, device, SDDF_ROLE_NET_VIRT_RX, sizeof(*virt_rx));
    const struct net_arp_config *arp = config_of(system, device, SDDF_ROLE_NET_ARP, sizeof(*arp));
    const struct net_client_config *client = direct_client(system, device);
    if (virt_rx == NULL && client != NULL) {
        return tell_direct(filter, client, why);
    }
    if (virt_rx == NULL) {
        return linux_device_fail(why,
                                 "%s: the system has no Rx virtualiser for this device, so nobody "
                                 "would receive; a <network> element makes one",
                                 device);
    }
    unsigned flags = 0;
    if (!set_receivers(filter, virt_rx, &flags, why) ||
        (arp != NULL && !set_addresses(filter, arp, &flags, why)) ||
        ((flags & FILTER_CLAIMS) && !set_host(filter, interface, why))) {
        return false;
    }
    const uint32_t key = 0;
    return set(filter, "settings", &key, &flags, why);
}

/* ---- the program --------------------------------------------------------------------------- */

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0; /* what matters is said in our words */
}

static const char *permission(int error)
{
    return error == EPERM || error == EACCES
               ? " (XDP programs need root, or CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW; without "
                 "them use the board linux_tap)"
               : "";
}

bool linux_device_xdp_permitted(char **why)
{
    *why = NULL;
    libbpf_set_print(quiet);
    int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sddf_probe", 4, 4, 1, NULL);
    if (map < 0) {
        return linux_device_fail(why, "AF_XDP cannot be used here: %s%s", strerror(errno),
                                 permission(errno));
    }
    close(map);
    return true;
}

bool xdp_filter_load(struct xdp_filter *filter, const struct system *system, const char *device,
                     const char *interface, char **why)
{
    *filter = (struct xdp_filter){.link = -1};
    libbpf_set_print(quiet);
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "sddf");
    filter->object = bpf_object__open_mem(linux_xdp_filter, linux_xdp_filter_size, &options);
    if (filter->object == NULL) {
        return linux_device_fail(why, "cannot read the XDP program: %s", strerror(errno));
    }
    int error = -bpf_object__load(filter->object);
    if (error != 0) {
        linux_device_fail(why, "cannot load the XDP program: %s%s", strerror(error),
                          permission(error));
    } else if (tell(filter, system, device, interface, why)) {
        return true;
    }
    xdp_filter_close(filter);
    return false;
}

/* A BPF link says less than netlink would when it fails, so look what may be in the way. */
static bool attach_failed(const char *interface, int ifindex, int error, char **why)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    bool other = bpf_xdp_query(ifindex, 0, &query) == 0 && query.prog_id != 0;
    if (other || error == EBUSY || error == EEXIST) {
        return linux_device_fail(why,
                                 "%s: another XDP program (id %u) is attached there; detach it "
                                 "with \"ip link set dev %s xdp off\", or end the program that "
                                 "holds it (bpftool net)",
                                 interface, query.prog_id, interface);
    }
    if (error == EOPNOTSUPP) {
        return linux_device_fail(why,
                                 "%s: its driver has no native XDP; \"--generic\" runs the "
                                 "program in the slower generic mode",
                                 interface);
    }
    return linux_device_fail(why,
                             "%s: cannot attach the XDP program in native mode: %s%s; the usual "
                             "causes are an MTU that is too large, here or at a veth's other end, "
                             "and a veth whose other end has more Tx queues than this one has Rx "
                             "queues (\"dmesg\" often says); \"--generic\" runs the program "
                             "in the slower generic mode",
                             interface, strerror(error), permission(error));
}

static int link_create(int program, int ifindex, unsigned flags)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    return bpf_link_create(program, ifindex, BPF_XDP, &options);
}

bool xdp_filter_attach(struct xdp_filter *filter, const char *interface, bool allow_generic,
                       bool *native, char **why)
{
    int ifindex = (int)if_nametoindex(interface);
    struct bpf_program *program = bpf_object__find_program_by_name(filter->object, "sddf_filter");
    int fd = program != NULL ? bpf_program__fd(program) : -1;
    *native = true;
    filter->link = link_create(fd, ifindex, XDP_FLAGS_DRV_MODE);
    if (filter->link < 0) {
        int error = errno;
        *native = false;
        if (allow_generic && error != EBUSY && error != EEXIST) {
            filter->link = link_create(fd, ifindex, XDP_FLAGS_SKB_MODE);
        }
        if (filter->link < 0) {
            return attach_failed(interface, ifindex, error, why);
        }
    }
    return true;
}

bool xdp_filter_direct(struct xdp_filter *filter, int socket, char **why)
{
    const uint32_t queue = 0;
    return set(filter, "sockets", &queue, &socket, why);
}

void xdp_filter_close(struct xdp_filter *filter)
{
    if (filter->link >= 0) {
        close(filter->link);
        filter->link = -1;
    }
    bpf_object__close(filter->object); /* NULL is fine */
    filter->object = NULL;
}
