/* SPDX-License-Identifier: BSD-2-Clause */
/* The element <idle>, as it was written. */
#pragma once

#include "system/component.h"

#define IDLE_PRIORITY_COUNTER 0

struct idle_client {
    size_t pd; /* SYSTEM_NONE if there is no such PD */
    struct system_place place;
};

struct system_idle {
    char *device;
    struct idle_client *clients;
    size_t client_count;
    struct system_component counter;
    struct system_place place;
};
