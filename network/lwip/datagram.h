/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way of a UDP datagram: a part of net_lwip.c, which alone includes this.
 *
 * Nearly all that come to a busy service look alike: plain headers, for this interface's own
 * address, for a port that exactly one pcb listens on. Such a one is checked here as lwIP would
 * check it, all at once, and handed to the pcb. Whatever looks in any way different goes lwIP's own
 * way, which also counts what is wrong with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "checksum.h"
#include "lwip/ip.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/udp.h"
#include "network/client_frame.h"
#include "sddf/raw.h"
#include "sddf/words.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a field of a word is found by a shift");

/*
 * Ethernet, IPv4 without options, and UDP, as they follow each other, in words that are as wide as
 * they can be: fields are in the wire's byte order, the first in the lowest bits.
 */
struct datagram_headers {
    uint64_t macs;     /* bytes 0 to 7: to whom; from whom, the first two bytes */
    uint32_t from_mac; /* 8 to 11: the other four */
    uint16_t type;     /* 12 */
    uint64_t ip;       /* 14 to 21: version and header's length, service; length; id; fragment */
    uint64_t ip_from;  /* 22 to 29: time to live, protocol; checksum; source */
    uint64_t ip_to;    /* 30 to 37: destination; source port, destination port */
    uint32_t udp;      /* 38 to 41: length, checksum */
};

#define DATAGRAM_IP      14
#define DATAGRAM_PAYLOAD 42
#define DATAGRAM_MAC     UINT64_C(0xffffffffffff)
#define DATAGRAM_PLAIN   0x45 /* IPv4, with a header of five words */
#define DATAGRAM_WHOLE   PP_HTONS(IP_DF)

/* The datagram that a callback is looking at: what it may be answered from. */
static struct {
    const struct pbuf *p; /* NULL: there is none */
    struct datagram_headers headers;
    bool sum_known; /* the checksum that came with it is there, and right */
} datagram;

/* Once each: the copier could change them. */
static inline struct datagram_headers datagram_read(const uint8_t *frame)
{
    return (struct datagram_headers){
        .macs = sddf_raw_u64(frame),
        .from_mac = sddf_raw_u32(frame + 8),
        .type = sddf_raw_u16(frame + 12),
        .ip = sddf_raw_u64(frame + 14),
        .ip_from = sddf_raw_u64(frame + 22),
        .ip_to = sddf_raw_u64(frame + 30),
        .udp = sddf_raw_u32(frame + 38),
    };
}

static inline uint32_t datagram_from(const struct datagram_headers *h)
{
    return (uint32_t)(h->ip_from >> 32);
}

static inline uint32_t datagram_to(const struct datagram_headers *h)
{
    return (uint32_t)h->ip_to;
}

/* In the machine's own byte order: of the datagram, its header included; and of the packet. */
static inline uint16_t datagram_length(const struct datagram_headers *h)
{
    return lwip_htons((uint16_t)h->udp);
}

static inline uint16_t datagram_ip_length(const struct datagram_headers *h)
{
    return lwip_htons((uint16_t)(h->ip >> 16));
}

/* Is everything about the lengths and the IP header as it nearly always is? */
static inline bool datagram_shape_plain(const struct datagram_headers *h, uint32_t frame_length)
{
    const uint32_t length = datagram_ip_length(h);
    return h->type == PP_HTONS(ETHTYPE_IP) && (uint8_t)h->ip == DATAGRAM_PLAIN &&
           (uint8_t)(h->ip_from >> 8) == IP_PROTO_UDP &&
           ((uint16_t)(h->ip >> 48) & ~DATAGRAM_WHOLE) == 0 && length >= IP_HLEN + UDP_HLEN &&
           length <= frame_length - DATAGRAM_IP && datagram_length(h) == length - IP_HLEN;
}

/* From somebody who can have sent it, to this interface's own address? */
static inline bool datagram_addresses_plain(const struct datagram_headers *h,
                                            const struct netif *netif)
{
    const uint32_t host = ~netif_ip4_netmask(netif)->addr;
    const uint32_t from = datagram_from(h), to = datagram_to(h);
    return (h->macs & DATAGRAM_MAC) == sddf_raw_u48(netif->hwaddr) &&
           to == netif_ip4_addr(netif)->addr && to != 0 && (from & host) != host && from != 0 &&
           (from & PP_HTONL(0xe0000000)) != PP_HTONL(0xe0000000);
}

static inline bool datagram_ip_checksum_ok(const struct datagram_headers *h)
{
    const uint64_t sum = sddf_words_add(sddf_words_add(h->ip, h->ip_from), datagram_to(h));
    return net_checksum_fold(sum) == 0xffff;
}

/*
 * The sum of what a datagram's checksum covers besides the payload (RFC 768): the pseudo-header's
 * source, protocol and length; the header's length and checksum; destination and both ports.
 */
static inline uint64_t datagram_sum(const struct datagram_headers *h)
{
    const uint64_t sum =
        (uint64_t)datagram_from(h) + PP_HTONS(IP_PROTO_UDP) + (uint16_t)h->udp + h->udp;
    return sddf_words_add(sum, h->ip_to);
}

