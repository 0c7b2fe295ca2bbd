/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Misuses the doorbell of the peer on channel 0, in the way that its own name says. Descriptors are
 * numbered as they are handed out (plan.c); the boot page lists them.
 */
#include <microkit_linux.h>
#include <string.h>
#include <sys/syscall.h>

#include "platform/linux/abi.h"

void init(void)
{
    const struct mk_boot *boot = (const struct mk_boot *)MK_BOOT_AT;
    int peer = boot->channel[0].doorbell;
    uint64_t value = UINT64_MAX - 1;
    if (strcmp(microkit_name, "fill") == 0) /* the value that makes the next writer block */
        microkit_linux_syscall(SYS_write, peer, (long)&value, sizeof value, 0, 0, 0);
    else if (strcmp(microkit_name, "steal") == 0)
        microkit_linux_syscall(SYS_read, peer, (long)&value, sizeof value, 0, 0, 0);
    else if (strcmp(microkit_name, "write_own") == 0)
        microkit_linux_syscall(SYS_write, boot->doorbell, (long)&boot->one, sizeof boot->one, 0, 0,
                               0);
    else if (strcmp(microkit_name, "forge") == 0) /* another's word: mapped read-only */
        ((struct mk_signal_page *)boot->channel[0].peer_page)->sent[0].word = 1;
    microkit_dbg_puts("still here\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
