/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The starter: the program that a new process executes before it is a protection domain. It maps
 * what struct mk_start lists, drops every right that is left, and leaves through the exit page,
 * which unmaps the starter. It has no library below it and uses no memory but its stack.
 *
 * It is trusted, and runs before anything of the PD's own does.
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

static long call6(long number, long a, long b, long c, long d, long e, long f)
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

/* The loader traces this process: it sees the trap, reads the registers, and kills it. */
static _Noreturn void give_up(enum mk_step step, long error, uint64_t which)
{
    for (;;)
        __asm__ volatile("int3" : : "D"((long)step), "S"(-error), "d"(which));
}

static long must(enum mk_step step, uint64_t which, long result)
{
    if (result < 0 && result > -MK_PAGE)
        give_up(step, result, which);
    return result;
}

/* A PD makes no files, processes, locked memory or core dumps; its descriptors are all there. */
static void limit(void)
{
    static const struct {
        int resource;
        unsigned long most;
    } limits[] = {
        {RLIMIT_CORE, 0},  {RLIMIT_NPROC, 0},    {RLIMIT_MEMLOCK, 0},
        {RLIMIT_FSIZE, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_RTPRIO, 0},
        {RLIMIT_NICE, 0},  {RLIMIT_NOFILE, 128}, /* ppoll takes no more entries than this */
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        /* What it may not have anyway may not be set to more, either. */
        struct rlimit both;
        must(MK_STEP_LIMIT, i, call6(SYS_prlimit64, 0, limits[i].resource, 0, (long)&both, 0, 0));
        if (both.rlim_max > limits[i].most)
            both.rlim_max = limits[i].most;
        both.rlim_cur = both.rlim_max;
        must(MK_STEP_LIMIT, i, call6(SYS_prlimit64, 0, limits[i].resource, (long)&both, 0, 0, 0));
    }
}

static void drop_privileges(bool dumpable)
{
    must(MK_STEP_PRIVILEGE, 0, call6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
    must(MK_STEP_PRIVILEGE, 1,
         call6(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0));
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    must(MK_STEP_PRIVILEGE, 2, call6(SYS_capset, (long)&header, (long)none, 0, 0, 0, 0));
    /* A belt: the loader's tracing already kills this process with the loader. */
    must(MK_STEP_PRIVILEGE, 3, call6(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0));
    must(MK_STEP_PRIVILEGE, 4, call6(SYS_prctl, PR_SET_DUMPABLE, dumpable, 0, 0, 0, 0));
}

_Noreturn __attribute__((used)) void starter_main(void)
{
    long size = must(MK_STEP_START, 0, call6(SYS_lseek, MK_START_FD, 0, 2 /* SEEK_END */, 0, 0, 0));
    long at =
        must(MK_STEP_START, 1, call6(SYS_mmap, 0, size, PROT_READ, MAP_SHARED, MK_START_FD, 0));
    const struct mk_start *start = (const struct mk_start *)at;
    if (start->magic != MK_START_MAGIC)
        give_up(MK_STEP_START, 0, 2);

    for (uint32_t i = 0; i < start->map_count; i++) {
        const struct mk_map *map = &start->map[i];
        /* Populated now, so that there are no page faults, and no lack of memory, later. */
        int kind = map->prot & MK_MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
        long got =
            must(MK_STEP_MAP, i,
                 call6(SYS_mmap, (long)map->vaddr, (long)map->size, map->prot & ~MK_MAP_PRIVATE,
                       kind | MAP_FIXED_NOREPLACE | MAP_POPULATE, map->fd, (long)map->offset));
        if ((uint64_t)got != map->vaddr) /* a kernel that does not know NOREPLACE */
            give_up(MK_STEP_MAP, 0, i);
    }

    call6(SYS_prctl, PR_SET_NAME, (long)start->name, 0, 0, 0, 0);
    limit();
    must(MK_STEP_CLOSE, 0, call6(SYS_close_range, start->keep + 1, ~0u, 0, 0, 0, 0));
    must(MK_STEP_CLOSE, 1, call6(SYS_close, MK_START_FD, 0, 0, 0, 0, 0));
    drop_privileges(start->dumpable);
    ((void (*)(void))MK_EXIT_AT)();
    __builtin_unreachable();
}

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call starter_main\n");
