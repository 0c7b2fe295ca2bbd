/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues of a type of entries; part of sddf/queue.h, which see, and included by it alone.
 */
#pragma once

/* A class need not use all that SDDF_QUEUE_TYPE() gives it. */
#define SDDF_QUEUE_UNUSED __attribute__((unused))

/*
 * SDDF_QUEUE_TYPE(net_queue, struct net_entry) gives a class its queue:
 *
 *   net_queue_producer_attach(producer, own, peer, capacity)    as the functions of the same
 *   net_queue_consumer_attach(consumer, own, peer, capacity)    names above
 *   bool net_queue_enqueue(producer, entry)                     false: the queue is full
 *   uint32_t net_queue_enqueue_batch(producer, entries, n)      how many there was room for
 *   bool net_queue_dequeue(consumer, &entry)                    false: the queue is empty
 *   uint32_t net_queue_dequeue_batch(consumer, entries, n)      how many there were
 *   bool net_queue_peek(consumer, &entry)                       the next one, which stays
 *   net_queue_set(producer, i, entry)                           the i-th of those that
 *   net_queue_get(consumer, i, &entry)                          sddf_queue_produce() will enqueue,
 *                                                               sddf_queue_consume() dequeue
 *
 * The consumer does not see what was enqueued before sddf_queue_publish(). The slot of what was
 * dequeued is the producer's after the next sddf_queue_release().
 *
 * The entry is a struct of whole 64-bit words without padding. Everything that does not touch an
 * entry (publish, needs_signal, available, release, request_signal, space) is not typed.
 */
