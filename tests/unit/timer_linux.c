/* SPDX-License-Identifier: BSD-2-Clause */
/* The timerfd driver against a clock and a timer that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/syscall.h>
#include <time.h>

#include <microkit.h>
#include <microkit_linux.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

enum { IRQ = 5, ALICE = 1, BOB = 40, STRANGER = 9 };

extern struct timer_driver_config sddf_timer_config;

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "timer0_driver";

static uint64_t now;
static uint64_t armed; /* the timer's time, 0: off */
static unsigned settings, acks, complaints;
static unsigned signals[MICROKIT_MAX_CHANNELS];
static seL4_Word registers[4];

uint64_t sddf_clock_now(void)
{
    return now;
}

void microkit_notify(microkit_channel ch)
{
    assert_true(ch < MICROKIT_MAX_CHANNELS);
    signals[ch]++;
}

void microkit_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    acks++;
}

void microkit_dbg_puts(const char *s)
{
    complaints += strstr(s, "does not match") != NULL;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return registers[mr];
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == IRQ ? 3 : -1;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    assert_true(number == SYS_timerfd_settime && a == 3 && b == 0 && d == 0 && e == 0 && f == 0);
    struct itimerspec timer;
    memcpy(&timer, (const void *)c, sizeof(timer));
    assert_true(timer.it_interval.tv_sec == 0 && timer.it_interval.tv_nsec == 0);
    assert_true(timer.it_value.tv_nsec >= 0 && timer.it_value.tv_nsec < 1000000000);
    uint64_t ahead = (uint64_t)timer.it_value.tv_sec * SDDF_NS_PER_S;
    ahead += (uint64_t)timer.it_value.tv_nsec;
    armed = ahead == 0 ? 0 : now + ahead;
    settings++;
    return 0;
}

static unsigned taken(microkit_channel ch)
{
    unsigned n = signals[ch];
    signals[ch] = 0;
    return n;
}

static seL4_Word call(microkit_channel ch, seL4_Word label, seL4_Uint16 words, seL4_Word id,
                      seL4_Word deadline, seL4_Word period)
{
    registers[0] = id;
    registers[1] = deadline;
    registers[2] = period;
    microkit_msginfo answer = protected(ch, microkit_msginfo_new(label, words));
    assert_int_equal(microkit_msginfo_get_count(answer), 0);
    return microkit_msginfo_get_label(answer);
}

static void configure(void)
{
    memset(&sddf_timer_config, 0, sizeof(sddf_timer_config));
    sddf_timer_config.header = (struct sddf_config_header){.magic = SDDF_CONFIG_MAGIC,
                                                           .version = SDDF_CONFIG_VERSION,
                                                           .role = SDDF_ROLE_TIMER_DRIVER,
                                                           .size = sizeof(sddf_timer_config)};
    sddf_timer_config.device.irq_count = 1;
    sddf_timer_config.device.irq[0] = IRQ;
    sddf_timer_config.client_count = 2;
    sddf_timer_config.client[0] = ALICE;
    sddf_timer_config.client[1] = BOB;
    memset(signals, 0, sizeof(signals));
    now = 1000000;
    armed = settings = acks = complaints = 0;
}

static int start(void **state)
{
    (void)state;
    configure();
    init();
    settings = 0;
    return 0;
}

static void wrong_configuration_stays_stopped(void **state)
{
    (void)state;
    configure();
    sddf_timer_config.header.role = SDDF_ROLE_TIMER_CLIENT;
    init();
    assert_int_equal(complaints, 1);
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, 0, 0, 0), TIMER_BAD_CALL);
    notified(IRQ);
    assert_true(acks == 0 && settings == 0 && taken(ALICE) == 0);
}

