/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children: what a parent asks for, and what it hears. The parent writes an order into its page and
 * rings the loader; the loader carries it out, writes that it is done into the other page, and
 * rings the parent, which waits for it. A child that faults stays as the fault left it until its
 * parent restarts it, stops it, or replies.
 *
 * The parent is believed nothing: an order is read once, and concerns a child of its own.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

#include "internal.h"
#include "platform/linux/include/microkit.h"

/* What the processor has in any program that begins: 64-bit code, and no flag set. */
#define CODE  0x33
#define STACK 0x2b
#define FLAGS 0x202

static bool open_pages(struct linux_memory *memory, const char *name, size_t size, int prot,
                       void **at)
{
    if (!linux_memory_open(memory, name, size, MK_PAGE, false))
        return false;
    *at = mmap(NULL, memory->size, prot, MAP_SHARED, memory->rw, 0);
    if (*at != MAP_FAILED)
        return true;
    *at = NULL;
    linux_complain("cannot map the pages of a parent: %s", strerror(errno));
    return false;
}

bool linux_family_open(struct linux_pd *pd)
{
    struct linux_family *family = &pd->family;
    void *orders = NULL, *reports = NULL;
    /* It never blocks the parent: full, it has been rung. */
    family->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (family->doorbell < 0) {
        linux_complain("%s: cannot make the loader's doorbell: %s", pd->system->name,
                       strerror(errno));
        return false;
    }
    bool ok =
        open_pages(&family->order_memory, "orders", (MK_CHILDREN + 1) * sizeof(struct mk_order),
                   PROT_READ, &orders) &&
        open_pages(&family->report_memory, "reports", (MK_CHILDREN + 1) * sizeof(struct mk_report),
                   PROT_READ | PROT_WRITE, &reports);
    family->orders = orders;
    family->reports = reports;
    return ok;
}

void linux_family_close(struct linux_pd *pd)
{
    struct linux_family *family = &pd->family;
    if (family->orders != NULL)
        munmap((void *)family->orders, family->order_memory.size);
    if (family->reports != NULL)
        munmap(family->reports, family->report_memory.size);
    linux_memory_close(&family->order_memory);
    linux_memory_close(&family->report_memory);
    if (family->doorbell >= 0)
        close(family->doorbell);
}

struct linux_pd *linux_family_parent(struct linux_loader *loader, const struct linux_pd *pd)
{
    return pd->system->parent == SYSTEM_NONE ? NULL : &loader->pds[pd->system->parent];
}

/* ---- what the parent hears --------------------------------------------------------------------*/

/* The fault goes to the parent; false if there is none that could hear of it. */
bool linux_family_fault(struct linux_loader *loader, struct linux_pd *pd, int signal)
{
    struct linux_pd *parent = linux_family_parent(loader, pd);
    if (parent == NULL || (parent->state != LINUX_PD_RUNNING && parent->state != LINUX_PD_STOPPED))
        return false;
    struct mk_report *report = &parent->family.reports[pd->system->child_id];
    uint64_t label = 0, word[MK_FAULT_WORDS] = {0};
    unsigned count = linux_fault_message(pd, signal, &label, word);
    if (count == 0)
        return true; /* killed meanwhile, which is reported as that */
    pd->state = LINUX_PD_STOPPED;
    pd->fault = label;
    linux_mark_dead(loader, pd, true);
    memcpy(report->word, word, sizeof word);
    report->info = microkit_msginfo_new(label, (seL4_Uint16)count).words[0];
    /* Release: who sees the count sees the message. It is not written again before the parent has
     * restarted the child, or replied. */
    sddf_store_release_u32(&report->faults, sddf_load_relaxed_u32(&report->faults) + 1);
    linux_ring(parent);
    return true;
}

/* Nobody is left to restart them. */
void linux_family_parent_died(struct linux_loader *loader, const struct linux_pd *parent)
{
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        if (pd->system->parent != parent->index || pd->state != LINUX_PD_STOPPED)
            continue;
        linux_complain("%s: had been stopped, and its parent %s, which could have restarted it, is "
                       "dead",
                       pd->system->name, parent->system->name);
        pd->state = LINUX_PD_FAULTED;
        kill(pd->pid, SIGKILL);
    }
}

/* ---- what the parent asks for ---------------------------------------------------------------- */

static void done(struct linux_loader *loader, struct linux_pd *pd)
{
    struct linux_pd *parent = linux_family_parent(loader, pd);
    uint32_t id = pd->system->child_id;
    pd->wish = MK_ORDER_NONE;
    /* Release: who sees this sees the child's new state in the system page. */
    sddf_store_release_u32(&parent->family.reports[id].done, parent->family.taken[id]);
    linux_ring(parent);
}

/* Once for each child: its parent may order it as often as it likes. */
static void cannot(struct linux_pd *pd, const char *what)
{
    if (!pd->said_cannot)
        linux_complain("%s: %s", pd->system->name, what);
    pd->said_cannot = true;
}

/*
 * The program counter alone is set on seL4. Here a program's first instruction also expects the
 * boot page's address in its first argument, an empty stack, and the processor as it begins.
 */
