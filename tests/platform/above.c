/* SPDX-License-Identifier: BSD-2-Clause */
/* The higher one of two (below.c): answers what it is notified of. */
#include <microkit.h>

volatile const uint64_t *question; /* set by the description */
volatile uint64_t *answer;

#define BELOW 5

void init(void)
{
    microkit_notify(BELOW); /* from now on it listens */
}

void notified(microkit_channel ch)
{
    (void)ch;
    *answer = *question;
}
