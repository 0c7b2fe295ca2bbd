/* SPDX-License-Identifier: BSD-2-Clause */
/* What a timer's client of a scenario is to do, and has done. */
#pragma once

#include <stdint.h>

enum { SLEEPER_NAP, SLEEPER_BEAT, SLEEPER_IDS }; /* each anew; all at once */

struct sleeper {
    uint64_t delay[SLEEPER_IDS];
    unsigned left[SLEEPER_IDS]; /* that are still to come */
    /* Between these two lies the next deadline: when the clock is read for it we do not see. */
    uint64_t earliest[SLEEPER_IDS], latest[SLEEPER_IDS];
};
