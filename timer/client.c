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

/*@ assigns record[..];
  @ ensures \forall integer id; 0 <= id < TIMER_IDS ==> record[id].deadline == TIMEOUTS_NEVER;
  @ ensures \result ==> sddf_timer_config.channel < MICROKIT_MAX_CHANNELS;
  @*/
bool timer_init(void)
{
    /*@ loop invariant 0 <= id <= TIMER_IDS;
      @ loop invariant \forall integer i; 0 <= i < id ==> record[i].deadline == TIMEOUTS_NEVER;
      @ loop assigns id, record[..];
      @ loop variant TIMER_IDS - id;
      @*/
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        record[id].deadline = TIMEOUTS_NEVER;
        record[id].period = 0;
    }
    return sddf_config_ok(&sddf_timer_config.header, SDDF_ROLE_TIMER_CLIENT,
                          sizeof(sddf_timer_config)) &&
           sddf_timer_config.channel < MICROKIT_MAX_CHANNELS;
}

/*@ assigns \nothing;
  @ ensures \result == sddf_timer_config.channel;
  @*/
uint8_t timer_channel(void)
{
    return sddf_timer_config.channel;
}

/*@ assigns \nothing;
  @ ensures TIMER_OK <= \result <= TIMER_GONE;
  @*/
static enum timer_answer call(enum timer_call label, seL4_Uint16 words)
{
    microkit_msginfo answer =
        microkit_ppcall(sddf_timer_config.channel, microkit_msginfo_new(label, words));
    seL4_Word said = microkit_msginfo_get_label(answer);
    /* Whatever is no answer of this protocol comes from no driver that is alive. */
    return said < TIMER_GONE ? (enum timer_answer)said : TIMER_GONE;
}

/*@ assigns record[..];
  @ ensures set: \result == TIMER_OK ==> id < TIMER_IDS &&
  @     record[id].deadline == deadline && record[id].period == period;
  @ ensures refused: \result != TIMER_OK ==> \forall integer i; 0 <= i < TIMER_IDS ==>
  @     record[i] == \old(record[i]);
  @ ensures others: \forall integer i; 0 <= i < TIMER_IDS && i != id ==>
  @     record[i] == \old(record[i]);
  @*/
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
/*@ assigns sddf_clock_time;
  @ ensures \result == \min(sddf_clock_time + delay, TIMEOUTS_NEVER);
  @ ensures \old(sddf_clock_time) <= sddf_clock_time;
  @*/
static uint64_t from_now(uint64_t delay)
{
    uint64_t now = sddf_clock_now();
    return delay > TIMEOUTS_NEVER - now ? TIMEOUTS_NEVER : now + delay;
}

/*@ assigns record[..];
  @ ensures \result == TIMER_OK ==> id < TIMER_IDS && record[id].deadline == deadline;
  @*/
enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    return set(id, deadline, 0);
}

/*@ assigns record[..], sddf_clock_time;
  @ ensures not_early: \result == TIMER_OK ==> id < TIMER_IDS &&
  @     record[id].deadline >= \min(\old(sddf_clock_time) + delay, TIMEOUTS_NEVER);
  @*/
enum timer_answer timer_set_after(uint32_t id, uint64_t delay)
{
    return set(id, from_now(delay), 0);
}

/*@ assigns record[..], sddf_clock_time;
  @ ensures not_early: \result == TIMER_OK ==> id < TIMER_IDS &&
  @     record[id].deadline >= \min(\old(sddf_clock_time) + period, TIMEOUTS_NEVER) &&
  @     record[id].period == period >= TIMER_PERIOD_MIN;
  @*/
enum timer_answer timer_set_periodic(uint32_t id, uint64_t period)
{
    /* The driver would take 0 for "once". */
    if (period < TIMER_PERIOD_MIN) {
        return id < TIMER_IDS ? TIMER_BAD_PERIOD : TIMER_BAD_ID;
    }
    return set(id, from_now(period), period);
}

/*@ assigns record[..];
  @ ensures id < TIMER_IDS ==> record[id].deadline == TIMEOUTS_NEVER;
  @*/
enum timer_answer timer_cancel(uint32_t id)
{
    if (id >= TIMER_IDS) {
        return TIMER_BAD_ID;
    }
    record[id].deadline = TIMEOUTS_NEVER; /* off, whatever the driver says */
    microkit_mr_set(0, id);
    return call(TIMER_CALL_CANCEL, 1);
}

/*@ assigns record[..], sddf_clock_time;
  @ ensures not_early: \forall integer id; 0 <= id < TIMER_IDS && bits_has(\result, id) ==>
  @     \old(record[id].deadline) <= sddf_clock_time;
  @ ensures all: \forall integer id; 0 <= id < TIMER_IDS ==>
  @     record[id].deadline > sddf_clock_time;
  @ ensures not_due: \forall integer id; 0 <= id < TIMER_IDS &&
  @     \old(record[id].deadline) > sddf_clock_time ==> record[id] == \old(record[id]);
  @*/
uint32_t timer_due(void)
{
    uint64_t now = sddf_clock_now();
    uint32_t due = 0;
    /*@ loop invariant 0 <= id <= TIMER_IDS && due < pow2(TIMER_IDS);
      @ loop invariant not_early: \forall integer i; 0 <= i < TIMER_IDS && bits_has(due, i) ==>
      @     \at(record[i].deadline, Pre) <= now;
      @ loop invariant all: \forall integer i; 0 <= i < id ==> record[i].deadline > now;
      @ loop invariant not_due: \forall integer i; 0 <= i < TIMER_IDS &&
      @     (i >= id || \at(record[i].deadline, Pre) > now) ==> record[i] == \at(record[i], Pre);
      @ loop assigns id, due, record[..];
      @ loop variant TIMER_IDS - id;
      @*/
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
