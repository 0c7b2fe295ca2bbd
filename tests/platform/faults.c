/* SPDX-License-Identifier: BSD-2-Clause */
/* Goes wrong in its init, in the way that its own name says. */
#include <microkit_linux.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

volatile uint64_t *readable; /* a region that this PD may only read; set by the description */
static volatile unsigned zero;

static unsigned deeper(volatile unsigned char *above)
{
    volatile unsigned char here[256];
    here[0] = above == NULL ? 1 : above[0];
    return here[0] == 0 ? 0 : deeper(here) + here[0]; /* (it never is 0) */
}

static void go(uint64_t address)
{
    ((void (*)(void))address)();
}

static void harm(void)
{
    volatile uint64_t *nowhere = (volatile uint64_t *)0x70000000;
    static uint64_t data[1] = {0xc3};
    if (strcmp(microkit_name, "read_unmapped") == 0)
        (void)*nowhere;
    else if (strcmp(microkit_name, "write_unmapped") == 0)
        *nowhere = 1;
    else if (strcmp(microkit_name, "execute_unmapped") == 0)
        go(0x70000000);
    else if (strcmp(microkit_name, "write_text") == 0)
        *(volatile char *)(uintptr_t)init = 0;
    else if (strcmp(microkit_name, "execute_data") == 0)
        go((uint64_t)data);
    else if (strcmp(microkit_name, "write_region") == 0)
        *readable = 1;
    else if (strcmp(microkit_name, "not_canonical") == 0)
        *(volatile char *)UINT64_C(0x8000000000000000) = 1;
    else if (strcmp(microkit_name, "illegal") == 0)
        __asm__ volatile("ud2");
    else if (strcmp(microkit_name, "division") == 0)
        zero = 1000 / zero;
    else if (strcmp(microkit_name, "stack") == 0)
        zero = deeper(NULL);
    else if (strcmp(microkit_name, "breakpoint") == 0)
        __asm__ volatile("int3");
    else if (strcmp(microkit_name, "system_call") == 0)
        microkit_linux_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    else if (strcmp(microkit_name, "uretprobe") == 0)
        microkit_linux_syscall(335, 0, 0, 0, 0, 0, 0);
    else if (strcmp(microkit_name, "system_call_32") == 0)
        __asm__ volatile("int $0x80" : : "a"(20) : "memory");
    else if (strcmp(microkit_name, "widen") == 0)
        microkit_linux_syscall(SYS_mprotect, (long)readable, MK_PAGE, 3, 0, 0, 0);
}

void init(void)
{
    microkit_dbg_puts("going wrong\n");
    harm();
    microkit_dbg_puts("still here\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
