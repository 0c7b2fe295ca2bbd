/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A parent, as the public interface has it. A child that faults is restarted ten times and then
 * stopped; a system call of child EMULATED is answered, and it goes on. Notified on RESTART or
 * STOP it does that to child BUSY, which does not ask for it.
 */
#include <microkit.h>

#define EMULATED 7
#define BUSY     8
#define RESTART  0
#define STOP     1
#define ENTRY    0x200000

static unsigned restarts[62];

static void print(const char *text, seL4_Word value)
{
    microkit_dbg_puts(text);
    microkit_dbg_put32((seL4_Uint32)value);
}

static void describe(microkit_child child, microkit_msginfo msginfo)
{
    print("child ", child);
    switch (microkit_msginfo_get_label(msginfo)) {
    case seL4_Fault_VMFault:
        print(": memory, ", microkit_msginfo_get_count(msginfo));
        print(" words, address ", microkit_mr_get(seL4_VMFault_Addr));
        print(", execution ", microkit_mr_get(seL4_VMFault_PrefetchFault));
        print(", status ", microkit_mr_get(seL4_VMFault_FSR));
        break;
    case seL4_Fault_UnknownSyscall:
        print(": system call ", microkit_mr_get(seL4_UnknownSyscall_Syscall));
        print(", ", microkit_msginfo_get_count(msginfo));
        print(" words, first argument ", microkit_mr_get(seL4_UnknownSyscall_RDI));
        break;
    case seL4_Fault_UserException:
        print(": exception ", microkit_mr_get(seL4_UserException_Number));
        print(", ", microkit_msginfo_get_count(msginfo));
        microkit_dbg_puts(" words");
        break;
    default:
        print(": label ", microkit_msginfo_get_label(msginfo));
    }
    microkit_dbg_puts("\n");
}

void init(void)
{
    microkit_pd_restart(40, ENTRY); /* there is none */
    microkit_pd_stop(63);
    microkit_dbg_puts("ready\n");
}

void notified(microkit_channel ch)
{
    if (ch == RESTART)
        microkit_pd_restart(BUSY, ENTRY);
    else if (ch == STOP)
        microkit_pd_stop(BUSY);
    microkit_dbg_puts(ch == RESTART ? "restarted\n" : "stopped\n");
    microkit_notify(ch);
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    describe(child, msginfo);
    if (child == EMULATED) {
        microkit_mr_set(seL4_UnknownSyscall_RAX, 4711);
        *reply_msginfo = microkit_msginfo_new(0, 1);
        return seL4_True;
    }
    if (restarts[child]++ < 10) {
        microkit_pd_restart(child, ENTRY);
    } else {
        microkit_pd_stop(child);
        print("child ", child);
        microkit_dbg_puts(" is stopped\n");
    }
    return seL4_False;
}
