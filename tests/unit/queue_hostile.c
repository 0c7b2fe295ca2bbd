/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue with a hostile neighbour: every word that the neighbour may write takes every kind of
 * value, while this side works. It must stay within its regions (what lies around them is not
 * mapped, and what it may only read is mapped read-only), within its bounds, and keep its own words
 * in order. An access that strays is a fault, which fails the test.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded_queue.h"
#include "sddf/queue.h"

struct pair {
    uint64_t first;
    uint64_t second;
};

SDDF_QUEUE_TYPE(pair_queue, struct pair);

/* One side works in each test, the other is the test's to write as it likes. */
struct fixture {
    struct guarded_queue queue;
    struct sddf_queue_producer producer;
    struct sddf_queue_consumer consumer;
    uint32_t capacity;
};

/* Capacities of which the regions' size lets them end where the mapping ends, as they begin. */
static const uint32_t capacities[] = {4, 8, 256};
static const uint32_t starts[] = {0, 3, UINT32_MAX - 1, UINT32_C(1) << 31};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONGEST      300 /* a batch; longer than every capacity above */

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* What a hostile neighbour writes where an index of about `about` is expected. */
static uint32_t hostile_value(size_t n, uint32_t about, uint32_t capacity)
{
    const uint32_t half = UINT32_C(1) << 31;
    const uint32_t values[] = {
        0,
        1,
        UINT32_MAX,
        UINT32_MAX - 1,
        half,
        half - 1,
        half + 1,
        capacity,
        capacity - 1,
        capacity + 1,
        about,
        about + 1,
        about - 1,
        about + capacity,
        about + capacity + 1,
        about + capacity - 1,
        about - capacity,
        about - capacity - 1,
        about + half,
        about + half - 1,
        about - half - 1,
        ~about,
    };
    return n < COUNT(values) ? values[n] : (uint32_t)next_random();
}

enum { HOSTILE_VALUES = 22 + 10 };

static void begin(struct fixture *f, uint32_t capacity, uint32_t start,
                  enum guarded_placement placement)
{
    f->capacity = capacity;
    guarded_queue_make(&f->queue, capacity, pair_queue_words, placement);
    guarded_queue_start_at(&f->queue, start);
    assert_true(pair_queue_producer_attach(&f->producer, f->queue.producer, f->queue.consumer_ro,
                                           capacity));
    assert_true(pair_queue_consumer_attach(&f->consumer, f->queue.consumer, f->queue.producer_ro,
                                           capacity));
}

static void end(struct fixture *f)
{
    guarded_queue_check(&f->queue);
    guarded_queue_unmake(&f->queue);
}

/* ---- what one side does in its work, and what must hold whatever the other one does ---------- */

static void work_as_producer(struct fixture *f)
{
    struct sddf_queue_producer *q = &f->producer;
    struct pair entries[LONGEST];
    memset(entries, 0x11, sizeof(entries));

    assert_in_range(sddf_queue_space(q, 1), 0, f->capacity);
    assert_in_range(sddf_queue_space(q, UINT32_MAX), 0, f->capacity);
    uint32_t tail = q->tail;
    tail += pair_queue_enqueue(q, entries[0]) ? 1 : 0;
    assert_int_equal(q->tail, tail);
    sddf_queue_publish(q);
    assert_int_equal(sddf_load_relaxed_u32(&f->queue.producer->tail), tail);
    sddf_queue_needs_signal(q);
    assert_false(sddf_queue_needs_signal(q)); /* one answer a publication, whatever the mark says */

    uint32_t count = pair_queue_enqueue_batch(q, entries, LONGEST);
    assert_in_range(count, 0, f->capacity);
    assert_int_equal(q->tail, tail + count);
    sddf_queue_publish(q);
    assert_int_equal(sddf_load_relaxed_u32(&f->queue.producer->tail), tail + count);
    sddf_queue_needs_signal(q);
    sddf_queue_consumer_restarted(q);
    assert_in_range(sddf_queue_space(q, f->capacity), 0, f->capacity);
    assert_int_equal(q->capacity, f->capacity);
    assert_int_equal(q->mask, f->capacity - 1);
}

static void work_as_consumer(struct fixture *f)
{
    struct sddf_queue_consumer *q = &f->consumer;
    struct pair entries[LONGEST];

    assert_in_range(sddf_queue_available(q), 0, f->capacity);
    uint32_t head = q->head;
    pair_queue_peek(q, &entries[0]);
    assert_int_equal(q->head, head);
    head += pair_queue_dequeue(q, &entries[0]) ? 1 : 0;
    assert_int_equal(q->head, head);
    sddf_queue_release(q);
    assert_int_equal(sddf_load_relaxed_u32(&f->queue.consumer->head), head);

    uint32_t count = pair_queue_dequeue_batch(q, entries, LONGEST);
    assert_in_range(count, 0, f->capacity);
    assert_int_equal(q->head, head + count);
    sddf_queue_request_signal(q);
    assert_int_equal(sddf_load_relaxed_u32(&f->queue.consumer->head), head + count);
    assert_int_equal(sddf_load_relaxed_u32(&f->queue.consumer->mark), head + count);
    sddf_queue_producer_restarted(q);
    assert_in_range(sddf_queue_available(q), 0, f->capacity);
    assert_int_equal(q->capacity, f->capacity);
    assert_int_equal(q->mask, f->capacity - 1);
}

