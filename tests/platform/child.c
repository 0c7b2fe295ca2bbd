/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child that goes wrong as its name says, each time it is started. What it counts is in static
 * data, which a restart leaves alone.
 */
#include <microkit_linux.h>
#include <string.h>

static unsigned boots;
static unsigned initialized = 17;
static volatile unsigned zero;

static unsigned deeper(volatile unsigned char *above)
{
    volatile unsigned char here[256];
    here[0] = above == NULL ? 1 : above[0];
    return here[0] == 0 ? 0 : deeper(here) + here[0]; /* (it never is 0) */
}

static void harm(void)
{
    if (strcmp(microkit_name, "memory") == 0)
        *(volatile unsigned *)0x70000000 = 1;
    else if (strcmp(microkit_name, "execution") == 0)
        ((void (*)(void))0x70000000)();
    else if (strcmp(microkit_name, "stack") == 0)
        zero = deeper(NULL);
    else if (strcmp(microkit_name, "call") == 0)
        microkit_linux_syscall(39, 12, 0, 0, 0, 0, 0);
    else if (strcmp(microkit_name, "division") == 0)
        zero = 1000 / zero;
    else if (strcmp(microkit_name, "illegal") == 0)
        __asm__ volatile("ud2");
    else if (strcmp(microkit_name, "emulated") == 0) {
        microkit_dbg_put32((seL4_Uint32)microkit_linux_syscall(39, 12, 0, 0, 0, 0, 0));
        microkit_dbg_puts(" answered\n");
    } else if (strcmp(microkit_name, "busy") == 0)
        for (;;)
            zero = zero;
}

void init(void)
{
    microkit_dbg_puts("boot ");
    microkit_dbg_put32(++boots);
    microkit_dbg_puts(" ");
    microkit_dbg_put32(initialized++);
    microkit_dbg_puts("\n");
    if (strcmp(microkit_name, "server") != 0)
        harm();
}

void notified(microkit_channel ch)
{
    (void)ch;
}

/* Every third call is its last. */
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    static unsigned calls;
    if (++calls % 3 == 0)
        __asm__ volatile("ud2");
    return microkit_msginfo_new(microkit_msginfo_get_label(msginfo) + ch, 0);
}
