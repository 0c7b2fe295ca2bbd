/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uses the processor without end. Between two looks at the clock that lie far apart it did not run;
 * it prints the longest time it ran at a stretch, and the shortest pause, as its region says when.
 */
#include <microkit.h>
#include <sddf/clock.h>

#define PAUSE UINT64_C(150000) /* ns: others, and the machine's own affairs, take less */

struct spin_figures { /* read from outside, through the region */
    uint64_t stretches;
    uint64_t longest;  /* ns */
    uint64_t too_long; /* stretches of more than the limit, in ns, that the reader wrote */
    uint64_t limit;
};

volatile struct spin_figures *figures; /* set by the description */

void init(void)
{
    uint64_t began = sddf_clock_now(), before = began;
    for (;;) {
        uint64_t now = sddf_clock_now();
        if (now - before > PAUSE) {
            uint64_t ran = before - began;
            if (ran > figures->longest)
                figures->longest = ran;
            if (figures->limit != 0 && ran > figures->limit)
                figures->too_long++;
            figures->stretches++;
            began = now;
        }
        before = now;
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
