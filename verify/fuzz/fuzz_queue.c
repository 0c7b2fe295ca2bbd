/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue itself: one side works, the other writes what it likes, with entries of each kind. */
#include "core.h"

#include "sddf/queue.h"

struct pair {
    uint64_t word[2];
};
struct triple {
    uint64_t word[3];
};
SDDF_QUEUE_TYPE(pair_queue, struct pair);
SDDF_QUEUE_TYPE(triple_queue, struct triple);

#define CAPACITY 8
#define BATCH    11 /* more than the capacity */

/* What one side of each kind has: [0] is where the component produces, [1] where it consumes. */
static struct {
    struct sddf_queue_producer_region *producer;
    struct sddf_queue_consumer_region *consumer;
} shared[2];

static void prepare(void)
{
    for (int i = 0; i < 2; i++) {
        shared[i].producer = fuzz_region(sddf_queue_producer_size(CAPACITY, 3), i == 0);
        shared[i].consumer = fuzz_region(sddf_queue_consumer_size(), i == 1);
    }
}

static void fuzz_notified(microkit_channel ch)
{
    (void)ch;
}

void fuzz_entry_read(const uint64_t *slot, uint64_t address)
{
    (void)slot;
    (void)address;
}

void fuzz_entry_written(const uint64_t *slot)
{
    (void)slot;
}

static uint32_t index_value(uint32_t about)
{
    uint8_t kind = fuzz_u8();
    return kind < 128   ? about + kind % 24 - 12
           : kind < 192 ? about + (1u << kind % 32)
                        : fuzz_u32();
}

static void fuzz_neighbours_act(void)
{
    struct sddf_queue_consumer_region *consumer = fuzz_theirs(shared[0].consumer);
    struct sddf_queue_producer_region *producer = fuzz_theirs(shared[1].producer);
    const uint32_t tail =
        ((struct sddf_queue_producer_region *)fuzz_theirs(shared[0].producer))->tail;
    const uint32_t head =
        ((struct sddf_queue_consumer_region *)fuzz_theirs(shared[1].consumer))->head;
    uint8_t which = fuzz_u8();
    switch (which % 6) {
    case 0:
        consumer->head = index_value(tail);
        break;
    case 1:
        consumer->mark = index_value(tail);
        break;
    case 2:
        producer->tail = index_value(head);
        break;
    case 3:
        producer->entries[which / 8 % (CAPACITY * 3)] = fuzz_u64();
        break;
    case 4:
        consumer->header.epoch = fuzz_u8();
        break;
    default:
        producer->header.epoch = fuzz_u8();
    }
}

static struct sddf_queue_producer out;
static struct sddf_queue_consumer in;

static void check(uint32_t capacity)
{
    fuzz_check(out.capacity == capacity && in.capacity == capacity && out.mask == capacity - 1 &&
                   in.mask == capacity - 1 && out.tail - out.head <= capacity &&
                   in.tail - in.head <= capacity,
               "a handle is out of order");
}

static void produce(bool triples, uint8_t act)
{
    struct pair pairs[BATCH] = {0};
    struct triple three[BATCH] = {0};
    uint32_t tail = out.tail;
    uint32_t count = act % BATCH;
    uint32_t done = triples ? triple_queue_enqueue_batch(&out, three, count)
                            : pair_queue_enqueue_batch(&out, pairs, count);
    fuzz_check(done <= count && out.tail == tail + done, "a batch is of another size");
    tail = out.tail;
    done = triples ? triple_queue_enqueue(&out, three[0]) : pair_queue_enqueue(&out, pairs[0]);
    fuzz_check(out.tail == tail + done, "an entry is not there");
    if ((act & 16) != 0) {
        sddf_queue_publish(&out);
        fuzz_check(shared[0].producer->tail == out.tail, "the tail is not published");
        sddf_queue_needs_signal(&out);
        fuzz_check(!sddf_queue_needs_signal(&out), "a batch is signalled twice");
    } else if ((act & 32) != 0) {
        sddf_queue_hand_over(&out);
        fuzz_check(shared[0].producer->tail == out.tail && out.published == out.tail,
                   "the tail is not published");
        fuzz_check(!sddf_queue_hand_over(&out), "a batch is signalled twice");
    }
    fuzz_check(sddf_queue_space(&out, act) <= out.capacity, "there is too much room");
    fuzz_check(sddf_queue_signal_distance(&out) <= out.capacity, "a signal is too far away");
    sddf_queue_consumer_restarted(&out);
    const uint32_t room = out.capacity - (out.tail - out.head);
    sddf_queue_produce(&out, act % 3u < room ? act % 3u : room);
}

