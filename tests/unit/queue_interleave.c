/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signal protocol in every interleaving: queue.h itself, run by two threads of a model that
 * stops them at each access to tail or mark and tries every order in which they can go on. Stores
 * wait in a buffer of their core until some later moment, and every such moment is tried too, as
 * total store order allows it; a fence waits until its core's buffer is empty. A wake-up is lost
 * when the consumer sleeps, the producer is done, and entries are left. That the model can see it
 * is shown by leaving out the fences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "sddf/queue.h"

struct word {
    uint64_t value;
};

SDDF_QUEUE_TYPE(word_queue, struct word);

enum { CAPACITY = 4, BUFFER = 8, STEPS_MAX = 200, STACK = 64 * 1024 };

/* ---- two cores and their store buffers ------------------------------------------------------- */

enum state { RUNNING, AT_FENCE, ASLEEP, DONE };

struct core {
    ucontext_t context;
    char stack[STACK];
    enum state state;
    struct {
        sddf_atomic_u32 *word;
        uint32_t value;
    } buffer[BUFFER];
    int buffered;
};

static struct core cores[2];
static struct core *running; /* NULL while the test itself sets up the queue */
static ucontext_t scheduler;
static bool with_buffers;
static bool with_fences;

static struct sddf_queue_producer producer;
static struct sddf_queue_consumer consumer;
static SDDF_ALIGNED(64) unsigned char producer_memory[1024];
static SDDF_ALIGNED(64) unsigned char consumer_memory[1024];
static bool signalled;
static uint64_t received;
static bool wrong_entry;

static void stop(enum state state)
{
    struct core *core = running;
    core->state = state;
    swapcontext(&core->context, &scheduler);
}

/* The head takes no part in signals. Not stopping there keeps the orders few enough to try all. */
static bool modelled(const sddf_atomic_u32 *word)
{
    return running && word != &consumer.own->head;
}

uint32_t model_load(const sddf_atomic_u32 *word)
{
    if (!modelled(word)) {
        return word->value;
    }
    stop(RUNNING);
    for (int i = running->buffered - 1; i >= 0; i--) {
        if (running->buffer[i].word == word) {
            return running->buffer[i].value; /* a core sees its own stores */
        }
    }
    return word->value;
}

void model_store(sddf_atomic_u32 *word, uint32_t value)
{
    if (!modelled(word)) {
        word->value = value;
        return;
    }
    stop(RUNNING);
    if (with_buffers) {
        assert_in_range(running->buffered, 0, BUFFER - 1);
        running->buffer[running->buffered].word = word;
        running->buffer[running->buffered].value = value;
        running->buffered++;
    } else {
        word->value = value;
    }
}

void model_fence(void)
{
    if (running && with_fences) {
        stop(AT_FENCE);
    }
}

static void drain_one(struct core *core)
{
    core->buffer[0].word->value = core->buffer[0].value;
    core->buffered--;
    memmove(&core->buffer[0], &core->buffer[1], (size_t)core->buffered * sizeof(core->buffer[0]));
}

/* ---- what the two threads do ----------------------------------------------------------------- */

struct script {
    const char *sends; /* e: enqueue, p: publish, s: signal if needed */
    uint64_t entries;
};

static const struct script *script;

static void producer_thread(void)
{
    uint64_t next = 0;
    for (const char *step = script->sends; *step; step++) {
        if (*step == 'e') {
            word_queue_enqueue(&producer, (struct word){next++});
        } else if (*step == 'p') {
            sddf_queue_publish(&producer);
        } else if (sddf_queue_needs_signal(&producer)) {
            signalled = true;
        }
    }
    stop(DONE);
}

static void consumer_thread(void)
{
    while (received < script->entries) {
        struct word entry;
        while (word_queue_dequeue(&consumer, &entry)) {
            wrong_entry |= entry.value != received++;
        }
        if (received < script->entries && sddf_queue_request_signal(&consumer)) {
            stop(ASLEEP);
            signalled = false;
        }
    }
    stop(DONE);
}

/* ---- every order in turn --------------------------------------------------------------------- */

struct choices {
    unsigned char taken[STEPS_MAX];
    unsigned char possible[STEPS_MAX];
    int length;
};

static bool can_run(const struct core *core)
{
    switch (core->state) {
    case RUNNING:
        return true;
    case AT_FENCE:
        return core->buffered == 0;
    case ASLEEP:
        return signalled;
    default:
        return false;
    }
}

