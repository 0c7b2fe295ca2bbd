/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two queues in a ring, as every class uses them, between two threads and between two processes:
 * a client sends buffers through `active`, a server gives them back through `free`. Both sleep when
 * they have nothing to do, and are woken only if the queue says so: a wake-up that is lost leaves a
 * side asleep, which its watchdog reports. What is in the buffers is read and written by plain
 * accesses, so that ThreadSanitizer sees whether handing over an entry hands over its buffer.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guarded_queue.h"
#include "sddf/queue.h"

struct message {
    uint64_t sequence;
    uint64_t buffer;
};

SDDF_QUEUE_TYPE(message_queue, struct message);

enum { LONGEST = 48, WATCHDOG_MS = 20000 };

struct ring {
    struct guarded_queue active;
    struct guarded_queue free;
    uint64_t *buffers; /* one word each, `capacity` of them, shared */
    uint32_t capacity;
    uint64_t total;
    int client_bell;
    int server_bell;
};

/* What one side did, for the account at the end. */
struct tally {
    const char *wrong; /* what went wrong, or NULL */
    uint64_t requests; /* for a signal */
    uint64_t sleeps;
    uint64_t signals; /* to the other side */
};

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static uint64_t content_of(uint64_t sequence)
{
    return sequence * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void ring_bell(int bell, struct tally *tally)
{
    uint64_t one = 1;
    if (write(bell, &one, sizeof(one)) != sizeof(one)) {
        tally->wrong = "cannot ring the bell";
    }
    tally->signals++;
}

/* Sleeps until the bell has been rung. */
static void wait_for_bell(int bell, struct tally *tally)
{
    struct pollfd poll_bell = {.fd = bell, .events = POLLIN};
    uint64_t count;
    int ready;
    do {
        ready = poll(&poll_bell, 1, WATCHDOG_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready != 1 || read(bell, &count, sizeof(count)) != sizeof(count)) {
        tally->wrong = "a wake-up was lost";
    }
    tally->sleeps++;
}

/* Asks for a signal, and sleeps until it comes if there is truly nothing to take. */
static void wait_for_entries(struct sddf_queue_consumer *queue, int bell, struct tally *tally)
{
    tally->requests++;
    if (sddf_queue_request_signal(queue)) {
        wait_for_bell(bell, tally);
    }
}

static void publish_and_signal(struct sddf_queue_producer *queue, int bell, struct tally *tally)
{
    sddf_queue_publish(queue);
    if (sddf_queue_needs_signal(queue)) {
        ring_bell(bell, tally);
    }
}

static void client_run(struct ring *ring, struct tally *tally)
{
    struct sddf_queue_producer active;
    struct sddf_queue_consumer free;
    uint64_t random = 1, sent = 0, returned = 0;
    struct message messages[LONGEST];

    if (!message_queue_producer_attach(&active, ring->active.producer, ring->active.consumer_ro,
                                       ring->capacity) ||
        !message_queue_consumer_attach(&free, ring->free.consumer, ring->free.producer_ro,
                                       ring->capacity)) {
        tally->wrong = "the client cannot attach";
    }
    while (returned < ring->total && !tally->wrong) {
        uint32_t got =
            message_queue_dequeue_batch(&free, messages, 1 + next_random(&random) % LONGEST);
        for (uint32_t i = 0; i < got; i++, returned++) {
            if (messages[i].sequence != returned ||
                messages[i].buffer != returned % ring->capacity ||
                ring->buffers[messages[i].buffer] != ~content_of(returned)) {
                tally->wrong = "the client got what the server did not send";
            }
        }
        sddf_queue_release(&free);

        uint32_t put = 0, want = next_random(&random) % (LONGEST + 1);
        while (put < want && sent < ring->total && sent - returned < ring->capacity) {
            uint64_t buffer = sent % ring->capacity;
            ring->buffers[buffer] = content_of(sent);
            messages[put++] = (struct message){sent++, buffer};
        }
        if (message_queue_enqueue_batch(&active, messages, put) != put) {
            tally->wrong = "a queue is full that has room for every buffer";
        }
        if (next_random(&random) % 2) {
            sddf_queue_publish(&active); /* publishing twice and asking once is allowed */
        }
        publish_and_signal(&active, ring->server_bell, tally);

        bool can_send = sent < ring->total && sent - returned < ring->capacity;
        if (got == 0 && !can_send && returned < ring->total) {
            wait_for_entries(&free, ring->client_bell, tally);
        }
    }
}

static void server_run(struct ring *ring, struct tally *tally)
{
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free;
    uint64_t random = 2, served = 0;
    struct message messages[LONGEST];

    if (!message_queue_consumer_attach(&active, ring->active.consumer, ring->active.producer_ro,
                                       ring->capacity) ||
        !message_queue_producer_attach(&free, ring->free.producer, ring->free.consumer_ro,
                                       ring->capacity)) {
        tally->wrong = "the server cannot attach";
    }
    while (served < ring->total && !tally->wrong) {
        uint32_t got =
            message_queue_dequeue_batch(&active, messages, 1 + next_random(&random) % LONGEST);
        for (uint32_t i = 0; i < got; i++, served++) {
            if (messages[i].sequence != served || messages[i].buffer != served % ring->capacity ||
                ring->buffers[messages[i].buffer] != content_of(served)) {
                tally->wrong = "the server got what the client did not send";
                return;
            }
            ring->buffers[messages[i].buffer] = ~content_of(served);
        }
        sddf_queue_release(&active);
        if (message_queue_enqueue_batch(&free, messages, got) != got) {
            tally->wrong = "a queue is full that has room for every buffer";
        }
        publish_and_signal(&free, ring->client_bell, tally);
        if (next_random(&random) % 1024 == 0) {
            sched_yield(); /* lets the client find this side slow now and then */
        }
        if (got == 0) {
            wait_for_entries(&active, ring->server_bell, tally);
        }
    }
}

/* ---- the two ways of running them ------------------------------------------------------------ */

static void ring_make(struct ring *ring, uint32_t capacity, uint64_t total)
{
    *ring = (struct ring){.capacity = capacity, .total = total};
    guarded_queue_make(&ring->active, capacity, message_queue_words, GUARDED_AT_START);
    guarded_queue_make(&ring->free, capacity, message_queue_words, GUARDED_AT_START);
    /* The indices wrap on the way. */
    guarded_queue_start_at(&ring->active, UINT32_MAX - (uint32_t)(total / 2));
    guarded_queue_start_at(&ring->free, UINT32_MAX - (uint32_t)(total / 3));
    ring->buffers = mmap(NULL, capacity * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ring->buffers != MAP_FAILED);
    ring->client_bell = eventfd(0, EFD_CLOEXEC);
    ring->server_bell = eventfd(0, EFD_CLOEXEC);
    assert_true(ring->client_bell >= 0 && ring->server_bell >= 0);
}

static void ring_unmake(struct ring *ring)
{
    close(ring->client_bell);
    close(ring->server_bell);
    munmap(ring->buffers, ring->capacity * sizeof(uint64_t));
    guarded_queue_check(&ring->active);
    guarded_queue_check(&ring->free);
    guarded_queue_unmake(&ring->active);
    guarded_queue_unmake(&ring->free);
}

static void check_account(const struct ring *ring, const struct tally *client,
                          const struct tally *server)
{
    printf("# capacity %u, %llu buffers: client %llu requests, %llu sleeps, %llu signals; "
           "server %llu requests, %llu sleeps, %llu signals\n",
           (unsigned)ring->capacity, (unsigned long long)ring->total,
           (unsigned long long)client->requests, (unsigned long long)client->sleeps,
           (unsigned long long)client->signals, (unsigned long long)server->requests,
           (unsigned long long)server->sleeps, (unsigned long long)server->signals);
    if (client->wrong || server->wrong) {
        fail_msg("%s", client->wrong ? client->wrong : server->wrong);
    }
    /* Nobody is signalled who did not ask; the index to start with counts as asking once. */
    assert_in_range(client->signals, 1, server->requests + 1);
    assert_in_range(server->signals, 1, client->requests + 1);
    /* Every sleep was ended by a signal of its own. */
    assert_in_range(client->sleeps, 0, server->signals);
    assert_in_range(server->sleeps, 0, client->signals);
}

struct server_thread {
    struct ring *ring;
    struct tally tally;
};

static void *server_thread_run(void *argument)
{
    struct server_thread *server = argument;
    server_run(server->ring, &server->tally);
    return NULL;
}

/* ThreadSanitizer knows a word by its address: a store seen through another mapping it misses. */
static void see_one_another_at_one_address(struct guarded_queue *queue)
{
    queue->producer_ro = queue->producer;
    queue->consumer_ro = queue->consumer;
}

static void between_threads(uint32_t capacity, uint64_t total)
{
    struct ring ring;
    struct tally client = {0};
    struct server_thread server = {.ring = &ring};
    pthread_t thread;
    ring_make(&ring, capacity, total);
    see_one_another_at_one_address(&ring.active);
    see_one_another_at_one_address(&ring.free);
    assert_int_equal(pthread_create(&thread, NULL, server_thread_run, &server), 0);
    client_run(&ring, &client);
    assert_int_equal(pthread_join(thread, NULL), 0);
    check_account(&ring, &client, &server.tally);
    ring_unmake(&ring);
}

/* Runs one side in a process of its own, which keeps only the mappings that this side may have. */
static pid_t start_process(struct ring *ring, struct tally *tally, bool is_client)
{
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (is_client) {
            guarded_queue_keep_producer(&ring->active);
            guarded_queue_keep_consumer(&ring->free);
            client_run(ring, tally);
        } else {
            guarded_queue_keep_consumer(&ring->active);
            guarded_queue_keep_producer(&ring->free);
            server_run(ring, tally);
        }
        _exit(0);
    }
    return child;
}

static void between_processes(uint32_t capacity, uint64_t total)
{
    struct ring ring;
    ring_make(&ring, capacity, total);
    struct tally *tallies =
        mmap(NULL, 2 * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tallies != MAP_FAILED);
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = start_process(&ring, &tallies[i], i == 0);
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    check_account(&ring, &tallies[0], &tallies[1]);
    munmap(tallies, 2 * sizeof(*tallies));
    ring_unmake(&ring);
}

static void test_threads_capacity_1(void **state)
{
    (void)state;
    between_threads(1, 4000);
}

static void test_threads_capacity_8(void **state)
{
    (void)state;
    between_threads(8, 40000);
}

static void test_threads_capacity_256(void **state)
{
    (void)state;
    between_threads(256, 1000000);
}

static void test_processes_capacity_1(void **state)
{
    (void)state;
    between_processes(1, 4000);
}

static void test_processes_capacity_8(void **state)
{
    (void)state;
    between_processes(8, 40000);
}

static void test_processes_capacity_256(void **state)
{
    (void)state;
    between_processes(256, 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_capacity_1),   cmocka_unit_test(test_threads_capacity_8),
        cmocka_unit_test(test_threads_capacity_256), cmocka_unit_test(test_processes_capacity_1),
        cmocka_unit_test(test_processes_capacity_8), cmocka_unit_test(test_processes_capacity_256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
