/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for a network client: its interface on top of the client's queues (sddf/net_client.h), its
 * timers on top of the timer class. The PD uses lwIP's raw API (lwip/tcp.h, lwip/udp.h) and these:
 *
 *      void init(void)
 *      {
 *          if (net_lwip_init()) {
 *              ... listen ...
 *              net_lwip_start(is_up);
 *          }
 *      }
 *
 *      void notified(microkit_channel ch)
 *      {
 *          net_lwip_notified(ch);
 *      }
 *
 * Receiving copies nothing: lwIP's packet is the client's Rx buffer, which goes back to the copier
 * when the last reference is freed. So a PD that keeps a received pbuf keeps one of its buffers.
 * A received pbuf has its old headers in front of its payload, and may be sent as it is: lwIP then
 * writes the new headers over them. Sending copies the packet, once, into a Tx buffer.
 *
 * What it trusts: lwIP reads headers where they lie, in memory that the copier can write. A copier
 * that changes a frame after handing it over can confuse lwIP about its own client's packets.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <microkit.h>

/*
 * Attaches to queues and timer and sets lwIP up. First of all, in init. False, after a message,
 * if a configuration does not fit: then use nothing of lwIP; notifications are ignored.
 */
bool net_lwip_init(void);

/*
 * Goes online: last, in init. `up` is called, from init or later from notified, each time that the
 * client has got an address (from its configuration, or by DHCP and granted by the ARP component).
 */
void net_lwip_start(void (*up)(const char *address));

/* One wake-up. False: the channel is none of the network's or the timer's. */
bool net_lwip_notified(microkit_channel ch);

/*
 * More than three quarters of the Rx buffers are in use. A PD that keeps received packets should
 * now keep no more, or what would let it go on (an acknowledgement, say) cannot be received.
 */
bool net_lwip_short_of_buffers(void);

/*
 * In a udp_recv callback: sends the datagram that it has been given back to where it came from, to
 * the very MAC address, with its payload as it came; unlike udp_sendto() it neither asks for a
 * route nor works a checksum out anew. The caller still owns `p`, and must not have changed it.
 * False, and nothing sent: this datagram takes udp_sendto() (or there is no buffer, and that will
 * say so).
 */
struct pbuf;
bool net_lwip_reply(const struct pbuf *p);
