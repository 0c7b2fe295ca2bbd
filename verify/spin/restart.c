/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenario: a producer and a consumer on one queue, each of which dies at any moment and attaches
 * again. What include/sddf/queue.h promises of that: the queue goes on where the shared indices
 * say, nothing that was published is lost, no wake-up is, and the other side sees the new epoch.
 */
#include "verify/spin/stubs.h"

#include <stddef.h>

static void producer_init(void);
static void producer_notified(unsigned channel);
static void consumer_init(void);
static void consumer_notified(unsigned channel);

enum { PRODUCER, CONSUMER };

const struct world_pd scenario_pd[] = {
    [PRODUCER] = {"producer",
                  producer_init,
                  producer_notified,
                  {{CONSUMER, 0}},
                  .restarts = 1,
                  .device = true},
    [CONSUMER] = {"consumer", consumer_init, consumer_notified, {{PRODUCER, 0}}, .restarts = 1},
};
const unsigned scenario_pds = 2;
const unsigned scenario_stops = WORLD_ALL;

/* Entries carry the index at which they are published; there is room for all of them. */
enum { CAPACITY = 4, ENTRIES = 3 };

static struct {
    struct net_pair_config pair;
    struct sddf_queue_producer out;
    struct sddf_queue_consumer in;
    /* Each side's: how often it has attached; the other's epoch then, and how many new ones since.
     */
    struct {
        uint32_t attached, before, heard;
    } producer, consumer;
    unsigned got;  /* a bit per entry */
    uint32_t next; /* the index that comes next */
} state STUB_STATE;

static void say(void)
{
    if (sddf_queue_needs_signal(&state.out)) {
        microkit_notify(0);
    }
}

static void producer_init(void)
{
    const struct sddf_queue_config *queue = &state.pair.active;
    net_queue_producer_attach(&state.out, (void *)(uintptr_t)queue->producer,
                              (const void *)(uintptr_t)queue->consumer, queue->capacity);
    state.producer.attached++;
    state.producer.before = state.out.peer_epoch;
    state.producer.heard = 0;
    say(); /* it may have died before it did */
    world_interrupt(PRODUCER, 0);
}

/* Publishes one, then two, and says so each time, if the consumer wants to hear of it. */
static void producer_notified(unsigned channel)
{
    (void)channel;
    while (state.out.tail < ENTRIES) {
        for (unsigned n = state.out.tail == 1 ? 2 : 1; n > 0; n--) {
            net_queue_enqueue(&state.out, (struct net_entry){.address = state.out.tail});
        }
        sddf_queue_publish(&state.out);
        say();
        state.producer.heard += sddf_queue_consumer_restarted(&state.out);
    }
}

static void take(void)
{
    struct net_entry entry;
    while (net_queue_dequeue(&state.in, &entry)) {
        if (entry.address != state.next) {
            world_fail("an entry is not the next one");
        }
        state.got |= 1u << entry.address;
        state.next++;
    }
}

static void consumer_notified(unsigned channel)
{
    (void)channel;
    do {
        state.consumer.heard += sddf_queue_producer_restarted(&state.in);
        take();
    } while (!sddf_queue_request_signal(&state.in));
}

static void consumer_init(void)
{
    const struct sddf_queue_config *queue = &state.pair.active;
    net_queue_consumer_attach(&state.in, (void *)(uintptr_t)queue->consumer,
                              (const void *)(uintptr_t)queue->producer, queue->capacity);
    state.consumer.attached++;
    state.consumer.before = state.in.peer_epoch;
    state.consumer.heard = 0;
    if (state.in.head > state.next) {
        world_fail("an entry is passed over");
    }
    state.next = state.in.head; /* what was not released is there again */
    consumer_notified(0);
}

void scenario_start(void)
{
    state.pair = stub_pair(1, CAPACITY, 0);
    stub_join(&state.pair, PRODUCER, 0, CONSUMER, 0);
}

/* Asked once more, has it heard that the other has started since, and no more often than it has? */
static bool heard(uint32_t before, uint32_t now, uint32_t times)
{
    return before == 0 ? times <= now : times <= now - before && (times != 0 || now == before);
}

const char *scenario_settled(void)
{
    if (stub_waiting(&state.pair.active) != 0 || state.got != (1u << ENTRIES) - 1) {
        return "entries lie in the queue, and the consumer sleeps";
    }
    const bool consumer_is_new = sddf_queue_consumer_restarted(&state.out);
    const bool producer_is_new = sddf_queue_producer_restarted(&state.in);
    if (state.out.peer_epoch < state.consumer.attached ||
        state.in.peer_epoch < state.producer.attached ||
        !heard(state.producer.before, state.out.peer_epoch,
               state.producer.heard + consumer_is_new) ||
        !heard(state.consumer.before, state.in.peer_epoch,
               state.consumer.heard + producer_is_new)) {
        return "a side has not heard that the other has started again, or more often than it has";
    }
    return NULL;
}

bool scenario_served(unsigned client)
{
    (void)client;
    return stub_waiting(&state.pair.active) == 0 && state.got == (1u << ENTRIES) - 1;
}
