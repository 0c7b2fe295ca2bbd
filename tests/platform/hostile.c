/* SPDX-License-Identifier: BSD-2-Clause */
/* The hostile PD that links the library, whose calls it misuses first. */
#include <microkit.h>

#include "hostile.h"

void init(void)
{
    if (hostile_next == 0)
        for (microkit_channel ch = 1; ch < 70; ch++) /* all that it lacks */
            microkit_notify(ch);
    hostile_try();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
