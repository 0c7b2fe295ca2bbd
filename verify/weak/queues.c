/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs over include/sddf/queue.h. A buffer per entry goes with it: ordinary memory that the
 * producer writes before it enqueues, and the consumer reads after it dequeued. So if a queue hands
 * anything over too early, there is a race. What each program checks at its end: what the consumer
 * got is what the producer sent, in order, and nobody sleeps while there is something for it to do.
 */
#include "queues.h"

#include "sddf/queue.h"

#define CAPACITY_MAX 4
#define IMPOSSIBLE   77 /* an index, where few entries were sent */

struct entry {
    uint64_t number, twice;
};
struct word {
    uint64_t number;
};

SDDF_QUEUE_TYPE(pairs, struct entry);
SDDF_QUEUE_TYPE(words, struct word);

/* ---- the memory that is shared --------------------------------------------------------------- */

struct shared {
    struct sddf_queue_consumer_region consumer;
    SDDF_ALIGNED(64)
    unsigned char
        producer[sizeof(struct sddf_queue_producer_region) + CAPACITY_MAX * sizeof(struct entry)];
    uint32_t bell; /* how often the producer has notified the consumer */
};

/* A queue of each capacity that is used, and one that nobody has attached to. */
static struct shared one, two, four, words_two, later, fresh, full, free_queue, active_queue;
static struct shared headless, tailless; /* before a restart: an impossible head, or tail */
static uint64_t buffer[8];

static struct sddf_queue_producer producer_of(struct shared *s, uint32_t capacity, uint32_t n)
{
    struct sddf_queue_producer q;
    sddf_queue_producer_attach(&q, (void *)s->producer, &s->consumer, capacity, n);
    return q;
}

static struct sddf_queue_consumer consumer_of(struct shared *s, uint32_t capacity, uint32_t n)
{
    struct sddf_queue_consumer q;
    sddf_queue_consumer_attach(&q, &s->consumer, (void *)s->producer, capacity, n);
    return q;
}

/* The handles after attaching, to start each run from. */
static struct {
    struct sddf_queue_producer producer;
    struct sddf_queue_consumer consumer;
} on_one, on_two, on_four, on_later, on_words, on_full, on_free, on_active, on_headless,
    on_tailless;

#define PREPARE(handles, memory, capacity, words)                                                  \
    (handles.producer = producer_of(&memory, capacity, words),                                     \
     handles.consumer = consumer_of(&memory, capacity, words))

static void prepare_restarts(void);
static void prepare_full(void);
static void prepare_later(void);

void queues_prepare(void)
{
    PREPARE(on_one, one, 1, pairs_words);
    PREPARE(on_two, two, 2, pairs_words);
    PREPARE(on_four, four, 4, pairs_words);
    PREPARE(on_words, words_two, 2, words_words);
    PREPARE(on_free, free_queue, 2, pairs_words);
    PREPARE(on_active, active_queue, 2, pairs_words);
    prepare_restarts();
    prepare_full();
    prepare_later();
}

/* ---- what the threads find out --------------------------------------------------------------- */

static struct {
    uint64_t published;
    uint32_t bell;
} sent;

static struct {
    uint64_t n; /* the last entry that was taken */
    const char *wrong;
    bool asleep;
} got;

static struct entry entry_of(uint64_t number)
{
    return (struct entry){.number = number, .twice = 2 * number};
}

static void fill(uint64_t number)
{
    wk_write_plain("the buffer", &buffer[number], (struct wk_value){.lo = number}, 1);
}

static void take(uint64_t number)
{
    if (number != ++got.n) {
        got.wrong = "an entry is not the next one";
    }
    /* A garbled number is not an index. */
    number = number < 8 ? number : 0;
    if (wk_read_plain("the buffer", &buffer[number], 1).lo != number) {
        got.wrong = "a buffer does not hold what was put into it";
    }
}

static void ring(struct shared *s)
{
    wk_store_u32("notify", &s->bell, ++sent.bell, WK_RELEASE);
}

