/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a timer driver that is the same for every device: clients call and are notified, the
 * timeouts are kept in order, and the device is set to the next of them (timer/driver.h).
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <microkit.h>

#include "driver.h"
#include "sddf/clock.h"
#include "sddf/timer.h"
#include "timeouts.h"

#define NO_CLIENT 0xff

struct timer_driver_config sddf_timer_config;

static bool running;
static uint8_t irq;
static uint8_t client_of[64]; /* by channel; NO_CLIENT */
static struct timeouts timeouts;
/*
 * By client: not notified before. Of its timeouts those up to then are taken out of the heap in
 * advance, and its last slot stands for all of them, so neither the timer nor a call of the
 * client's wakes anybody earlier.
 */
static uint64_t quiet_until[TIMER_CLIENTS_MAX];

/*
 * What all clients together may have of this driver: each time that it is woken and each
 * notification takes TIMER_SHARE of it, at most TIMER_BURST in advance, and before `rested` it
 * does neither. All that is due then is notified in one go, so nobody waits for its turn.
 */
static uint64_t rested;

static uint64_t armed; /* when the timer goes off; TIMEOUTS_NEVER: it is not set */

static void tire(uint64_t now, uint64_t shares)
{
    uint64_t since = now > TIMER_BURST ? now - TIMER_BURST : 0;
    rested = (rested > since ? rested : since) + shares * TIMER_SHARE;
}

/* When there is something to do next, which is no time in the past of `rested`. */
static uint64_t next(void)
{
    uint64_t deadline = timeouts_next(&timeouts);
    return deadline > rested ? deadline : rested;
}

static void arm(void)
{
    armed = timeouts_next(&timeouts);
    if (armed == TIMEOUTS_NEVER) {
        timer_device_stop();
        return;
    }
    armed = next();
    uint64_t now = sddf_clock_now();
    timer_device_set(armed > now ? armed - now : 1);
}

/* A timeout that may not be notified by itself any more joins those that wait for the gap's end. */
static void gather(uint32_t client, uint32_t id)
{
    uint32_t first = client * TIMEOUTS_PER_CLIENT;
    if (timeouts_take(&timeouts, first + id, quiet_until[client])) {
        timeouts_set(&timeouts, first + TIMER_IDS, quiet_until[client], 0);
    }
}

static void notify(uint32_t client, uint64_t now)
{
    microkit_notify(sddf_timer_config.client[client]);
    /*
     * If the gap has just ended, the next one begins where it should have: being late each time by
     * a little must not make a client's periods longer, or some of them would be missed.
     */
    bool just_ended = now - quiet_until[client] < TIMER_GAP;
    quiet_until[client] = (just_ended ? quiet_until[client] : now) + TIMER_GAP;
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        gather(client, id);
    }
}

/*
 * Notifies every client that has something due, once each. At most one round over the slots per
 * reading of the clock: a slot that was taken is not due again at the same `now`.
 */
static void expire(uint64_t now)
{
    uint64_t due = 0;
    uint64_t shares = 1;
    uint32_t slot;
    while (timeouts_expire(&timeouts, now, &slot)) {
        due |= UINT64_C(1) << (slot / TIMEOUTS_PER_CLIENT);
    }
    for (uint32_t client = 0; due != 0; client++, due >>= 1) {
        if (due & 1) {
            notify(client, now);
            shares++;
        }
    }
    tire(now, shares);
}

void notified(microkit_channel ch)
{
    if (!running || ch != irq) {
        return;
    }
    uint64_t now = sddf_clock_now();
    if (now >= rested) {
        expire(now);
    }
    arm();
    microkit_irq_ack(irq);
}

static enum timer_answer serve(microkit_channel ch, microkit_msginfo call)
{
    uint8_t client = ch < sizeof(client_of) ? client_of[ch] : NO_CLIENT;
    seL4_Word label = microkit_msginfo_get_label(call);
    seL4_Word words = microkit_msginfo_get_count(call);
    bool set = label == TIMER_CALL_SET && words >= 3;
    bool cancel = label == TIMER_CALL_CANCEL && words >= 1;
    if (client == NO_CLIENT || (!set && !cancel)) {
        return TIMER_BAD_CALL;
    }
    seL4_Word id = microkit_mr_get(0);
    if (id >= TIMER_IDS) {
        return TIMER_BAD_ID;
    }
    uint32_t slot = (uint32_t)(client * TIMEOUTS_PER_CLIENT + id);
    if (cancel) {
        timeouts_cancel(&timeouts, slot);
        return TIMER_OK;
    }
    uint64_t deadline = microkit_mr_get(1);
    uint64_t period = microkit_mr_get(2);
    if (period != 0 && period < TIMER_PERIOD_MIN) {
        return TIMER_BAD_PERIOD;
    }
    timeouts_set(&timeouts, slot, deadline, period);
    gather(client, (uint32_t)id);
    return TIMER_OK;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo call)
{
    enum timer_answer answer = running ? serve(ch, call) : TIMER_BAD_CALL;
    /*
     * Only towards an earlier time. When the next deadline has moved away (TCP does that with every
     * packet), the timer goes off too early once, finds nothing, and is set again: cheaper than
     * setting the device each time.
     */
    if (answer == TIMER_OK && next() < armed) {
        uint64_t now = sddf_clock_now();
        if (next() <= now) {
            expire(now); /* a deadline that has passed is due at once */
        }
        arm();
    }
    return microkit_msginfo_new(answer, 0);
}

void init(void)
{
    running = false;
    const struct timer_driver_config *config = &sddf_timer_config;
    if (!sddf_config_ok(&config->header, SDDF_ROLE_TIMER_DRIVER, sizeof(*config)) ||
        config->client_count > TIMER_CLIENTS_MAX || config->device.irq_count != 1 ||
        !timer_device_init(&config->device)) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": configuration sddf_timer_config does not match this program\n");
        return;
    }
    irq = config->device.irq[0];
    for (uint32_t ch = 0; ch < sizeof(client_of); ch++) {
        client_of[ch] = NO_CLIENT;
    }
    for (uint32_t client = 0; client < config->client_count; client++) {
        client_of[config->client[client] % sizeof(client_of)] = (uint8_t)client;
    }
    timeouts_init(&timeouts);
    memset(quiet_until, 0, sizeof(quiet_until));
    rested = 0;
    armed = TIMEOUTS_NEVER;
    running = true;
    microkit_irq_ack(irq);
}
