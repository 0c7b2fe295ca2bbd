/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of the network class, without an IP stack: it joins a PD to its copier (rx)
 * and to virt_tx (tx), and deals in whole Ethernet frames. A PD that is a network client links
 * network/client.c, which defines sddf_net_config; with an IP stack it links network/lwip as well,
 * and then leaves everything here to that.
 *
 *      copier ---- rx active ---> net_client_receive     net_client_send ---- tx active --->
 * virt_tx
 *             <--- rx free ------ net_client_return      net_client_reserve <- tx free -----
 *
 * Buffers are numbered from 0 in each data region. Which of them this PD holds is known privately;
 * a neighbour that hands over one that it does not have is refused, and counted.
 *
 * A wake-up goes like this:
 *
 *      net_client_count(NET_STAT_WAKEUPS, 1);
 *      do {
 *          up to NET_CLIENT_PASS times: net_client_receive, and what follows from it
 *          net_client_flush();
 *      } while (!net_client_idle(false));
 *
 * Nothing that is sent or returned reaches a neighbour before the flush. The flush uses the PD's
 * one deferred signal (for virt_tx), so the PD itself has none, and does not flush in protected().
 * All functions are called from init and notified only. None blocks, and none loops for longer than
 * the buffers there are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

/* Buffers in each direction; a program that is to have more is compiled with a larger one. */
#ifndef NET_CLIENT_BUFFERS_MAX
#define NET_CLIENT_BUFFERS_MAX 2048
#endif

/*
 * Frames between two flushes. The neighbours have higher priorities: a flush that signals is left
 * only when they have done their work, so it should not be one frame's worth; and they may run on
 * other cores, where they should not wait for more than half of a usual queue's worth.
 */
#define NET_CLIENT_PASS 256

extern struct net_client_config sddf_net_config;

/* A received frame. The buffer is the caller's until net_client_return(). */
struct net_frame {
    uint8_t *data; /* in the Rx data region; may be read and written, within its buffer */
    uint32_t buffer;
    uint16_t length; /* NET_FRAME_MIN .. NET_FRAME_MAX */
    uint16_t flags;  /* NET_CSUM_VERIFIED or 0 */
};

enum net_receive {
    NET_RECEIVE_EMPTY,   /* nothing there */
    NET_RECEIVE_FRAME,   /* a frame */
    NET_RECEIVE_REFUSED, /* an entry was refused: there may be more behind it */
};

/*
 * Attaches to the queues and offers all Rx buffers to the copier. First of all, in init. False,
 * after a message, if sddf_net_config is not a network client's or does not fit this program: the
 * PD must then call nothing else here, and ignore its notifications.
 */
bool net_client_init(void);

/* Takes one entry. */
enum net_receive net_client_receive(struct net_frame *frame);

/* Gives a received frame's buffer back to the copier. Refused if this PD does not hold it. */
void net_client_return(uint32_t buffer);

/* Rx buffers that the copier does not have: received and not returned. */
uint32_t net_client_held(void);

/* A Tx buffer of NET_BUFFER_SIZE bytes to fill, or NULL: none is free, or the queue is full. */
uint8_t *net_client_reserve(uint32_t *buffer);

/*
 * Sends a frame of `length` bytes (NET_FRAME_MIN .. NET_FRAME_MAX) that begins with the buffer.
 * flags: NET_CSUM_WANTED, with the two offsets, or 0. The buffer was reserved; it is virt_tx's now.
 */
void net_client_send(uint32_t buffer, uint16_t length, uint16_t flags, uint16_t csum_start,
                     uint16_t csum_offset);

/* Keeps a reserved buffer for the next reserve. */
void net_client_unreserve(uint32_t buffer);

/* How many Tx buffers can be reserved and sent now, at most (virt_tx may have sent rubbish). */
uint32_t net_client_can_send(void);

/* Hands over what was returned and sent, signals who needs it, and publishes the statistics. */
void net_client_flush(void);

/*
 * Asks for a signal at the next frame and, if want_tx, at the next free Tx buffer. True: there is
 * nothing to do, and the PD will be notified. False: there is; go on, and ask again later.
 */
bool net_client_idle(bool want_tx);

/*
 * The same for one that leaves arrived frames where they are, because it could not answer them: it
 * asks for a signal at the next free Tx buffer only.
 */
bool net_client_idle_until_send(void);

/* Adds to a statistic of this PD's; readers see it after the next flush. */
void net_client_count(enum net_stat stat, uint64_t n);

/* One's own count so far. */
uint64_t net_client_counted(enum net_stat stat);
