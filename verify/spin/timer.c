/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: a device and its clock - the timer driver - two clients. */
#include "verify/spin/sleeper.h"
#include "verify/spin/stub_timer.h"
#include "verify/spin/stubs.h"

#include <stddef.h>

#ifndef RESTARTS
#define RESTARTS 0
#endif

extern struct timer_driver_config driver_sddf_timer_config;
extern struct timer_client_config a_sddf_timer_config, b_sddf_timer_config;
extern struct sleeper a_sleeper, b_sleeper;
void driver_init(void);
void driver_notified(unsigned channel);
microkit_msginfo driver_protected(unsigned channel, microkit_msginfo call);
void a_init(void);
void a_notified(unsigned channel);
void b_init(void);
void b_notified(unsigned channel);

enum { DRIVER, A, B, CLOCK };
enum { IRQ = 0 };

static void signals(unsigned channel);

const struct world_pd scenario_pd[] = {
    [DRIVER] = {"timer driver",
                driver_init,
                driver_notified,
                {[1] = {A, 0}, [2] = {B, 0}},
                driver_protected,
                stub_timer_acknowledges,
                signals},
    [A] = {"client A", a_init, a_notified, {{DRIVER, 1}}, .restarts = RESTARTS},
    [B] = {"client B", b_init, b_notified, {{DRIVER, 2}}},
    [CLOCK] = {"clock", stub_timer_init, stub_timer_notified, .device = true},
};
const unsigned scenario_pds = 4;
const unsigned scenario_stops = WORLD_SIGNALS | WORLD_TIMES;

/* Both sleep three times, for shorter than they may; B has a beat besides, which it cancels. */
static struct sleeper *const sleeper[] = {&a_sleeper, &b_sleeper};
static struct {
    unsigned times;
    uint64_t last;
} signalled[2] STUB_STATE;

enum { NAPS = 3, BEATS = 2, HURRIES = 2 - RESTARTS };

void scenario_start(void)
{
    driver_sddf_timer_config = (struct timer_driver_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_DRIVER,
                   sizeof(driver_sddf_timer_config), 0},
        .device = {.irq_count = 1, .irq = {IRQ}},
        .client_count = 2,
        .client = {A, B},
    };
    const struct timer_client_config client = {
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT, sizeof(client),
                   0},
        .channel = 0,
    };
    a_sddf_timer_config = b_sddf_timer_config = client;
    a_sleeper = (struct sleeper){.delay = {5 * STUB_TICK}, .left = {NAPS}};
    b_sleeper = (struct sleeper){.delay = {STUB_TICK, TIMER_PERIOD_MIN}, .left = {NAPS, BEATS}};
    stub_timer = (struct stub_timer){.me = CLOCK, .driver = DRIVER, .irq = IRQ};
    world_time = UINT64_C(1) << 40;
    stub_timer.hurries = HURRIES;
    stub_timer.end = world_time + 60 * STUB_TICK;
}

/* A client's notifications are a gap apart: one more than there have been gaps, at the most. */
static void signals(unsigned channel)
{
    const uint64_t since = world_time - (UINT64_C(1) << 40);
    if (signalled[channel - A].times++ * TIMER_GAP > since) {
        world_fail("a client is notified more often than it may be");
    }
    signalled[channel - A].last = world_time;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/*
 * A deadline waits for the gap's end, and for nothing else: so few are never too many together.
 * But time may go on between the driver's look at the clock, and its setting the device.
 */
const char *scenario_overdue(void)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned id = 0; id < SLEEPER_IDS; id++) {
            const uint64_t latest =
                later(sleeper[i]->latest[id], signalled[i].last + TIMER_GAP) + HURRIES * STUB_TICK;
            if (sleeper[i]->left[id] == 0) {
                continue;
            }
            if (stub_timer.deadline == 0) {
                return "a client waits for a timeout, and the timer is not set";
            }
            if (stub_timer.deadline > later(latest, world_time + 1)) {
                return "a client waits for a timeout, and the timer goes off later";
            }
        }
    }
    return NULL;
}

bool scenario_sleeps(void)
{
    unsigned left = 0;
    for (unsigned i = 0; i < 2; i++) {
        left += sleeper[i]->left[SLEEPER_NAP] + sleeper[i]->left[SLEEPER_BEAT];
    }
    return left != 0;
}

const char *scenario_settled(void)
{
    return scenario_sleeps() ? "a timeout has not come, and its client sleeps" : NULL;
}

bool scenario_served(unsigned client)
{
    (void)client;
    return !scenario_sleeps();
}
