/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock of a scenario, which goes on in steps of a fixed length, and the device of the timer
 * class, which looks at it: one protection domain, that notifies itself on channel 0 as long as
 * time goes on. It goes on while the others wait, until they have all that they wait for, or time
 * ends; and a few times, at any moment, while they are busy.
 */
#pragma once

#include "sddf/timer.h"
#include "verify/spin/world.h"

enum { STUB_TICK = 25000 }; /* ns: TIMER_SHARE, of which all other times are multiples */

struct stub_timer {
    unsigned me, driver, irq; /* whose interrupt it is, on which channel */
    uint64_t end;             /* when time ends */
    unsigned hurries;         /* how often it may go on while somebody is busy */
    uint64_t deadline;        /* 0: not set */
    bool asserted, masked;
    bool withdrawn; /* since the driver heard of it */
};
extern struct stub_timer stub_timer;

void stub_timer_init(void);
void stub_timer_notified(unsigned channel);
void stub_timer_acknowledges(unsigned channel); /* the driver */

/* The scenario's: somebody waits for some time to come. */
bool scenario_sleeps(void);
/* The scenario's: somebody waits for a deadline that has passed. NULL, or what is wrong. */
const char *scenario_overdue(void);
