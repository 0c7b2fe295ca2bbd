/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer class's client library against a driver that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <microkit.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

enum { CHANNEL = 4 };

extern struct timer_client_config sddf_timer_config;

static uint64_t now;
static seL4_Word answer; /* the driver's */
static seL4_Word label, words, registers[4];
static unsigned calls;

uint64_t sddf_clock_now(void)
{
    return now;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    registers[mr] = value;
}

microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, CHANNEL);
    label = microkit_msginfo_get_label(msginfo);
    words = microkit_msginfo_get_count(msginfo);
    calls++;
    return microkit_msginfo_new(answer, 0);
}

static int start(void **state)
{
    (void)state;
    sddf_timer_config = (struct timer_client_config){
        .header = {.magic = SDDF_CONFIG_MAGIC,
                   .version = SDDF_CONFIG_VERSION,
                   .role = SDDF_ROLE_TIMER_CLIENT,
                   .size = sizeof(sddf_timer_config)},
        .channel = CHANNEL,
    };
    now = 1000;
    answer = TIMER_OK;
    calls = 0;
    return timer_init() ? 0 : -1;
}

static void wrong_configuration(void **state)
{
    (void)state;
    sddf_timer_config.header.size--;
    assert_false(timer_init());
    sddf_timer_config.header.size++;
    sddf_timer_config.channel = SDDF_NO_CHANNEL;
    assert_false(timer_init());
}

static void what_the_driver_is_asked(void **state)
{
    (void)state;
    assert_int_equal(timer_set_at(3, 5000), TIMER_OK);
    assert_true(label == TIMER_CALL_SET && words == 3);
    assert_true(registers[0] == 3 && registers[1] == 5000 && registers[2] == 0);
    assert_int_equal(timer_set_after(0, 70), TIMER_OK);
    assert_true(registers[0] == 0 && registers[1] == 1070 && registers[2] == 0);
    assert_int_equal(timer_set_periodic(7, 500000), TIMER_OK);
    assert_true(registers[0] == 7 && registers[1] == 501000 && registers[2] == 500000);
    assert_int_equal(timer_cancel(7), TIMER_OK);
    assert_true(label == TIMER_CALL_CANCEL && words == 1 && registers[0] == 7);
    assert_int_equal(timer_set_after(1, UINT64_MAX), TIMER_OK);
    assert_true(registers[1] == UINT64_MAX);
    assert_int_equal(timer_channel(), CHANNEL);
}

static void once_is_due_once(void **state)
{
    (void)state;
    timer_set_at(1, 2000);
    timer_set_at(2, 1500);
    assert_int_equal(timer_due(), 0);
    now = 1999;
    assert_int_equal(timer_due(), 1u << 2);
    now = 2000;
    assert_int_equal(timer_due(), 1u << 1);
    now = 100000;
    assert_int_equal(timer_due(), 0);
}

static void periods_that_were_missed_are_due_once(void **state)
{
    (void)state;
    timer_set_periodic(0, 200000);
    now = 201000 + 200000 * 9 + 5;
    assert_int_equal(timer_due(), 1);
    assert_int_equal(timer_due(), 0);
    now = 201000 + 200000 * 10;
    assert_int_equal(timer_due(), 1);
    timer_cancel(0);
    now += 1000000;
    assert_int_equal(timer_due(), 0);
}

static void a_refusal_changes_nothing(void **state)
{
    (void)state;
    timer_set_at(1, 2000);
    answer = TIMER_BAD_CALL;
    assert_int_equal(timer_set_at(1, 1200), TIMER_BAD_CALL);
    now = 1300;
    assert_int_equal(timer_due(), 0);
    now = 2000;
    assert_int_equal(timer_due(), 1u << 1);
    calls = 0;
    assert_int_equal(timer_set_at(TIMER_IDS, 5), TIMER_BAD_ID);
    assert_int_equal(timer_cancel(TIMER_IDS), TIMER_BAD_ID);
    assert_int_equal(timer_set_periodic(TIMER_IDS, 500000), TIMER_BAD_ID);
    assert_int_equal(timer_set_periodic(0, TIMER_PERIOD_MIN - 1), TIMER_BAD_PERIOD);
    assert_int_equal(timer_set_periodic(0, 0), TIMER_BAD_PERIOD);
    assert_int_equal(calls, 0); /* no need to ask */
}

static void a_driver_that_is_gone(void **state)
{
    (void)state;
    answer = (UINT64_C(1) << 52) - 1;
    assert_int_equal(timer_set_at(1, 2000), TIMER_GONE);
    answer = 17;
    assert_int_equal(timer_set_after(1, 2000), TIMER_GONE);
    assert_int_equal(timer_cancel(1), TIMER_GONE);
    now = 1000000;
    assert_int_equal(timer_due(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_configuration, start),
        cmocka_unit_test_setup(what_the_driver_is_asked, start),
        cmocka_unit_test_setup(once_is_due_once, start),
        cmocka_unit_test_setup(periods_that_were_missed_are_due_once, start),
        cmocka_unit_test_setup(a_refusal_changes_nothing, start),
        cmocka_unit_test_setup(a_driver_that_is_gone, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
