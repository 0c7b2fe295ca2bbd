/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue with honest neighbours: every edge that one thread can reach. */
#include <setjmp.h>
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

struct triple {
    uint64_t words[3];
};

SDDF_QUEUE_TYPE(triple_queue, struct triple);

/* Both sides of one queue. The places from where indices start: at 0, and across the wrap. */
struct fixture {
    struct guarded_queue queue;
    struct sddf_queue_producer producer;
    struct sddf_queue_consumer consumer;
};

static const uint32_t starts[] = {
    0, 1, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2, UINT32_MAX - 6, UINT32_C(1) << 31};

#define STARTS (sizeof(starts) / sizeof(starts[0]))

static struct pair pair_of(uint64_t n)
{
    return (struct pair){n * UINT64_C(0x9e3779b97f4a7c15), ~n};
}

static void assert_pair(struct pair pair, uint64_t n)
{
    assert_int_equal(pair.first, pair_of(n).first);
    assert_int_equal(pair.second, pair_of(n).second);
}

static void attach(struct fixture *f)
{
    uint32_t capacity =
        (uint32_t)((f->queue.producer_size - sizeof(struct sddf_queue_producer_region)) / 16);
    assert_true(pair_queue_producer_attach(&f->producer, f->queue.producer, f->queue.consumer_ro,
                                           capacity));
    assert_true(pair_queue_consumer_attach(&f->consumer, f->queue.consumer, f->queue.producer_ro,
                                           capacity));
}

static void begin(struct fixture *f, uint32_t capacity, uint32_t start)
{
    guarded_queue_make(&f->queue, capacity, pair_queue_words, GUARDED_AT_START);
    guarded_queue_start_at(&f->queue, start);
    attach(f);
}

static void end(struct fixture *f)
{
    guarded_queue_check(&f->queue);
    guarded_queue_unmake(&f->queue);
}

/* Publishes one entry; the answer to "must the consumer be notified?". */
static bool send(struct fixture *f, uint64_t n)
{
    assert_true(pair_queue_enqueue(&f->producer, pair_of(n)));
    sddf_queue_publish(&f->producer);
    return sddf_queue_needs_signal(&f->producer);
}

static void receive(struct fixture *f, uint64_t n)
{
    struct pair got = {0};
    assert_true(pair_queue_dequeue(&f->consumer, &got));
    assert_pair(got, n);
}

/* ---- sizes and attaching ------------------------------------------------------------------- */

static void test_capacities(void **state)
{
    (void)state;
    for (int bit = 0; bit < 32; bit++) {
        uint32_t power = UINT32_C(1) << bit;
        assert_int_equal(sddf_queue_capacity_ok(power), power <= SDDF_QUEUE_CAPACITY_MAX);
        assert_int_equal(sddf_queue_capacity_ok(power + 1), bit == 0);
        assert_int_equal(sddf_queue_capacity_ok(power - 1), bit == 1);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(sddf_queue_consumer_size(), 192);
    assert_int_equal(sddf_queue_producer_size(1, 1), 128 + 8);
    assert_int_equal(sddf_queue_producer_size(512, 2), 128 + 512 * 16);
    assert_int_equal(sddf_queue_producer_size(SDDF_QUEUE_CAPACITY_MAX, SDDF_QUEUE_WORDS_MAX),
                     128 + (size_t)SDDF_QUEUE_CAPACITY_MAX * SDDF_QUEUE_WORDS_MAX * 8);
    assert_int_equal(offsetof(struct sddf_queue_producer_region, tail), 64);
    assert_int_equal(offsetof(struct sddf_queue_producer_region, entries), 128);
    assert_int_equal(offsetof(struct sddf_queue_consumer_region, head), 64);
    assert_int_equal(offsetof(struct sddf_queue_consumer_region, mark), 128);
}

static void test_attach_refuses(void **state)
{
    (void)state;
    static const struct {
        uint32_t capacity;
        uint32_t words;
    } wrong[] = {{0, 2},          {3, 2},  {12, 2}, {SDDF_QUEUE_CAPACITY_MAX * 2, 2},
                 {UINT32_MAX, 2}, {16, 0}, {16, 9}, {16, UINT32_MAX}};
    struct guarded_queue queue;
    guarded_queue_make(&queue, 16, 2, GUARDED_AT_START);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sddf_queue_producer producer;
        struct sddf_queue_consumer consumer;
        memset(&producer, 0x5a, sizeof(producer));
        memset(&consumer, 0x5a, sizeof(consumer));
        assert_false(sddf_queue_producer_attach(&producer, queue.producer, queue.consumer_ro,
                                                wrong[i].capacity, wrong[i].words));
        assert_false(sddf_queue_consumer_attach(&consumer, queue.consumer, queue.producer_ro,
                                                wrong[i].capacity, wrong[i].words));
        for (size_t byte = 0; byte < sizeof(producer); byte++) {
            assert_int_equal(((unsigned char *)&producer)[byte], 0x5a);
        }
        for (size_t byte = 0; byte < sizeof(consumer); byte++) {
            assert_int_equal(((unsigned char *)&consumer)[byte], 0x5a);
        }
        for (size_t byte = 0; byte < queue.producer_size; byte++) {
            assert_int_equal(((unsigned char *)queue.producer)[byte], 0);
        }
        for (size_t byte = 0; byte < queue.consumer_size; byte++) {
            assert_int_equal(((unsigned char *)queue.consumer)[byte], 0);
        }
    }
    guarded_queue_unmake(&queue);
}