/* Publishes and notifies, as a component does at the end of a pass. */
static void hand_over(struct sddf_queue_producer *q, struct shared *s, uint64_t n)
{
    sent.published = n;
    if (sddf_queue_hand_over(q)) {
        ring(s);
    }
}

static const char *all_arrived(void)
{
    if (got.wrong != NULL) {
        return got.wrong;
    }
    if (got.asleep && got.n != sent.published) {
        return "a lost wake-up: the consumer sleeps, and there are entries";
    }
    return got.n > sent.published ? "more was taken than was published" : NULL;
}

static void begin_sending(void)
{
    sent.published = sent.bell = 0;
}

static void begin_taking(void)
{
    got.n = 0;
    got.wrong = NULL;
    got.asleep = false;
}

/* ---- one by one, through queues of capacity 1, 2 and 4 ----------------------------------------
 */

/* Up to n entries, each published at once; what there is no room for is dropped, with the rest. */
static void send_singly(struct sddf_queue_producer q, struct shared *s, uint64_t n)
{
    begin_sending();
    for (uint64_t i = 1; i <= n; i++) {
        if (sddf_queue_space(&q, 1) == 0) {
            return;
        }
        fill(i);
        pairs_enqueue(&q, entry_of(i));
        hand_over(&q, s, i);
    }
}

/* Drains, asks for a signal, looks again, sleeps: for so many wake-ups. */
static void take_singly(struct sddf_queue_consumer q, struct shared *s, unsigned passes)
{
    begin_taking();
    struct entry entry;
    uint32_t seen = 0;
    for (unsigned pass = 0; pass < passes; pass++) {
        while (pairs_dequeue(&q, &entry)) {
            take(entry.number);
            if (entry.twice != 2 * entry.number) {
                got.wrong = "an entry is torn";
            }
        }
        if (!sddf_queue_request_signal(&q)) {
            continue;
        }
        if (!wk_wait("the doorbell", &s->bell, &seen)) {
            got.asleep = true;
            return;
        }
    }
}

static void send_one(void)
{
    send_singly(on_one.producer, &one, 2);
}
static void take_one(void)
{
    take_singly(on_one.consumer, &one, 3);
}
static void send_two(void)
{
    send_singly(on_two.producer, &two, 3);
}
static void take_two(void)
{
    take_singly(on_two.consumer, &two, 2);
}
static void send_four(void)
{
    send_singly(on_four.producer, &four, 3);
}
static void take_four(void)
{
    take_singly(on_four.consumer, &four, 2);
}

/* ---- in batches, round the end of the array ---------------------------------------------------
 */

static void send_batches(void)
{
    struct sddf_queue_producer q = on_words.producer;
    begin_sending();
    for (uint64_t at = 1; at <= 3; at += 2) {
        struct word batch[2];
        uint32_t space = sddf_queue_space(&q, 2);
        for (uint32_t i = 0; i < space && i < 2; i++) {
            fill(at + i);
            batch[i].number = at + i;
        }
        uint32_t n = words_enqueue_batch(&q, batch, space < 2 ? space : 2);
        hand_over(&q, &words_two, at - 1 + n);
        if (n < 2) {
            return;
        }
    }
}

static void take_batches(void)
{
    struct sddf_queue_consumer q = on_words.consumer;
    begin_taking();
    uint32_t seen = 0;
    for (unsigned pass = 0; pass < 3; pass++) {
        struct word batch[2];
        uint32_t n = words_dequeue_batch(&q, batch, 2);
        for (uint32_t i = 0; i < n; i++) {
            take(batch[i].number);
        }
        if (!sddf_queue_request_signal(&q)) {
            continue;
        }
        if (!wk_wait("the doorbell", &words_two.bell, &seen)) {
            got.asleep = true;
            return;
        }
    }
}

/* ---- publishing several times, asking once; a consumer that waits for two ----------------------
 */