/* The one pcb that is bound to this port, if it takes from anybody; NULL: lwIP knows what to do. */
static inline struct udp_pcb *datagram_pcb(const struct datagram_headers *h)
{
    const uint16_t port = lwip_htons((uint16_t)(h->ip_to >> 48));
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
        (ip_addr_isany_val(found->local_ip) || ip_2_ip4(&found->local_ip)->addr == datagram_to(h));
    return takes_it ? found : NULL;
}

/* Whom this frame is for, by the short way; NULL if it does not take that. */
static inline struct udp_pcb *datagram_receiver(const struct net_frame *frame,
                                                const struct netif *netif)
{
    if (frame->length < DATAGRAM_PAYLOAD) {
        return NULL;
    }
    const struct datagram_headers h = datagram_read(frame->data);
    if (!datagram_shape_plain(&h, frame->length) || !datagram_addresses_plain(&h, netif) ||
        !datagram_ip_checksum_ok(&h)) {
        return NULL;
    }
    struct udp_pcb *pcb = datagram_pcb(&h);
    const bool sum_there = (frame->flags & NET_CSUM_VERIFIED) == 0 && h.udp >> 16 != 0;
    if (pcb == NULL || (sum_there && net_checksum_fold(net_checksum_add(
                                         datagram_sum(&h), frame->data + DATAGRAM_PAYLOAD,
                                         (uint32_t)datagram_length(&h) - UDP_HLEN)) != 0xffff)) {
        return NULL;
    }
    datagram.headers = h;
    datagram.sum_known = sum_there;
    return pcb;
}

/* Bytes of payload in what datagram_receiver() has found one for. */
static inline uint16_t datagram_payload(void)
{
    return (uint16_t)(datagram_length(&datagram.headers) - UDP_HLEN);
}

/* `p` is its payload's pbuf, and the receiver's from here on. */
static inline void datagram_hand_over(struct udp_pcb *pcb, struct pbuf *p,
                                      const struct net_frame *frame, struct netif *netif)
{
    const struct datagram_headers *h = &datagram.headers;
    const ip_addr_t from = {datagram_from(h)};
    ip_data.current_netif = ip_data.current_input_netif = netif;
    ip_data.current_ip4_header = (const struct ip_hdr *)(const void *)(frame->data + DATAGRAM_IP);
    ip_data.current_ip_header_tot_len = IP_HLEN;
    ip_data.current_iphdr_src = from;
    ip_data.current_iphdr_dest.addr = datagram_to(h);
    datagram.p = p;
    pcb->recv(pcb->recv_arg, pcb, p, &from, lwip_htons((uint16_t)(h->ip_to >> 32)));
    datagram.p = NULL;
    ip_data.current_netif = ip_data.current_input_netif = NULL;
    ip_data.current_ip4_header = NULL;
}

static inline void datagram_store16(uint8_t *to, uint16_t value)
{
    __builtin_memcpy(to, &value, sizeof(value));
}

static inline void datagram_store32(uint8_t *to, uint32_t value)
{
    __builtin_memcpy(to, &value, sizeof(value));
}

static inline void datagram_store64(uint8_t *to, uint64_t value)
{
    __builtin_memcpy(to, &value, sizeof(value));
}

/*
 * The headers of an answer to `h` with a payload as long: who has sent it gets it, from whom it was
 * sent to. Sums do not care which way round addresses and ports are.
 */
static inline void datagram_write_answer(uint8_t *to, const struct datagram_headers *h,
                                         uint16_t checksum)
{
    const uint64_t to_mac = h->macs >> 48 | (uint64_t)h->from_mac << 16;
    const uint64_t from_mac = h->macs & DATAGRAM_MAC;
    const uint32_t ports = (uint32_t)(h->ip_to >> 32);
    /* No id, which is of no use to what is never in pieces (RFC 6864). */
    const uint64_t ip =
        DATAGRAM_PLAIN | (h->ip & UINT64_C(0xffff0000)) | (uint64_t)DATAGRAM_WHOLE << 48;
    const uint64_t ip_from = UDP_TTL | IP_PROTO_UDP << 8 | (uint64_t)datagram_to(h) << 32;
    const uint64_t sum = sddf_words_add(sddf_words_add(ip, ip_from), datagram_from(h));
    const uint16_t ip_checksum = (uint16_t)~net_checksum_fold(sum);
    datagram_store64(to, to_mac | from_mac << 48);
    datagram_store32(to + 8, (uint32_t)(from_mac >> 16));
    datagram_store16(to + 12, PP_HTONS(ETHTYPE_IP));
    datagram_store64(to + 14, ip);
    datagram_store64(to + 22, ip_from | (uint64_t)ip_checksum << 16);
    datagram_store64(to + 30, datagram_from(h) | (uint64_t)(ports << 16 | ports >> 16) << 32);
    datagram_store32(to + 38, (uint16_t)h->udp | (uint32_t)checksum << 16);
}

/* The checksum of an answer with this payload: the one that came, or a new one. */
static inline uint16_t datagram_answer_checksum(const struct datagram_headers *h,
                                                const void *payload, uint16_t length)
{
    if (datagram.sum_known) {
        return (uint16_t)(h->udp >> 16);
    }
    struct datagram_headers without = *h;
    without.udp &= 0xffff;
    const uint64_t sum = net_checksum_add(datagram_sum(&without), payload, length);
    const uint16_t checksum = (uint16_t)~net_checksum_fold(sum);
    return checksum == 0 ? 0xffff : checksum; /* 0 says that there is none */
}
