/* SPDX-License-Identifier: BSD-2-Clause */
/* The hostile PD without the library: a program of its own from its first instruction on. */
#include "hostile.h"

__asm__(".section .init, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call hostile_main\n"
        "    ud2\n"
        ".text\n");

_Noreturn __attribute__((used)) void hostile_main(void)
{
    for (;;)
        hostile_try();
}
