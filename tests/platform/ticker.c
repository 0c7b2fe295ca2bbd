/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timer client that says how its timeouts went: ten periods of 20 ms, then one timeout of 50 ms
 * and one that is cancelled before it is due. Times in microseconds.
 */
#include <stdbool.h>
#include <stdint.h>

#include <microkit.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

#define PERIOD    (20 * SDDF_NS_PER_MS)
#define ONCE      (50 * SDDF_NS_PER_MS)
#define CANCELLED (30 * SDDF_NS_PER_MS)

enum { PERIODIC, SINGLE, NEVER };

static uint64_t start;
static uint64_t set_at;
static unsigned periods;

static void say(const char *what, uint64_t ns)
{
    microkit_dbg_puts(what);
    microkit_dbg_put32((uint32_t)(ns / SDDF_NS_PER_US));
    microkit_dbg_puts(" us\n");
}

void notified(microkit_channel ch)
{
    if (ch != timer_channel()) {
        return;
    }
    const uint64_t now = sddf_clock_now();
    const uint32_t due = timer_due();
    if (due & 1u << PERIODIC) {
        periods++;
        say("period ended at ", now - start);
        if (periods == 10) {
            timer_cancel(PERIODIC);
            set_at = sddf_clock_now();
            timer_set_after(SINGLE, ONCE);
            timer_set_after(NEVER, CANCELLED);
            timer_cancel(NEVER);
        }
    }
    if (due & 1u << SINGLE) {
        say("single after ", now - set_at);
        microkit_dbg_puts("ticker: done\n");
    }
    if (due & 1u << NEVER) {
        microkit_dbg_puts("ticker: a timeout came that was cancelled\n");
    }
}

void init(void)
{
    periods = 0;
    if (!timer_init()) {
        microkit_dbg_puts("ticker: no timer\n");
        return;
    }
    start = sddf_clock_now();
    timer_set_periodic(PERIODIC, PERIOD);
}
