/* SPDX-License-Identifier: BSD-2-Clause */
/* What budget_spin.c writes down; bench/budget.py reads it by these offsets. */
#pragma once

#include <stdint.h>

#define BUDGET_OTHERS  UINT64_C(1000) /* ns: a longer gap is somebody else's */
#define BUDGET_LONGEST 120000         /* us */

struct budget_figures {
    uint64_t pause;   /* the reader's: ns, half of what it pauses; a longer gap ends a stretch */
    uint64_t epoch;   /* the reader's: when it changes, all is counted anew ... */
    uint64_t cleared; /* ... from when this is the same */
    uint64_t stretches;
    uint64_t disturbed;             /* of them: so late that what is left may join the next one */
    uint64_t longest;               /* ns */
    uint32_t count[BUDGET_LONGEST]; /* by whole us */
};