static void send_then_ask(void)
{
    struct sddf_queue_producer q = on_four.producer;
    begin_sending();
    for (uint64_t i = 1; i <= 2; i++) {
        fill(i);
        pairs_enqueue(&q, entry_of(i));
        sddf_queue_publish(&q);
    }
    sent.published = 2;
    if (sddf_queue_needs_signal(&q)) {
        ring(&four);
    }
    fill(3);
    pairs_enqueue(&q, entry_of(3));
    hand_over(&q, &four, 3);
}

/* Entry 1 is through already, and the consumer's mark is behind it: a signal comes only if asked.
 */
static void prepare_later(void)
{
    struct entry entry;
    PREPARE(on_later, later, 4, pairs_words);
    pairs_enqueue(&on_later.producer, entry_of(1));
    sddf_queue_publish(&on_later.producer);
    sddf_queue_needs_signal(&on_later.producer);
    pairs_dequeue(&on_later.consumer, &entry);
    sddf_queue_release(&on_later.consumer);
}

static void send_two_more(void)
{
    struct sddf_queue_producer q = on_later.producer;
    begin_sending();
    for (uint64_t i = 2; i <= 3; i++) {
        fill(i);
        pairs_enqueue(&q, entry_of(i));
        hand_over(&q, &later, i);
    }
}

static void take_two_at_once(void)
{
    struct sddf_queue_consumer q = on_later.consumer;
    begin_taking();
    got.n = 1;
    struct entry entry;
    uint32_t seen = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        if (sddf_queue_request_signal_at(&q, 2) && !wk_wait("the doorbell", &later.bell, &seen)) {
            got.asleep = true;
            return;
        }
        while (pairs_dequeue(&q, &entry)) {
            take(entry.number);
        }
    }
}

static const char *two_wake(void)
{
    if (got.wrong == NULL && got.asleep && sent.published - got.n >= 2) {
        return "a lost wake-up: the consumer waits for two, and there are two";
    }
    return got.wrong;
}

/* ---- buffers that go round: what the consumer gives back, the producer fills again --------------
 */

/* Thread 0 sends buffers that it takes from the free queue; thread 1 gives back what it has read.
 */
static struct {
    bool asleep;
    uint64_t reused;
} round_trip;

static void fill_and_send(void)
{
    struct sddf_queue_producer active = on_active.producer;
    struct sddf_queue_consumer free_end = on_free.consumer;
    struct entry entry;
    uint32_t seen = 0;
    begin_sending();
    round_trip.asleep = false;
    round_trip.reused = 0;
    fill(1);
    pairs_enqueue(&active, entry_of(1));
    hand_over(&active, &active_queue, 1);
    if (sddf_queue_request_signal(&free_end) &&
        !wk_wait("the other doorbell", &free_queue.bell, &seen)) {
        round_trip.asleep = true;
        return;
    }
    if (pairs_dequeue(&free_end, &entry)) {
        /* The buffer is this side's again. */
        round_trip.reused++;
        wk_write_plain("the buffer again", &buffer[1], (struct wk_value){.lo = 7}, 1);
    }
}

static void take_and_return(void)
{
    struct sddf_queue_consumer active = on_active.consumer;
    struct sddf_queue_producer free_end = on_free.producer;
    struct entry entry;
    uint32_t seen = 0, rung = 0;
    begin_taking();
    for (unsigned pass = 0; pass < 2; pass++) {
        while (pairs_dequeue(&active, &entry)) {
            take(entry.number);
            pairs_enqueue(&free_end, entry);
        }
        sddf_queue_publish(&free_end);
        if (sddf_queue_needs_signal(&free_end)) {
            wk_store_u32("notify", &free_queue.bell, ++rung, WK_RELEASE);
        }
        if (sddf_queue_request_signal(&active) &&
            !wk_wait("the doorbell", &active_queue.bell, &seen)) {
            got.asleep = true;
            return;
        }
    }
}

static const char *comes_round(void)
{
    if (round_trip.asleep && got.n > 0) {
        return "a lost wake-up: the buffer has come back, and its owner sleeps";
    }
    return all_arrived();
}

/* ---- attaching while the other side does; after a restart --------------------------------------
 */