static void calls_are_checked(void **state)
{
    (void)state;
    assert_int_equal(call(STRANGER, TIMER_CALL_SET, 3, 0, 0, 0), TIMER_BAD_CALL);
    assert_int_equal(call(1000, TIMER_CALL_SET, 3, 0, 0, 0), TIMER_BAD_CALL);
    assert_int_equal(call(ALICE, 77, 3, 0, 0, 0), TIMER_BAD_CALL);
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 2, 0, 0, 0), TIMER_BAD_CALL);
    assert_int_equal(call(ALICE, TIMER_CALL_CANCEL, 0, 0, 0, 0), TIMER_BAD_CALL);
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, TIMER_IDS, 0, 0), TIMER_BAD_ID);
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, UINT64_MAX, 0, 0), TIMER_BAD_ID);
    assert_int_equal(call(ALICE, TIMER_CALL_CANCEL, 1, TIMER_IDS, 0, 0), TIMER_BAD_ID);
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, 0, 0, TIMER_PERIOD_MIN - 1), TIMER_BAD_PERIOD);
    assert_int_equal(call(ALICE, TIMER_CALL_CANCEL, 1, 0, 0, 0), TIMER_OK);
    assert_true(settings == 0 && taken(ALICE) == 0);
}

static void fires_at_its_time_and_not_before(void **state)
{
    (void)state;
    assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, 2, now + 5000000000, 0), TIMER_OK);
    uint64_t deadline = now + 5000000000;
    assert_true(armed == deadline);
    now = deadline - 7; /* the kernel's clock was ahead of ours */
    notified(IRQ);
    assert_true(taken(ALICE) == 0 && armed == deadline);
    now = deadline;
    notified(IRQ);
    assert_true(taken(ALICE) == 1 && taken(BOB) == 0 && armed == 0);
    assert_int_equal(acks, 3);
}

static void the_earliest_counts(void **state)
{
    (void)state;
    call(ALICE, TIMER_CALL_SET, 3, 0, now + 1000, 0);
    call(BOB, TIMER_CALL_SET, 3, 0, now + 2000, 0);
    call(BOB, TIMER_CALL_SET, 3, 1, now + 500, 0);
    assert_true(armed == now + 500 && settings == 2);
    call(BOB, TIMER_CALL_CANCEL, 1, 1, 0, 0); /* goes off for nothing, once */
    assert_int_equal(settings, 2);
    now += 500;
    notified(IRQ);
    assert_true(taken(ALICE) + taken(BOB) == 0 && armed == now + 500);
    now += 5000;
    notified(IRQ);
    assert_true(taken(ALICE) == 1 && taken(BOB) == 1 && armed == 0);
}

static void the_past_is_due_at_once(void **state)
{
    (void)state;
    assert_int_equal(call(BOB, TIMER_CALL_SET, 3, 0, 3, 0), TIMER_OK);
    assert_int_equal(taken(BOB), 1);
    assert_true(armed == 0);
    assert_int_equal(call(BOB, TIMER_CALL_SET, 3, 0, UINT64_MAX, 0), TIMER_OK); /* never */
    assert_true(taken(BOB) == 0 && armed == 0);
}

static void periods_do_not_drift(void **state)
{
    (void)state;
    uint64_t first = now + 300000;
    call(ALICE, TIMER_CALL_SET, 3, 0, first, 300000);
    for (unsigned i = 0; i < 50; i++) {
        assert_true(armed == first + i * 300000);
        now = armed + i * 1000; /* later and later */
        notified(IRQ);
        assert_int_equal(taken(ALICE), 1);
    }
    now += 300000 * 10; /* slept through: one signal */
    notified(IRQ);
    assert_int_equal(taken(ALICE), 1);
    assert_true(armed > now && (armed - first) % 300000 == 0);
}

static void one_signal_for_many(void **state)
{
    (void)state;
    for (unsigned id = 0; id < TIMER_IDS; id++) {
        call(ALICE, TIMER_CALL_SET, 3, id, now + 10, 0);
    }
    now += 10;
    notified(IRQ);
    assert_int_equal(taken(ALICE), 1);
}

/* Runs the timer for a while, `late` ns late each time; how often the driver woke up. */
static unsigned run(uint64_t duration, uint64_t late)
{
    unsigned wakes = 0;
    for (uint64_t end = now + duration; armed != 0 && armed + late <= end; wakes++) {
        now = armed + late;
        notified(IRQ);
    }
    return wakes;
}

