/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn_load: the host end of an emulated machine's network (QEMU's "-netdev socket" over a stream:
 * each frame behind its length in four bytes, the highest first). It keeps a window of UDP echo
 * requests under way, checks every reply whole, and asks the guest before and after for its stamp.
 *
 *     insn_load FD GUEST_IP PORT COUNTS SIZE:WINDOW:PACKETS[:PAUSE]...
 *
 * For each measurement a line of JSON, and others meanwhile that say how far it is. With a pause,
 * the next request leaves when the guest has executed so many instructions since the last reply:
 * how long that takes, is the host's affair, and a guest that the host lets wait has not been idle.
 * How many it has executed, stands in the file COUNTS (bench/guest/count.c).
 *
 * Exit status 1, and a line that says why: the guest does not answer, or answers wrongly; 2: a
 * mistake in the arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "insn_frame.h"

#define WINDOW_MAX   4096
#define BOOT_SECONDS 240   /* for an emulated machine, on a busy one */
#define QUIET_MS     20000 /* nothing for so long: what is under way is lost */
#define ASK_MS       250
#define TELL_US      10000000 /* how often it is said how far it is */
#define SPAN         65536    /* numbers under way lie closer together than that */

struct measurement {
    unsigned size, window;
    uint64_t packets, pause;
};

static struct {
    int fd;
    uint8_t in[1 << 20], out[1 << 22];
    size_t in_from, in_to, out_from, out_to;
} wire;

static struct frame_peer own = {{2, 0, 0, 0, 0xff, 1}, {10, 0, 0, 1}, LOAD_PORT};
static struct frame_peer guest;
static uint64_t under_way[SPAN]; /* a number + 1, at its place */
static uint64_t next_number, under_way_count;
static bool guest_known;
static const volatile uint64_t *counts; /* of the guest's instructions: kernel's, others */

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("insn_load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the wire ------------------------------------------------------------------------------ */

static void wire_flush(void)
{
    while (wire.out_from < wire.out_to) {
        const ssize_t n = write(wire.fd, wire.out + wire.out_from, wire.out_to - wire.out_from);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0 && errno != EINTR) {
            fail("the machine has hung up: %s", strerror(errno));
        }
        wire.out_from += n > 0 ? (size_t)n : 0;
    }
    wire.out_from = wire.out_to = 0;
}

/* Where to write a frame of up to FRAME_MAX bytes, to be queued by wire_send. */
static uint8_t *wire_frame(void)
{
    if (sizeof(wire.out) - wire.out_to < FRAME_MAX + 4) {
        memmove(wire.out, wire.out + wire.out_from, wire.out_to - wire.out_from);
        wire.out_to -= wire.out_from;
        wire.out_from = 0;
        if (sizeof(wire.out) - wire.out_to < FRAME_MAX + 4) {
            fail("the machine takes nothing: %zu bytes wait for it", wire.out_to);
        }
    }
    return wire.out + wire.out_to + 4;
}

static void wire_send(size_t length)
{
    uint8_t *header = wire.out + wire.out_to;
    header[0] = header[1] = 0;
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    wire.out_to += length + 4;
}

/* The next frame that has come, or NULL. It stays until the next call. */
static uint8_t *wire_next(size_t *length)
{
    for (;;) {
        const size_t have = wire.in_to - wire.in_from;
        uint8_t *at = wire.in + wire.in_from;
        if (have >= 4) {
            *length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
            if (*length > 65536) {
                fail("a frame of %zu bytes: this is not QEMU's stream", *length);
            }
            if (have >= *length + 4) {
                wire.in_from += *length + 4;
                return at + 4;
            }
        }
        memmove(wire.in, at, have);
        wire.in_from = 0;
        wire.in_to = have;
        const ssize_t n = read(wire.fd, wire.in + have, sizeof(wire.in) - have);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            fail("the machine has hung up%s%s", n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
        }
        if (n < 0) {
            return NULL;
        }
        wire.in_to += (size_t)n;
    }
}

/* Sends what waits, then sleeps until something comes. False: nothing did. */
static bool wire_wait(int milliseconds)
{
    struct pollfd p = {.fd = wire.fd, .events = POLLIN};
    wire_flush();
    p.events |= wire.out_from < wire.out_to ? POLLOUT : 0;
    return poll(&p, 1, milliseconds) > 0;
}

/* ---- what comes ---------------------------------------------------------------------------- */

static uint64_t stamp[STAMP_BYTES / 8];
static uint64_t stamp_number; /* of the last request */
static bool stamp_seen;

