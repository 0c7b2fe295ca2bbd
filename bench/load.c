/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: offers UDP datagrams to one or more echo services, checks what returns, and measures.
 * `load --help` teaches its use.
 *
 * Each thread does everything for streams of its own, so that there are no locks: it sends what is
 * due, takes what has arrived, and sleeps until either is there to be done. Under open loop the
 * send times are fixed in advance; a datagram that leaves late still has its round trip counted
 * from the moment at which it was due, so that a service that stalls cannot hide the stall by
 * holding us up.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Closer than this, waiting costs more than it saves. */
#define SPIN_NS      20000
#define PROGRESS_NS  500000000
#define HOUSEKEEP_NS 1000000
#define POLL_FIRST   4 /* with more sockets than that, ask which have something */
#define SECOND_NS    1e9

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

/* A thread's part of the streams. */
struct worker {
    struct load *load;
    pthread_t thread;
    unsigned index;
    uint64_t end;
};

static struct worker workers[LOAD_THREADS];
static pthread_barrier_t together;

/* Sends what the stream is to have sent by now. Returns how many; *next is when the next is due. */
static unsigned offer(struct load *load, struct stream *s, uint64_t now, uint64_t *next)
{
    if (s->pace.interval <= 0) {
        unsigned room = s->pending < s->window ? s->window - (unsigned)s->pending : 0;
        return room > 0 ? stream_send(s, room, now, load->begin) : 0;
    }
    uint64_t missing = pace_missing(&s->pace, s->next, now - load->begin);
    unsigned n = missing < STREAM_BATCH_MAX ? (unsigned)missing : STREAM_BATCH_MAX;
    unsigned sent = n > 0 ? stream_send(s, n, now, load->begin) : 0;
    uint64_t due = load->begin + pace_due(&s->pace, s->next);
    *next = due < *next ? due : *next;
    return sent;
}

/* A thread's sockets, for poll: the streams `first`, `first` + `step`, ... Returns how many. */
static unsigned gather(const struct load *load, unsigned first, unsigned step, struct pollfd *p)
{
    unsigned count = 0;
    for (unsigned i = first; i < load->streams; i += step) {
        p[count++] = (struct pollfd){.fd = load->stream[i].socket, .events = POLLIN};
    }
    return count;
}

/* Until `next`, or until one of the streams has something. */
static void wait_until(struct load *load, unsigned first, unsigned step, uint64_t now,
                       uint64_t next)
{
    if (next <= now + SPIN_NS) {
        return;
    }
    struct pollfd p[LOAD_TARGETS];
    unsigned count = gather(load, first, step, p);
    uint64_t ns = next - now;
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    ppoll(p, count, &t, NULL);
}

/*
 * Takes what has arrived, but for streams that `lag` behind: they are to send first. Of many
 * sockets one call tells which have something; of few it is cheaper to look at each.
 */
static unsigned receive(struct load *load, unsigned first, unsigned step, const bool *lag)
{
    struct pollfd p[LOAD_TARGETS];
    unsigned count = gather(load, first, step, p), taken = 0;
    if (count > POLL_FIRST && poll(p, count, 0) <= 0) {
        return 0;
    }
    for (unsigned i = first, n = 0; i < load->streams; i += step, n++) {
        if (!lag[i] && (count <= POLL_FIRST || p[n].revents != 0)) {
            taken += stream_receive(&load->stream[i]);
        }
    }
    return taken;
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

/* The n-th thread gets the n-th of this process's processors to itself. */
static void settle(unsigned index)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof(all), &all) != 0) {
        return;
    }
    unsigned skip = index % (unsigned)CPU_COUNT(&all);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && skip-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct load *load = worker->load;
    const struct load_options *o = &load->option;
    unsigned first = worker->index, step = o->threads;
    if (o->threads > 1) {
        settle(worker->index);
    }
    bool lag[LOAD_TARGETS] = {false}; /* in a flood: more is due than could be sent at once */
    pthread_barrier_wait(&together);  /* all are here: the main thread says "start" */
    pthread_barrier_wait(&together);  /* load->begin and load->end stand */
    uint64_t now = load_now(), housekeeping = now, progress = now + PROGRESS_NS;

    while (now < load->end && !stop) {
        uint64_t next = load->end;
        unsigned moved = 0;
        for (unsigned i = first; i < load->streams; i += step) {
            unsigned sent = offer(load, &load->stream[i], now, &next);
            moved += sent;
            lag[i] = o->flood && sent == STREAM_BATCH_MAX;
        }
        moved += receive(load, first, step, lag);
        now = load_now();
        if (now >= housekeeping) {
            for (unsigned i = first; i < load->streams; i += step) {
                stream_expire(&load->stream[i], now, false);
            }
            housekeeping = now + HOUSEKEEP_NS;
        }
        if (o->progress && first == 0 && now >= progress) {
            load_progress(load, now);
            progress += PROGRESS_NS;
        }
        if (moved == 0) {
            /* A window whose datagrams are all lost opens again by the housekeeping. */
            uint64_t wake = next < now + HOUSEKEEP_NS ? next : now + HOUSEKEEP_NS;
            wait_until(load, first, step, now, wake);
            now = load_now();
        }
    }
    worker->end = now;
    for (unsigned i = first; i < load->streams; i += step) {
        load->within[i] = load->stream[i].count;
    }
    return NULL;
}

