/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code of the exit page (abi.h, struct mk_exit): the loader copies it there. It runs where
 * nothing else is left to run: no stack, no other code. On the way out every register is cleared.
 */
#include <asm/unistd.h>

    .section .rodata
    .globl mk_exit_code, mk_exit_code_end
    .balign 16
mk_exit_code:
    lea mk_exit_code+512(%rip), %rbx /* MK_EXIT_DATA: struct mk_exit */
    mov 24(%rbx), %r12               /* gaps */
    lea 48(%rbx), %r13
    xor %edx, %edx
1:  test %r12, %r12
    jz 2f
    mov (%r13), %rdi
    mov 8(%r13), %rsi
    mov $__NR_munmap, %eax
    syscall
    mov $6, %edi                     /* MK_STEP_UNMAP */
    test %rax, %rax
    jnz 3f
    add $16, %r13
    dec %r12
    jmp 1b

2:  mov $__NR_seccomp, %eax
    mov $1, %edi                     /* SECCOMP_SET_MODE_FILTER */
    xor %esi, %esi
    lea 32(%rbx), %rdx
    syscall
    mov $7, %edi                     /* MK_STEP_FILTER */
    test %rax, %rax
    jnz 3f
    mov 8(%rbx), %rsp
    xor %edi, %edi                   /* MK_STEP_READY */
    xor %esi, %esi
    int3                             /* held here until all PDs are */
    mov 16(%rbx), %rdi
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    jmp *mk_exit_code+512(%rip)      /* entry */

3:  mov %rax, %rsi
    neg %rsi
4:  int3
    jmp 4b
mk_exit_code_end:
    .org mk_exit_code + 512 /* an error here: the code reaches into its data */
    .section .note.GNU-stack, "", @progbits
