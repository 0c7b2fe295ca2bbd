/* SPDX-License-Identifier: BSD-2-Clause */
/* The idle counter, with a clock that a test drives, and what its readers make of its page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_microkit.h"
#include "sddf/idle.h"

void init(void); /* the counter's, which never ends */
extern struct idle_config sddf_idle_config;

static struct idle_page page;
static jmp_buf end;

/* The clock: how long each reading is after the one before. 0 at the end: it stops the counter. */
static uint64_t now;
static const uint64_t *steps;
static size_t undisturbed; /* readings before the steps, `pace` apart */
static uint64_t pace;

uint64_t sddf_clock_now(void)
{
    if (undisturbed > 0) {
        undisturbed--;
        return now += pace;
    }
    if (steps == NULL || *steps == 0) {
        longjmp(end, 1);
    }
    return now += *steps++;
}

static uint64_t counted(uint64_t each, const uint64_t *then)
{
    page = (struct idle_page){0};
    sddf_idle_config =
        (struct idle_config){.header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                        SDDF_ROLE_IDLE_COUNTER, sizeof(struct idle_config), 0},
                             .page = {(uintptr_t)&page, sizeof(page), 0}};
    pace = each;
    undisturbed = 1 + 256 + 1; /* what it measures its own pace with, and a first one */
    steps = then;
    now = 1000000;
    if (setjmp(end) == 0) {
        init();
    }
    return sddf_load_relaxed_u64(&page.slot[sddf_load_relaxed_u32(&page.latest) % 2].idle);
}

static void test_counts_what_is_close(void **state)
{
    (void)state;
    assert_int_equal(counted(30, (const uint64_t[]){30, 30, 40, 0}), 100);
    /* Somebody was there for 5 us, and for 1.001; what is below that may have been anything. */
    assert_int_equal(counted(30, (const uint64_t[]){30, 5000, 30, 1001, 40, 0}), 100);
    assert_int_equal(counted(30, (const uint64_t[]){30, 1000, 0}), 1030);
    /* A clock that a reading takes 400 ns of. */
    assert_int_equal(counted(400, (const uint64_t[]){400, 3200, 3201, 400, 0}), 4000);
    assert_int_equal(counted(0, (const uint64_t[]){100, 0}), 100);
}

static void test_refuses(void **state)
{
    (void)state;
    fake_microkit_reset();
    sddf_idle_config = (struct idle_config){0};
    init(); /* which ends */
    assert_non_null(strstr(fake_microkit_output(), "does not match this program"));
}

static void test_reads_what_is_counted(void **state)
{
    (void)state;
    struct idle_sample sample;
    page = (struct idle_page){0};
    for (uint64_t i = 1; i < 5; i++) {
        idle_publish(&page, (struct idle_sample){.idle = i * 100});
        undisturbed = 1;
        now = 5000;
        pace = i;
        assert_true(idle_read(&page, &sample));
        assert_int_equal(sample.idle, i * 100);
        assert_int_equal(sample.total, 5000 + i);
    }
}

static uint64_t idle_at(uint64_t when)
{
    struct idle_sample sample;
    undisturbed = 1;
    now = when;
    pace = 0;
    assert_true(idle_read(&page, &sample));
    assert_int_equal(sample.total, when);
    return sample.idle;
}

static void test_reads_samples(void **state)
{
    (void)state;
    page = (struct idle_page){0};
    idle_publish(&page, (struct idle_sample){500, 1000});
    assert_int_equal(idle_at(1500), 500); /* of one sample nothing follows */
    idle_publish(&page, (struct idle_sample){750, 2000});
    assert_int_equal(idle_at(2000), 750);
    assert_int_equal(idle_at(2100), 775);
    assert_int_equal(idle_at(3000), 1000);
    assert_int_equal(idle_at(9000), 1000); /* and not for ever */
    assert_int_equal(idle_at(1990), 750);  /* a clock that runs a little behind */
    idle_publish(&page, (struct idle_sample){2000, 3000});
    assert_int_equal(idle_at(3100), 2100); /* no more than all of the time */
    idle_publish(&page, (struct idle_sample){2000, 4000});
    assert_int_equal(idle_at(4500), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_what_is_close),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_reads_what_is_counted),
        cmocka_unit_test(test_reads_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
