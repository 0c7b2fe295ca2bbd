/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For programs that run without the starter and its confinement, as a debugging tool wants it
 * (platform/linux/debug.c): the program itself maps what the description gives it, from the list
 * that the starter would have found, and writes what the description sets over its variables. The
 * addresses and descriptors are the same; what else the process may do is its user's affair.
 *
 * Runs under Valgrind as the program's first code, and in a build with a C library from main().
 */
#include <microkit_linux.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "pd.h"

/* On the debug output's descriptor, which is not known yet but for its number: 2 (plan.c). */
static _Noreturn void give_up(const char *why)
{
    microkit_linux_syscall(SYS_write, 2, (long)why, (long)strlen(why), 0, 0, 0);
    microkit_linux_syscall(SYS_exit_group, 1, 0, 0, 0, 0, 0);
    __builtin_trap();
}

const struct mk_boot *mk_hosted(void)
{
    long size = microkit_linux_syscall(SYS_lseek, MK_START_FD, 0, 2 /* SEEK_END */, 0, 0, 0);
    const struct mk_start *start = (const void *)microkit_linux_syscall(
        SYS_mmap, 0, size, PROT_READ, MAP_SHARED, MK_START_FD, 0);
    if (size < (long)sizeof *start || (unsigned long)start > -4096UL ||
        start->magic != MK_START_MAGIC)
        give_up("run me with sddf run\n");
    for (uint32_t i = 0; i < start->map_count; i++) {
        const struct mk_map *map = &start->map[i];
        long at =
            microkit_linux_syscall(SYS_mmap, (long)map->vaddr, (long)map->size, map->prot,
                                   MAP_SHARED | MAP_FIXED_NOREPLACE, map->fd, (long)map->offset);
        if ((uint64_t)at != map->vaddr)
            give_up("a region is at an address that this tool needs for itself\n");
        microkit_linux_syscall(SYS_close, map->fd, 0, 0, 0, 0, 0);
    }
    const struct mk_patch *patch = (const void *)((const char *)start + start->patches);
    for (uint64_t i = 0; i < start->patch_count; i++)
        memcpy((void *)patch[i].vaddr, (const char *)start + patch[i].offset, patch[i].size);
    return (const struct mk_boot *)start->boot;
}
