/* SPDX-License-Identifier: BSD-2-Clause */
#include "load_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO     104
#endif

#define RECEIVE_BATCH   8
#define RECEIVE_MAX     65536 /* what UDP_GRO may glue together */
#define SOCKET_BUFFER   (16 << 20)
#define PATTERN_OFFSETS 2048 /* places in the pattern at which a datagram's bytes may begin */
#define GREETING        UINT64_C(0xffffffff00000000) /* numbers that no measured datagram has */

enum slot_state {
    SLOT_FREE,
    SLOT_PENDING,
    SLOT_WRITTEN_OFF,
    SLOT_DONE,
};

uint64_t load_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- content ------------------------------------------------------------------------------- */

/*
 * Random bytes; a datagram's are a window of them at a place that its number decides, behind a word
 * that is unique to number and stream. Filling and checking is then a copy and a comparison.
 */
static uint64_t pattern[PATTERN_OFFSETS + MIX_SIZE_MAX / 8 + 1];

/* The finaliser of splitmix64: every bit of the input changes half of the output. */
static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void pattern_init(void)
{
    for (unsigned i = 0; i < sizeof(pattern) / 8; i++) {
        pattern[i] = scramble((i + 1) * UINT64_C(0x9e3779b97f4a7c15));
    }
}

static uint64_t pattern_tag(const struct stream *s, uint64_t number)
{
    return scramble(number + ((uint64_t)s->index + 1) * UINT64_C(0x9e3779b97f4a7c15) +
                    mix_size(&s->mix, number));
}

static void content_fill(const struct stream *s, uint64_t number, char *data)
{
    uint64_t tag = pattern_tag(s, number);
    unsigned body = mix_size(&s->mix, number) - 8;
    unsigned head = body < 8 ? body : 8;
    memcpy(data, &number, 8);
    memcpy(data + 8, &tag, head);
    memcpy(data + 8 + head, &pattern[tag % PATTERN_OFFSETS], body - head);
}

