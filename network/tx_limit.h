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

/* A rate in bits/s and a window in us, each within its range; or a rate of 0: there is no limit. */
static inline void tx_limit_start(struct tx_limit *limit, uint64_t rate, uint32_t window_us,
                                  uint64_t now)
{
    limit->worth = (int64_t)(rate * window_us);
    limit->credit = limit->worth;
    limit->begin = now;
    limit->window = (uint64_t)window_us * 1000;
}

static inline bool tx_limit_is(const struct tx_limit *limit)
{
    return limit->worth != 0;
}

/*
 * How many windows on the credit will be positive again; it is not now. The debt is at most a
 * frame's, or several frames' if those who charge do not keep to tx_limit_bytes.
 */
static inline uint64_t tx_limit_windows_due(const struct tx_limit *limit)
{
    return (uint64_t)(-limit->credit / limit->worth) + 1;
}

/* Goes on to the window that this moment lies in. Times that have been before are no news. */
static inline void tx_limit_advance(struct tx_limit *limit, uint64_t now)
{
    if (now < limit->begin || now - limit->begin < limit->window) {
        return;
    }
    uint64_t windows = (now - limit->begin) / limit->window;
    limit->begin += windows * limit->window;
    if (limit->credit > 0 || windows > tx_limit_windows_due(limit)) {
        limit->credit = limit->worth; /* the debt is paid, and what is left over is lost */
        return;
    }
    /* So few windows that this is a window's worth at most. */
    limit->credit += (int64_t)windows * limit->worth;
}

/* Frames may be sent until they are this many bytes, or more by a part of the last. 0: not now. */
static inline uint32_t tx_limit_bytes(const struct tx_limit *limit)
{
    if (limit->credit <= 0) {
        return 0;
    }
    int64_t bytes = (limit->credit + TX_LIMIT_BYTE - 1) / TX_LIMIT_BYTE;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static inline void tx_limit_charge(struct tx_limit *limit, uint32_t bytes)
{
    limit->credit -= (int64_t)bytes * TX_LIMIT_BYTE;
}

/* When it may send again, who may not now; TX_LIMIT_NEVER if that is behind the end of time. */
static inline uint64_t tx_limit_until(const struct tx_limit *limit)
{
    uint64_t wait = tx_limit_windows_due(limit) * limit->window;
    return wait < TX_LIMIT_NEVER - limit->begin ? limit->begin + wait : TX_LIMIT_NEVER;
}
