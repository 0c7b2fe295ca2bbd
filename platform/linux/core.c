/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core file of a PD that has faulted, as an ELF file that gdb opens beside the program: its
 * registers, and its memory. The memory is the loader's too, by descriptor; what a device has (its
 * registers, its rings) cannot be read by it and is left out.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

#include "internal.h"

#define NAME "CORE" /* of the notes' owner, with its zero padded to 8 bytes */

#define NOTES_MAX 2048
_Static_assert(sizeof(struct elf_prstatus) + sizeof(struct elf_prpsinfo) + sizeof(siginfo_t) +
                       sizeof(struct user_fpregs_struct) + 4 * 32 <=
                   NOTES_MAX,
               "room for four notes");

bool linux_core_begin(struct linux_loader *loader)
{
    loader->core = -1;
    if (loader->options->core == NULL)
        return true;
    loader->core = open(loader->options->core, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (loader->core < 0)
        linux_complain("--core %s: %s", loader->options->core, strerror(errno));
    return loader->core >= 0;
}

/* Registers first: a debugger expects them in front. */
static void put_note(unsigned char **at, unsigned type, const void *bytes, size_t size)
{
    Elf64_Nhdr header = {.n_namesz = sizeof NAME, .n_descsz = (Elf64_Word)size, .n_type = type};
    memcpy(*at, &header, sizeof header);
    memcpy(*at + sizeof header, NAME, sizeof NAME);
    memcpy(*at + sizeof header + 8, bytes, size);
    *at += sizeof header + 8 + (size + 3) / 4 * 4;
}

/* Returns their length; 0: the process is gone. */
static size_t put_notes(const struct linux_pd *pd, int signal, unsigned char *notes)
{
    struct elf_prstatus status = {.pr_pid = pd->pid, .pr_cursig = (short)signal, .pr_fpvalid = 1};
    struct elf_prpsinfo process = {.pr_pid = pd->pid, .pr_sname = 't'};
    struct user_regs_struct registers;
    struct user_fpregs_struct floating;
    siginfo_t info;
    unsigned char *at = notes;
    if (ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0 ||
        ptrace(PTRACE_GETFPREGS, pd->pid, 0, &floating) != 0 ||
        ptrace(PTRACE_GETSIGINFO, pd->pid, 0, &info) != 0)
        return 0;
    _Static_assert(sizeof registers == sizeof status.pr_reg, "one and the same registers");
    memcpy(&status.pr_reg, &registers, sizeof registers);
    status.pr_info.si_signo = signal;
    const char *slash = strrchr(pd->path, '/');
    strncpy(process.pr_fname, slash != NULL ? slash + 1 : pd->path, sizeof process.pr_fname - 1);
    strncpy(process.pr_psargs, pd->system->name, sizeof process.pr_psargs - 1);
    put_note(&at, NT_PRSTATUS, &status, sizeof status);
    put_note(&at, NT_PRPSINFO, &process, sizeof process);
    put_note(&at, NT_SIGINFO, &info, sizeof info);
    put_note(&at, NT_FPREGSET, &floating, sizeof floating);
    return (size_t)(at - notes);
}

static bool write_at(int file, const void *bytes, size_t size, uint64_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pwrite(file, (const char *)bytes + done, size - done, (off_t)(at + done));
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

/* Pages of zeroes stay holes: most of a region is. */
static bool write_memory(int file, const struct mk_map *map, uint64_t at)
{
    static const unsigned char zeroes[MK_PAGE];
    unsigned char page[MK_PAGE];
    for (uint64_t done = 0; done < map->size; done += MK_PAGE) {
        ssize_t count = pread(map->fd, page, sizeof page, (off_t)(map->offset + done));
        if (count < 0)
            return errno != ENOSPC;
        if (memcmp(page, zeroes, (size_t)count) != 0 &&
            !write_at(file, page, (size_t)count, at + done))
            return false;
    }
    return true;
}

static bool readable(const struct mk_map *map)
{
    unsigned char byte;
    return pread(map->fd, &byte, 1, (off_t)map->offset) == 1;
}

static bool write_file(const struct linux_pd *pd, int signal, int file)
{
    unsigned char notes[NOTES_MAX] = {0};
    size_t headers = pd->map_count + 1;
    Elf64_Ehdr elf = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof elf,
        .e_ehsize = sizeof elf,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)headers,
    };
    Elf64_Phdr *header = calloc(headers, sizeof *header);
    uint64_t notes_at = sizeof elf + headers * sizeof *header;
    size_t notes_size = put_notes(pd, signal, notes);
    uint64_t at = (notes_at + notes_size + MK_PAGE - 1) / MK_PAGE * MK_PAGE, end = at;
    header[0] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes_size};
    bool ok = notes_size > 0;
    for (size_t i = 0; i < pd->map_count && ok; i++) {
        const struct mk_map *map = &pd->maps[i];
        uint64_t in_file = readable(map) ? map->size : 0;
        header[1 + i] = (Elf64_Phdr){
            .p_type = PT_LOAD,
            .p_flags = (map->prot & PROT_READ ? PF_R : 0) | (map->prot & PROT_WRITE ? PF_W : 0) |
                       (map->prot & PROT_EXEC ? PF_X : 0),
            .p_offset = end,
            .p_vaddr = map->vaddr,
            .p_filesz = in_file,
            .p_memsz = map->size,
            .p_align = MK_PAGE,
        };
        ok = in_file == 0 || write_memory(file, map, end);
        end += in_file;
    }
    ok = ok && write_at(file, &elf, sizeof elf, 0) &&
         write_at(file, header, headers * sizeof *header, sizeof elf) &&
         write_at(file, notes, notes_size, notes_at) && ftruncate(file, (off_t)end) == 0;
    free(header);
    return ok;
}

void linux_core_write(struct linux_loader *loader, struct linux_pd *pd, int signal)
{
    if (loader->core < 0)
        return;
    char name[SYSTEM_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s.core", pd->system->name); /* (names have no '/') */
    unlinkat(loader->core, name,
             0); /* one of an earlier fault, or a link that somebody put there */
    int file = openat(loader->core, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = file >= 0 && write_file(pd, signal, file);
    int error = errno;
    if (file >= 0)
        close(file);
    if (ok)
        linux_complain("%s: core file: gdb %s %s/%s", pd->system->name, pd->path,
                       loader->options->core, name);
    else
        linux_complain("%s: no core file %s/%s: %s", pd->system->name, loader->options->core, name,
                       strerror(error));
}
