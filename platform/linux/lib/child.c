/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A parent's side of its children: orders to the loader, each waited for, and the children's
 * faults, which are found as calls are and delivered between wake-ups.
 */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "pd.h"

static uint32_t faults_seen[MK_CHILDREN];

static bool is_child(const char *call, microkit_child child)
{
    if (child < MK_CHILDREN && (mk_pd.boot->children & MK_BIT(child)) != 0)
        return true;
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(call);
    microkit_dbg_puts(": this protection domain has no child ");
    microkit_dbg_put32(child);
    microkit_dbg_puts("\n");
    return false;
}

/* Returns when it has been carried out: a child that was stopped does nothing any more. */
static void give(struct mk_order *order, const struct mk_report *report)
{
    const struct mk_boot *boot = mk_pd.boot;
    uint32_t sequence = sddf_load_relaxed_u32(&order->sequence) + 1;
    /* Release: the loader, which sees the new number, sees what is ordered. */
    sddf_store_release_u32(&order->sequence, sequence);
    microkit_linux_syscall(SYS_write, boot->loader, (long)&boot->one, sizeof boot->one, 0, 0, 0);
    /* Acquire: what the child was seen to do before, it has done. */
    while (sddf_load_acquire_u32(&report->done) != sequence) {
        mk_lie_down();
        if (sddf_load_acquire_u32(&report->done) != sequence) {
            /* Rings of others wake too; what they have is found by the event loop. */
            uint64_t rings;
            microkit_linux_syscall(SYS_read, boot->doorbell, (long)&rings, sizeof rings, 0, 0, 0);
        }
        mk_get_up();
    }
}

static struct mk_order *order_of(microkit_child child)
{
    return &((struct mk_order *)mk_pd.boot->orders)[child];
}

static const struct mk_report *report_of(microkit_child child)
{
    return &((const struct mk_report *)mk_pd.boot->reports)[child];
}

void microkit_pd_restart(microkit_child child, seL4_Word entry_point)
{
    if (!is_child("microkit_pd_restart", child))
        return;
    order_of(child)->kind = MK_ORDER_RESTART;
    order_of(child)->word[0] = entry_point;
    give(order_of(child), report_of(child));
}

void microkit_pd_stop(microkit_child child)
{
    if (!is_child("microkit_pd_stop", child))
        return;
    order_of(child)->kind = MK_ORDER_STOP;
    give(order_of(child), report_of(child));
}

void microkit_linux_end(unsigned status)
{
    if ((mk_pd.boot->flags & MK_BOOT_MAY_END) == 0) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": microkit_linux_end: the description lacks shutdown=\"true\"\n");
        return;
    }
    order_of(MK_CHILDREN)->kind = MK_ORDER_END;
    order_of(MK_CHILDREN)->word[0] = status;
    give(order_of(MK_CHILDREN), report_of(MK_CHILDREN)); /* which nobody says is done */
}

microkit_child mk_next_fault(void)
{
    for (uint64_t left = mk_pd.boot->children; left != 0; left &= left - 1) {
        microkit_child child = (microkit_child)__builtin_ctzll(left);
        /* Acquire: the message was written before its number. */
        if (sddf_load_acquire_u32(&report_of(child)->faults) != faults_seen[child])
            return child;
    }
    return MK_CHILDREN;
}

void mk_serve_fault(microkit_child child)
{
    const struct mk_report *report = report_of(child);
    faults_seen[child] = sddf_load_relaxed_u32(&report->faults);
    microkit_msginfo info = {{report->info}}, answer = {{0}};
    seL4_Word count = microkit_msginfo_get_count(info);
    for (seL4_Word i = 0; i < count && i < MK_FAULT_WORDS; i++)
        microkit_mr_set((seL4_Uint8)i, report->word[i]);
    if (!fault(child, info, &answer))
        return;
    struct mk_order *reply = order_of(child);
    count = microkit_msginfo_get_count(answer);
    for (seL4_Word i = 0; i < count && i < MK_FAULT_WORDS; i++)
        reply->word[i] = microkit_mr_get((seL4_Uint8)i);
    reply->info =
        microkit_msginfo_new(microkit_msginfo_get_label(answer),
                             (seL4_Uint16)(count < MK_FAULT_WORDS ? count : MK_FAULT_WORDS))
            .words[0];
    reply->kind = MK_ORDER_REPLY;
    give(reply, report);
}
