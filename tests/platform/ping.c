/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends numbers to pong through one region and reads them back, changed, in another, ROUNDS times.
 * Every round trip is two notifications; the content is compared each time. With a referee it
 * begins again each time, and tells that one.
 */
#include <microkit.h>
#include <sddf/clock.h>

#define ROUNDS  10000
#define CHANNEL 1

volatile uint64_t *request; /* set by the description */
volatile const uint64_t *response;
seL4_Word referee; /* a channel; 0: there is none (set by the description) */
static uint64_t round;
static uint64_t began;

static uint64_t expected(uint64_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

void init(void)
{
    began = sddf_clock_now();
    *request = ++round;
    microkit_notify(CHANNEL);
}

void notified(microkit_channel ch)
{
    if (ch != CHANNEL || *response != expected(round)) {
        microkit_dbg_puts("ping: wrong\n");
        return;
    }
    if (round == ROUNDS) {
        if (referee != 0) {
            microkit_notify((microkit_channel)referee);
            round = 0;
        } else {
            microkit_dbg_puts("ping: all right, ");
            microkit_dbg_put32((uint32_t)((sddf_clock_now() - began) / ROUNDS));
            microkit_dbg_puts(" ns a round\n");
            return;
        }
    }
    *request = ++round;
    microkit_notify(CHANNEL);
}