static void assert_header(const struct sddf_queue_header *header, uint32_t magic, uint32_t capacity,
                          uint32_t epoch)
{
    assert_int_equal(sddf_load_relaxed_u32(&header->magic), magic);
    assert_int_equal(sddf_load_relaxed_u32(&header->capacity), capacity);
    assert_int_equal(sddf_load_relaxed_u32(&header->words), 2);
    assert_int_equal(sddf_load_relaxed_u32(&header->epoch), epoch);
}

static void test_headers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, 0);
    assert_header(&f.queue.producer->header, SDDF_QUEUE_PRODUCER_MAGIC, 4, 1);
    assert_header(&f.queue.consumer->header, SDDF_QUEUE_CONSUMER_MAGIC, 4, 1);
    assert_memory_equal(&f.queue.producer->header, "DSPQ", 4);
    assert_memory_equal(&f.queue.consumer->header, "DSCQ", 4);
    /* The epoch never returns to 0, which says "never attached". */
    sddf_store_relaxed_u32(&f.queue.producer->header.epoch, UINT32_MAX);
    sddf_store_relaxed_u32(&f.queue.consumer->header.epoch, UINT32_MAX);
    attach(&f);
    assert_header(&f.queue.producer->header, SDDF_QUEUE_PRODUCER_MAGIC, 4, 1);
    assert_header(&f.queue.consumer->header, SDDF_QUEUE_CONSUMER_MAGIC, 4, 1);
    end(&f);
}

/* Each side sees the other's restarts, once each, and not its first coming. */
static void test_epochs(void **state)
{
    (void)state;
    struct fixture f;
    guarded_queue_make(&f.queue, 4, pair_queue_words, GUARDED_AT_START);
    assert_true(pair_queue_producer_attach(&f.producer, f.queue.producer, f.queue.consumer_ro, 4));
    assert_false(sddf_queue_consumer_restarted(&f.producer));
    assert_true(pair_queue_consumer_attach(&f.consumer, f.queue.consumer, f.queue.producer_ro, 4));
    assert_false(sddf_queue_consumer_restarted(&f.producer));
    assert_false(sddf_queue_producer_restarted(&f.consumer));
    for (uint32_t epoch = 2; epoch < 5; epoch++) {
        struct sddf_queue_producer old_producer = f.producer;
        struct sddf_queue_consumer old_consumer = f.consumer;
        attach(&f);
        assert_int_equal(f.producer.epoch, epoch);
        assert_int_equal(f.consumer.epoch, epoch);
        assert_true(sddf_queue_consumer_restarted(&old_producer));
        assert_false(sddf_queue_consumer_restarted(&old_producer));
        assert_true(sddf_queue_producer_restarted(&old_consumer));
        assert_false(sddf_queue_producer_restarted(&old_consumer));
        /* The consumer attached after the producer: to the producer that is one more restart. */
        assert_true(sddf_queue_consumer_restarted(&f.producer));
        assert_false(sddf_queue_consumer_restarted(&f.producer));
        assert_false(sddf_queue_producer_restarted(&f.consumer));
    }
    end(&f);
}

/* A side that restarts goes on where it was, and what it had not handed over is gone or again. */
static void test_restart(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        begin(&f, 4, starts[i]);
        assert_true(send(&f, 0));
        assert_false(send(&f, 1));
        assert_true(pair_queue_enqueue(&f.producer, pair_of(99))); /* never published */
        attach(&f);
        receive(&f, 0);
        sddf_queue_release(&f.consumer);
        receive(&f, 1); /* never released */
        attach(&f);
        receive(&f, 1);
        struct pair none = {0};
        assert_false(pair_queue_dequeue(&f.consumer, &none));
        sddf_queue_release(&f.consumer);
        assert_int_equal(sddf_queue_space(&f.producer, 4), 4);
        end(&f);
    }
}

