/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer class: a driver owns the hardware and wakes its clients when they asked for it.
 *
 *      client --- protected procedure: set, cancel ---> driver --- hardware
 *             <-- notification: something is due ------
 *
 * "Now" is no business of the driver's: everybody reads the clock for themselves (sddf/clock.h).
 * A client has TIMER_IDS timeouts, each one of: off, once at a time, or periodic. When at least one
 * is due, the driver notifies the client's channel, once however many are due; the client asks its
 * library which ones (timer_due), and the library works this out from its own record and the clock,
 * so nothing that the driver says is believed.
 *
 * A timeout never fires before its time. How late it may fire is the hardware's and the
 * scheduler's business, and at times the client's own: notifications to one client are at least
 * TIMER_GAP apart on average, and what becomes due between two of them is due with the second.
 * So a client alone gets a deadline on time, and none can keep the driver, which has a priority
 * above everybody's, from sleeping: not with many timeouts close together, nor with deadlines that
 * have passed. (Setting one more often than that costs the caller a call each time, and nobody a
 * notification.)
 *
 * Nor can all clients together: each time that the driver is woken, and each notification, takes
 * TIMER_SHARE of the time, so there are 40,000 of them in a second, whoever asks for more. Two
 * clients can have all that one may ask for; where more of them do, all wait a little longer, and
 * are notified together: (1 + number of clients that are due) * TIMER_SHARE, and no client waits
 * for longer than that because of the others.
 *
 * A client may be notified for a timeout that it has cancelled in the meantime.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sddf/config.h"

#define TIMER_IDS 8
#ifndef TIMER_CLIENTS_MAX /* models of it are small */
#define TIMER_CLIENTS_MAX 61
#endif

/*
 * The protected procedure's labels and message words. Every call answers with the label
 * TIMER_OK or one of the refusals.
 */
enum timer_call {
    TIMER_CALL_SET = 1, /* mr0 id, mr1 deadline (ns, sddf_clock_now's), mr2 period (ns; 0: once) */
    TIMER_CALL_CANCEL = 2, /* mr0 id */
};

enum timer_answer {
    TIMER_OK = 0,
    TIMER_BAD_CALL = 1,   /* unknown label, or too few message words */
    TIMER_BAD_ID = 2,     /* id >= TIMER_IDS */
    TIMER_BAD_PERIOD = 3, /* a period below TIMER_PERIOD_MIN */
    TIMER_GONE = 4,       /* the driver does not answer (it has died) */
};

/* Between two notifications to one client, on average. */
#define TIMER_GAP (100 * UINT64_C(1000)) /* ns */

/* What a wake-up of the driver takes, and a notification; and how much of that at once. */
#define TIMER_SHARE (25 * UINT64_C(1000)) /* ns */
#define TIMER_BURST (20 * TIMER_SHARE)

/* Of a shorter period some would be missed. */
#define TIMER_PERIOD_MIN TIMER_GAP /* ns */

struct timer_driver_config {
    struct sddf_config_header header;
    struct sddf_device_config device;
    uint32_t client_count;
    uint32_t reserved;
    uint8_t client[64]; /* client_count channels */
};

struct timer_client_config {
    struct sddf_config_header header;
    uint8_t channel;
    uint8_t reserved[7];
};

/* ---- the client library (timer/client.c) --------------------------------------------------- */

/*
 * A PD that is a timer client links timer/client.c, which defines sddf_timer_config (of type
 * struct timer_client_config; a driver's is a struct timer_driver_config). All functions
 * may be called from init and notified, none from protected (the driver has a higher priority than
 * its clients, and a callee's priority rises). Times in nanoseconds of sddf_clock_now().
 */

/* False if the configuration is not one of a timer client; call it first, in init. */
bool timer_init(void);

/* The channel on which the driver notifies. */
uint8_t timer_channel(void);

/*
 * Once, at `deadline` or after; a deadline in the past is due at once, but for TIMER_GAP and
 * TIMER_SHARE. Replaces what id was.
 */
enum timer_answer timer_set_at(uint32_t id, uint64_t deadline);

/* Once, `delay` from now. */
enum timer_answer timer_set_after(uint32_t id, uint64_t delay);

/* Every `period` from now on. Periods that were slept through are due once, not many times. */
enum timer_answer timer_set_periodic(uint32_t id, uint64_t period);

enum timer_answer timer_cancel(uint32_t id);

/* Which are due: bit id. A once is off afterwards; call it on a notification of timer_channel(). */
uint32_t timer_due(void);
