/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_microkit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NO_CHANNEL MICROKIT_MAX_CHANNELS

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "test_pd";

static _Atomic unsigned signals[MICROKIT_MAX_CHANNELS];
static _Thread_local microkit_channel deferred = NO_CHANNEL;
static _Thread_local unsigned deferred_lost;
static char output[4096];
static size_t output_length;
static seL4_Word registers[64];

/* Tests that run several components give their entry points names of their own. */
__attribute__((weak)) void notified(microkit_channel ch)
{
    (void)ch;
}

void fake_microkit_reset(void)
{
    for (unsigned ch = 0; ch < MICROKIT_MAX_CHANNELS; ch++) {
        signals[ch] = 0;
    }
    memset(registers, 0, sizeof(registers));
    deferred = NO_CHANNEL;
    deferred_lost = 0;
    output_length = 0;
    output[0] = '\0';
}

unsigned fake_microkit_signals(microkit_channel ch)
{
    return atomic_exchange(&signals[ch], 0);
}

unsigned fake_microkit_deferred_lost(void)
{
    return deferred_lost;
}

void fake_microkit_wake(microkit_channel ch)
{
    notified(ch);
    if (deferred != NO_CHANNEL) {
        signals[deferred]++;
        deferred = NO_CHANNEL;
    }
}

const char *fake_microkit_output(void)
{
    return output;
}

void microkit_notify(microkit_channel ch)
{
    if (ch >= MICROKIT_MAX_CHANNELS) {
        abort(); /* a component made a channel number up */
    }
    signals[ch]++;
}

void microkit_deferred_notify(microkit_channel ch)
{
    if (ch >= MICROKIT_MAX_CHANNELS) {
        abort();
    }
    deferred_lost += deferred != NO_CHANNEL && deferred != ch;
    deferred = ch;
}

void microkit_irq_ack(microkit_channel ch)
{
    (void)ch;
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    (void)ch;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    registers[mr % 64] = value;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return registers[mr % 64];
}

void microkit_dbg_putc(int c)
{
    if (output_length + 1 < sizeof(output)) {
        output[output_length++] = (char)c;
        output[output_length] = '\0';
    }
}

void microkit_dbg_puts(const char *s)
{
    while (*s != '\0') {
        microkit_dbg_putc(*s++);
    }
}