/* A producer that died between publishing and signalling has to signal after its restart. */
static void test_restart_signals_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, UINT32_MAX);
    assert_true(sddf_queue_request_signal(&f.consumer));
    assert_true(pair_queue_enqueue(&f.producer, pair_of(0)));
    sddf_queue_publish(&f.producer);
    assert_true(pair_queue_producer_attach(&f.producer, f.queue.producer, f.queue.consumer_ro, 4));
    assert_true(sddf_queue_needs_signal(&f.producer));
    assert_false(sddf_queue_needs_signal(&f.producer));
    end(&f);
}

/* A side that finds an impossible index of its own makes the queue empty, at the peer's index. */
static void test_impossible_own_index(void **state)
{
    (void)state;
    static const uint32_t distances[] = {5, 6, UINT32_C(1) << 31, UINT32_MAX, UINT32_MAX - 4};
    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
        for (size_t j = 0; j < STARTS; j++) {
            struct guarded_queue *queue;
            struct fixture f;
            queue = &f.queue;
            guarded_queue_make(queue, 4, pair_queue_words, GUARDED_AT_START);
            guarded_queue_start_at(queue, starts[j]);
            sddf_store_relaxed_u32(&queue->producer->tail, starts[j] + distances[i]);
            assert_true(
                pair_queue_producer_attach(&f.producer, queue->producer, queue->consumer_ro, 4));
            assert_int_equal(sddf_load_relaxed_u32(&queue->producer->tail), starts[j]);
            assert_int_equal(sddf_queue_space(&f.producer, 4), 4);

            sddf_store_relaxed_u32(&queue->consumer->head, starts[j] - distances[i]);
            assert_true(
                pair_queue_consumer_attach(&f.consumer, queue->consumer, queue->producer_ro, 4));
            assert_int_equal(sddf_load_relaxed_u32(&queue->consumer->head), starts[j]);
            assert_int_equal(sddf_queue_available(&f.consumer), 0);
            send(&f, 7);
            receive(&f, 7);
            end(&f);
        }
    }
}

/* ---- moving entries ------------------------------------------------------------------------ */

static void test_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        struct pair untouched = pair_of(5);
        begin(&f, 8, starts[i]);
        assert_false(pair_queue_dequeue(&f.consumer, &untouched));
        assert_false(pair_queue_peek(&f.consumer, &untouched));
        assert_int_equal(pair_queue_dequeue_batch(&f.consumer, &untouched, 1), 0);
        assert_int_equal(sddf_queue_available(&f.consumer), 0);
        assert_int_equal(sddf_queue_space(&f.producer, 1), 8);
        assert_pair(untouched, 5);
        end(&f);
    }
}

/* Fill and drain again and again: all of the capacity is usable, and no entry changes. */
static void test_full(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 4, 64, 512};
    for (size_t i = 0; i < STARTS; i++) {
        for (size_t c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++) {
            struct fixture f;
            uint32_t capacity = capacities[c];
            uint64_t next = 0;
            begin(&f, capacity, starts[i]);
            for (int round = 0; round < 3; round++) {
                for (uint32_t n = 0; n < capacity; n++) {
                    assert_int_equal(sddf_queue_space(&f.producer, 1), capacity - n);
                    assert_true(pair_queue_enqueue(&f.producer, pair_of(next + n)));
                }
                assert_int_equal(sddf_queue_space(&f.producer, 1), 0);
                assert_false(pair_queue_enqueue(&f.producer, pair_of(1000)));
                assert_int_equal(sddf_queue_available(&f.consumer), 0); /* not published */
                sddf_queue_publish(&f.producer);
                assert_int_equal(sddf_queue_available(&f.consumer), capacity);
                for (uint32_t n = 0; n < capacity; n++) {
                    assert_int_equal(sddf_queue_available(&f.consumer), capacity - n);
                    receive(&f, next + n);
                }
                assert_int_equal(sddf_queue_space(&f.producer, 1), 0); /* not released */
                assert_false(pair_queue_enqueue(&f.producer, pair_of(1000)));
                sddf_queue_release(&f.consumer);
                next += capacity;
            }
            end(&f);
        }
    }
}