/* Every timeout at the shortest period, evenly spread: the driver is to sleep nevertheless. */
static void a_client_is_not_notified_all_the_time(void **state)
{
    (void)state;
    for (unsigned id = 0; id < TIMER_IDS; id++) {
        uint64_t deadline = now + 1000000 + id * TIMER_PERIOD_MIN / TIMER_IDS;
        assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, id, deadline, TIMER_PERIOD_MIN), TIMER_OK);
    }
    call(BOB, TIMER_CALL_SET, 3, 0, now + 5000123, 0);
    unsigned wakes = run(11000000, 0);
    assert_in_range(taken(ALICE), 99, 101); /* 10 ms */
    assert_in_range(wakes, 99, 102);
    assert_int_equal(taken(BOB), 1);
}

static void what_falls_into_a_gap_is_due_at_its_end(void **state)
{
    (void)state;
    uint64_t first = now + 1000000;
    call(ALICE, TIMER_CALL_SET, 3, 0, first, 0);
    call(ALICE, TIMER_CALL_SET, 3, 1, first + 1, 0);
    call(ALICE, TIMER_CALL_SET, 3, 2, first + TIMER_GAP, 0);
    call(ALICE, TIMER_CALL_SET, 3, 3, first + TIMER_GAP + 1, 0);
    call(BOB, TIMER_CALL_SET, 3, 0, first + 1, 0); /* has a gap of his own */
    now = first;
    notified(IRQ);
    assert_true(taken(ALICE) == 1 && taken(BOB) == 0 && armed == first + 1);
    now = armed;
    notified(IRQ);
    assert_true(taken(ALICE) == 0 && taken(BOB) == 1 && armed == first + TIMER_GAP);
    now = armed;
    notified(IRQ);
    assert_true(taken(ALICE) == 1 && armed == first + 2 * TIMER_GAP); /* for id 3 */
    now = armed;
    notified(IRQ);
    assert_true(taken(ALICE) == 1 && armed == 0);
    call(ALICE, TIMER_CALL_SET, 3, 0, first + 9 * TIMER_GAP + 7, 0); /* alone again: on time */
    assert_true(armed == first + 9 * TIMER_GAP + 7);
}

static void the_past_is_no_way_around_the_gap(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(call(ALICE, TIMER_CALL_SET, 3, i % TIMER_IDS, i % 2 ? now : 1, 0),
                         TIMER_OK);
    }
    assert_true(taken(ALICE) == 1 && armed == now + TIMER_GAP);
    assert_in_range(settings, 1, 2); /* the others cost the device nothing */
    assert_int_equal(run(SDDF_NS_PER_S, 0), 1);
    assert_int_equal(taken(ALICE), 1);
}

/* The shortest period stays the period, however late each of its interrupts is. */
static void lateness_does_not_add_up(void **state)
{
    (void)state;
    call(ALICE, TIMER_CALL_SET, 3, 0, now + TIMER_PERIOD_MIN, TIMER_PERIOD_MIN);
    run(1000 * TIMER_PERIOD_MIN, TIMER_PERIOD_MIN / 10);
    assert_in_range(taken(ALICE), 998, 1000);
}

/* ---- all clients together -------------------------------------------------------------------- */

static microkit_channel crowd(uint32_t client)
{
    return client < IRQ ? client : client + 1;
}

static int start_crowd(void **state)
{
    configure();
    sddf_timer_config.client_count = TIMER_CLIENTS_MAX;
    for (uint32_t client = 0; client < TIMER_CLIENTS_MAX; client++) {
        sddf_timer_config.client[client] = (uint8_t)crowd(client);
    }
    init();
    settings = 0;
    (void)state;
    return 0;
}

/* The most that TIMER_SHARE permits in that time. */
static uint64_t shares(uint64_t duration)
{
    return (duration + TIMER_BURST) / TIMER_SHARE + 1 + TIMER_CLIENTS_MAX;
}

/*
 * All but one ask for all that there is, at times of their own. What the driver does stays within
 * its bound, they have equal parts of it, and the one is late by no more than what is promised.
 */