static void attach_and_send(void)
{
    struct sddf_queue_producer q = producer_of(&fresh, 2, pairs_words);
    begin_sending();
    fill(1);
    pairs_enqueue(&q, entry_of(1));
    sddf_queue_publish(&q);
    sent.published = 1;
}

static void attach_and_take(void)
{
    struct sddf_queue_consumer q = consumer_of(&fresh, 2, pairs_words);
    struct entry entry;
    begin_taking();
    if (pairs_dequeue(&q, &entry)) {
        take(entry.number);
    }
    sddf_queue_release(&q);
}

/* A producer attaches again, to a full queue from which its consumer is taking: what it finds free
 * is free. */
static void prepare_full(void)
{
    PREPARE(on_full, full, 2, pairs_words);
    for (uint64_t i = 1; i <= 2; i++) {
        pairs_enqueue(&on_full.producer, entry_of(i));
    }
    sddf_queue_publish(&on_full.producer);
}

static void attach_and_refill(void)
{
    struct sddf_queue_producer q = producer_of(&full, 2, pairs_words);
    begin_sending();
    sent.published = 2;
    if (q.capacity - (q.tail - q.head) > 0) {
        fill(3);
        pairs_enqueue(&q, entry_of(3));
        hand_over(&q, &full, 3);
    }
}

static void take_of_full(void)
{
    struct sddf_queue_consumer q = on_full.consumer;
    struct entry entry;
    begin_taking();
    for (unsigned i = 0; i < 2 && pairs_dequeue(&q, &entry); i++) {
        got.n++;
        if (entry.number != got.n || entry.twice != 2 * got.n) {
            got.wrong = "an entry is not the next one, or torn";
        }
        sddf_queue_release(&q);
    }
}

/* A side that died with an impossible index and attaches again: who sees its new epoch sees the
 * index that it has mended. */
static struct {
    bool seen;
    uint32_t index;
} restart;

static void prepare_restarts(void)
{
    PREPARE(on_headless, headless, 2, pairs_words);
    sddf_store_relaxed_u32(&headless.consumer.head, IMPOSSIBLE);
    PREPARE(on_tailless, tailless, 2, pairs_words);
    sddf_store_relaxed_u32(&((struct sddf_queue_producer_region *)(void *)tailless.producer)->tail,
                           IMPOSSIBLE);
}

static void attach_consumer_again(void)
{
    consumer_of(&headless, 2, pairs_words);
}
static void attach_producer_again(void)
{
    producer_of(&tailless, 2, pairs_words);
}

static void look_for_consumer(void)
{
    struct sddf_queue_producer q = on_headless.producer;
    q.peer_epoch = 1; /* As it was before the restart. */
    restart.seen = sddf_queue_consumer_restarted(&q);
    restart.index = wk_load_u32(__func__, &q.peer->head, WK_RELAXED);
}

static void look_for_producer(void)
{
    struct sddf_queue_consumer q = on_tailless.consumer;
    q.peer_epoch = 1;
    restart.seen = sddf_queue_producer_restarted(&q);
    restart.index = wk_load_u32(__func__, &q.peer->tail, WK_RELAXED);
}

static const char *restart_mends(void)
{
    return restart.seen && restart.index == IMPOSSIBLE
               ? "the epoch is new, and the index still what it was before the restart"
               : NULL;
}

/* Who sees the magic sees the header that it stands for. */
static uint32_t seen_magic, seen_capacity;

static void look_at_header(void)
{
    struct sddf_queue_producer_region *peer = (void *)fresh.producer;
    seen_magic = wk_load_u32(__func__, &peer->header.magic, WK_ACQUIRE);
    seen_capacity = wk_load_u32(__func__, &peer->header.capacity, WK_RELAXED);
}

static const char *magic_means_header(void)
{
    return seen_magic != 0 && seen_capacity == 0 ? "the magic is there, and its header is not"
                                                 : NULL;
}