static void test_peek(void **state)
{
    (void)state;
    struct fixture f;
    struct pair got = {0};
    begin(&f, 2, UINT32_MAX);
    send(&f, 1);
    send(&f, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(pair_queue_peek(&f.consumer, &got));
        assert_pair(got, 1);
        assert_int_equal(sddf_queue_available(&f.consumer), 2);
    }
    receive(&f, 1);
    assert_true(pair_queue_peek(&f.consumer, &got));
    assert_pair(got, 2);
    sddf_queue_release(&f.consumer); /* gives back the first, and only the first */
    assert_int_equal(sddf_queue_space(&f.producer, 2), 1);
    receive(&f, 2);
    end(&f);
}

/* Batches of every length at every place of the array, with a queue that is now and then full. */
static void test_batches(void **state)
{
    (void)state;
    enum { CAPACITY = 8, LONGEST = 11 };
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        struct pair entries[LONGEST + 1];
        uint64_t sent = 0, received = 0;
        begin(&f, CAPACITY, starts[i]);
        for (uint32_t in = 0; in <= LONGEST; in++) {
            for (uint32_t out = 0; out <= LONGEST; out++) {
                uint64_t held = sent - received;
                for (uint32_t n = 0; n < in; n++) {
                    entries[n] = pair_of(sent + n);
                }
                uint32_t room = (uint32_t)(CAPACITY - held);
                uint32_t put = pair_queue_enqueue_batch(&f.producer, entries, in);
                assert_int_equal(put, in < room ? in : room);
                sent += put;
                sddf_queue_publish(&f.producer);

                /* The consumer learns of new entries only once it has taken those it knew of. */
                uint64_t want = received + out < sent ? received + out : sent;
                memset(entries, 0, sizeof(entries));
                while (received < want) {
                    uint32_t got =
                        pair_queue_dequeue_batch(&f.consumer, entries, (uint32_t)(want - received));
                    assert_in_range(got, 1, want - received);
                    for (uint32_t n = 0; n < got; n++) {
                        assert_pair(entries[n], received + n);
                    }
                    assert_int_equal(entries[got].first, 0); /* nothing beyond */
                    received += got;
                    memset(entries, 0, sizeof(entries));
                }
                sddf_queue_release(&f.consumer);
            }
        }
        end(&f);
    }
}

/* Runs that are set one by one, over the array's end too, and enqueued at once; and the like. */
static void test_runs(void **state)
{
    (void)state;
    enum { CAPACITY = 8 };
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        uint64_t sent = 0, received = 0;
        begin(&f, CAPACITY, starts[i]);
        for (uint32_t run = 1; run <= CAPACITY; run++) {
            assert_in_range(sddf_queue_space(&f.producer, run), run, CAPACITY);
            for (uint32_t n = 0; n < run; n++) {
                pair_queue_set(&f.producer, n, pair_of(sent + n));
            }
            sddf_queue_publish(&f.producer);
            assert_int_equal(sddf_queue_available(&f.consumer), 0); /* they were only set */
            sddf_queue_produce(&f.producer, run);
            sent += run;
            sddf_queue_publish(&f.producer);
            assert_int_equal(sddf_queue_available(&f.consumer), run);
            for (uint32_t n = 0; n < run; n++) {
                struct pair got;
                pair_queue_get(&f.consumer, n, &got);
                assert_pair(got, received + n);
            }
            assert_int_equal(sddf_queue_available(&f.consumer), run); /* they were only read */
            sddf_queue_consume(&f.consumer, run);
            received += run;
            sddf_queue_release(&f.consumer);
        }
        end(&f);
    }
}

/* An entry that is not two words long, singly and in batches. */
static void test_other_entries(void **state)
{
    (void)state;
    struct guarded_queue queue;
    struct sddf_queue_producer producer;
    struct sddf_queue_consumer consumer;
    guarded_queue_make(&queue, 8, triple_queue_words, GUARDED_AT_END);
    guarded_queue_start_at(&queue, UINT32_MAX - 4);
    assert_true(triple_queue_producer_attach(&producer, queue.producer, queue.consumer_ro, 8));
    assert_true(triple_queue_consumer_attach(&consumer, queue.consumer, queue.producer_ro, 8));
    for (uint64_t round = 0; round < 50; round++) {
        struct triple in[6], out[6];
        for (uint64_t n = 0; n < 6; n++) {
            in[n] = (struct triple){{round, n, round * n}};
        }
        assert_true(triple_queue_enqueue(&producer, in[0]));
        assert_int_equal(triple_queue_enqueue_batch(&producer, &in[1], 5), 5);
        sddf_queue_publish(&producer);
        assert_int_equal(triple_queue_dequeue_batch(&consumer, out, 5), 5);
        assert_true(triple_queue_dequeue(&consumer, &out[5]));
        assert_memory_equal(in, out, sizeof(in));
        sddf_queue_release(&consumer);
    }
    guarded_queue_check(&queue);
    guarded_queue_unmake(&queue);
}

