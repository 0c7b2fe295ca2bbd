/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lower one of two on one processor: notifies the higher one (above.c), whose answer has to be
 * there before the next instruction here, each time.
 */
#include <microkit.h>

#define ROUNDS 100000
#define ABOVE  1

volatile uint64_t *question; /* set by the description */
volatile const uint64_t *answer;

void init(void)
{
}

/* The higher one has begun. */
void notified(microkit_channel ch)
{
    if (ch != ABOVE)
        return;
    uint32_t answered = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        *question = round;
        microkit_notify(ABOVE);
        answered += *answer == round;
    }
    microkit_dbg_put32(answered);
    microkit_dbg_puts(" of 100000 answered at once\n");
}
