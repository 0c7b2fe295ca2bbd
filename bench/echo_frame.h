/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bare echoes do with a frame: no protocol but ARP and UDP, as far as they must. */
#pragma once

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#define ECHO_ADDRESSES_MAX 64

struct echo_addresses {
    struct in_addr address[ECHO_ADDRESSES_MAX];
    int count;
};

static const unsigned char echo_mac[6] = {0x02, 0, 0, 0, 0, 0x0a};

/* False: one of them is no address, or they are too many. */
static inline bool echo_addresses_parse(struct echo_addresses *a, int count, char **texts)
{
    for (int i = 0; i < count; i++) {
        if (a->count == ECHO_ADDRESSES_MAX || inet_aton(texts[i], &a->address[a->count++]) == 0) {
            return false;
        }
    }
    return count > 0;
}

static inline void echo_swap(void *a, void *b, size_t n)
{
    char t[16];
    __builtin_memcpy(t, a, n);
    __builtin_memcpy(a, b, n);
    __builtin_memcpy(b, t, n);
}

static inline bool echo_ours(const struct echo_addresses *a, const void *ip)
{
    for (int i = 0; i < a->count; i++) {
        if (__builtin_memcmp(ip, &a->address[i], 4) == 0) {
            return true;
        }
    }
    return false;
}

/* Turns a frame into its answer, in place. False: there is none. */
static inline bool echo_answer(const struct echo_addresses *a, char *frame, unsigned length)
{
    struct ether_header *eth = (void *)frame;
    if (length < 42) {
        return false;
    }
    if (eth->ether_type == htons(ETHERTYPE_ARP)) {
        char *arp = frame + 14; /* operation at 6; sender at 8 and 14, target at 18 and 24 */
        if (arp[7] != ARPOP_REQUEST || !echo_ours(a, arp + 24)) {
            return false;
        }
        arp[7] = ARPOP_REPLY;
        echo_swap(arp + 8, arp + 18, 10);
        __builtin_memcpy(arp + 8, echo_mac, 6);
    } else {
        struct iphdr *ip = (void *)(frame + 14);
        struct udphdr *udp = (void *)(frame + 34);
        if (eth->ether_type != htons(ETHERTYPE_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_UDP ||
            !echo_ours(a, &ip->daddr)) {
            return false;
        }
        /* The checksums are sums: they stay what they are. */
        echo_swap(&ip->saddr, &ip->daddr, 4);
        echo_swap(&udp->source, &udp->dest, 2);
    }
    __builtin_memcpy(eth->ether_dhost, eth->ether_shost, 6);
    __builtin_memcpy(eth->ether_shost, echo_mac, 6);
    return true;
}