static void restart(struct linux_loader *loader, struct linux_pd *pd)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0)
        return; /* killed meanwhile, which is reported as that */
    registers.rip = pd->wish_entry;
    registers.rsp = MK_STACK_TOP - 8;
    registers.rdi = MK_BOOT_AT;
    registers.orig_rax = UINT64_MAX; /* a system call that was interrupted is not made again */
    /* It may have left 64-bit code, or set flags that no function may begin with. */
    registers.cs = CODE;
    registers.ss = STACK;
    registers.eflags = FLAGS;
    if (ptrace(PTRACE_SETREGS, pd->pid, 0, &registers) != 0)
        cannot(pd, "cannot be restarted there: no program can have this entry point");
    /* What waits for an answer of the one that was waits in vain, faulted or not. */
    linux_mark_dead(loader, pd, true);
    linux_mark_dead(loader, pd, false);
    pd->fault = 0;
    pd->state = LINUX_PD_RUNNING;
    linux_continue(pd);
}

void linux_family_stopped(struct linux_loader *loader, struct linux_pd *pd)
{
    if (pd->wish == MK_ORDER_RESTART) {
        restart(loader, pd);
    } else {
        linux_mark_dead(loader, pd, true);
        pd->fault = 0;
        pd->state = LINUX_PD_STOPPED;
    }
    done(loader, pd);
}

/* As seL4 does it: label 0 resumes; the message has the registers, as far as it goes. */
static void reply(struct linux_loader *loader, struct linux_pd *pd, const struct mk_order *order)
{
    microkit_msginfo info = {{order->info}};
    seL4_Word count = microkit_msginfo_get_count(info);
    struct user_regs_struct registers;
    if (pd->fault == 0 || microkit_msginfo_get_label(info) != 0 ||
        ptrace(PTRACE_GETREGS, pd->pid, 0, &registers) != 0)
        return;
    unsigned long long *const exception[] = {&registers.rip, &registers.rsp, &registers.eflags};
    unsigned long long *const call[] = {
        &registers.rax, &registers.rbx, &registers.rcx,   &registers.rdx, &registers.rsi,
        &registers.rdi, &registers.rbp, &registers.r8,    &registers.r9,  &registers.r10,
        &registers.r11, &registers.r12, &registers.r13,   &registers.r14, &registers.r15,
        &registers.rip, &registers.rsp, &registers.eflags};
    if (pd->fault == seL4_Fault_UserException)
        for (size_t i = 0; i < sizeof exception / sizeof exception[0] && i < count; i++)
            *exception[i] = order->word[i];
    if (pd->fault == seL4_Fault_UnknownSyscall)
        for (size_t i = 0; i < sizeof call / sizeof call[0] && i < count; i++)
            *call[i] = order->word[i];
    registers.orig_rax = UINT64_MAX;
    if (ptrace(PTRACE_SETREGS, pd->pid, 0, &registers) != 0)
        cannot(pd, "its parent's reply to its fault has registers that it cannot have");
    pd->fault = 0;
    pd->state = LINUX_PD_RUNNING;
    linux_mark_dead(loader, pd, false);
    linux_continue(pd);
}

/* Its process ended before it could be carried out. */
void linux_family_gone(struct linux_loader *loader, struct linux_pd *pd)
{
    done(loader, pd);
}

static void take(struct linux_loader *loader, struct linux_pd *pd, const struct mk_order *order)
{
    bool gone = pd->state != LINUX_PD_RUNNING && pd->state != LINUX_PD_STOPPED;
    if (gone && order->kind != MK_ORDER_STOP)
        cannot(pd, "cannot be restarted: its process has ended");
    if (!gone && linux_debug_aloof(pd)) {
        cannot(pd, "its parent can neither restart nor stop it while it is looked into");
        gone = true;
    }
    pd->wish_entry = order->word[0];
    pd->wish = MK_ORDER_NONE;
    if (!gone && order->kind == MK_ORDER_REPLY)
        reply(loader, pd, order);
    else if (!gone && (order->kind == MK_ORDER_RESTART || order->kind == MK_ORDER_STOP))
        pd->wish = (enum mk_order_kind)order->kind;

    if (pd->wish == MK_ORDER_NONE)
        done(loader, pd);
    else if (pd->state == LINUX_PD_STOPPED || linux_budget_paused(pd))
        linux_family_stopped(loader, pd);
    else
        ptrace(PTRACE_INTERRUPT, pd->pid, 0, 0); /* the rest when it has stopped */
}

/* Who may end the system has done so? It is answered by the end. */
static void look_for_end(struct linux_loader *loader, const struct linux_pd *pd)
{
    const struct mk_order *there = &pd->family.orders[MK_CHILDREN];
    /* Acquire: the order was written before its sequence number. */
    if (!pd->system->shutdown || loader->ending || sddf_load_acquire_u32(&there->sequence) == 0 ||
        there->kind != MK_ORDER_END)
        return;
    loader->ending = true;
    loader->status = there->word[0] == 0 ? 0 : 1;
    if (loader->options->verbose)
        linux_complain("%s ends the system", pd->system->name);
}

void linux_family_serve(struct linux_loader *loader, struct linux_pd *parent)
{
    uint64_t rings;
    if (read(parent->family.doorbell, &rings, sizeof rings) < 0)
        return;
    look_for_end(loader, parent);
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        if (pd->system->parent != parent->index)
            continue;
        const struct mk_order *there = &parent->family.orders[pd->system->child_id];
        uint32_t *taken = &parent->family.taken[pd->system->child_id];
        /* Acquire: the order was written before its sequence number. One at a time. */
        uint32_t sequence = sddf_load_acquire_u32(&there->sequence);
        if (sequence == *taken || pd->wish != MK_ORDER_NONE)
            continue;
        struct mk_order order;
        memcpy(&order, there, sizeof order); /* once: the parent may go on writing */
        *taken = sequence;
        take(loader, pd, &order);
    }
}