static void take_stamp(const uint8_t *frame, size_t length)
{
    struct frame_peer from = guest;
    from.port = STAMP_PORT;
    const char *fault = frame_udp_fault(frame, length, &from, &own, STAMP_BYTES);
    if (fault != NULL) {
        fail("a stamp is wrong: %s", fault);
    }
    uint64_t words[STAMP_BYTES / 8];
    memcpy(words, frame + FRAME_HEADERS, sizeof(words));
    if (words[STAMP_MAGIC] == STAMP_MAGIC_VALUE && words[STAMP_NUMBER] == stamp_number) {
        memcpy(stamp, words, sizeof(stamp));
        stamp_seen = true;
    }
}

/* Serves one frame. True: it was a reply, and right. */
static bool serve(uint8_t *frame, size_t length, unsigned size)
{
    if (length >= 14 && frame[12] == 0x08 && frame[13] == 0x06) {
        guest_known |= frame_arp_learn(frame, length, &guest);
        if (frame_arp_answer(frame, length, &own)) {
            memcpy(wire_frame(), frame, length);
            wire_send(length);
        }
        return false;
    }
    if (length >= FRAME_HEADERS && frame[23] == 17 && frame[34] == STAMP_PORT >> 8 &&
        frame[35] == (STAMP_PORT & 0xff)) {
        take_stamp(frame, length);
        return false;
    }
    if (!guest_known || length < 38 || frame[12] != 0x08 || frame[13] != 0x00 || frame[23] != 17 ||
        frame[36] != LOAD_PORT >> 8 || frame[37] != (LOAD_PORT & 0xff)) {
        return false; /* what a guest says of its own accord: IPv6, IGMP, DHCP */
    }
    uint64_t number;
    const char *fault = frame_reply_fault(frame, length, &guest, &own, size, &number);
    if (fault != NULL) {
        fail("a reply is wrong: %s", fault);
    }
    if (under_way[number % SPAN] != number + 1) {
        fail("reply %" PRIu64 " came twice, or was never asked for", number);
    }
    under_way[number % SPAN] = 0;
    under_way_count--;
    return true;
}

/* ---- what goes ----------------------------------------------------------------------------- */

static void send_request(unsigned size)
{
    under_way[next_number % SPAN] = next_number + 1;
    under_way_count++;
    wire_send(frame_request(wire_frame(), &own, &guest, next_number++, size));
}

static void send_stamp_request(void)
{
    struct frame_peer to = guest;
    const uint64_t words[STAMP_BYTES / 8] = {STAMP_MAGIC_VALUE, ++stamp_number};
    uint8_t *frame = wire_frame();
    to.port = STAMP_PORT;
    memcpy(frame + FRAME_HEADERS, words, sizeof(words));
    wire_send(frame_wrap(frame, &own, &to, sizeof(words)));
}

/* The guest is there when its address is known, and it gives a stamp. */
static void await_guest(void)
{
    const uint64_t deadline = now_us() + BOOT_SECONDS * UINT64_C(1000000);
    uint8_t *frame;
    size_t length;
    while (!stamp_seen) {
        if (now_us() > deadline) {
            fail("the guest does not answer");
        }
        if (guest_known) {
            send_stamp_request();
        } else {
            wire_send(frame_arp_request(wire_frame(), &own, &guest));
        }
        for (const uint64_t until = now_us() + ASK_MS * 1000; !stamp_seen && now_us() < until;) {
            wire_wait(ASK_MS);
            while ((frame = wire_next(&length)) != NULL) {
                serve(frame, length, 0);
            }
        }
    }
}

static uint64_t executed(void)
{
    return counts[0] + counts[1];
}

/*
 * Has the guest executed so many instructions since `mark`? One that stands still never will; it
 * would have nobody who counts what is left.
 */
static bool paused(uint64_t pause, uint64_t mark)
{
    static uint64_t seen, seen_us;
    const uint64_t now = now_us(), count = executed();
    if (count != seen) {
        seen = count;
        seen_us = now;
    } else if (now - seen_us > QUIET_MS * UINT64_C(1000)) {
        fail("the guest executes nothing any more");
    }
    return count - mark >= pause;
}

static void tell(const struct measurement *m, uint64_t replies, uint64_t packets)
{
    static uint64_t due;
    const uint64_t now = now_us();
    if (now >= due) {
        if (due != 0) {
            printf("{\"size\": %u, \"window\": %u, \"replies\": %" PRIu64 ", \"of\": %" PRIu64
                   "}\n",
                   m->size, m->window, replies < packets ? replies : packets, packets);
            fflush(stdout);
        }
        due = now + TELL_US;
    }
}