static void attach_again_as_producer(struct fixture *f)
{
    assert_true(pair_queue_producer_attach(&f->producer, f->queue.producer, f->queue.consumer_ro,
                                           f->capacity));
}

static void attach_again_as_consumer(struct fixture *f)
{
    assert_true(pair_queue_consumer_attach(&f->consumer, f->queue.consumer, f->queue.producer_ro,
                                           f->capacity));
}

/* ---- one word at a time, then all of them ---------------------------------------------------- */

static sddf_atomic_u32 *header_word(struct sddf_queue_header *header, int n)
{
    sddf_atomic_u32 *words[] = {&header->magic, &header->capacity, &header->words, &header->epoch};
    return words[n];
}

enum { HEADER_WORDS = 4, CONSUMER_WORDS = 6, PRODUCER_WORDS = 5 };

static sddf_atomic_u32 *consumer_word(struct guarded_queue *queue, int n)
{
    return n < HEADER_WORDS    ? header_word(&queue->consumer->header, n)
           : n == HEADER_WORDS ? &queue->consumer->head
                               : &queue->consumer->mark;
}

static sddf_atomic_u32 *producer_word(struct guarded_queue *queue, int n)
{
    return n < HEADER_WORDS ? header_word(&queue->producer->header, n) : &queue->producer->tail;
}

static void write_hostile_entries(struct fixture *f)
{
    for (uint32_t i = 0; i < f->capacity * pair_queue_words; i++) {
        uint64_t value = next_random() << 32 | hostile_value(next_random() % 32, i, f->capacity);
        sddf_store_relaxed_u64(&f->queue.producer->entries[i], value);
    }
}

/* Calls `attack` in queues of all capacities, starts and placements. */
static void in_every_queue(void (*attack)(struct fixture *f))
{
    for (size_t c = 0; c < COUNT(capacities); c++) {
        for (size_t s = 0; s < COUNT(starts); s++) {
            for (int placement = GUARDED_AT_START; placement <= GUARDED_AT_END; placement++) {
                struct fixture f;
                begin(&f, capacities[c], starts[s], (enum guarded_placement)placement);
                attack(&f);
                end(&f);
            }
        }
    }
}

static void attack_producer(struct fixture *f)
{
    for (int word = 0; word < CONSUMER_WORDS; word++) {
        for (size_t n = 0; n < HOSTILE_VALUES; n++) {
            uint32_t value = hostile_value(n, f->producer.tail, f->capacity);
            sddf_store_relaxed_u32(consumer_word(&f->queue, word), value);
            work_as_producer(f);
            if (n % 4 == 3) {
                attach_again_as_producer(f);
                work_as_producer(f);
            }
        }
    }
    for (int round = 0; round < 200; round++) {
        for (int word = 0; word < CONSUMER_WORDS; word++) {
            uint32_t value = hostile_value(next_random() % 32, f->producer.tail, f->capacity);
            sddf_store_relaxed_u32(consumer_word(&f->queue, word), value);
        }
        work_as_producer(f);
    }
}

static void attack_consumer(struct fixture *f)
{
    for (int word = 0; word < PRODUCER_WORDS; word++) {
        for (size_t n = 0; n < HOSTILE_VALUES; n++) {
            uint32_t value = hostile_value(n, f->consumer.head, f->capacity);
            sddf_store_relaxed_u32(producer_word(&f->queue, word), value);
            work_as_consumer(f);
            if (n % 4 == 3) {
                attach_again_as_consumer(f);
                work_as_consumer(f);
            }
        }
    }
    for (int round = 0; round < 200; round++) {
        for (int word = 0; word < PRODUCER_WORDS; word++) {
            uint32_t value = hostile_value(next_random() % 32, f->consumer.head, f->capacity);
            sddf_store_relaxed_u32(producer_word(&f->queue, word), value);
        }
        write_hostile_entries(f);
        work_as_consumer(f);
    }
}

static void test_producer_survives(void **state)
{
    (void)state;
    in_every_queue(attack_producer);
}

static void test_consumer_survives(void **state)
{
    (void)state;
    in_every_queue(attack_consumer);
}

/* An impossible index says that there is nothing to do; then both go on where they were. */
static void test_who_comes_to_its_senses_goes_on(void **state)
{
    (void)state;
    static const uint32_t wild[] = {1, 2, 1000, UINT32_C(1) << 31, UINT32_MAX - 8};
    for (size_t i = 0; i < COUNT(wild); i++) {
        struct fixture f;
        const struct pair sent = {0};
        struct pair got;
        begin(&f, 4, UINT32_MAX - 1, GUARDED_AT_START);
        for (uint32_t n = 0; n < 3; n++) {
            assert_true(pair_queue_enqueue(&f.producer, sent));
        }
        sddf_queue_publish(&f.producer);
        sddf_store_relaxed_u32(&f.queue.producer->tail, f.consumer.head + 4 + wild[i]);
        assert_int_equal(sddf_queue_available(&f.consumer), 0);
        assert_true(sddf_queue_request_signal(&f.consumer));
        sddf_queue_publish(&f.producer);
        assert_int_equal(sddf_queue_available(&f.consumer), 3);
        assert_int_equal(pair_queue_dequeue_batch(&f.consumer, &got, 1), 1);

        sddf_queue_release(&f.consumer);
        sddf_store_relaxed_u32(&f.queue.consumer->head, f.producer.tail + wild[i]);
        assert_int_equal(sddf_queue_producer_refresh(&f.producer), 0);
        sddf_queue_release(&f.consumer);
        assert_int_equal(sddf_queue_producer_refresh(&f.producer), 2);
        end(&f);
    }
}

