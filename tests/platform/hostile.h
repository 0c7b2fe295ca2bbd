/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hostile PD tries, one thing per start: its parent (warden.c) restarts it after each fault,
 * and the count of attempts, static data, survives. Needs nothing but the boot page: hostile.c
 * links the library, hostile_bare.c does not.
 */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

#define BOOT   ((const struct mk_boot *)MK_BOOT_AT)
#define SHARED UINT64_C(0x10000000) /* a region that it has rw- */
#define SECRET UINT64_C(0x20000000) /* one that it has r-- */

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline void say(const char *what, const char *name)
{
    char line[128];
    size_t used = 0;
    for (; *what != '\0' && used < 100; what++)
        line[used++] = *what;
    for (; *name != '\0' && used < 126; name++)
        line[used++] = *name;
    line[used++] = '\n';
    call(SYS_write, BOOT->debug, (long)line, (long)used, 0, 0, 0);
}

/* System calls, none of which is its to make. */
static const struct hostile_call {
    const char *name;
    long number, a, b, c, d, e, f;
} hostile_calls[] = {
    {"open", SYS_open, (long)"/etc/passwd", 0, 0, 0, 0, 0},
    {"openat", SYS_openat, -100, (long)"/", 0, 0, 0, 0},
    {"socket", SYS_socket, 2, 2, 0, 0, 0, 0},
    {"ptrace", SYS_ptrace, 16, 1, 0, 0, 0, 0},
    {"kill", SYS_kill, -1, 9, 0, 0, 0, 0},
    {"tgkill", SYS_tgkill, 1, 1, 9, 0, 0, 0},
    {"fork", SYS_fork, 0, 0, 0, 0, 0, 0},
    {"vfork", SYS_vfork, 0, 0, 0, 0, 0, 0},
    {"clone", SYS_clone, 0x11, 0, 0, 0, 0, 0},
    {"clone3", SYS_clone3, 0, 0, 0, 0, 0, 0},
    {"execve", SYS_execve, (long)"/bin/sh", 0, 0, 0, 0, 0},
    {"execveat", SYS_execveat, 1, (long)"", 0, 0, 0x1000, 0},
    {"mmap of new memory", SYS_mmap, 0, 1 << 30, 3, 0x22, -1, 0},
    {"mmap over a region", SYS_mmap, (long)SECRET, 4096, 3, 0x32, -1, 0},
    {"mremap", SYS_mremap, (long)SHARED, 4096, 1 << 20, 1, 0, 0},
    {"munmap", SYS_munmap, (long)SHARED, 4096, 0, 0, 0, 0},
    {"mprotect: to write what it may read", SYS_mprotect, (long)SECRET, 4096, 3, 0, 0, 0},
    {"mprotect: to execute data", SYS_mprotect, (long)SHARED, 4096, 7, 0, 0, 0},
    {"brk", SYS_brk, 0, 0, 0, 0, 0, 0},
    {"memfd_create", SYS_memfd_create, (long)"", 0, 0, 0, 0, 0},
    {"ftruncate of its doorbell", SYS_ftruncate, 1, 0, 0, 0, 0, 0},
    {"ftruncate of what might be a region", SYS_ftruncate, 4, 1 << 30, 0, 0, 0, 0},
    {"remap_file_pages", SYS_remap_file_pages, (long)SHARED, 4096, 0, 1, 0, 0},
    {"madvise: to take pages out of a region", SYS_madvise, (long)SHARED, 4096, 9, 0, 0, 0},
    {"fallocate", SYS_fallocate, 3, 0, 0, 1 << 30, 0, 0},
    {"fcntl: flags of its doorbell", SYS_fcntl, 1, 4, 04000, 0, 0, 0},
    {"fcntl: flags of a peer's doorbell", SYS_fcntl, 3, 4, 04000, 0, 0, 0},
    {"fcntl: seals", SYS_fcntl, 3, 1033, 8, 0, 0, 0},
    {"ioctl", SYS_ioctl, 2, 0x5421, (long)SHARED, 0, 0, 0},
    {"dup", SYS_dup, 1, 0, 0, 0, 0, 0},
    {"dup2", SYS_dup2, 1, 100, 0, 0, 0, 0},
    {"close", SYS_close, 1, 0, 0, 0, 0, 0},
    {"pipe", SYS_pipe, (long)SHARED, 0, 0, 0, 0, 0},
    {"eventfd", SYS_eventfd2, 0, 0, 0, 0, 0, 0},
    {"splice", SYS_splice, 1, 0, 2, 0, 8, 0},
    {"vmsplice", SYS_vmsplice, 2, (long)SHARED, 1, 0, 0, 0},
    {"sendmsg", SYS_sendmsg, 3, (long)SHARED, 0, 0, 0, 0},
    {"unshare", SYS_unshare, 0x10000000, 0, 0, 0, 0, 0},
    {"setns", SYS_setns, 1, 0, 0, 0, 0, 0},
    {"mount", SYS_mount, 0, 0, 0, 0, 0, 0},
    {"setuid", SYS_setuid, 0, 0, 0, 0, 0, 0},
    {"prctl: no new privileges", SYS_prctl, 38, 0, 0, 0, 0, 0},
    {"prctl: dumpable", SYS_prctl, 4, 1, 0, 0, 0, 0},
    {"arch_prctl", SYS_arch_prctl, 0x1002, 0, 0, 0, 0, 0},
    {"seccomp", SYS_seccomp, 1, 0, 0, 0, 0, 0},
    {"setrlimit", SYS_prlimit64, 0, 7, (long)SHARED, 0, 0, 0},
    {"sched_setscheduler", SYS_sched_setscheduler, 0, 1, (long)SHARED, 0, 0, 0},
    {"sched_setaffinity", SYS_sched_setaffinity, 0, 8, (long)SHARED, 0, 0, 0},
    {"sigaction", SYS_rt_sigaction, 9, 0, 0, 8, 0, 0},
    {"sigreturn", SYS_rt_sigreturn, 0, 0, 0, 0, 0, 0},
    {"restart_syscall", SYS_restart_syscall, 0, 0, 0, 0, 0, 0},
    {"nanosleep", SYS_nanosleep, (long)SHARED, 0, 0, 0, 0, 0},
    {"futex", SYS_futex, (long)SHARED, 0, 0, 0, 0, 0},
    {"shmget", SYS_shmget, 0, 4096, 01600, 0, 0, 0},
    {"msgget", SYS_msgget, 0, 01600, 0, 0, 0, 0},
    {"process_vm_writev", SYS_process_vm_writev, 1, 0, 0, 0, 0, 0},
    {"pidfd_open", SYS_pidfd_open, 1, 0, 0, 0, 0, 0},
    {"perf_event_open", SYS_perf_event_open, 0, 0, 0, 0, 0, 0},
    {"bpf", SYS_bpf, 0, 0, 0, 0, 0, 0},
    {"userfaultfd", SYS_userfaultfd, 0, 0, 0, 0, 0, 0},
    {"io_uring_setup", SYS_io_uring_setup, 1, (long)SHARED, 0, 0, 0, 0},
    {"getpid", SYS_getpid, 0, 0, 0, 0, 0, 0},
    {"exit_group", SYS_exit_group, 0, 0, 0, 0, 0, 0},
    {"a number that is no call", 100000, 0, 0, 0, 0, 0, 0},
    {"a call of the x32 kind", 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0},
    {"read of a peer's doorbell", SYS_read, 3, (long)SHARED, 8, 0, 0, 0},
    {"read of its debug output", SYS_read, 2, (long)SHARED, 8, 0, 0, 0},
    {"write of a large number to a peer's doorbell", SYS_write, 3, (long)SHARED, 8, 0, 0, 0},
    {"write of two ones to a peer's doorbell", SYS_write, 3,
     (long)(MK_BOOT_AT + offsetof(struct mk_boot, one)), 16, 0, 0, 0},
    {"write to its own doorbell", SYS_write, 1, (long)(MK_BOOT_AT + offsetof(struct mk_boot, one)),
     8, 0, 0, 0},
    {"write to a descriptor that it lacks", SYS_write, 4,
     (long)(MK_BOOT_AT + offsetof(struct mk_boot, one)), 8, 0, 0, 0},
};
#define HOSTILE_CALLS (sizeof hostile_calls / sizeof hostile_calls[0])