static bool content_good(const struct stream *s, uint64_t number, const char *data)
{
    uint64_t tag = pattern_tag(s, number);
    unsigned body = mix_size(&s->mix, number) - 8;
    unsigned head = body < 8 ? body : 8;
    return memcmp(data + 8, &tag, head) == 0 &&
           memcmp(data + 8 + head, &pattern[tag % PATTERN_OFFSETS], body - head) == 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool parse_target(const char *target, struct sockaddr_in *address)
{
    char host[64];
    unsigned port;
    char rest;
    if (sscanf(target, "%63[0-9.]:%u%c", host, &port, &rest) != 2 || port == 0 || port > 65535) {
        return false;
    }
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

bool stream_open(struct stream *s, const char *target, unsigned index, const struct mix *mix,
                 unsigned check_every, uint64_t timeout)
{
    if (pattern[0] == 0) {
        pattern_init();
    }
    memset(s, 0, sizeof(*s));
    s->socket = -1;
    s->index = index;
    s->mix = *mix;
    s->check_every = check_every;
    s->timeout = timeout;
    s->gso = true;
    histogram_reset(&s->round_trip);
    histogram_reset(&s->lag);
    if (!parse_target(target, &s->address)) {
        fprintf(stderr, "load: %s is no target; write ADDRESS:PORT, say 10.0.0.10:7\n", target);
        return false;
    }
    snprintf(s->name, sizeof(s->name), "%s", target);

    s->slot = calloc(STREAM_SLOTS, sizeof(*s->slot));
    s->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->slot == NULL || s->socket < 0 ||
        connect(s->socket, (struct sockaddr *)&s->address, sizeof(s->address)) != 0) {
        fprintf(stderr, "load: %s: %s\n", target, strerror(errno));
        stream_close(s);
        return false;
    }
    /* Large buffers, beyond the system's limit where we may: the generator must not be what drops.
     */
    int buffer = SOCKET_BUFFER, on = 1;
    if (setsockopt(s->socket, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) != 0) {
        setsockopt(s->socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    }
    if (setsockopt(s->socket, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) != 0) {
        setsockopt(s->socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    }
    /* Where the kernel has no UDP_GRO, datagrams simply arrive one by one. */
    setsockopt(s->socket, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
    return true;
}

void stream_close(struct stream *s)
{
    if (s->socket >= 0) {
        close(s->socket);
    }
    free(s->slot);
    s->socket = -1;
    s->slot = NULL;
}

bool stream_greet(struct stream *s, uint64_t patience)
{
    uint64_t begin = load_now();
    uint64_t number = GREETING;
    char data[MIX_SIZE_MAX];
    do {
        size_t size = mix_size(&s->mix, number);
        content_fill(s, number, data);
        /* A refused connection is an answer to an earlier greeting: there is nobody yet. */
        (void)!send(s->socket, data, size, 0);
        number++;
        struct pollfd p = {.fd = s->socket, .events = POLLIN};
        if (poll(&p, 1, 20) > 0 && recv(s->socket, data, sizeof(data), 0) >= MIX_SIZE_MIN) {
            /* Replies to the other greetings may still be on their way: let them pass. */
            while (poll(&p, 1, 30) > 0 && recv(s->socket, data, sizeof(data), 0) >= 0) {
            }
            return true;
        }
    } while (load_now() - begin < patience);
    return false;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Without segmentation in the kernel: as many datagrams, a header each. */
static unsigned send_each(struct stream *s, char *data, unsigned n)
{
    struct iovec part[STREAM_BATCH_MAX];
    struct mmsghdr message[STREAM_BATCH_MAX];
    for (unsigned i = 0; i < n; i++) {
        part[i] = (struct iovec){.iov_base = data, .iov_len = mix_size(&s->mix, s->next + i)};
        data += part[i].iov_len;
        message[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &part[i], .msg_iovlen = 1}};
    }
    int sent = sendmmsg(s->socket, message, n, 0);
    return sent < 0 ? 0 : (unsigned)sent;
}

static unsigned send_segmented(struct stream *s, char *data, unsigned n)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec part = {.iov_base = data, .iov_len = (size_t)n * s->mix.largest};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    uint16_t size = (uint16_t)s->mix.largest;
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(size));
    memcpy(CMSG_DATA(c), &size, sizeof(size));
    if (sendmsg(s->socket, &message, 0) >= 0) {
        return n;
    }
    /* Kernels before 6.11 refuse it where the interface does not checksum; others lack it. */
    if (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT || errno == EOPNOTSUPP) {
        s->gso = false;
        return send_each(s, data, n);
    }
    return 0;
}

unsigned stream_send(struct stream *s, unsigned n, uint64_t now, uint64_t begin)
{
    static _Thread_local char data[STREAM_BATCH_MAX * MIX_SIZE_MAX];
    char *at = data;
    n = n < STREAM_BATCH_MAX ? n : STREAM_BATCH_MAX;
    for (unsigned i = 0; i < n; i++) {
        content_fill(s, s->next + i, at);
        at += mix_size(&s->mix, s->next + i);
    }
    /* The kernel's segments are all of one size. */
    bool segmented = s->gso && n > 1 && s->mix.length == 1;
    unsigned sent = segmented ? send_segmented(s, data, n) : send_each(s, data, n);
    s->count.refused += n - sent;
    for (unsigned i = 0; i < sent; i++) {
        struct stream_slot *slot = &s->slot[s->next % STREAM_SLOTS];
        if (s->next - s->oldest == STREAM_SLOTS) {
            /* More is on its way than can be remembered: its oldest is given up. */
            if (slot->state == SLOT_PENDING) {
                s->count.lost++;
                s->pending--;
            }
            s->oldest++;
        }
        uint64_t due = s->pace.interval > 0 ? begin + pace_due(&s->pace, s->next) : now;
        *slot =
            (struct stream_slot){.due = due, .number = (uint32_t)s->next, .state = SLOT_PENDING};
        histogram_add(&s->lag, now > due ? now - due : 0, 1);
        s->next++;
    }
    s->pending += sent;
    s->count.sent += sent;
    return sent;
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void take_reply(struct stream *s, const char *data, size_t size, uint64_t now)
{
    uint64_t number = UINT64_MAX;
    if (size >= sizeof(number)) {
        memcpy(&number, data, sizeof(number));
    }
    if (number >= GREETING && number != UINT64_MAX) {
        return; /* a greeting's second answer */
    }
    if (number >= s->next) {
        s->count.unknown++;
        return;
    }
    struct stream_slot *slot = &s->slot[number % STREAM_SLOTS];
    if (slot->number != (uint32_t)number || slot->state == SLOT_WRITTEN_OFF) {
        /* Written off, perhaps so long ago that its slot serves another number by now. */
        s->count.late++;
        s->count.lost -= s->count.lost > 0;
        slot->state = slot->number == (uint32_t)number ? SLOT_DONE : slot->state;
        return;
    }
    if (slot->state == SLOT_DONE) {
        s->count.doubled++;
        return;
    }
    slot->state = SLOT_DONE;
    s->pending--;
    bool whole = s->check_every <= 1 || number % s->check_every == 0;
    s->count.checked += whole;
    if (size != mix_size(&s->mix, number) || (whole && !content_good(s, number, data))) {
        s->count.wrong++;
        return;
    }
    s->count.returned++;
    s->count.bytes += size;
    s->count.reordered += number < s->highest;
    s->highest = number >= s->highest ? number + 1 : s->highest;
    histogram_add(&s->round_trip, now > slot->due ? now - slot->due : 0, 1);
}

unsigned stream_receive(struct stream *s)
{
    static _Thread_local char data[RECEIVE_BATCH][RECEIVE_MAX];
    static _Thread_local char control[RECEIVE_BATCH][CMSG_SPACE(sizeof(int))];
    struct iovec part[RECEIVE_BATCH];
    struct mmsghdr message[RECEIVE_BATCH];
    for (unsigned i = 0; i < RECEIVE_BATCH; i++) {
        part[i] = (struct iovec){.iov_base = data[i], .iov_len = RECEIVE_MAX};
        message[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &part[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = control[i],
                                                  .msg_controllen = sizeof(control[i])}};
    }
    int got = recvmmsg(s->socket, message, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
    unsigned replies = 0;
    uint64_t now = got > 0 ? load_now() : 0;
    for (int i = 0; i < got; i++) {
        size_t length = message[i].msg_len, segment = length;
        struct msghdr *header = &message[i].msg_hdr;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
                int glued;
                memcpy(&glued, CMSG_DATA(c), sizeof(glued));
                segment = glued > 0 ? (size_t)glued : length;
            }
        }
        size_t from = 0;
        do {
            size_t size = length - from < segment ? length - from : segment;
            take_reply(s, data[i] + from, size, now);
            replies++;
            from += segment;
        } while (from < length);
    }
    return replies;
}

void stream_expire(struct stream *s, uint64_t now, bool all)
{
    while (s->oldest < s->next) {
        struct stream_slot *slot = &s->slot[s->oldest % STREAM_SLOTS];
        if (slot->state == SLOT_PENDING) {
            if (!all && now < slot->due + s->timeout) {
                return;
            }
            slot->state = SLOT_WRITTEN_OFF;
            s->pending--;
            s->count.lost++;
        }
        s->oldest++;
    }
}
