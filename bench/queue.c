/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the queue against Concurrency Kit's ck_ring and DPDK's rte_ring, all three with one
 * producer and one consumer, 16-byte entries, in arrays of the same number of entries, in one
 * program with the same compiler flags. See usage() for what exactly is measured.
 *
 * The loops are made from one macro, so that every queue gets the same loop around the same calls,
 * and each is inlined as its library means it to be.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ck_pr.h>
#include <ck_ring.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "sddf/queue.h"

enum { CAPACITY = 512, BATCH = 32, ROUNDS_MAX = 1000 };

struct entry {
    uint64_t address;
    uint64_t rest;
};

SDDF_QUEUE_TYPE(entry_queue, struct entry);
CK_RING_PROTOTYPE(entry, entry)

/* ---- the queues: put and get up to n entries, and return how many ---------------------------- */

static SDDF_ALIGNED(SDDF_CACHE_LINE) struct sddf_queue_producer sddf_producer;
static SDDF_ALIGNED(SDDF_CACHE_LINE) struct sddf_queue_consumer sddf_consumer;
static SDDF_ALIGNED(SDDF_CACHE_LINE) ck_ring_t ck;
static SDDF_ALIGNED(SDDF_CACHE_LINE) struct entry ck_entries[CAPACITY];
static struct rte_ring *dpdk;

/*
 * What a call works on. sDDF's handles are private to their side: a pass may copy its own into a
 * local variable, as the loops do, and then the compiler keeps it in registers. The others' state
 * is in the memory that both sides share, and all that a pass can keep is where.
 */
typedef struct sddf_queue_producer sddf_producer_state, sddf_signal_producer_state;
typedef struct sddf_queue_consumer sddf_consumer_state, sddf_signal_consumer_state;
typedef ck_ring_t *ck_producer_state, *ck_consumer_state;
typedef struct rte_ring *dpdk_producer_state, *dpdk_consumer_state;

#define sddf_signal_producer sddf_producer
#define sddf_signal_consumer sddf_consumer
static ck_ring_t *ck_producer = &ck, *ck_consumer = &ck;
#define dpdk_producer dpdk
#define dpdk_consumer dpdk

static inline uint32_t sddf_put_one(sddf_producer_state *q, const struct entry *entry)
{
    uint32_t count = entry_queue_enqueue(q, *entry);
    sddf_queue_publish(q);
    return count;
}

static inline uint32_t sddf_put(sddf_producer_state *q, const struct entry *entries, uint32_t n)
{
    uint32_t count = entry_queue_enqueue_batch(q, entries, n);
    sddf_queue_publish(q);
    return count;
}

static inline uint32_t sddf_get_one(sddf_consumer_state *q, struct entry *entry)
{
    uint32_t count = entry_queue_dequeue(q, entry);
    sddf_queue_release(q);
    return count;
}

static inline uint32_t sddf_get(sddf_consumer_state *q, struct entry *entries, uint32_t n)
{
    uint32_t count = entry_queue_dequeue_batch(q, entries, n);
    sddf_queue_release(q);
    return count;
}

/* The same, and the producer asks whether to notify. */
static uint64_t signals;

static inline uint32_t sddf_signal_put_one(sddf_producer_state *q, const struct entry *entry)
{
    uint32_t count = sddf_put_one(q, entry);
    signals += sddf_queue_needs_signal(q);
    return count;
}

static inline uint32_t sddf_signal_put(sddf_producer_state *q, const struct entry *entries,
                                       uint32_t n)
{
    uint32_t count = sddf_put(q, entries, n);
    signals += sddf_queue_needs_signal(q);
    return count;
}

#define sddf_signal_get_one sddf_get_one
#define sddf_signal_get     sddf_get

/* ck_ring has no batches. */
static inline uint32_t ck_put_one(ck_producer_state *q, const struct entry *entry)
{
    return CK_RING_ENQUEUE_SPSC(entry, *q, ck_entries, (struct entry *)(uintptr_t)entry);
}

static inline uint32_t ck_put(ck_producer_state *q, const struct entry *entries, uint32_t n)
{
    uint32_t count = 0;
    while (count < n && ck_put_one(q, &entries[count])) {
        count++;
    }
    return count;
}

static inline uint32_t ck_get_one(ck_consumer_state *q, struct entry *entry)
{
    return CK_RING_DEQUEUE_SPSC(entry, *q, ck_entries, entry);
}

