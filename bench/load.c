/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: offers UDP datagrams to one or more echo services, checks what returns, and measures.
 * `load --help` teaches its use.
 *
 * One thread does everything, so that it needs one core and no locks: it sends what is due, takes
 * what has arrived, and sleeps until either is there to be done. Under open loop the send times are
 * fixed in advance; a datagram that leaves late still has its round trip counted from the moment at
 * which it was due, so that a service that stalls cannot hide the stall by holding us up.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Closer than this, waiting costs more than it saves. */
#define SPIN_NS        20000
#define PROGRESS_NS    500000000
#define HOUSEKEEP_NS   1000000
#define SECOND_NS      1e9
#define DRAIN_QUIET_NS 100000000 /* the end's wait for replies may stop after such a silence */

static volatile sig_atomic_t stop;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static double processor_time(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Sends what the stream is to have sent by now. Returns how many; *next is when the next is due. */
static unsigned offer(struct load *load, struct stream *s, uint64_t now, uint64_t *next)
{
    const struct load_options *o = &load->option;
    if (o->rate <= 0) {
        unsigned room = s->pending < o->window ? o->window - (unsigned)s->pending : 0;
        return room > 0 ? stream_send(s, room, now, now, 0) : 0;
    }
    /* The targets' datagrams are spread over the interval, not sent in a burst. */
    double interval = SECOND_NS / o->rate;
    double offset = interval * s->index / o->targets;
    double due = (double)load->begin + offset + (double)s->next * interval;
    unsigned sent = 0;
    if (due <= (double)now) {
        double missing = floor(((double)now - due) / interval) + 1;
        unsigned n = missing < STREAM_BATCH_MAX ? (unsigned)missing : STREAM_BATCH_MAX;
        sent = stream_send(s, n, now, (uint64_t)due, interval);
        due += sent * interval;
    }
    *next = (uint64_t)due < *next ? (uint64_t)due : *next;
    return sent;
}

static void wait_until(struct load *load, uint64_t now, uint64_t next)
{
    if (next <= now + SPIN_NS) {
        return;
    }
    struct pollfd p[LOAD_TARGETS];
    for (unsigned i = 0; i < load->option.targets; i++) {
        p[i] = (struct pollfd){.fd = load->stream[i].socket, .events = POLLIN};
    }
    uint64_t ns = next - now;
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    ppoll(p, load->option.targets, &t, NULL);
}

/* Tells whoever asked that the window begins, and lets it note its own counters first. */
static void announce(const struct load *load, const char *what, bool wait)
{
    char answer;
    int fd = load->option.control;
    if (fd < 0 || write(fd, what, strlen(what)) < 0) {
        return;
    }
    while (wait && read(fd, &answer, 1) < 0 && errno == EINTR && !stop) {
    }
}

static void measure(struct load *load)
{
    const struct load_options *o = &load->option;
    announce(load, "start\n", true);
    double cpu = processor_time();
    uint64_t now = load->begin = load_now();
    load->end = load->begin + (uint64_t)(o->seconds * SECOND_NS);
    uint64_t housekeeping = now, progress = now + PROGRESS_NS;

    while (now < load->end && !stop) {
        uint64_t next = load->end;
        unsigned moved = 0;
        for (unsigned i = 0; i < o->targets; i++) {
            unsigned sent = offer(load, &load->stream[i], now, &next);
            moved += sent;
            if (!o->flood || sent < STREAM_BATCH_MAX) {
                moved += stream_receive(&load->stream[i]);
            }
        }
        now = load_now();
        if (now >= housekeeping) {
            for (unsigned i = 0; i < o->targets; i++) {
                stream_expire(&load->stream[i], now, false);
            }
            housekeeping = now + HOUSEKEEP_NS;
        }
        if (o->progress && now >= progress) {
            load_progress(load, now);
            progress += PROGRESS_NS;
        }
        if (moved == 0) {
            /* A window whose datagrams are all lost opens again by the housekeeping. */
            wait_until(load, now, next < now + HOUSEKEEP_NS ? next : now + HOUSEKEEP_NS);
            now = load_now();
        }
    }
    load->end = now;
    load->cpu = processor_time() - cpu;
    load->interrupted = stop != 0;
    for (unsigned i = 0; i < o->targets; i++) {
        load->within[i] = load->stream[i].count.returned;
    }
    announce(load, "stop\n", false);
}

/* Waits for what is still on its way. */
static void drain(struct load *load)
{
    const struct load_options *o = &load->option;
    uint64_t now = load_now(), last = now;
    uint64_t limit = now + (uint64_t)(o->timeout * SECOND_NS);
    for (uint64_t pending = 1; pending > 0 && now < limit && now - last < DRAIN_QUIET_NS;) {
        unsigned moved = 0;
        pending = 0;
        for (unsigned i = 0; i < o->targets; i++) {
            moved += stream_receive(&load->stream[i]);
            pending += load->stream[i].pending;
        }
        now = load_now();
        last = moved > 0 ? now : last;
        if (moved == 0 && pending > 0) {
            wait_until(load, now, now + HOUSEKEEP_NS);
        }
    }
    for (unsigned i = 0; i < o->targets; i++) {
        stream_expire(&load->stream[i], now, true);
    }
}

static bool write_json(const struct load *load)
{
    if (load->option.json == NULL) {
        return true;
    }
    bool to_stdout = strcmp(load->option.json, "-") == 0;
    FILE *out = to_stdout ? stdout : fopen(load->option.json, "w");
    if (out == NULL) {
        perror(load->option.json);
        return false;
    }
    load_json(load, out);
    return to_stdout || fclose(out) == 0;
}

int main(int argc, char **argv)
{
    static struct load load;
    struct load_options *o = &load.option;
    load_parse(o, argc, argv);

    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Timers are to end when they are due, not up to 50 us later. */
    prctl(PR_SET_TIMERSLACK, 1UL);

    int result = 1;
    unsigned opened = 0;
    while (opened < o->targets &&
           stream_open(&load.stream[opened], o->target[opened], opened, o->size, o->check_every,
                       (uint64_t)(o->timeout * SECOND_NS))) {
        opened++;
    }
    if (opened < o->targets) {
        goto out;
    }
    for (unsigned i = 0; i < o->targets; i++) {
        if (!stream_greet(&load.stream[i], (uint64_t)(o->patience * SECOND_NS))) {
            fprintf(stderr, "load: no answer from %s within %g s\n", load.stream[i].name,
                    o->patience);
            goto out;
        }
    }
    measure(&load);
    drain(&load);
    load_judge(&load);
    if (o->progress) {
        fprintf(stderr, "\n");
    }
    if (o->json == NULL || strcmp(o->json, "-") != 0) {
        load_print(&load, stdout);
    }
    result = write_json(&load) ? 0 : 1;
    for (unsigned i = 0; i < o->targets; i++) {
        result = load.stream[i].count.wrong + load.stream[i].count.unknown > 0 ? 1 : result;
    }
out:
    while (opened > 0) {
        stream_close(&load.stream[--opened]);
    }
    return result;
}
