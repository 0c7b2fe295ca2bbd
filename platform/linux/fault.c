/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault reports: who, what kind, which address, which instruction. */
#include <elf.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "internal.h"

#define TEXT 256

/* The function that an address lies in, as "program.elf: function+0x12"; "" if none is found. */
static void describe_code(const struct linux_pd *pd, uint64_t address, char *text)
{
    const unsigned char *file = pd->image.file;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const char *best = NULL;
    uint64_t start = 0;
    text[0] = '\0';
    if (file == NULL || pd->image.file_size < sizeof *header ||
        header->e_shoff + (uint64_t)header->e_shnum * sizeof(Elf64_Shdr) > pd->image.file_size)
        return;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);
    for (unsigned s = 0; s < header->e_shnum; s++) {
        const Elf64_Shdr *table = &sections[s];
        if (table->sh_type != SHT_SYMTAB || table->sh_link >= header->e_shnum)
            continue;
        const Elf64_Shdr *strings = &sections[table->sh_link];
        if (table->sh_offset + table->sh_size > pd->image.file_size ||
            strings->sh_offset + strings->sh_size > pd->image.file_size)
            continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(file + table->sh_offset);
        for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++)
            if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC && symbols[i].st_value <= address &&
                address - symbols[i].st_value < symbols[i].st_size &&
                symbols[i].st_name < strings->sh_size) {
                best = (const char *)file + strings->sh_offset + symbols[i].st_name;
                start = symbols[i].st_value;
            }
    }
    const char *slash = strrchr(pd->path, '/');
    if (best != NULL)
        snprintf(text, TEXT, " (%s: %.128s+0x%llx)", slash != NULL ? slash + 1 : pd->path, best,
                 (unsigned long long)(address - start));
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

static const char *access_kind(const struct linux_pd *pd, uint64_t address,
                               const struct user_regs_struct *registers)
{
    if (address == registers->rip)
        return "execution";
    unsigned char code[15];
    struct iovec here = {code, sizeof code};
    struct iovec there = {(void *)registers->rip, sizeof code};
    ssize_t size = process_vm_readv(pd->pid, &here, 1, &there, 1, 0);
    bool near_stack = address + MK_PAGE > registers->rsp && address < registers->rsp + MK_PAGE;
    enum linux_access access =
        size > 0 ? linux_decode_access(code, (size_t)size, near_stack) : LINUX_ACCESS_UNKNOWN;
    const struct mk_map *map = map_at(pd, address);
    /* What may be read was written to. */
    if (map != NULL && (map->prot & (PROT_READ | PROT_WRITE)) == PROT_READ)
        access = LINUX_ACCESS_WRITE;
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

static void describe(const struct linux_loader *loader, const struct linux_pd *pd, int signal,
                     const siginfo_t *info, const struct user_regs_struct *registers, char *text)
{
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
    case SIGSYS: {
        char *name = seccomp_syscall_resolve_num_arch(info->si_arch, info->si_syscall);
        snprintf(text, TEXT, "forbidden system call %d (%s%s)", info->si_syscall,
                 name != NULL ? name : "unknown",
                 info->si_arch == SCMP_ARCH_X86_64 ? "" : ", by the 32-bit entry");
        free(name);
        break;
    }
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
