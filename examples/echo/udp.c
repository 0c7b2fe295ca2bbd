/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: echo and discard. */
#include "checksum.h"
#include "echo.h"
#include "lwip/ip.h"
#include "lwip/prot/udp.h"
#include "lwip/udp.h"
#include "net_lwip.h"

/*
 * The sum of a received datagram's payload, from the checksum that came with it. False if that
 * cannot be told: there is none, or lwIP has not checked it (because the device has, whose word is
 * enough for the data, but does not say that the field holds the finished checksum).
 */
static bool payload_sum(const struct pbuf *p, uint16_t *sum)
{
    const struct udp_hdr *udp = (const struct udp_hdr *)((const uint8_t *)p->payload - UDP_HLEN);
    uint16_t field = udp->chksum;
    if (field == 0 || (ip_current_netif()->chksum_flags & NETIF_CHECKSUM_CHECK_UDP) == 0) {
        return false;
    }
    uint16_t length = lwip_htons((uint16_t)(p->tot_len + UDP_HLEN));
    uint64_t rest = (uint64_t)ip4_current_src_addr()->addr + ip4_current_dest_addr()->addr +
                    PP_HTONS(IP_PROTO_UDP) + length + udp->src + udp->dest + length;
    *sum = net_checksum_without(field, rest);
    return true;
}

/*
 * Sends the very packet back. What net_lwip_reply() does not take goes through lwIP: the headers
 * are written over in place, and the payload is not even read for its checksum.
 */
static void echo(void *unused, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                 u16_t port)
{
    (void)unused;
    uint16_t sum;
    work_do();
    if (port == PORT_ECHO) {
        /* Two echo services that are made to talk to each other would never stop. */
    } else if (net_lwip_reply(p)) {
        /* the short way */
    } else if (payload_sum(p, &sum)) {
        udp_sendto_chksum(pcb, p, from, port, 1, sum);
    } else {
        udp_sendto(pcb, p, from, port);
    }
    pbuf_free(p);
}

static void discard(void *unused, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                    u16_t port)
{
    (void)unused;
    (void)pcb;
    (void)from;
    (void)port;
    pbuf_free(p);
}

static bool serve(u16_t port, udp_recv_fn with)
{
    struct udp_pcb *pcb = udp_new();
    if (pcb == NULL || udp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK) {
        return false;
    }
    udp_recv(pcb, with, NULL);
    return true;
}

bool udp_services_start(void)
{
    return serve(PORT_ECHO, echo) && serve(PORT_DISCARD, discard) && serve(PORT_ECHO_UDP, echo);
}
