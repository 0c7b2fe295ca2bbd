/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two mistakes that no page table sees, one for Valgrind and one for AddressSanitizer, and a call
 * of what a hosted program must have as well: the regions, what the description sets, snprintf.
 */
#include <microkit.h>
#include <stdio.h>

volatile uint64_t *shared;                    /* set by the description */
static volatile unsigned words[16], more[16]; /* side by side */
volatile unsigned seventeen = 17;

static void decide(void)
{
    unsigned nobody_set[4];
    __asm__ volatile(""
                     :
                     : "r"(nobody_set)
                     : "memory"); /* (for all that the compiler knows, set) */
    if (nobody_set[seventeen % 4] == 12345)
        microkit_dbg_puts("by chance\n");
}

void init(void)
{
    char text[128];
    *shared = 4711;
    snprintf(text, sizeof text, "%s has %llu at %p\n", microkit_name, (unsigned long long)*shared,
             (void *)shared);
    microkit_dbg_puts(text);
    decide();
    /* Beyond the first of the two, so that where nobody sees it, it hits nothing but the second. */
    bool more_first = (uintptr_t)more + sizeof more == (uintptr_t)words;
    (more_first ? more : words)[seventeen] = 1;
    microkit_dbg_puts("still here\n");
}

void notified(microkit_channel ch)
{
    microkit_notify(ch);
    microkit_dbg_puts("notified\n");
}