/* ---- all words, while the other side is at work ---------------------------------------------- */

struct attacker {
    struct fixture *fixture;
    bool as_consumer;
    sddf_atomic_u32 stop;
    sddf_atomic_u32 rounds;
};

static void *attack_for_ever(void *argument)
{
    struct attacker *attacker = argument;
    struct fixture *f = attacker->fixture;
    uint64_t random = 7; /* a generator of its own: the worker uses the other */
    while (!sddf_load_relaxed_u32(&attacker->stop)) {
        random = random * UINT64_C(6364136223846793005) + 1;
        /* Often close to where the victim is, where being wrong is hardest to see. */
        uint32_t about = attacker->as_consumer ? sddf_load_relaxed_u32(&f->queue.producer_ro->tail)
                                               : sddf_load_relaxed_u32(&f->queue.consumer_ro->head);
        uint32_t value =
            random >> 63 ? (uint32_t)(random >> 31)
                         : about + (uint32_t)(random >> 40) % (4 * f->capacity) - 2 * f->capacity;
        int word = (int)(random >> 33);
        if (attacker->as_consumer) {
            sddf_store_relaxed_u32(consumer_word(&f->queue, word % CONSUMER_WORDS), value);
        } else {
            sddf_store_relaxed_u32(producer_word(&f->queue, word % PRODUCER_WORDS), value);
            sddf_store_relaxed_u64(
                &f->queue.producer->entries[(random >> 20) % (f->capacity * pair_queue_words)],
                random);
        }
        sddf_store_relaxed_u32(&attacker->rounds, sddf_load_relaxed_u32(&attacker->rounds) + 1);
    }
    return NULL;
}

static void work_under_attack(bool as_consumer, void (*work)(struct fixture *f),
                              void (*attach_again)(struct fixture *f))
{
    for (size_t c = 0; c < COUNT(capacities); c++) {
        struct fixture f;
        begin(&f, capacities[c], UINT32_MAX - 1000, GUARDED_AT_END);
        struct attacker attacker = {.fixture = &f, .as_consumer = as_consumer};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, attack_for_ever, &attacker), 0);
        /* Until both sides have done their share, also where they have one core between them. */
        for (int round = 0;
             round < 20000 || sddf_load_relaxed_u32(&attacker.rounds) < UINT32_C(200000); round++) {
            work(&f);
            if (round % 100 == 99) {
                attach_again(&f);
            }
        }
        sddf_store_relaxed_u32(&attacker.stop, 1);
        assert_int_equal(pthread_join(thread, NULL), 0);
        end(&f);
    }
}

static void test_producer_under_attack(void **state)
{
    (void)state;
    work_under_attack(true, work_as_producer, attach_again_as_producer);
}

static void test_consumer_under_attack(void **state)
{
    (void)state;
    work_under_attack(false, work_as_consumer, attach_again_as_consumer);
}

/* The tests above would see it if a side wrote where it may only read. */
static sigjmp_buf fault_return;

static void on_fault(int signal)
{
    siglongjmp(fault_return, signal);
}

static bool write_faults(volatile void *address)
{
    struct sigaction action = {.sa_handler = on_fault}, old;
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGSEGV, &action, &old), 0);
    bool faulted = sigsetjmp(fault_return, 1) != 0;
    if (!faulted) {
        *(volatile char *)address = 1;
    }
    assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
    return faulted;
}

static void test_guards(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 256, 0, GUARDED_AT_END);
    assert_false(write_faults(&f.queue.producer->entries[0]));
    assert_true(write_faults((char *)f.queue.producer + f.queue.producer_size));
    assert_true(write_faults((char *)f.queue.consumer + f.queue.consumer_size));
    assert_true(write_faults((char *)(uintptr_t)f.queue.producer_ro));
    assert_true(write_faults((char *)(uintptr_t)f.queue.consumer_ro));
    guarded_queue_unmake(&f.queue);
    begin(&f, 256, 0, GUARDED_AT_START);
    assert_true(write_faults((char *)f.queue.producer - 1));
    assert_true(write_faults((char *)f.queue.consumer - 1));
    guarded_queue_unmake(&f.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_producer_survives),
        cmocka_unit_test(test_consumer_survives),
        cmocka_unit_test(test_who_comes_to_its_senses_goes_on),
        cmocka_unit_test(test_producer_under_attack),
        cmocka_unit_test(test_consumer_under_attack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
