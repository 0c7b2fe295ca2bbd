/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bandwidth limit: so many bits per second, in windows of so many microseconds. A frame may be
 * sent as long as the present window has credit left. So the last one may exceed the window's
 * worth, by less than a frame; that is charged to the windows that follow. What a window has left
 * over is lost. As long as there is something to send, nothing ever is left over, so the sum of all
 * windows is exact.
 *
 * Windows begin at fixed times, whenever anybody looks: who looks late finds the present window
 * whole, and the next one begins no later for it. (Who sleeps through a whole window has lost it,
 * for to make up for it would be to exceed another.)
 *
 * Credit is counted in millionths of a bit, as this makes a window's worth a whole number for every
 * rate. The largest worth, NET_TX_LIMIT_MAX over NET_TX_WINDOW_MAX, is 10^17; a frame is 10^10.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#define TX_LIMIT_NEVER UINT64_MAX

#define TX_LIMIT_BYTE INT64_C(8000000) /* a byte's worth of credit */

struct tx_limit {
    int64_t worth;   /* of a window; 0: there is no limit */
    int64_t credit;  /* of the present window: up to its worth; below 0, charged to the next */
    uint64_t begin;  /* of the present window; ns */
    uint64_t window; /* ns */
};

/* A debt: less than a frame's worth, as nobody begins a frame without credit. */
#define TX_LIMIT_DEBT_MAX (NET_FRAME_MAX * TX_LIMIT_BYTE)

/*
 * What holds of a limit that is one. That the credit is never above a window's worth, and only
 * tx_limit_advance adds to it, a worth for each window that has passed, is what limits.
 */
/*@ predicate tx_limit_ok(struct tx_limit l) =
  @     1 <= l.worth <= NET_TX_LIMIT_MAX * NET_TX_WINDOW_MAX &&
  @     1000 <= l.window <= NET_TX_WINDOW_MAX * 1000 &&
  @     -TX_LIMIT_DEBT_MAX <= l.credit <= l.worth;
  @*/

/* A rate in bits/s and a window in us, each within its range; or a rate of 0: there is no limit. */
/*@ requires \valid(limit);
  @ requires rate == 0 || (1 <= rate <= NET_TX_LIMIT_MAX && 1 <= window_us <= NET_TX_WINDOW_MAX);
  @ assigns *limit;
  @ ensures whole: limit->credit == limit->worth == rate * window_us;
  @ ensures rate != 0 ==> tx_limit_ok(*limit);
  @*/
static inline void tx_limit_start(struct tx_limit *limit, uint64_t rate, uint32_t window_us,
                                  uint64_t now)
{
    /*@ assert rate * window_us <= NET_TX_LIMIT_MAX * window_us; */
    limit->worth = (int64_t)(rate * window_us);
    limit->credit = limit->worth;
    limit->begin = now;
    limit->window = (uint64_t)window_us * 1000;
}

/*@ requires \valid_read(limit);
  @ assigns \nothing;
  @ ensures \result <==> limit->worth != 0;
  @*/
static inline bool tx_limit_is(const struct tx_limit *limit)
{
    return limit->worth != 0;
}

/* How often a part goes into a span. */
/*@ requires part > 0;
  @ assigns \nothing;
  @ ensures \result * part <= span < \result * part + part;
  @ ensures \result <= span && (span >= part ==> \result >= 1);
  @*/
static inline uint64_t tx_limit_times(uint64_t span, uint64_t part)
{
    return span / part;
}

/* How many windows on the credit will be positive again; it is not now. */
/*@ requires \valid_read(limit) && tx_limit_ok(*limit) && limit->credit <= 0;
  @ assigns \nothing;
  @ ensures positive_then: limit->credit + \result * limit->worth > 0;
  @ ensures not_before: limit->credit + (\result - 1) * limit->worth <= 0;
  @ ensures 1 <= \result <= 1 - limit->credit;
  @*/
static inline uint64_t tx_limit_windows_due(const struct tx_limit *limit)
{
    return tx_limit_times((uint64_t)-limit->credit, (uint64_t)limit->worth) + 1;
}

