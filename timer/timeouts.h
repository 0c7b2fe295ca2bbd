/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of a timer driver, without the timer: every client's timeouts, ordered by their
 * deadlines. All drivers of the class share it; each adds its own hardware.
 *
 * A binary heap of slots, one slot per client and id and one more per client, with each slot's
 * place in it, so that setting and cancelling cost the logarithm of what is pending, and the next
 * deadline costs nothing. All of it is static: no client can make it grow.
 *
 * Called by one thread. Times are nanoseconds of sddf_clock_now().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/timer.h"

/* A client's: its timeouts by their ids, then one for the driver's use. */
#define TIMEOUTS_PER_CLIENT (TIMER_IDS + 1)
#define TIMEOUTS_SLOTS      (TIMER_CLIENTS_MAX * TIMEOUTS_PER_CLIENT)

/* What timeouts_next() says when nothing is pending. A deadline that far off never comes. */
#define TIMEOUTS_NEVER UINT64_MAX

struct timeouts {
    uint64_t deadline[TIMEOUTS_SLOTS]; /* of pending slots */
    uint64_t period[TIMEOUTS_SLOTS];   /* 0: once */
    uint16_t heap[TIMEOUTS_SLOTS];     /* slots; none has a later deadline than its children */
    uint16_t place[TIMEOUTS_SLOTS];    /* 1 + where in the heap the slot is; 0: not pending */
    uint16_t count;                    /* pending slots */
};

/* Nothing is pending. */
void timeouts_init(struct timeouts *t);

/*
 * Sets a slot (< TIMEOUTS_SLOTS) to a deadline, and every `period` from there if that is not 0.
 * Whatever it was before is forgotten. A deadline of TIMEOUTS_NEVER is as good as cancelled.
 */
void timeouts_set(struct timeouts *t, uint32_t slot, uint64_t deadline, uint64_t period);

/* The slot is off. That it was off already is fine. */
void timeouts_cancel(struct timeouts *t, uint32_t slot);

/* The earliest deadline, or TIMEOUTS_NEVER. */
uint64_t timeouts_next(const struct timeouts *t);

/*
 * Takes this slot if its deadline is `until` or before; false if not, or if it is off. `until` may
 * lie ahead. A periodic slot goes on at its first deadline after it, as below.
 */
bool timeouts_take(struct timeouts *t, uint32_t slot, uint64_t until);

/*
 * Takes one slot whose deadline is `now` or before; false if there is none. A periodic slot goes on
 * at its first deadline after `now`: the periods between were missed and are due once, and the
 * deadlines stay multiples of the period from the first one on, so it does not drift. Called again
 * and again with the same `now` it names each slot at most once.
 */
bool timeouts_expire(struct timeouts *t, uint64_t now, uint32_t *slot);

/*
 * The first of deadline, deadline + period, ... after `now`; `deadline` itself must not be after.
 * TIMEOUTS_NEVER if that would be beyond the end of time.
 */
/*@ requires deadline <= now && period != 0;
  @ assigns \nothing;
  @ ensures after: \result > now || \result == TIMEOUTS_NEVER;
  @ ensures first: \result != TIMEOUTS_NEVER ==> \result - period <= now;
  @ ensures in_step: \result != TIMEOUTS_NEVER ==>
  @     \result == deadline + ((now - deadline) / period + 1) * period;
  @*/
static inline uint64_t timeouts_advance(uint64_t deadline, uint64_t period, uint64_t now)
{
    uint64_t into = (now - deadline) % period;
    uint64_t ahead = period - into;
    return ahead > TIMEOUTS_NEVER - now ? TIMEOUTS_NEVER : now + ahead;
}