/* False if the threads cannot be had. */
static bool measure(struct load *load)
{
    const struct load_options *o = &load->option;
    pthread_barrier_init(&together, NULL, o->threads + 1);
    for (unsigned i = 0; i < o->threads; i++) {
        workers[i] = (struct worker){.load = load, .index = i};
        int error = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (error != 0) {
            /* Those that are there wait at the barrier, and end with the process. */
            fprintf(stderr, "load: cannot make thread %u: %s\n", i, strerror(error));
            return false;
        }
    }
    pthread_barrier_wait(&together);
    announce(load, "start\n", true);
    double cpu = processor_time();
    load->begin = load_now();
    load->end = load->begin + (uint64_t)(o->seconds * SECOND_NS);
    pthread_barrier_wait(&together);
    uint64_t end = 0;
    for (unsigned i = 0; i < o->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        end = workers[i].end > end ? workers[i].end : end;
    }
    load->end = end;
    load->cpu = processor_time() - cpu;
    load->interrupted = stop != 0;
    announce(load, "stop\n", false);
    return true;
}

/* Waits for what is still on its way, until the timeout, or a silence of a fifth of it. */
static void drain(struct load *load)
{
    const struct load_options *o = &load->option;
    uint64_t now = load_now(), last = now;
    uint64_t limit = now + (uint64_t)(o->timeout * SECOND_NS), silence = (limit - now) / 5;
    for (uint64_t pending = 1; pending > 0 && now < limit && now - last < silence;) {
        unsigned moved = 0;
        pending = 0;
        for (unsigned i = 0; i < load->streams; i++) {
            moved += stream_receive(&load->stream[i]);
            pending += load->stream[i].pending;
        }
        now = load_now();
        last = moved > 0 ? now : last;
        if (moved == 0 && pending > 0) {
            wait_until(load, 0, 1, now, now + HOUSEKEEP_NS);
        }
    }
    for (unsigned i = 0; i < load->streams; i++) {
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

/* Opens a stream for each target, and more where there are more threads. */
static bool open_streams(struct load *load, unsigned *opened)
{
    const struct load_options *o = &load->option;
    load->streams = o->threads > o->targets ? o->threads : o->targets;
    for (*opened = 0; *opened < load->streams; ++*opened) {
        unsigned i = *opened, target = i % o->targets;
        struct stream *s = &load->stream[i];
        if (!stream_open(s, o->target[target].address, i, &o->mix, o->check_every,
                         (uint64_t)(o->timeout * SECOND_NS))) {
            return false;
        }
        unsigned share = load_share(load, target);
        s->pace = pace_of(o->target[target].rate / share, i, load->streams);
        s->window = o->window / share > 0 ? o->window / share : 1;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct load load;
    struct load_options *o = &load.option;
    load_parse(o, argc, argv);

    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Timers are to end when they are due, not up to 50 us later; threads inherit that. */
    prctl(PR_SET_TIMERSLACK, 1UL);

    int result = 1;
    unsigned opened = 0;
    if (!open_streams(&load, &opened)) {
        goto out;
    }
    for (unsigned i = 0; i < load.streams; i++) {
        if (!stream_greet(&load.stream[i], (uint64_t)(o->patience * SECOND_NS))) {
            fprintf(stderr, "load: no answer from %s within %g s\n", load.stream[i].name,
                    o->patience);
            goto out;
        }
    }
    if (!measure(&load)) {
        return 1; /* the streams are still the threads' */
    }
    drain(&load);
    load_judge(&load);
    if (o->progress) {
        fprintf(stderr, "\n");
    }
    if (o->json == NULL || strcmp(o->json, "-") != 0) {
        load_print(&load, stdout);
    }
    result = write_json(&load) ? 0 : 1;
    for (unsigned i = 0; i < load.streams; i++) {
        result = load.stream[i].count.wrong + load.stream[i].count.unknown > 0 ? 1 : result;
    }
out:
    while (opened > 0) {
        stream_close(&load.stream[--opened]);
    }
    return result;
}