#define SDDF_QUEUE_TYPE(prefix, type)                                                              \
    enum { prefix##_words = sizeof(type) / 8 };                                                    \
    _Static_assert(sizeof(type) % 8 == 0 && sizeof(type) / 8 <= SDDF_QUEUE_WORDS_MAX,              \
                   "a queue's entry is a few whole 64-bit words");                                 \
    SDDF_RAW_ENTRY(prefix, type)                                                                   \
                                                                                                   \
    /*@ requires \valid(q);                                                                        \
      @ requires own: \valid(&own->header) && \valid(&own->tail);                                  \
      @ requires slots: 1 <= capacity <= SDDF_QUEUE_CAPACITY_MAX ==>                               \
      @     \valid(&own->entries[0 .. capacity * queue_words - 1]);                                \
      @ requires peer: \valid_read(&peer->header) && \valid_read(&peer->head) &&                   \
      @     \valid_read(&peer->mark);                                                              \
      @ assigns *q;                                                                                \
      @ ensures attached: \result ==>                                                              \
      @     sddf_producer_ok(*q) && sddf_producer_slots(*q, queue_words);                          \
      @ ensures \result ==> q->capacity == capacity;                                               \
      @ ensures refused: !\result ==> *q == \old(*q);                                              \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline bool prefix##_producer_attach(                                 \
        struct sddf_queue_producer *q, struct sddf_queue_producer_region *own,                     \
        const struct sddf_queue_consumer_region *peer, uint32_t capacity)                          \
    {                                                                                              \
        return sddf_queue_producer_attach(q, own, peer, capacity, prefix##_words);                 \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q);                                                                        \
      @ requires own: \valid(&own->header) && \valid(&own->head) && \valid(&own->mark);            \
      @ requires peer: \valid_read(&peer->header) && \valid_read(&peer->tail);                     \
      @ requires slots: 1 <= capacity <= SDDF_QUEUE_CAPACITY_MAX ==>                               \
      @     \valid_read(&peer->entries[0 .. capacity * queue_words - 1]);                          \
      @ assigns *q;                                                                                \
      @ ensures attached: \result ==>                                                              \
      @     sddf_consumer_ok(*q) && sddf_consumer_slots(*q, queue_words);                          \
      @ ensures \result ==> q->capacity == capacity;                                               \
      @ ensures refused: !\result ==> *q == \old(*q);                                              \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline bool prefix##_consumer_attach(                                 \
        struct sddf_queue_consumer *q, struct sddf_queue_consumer_region *own,                     \
        const struct sddf_queue_producer_region *peer, uint32_t capacity)                          \
    {                                                                                              \
        return sddf_queue_consumer_attach(q, own, peer, capacity, prefix##_words);                 \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q) && sddf_producer_ok(*q) && sddf_producer_slots(*q, queue_words);        \
      @ assigns q->head, q->tail;                                                                  \
      @ ensures sddf_producer_ok(*q);                                                              \
      @ ensures room: \old(sddf_producer_space(*q)) > 0 ==> \result && q->head == \old(q->head);   \
      @ ensures put: \result ==> q->tail == (uint32_t)(\old(q->tail) + 1);                         \
      @ ensures full: !\result ==> q->tail == \old(q->tail) && sddf_producer_space(*q) == 0;       \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline bool prefix##_enqueue(struct sddf_queue_producer *q,           \
                                                          type entry)                              \
    {                                                                                              \
        const uint32_t tail = q->tail;                                                             \
        if (tail - q->head >= q->capacity && sddf_queue_producer_refresh(q) == 0) {                \
            return false;                                                                          \
        }                                                                                          \
        const size_t place = sddf_raw_wrap(tail, q->mask);                                         \
        prefix##_store(&q->own->entries[place * prefix##_words], &entry);                          \
        q->tail = tail + 1;                                                                        \
        return true;                                                                               \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid_read(q) && sddf_producer_ok(*q);                                           \
      @ requires sddf_producer_slots(*q, queue_words);                                             \
      @ requires room: i < sddf_producer_space(*q);                                                \
      @ assigns \nothing;                                                                          \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline void prefix##_set(const struct sddf_queue_producer *q,         \
                                                      uint32_t i, type entry)                      \
    {                                                                                              \
        const size_t place = sddf_raw_wrap(q->tail + i, q->mask);                                  \
        prefix##_store(&q->own->entries[place * prefix##_words], &entry);                          \
    }                                                                                              \
                                                                                                   \
    /* Slots and entries that follow each other in memory. */                                      \
    /*@ requires n <= SDDF_QUEUE_CAPACITY_MAX;                                                     \
      @ requires \valid(slots + (0 .. n * queue_words - 1));                                       \
      @ requires \valid_read(entries + (0 .. n - 1));                                              \
      @ assigns \nothing;                                                                          \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline void prefix##_store_run(sddf_atomic_u64 *slots,                \
                                                            const type *entries, uint32_t n)       \
    {                                                                                              \
        /*@ loop invariant 0 <= i <= n;                                                            \
          @ loop assigns i;                                                                        \
          @ loop variant n - i;                                                                    \
          @*/                                                                                      \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            prefix##_store(&slots[(size_t)i * prefix##_words], &entries[i]);                       \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q) && sddf_producer_ok(*q) && sddf_producer_slots(*q, queue_words);        \
      @ requires \valid_read(entries + (0 .. n - 1));                                              \
      @ assigns q->head, q->tail;                                                                  \
      @ ensures sddf_producer_ok(*q);                                                              \
      @ ensures \result <= n;                                                                      \
      @ ensures room: \old(sddf_producer_space(*q)) >= n ==> \result == n;                         \
      @ ensures put: q->tail == (uint32_t)(\old(q->tail) + \result);                               \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline uint32_t prefix##_enqueue_batch(                               \
        struct sddf_queue_producer *q, const type *entries, uint32_t n)                            \
    {                                                                                              \
        const uint32_t space = sddf_queue_space(q, n);                                             \
        const uint32_t count = n < space ? n : space;                                              \
        const uint32_t tail = q->tail;                                                             \
        const size_t place = sddf_raw_wrap(tail, q->mask);                                         \
        /* In two runs at most: to the end of the array, and on from its start. */                 \
        const uint32_t to_end = q->capacity - (uint32_t)place;                                     \
        const uint32_t first = count < to_end ? count : to_end;                                    \
        prefix##_store_run(&q->own->entries[place * prefix##_words], entries, first);              \
        if (first < count) {                                                                       \
            prefix##_store_run(&q->own->entries[0], entries + first, count - first);               \
        }                                                                                          \
        q->tail = tail + count;                                                                    \
        return count;                                                                              \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q) && sddf_consumer_ok(*q) && sddf_consumer_slots(*q, queue_words);        \
      @ requires \valid(entry) && \separated(q, entry);                                            \
      @ assigns q->tail, *entry;                                                                   \
      @ ensures sddf_consumer_ok(*q);                                                              \
      @ ensures \result <==> sddf_consumer_count(*q) > 0;                                          \
      @ ensures known: \old(sddf_consumer_count(*q)) != 0 ==> q->tail == \old(q->tail);            \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline bool prefix##_peek(struct sddf_queue_consumer *q, type *entry) \
    {                                                                                              \
        if (sddf_queue_available(q) == 0) {                                                        \
            return false;                                                                          \
        }                                                                                          \
        const size_t place = sddf_raw_wrap(q->head, q->mask);                                      \
        prefix##_load(&q->peer->entries[place * prefix##_words], entry);                           \
        return true;                                                                               \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q) && sddf_consumer_ok(*q) && sddf_consumer_slots(*q, queue_words);        \
      @ requires \valid(entry) && \separated(q, entry);                                            \
      @ assigns q->tail, q->head, *entry;                                                          \
      @ ensures sddf_consumer_ok(*q);                                                              \
      @ ensures there: \old(sddf_consumer_count(*q)) > 0 ==>                                       \
      @     \result && q->tail == \old(q->tail);                                                   \
      @ ensures taken: \result ==> q->head == (uint32_t)(\old(q->head) + 1);                       \
      @ ensures empty: !\result ==> q->head == \old(q->head) && sddf_consumer_count(*q) == 0;      \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline bool prefix##_dequeue(struct sddf_queue_consumer *q,           \
                                                          type *entry)                             \
    {                                                                                              \
        if (!prefix##_peek(q, entry)) {                                                            \
            return false;                                                                          \
        }                                                                                          \
        q->head++;                                                                                 \
        return true;                                                                               \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid_read(q) && sddf_consumer_ok(*q);                                           \
      @ requires sddf_consumer_slots(*q, queue_words);                                             \
      @ requires \valid(entry) && \separated(q, entry);                                            \
      @ requires there: i < sddf_consumer_count(*q);                                               \
      @ assigns *entry;                                                                            \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline void prefix##_get(const struct sddf_queue_consumer *q,         \
                                                      uint32_t i, type *entry)                     \
    {                                                                                              \
        const size_t place = sddf_raw_wrap(q->head + i, q->mask);                                  \
        prefix##_load(&q->peer->entries[place * prefix##_words], entry);                           \
    }                                                                                              \
    /*@ requires n <= SDDF_QUEUE_CAPACITY_MAX;                                                     \
      @ requires \valid_read(slots + (0 .. n * queue_words - 1));                                  \
      @ requires \valid(entries + (0 .. n - 1));                                                   \
      @ assigns entries[0 .. n - 1];                                                               \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline void prefix##_load_run(const sddf_atomic_u64 *slots,           \
                                                           type *entries, uint32_t n)              \
    {                                                                                              \
        /*@ loop invariant 0 <= i <= n;                                                            \
          @ loop assigns i, entries[0 .. n - 1];                                                   \
          @ loop variant n - i;                                                                    \
          @*/                                                                                      \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            prefix##_load(&slots[(size_t)i * prefix##_words], &entries[i]);                        \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    /*@ requires \valid(q) && sddf_consumer_ok(*q) && sddf_consumer_slots(*q, queue_words);        \
      @ requires \valid(entries + (0 .. n - 1)) && \separated(q, entries + (0 .. n - 1));          \
      @ assigns q->tail, q->head, entries[0 .. n - 1];                                             \
      @ ensures sddf_consumer_ok(*q);                                                              \
      @ ensures \result <= n;                                                                      \
      @ ensures there: \old(sddf_consumer_count(*q)) >= n > 0 ==>                                  \
      @     \result == n && q->tail == \old(q->tail);                                              \
      @ ensures taken: q->head == (uint32_t)(\old(q->head) + \result);                             \
      @*/                                                                                          \
    SDDF_QUEUE_UNUSED static inline uint32_t prefix##_dequeue_batch(struct sddf_queue_consumer *q, \
                                                                    type *entries, uint32_t n)     \
    {                                                                                              \
        const uint32_t available = sddf_queue_available(q);                                        \
        const uint32_t count = n < available ? n : available;                                      \
        const uint32_t head = q->head;                                                             \
        const size_t place = sddf_raw_wrap(head, q->mask);                                         \
        const uint32_t to_end = q->capacity - (uint32_t)place;                                     \
        const uint32_t first = count < to_end ? count : to_end;                                    \
        prefix##_load_run(&q->peer->entries[place * prefix##_words], entries, first);              \
        if (first < count) {                                                                       \
            prefix##_load_run(&q->peer->entries[0], entries + first, count - first);               \
        }                                                                                          \
        q->head = head + count;                                                                    \
        return count;                                                                              \
    }                                                                                              \
    _Static_assert(sizeof(type) > 0, "takes the semicolon")
