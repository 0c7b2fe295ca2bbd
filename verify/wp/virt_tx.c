/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's passes, and how it starts. */
#define WP_BITS
#define WP_HOLDERS
#define WP_MEMBERS
#include <microkit.h>

#include "sddf/clock.h"
#include "sddf/timer.h"

/* The timer's library has a state of its own; it looks at the clock. */
/*@ assigns \nothing; */
bool timer_init(void);
/*@ assigns sddf_clock_time; */
enum timer_answer timer_set_at(uint32_t id, uint64_t deadline);

#include "../../network/virt_tx.c"
