/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program of the AF_XDP device: hands the driver what belongs to the system and leaves the
 * rest to the host, as if the host were one more machine on the wire.
 *
 *   to a client's MAC                                  the system's
 *   ARP request, broadcast, for a client's address     the system's
 *   ... for an address that may yet be claimed         the system's, if clients claim addresses
 *   UDP, broadcast, to the DHCP client's port          the system's, if there are DHCP clients
 *   everything else                                    the host's
 *
 * A frame goes one way, never both. So with FILTER_DHCP a DHCP client of the host's own on this
 * interface must not rely on broadcast replies.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "filter.h"

#define DHCP_CLIENT_PORT 68

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FILTER_MAX);
    __type(key, __u64);
    __type(value, __u8);
} receivers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FILTER_MAX);
    __type(key, __u32);
    __type(value, __u8);
} addresses SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FILTER_MAX);
    __type(key, __u32);
    __type(value, __u8);
} host SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} settings SEC(".maps");

/* RFC 826, for Ethernet and IPv4. */
struct arp {
    __u16 hardware; /* ARP_ETHERNET */
    __u16 protocol; /* ETH_P_IP */
    __u8 hardware_length;
    __u8 protocol_length;
    __u16 operation; /* ARP_REQUEST */
    __u8 sender_mac[ETH_ALEN];
    __u8 sender[4];
    __u8 target_mac[ETH_ALEN];
    __u8 target[4];
} __attribute__((packed));

#define ARP_ETHERNET 1
#define ARP_REQUEST  1

static __always_inline bool setting(__u32 flag)
{
    __u32 key = 0;
    __u32 *flags = bpf_map_lookup_elem(&settings, &key);
    return flags && (*flags & flag);
}

static __always_inline bool arp_for_us(const struct arp *arp, const void *end)
{
    if ((const void *)(arp + 1) > end || arp->hardware != bpf_htons(ARP_ETHERNET) ||
        arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != ETH_ALEN ||
        arp->protocol_length != 4 || arp->operation != bpf_htons(ARP_REQUEST)) {
        return false;
    }
    __u32 target;
    __builtin_memcpy(&target, arp->target, sizeof(target));
    if (bpf_map_lookup_elem(&addresses, &target)) {
        return true;
    }
    return setting(FILTER_CLAIMS) && !bpf_map_lookup_elem(&host, &target);
}

static __always_inline bool dhcp_for_us(const struct iphdr *ip, const void *end)
{
    if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 ||
        ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x1fff)) != 0) {
        return false;
    }
    const struct udphdr *udp = (const void *)ip + ip->ihl * 4;
    return (const void *)(udp + 1) <= end && udp->dest == bpf_htons(DHCP_CLIENT_PORT) &&
           setting(FILTER_DHCP);
}

SEC("xdp")
int sddf_filter(struct xdp_md *ctx)
{
    const void *data = (const void *)(long)ctx->data;
    const void *end = (const void *)(long)ctx->data_end;
    const struct ethhdr *eth = data;
    if ((const void *)(eth + 1) > end) {
        return XDP_PASS;
    }
    __u64 mac = 0;
    __builtin_memcpy(&mac, eth->h_dest, ETH_ALEN);
    bool ours;
    if (eth->h_dest[0] & 1) {
        __u64 broadcast = 0;
        __builtin_memset(&broadcast, 0xff, ETH_ALEN);
        ours =
            mac == broadcast &&
            ((eth->h_proto == bpf_htons(ETH_P_ARP) && arp_for_us((const void *)(eth + 1), end)) ||
             (eth->h_proto == bpf_htons(ETH_P_IP) && dhcp_for_us((const void *)(eth + 1), end)));
    } else {
        ours = bpf_map_lookup_elem(&receivers, &mac) != 0;
    }
    /* On a queue without our socket the frame is passed on, not lost. */
    return ours ? bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS) : XDP_PASS;
}

char licence[] SEC("license") = "BSD";
