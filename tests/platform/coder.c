/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A region that holds code: "coder" writes a function into it and tells the others, which may
 * execute it, and call it; then they try to write, which is a fault for who may not.
 */
#include <stdint.h>
#include <string.h>

#include <microkit.h>

unsigned char *code; /* set by the description */

/* mov $4711, %eax; ret */
static const unsigned char function[] = {0xb8, 0x67, 0x12, 0x00, 0x00, 0xc3};

void init(void)
{
    if (strcmp(microkit_name, "coder") == 0) {
        memcpy(code, function, sizeof function);
        for (microkit_channel ch = 1; ch <= 3; ch++)
            microkit_notify(ch);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
    int answer = ((int (*)(void))(uintptr_t)code)();
    microkit_dbg_put32((seL4_Uint32)answer);
    microkit_dbg_puts(" was executed\n");
    *(volatile unsigned char *)code = 0;
    microkit_dbg_puts("and overwritten\n");
}
