/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped queue, used as components use it, by two threads. */
#pragma once

#include "verify/weak/weak.h"

extern const struct wk_program queues[];
extern const unsigned queues_count;

/* Makes the queues' memory as it is before anybody runs. To be called once, before wk_check(). */
void queues_prepare(void);

/* An order that the queue's header asks for, made weaker, and the program that must go wrong then.
 */
struct queues_order {
    struct wk_weakening weakening;
    const char *program;
};

extern const struct queues_order queues_orders[];
extern const unsigned queues_orders_count;
