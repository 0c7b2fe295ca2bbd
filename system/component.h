/* SPDX-License-Identifier: BSD-2-Clause */
/* What a description may say about a PD that expansion makes: each value, if it was given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "system/system.h"

struct system_component {
    bool has_priority, has_cpu, has_budget, has_period, has_poll;
    uint64_t priority;
    uint64_t cpu;
    uint64_t budget;
    uint64_t period;
    uint64_t poll;
    struct system_place place; /* line 0: the description does not speak of it */
};
