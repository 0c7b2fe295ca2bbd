/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which line of which source file an address in a program comes from: DWARF, read by elfutils. The
 * program's file is anybody's, and reading DWARF is much code, so a process of its own does it,
 * without descriptors, privileges or much time; what it prints is cleaned like all else.
 */
#include <elfutils/libdw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define PATIENCE_MS 1000
#define MEMORY      (UINT64_C(1) << 30)

static void find(const struct image *image, uint64_t address, int out)
{
    Dwarf_Die unit;
    int line = 0;
    char text[128];
    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)image->file, image->file_size);
    Dwarf *dwarf = elf == NULL ? NULL : dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (dwarf == NULL || dwarf_addrdie(dwarf, address, &unit) == NULL)
        return;
    Dwarf_Line *source = dwarf_getsrc_die(&unit, address);
    const char *file = source == NULL ? NULL : dwarf_linesrc(source, NULL, NULL);
    if (file == NULL || dwarf_lineno(source, &line) != 0)
        return;
    const char *slash = strrchr(file, '/');
    int size = snprintf(text, sizeof text, "%.96s:%d", slash == NULL ? file : slash + 1, line);
    if (write(out, text, (size_t)size) < 0)
        return;
}

/* In a process of its own. */
static _Noreturn void look(const struct image *image, uint64_t address, int out)
{
    struct rlimit seconds = {1, 1}, memory = {MEMORY, MEMORY};
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_AS, &memory);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    dup2(out, 0);
    syscall(SYS_close_range, 1, ~0u, 0);
    find(image, address, 0);
    _exit(0);
}

/* What the address belongs to is the call, if it is one that is returned to, but here it is none.
 */
bool linux_symbol_line(const struct linux_pd *pd, uint64_t address, char *text, size_t size)
{
    int out[2], status;
    if (pd->image.file == NULL || pipe(out) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        look(&pd->image, address, out[1]);
    close(out[1]);
    struct pollfd polled = {.fd = out[0], .events = POLLIN};
    ssize_t length = 0;
    if (pid > 0 && poll(&polled, 1, PATIENCE_MS) > 0)
        length = read(out[0], text, size - 1);
    close(out[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}
