/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passes a call of 64 words on to the one above, if there is one (channel UP), each word with one
 * added on the way; the highest of them returns the words as they came. The lowest begins (first).
 */
#include <microkit.h>

#define UP    1
#define DOWN  2
#define WORDS 64

seL4_Word first, last; /* set by the description: 0, or the number of a channel */

static microkit_msginfo pass_on(void)
{
    for (seL4_Uint8 i = 0; i < WORDS; i++)
        microkit_mr_set(i, microkit_mr_get(i) + 1);
    return microkit_ppcall(UP, microkit_msginfo_new(7, WORDS));
}

void init(void)
{
    if (first == 0)
        return;
    for (unsigned round = 0; round < 1000; round++) {
        for (seL4_Uint8 i = 0; i < WORDS; i++)
            microkit_mr_set(i, round * 1000 + i);
        microkit_msginfo info = pass_on();
        unsigned right = microkit_msginfo_get_label(info) == 7;
        for (seL4_Uint8 i = 0; i < WORDS; i++) /* one was added here, and one by each in between */
            right += microkit_mr_get(i) == round * 1000 + i + 3;
        if (microkit_msginfo_get_count(info) != WORDS || right != 1 + WORDS) {
            microkit_dbg_puts("wrong\n");
            return;
        }
    }
    microkit_dbg_puts("1000 calls of 64 words through two others\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    if (ch != DOWN)
        return microkit_msginfo_new(0, 0);
    return last != 0 ? msginfo : pass_on();
}