static inline uint32_t ck_get(ck_consumer_state *q, struct entry *entries, uint32_t n)
{
    uint32_t count = 0;
    while (count < n && ck_get_one(q, &entries[count])) {
        count++;
    }
    return count;
}

static inline uint32_t dpdk_put_one(dpdk_producer_state *q, const struct entry *entry)
{
    return rte_ring_sp_enqueue_elem(*q, (void *)(uintptr_t)entry, sizeof(*entry)) == 0;
}

static inline uint32_t dpdk_put(dpdk_producer_state *q, const struct entry *entries, uint32_t n)
{
    return rte_ring_sp_enqueue_burst_elem(*q, entries, sizeof(*entries), n, NULL);
}

static inline uint32_t dpdk_get_one(dpdk_consumer_state *q, struct entry *entry)
{
    return rte_ring_sc_dequeue_elem(*q, entry, sizeof(*entry)) == 0;
}

static inline uint32_t dpdk_get(dpdk_consumer_state *q, struct entry *entries, uint32_t n)
{
    return rte_ring_sc_dequeue_burst_elem(*q, entries, sizeof(*entries), n, NULL);
}

/* ---- the loops: every entry is made, passed on, and looked at -------------------------------- */

#define INLINE static inline __attribute__((always_inline))

#define LOOPS(queue, kind, batch)                                                                  \
    INLINE uint64_t queue##_##kind##_put(queue##_producer_state *q, uint64_t first, uint64_t end)  \
    {                                                                                              \
        struct entry entries[batch];                                                               \
        for (uint64_t next = first; next < end; next += batch) {                                   \
            for (uint32_t i = 0; i < batch; i++) {                                                 \
                entries[i] = (struct entry){next + i, ~(next + i)};                                \
            }                                                                                      \
            for (uint32_t done = 0; done < batch;) {                                               \
                uint32_t count = batch == 1 ? queue##_put_one(q, entries)                          \
                                            : queue##_put(q, entries + done, batch - done);        \
                done += count;                                                                     \
                if (count == 0) {                                                                  \
                    ck_pr_stall();                                                                 \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        return end;                                                                                \
    }                                                                                              \
                                                                                                   \
    INLINE uint64_t queue##_##kind##_get(queue##_consumer_state *q, uint64_t first, uint64_t end)  \
    {                                                                                              \
        struct entry entries[batch];                                                               \
        uint64_t next = first;                                                                     \
        while (next < end) {                                                                       \
            uint32_t count =                                                                       \
                batch == 1 ? queue##_get_one(q, entries) : queue##_get(q, entries, batch);         \
            if (count == 0) {                                                                      \
                ck_pr_stall();                                                                     \
            }                                                                                      \
            for (uint32_t i = 0; i < count; i++, next++) {                                         \
                if (entries[i].address != next || entries[i].rest != ~next) {                      \
                    return next;                                                                   \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        return next;                                                                               \
    }                                                                                              \
                                                                                                   \
    static uint64_t queue##_##kind##_produce(uint64_t first, uint64_t end)                         \
    {                                                                                              \
        queue##_producer_state producer = queue##_producer;                                        \
        uint64_t reached = queue##_##kind##_put(&producer, first, end);                            \
        queue##_producer = producer;                                                               \
        return reached;                                                                            \
    }                                                                                              \
                                                                                                   \
    static uint64_t queue##_##kind##_consume(uint64_t first, uint64_t end)                         \
    {                                                                                              \
        queue##_consumer_state consumer = queue##_consumer;                                        \
        uint64_t reached = queue##_##kind##_get(&consumer, first, end);                            \
        queue##_consumer = consumer;                                                               \
        return reached;                                                                            \
    }                                                                                              \
                                                                                                   \
    static uint64_t queue##_##kind##_both(uint64_t first, uint64_t end, uint64_t burst)            \
    {                                                                                              \
        queue##_producer_state producer = queue##_producer;                                        \
        queue##_consumer_state consumer = queue##_consumer;                                        \
        uint64_t next = first;                                                                     \
        for (; next < end; next += burst) {                                                        \
            queue##_##kind##_put(&producer, next, next + burst);                                   \
            if (queue##_##kind##_get(&consumer, next, next + burst) != next + burst) {             \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
        queue##_producer = producer;                                                               \
        queue##_consumer = consumer;                                                               \
        return next;                                                                               \
    }

#define QUEUE(queue)                                                                               \
    LOOPS(queue, single, 1)                                                                        \
    LOOPS(queue, batch, BATCH)

QUEUE(sddf)
QUEUE(sddf_signal)
QUEUE(ck)
QUEUE(dpdk)

/* From entry `first` to `end`; where it came to: not `end` if an entry was wrong. */
typedef uint64_t loop(uint64_t first, uint64_t end);

/* Both in one thread: puts `burst` entries, takes them, and so on. */
typedef uint64_t loop_both(uint64_t first, uint64_t end, uint64_t burst);

struct loops {
    loop *produce;
    loop *consume;
    loop_both *both;
};

#define LOOPS_OF(queue)                                                                            \
    {                                                                                              \
        {queue##_single_produce, queue##_single_consume, queue##_single_both},                     \
        {                                                                                          \
            queue##_batch_produce, queue##_batch_consume, queue##_batch_both                       \
        }                                                                                          \
    }

static const struct {
    const char *name;
    struct loops loops[2]; /* single, batch */
} queues[] = {
    {"sDDF queue", LOOPS_OF(sddf)},
    {"ck_ring", LOOPS_OF(ck)},
    {"rte_ring", LOOPS_OF(dpdk)},
    {"sDDF + signal check", LOOPS_OF(sddf_signal)},
};

enum { QUEUES = 4, COLUMNS = 5 };

static const struct {
    const char *name;
    int cores;
    int kind;
    uint64_t burst; /* on one core */
} columns[COLUMNS] = {
    {"1 core, single", 1, 0, BATCH}, {"1 core, batch", 1, 1, BATCH}, {"2 cores, single", 2, 0, 0},
    {"2 cores, batch", 2, 1, 0},     {"1 core, in turn", 1, 0, 1},
};

/* ---- measuring ------------------------------------------------------------------------------- */

static int cpus[2];
static int cpu_count;
static bool realtime;

static void fail(const char *what)
{
    fprintf(stderr, "bench/queue: %s\n", what);
    exit(1);
}

static void *allocate(size_t size)
{
    size = (size + 4095) / 4096 * 4096;
    void *memory = aligned_alloc(4096, size);
    if (!memory) {
        fail("out of memory");
    }
    return memset(memory, 0, size);
}

static void make_queues(void)
{
    void *producer = allocate(sddf_queue_producer_size(CAPACITY, entry_queue_words));
    void *consumer = allocate(sddf_queue_consumer_size());
    if (!entry_queue_producer_attach(&sddf_producer, producer, consumer, CAPACITY) ||
        !entry_queue_consumer_attach(&sddf_consumer, consumer, producer, CAPACITY)) {
        fail("cannot attach to the queue");
    }
    ck_ring_init(&ck, CAPACITY);
    dpdk = allocate((size_t)rte_ring_get_memsize_elem(sizeof(struct entry), CAPACITY));
    if (rte_ring_init(dpdk, "bench", CAPACITY, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
        fail("cannot make the rte_ring");
    }
}

static void choose_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        fail("cannot read the CPU affinity");
    }
    for (int cpu = 0; cpu < CPU_SETSIZE && cpu_count < 2; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            cpus[cpu_count++] = cpu;
        }
    }
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    struct sched_param parameter = {.sched_priority = 1};
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0) {
        fail("cannot pin a thread");
    }
    if (realtime && pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter) != 0) {
        fail("cannot have a real-time priority: leave out --realtime");
    }
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

struct producer {
    loop *run;
    uint64_t first;
    uint64_t end;
    pthread_barrier_t start;
};

static void *producer_run(void *argument)
{
    struct producer *producer = argument;
    pin(cpus[1]);
    pthread_barrier_wait(&producer->start);
    producer->run(producer->first, producer->end);
    return NULL;
}

/* Nanoseconds per entry of one turn. */
static double turn(const struct loops *loops, int column, uint64_t entries)
{
    const uint64_t first = 1, end = 1 + entries;
    uint64_t reached;
    double start, stop;
    if (columns[column].cores == 1) {
        start = now_ns();
        reached = loops->both(first, end, columns[column].burst);
        stop = now_ns();
    } else {
        struct producer producer = {.run = loops->produce, .first = first, .end = end};
        pthread_t thread;
        pthread_barrier_init(&producer.start, NULL, 2);
        if (pthread_create(&thread, NULL, producer_run, &producer) != 0) {
            fail("cannot make a thread");
        }
        pthread_barrier_wait(&producer.start);
        start = now_ns();
        reached = loops->consume(first, end);
        stop = now_ns();
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&producer.start);
    }
    if (reached != end) {
        fail("an entry arrived that was not sent");
    }
    return (stop - start) / (double)entries;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- the table ------------------------------------------------------------------------------- */

static double times[COLUMNS][QUEUES][ROUNDS_MAX];

static double median(const double *values, int n, double *least, double *most)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)n * sizeof(*values));
    qsort(sorted, (size_t)n, sizeof(*sorted), compare);
    *least = sorted[0];
    *most = sorted[n - 1];
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void print_table(int rounds)
{
    double least, most;
    printf("\n%-34s", "ns per entry, median");
    for (int c = 0; c < COLUMNS; c++) {
        printf("%19s", columns[c].name);
    }
    for (int q = 0; q < QUEUES; q++) {
        printf("\n  %-32s", queues[q].name);
        for (int c = 0; c < COLUMNS; c++) {
            if (columns[c].cores > cpu_count) {
                printf("%19s", "-");
            } else {
                printf("%19.2f", median(times[c][q], rounds, &least, &most));
            }
        }
    }
    printf("\n\n%-34s", "ratio to sDDF queue (min-max)");
    for (int q = 1; q < QUEUES; q++) {
        printf("\n  %-32s", queues[q].name);
        for (int c = 0; c < COLUMNS; c++) {
            double ratios[ROUNDS_MAX];
            char text[64];
            for (int round = 0; round < rounds; round++) {
                ratios[round] = times[c][q][round] / times[c][0][round];
            }
            double middle = median(ratios, rounds, &least, &most);
            snprintf(text, sizeof(text), "%.2f (%.1f-%.1f)", middle, least, most);
            printf("%19s", columns[c].cores > cpu_count ? "-" : text);
        }
    }
    printf("\n\nA ratio over 1: the sDDF queue is faster. Ratios are taken round by round.\n");
}

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: bench/queue [--rounds N] [--entries N] [--realtime]\n"
        "\n"
        "Passes 16-byte entries through queues of %d places, one a call and in batches of %d,\n"
        "from one core to another and within one thread, where %d are put, then %d taken, as\n"
        "when two sides take turns on a core; \"in turn\", each entry is taken before the next\n"
        "is put. Every call hands its entries over at once: for sDDF, single is enqueue and\n"
        "publish, dequeue and release for each entry; ck_ring has no batches, so there a batch\n"
        "is %d calls. \"+ signal check\" also asks after each publish whether the consumer must "
        "be\n"
        "notified, which the other queues have no notion of. A loop keeps what the queue lets\n"
        "it keep: sDDF's private handle, in registers, and where the others' rings are. The\n"
        "queues take turns in every round, and another one begins each.\n"
        "\n"
        "  --rounds N    rounds of turns (15)\n"
        "  --entries N   entries in a turn (1000000)\n"
        "  --realtime    with a real-time priority: for machines that are busy\n",
        CAPACITY, BATCH, BATCH, BATCH, BATCH);
}

static long number(const char *text, long least, long most)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "bench/queue: '%s' is no number from %ld to %ld\n", text, least, most);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"entries", required_argument, NULL, 'e'},
                                            {"realtime", no_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int rounds = 15;
    uint64_t entries = 1000000;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'r':
            rounds = (int)number(optarg, 1, ROUNDS_MAX);
            break;
        case 'e':
            entries = (uint64_t)number(optarg, BATCH, 1000000000);
            break;
        case 't':
            realtime = true;
            break;
        default:
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    entries = entries / BATCH * BATCH; /* whole batches */

    choose_cpus();
    make_queues();
    pin(cpus[0]);
    printf("16-byte entries, %d places, batches of %d; %d rounds of %llu entries, in turns",
           CAPACITY, BATCH, rounds, (unsigned long long)entries);
    printf(cpu_count == 2 ? "; CPUs %d and %d\n" : "; CPU %d only: nothing between two cores\n",
           cpus[0], cpus[1]);
    for (int round = -1; round < rounds; round++) { /* the first warms up */
        for (int c = 0; c < COLUMNS; c++) {
            for (int i = 0; i < QUEUES && columns[c].cores <= cpu_count; i++) {
                int q = (i + round + QUEUES) % QUEUES; /* each comes first in its turn */
                double time = turn(&queues[q].loops[columns[c].kind], c, entries);
                times[c][q][round < 0 ? 0 : round] = time;
            }
        }
    }
    print_table(rounds);
    return 0;
}