/* Each side sees, once, that the other has started again. */
static void peers_restart(void)
{
    struct sddf_queue_consumer_region *consumer = fuzz_theirs(shared[0].consumer);
    struct sddf_queue_producer_region *producer = fuzz_theirs(shared[1].producer);
    for (uint32_t epoch = 1; epoch <= 2; epoch++) {
        consumer->header.epoch = producer->header.epoch = epoch;
        const bool seen = sddf_queue_consumer_restarted(&out);
        const bool too = sddf_queue_producer_restarted(&in);
        fuzz_check(fuzz_concurrent || epoch == 1 || (seen && too), "a restart is not seen");
    }
}

static void consume(bool triples, uint8_t act)
{
    struct pair pairs[BATCH];
    struct triple three[BATCH];
    uint32_t head = in.head;
    uint32_t count = act % BATCH;
    uint32_t done = triples ? triple_queue_dequeue_batch(&in, three, count)
                            : pair_queue_dequeue_batch(&in, pairs, count);
    fuzz_check(done <= count && in.head == head + done, "a batch is of another size");
    head = in.head;
    bool some = triples ? triple_queue_peek(&in, &three[0]) : pair_queue_peek(&in, &pairs[0]);
    fuzz_check(in.head == head, "an entry that was only looked at is gone");
    done = triples ? triple_queue_dequeue(&in, &three[0]) : pair_queue_dequeue(&in, &pairs[0]);
    fuzz_check(in.head == head + done && (!some || done == 1), "an entry is not there");
    fuzz_check(sddf_queue_available(&in) <= in.capacity, "there are too many");
    const uint32_t there = in.tail - in.head;
    sddf_queue_consume(&in, act % 3u < there ? act % 3u : there);
    if ((act & 16) != 0) {
        sddf_queue_release(&in);
    } else if ((act & 32) != 0) {
        sddf_queue_request_signal(&in);
        fuzz_check(shared[1].consumer->mark == in.head, "the mark is somewhere else");
    } else {
        sddf_queue_request_signal_at(&in, 1 + act % in.capacity);
    }
    fuzz_check((act & 48) == 48 || (act & 48) == 0 || shared[1].consumer->head == in.head,
               "the head is not published");
    sddf_queue_producer_restarted(&in);
}

static bool attach(bool triples, uint32_t capacity)
{
    bool good =
        triples
            ? triple_queue_producer_attach(&out, shared[0].producer, shared[0].consumer, capacity)
            : pair_queue_producer_attach(&out, shared[0].producer, shared[0].consumer, capacity);
    bool too =
        triples
            ? triple_queue_consumer_attach(&in, shared[1].consumer, shared[1].producer, capacity)
            : pair_queue_consumer_attach(&in, shared[1].consumer, shared[1].producer, capacity);
    fuzz_check(good == too, "one side may, and the other not");
    return good;
}

static void fuzz_run(void)
{
    if (shared[0].producer == NULL) {
        prepare();
    }
    for (int i = 0; i < 2; i++) {
        memset(fuzz_theirs(shared[i].producer), 0, sddf_queue_producer_size(CAPACITY, 3));
        memset(fuzz_theirs(shared[i].consumer), 0, sddf_queue_consumer_size());
    }
    uint8_t mode = fuzz_u8();
    bool triples = (mode & 1) != 0;
    uint32_t capacity = 1u << (mode >> 1 & 3);
    fuzz_concurrent = (mode & 8) != 0;
    if ((mode & 16) != 0) { /* as before a restart, or after somebody has been here */
        shared[0].producer->tail = fuzz_u32();
        shared[1].consumer->head = fuzz_u32();
        shared[0].producer->header.epoch = 0u - (mode >> 5 & 1);
    }
    fuzz_steps_begin();
    if (mode >= 250) {
        fuzz_check(!attach(triples, mode == 250   ? 0
                                    : mode == 251 ? 3
                                                  : SDDF_QUEUE_CAPACITY_MAX * 2),
                   "such a capacity is none");
        fuzz_check(
            !sddf_queue_producer_attach(&out, shared[0].producer, shared[0].consumer, 8, 9) &&
                !sddf_queue_producer_attach(&out, shared[0].producer, shared[0].consumer, 8, 0) &&
                !sddf_queue_consumer_attach(&in, shared[1].consumer, shared[1].producer, 8, 9) &&
                !sddf_queue_consumer_attach(&in, shared[1].consumer, shared[1].producer, 8, 0),
            "so many words are none");
        return;
    }
    fuzz_check(attach(triples, capacity), "it does not attach");
    check(capacity);
    for (uint32_t i = 0; i < 100 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        fuzz_steps_begin();
        if (act < 64) {
            produce(triples, act);
        } else if (act < 128) {
            consume(triples, act);
        } else if (act == 128) {
            peers_restart();
        } else if (act < 136) {
            fuzz_check(attach(triples, capacity), "it does not attach again");
        } else {
            fuzz_neighbours_act();
        }
        check(capacity);
    }
}
