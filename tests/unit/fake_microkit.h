/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Microkit's interface for unit tests: a component is linked, or included, into the test, which
 * calls its entry points as the platform would and plays all of its neighbours. Notifications are
 * counted, deferred ones too; output is kept.
 */
#pragma once

#include <microkit.h>

/* Nothing has been notified or printed, message registers are zero. */
void fake_microkit_reset(void);

/* How often this channel was notified since it was last asked; the answer forgets them. */
unsigned fake_microkit_signals(microkit_channel ch);

/* How often two different channels were given to the one deferred slot in one wake-up. */
unsigned fake_microkit_deferred_lost(void);

/* Calls notified(ch), then sends what was deferred. */
void fake_microkit_wake(microkit_channel ch);

/* All that was printed. */
const char *fake_microkit_output(void);