/* Requests and replies until `packets` have come, and, at the end, a stamp. */
static uint64_t run(const struct measurement *m, uint64_t packets, bool drain)
{
    uint64_t replies = 0, mark = m->pause > 0 ? executed() : 0;
    uint8_t *frame;
    size_t length;
    const unsigned window = drain ? 0 : m->window;
    stamp_seen = false;
    bool asked = false;
    while (drain ? under_way_count > 0 : !stamp_seen) {
        while (under_way_count < window && (m->pause == 0 || paused(m->pause, mark))) {
            send_request(m->size);
        }
        if (!drain && !asked && replies >= packets) {
            send_stamp_request();
            asked = true;
        }
        const bool pausing = under_way_count < window;
        if (!wire_wait(pausing ? 1 : QUIET_MS) && !pausing) {
            if (drain) {
                return replies;
            }
            fail("nothing comes any more, after %" PRIu64 " replies; %" PRIu64 " under way",
                 replies, under_way_count);
        }
        while ((frame = wire_next(&length)) != NULL) {
            replies += serve(frame, length, m->size);
            if (m->pause > 0) {
                mark = executed();
            } else if (under_way_count < window) {
                send_request(m->size);
            }
        }
        tell(m, replies, packets);
    }
    return replies;
}

static void report(const struct measurement *m, const uint64_t *before, uint64_t replies,
                   uint64_t lost)
{
    printf("{\"size\": %u, \"window\": %u, \"replies\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"frequency\": %" PRIu64 ", \"counter\": %" PRIu64 ", \"idle\": %" PRIu64
           ", \"packets\": %" PRIu64 ", \"accounts\": [",
           m->size, m->window, replies, lost, stamp[STAMP_FREQUENCY],
           stamp[STAMP_COUNTER] - before[STAMP_COUNTER], stamp[STAMP_IDLE] - before[STAMP_IDLE],
           stamp[STAMP_PACKETS] - before[STAMP_PACKETS]);
    for (uint64_t i = 0; i < stamp[STAMP_ACCOUNTS] && i < STAMP_ACCOUNTS_MAX; i++) {
        printf("%s%" PRIu64, i == 0 ? "" : ", ",
               stamp[STAMP_ACCOUNT + i] - before[STAMP_ACCOUNT + i]);
    }
    puts("]}");
    fflush(stdout);
}

static void measure(const struct measurement *m)
{
    uint64_t before[STAMP_BYTES / 8];
    const uint64_t first = next_number;
    uint64_t replies = run(m, m->packets / 10, false); /* caches, tables and windows fill */
    memcpy(before, stamp, sizeof(before));
    replies += run(m, m->packets, false);
    uint64_t after[STAMP_BYTES / 8];
    memcpy(after, stamp, sizeof(after));
    replies += run(m, 0, true);
    memcpy(stamp, after, sizeof(after));
    report(m, before, replies, next_number - first - replies);
    /* What has not come by now never will: it is told, and not waited for. */
    memset(under_way, 0, sizeof(under_way));
    under_way_count = 0;
}

static bool parse(const char *text, struct measurement *m)
{
    m->pause = 0;
    char end;
    const int fields = sscanf(text, "%u:%u:%" SCNu64 ":%" SCNu64 "%c", &m->size, &m->window,
                              &m->packets, &m->pause, &end);
    return (fields == 3 || fields == 4) && m->size >= FRAME_PAYLOAD_MIN &&
           m->size <= FRAME_PAYLOAD_MAX && m->window > 0 && m->window <= WINDOW_MAX &&
           m->packets > 0;
}

static bool map_counts(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    counts = page == MAP_FAILED ? NULL : page;
    if (fd >= 0) {
        close(fd);
    }
    return counts != NULL;
}

int main(int argc, char **argv)
{
    unsigned ip[4], port = 0;
    bool right = argc >= 6 && sscanf(argv[2], "%u.%u.%u.%u", ip, ip + 1, ip + 2, ip + 3) == 4 &&
                 sscanf(argv[3], "%u", &port) == 1 && port < 65536;
    struct measurement m;
    for (int i = 5; i < argc; i++) {
        right = right && parse(argv[i], &m);
    }
    if (!right) {
        fputs("usage: insn_load FD GUEST_IP PORT COUNTS SIZE:WINDOW:PACKETS[:PAUSE]...\n", stderr);
        return 2;
    }
    if (!map_counts(argv[4])) {
        fail("%s: %s", argv[4], strerror(errno));
    }
    wire.fd = atoi(argv[1]);
    fcntl(wire.fd, F_SETFL, fcntl(wire.fd, F_GETFL) | O_NONBLOCK);
    for (int i = 0; i < 4; i++) {
        guest.ip[i] = (uint8_t)ip[i];
    }
    guest.port = (uint16_t)port;
    await_guest();
    for (int i = 5; i < argc; i++) {
        parse(argv[i], &m);
        measure(&m);
    }
    return 0;
}
