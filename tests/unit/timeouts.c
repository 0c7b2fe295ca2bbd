/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer class's arithmetic against a model that a glance can judge: a plain table, searched
 * from end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "timeouts.h"

#define END UINT64_MAX

static struct timeouts t;

static uint64_t seed;

static uint64_t random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

struct model {
    uint64_t deadline[TIMEOUTS_SLOTS]; /* END: off */
    uint64_t period[TIMEOUTS_SLOTS];
};

static void model_init(struct model *m)
{
    for (uint32_t i = 0; i < TIMEOUTS_SLOTS; i++) {
        m->deadline[i] = END;
    }
}

static uint64_t model_next(const struct model *m)
{
    uint64_t next = END;
    for (uint32_t i = 0; i < TIMEOUTS_SLOTS; i++) {
        next = m->deadline[i] < next ? m->deadline[i] : next;
    }
    return next;
}

/* Step by step, as one would on paper. Periods are long against the steps of the test's clock. */
static void model_fire(struct model *m, uint32_t slot, uint64_t now)
{
    assert_true(m->deadline[slot] <= now);
    if (m->period[slot] == 0) {
        m->deadline[slot] = END;
        return;
    }
    while (m->deadline[slot] <= now) {
        uint64_t next = m->deadline[slot] + m->period[slot];
        m->deadline[slot] = next < m->deadline[slot] ? END : next;
    }
}

/* Every pending slot stands where its place says, and no child is due before its parent. */
static void check_heap(void)
{
    uint32_t pending = 0;
    for (uint32_t slot = 0; slot < TIMEOUTS_SLOTS; slot++) {
        if (t.place[slot] != 0) {
            pending++;
            assert_true(t.place[slot] <= t.count);
            assert_int_equal(t.heap[t.place[slot] - 1], slot);
        }
    }
    assert_int_equal(pending, t.count);
    for (uint32_t i = 1; i < t.count; i++) {
        assert_true(t.deadline[t.heap[(i - 1) / 2]] <= t.deadline[t.heap[i]]);
    }
}

static void history(uint64_t start, uint32_t slots, uint64_t spread, int steps)
{
    static struct model m;
    uint64_t now = start;
    timeouts_init(&t);
    model_init(&m);
    for (int step = 0; step < steps; step++) {
        uint32_t slot = (uint32_t)(random64() % slots);
        switch (random64() % 8) {
        case 0:
            timeouts_cancel(&t, slot);
            m.deadline[slot] = END;
            break;
        case 1:
        case 2:
        case 3: {
            uint64_t ahead = random64() % spread;
            uint64_t deadline = ahead > END - now ? END : now + ahead;
            if (random64() % 8 == 0) {
                deadline = now - random64() % (now < spread ? now + 1 : spread);
            }
            uint64_t period = random64() % 2 ? spread / 16 + random64() % spread : 0;
            timeouts_set(&t, slot, deadline, period);
            m.deadline[slot] = deadline;
            m.period[slot] = period;
            break;
        }
        default: {
            uint64_t forward = random64() % spread;
            now = forward > END - 1 - now ? END - 1 : now + forward;
            uint64_t last = 0;
            uint32_t fired;
            while (timeouts_next(&t) <= now) {
                uint64_t deadline = timeouts_next(&t);
                assert_true(deadline == model_next(&m) && deadline >= last);
                last = deadline;
                assert_true(timeouts_expire(&t, now, &fired));
                assert_true(m.deadline[fired] == deadline);
                model_fire(&m, fired, now);
            }
            assert_false(timeouts_expire(&t, now, &fired));
        }
        }
        assert_true(timeouts_next(&t) == model_next(&m));
        check_heap();
    }
}

static void random_histories(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 20; run++) {
        seed = run * UINT64_C(0x9e3779b97f4a7c15);
        history(1000, TIMEOUTS_SLOTS, 1000000, 1500);
        history(0, 3, 1000, 1500);
    }
}

static void near_the_end_of_time(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 20; run++) {
        seed = run * UINT64_C(0x9e3779b97f4a7c15);
        history(END - 500000, TIMEOUTS_SLOTS, 100000, 1000);
    }
}

static void advance_reaches_the_end(void **state)
{
    (void)state;
    assert_true(timeouts_advance(0, 10, 0) == 10);
    assert_true(timeouts_advance(0, 10, 9) == 10);
    assert_true(timeouts_advance(0, 10, 10) == 20);
    assert_true(timeouts_advance(5, 10, 104) == 105);
    assert_true(timeouts_advance(END - 20, 10, END - 10) == END);
    assert_true(timeouts_advance(END - 20, 15, END - 10) == END - 5);
    assert_true(timeouts_advance(END - 20, END, END - 1) == TIMEOUTS_NEVER);
    assert_true(timeouts_advance(1, END, END - 1) == TIMEOUTS_NEVER);
    assert_true(timeouts_advance(0, END - 1, END - 2) == END - 1);
}

static void missed_periods_are_due_once(void **state)
{
    (void)state;
    uint32_t slot;
    timeouts_init(&t);
    timeouts_set(&t, 7, 100, 10);
    assert_true(timeouts_expire(&t, 100 + 10 * 1000 + 3, &slot));
    assert_int_equal(slot, 7);
    assert_false(timeouts_expire(&t, 100 + 10 * 1000 + 3, &slot));
    assert_true(timeouts_next(&t) == 100 + 10 * 1001); /* in step with the first deadline */
}

static void never_early(void **state)
{
    (void)state;
    uint32_t slot;
    timeouts_init(&t);
    timeouts_set(&t, 0, 1000, 0);
    assert_false(timeouts_expire(&t, 999, &slot));
    assert_true(timeouts_expire(&t, 1000, &slot));
    assert_true(timeouts_next(&t) == TIMEOUTS_NEVER);
}

static void replaced_and_cancelled(void **state)
{
    (void)state;
    uint32_t slot;
    timeouts_init(&t);
    timeouts_cancel(&t, 3); /* was off */
    timeouts_set(&t, 3, 50, 5);
    timeouts_set(&t, 3, 70, 0); /* later, and once */
    assert_int_equal(t.count, 1);
    assert_false(timeouts_expire(&t, 69, &slot));
    timeouts_set(&t, 3, 60, 0); /* earlier */
    timeouts_set(&t, 4, 60, 0);
    timeouts_cancel(&t, 3);
    assert_true(timeouts_expire(&t, 60, &slot));
    assert_int_equal(slot, 4);
    timeouts_set(&t, 5, 80, 0);
    timeouts_set(&t, 5, TIMEOUTS_NEVER, 0);
    assert_int_equal(t.count, 0);
}

static void all_slots_at_once(void **state)
{
    (void)state;
    uint32_t slot;
    bool seen[TIMEOUTS_SLOTS] = {false};
    timeouts_init(&t);
    for (uint32_t i = 0; i < TIMEOUTS_SLOTS; i++) {
        timeouts_set(&t, i, 5, 20);
    }
    for (uint32_t i = 0; i < TIMEOUTS_SLOTS; i++) {
        assert_true(timeouts_expire(&t, 5, &slot));
        assert_false(seen[slot]);
        seen[slot] = true;
    }
    assert_false(timeouts_expire(&t, 5, &slot));
    assert_true(timeouts_next(&t) == 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
        cmocka_unit_test(near_the_end_of_time),
        cmocka_unit_test(advance_reaches_the_end),
        cmocka_unit_test(missed_periods_are_due_once),
        cmocka_unit_test(never_early),
        cmocka_unit_test(replaced_and_cancelled),
        cmocka_unit_test(all_slots_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
