/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer class's client library. It keeps a record of its own of what was set, so that a
 * notification of the driver's means "look at the clock" and nothing more.
 */
#include "sddf/timer.h"

#include <microkit.h>

#include "sddf/clock.h"
#include "timeouts.h"

struct timer_client_config sddf_timer_config;

static struct {
    uint64_t deadline; /* TIMEOUTS_NEVER: off */
    uint64_t period;   /* 0: once */
} record[TIMER_IDS];

bool timer_init(void)
{
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        record[id].deadline = TIMEOUTS_NEVER;
        record[id].period = 0;
    }
    return sddf_config_ok(&sddf_timer_config.header, SDDF_ROLE_TIMER_CLIENT,
                          sizeof(sddf_timer_config)) &&
           sddf_timer_config.channel < MICROKIT_MAX_CHANNELS;
}

uint8_t timer_channel(void)
{
    return sddf_timer_config.channel;
}

static enum timer_answer call(enum timer_call label, seL4_Uint16 words)
{
    microkit_msginfo answer =
        microkit_ppcall(sddf_timer_config.channel, microkit_msginfo_new(label, words));
    seL4_Word said = microkit_msginfo_get_label(answer);
    /* Whatever is no answer of this protocol comes from no driver that is alive. */
    return said < TIMER_GONE ? (enum timer_answer)said : TIMER_GONE;
}

static enum timer_answer set(uint32_t id, uint64_t deadline, uint64_t period)
{
    if (id >= TIMER_IDS) {
        return TIMER_BAD_ID;
    }
    microkit_mr_set(0, id);
    microkit_mr_set(1, deadline);
    microkit_mr_set(2, period);
    enum timer_answer answer = call(TIMER_CALL_SET, 3);
    /* What the driver refused has changed nothing there, and so nothing here. */
    if (answer == TIMER_OK) {
        record[id].deadline = deadline;
        record[id].period = period;
    }
    return answer;
}

/* Saturates: what is more than 584 years ahead never comes. */
static uint64_t from_now(uint64_t delay)
{
    uint64_t now = sddf_clock_now();
    return delay > TIMEOUTS_NEVER - now ? TIMEOUTS_NEVER : now + delay;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    return set(id, deadline, 0);
}

enum timer_answer timer_set_after(uint32_t id, uint64_t delay)
{
    return set(id, from_now(delay), 0);
}

enum timer_answer timer_set_periodic(uint32_t id, uint64_t period)
{
    /* The driver would take 0 for "once". */
    if (period < TIMER_PERIOD_MIN) {
        return id < TIMER_IDS ? TIMER_BAD_PERIOD : TIMER_BAD_ID;
    }
    return set(id, from_now(period), period);
}

enum timer_answer timer_cancel(uint32_t id)
{
    if (id >= TIMER_IDS) {
        return TIMER_BAD_ID;
    }
    record[id].deadline = TIMEOUTS_NEVER; /* off, whatever the driver says */
    microkit_mr_set(0, id);
    return call(TIMER_CALL_CANCEL, 1);
}

uint32_t timer_due(void)
{
    uint64_t now = sddf_clock_now();
    uint32_t due = 0;
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        if (record[id].deadline == TIMEOUTS_NEVER || record[id].deadline > now) {
            continue;
        }
        due |= UINT32_C(1) << id;
        record[id].deadline = record[id].period == 0
                                  ? TIMEOUTS_NEVER
                                  : timeouts_advance(record[id].deadline, record[id].period, now);
    }
    return due;
}