/* Addresses: one byte is written to each, or executed. */
static const struct hostile_access {
    const char *name;
    uint64_t address;
    int execute;
} hostile_accesses[] = {
    {"write of the null page", 0, 0},
    {"write of its text", 0x200000, 0},
    {"write of a region that it may read", SECRET, 0},
    {"write past a region", SHARED + 0x1000, 0},
    {"write of the boot page", MK_BOOT_AT, 0},
    {"write of the system page", MK_SYSTEM_AT, 0},
    {"write of the exit page", MK_EXIT_AT, 0},
    {"write of a peer's signal page", MK_CHANNEL_AT + MK_PEER_PAGE, 0},
    {"write of a channel that it lacks", MK_CHANNEL_AT + 7 * MK_CHANNEL_STEP, 0},
    {"write of a parent's orders", MK_ORDERS_AT, 0},
    {"write of a parent's reports", MK_REPORTS_AT, 0},
    {"write below its stack", MK_STACK_TOP - MK_STACK_GUARD, 0},
    {"write above its stack", MK_STACK_TOP, 0},
    {"write of the highest page", UINT64_C(0x7ffffffff000) - 8, 0},
    {"write of kernel memory", UINT64_C(0xffffffff81000000), 0},
    {"write of no canonical address", UINT64_C(0x8000000000000000), 0},
    {"execution of a region", SHARED, 1},
    {"execution of its signal page", MK_SIGNAL_AT, 1},
    {"execution of the old system call page", UINT64_C(0xffffffffff600000), 1},
};
#define HOSTILE_ACCESSES (sizeof hostile_accesses / sizeof hostile_accesses[0])

