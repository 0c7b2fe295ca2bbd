/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile parent: gives orders without end and without waiting, to children that it has and that
 * it lacks, of kinds that there are and are not, with addresses and registers that nobody can have,
 * and writes on while the loader reads. Says so after each ten thousand.
 */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

#define BOOT   ((const struct mk_boot *)MK_BOOT_AT)
#define ORDERS ((struct mk_order *)MK_ORDERS_AT)

static const uint64_t addresses[] = {
    0x200000,
    0,
    1,
    0x10000000,
    MK_EXIT_AT,
    MK_EXIT_AT + 6,
    MK_BOOT_AT,
    0x7ffffffff000,
    UINT64_C(0x8000000000000000),
    UINT64_C(0xffffffff81000000),
    UINT64_C(0xffffffffff600000),
    UINT64_MAX,
};

static uint64_t random_word(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t value(void)
{
    uint64_t chance = random_word();
    return chance & 1 ? chance : addresses[chance / 2 % (sizeof addresses / sizeof addresses[0])];
}

static void order(void)
{
    uint64_t chance = random_word();
    unsigned child = chance & 7 ? 1 + (chance >> 8) % 2 : (chance >> 8) % (MK_CHILDREN + 1);
    struct mk_order *to = &ORDERS[child];
    to->kind = (chance >> 16) % 8 == 7 ? (uint32_t)(chance >> 32) : (chance >> 16) % 5;
    to->info = (chance >> 24) & 1 ? random_word() : (chance >> 25) & 63;
    for (unsigned i = 0; i < MK_FAULT_WORDS; i++)
        to->word[i] = value();
    sddf_store_release_u32(&to->sequence,
                           sddf_load_relaxed_u32(&to->sequence) + (chance >> 40 & 3));
    microkit_linux_syscall(SYS_write, BOOT->loader, (long)&BOOT->one, sizeof BOOT->one, 0, 0, 0);
}

void init(void)
{
    for (unsigned i = 1;; i++) {
        order();
        if (i % 10000 == 0)
            microkit_dbg_puts("ten thousand orders\n");
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
