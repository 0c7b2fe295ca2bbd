/* SPDX-License-Identifier: BSD-2-Clause */
/* Adds to the server's sum, and tells the others when it has. */
#include <microkit.h>

#define SERVER 0
#define OTHER  1
#define ROUNDS 100

void init(void)
{
    seL4_Word sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        microkit_mr_set(0, 1);
        microkit_msginfo answer = microkit_ppcall(SERVER, microkit_msginfo_new(1, 1));
        if (microkit_msginfo_get_label(answer) != 1 || microkit_mr_get(0) <= sum) {
            microkit_dbg_puts("wrong\n");
            return;
        }
        sum = microkit_mr_get(0);
    }
    microkit_dbg_puts("done\n");
    microkit_notify(OTHER);
}

void notified(microkit_channel ch)
{
    if (ch != OTHER)
        return;
    microkit_mr_set(0, 0);
    microkit_ppcall(SERVER, microkit_msginfo_new(1, 1));
    if (microkit_mr_get(0) == 2 * ROUNDS)
        microkit_dbg_puts("the sum is right\n");
}
