/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the Microkit's interface that the components use, for the models. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "verify/spin/world.h"

typedef unsigned int microkit_channel;

#define MICROKIT_MAX_CHANNELS 62

#define microkit_name "a component"

static inline void microkit_notify(microkit_channel ch)
{
    world_notify(ch);
}

static inline void microkit_deferred_notify(microkit_channel ch)
{
    world_defer(ch);
}

static inline void microkit_dbg_puts(const char *text)
{
    world_fail(text);
}

void init(void);
void notified(microkit_channel ch);
