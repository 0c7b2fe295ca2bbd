/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offers a protected procedure on channel 7. By its own name: "server" answers; "faulty" faults in
 * the call; "stuck" never returns from it.
 */
#include <microkit_linux.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

static bool ready;

void init(void)
{
    ready = true;
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    if (ch != 7 || !ready)
        return microkit_msginfo_new(0, 0);
    if (strcmp(microkit_name, "faulty") == 0)
        __asm__ volatile("ud2");
    if (strcmp(microkit_name, "stuck") == 0) {
        const struct mk_boot *boot = (const struct mk_boot *)MK_BOOT_AT;
        uint64_t rings;
        for (;;) /* at rest, so that nothing else is kept from running */
            microkit_linux_syscall(SYS_read, boot->doorbell, (long)&rings, sizeof rings, 0, 0, 0);
    }
    unsigned count = (unsigned)microkit_msginfo_get_count(msginfo);
    for (unsigned i = 0; i < count; i++)
        microkit_mr_set((seL4_Uint8)i, microkit_mr_get((seL4_Uint8)i) * 3);
    return microkit_msginfo_new(microkit_msginfo_get_label(msginfo) + 1, (seL4_Uint16)count);
}