/* ---- signals ------------------------------------------------------------------------------- */

/* A consumer that asked is signalled at the next entry, and only at that one. */
static void test_signal_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        begin(&f, 8, starts[i]);
        for (int round = 0; round < 5; round++) {
            assert_true(sddf_queue_request_signal(&f.consumer));
            assert_false(sddf_queue_needs_signal(&f.producer)); /* nothing published */
            assert_true(send(&f, 0));
            assert_false(sddf_queue_needs_signal(&f.producer));
            assert_false(send(&f, 1)); /* on its way already */
            receive(&f, 0);
            assert_false(send(&f, 2)); /* busy: it has not asked */
            receive(&f, 1);
            receive(&f, 2);
            assert_false(send(&f, 3)); /* drained, but it has not asked */
            receive(&f, 3);
            sddf_queue_release(&f.consumer);
        }
        end(&f);
    }
}

/* The mark lies anywhere in, before and behind a batch: only within it there is a signal. */
static void test_signal_marks(void **state)
{
    (void)state;
    enum { CAPACITY = 8 };
    for (size_t i = 0; i < STARTS; i++) {
        for (uint32_t before = 0; before <= 3; before++) {
            for (uint32_t batch = 0; batch <= CAPACITY - before; batch++) {
                for (int32_t mark = -9; mark <= 9; mark++) {
                    struct fixture f;
                    begin(&f, CAPACITY, starts[i]);
                    for (uint32_t n = 0; n < before; n++) {
                        send(&f, n);
                    }
                    sddf_store_relaxed_u32(&f.queue.consumer->mark, starts[i] + (uint32_t)mark);
                    for (uint32_t n = 0; n < batch; n++) {
                        assert_true(pair_queue_enqueue(&f.producer, pair_of(n)));
                    }
                    sddf_queue_publish(&f.producer);
                    bool within = mark >= (int32_t)before && mark < (int32_t)(before + batch);
                    assert_int_equal(sddf_queue_needs_signal(&f.producer), within);
                    end(&f);
                }
            }
        }
    }
}

/* Published several times, asked once: the one answer is for all. */
static void test_signal_asked_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < STARTS; i++) {
        struct fixture f;
        begin(&f, 4, starts[i]);
        assert_true(sddf_queue_request_signal(&f.consumer));
        for (int n = 0; n < 4; n++) {
            assert_true(pair_queue_enqueue(&f.producer, pair_of((uint64_t)n)));
            sddf_queue_publish(&f.producer);
            sddf_queue_publish(&f.producer);
        }
        assert_true(sddf_queue_needs_signal(&f.producer));
        assert_false(sddf_queue_needs_signal(&f.producer));
        end(&f);
    }
}

/* Enqueued but not published is no reason for a signal. */
static void test_signal_unpublished(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, 0);
    assert_true(sddf_queue_request_signal(&f.consumer));
    assert_true(pair_queue_enqueue(&f.producer, pair_of(0)));
    assert_false(sddf_queue_needs_signal(&f.producer));
    sddf_queue_publish(&f.producer);
    assert_true(sddf_queue_needs_signal(&f.producer));
    end(&f);
}

/* Whoever asks while there is something to take is told so, known to it or not. */
static void test_request_with_entries(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, UINT32_MAX);
    send(&f, 0);
    assert_false(sddf_queue_request_signal(&f.consumer)); /* it had not looked */
    send(&f, 1);
    assert_false(sddf_queue_request_signal(&f.consumer)); /* it knows of the first */
    receive(&f, 0);
    receive(&f, 1);
    assert_true(sddf_queue_request_signal(&f.consumer));
    assert_int_equal(sddf_queue_space(&f.producer, 4), 4); /* asking has released */
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capacities),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_attach_refuses),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_signals_again),
        cmocka_unit_test(test_impossible_own_index),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_other_entries),
        cmocka_unit_test(test_signal_once),
        cmocka_unit_test(test_signal_marks),
        cmocka_unit_test(test_signal_asked_late),
        cmocka_unit_test(test_signal_unpublished),
        cmocka_unit_test(test_request_with_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
