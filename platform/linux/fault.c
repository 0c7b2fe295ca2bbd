/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault reports: who, what kind, which address, which instruction. */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "internal.h"
#include "platform/linux/include/microkit.h"

#define TEXT 384

#define SYS_URETPROBE 335 /* younger than many a header */

/* What an address lies in: "program.elf: function+0x12, file.c:34"; "" if nothing is found. */
static void describe_code(const struct linux_pd *pd, uint64_t address, char *text)
{
    char name[128], line[112];
    uint64_t offset;
    text[0] = '\0';
    if (!image_function_at(&pd->image, address, name, sizeof name, &offset))
        return;
    const char *slash = strrchr(pd->path, '/');
    bool known = linux_symbol_line(pd, address, line, sizeof line);
    snprintf(text, TEXT, " (%.64s: %s+0x%llx%s%s)", slash != NULL ? slash + 1 : pd->path, name,
             (unsigned long long)offset, known ? ", " : "", known ? line : "");
}

static const struct mk_map *map_at(const struct linux_pd *pd, uint64_t address)
{
    for (size_t i = 0; i < pd->map_count; i++)
        if (address >= pd->maps[i].vaddr && address - pd->maps[i].vaddr < pd->maps[i].size)
            return &pd->maps[i];
    return NULL;
}

/* What the PD has there: " (region shared, r--)" or the like. */
static void describe_map(const struct linux_loader *loader, const struct linux_pd *pd,
                         uint64_t address, char *text)
{
    const struct mk_map *map = map_at(pd, address);
    text[0] = '\0';
    if (map == NULL)
        return;
    const char *what = map->vaddr >= MK_PRIVATE ? "the platform's page" : "the program's image";
    const char *name = "";
    for (size_t i = 0; i < pd->system->map_count; i++)
        if (pd->system->maps[i].vaddr == map->vaddr) {
            what = "region ";
            name = loader->system->regions[pd->system->maps[i].region].name;
        }
    snprintf(text, TEXT, " in %s%s, which it has %c%c%c", what, name,
             map->prot & PROT_READ ? 'r' : '-', map->prot & PROT_WRITE ? 'w' : '-',
             map->prot & PROT_EXEC ? 'x' : '-');
}

/* By the tracer's right, which stays when the loader has given up its privileges. */
static size_t read_code(const struct linux_pd *pd, uint64_t address, unsigned char *code,
                        size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(long)) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKTEXT, pd->pid, address + at, 0);
        if (errno != 0)
            return at;
        memcpy(code + at, &word, sizeof word);
    }
    return size;
}

static enum linux_access access_of(const struct linux_pd *pd, uint64_t address,
                                   const struct user_regs_struct *registers)
{
    unsigned char code[16];
    size_t size = read_code(pd, registers->rip, code, sizeof code);
    bool near_stack = address + MK_PAGE > registers->rsp && address < registers->rsp + MK_PAGE;
    enum linux_access access =
        size > 0 ? linux_decode_access(code, size, near_stack) : LINUX_ACCESS_UNKNOWN;
    const struct mk_map *map = map_at(pd, address);
    /* What may be read was written to. */
    if (map != NULL && (map->prot & (PROT_READ | PROT_WRITE)) == PROT_READ)
        access = LINUX_ACCESS_WRITE;
    return access;
}

static const char *access_kind(const struct linux_pd *pd, uint64_t address,
                               const struct user_regs_struct *registers)
{
    if (address == registers->rip)
        return "execution";
    enum linux_access access = access_of(pd, address, registers);
    return access == LINUX_ACCESS_READ ? "read" : access == LINUX_ACCESS_WRITE ? "write" : "access";
}

static void describe_access(const struct linux_loader *loader, const struct linux_pd *pd,
                            const siginfo_t *info, const struct user_regs_struct *registers,
                            char *text)
{
    uint64_t address = (uint64_t)info->si_addr;
    uint64_t stack = MK_STACK_TOP - pd->stack.size;
    const char *kind = access_kind(pd, address, registers);
    char map[TEXT];
    if (info->si_code == SI_KERNEL) { /* not a canonical address: the processor names none */
        snprintf(text, TEXT, "access to an address that no program can have");
    } else if (address < stack && stack - address <= MK_STACK_GUARD) {
        snprintf(text, TEXT,
                 "stack overflow: %s of address 0x%llx, below the stack of %llu bytes (see "
                 "stack_size)",
                 kind, (unsigned long long)address, (unsigned long long)pd->stack.size);
    } else if (map_at(pd, address) == NULL) {
        snprintf(text, TEXT, "%s of unmapped address 0x%llx", kind, (unsigned long long)address);
    } else {
        describe_map(loader, pd, address, map);
        snprintf(text, TEXT, "forbidden %s of address 0x%llx%s", kind, (unsigned long long)address,
                 map);
    }
}

/*
 * Is it a system call that the PD may not make, and which? Linux lets one call of its own past
 * every filter, uretprobe, for trampolines that it has mapped itself, and has an illegal
 * instruction for who makes it from elsewhere: here it is what it is.
 */
static bool is_call(int signal, const siginfo_t *info, const struct user_regs_struct *registers,
                    int *number)
{
    *number = signal == SIGSYS ? info->si_syscall : (int)registers->orig_rax;
    return signal == SIGSYS ||
           (signal == SIGILL && info->si_code == SI_KERNEL && registers->orig_rax == SYS_URETPROBE);
}

static void describe_call(int number, uint32_t architecture, char *text)
{
    char *name = seccomp_syscall_resolve_num_arch(architecture, number);
    snprintf(text, TEXT, "forbidden system call %d (%s%s)", number, name != NULL ? name : "unknown",
             architecture == SCMP_ARCH_X86_64 ? "" : ", by the 32-bit entry");
    free(name);
}

