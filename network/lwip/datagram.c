/* SPDX-License-Identifier: BSD-2-Clause */
#include "datagram.h"

#include "checksum.h"
#include "lwip/ip.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/udp.h"
#include "net_lwip.h"
#include "sddf/words.h"

/* Ethernet, IPv4 without options, and UDP: as they follow each other, in the wire's byte order. */
struct headers {
    uint8_t to_mac[6];
    uint8_t from_mac[6];
    uint16_t type;
    uint8_t version; /* and the IP header's length */
    uint8_t service;
    uint16_t length;
    uint16_t id;
    uint16_t fragment;
    uint8_t ttl;
    uint8_t protocol;
    uint16_t ip_checksum;
    uint32_t from_ip;
    uint32_t to_ip;
    uint16_t from_port;
    uint16_t to_port;
    uint16_t udp_length;
    uint16_t udp_checksum;
} __attribute__((packed));

#define HEADERS      42
#define IP_OFFSET    14
#define UDP_OFFSET   34
#define PLAIN        0x45 /* IPv4, with a header of five words */
#define DO_NOT_SPLIT PP_HTONS(IP_DF)

_Static_assert(sizeof(struct headers) == HEADERS, "nothing between them");

/* The datagram that a callback is looking at: what it may be answered from. */
static struct {
    const struct pbuf *p; /* NULL: there is none */
    struct headers headers;
    bool sum_known; /* the checksum that came with it is there, and right */
} current;

/* What the transport's checksum covers besides the datagram (RFC 768). */
static uint64_t pseudo_sum(const struct headers *h)
{
    return (uint64_t)h->from_ip + h->to_ip + PP_HTONS(IP_PROTO_UDP) + h->udp_length;
}

/* From somebody who can have sent it, to this interface's own address? */
static bool addresses_plain(const struct headers *h, const struct netif *netif)
{
    const uint32_t host = ~netif_ip4_netmask(netif)->addr;
    uint64_t to_mac = 0, own_mac = 0;
    __builtin_memcpy(&to_mac, h->to_mac, 6);
    __builtin_memcpy(&own_mac, netif->hwaddr, 6);
    return to_mac == own_mac && h->to_ip == netif_ip4_addr(netif)->addr && h->to_ip != 0 &&
           (h->from_ip & host) != host && h->from_ip != 0 &&
           (h->from_ip & PP_HTONL(0xe0000000)) != PP_HTONL(0xe0000000);
}

/* Is everything about the lengths and the IP header as it nearly always is? */
static bool shape_plain(const struct headers *h, uint32_t frame_length)
{
    const uint32_t length = lwip_htons(h->length);
    return h->type == PP_HTONS(ETHTYPE_IP) && h->version == PLAIN && h->protocol == IP_PROTO_UDP &&
           (h->fragment & ~DO_NOT_SPLIT) == 0 && length >= HEADERS - IP_OFFSET &&
           length <= frame_length - IP_OFFSET && lwip_htons(h->udp_length) == length - IP_HLEN;
}

/* Of the headers' own bytes, which were read once. */
static bool ip_checksum_ok(const struct headers *h)
{
    const uint8_t *ip = (const uint8_t *)h + IP_OFFSET;
    uint64_t sum = sddf_words_add(sddf_words_load(ip), sddf_words_load(ip + 8));
    return net_checksum_fold(sddf_words_add(sum, h->to_ip)) == 0xffff;
}

/* The one pcb that is bound to this port, if it takes from anybody; NULL: lwIP knows what to do. */
static struct udp_pcb *receiver(const struct headers *h)
{
    const uint16_t port = lwip_htons(h->to_port);
    struct udp_pcb *found = NULL;
    for (struct udp_pcb *pcb = udp_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port != port) {
            continue;
        }
        if (found != NULL || (pcb->flags & UDP_FLAGS_CONNECTED) != 0) {
            return NULL;
        }
        found = pcb;
    }
    const bool takes_it =
        found != NULL && found->recv != NULL &&
        (ip_addr_isany_val(found->local_ip) || ip_2_ip4(&found->local_ip)->addr == h->to_ip);
    return takes_it ? found : NULL;
}

