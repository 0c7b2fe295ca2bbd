/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipbench's conversation with a target: bytes in, replies out, and nothing else: no network, no
 * clock, no allocation. Who speaks it feeds it what the controller says:
 *
 *     while (length > 0 && ipbench_open(t)) {
 *         size_t taken = ipbench_take(t, bytes, length, &event);
 *         begin or end measuring if `event` says so, and tell ipbench_measured() about the end
 *         send t->reply, t->reply_length bytes, as a segment of its own
 *     }
 *
 * One line of the controller's is one command, and each gets one reply, but for START (an answer
 * makes the controller give up) and QUIT.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPBENCH_LINE_MAX  128 /* a longer line is a bad command */
#define IPBENCH_REPLY_MAX 128

enum ipbench_state {
    IPBENCH_CONNECTED,
    IPBENCH_READY,   /* after HELLO */
    IPBENCH_LOADED,  /* after LOAD */
    IPBENCH_SET_UP,  /* after SETUP */
    IPBENCH_RUNNING, /* between START and STOP */
    IPBENCH_ENDED,   /* our half of the connection ends behind the reply */
};

enum ipbench_event {
    IPBENCH_NOTHING,
    IPBENCH_START,
    IPBENCH_STOP, /* ipbench_measured() makes the reply */
};

struct ipbench {
    enum ipbench_state state;
    char line[IPBENCH_LINE_MAX];
    uint32_t length; /* of the line so far */
    bool overlong;   /* the line's rest is passed over */
    char reply[IPBENCH_REPLY_MAX];
    uint32_t reply_length; /* 0: there is none */
};

/* The greeting is the first reply. */
void ipbench_begin(struct ipbench *t);

/* The reply to a second controller while there is one; ends the conversation. */
void ipbench_refuse(struct ipbench *t);

static inline bool ipbench_open(const struct ipbench *t)
{
    return t->state != IPBENCH_ENDED;
}

/*
 * Takes bytes, to the end of a line at most; how many. The reply before has been sent: it is
 * written over. `length` > 0, and the conversation is open.
 */
size_t ipbench_take(struct ipbench *t, const char *bytes, size_t length, enum ipbench_event *event);

/*
 * What was counted from START to STOP; `valid`: is there such a count at all. The reply of STOP;
 * ends the conversation.
 */
void ipbench_measured(struct ipbench *t, bool valid, uint64_t idle, uint64_t total);
