/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uses the processor without end and writes down for how long it ran at a stretch (bench/budget.py
 * reads that through the region). Between two looks at the clock lie some ten nanoseconds; where it
 * is much more, somebody else ran: for a short while (an interrupt, the loader, the host: that is
 * taken off), or for so long that its budget had been used up, which ends the stretch.
 */
#include <stdbool.h>

#include <microkit.h>
#include <sddf/clock.h>

#include "budget_spin.h"

volatile struct budget_figures *figures; /* set by the description */

static void clear(void)
{
    figures->stretches = figures->disturbed = figures->longest = 0;
    for (unsigned us = 0; us < BUDGET_LONGEST; us++)
        figures->count[us] = 0;
}

/* A stretch that has ended; for `late` ns it could have run, and somebody else did. */
static void write_down(uint64_t ran, uint64_t late)
{
    uint64_t us = ran / SDDF_NS_PER_US;
    figures->stretches++;
    if (late > figures->pause / 2) {
        figures->disturbed++;
        return;
    }
    figures->count[us < BUDGET_LONGEST ? us : BUDGET_LONGEST - 1]++;
    if (ran > figures->longest)
        figures->longest = ran;
}

void init(void)
{
    uint64_t epoch = 0, ran = 0, late = 0, before = sddf_clock_now();
    bool whole = false; /* its beginning was seen */
    for (;;) {
        uint64_t now = sddf_clock_now(), passed = now - before, pause = figures->pause;
        before = now;
        if (passed < BUDGET_OTHERS) {
            ran += passed;
        } else if (pause == 0 || passed <= pause) {
            late += passed;
        } else if (figures->epoch != epoch) {
            clear();
            epoch = figures->epoch;
            figures->cleared = epoch;
            before = sddf_clock_now();
            whole = false;
        } else {
            if (whole)
                write_down(ran, late);
            whole = true;
            late = passed > 2 * pause ? passed - 2 * pause : 0;
            ran = 0;
        }
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