static void core_start(struct core *core, void (*thread)(void))
{
    core->state = RUNNING;
    core->buffered = 0;
    getcontext(&core->context);
    core->context.uc_stack.ss_sp = core->stack;
    core->context.uc_stack.ss_size = STACK;
    core->context.uc_link = NULL;
    makecontext(&core->context, thread, 0);
}

static void start(void)
{
    memset(producer_memory, 0, sizeof(producer_memory));
    memset(consumer_memory, 0, sizeof(consumer_memory));
    running = NULL;
    signalled = false;
    received = 0;
    wrong_entry = false;
    assert_true(word_queue_producer_attach(&producer, (void *)producer_memory,
                                           (void *)consumer_memory, CAPACITY));
    assert_true(word_queue_consumer_attach(&consumer, (void *)consumer_memory,
                                           (void *)producer_memory, CAPACITY));
    core_start(&cores[0], producer_thread);
    core_start(&cores[1], consumer_thread);
}

/* Runs once, by the choices made before as far as they go. True if all ended well. */
static bool run_once(struct choices *choices)
{
    start();
    for (int step = 0;; step++) {
        /* What may come next: each core's next step, and each core's oldest buffered store. */
        int actions[4], n = 0;
        for (int i = 0; i < 2; i++) {
            if (can_run(&cores[i])) {
                actions[n++] = i;
            }
            if (cores[i].buffered > 0) {
                actions[n++] = 2 + i;
            }
        }
        if (n == 0) {
            choices->length = step;
            return cores[0].state == DONE && cores[1].state == DONE && !wrong_entry;
        }
        assert_in_range(step, 0, STEPS_MAX - 1);
        if (step >= choices->length) {
            choices->taken[step] = 0;
            choices->length = step + 1;
        }
        choices->possible[step] = (unsigned char)n;
        int action = actions[choices->taken[step]];
        if (action >= 2) {
            drain_one(&cores[action - 2]);
        } else {
            running = &cores[action];
            swapcontext(&scheduler, &running->context);
            running = NULL;
        }
    }
}

/* Sets up the next order to try: the last choice that had another possibility takes it. */
static bool next_order(struct choices *choices)
{
    while (choices->length > 0) {
        int last = choices->length - 1;
        if (choices->taken[last] + 1 < choices->possible[last]) {
            choices->taken[last]++;
            return true;
        }
        choices->length--;
    }
    return false;
}

/* How many of all orders end badly. */
static unsigned long try_all(const struct script *the_script, bool buffers, bool fences)
{
    struct choices choices = {.length = 0};
    unsigned long orders = 0, bad = 0;
    script = the_script;
    with_buffers = buffers;
    with_fences = fences;
    do {
        bad += !run_once(&choices);
        orders++;
    } while (next_order(&choices));
    printf("# %s: %lu orders, %lu bad\n", script->sends, orders, bad);
    assert_true(orders > 100);
    return bad;
}

static const struct script one_entry = {"eps", 1};
static const struct script one_batch = {"eeps", 2};
static const struct script asked_once = {"epeps", 2};
static const struct script two_entries = {"epseps", 2};

/* Without store buffers: every order of the accesses themselves. */
static void test_in_order(void **state)
{
    (void)state;
    assert_int_equal(try_all(&one_entry, false, true), 0);
    assert_int_equal(try_all(&one_batch, false, true), 0);
    assert_int_equal(try_all(&asked_once, false, true), 0);
    assert_int_equal(try_all(&two_entries, false, true), 0);
}

static void test_with_store_buffers(void **state)
{
    (void)state;
    assert_int_equal(try_all(&one_entry, true, true), 0);
    assert_int_equal(try_all(&one_batch, true, true), 0);
    assert_int_equal(try_all(&asked_once, true, true), 0);
}

/* Without the fences a wake-up is lost, and the model sees it. */
static void test_fences_are_needed(void **state)
{
    (void)state;
    assert_true(try_all(&one_entry, true, false) > 0);
}

/* A producer that does not ask after publishing: what the protocol rules out is seen as well. */
static void test_asking_is_needed(void **state)
{
    (void)state;
    static const struct script never_asked = {"epsep", 2};
    assert_true(try_all(&never_asked, false, true) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_with_store_buffers),
        cmocka_unit_test(test_fences_are_needed),
        cmocka_unit_test(test_asking_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
