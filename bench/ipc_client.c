/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A protection domain that measures (bench/ipc.c): calls of a procedure, notifications of a PD that
 * is awake, and notifications there and back. Prints each as "WHAT PICOSECONDS-PER-ROUND".
 */
#include <microkit.h>
#include <sddf/clock.h>

#define SERVER 1
#define LOW    2 /* of lower priority, on the same processor: woken once, and never there */
#define ROUNDS 20000
#define MANY   1000000

static uint64_t began;
static unsigned rounds;

static void report(const char *what, uint64_t count)
{
    microkit_dbg_puts(what);
    microkit_dbg_put32((uint32_t)((sddf_clock_now() - began) * 1000 / count));
    microkit_dbg_puts("\n");
}

void init(void)
{
    for (unsigned i = 0; i < 100; i++)
        microkit_ppcall(SERVER, microkit_msginfo_new(0, 0));
    began = sddf_clock_now();
    for (unsigned i = 0; i < ROUNDS; i++)
        microkit_ppcall(SERVER, microkit_msginfo_new(0, 0));
    report("call ", ROUNDS);

    microkit_notify(LOW);
    began = sddf_clock_now();
    for (unsigned i = 0; i < MANY; i++)
        microkit_notify(LOW);
    report("awake ", MANY);

    began = sddf_clock_now();
    microkit_notify(SERVER);
}

void notified(microkit_channel ch)
{
    if (ch != SERVER)
        return;
    if (++rounds == ROUNDS)
        report("notify ", ROUNDS);
    else
        microkit_notify(SERVER);
}
