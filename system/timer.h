/* SPDX-License-Identifier: BSD-2-Clause */
/* The element <timer>, as it was written. */
#pragma once

#include "system/component.h"

#define TIMER_PRIORITY_DRIVER 150

struct timer_client {
    size_t pd; /* SYSTEM_NONE if there is no such PD */
    struct system_place place;
};

struct system_timer {
    char *device;
    struct timer_client *clients;
    size_t client_count;
    struct system_component driver;
    struct system_place place;
};
