/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stream of the load generator: a UDP socket connected to its target, what is on its way, and
 * the counts. One thread alone works on a stream.
 *
 * Every datagram: a 64-bit sequence number in this machine's byte order, then bytes that follow
 * from sequence number and stream, so that a reply with another's content, or with a part of it,
 * cannot pass.
 *
 * Every sequence number ends in exactly one of returned, wrong, late or lost. It is written off as
 * lost when its reply is not back after the timeout, and becomes late if the reply comes after all.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "mix.h"
#include "pace.h"

#define STREAM_BATCH_MAX 44         /* datagrams in one send: 64 KB */
#define STREAM_SLOTS     (1u << 18) /* sequence numbers whose fate is remembered */

struct stream_counts {
    uint64_t sent;
    uint64_t returned;  /* in time, content as sent */
    uint64_t bytes;     /* their payload */
    uint64_t wrong;     /* another content or length */
    uint64_t late;      /* after the timeout */
    uint64_t lost;      /* never */
    uint64_t unknown;   /* replies with a number that was never sent */
    uint64_t doubled;   /* replies beyond the first */
    uint64_t reordered; /* returned, but behind one with a higher number */
    uint64_t checked;   /* replies whose whole content was compared */
    uint64_t refused;   /* sends that the kernel refused; they were not sent */
};

struct stream_slot {
    uint64_t due; /* ns: when it was to be sent (open loop), or was (closed) */
    uint32_t number;
    uint32_t state; /* enum slot_state in load_stream.c */
};

struct stream {
    char name[32]; /* "10.0.0.10:7" */
    struct sockaddr_in address;
    int socket;
    unsigned index;
    struct mix mix;       /* payload bytes */
    struct pace pace;     /* open loop; its interval is 0 in closed loop */
    unsigned window;      /* on their way, closed loop */
    unsigned check_every; /* compare the whole content of every n-th reply */
    uint64_t timeout;     /* ns */
    bool gso;             /* segmentation by the kernel works on this route */

    uint64_t next;    /* sequence number of the next datagram */
    uint64_t oldest;  /* all below have met their fate, or been written off */
    uint64_t highest; /* highest number that came back, plus one */
    uint64_t pending; /* on their way, not written off */
    struct stream_counts count;
    struct histogram round_trip; /* from `due` to the reply's arrival at this program */
    struct histogram lag;        /* from `due` to the send */
    struct stream_slot *slot;
};

/* False with a message on stderr. The caller sets pace and window afterwards. */
bool stream_open(struct stream *s, const char *target, unsigned index, const struct mix *mix,
                 unsigned check_every, uint64_t timeout);
void stream_close(struct stream *s);

/* Sends one datagram every 20 ms until the target answers: ARP, start-up. False: it never did. */
bool stream_greet(struct stream *s, uint64_t patience);

/*
 * Sends up to `n` datagrams: those that come next. Their due times are those of the pace, counted
 * from `begin`, or in closed loop now. Returns how many the kernel took.
 */
unsigned stream_send(struct stream *s, unsigned n, uint64_t now, uint64_t begin);

/* Takes what has arrived, up to a bound. Returns the number of datagrams. */
unsigned stream_receive(struct stream *s);

/* Writes off what is older than the timeout; everything with `all`. */
void stream_expire(struct stream *s, uint64_t now, bool all);

uint64_t load_now(void); /* CLOCK_MONOTONIC, ns */