/* The credit, so many windows later. */
/*@ requires \valid_read(limit) && tx_limit_ok(*limit) && windows >= 1;
  @ assigns \nothing;
  @ ensures never_more_than_a_window: \result <= limit->worth;
  @ ensures a_worth_for_each: \result <= limit->credit + windows * limit->worth;
  @ ensures limit->credit <= \result;
  @*/
static inline int64_t tx_limit_later(const struct tx_limit *limit, uint64_t windows)
{
    if (limit->credit > 0) {
        /*@ ghost fact_times(1, windows, limit->worth); */
        /*@ assert limit->worth <= limit->credit + windows * limit->worth; */
        return limit->worth; /* what is left over is lost */
    }
    const uint64_t due = tx_limit_windows_due(limit);
    if (windows > due) {
        /*@ ghost fact_times(due + 1, windows, limit->worth); */
        /*@ assert limit->worth <= limit->credit + due * limit->worth + limit->worth; */
        /*@ assert limit->worth <= limit->credit + windows * limit->worth; */
        return limit->worth; /* the debt is paid */
    }
    /* So few windows that this is a window's worth at most. */
    /*@ ghost fact_times(windows - 1, due - 1, limit->worth); */
    return limit->credit + (int64_t)windows * limit->worth;
}

/* Goes on to the window that this moment lies in. Times that have been before are no news. */
/*@ requires \valid(limit) && tx_limit_ok(*limit);
  @ assigns limit->begin, limit->credit;
  @ ensures tx_limit_ok(*limit);
  @ ensures same_window: \old(limit->begin) > now || now - \old(limit->begin) < limit->window ==>
  @     limit->credit == \old(limit->credit) && limit->begin == \old(limit->begin);
  @ ensures now_is_inside: \old(limit->begin) <= now ==>
  @     limit->begin <= now && now - limit->begin < limit->window;
  @*/
static inline void tx_limit_advance(struct tx_limit *limit, uint64_t now)
{
    if (now < limit->begin || now - limit->begin < limit->window) {
        return;
    }
    const uint64_t windows = tx_limit_times(now - limit->begin, limit->window);
    limit->credit = tx_limit_later(limit, windows);
    limit->begin += windows * limit->window;
}

/* Frames may be sent until they are this many bytes, or more by a part of the last. 0: not now. */
/*@ requires \valid_read(limit) && tx_limit_ok(*limit);
  @ assigns \nothing;
  @ ensures none: limit->credit <= 0 <==> \result == 0;
  @ ensures less_than_a_byte_over: (\result - 1) * TX_LIMIT_BYTE < limit->credit || \result == 0;
  @*/
static inline uint32_t tx_limit_bytes(const struct tx_limit *limit)
{
    if (limit->credit <= 0) {
        return 0;
    }
    int64_t bytes = (limit->credit + TX_LIMIT_BYTE - 1) / TX_LIMIT_BYTE;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/*@ requires \valid(limit) && tx_limit_ok(*limit);
  @ requires bytes * TX_LIMIT_BYTE <= limit->credit + TX_LIMIT_DEBT_MAX;
  @ assigns limit->credit;
  @ ensures tx_limit_ok(*limit);
  @ ensures limit->credit == \old(limit->credit) - bytes * TX_LIMIT_BYTE;
  @*/
static inline void tx_limit_charge(struct tx_limit *limit, uint32_t bytes)
{
    limit->credit -= (int64_t)bytes * TX_LIMIT_BYTE;
}

/* When it may send (again); TX_LIMIT_NEVER if that is behind the end of time. */
/*@ requires \valid_read(limit) && tx_limit_ok(*limit);
  @ assigns \nothing;
  @ ensures now: limit->credit > 0 ==> \result == limit->begin;
  @ ensures later: limit->credit <= 0 ==>
  @     \result > limit->begin || \result == TX_LIMIT_NEVER;
  @*/
static inline uint64_t tx_limit_until(const struct tx_limit *limit)
{
    if (limit->credit > 0) {
        return limit->begin;
    }
    uint64_t wait = tx_limit_windows_due(limit) * limit->window;
    return wait < TX_LIMIT_NEVER - limit->begin ? limit->begin + wait : TX_LIMIT_NEVER;
}
