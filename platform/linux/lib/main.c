/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the program's first instruction to the event loop. One pass of the loop is one wake-up in
 * the Microkit's sense: all notifications that have come, in ascending order of channels, then the
 * deferred signal, then at most one protected procedure call.
 */
#include <microkit_linux.h>
#include <string.h>
#include <sys/syscall.h>

#include "pd.h"

#define SET_FS 0x1002 /* of arch_prctl */

/* Busy with notifications, a PD still looks for interrupts after so many passes. */
#define PASSES_PER_POLL 8

struct mk_pd mk_pd;
char microkit_name[MICROKIT_PD_NAME_LENGTH];

/*
 * In .init, which the linker puts before all other code: programs that name their children's entry
 * point as a number expect 0x200000, as the Microkit has it.
 */
#ifndef MK_HOSTED
__asm__(".section .init, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    test %rdi, %rdi\n"
        "    jnz 1f\n"
        "    call mk_hosted_start\n" /* the kernel's start: there is no starter */
        "    mov %rax, %rdi\n"
        "1:  call mk_main\n"
        "    ud2\n"
        ".text\n");
#endif

/*
 * The C library's formatted output looks at its thread descriptor (for errno and the locale), so
 * there is one, of zeroes, with the pointer to itself in front that the ABI asks for. No program
 * of ours has thread-local variables.
 */
#ifndef MK_HOSTED
static struct {
    SDDF_ALIGNED(64) void *self;
    char rest[1024];
} thread;
#endif

#ifndef MK_HOSTED
/* Valgrind has no wrfsbase, and here the kernel may be asked. */
__attribute__((used)) const struct mk_boot *mk_hosted_start(void)
{
    const struct mk_boot *boot = mk_hosted();
    thread.self = &thread;
    microkit_linux_syscall(SYS_arch_prctl, SET_FS, (long)&thread, 0, 0, 0, 0);
    return boot;
}
#endif

static void attach(const struct mk_boot *boot)
{
    struct mk_pd *pd = &mk_pd;
    pd->peers = 0; /* all else is as a restart found it */
    pd->boot = boot;
    pd->poll_ns = boot->poll_ns;
    pd->own = (struct mk_signal_page *)boot->signal_page;
    pd->system = (const struct mk_system_page *)boot->system_page;
    memcpy(microkit_name, boot->name, sizeof microkit_name);
    microkit_name[sizeof microkit_name - 1] = '\0';

    for (unsigned ch = 0; ch < MK_CHANNELS; ch++) {
        const struct mk_channel *channel = &boot->channel[ch];
        if (channel->kind == MK_CHANNEL_IRQ)
            pd->irqs |= MK_BIT(ch);
        if (channel->peer_page != 0) {
            const struct mk_signal_page *page = (const void *)channel->peer_page;
            pd->peer_channel[pd->peers] = ch;
            pd->peer_word[pd->peers++] = &page->sent[channel->peer_id].word;
        }
        if (channel->call_in != 0)
            pd->callers |= MK_BIT(ch);
    }
    if (pd->asleep & 1) /* restarted where it slept */
        mk_get_up();
}

static void send_deferred(void)
{
    struct mk_pd *pd = &mk_pd;
    unsigned what = pd->deferred;
    pd->deferred = MK_DEFERRED_NONE;
    pd->deferred_this_wake = false;
    if (what == MK_DEFERRED_NOTIFY)
        microkit_notify(pd->deferred_channel);
    else if (what == MK_DEFERRED_ACK)
        microkit_irq_ack(pd->deferred_channel);
}

static void deliver(void)
{
    uint64_t pending = mk_pd.pending;
    mk_pd.pending = 0;
    mk_pd.irqs_masked |= pending & mk_pd.irqs;
    while (pending != 0) {
        microkit_channel ch = (microkit_channel)__builtin_ctzll(pending);
        pending &= pending - 1;
        notified(ch);
    }
    send_deferred();
}

_Noreturn __attribute__((used)) void mk_main(const struct mk_boot *boot)
{
    if (boot->magic != MK_BOOT_MAGIC || boot->version != MK_BOOT_VERSION)
        __builtin_trap(); /* nothing in the page can be used to say so */
#ifndef MK_HOSTED
    if (boot->flags & MK_BOOT_FSGSBASE) {
        thread.self = &thread;
        __asm__ volatile("wrfsbase %0" : : "r"(&thread));
    }
#endif
    attach(boot);

    init();
    send_deferred();

    unsigned passes = 0;
    for (;;) {
        mk_gather();
        if (mk_pd.irqs != 0 && ++passes >= PASSES_PER_POLL) {
            passes = 0;
            mk_poll_irqs(false);
        }
        microkit_channel call = mk_next_call();
        if (mk_pd.pending == 0 && call == MK_CHANNELS && mk_next_fault() == MK_CHILDREN) {
            mk_wait();
            passes = 0;
            call = mk_next_call();
        }
        if (mk_pd.pending != 0)
            deliver();
        /*
         * As on seL4 in 2.0.1, a deferred signal of protected() stays in its slot until the
         * notifications of a later wake-up have been delivered.
         */
        if (call != MK_CHANNELS)
            mk_serve_call(call);
        microkit_child child = mk_next_fault();
        if (child != MK_CHILDREN)
            mk_serve_fault(child);
    }
}

__attribute__((weak)) microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    (void)msginfo;
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(" is missing the 'protected' entry point\n");
    __builtin_trap();
}

__attribute__((weak)) seL4_Bool fault(microkit_child child, microkit_msginfo msginfo,
                                      microkit_msginfo *reply_msginfo)
{
    (void)child;
    (void)msginfo;
    (void)reply_msginfo;
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(" is missing the 'fault' entry point\n");
    __builtin_trap();
}