/* Instructions that are the kernel's, and other ways into it. */
static const char *const hostile_instructions[] = {
    "the 32-bit entry",
    "the 32-bit entry from 32-bit code",
    "sysenter",
    "cli",
    "hlt",
    "out",
    "wrmsr",
    "mov to cr3",
    "lgdt",
    "unaligned access with alignment checks",
    "int3",
};
#define HOSTILE_INSTRUCTIONS (sizeof hostile_instructions / sizeof hostile_instructions[0])

static inline void hostile_execute(unsigned which)
{
    switch (which) {
    case 0:
        __asm__ volatile("int $0x80" : : "a"(20) : "memory");
        break;
    case 1: /* (0x23: Linux's segment of 32-bit code. No stack is needed there.) */
        __asm__ volatile("pushq $0x23\n"
                         "pushq $1f\n"
                         "lretq\n"
                         ".code32\n"
                         "1: mov $20, %%eax\n"
                         "int $0x80\n"
                         "2: jmp 2b\n"
                         ".code64\n"
                         :
                         :
                         : "memory");
        break;
    case 2:
        __asm__ volatile("sysenter" : : "a"(20) : "memory");
        break;
    case 3:
        __asm__ volatile("cli");
        break;
    case 4:
        __asm__ volatile("hlt");
        break;
    case 5:
        __asm__ volatile("outb %%al, $0x80" : : "a"(0));
        break;
    case 6:
        __asm__ volatile("wrmsr" : : "a"(0), "d"(0), "c"(0xc0000080));
        break;
    case 7:
        __asm__ volatile("mov %0, %%cr3" : : "r"(UINT64_C(0)));
        break;
    case 8:
        __asm__ volatile("lgdt (%0)" : : "r"(SHARED));
        break;
    case 9:
        __asm__ volatile("pushfq\n"
                         "orl $0x40000, (%%rsp)\n"
                         "popfq\n"
                         "movl $1, 1(%0)\n"
                         :
                         : "r"(SHARED)
                         : "memory", "cc");
        break;
    default:
        __asm__ volatile("int3");
        break;
    }
}

#define HOSTILE_ATTEMPTS (HOSTILE_CALLS + HOSTILE_ACCESSES + HOSTILE_INSTRUCTIONS)

/* Everything that it may write to, others may read. */
static inline void overwrite(unsigned char with)
{
    volatile unsigned char *region = (volatile unsigned char *)SHARED;
    volatile unsigned char *signals = (volatile unsigned char *)MK_SIGNAL_AT;
    for (unsigned i = 0; i < MK_PAGE; i++) {
        region[i] = with;
        signals[i] = (unsigned char)(with + i);
    }
}

/* All that is its own besides: its data and its whole stack. Then it spins, with nothing left. */
static inline _Noreturn void overwrite_itself(void)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)UINT64_C(0x1ff000);
    const Elf64_Phdr *segment = (const Elf64_Phdr *)((uintptr_t)header + header->e_phoff);
    while (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0)
        segment++;
    __asm__ volatile(
        "rep stosb\n"
        "mov %[stack], %%rdi\n"
        "mov %[size], %%rcx\n"
        "rep stosb\n"
        "1: jmp 1b\n"
        :
        : "D"(segment->p_vaddr), "c"(segment->p_memsz),
          "a"(0xff), [stack] "r"(MK_STACK_TOP - UINT64_C(0x2000)), [size] "r"(UINT64_C(0x2000))
        : "memory");
    __builtin_unreachable();
}

static unsigned hostile_next; /* survives restarts */

/* Returns only when nothing is left to be tried but what is not refused. */
static inline void hostile_try(void)
{
    unsigned attempt = hostile_next++;
    if (attempt < HOSTILE_CALLS) {
        const struct hostile_call *c = &hostile_calls[attempt];
        say("tries ", c->name);
        call(c->number, c->a, c->b, c->c, c->d, c->e, c->f);
        say("DONE: ", c->name);
    } else if (attempt < HOSTILE_CALLS + HOSTILE_ACCESSES) {
        const struct hostile_access *a = &hostile_accesses[attempt - HOSTILE_CALLS];
        say("tries ", a->name);
        if (a->execute)
            ((void (*)(void))a->address)();
        else
            *(volatile unsigned char *)a->address = 1;
        say("DONE: ", a->name);
    } else if (attempt < HOSTILE_ATTEMPTS) {
        unsigned which = attempt - (unsigned)(HOSTILE_CALLS + HOSTILE_ACCESSES);
        say("tries ", hostile_instructions[which]);
        hostile_execute(which);
        say("DONE: ", hostile_instructions[which]);
    }
    for (unsigned with = 0; with < 256; with++)
        overwrite((unsigned char)with);
    for (unsigned i = 0; i < 100000; i++) /* an honest ring, a hundred thousand times */
        call(SYS_write, 3, (long)&BOOT->one, 8, 0, 0, 0);
    say("has overwritten what it can write, rung without end, and now spins", "");
    overwrite_itself();
}