static void all_clients_together_are_bounded(void **state)
{
    const uint32_t honest = TIMER_CLIENTS_MAX - 1;
    const uint64_t duration = 100 * SDDF_NS_PER_MS;
    const uint64_t latest = (1 + TIMER_CLIENTS_MAX) * TIMER_SHARE;
    (void)state;
    for (uint32_t client = 0; client < honest; client++) {
        for (unsigned id = 0; id < TIMER_IDS; id++) {
            uint64_t deadline = now + 1000000 + (client * TIMER_IDS + id) * 203;
            call(crowd(client), TIMER_CALL_SET, 3, id, deadline, TIMER_PERIOD_MIN);
        }
    }
    settings = 0;
    unsigned wakes = 0, late = 0;
    uint64_t end = now + duration, wanted = 0;
    while (now < end) {
        if (wanted == 0) {
            wanted = now + 3000017;
            call(crowd(honest), TIMER_CALL_SET, 3, 0, wanted, 0);
        }
        assert_true(armed != 0);
        now = armed > now ? armed : now;
        notified(IRQ);
        wakes++;
        if (taken(crowd(honest)) != 0) {
            assert_in_range(now, wanted, wanted + latest);
            late += now > wanted;
            wanted = 0;
        }
    }
    assert_true(late > 0);
    unsigned least = UINT32_MAX, most = 0, all = 0;
    for (uint32_t client = 0; client < honest; client++) {
        unsigned n = taken(crowd(client));
        least = n < least ? n : least;
        most = n > most ? n : most;
        all += n;
    }
    assert_in_range(wakes + all, 1, shares(duration));
    assert_in_range(settings, 1, 2 * wakes); /* once a wake-up, and for a call that is earlier */
    assert_in_range(least, duration / latest / 2, most);
    assert_in_range(most - least, 0, 2);
}

/* Set and cancelled at once: the device goes off for nothing, but not as often as one likes. */
static void nor_are_wake_ups_for_nothing_without_bound(void **state)
{
    const uint64_t duration = 10 * SDDF_NS_PER_MS;
    (void)state;
    unsigned wakes = 0, calls = 0;
    for (uint64_t end = now + duration; now < end; calls++) {
        microkit_channel ch = crowd(calls % TIMER_CLIENTS_MAX);
        call(ch, TIMER_CALL_SET, 3, 0, now + 500, 0);
        call(ch, TIMER_CALL_CANCEL, 1, 0, 0, 0);
        now += 1000;
        for (; armed != 0 && armed <= now; wakes++) {
            notified(IRQ);
        }
        assert_int_equal(taken(ch), 0);
    }
    assert_int_equal(calls, 10000);
    assert_in_range(wakes, 100, shares(duration));
    assert_in_range(settings, wakes, 2 * shares(duration));
}

static void a_restart_forgets(void **state)
{
    (void)state;
    call(ALICE, TIMER_CALL_SET, 3, 0, now + 10, 0);
    init();
    assert_true(armed == 0);
    now += 10;
    notified(IRQ);
    assert_int_equal(taken(ALICE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configuration_stays_stopped),
        cmocka_unit_test_setup(calls_are_checked, start),
        cmocka_unit_test_setup(fires_at_its_time_and_not_before, start),
        cmocka_unit_test_setup(the_earliest_counts, start),
        cmocka_unit_test_setup(the_past_is_due_at_once, start),
        cmocka_unit_test_setup(periods_do_not_drift, start),
        cmocka_unit_test_setup(one_signal_for_many, start),
        cmocka_unit_test_setup(a_client_is_not_notified_all_the_time, start),
        cmocka_unit_test_setup(what_falls_into_a_gap_is_due_at_its_end, start),
        cmocka_unit_test_setup(the_past_is_no_way_around_the_gap, start),
        cmocka_unit_test_setup(lateness_does_not_add_up, start),
        cmocka_unit_test_setup(all_clients_together_are_bounded, start_crowd),
        cmocka_unit_test_setup(nor_are_wake_ups_for_nothing_without_bound, start_crowd),
        cmocka_unit_test_setup(a_restart_forgets, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