static void describe(const struct linux_loader *loader, const struct linux_pd *pd, int signal,
                     const siginfo_t *info, const struct user_regs_struct *registers, char *text)
{
    int number;
    if (is_call(signal, info, registers, &number)) {
        describe_call(number, signal == SIGSYS ? info->si_arch : SCMP_ARCH_X86_64, text);
        return;
    }
    switch (signal) {
    case SIGSEGV:
        describe_access(loader, pd, info, registers, text);
        break;
    case SIGBUS:
        snprintf(text, TEXT, "bus error at address 0x%llx",
                 (unsigned long long)(uint64_t)info->si_addr);
        break;
    case SIGILL:
        snprintf(text, TEXT, "illegal instruction");
        break;
    case SIGFPE:
        snprintf(text, TEXT, "%s",
                 info->si_code == FPE_INTDIV ? "division by zero" : "arithmetic error");
        break;
    default:
        snprintf(text, TEXT, "breakpoint");
        break;
    }
}

void linux_fault_report(struct linux_loader *loader, struct linux_pd *pd, int signal)
{
    siginfo_t info;
    struct user_regs_struct registers;
    char text[TEXT] = "unknown", where[TEXT];
    if (ptrace(PTRACE_GETSIGINFO, pd->pid, 0, &info) != 0 ||
        ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0)
        return; /* killed meanwhile; its end is reported */
    describe(loader, pd, signal, &info, &registers, text);
    describe_code(pd, registers.rip, where);
    linux_output_close(pd); /* what it said before comes first */
    linux_complain("%s: fault: %s at instruction 0x%llx%s; the rest of the system goes on",
                   pd->system->name, text, (unsigned long long)registers.rip, where);
}

/* ---- for a parent ---------------------------------------------------------------------------- */

/* The processor's number of the exception behind a signal; -1: a page fault. */
static int exception_of(int signal, const siginfo_t *info)
{
    switch (signal) {
    case SIGFPE:
        return info->si_code == FPE_INTDIV ? 0 : 19;
    case SIGTRAP:
        return info->si_code == TRAP_BRKPT || info->si_code == SI_KERNEL ? 3 : 1;
    case SIGILL:
        return 6;
    case SIGBUS:
        return info->si_code == BUS_ADRALN ? 17 : -1;
    default:
        return info->si_code == SI_KERNEL ? 13 : -1;
    }
}

static unsigned page_fault(const struct linux_pd *pd, const siginfo_t *info,
                           const struct user_regs_struct *registers, uint64_t *word)
{
    uint64_t address = (uint64_t)info->si_addr;
    bool execution = address == registers->rip;
    word[seL4_VMFault_IP] = registers->rip;
    word[seL4_VMFault_Addr] = address;
    word[seL4_VMFault_PrefetchFault] = execution;
    word[seL4_VMFault_FSR] =
        4u | (execution ? 16u : 0u) | (map_at(pd, address) != NULL ? 1u : 0u) |
        (!execution && access_of(pd, address, registers) == LINUX_ACCESS_WRITE ? 2u : 0u);
    return seL4_VMFault_Length;
}

static unsigned system_call(int number, const struct user_regs_struct *registers, uint64_t *word)
{
    const uint64_t values[seL4_UnknownSyscall_Length] = {
        [seL4_UnknownSyscall_RAX] = (uint64_t)number,
        [seL4_UnknownSyscall_RBX] = registers->rbx,
        [seL4_UnknownSyscall_RCX] = registers->rcx,
        [seL4_UnknownSyscall_RDX] = registers->rdx,
        [seL4_UnknownSyscall_RSI] = registers->rsi,
        [seL4_UnknownSyscall_RDI] = registers->rdi,
        [seL4_UnknownSyscall_RBP] = registers->rbp,
        [seL4_UnknownSyscall_R8] = registers->r8,
        [seL4_UnknownSyscall_R9] = registers->r9,
        [seL4_UnknownSyscall_R10] = registers->r10,
        [seL4_UnknownSyscall_R11] = registers->r11,
        [seL4_UnknownSyscall_R12] = registers->r12,
        [seL4_UnknownSyscall_R13] = registers->r13,
        [seL4_UnknownSyscall_R14] = registers->r14,
        [seL4_UnknownSyscall_R15] = registers->r15,
        [seL4_UnknownSyscall_FaultIP] = registers->rip,
        [seL4_UnknownSyscall_SP] = registers->rsp,
        [seL4_UnknownSyscall_FLAGS] = registers->eflags,
        [seL4_UnknownSyscall_Syscall] = (uint64_t)number,
    };
    memcpy(word, values, sizeof values);
    return seL4_UnknownSyscall_Length;
}

unsigned linux_fault_message(struct linux_pd *pd, int signal, uint64_t *label, uint64_t *word)
{
    siginfo_t info;
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETSIGINFO, pd->pid, 0, &info) != 0 ||
        ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0)
        return 0;
    linux_output_close(pd); /* what it said before comes before what the parent will say */
    int number;
    if (is_call(signal, &info, &registers, &number)) {
        *label = seL4_Fault_UnknownSyscall;
        return system_call(number, &registers, word);
    }
    int exception = exception_of(signal, &info);
    if (exception < 0) {
        *label = seL4_Fault_VMFault;
        return page_fault(pd, &info, &registers, word);
    }
    *label = seL4_Fault_UserException;
    word[seL4_UserException_FaultIP] = registers.rip;
    word[seL4_UserException_SP] = registers.rsp;
    word[seL4_UserException_FLAGS] = registers.eflags;
    word[seL4_UserException_Number] = (uint64_t)exception;
    word[seL4_UserException_Code] = 0; /* Linux keeps it to itself */
    return seL4_UserException_Length;
}