bool datagram_input(struct pbuf *p, const struct net_frame *frame, struct netif *netif)
{
    if (frame->length < HEADERS) {
        return false;
    }
    /* Read once: the copier could change them. */
    struct headers *h = &current.headers;
    __builtin_memcpy(h, frame->data, HEADERS);
    if (!shape_plain(h, frame->length) || !addresses_plain(h, netif) || !ip_checksum_ok(h)) {
        return false;
    }
    struct udp_pcb *pcb = receiver(h);
    if (pcb == NULL) {
        return false;
    }
    const bool verified = (frame->flags & NET_CSUM_VERIFIED) != 0;
    const uint16_t length = lwip_htons(h->udp_length);
    if (!verified && h->udp_checksum != 0 &&
        net_checksum_fold(net_checksum_add(pseudo_sum(h), frame->data + UDP_OFFSET, length)) !=
            0xffff) {
        return false;
    }
    current.sum_known = !verified && h->udp_checksum != 0;
    p->payload = frame->data + HEADERS;
    p->len = p->tot_len = (uint16_t)(length - UDP_HLEN);
    ip_data.current_netif = ip_data.current_input_netif = netif;
    ip_data.current_ip4_header = (const struct ip_hdr *)(const void *)(frame->data + IP_OFFSET);
    ip_data.current_ip_header_tot_len = IP_HLEN;
    ip_data.current_iphdr_src.addr = h->from_ip;
    ip_data.current_iphdr_dest.addr = h->to_ip;
    const ip_addr_t from = {h->from_ip};
    current.p = p;
    pcb->recv(pcb->recv_arg, pcb, p, &from, lwip_htons(h->from_port));
    current.p = NULL;
    ip_data.current_netif = ip_data.current_input_netif = NULL;
    ip_data.current_ip4_header = NULL;
    return true;
}

bool net_lwip_reply(const struct pbuf *p)
{
    const struct headers *h = &current.headers;
    uint32_t buffer;
    if (p == NULL || p != current.p || p->len != lwip_htons(h->udp_length) - UDP_HLEN) {
        return false;
    }
    uint8_t *to = net_lwip_reserve(&buffer);
    if (to == NULL) {
        return true; /* lost, as lwIP would lose it */
    }
    /* Who has sent it gets it: sums do not care which way round addresses and ports are. */
    struct headers answer = *h;
    __builtin_memcpy(answer.to_mac, h->from_mac, 6);
    __builtin_memcpy(answer.from_mac, h->to_mac, 6);
    answer.service = 0;
    answer.id = 0; /* of no use to what is never in pieces (RFC 6864) */
    answer.fragment = DO_NOT_SPLIT;
    answer.ttl = UDP_TTL;
    answer.ip_checksum = 0;
    answer.from_ip = h->to_ip;
    answer.to_ip = h->from_ip;
    answer.from_port = h->to_port;
    answer.to_port = h->from_port;
    const uint64_t ip_sum = (uint64_t)PP_HTONS(PLAIN << 8) + h->length + DO_NOT_SPLIT +
                            PP_HTONS(UDP_TTL << 8 | IP_PROTO_UDP) + h->from_ip + h->to_ip;
    answer.ip_checksum = (uint16_t)~net_checksum_fold(ip_sum);
    if (!current.sum_known) {
        const uint64_t sum = pseudo_sum(h) + h->from_port + h->to_port + h->udp_length;
        answer.udp_checksum =
            (uint16_t)~net_checksum_fold(net_checksum_add(sum, p->payload, p->len));
        answer.udp_checksum = answer.udp_checksum == 0 ? 0xffff : answer.udp_checksum;
    }
    __builtin_memcpy(to, &answer, HEADERS);
    memcpy(to + HEADERS, p->payload, p->len);
    net_client_count(NET_STAT_TX_COPIED_BYTES, HEADERS + p->len);
    net_client_send(buffer, (uint16_t)(HEADERS + p->len), 0, 0, 0);
    return true;
}