const struct wk_program queues[] = {
    {.name = "capacity 1, one by one",
     .threads = 2,
     .run = {send_one, take_one},
     .wrong = all_arrived},
    {.name = "capacity 2, one by one",
     .threads = 2,
     .run = {send_two, take_two},
     .wrong = all_arrived},
    {.name = "capacity 4, one by one",
     .threads = 2,
     .run = {send_four, take_four},
     .wrong = all_arrived},
    {.name = "capacity 2, batches of 2, one word",
     .threads = 2,
     .run = {send_batches, take_batches},
     .wrong = all_arrived},
    {.name = "publish twice, ask once",
     .threads = 2,
     .run = {send_then_ask, take_four},
     .wrong = all_arrived},
    {.name = "a signal at the second",
     .threads = 2,
     .run = {send_two_more, take_two_at_once},
     .wrong = two_wake},
    {.name = "buffers that go round",
     .threads = 2,
     .run = {fill_and_send, take_and_return},
     .wrong = comes_round},
    {.name = "attaching at the same time",
     .threads = 2,
     .run = {attach_and_send, attach_and_take},
     .wrong = all_arrived},
    {.name = "a producer attaches to a full queue",
     .threads = 2,
     .run = {attach_and_refill, take_of_full},
     .wrong = all_arrived},
    {.name = "a consumer attaches again",
     .threads = 2,
     .run = {attach_consumer_again, look_for_consumer},
     .wrong = restart_mends},
    {.name = "a producer attaches again",
     .threads = 2,
     .run = {attach_producer_again, look_for_producer},
     .wrong = restart_mends},
    {.name = "a header is read",
     .threads = 2,
     .run = {attach_and_send, look_at_header},
     .wrong = magic_means_header},
};

const unsigned queues_count = sizeof(queues) / sizeof(queues[0]);

/* ---- the orders in the header ------------------------------------------------------------------
 */

#define LOAD(function, ...)                                                                        \
    {                                                                                              \
        {.site = function, .from = WK_ACQUIRE, .to = WK_RELAXED}, __VA_ARGS__                      \
    }
#define STORE(function, n, ...)                                                                    \
    {                                                                                              \
        {.site = function, .from = WK_RELEASE, .to = WK_RELAXED, .store = true, .nth = n},         \
            __VA_ARGS__                                                                            \
    }
#define FENCE(function, weaker, ...)                                                               \
    {                                                                                              \
        {.site = function, .from = WK_SEQ_CST, .to = weaker, .store = true}, __VA_ARGS__           \
    }

const struct queues_order queues_orders[] = {
    STORE("sddf_queue_publish", 0, "capacity 1, one by one"),
    STORE("sddf_queue_release", 0, "capacity 1, one by one"),
    LOAD("sddf_queue_consumer_refresh", "capacity 1, one by one"),
    LOAD("sddf_queue_producer_refresh", "capacity 1, one by one"),
    FENCE("sddf_queue_mark_passed", WK_RELAXED, "capacity 1, one by one"),
    FENCE("sddf_queue_mark_passed", WK_ACQ_REL, "capacity 1, one by one"),
    FENCE("sddf_queue_request_signal", WK_RELAXED, "capacity 1, one by one"),
    FENCE("sddf_queue_request_signal", WK_ACQ_REL, "capacity 1, one by one"),
    FENCE("sddf_queue_request_signal_at", WK_RELAXED, "a signal at the second"),
    FENCE("sddf_queue_request_signal_at", WK_ACQ_REL, "a signal at the second"),
    LOAD("sddf_queue_producer_attach", "a producer attaches to a full queue"),
    LOAD("sddf_queue_consumer_attach", "attaching at the same time"),
    STORE("sddf_queue_header_write", 1, "a consumer attaches again"), /* the epoch */
    STORE("sddf_queue_header_write", 2, "a header is read"),          /* the magic */
    LOAD("sddf_queue_consumer_restarted", "a consumer attaches again"),
    LOAD("sddf_queue_producer_restarted", "a producer attaches again"),
};

const unsigned queues_orders_count = sizeof(queues_orders) / sizeof(queues_orders[0]);
