/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's program on the shipped timer/client.c. */
#include "verify/spin/sleeper.h"

#include <microkit.h>

#include "sddf/timer.h"
#include "verify/spin/world.h"

struct sleeper sleeper;

static void sleep(unsigned id)
{
    const uint64_t delay = sleeper.delay[id];
    sleeper.earliest[id] = world_time + delay;
    const enum timer_answer answer =
        id == SLEEPER_BEAT ? timer_set_periodic(id, delay) : timer_set_after(id, delay);
    sleeper.latest[id] = world_time + delay;
    if (answer != TIMER_OK) {
        world_fail("the timer refuses a timeout");
    }
}

static void wake(unsigned id)
{
    if (sleeper.left[id] == 0) {
        world_fail("a timeout comes that was cancelled");
        return;
    }
    if (world_time < sleeper.earliest[id]) {
        world_fail("a timeout comes before its time");
    }
    sleeper.left[id]--;
    if (sleeper.left[id] == 0) {
        timer_cancel(id);
    } else if (id == SLEEPER_NAP) {
        sleep(id);
    } else {
        sleeper.earliest[id] += sleeper.delay[id];
        sleeper.latest[id] = world_time + sleeper.delay[id];
    }
}

void init(void)
{
    if (!timer_init()) {
        world_fail("a client's configuration is refused");
    }
    for (unsigned id = 0; id < SLEEPER_IDS; id++) {
        if (sleeper.left[id] != 0) {
            sleep(id);
        }
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
    const uint32_t due = timer_due();
    for (unsigned id = 0; id < SLEEPER_IDS; id++) {
        if ((due >> id & 1) != 0) {
            wake(id);
        }
    }
}
