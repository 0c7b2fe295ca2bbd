/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parent of hostile PDs: reports each attempt that was refused, once, and lets the child try the
 * next. Of a child named a prober (id PROBER and up) it answers forbidden system calls with
 * REFUSED, silently.
 */
#include <microkit.h>

#define PROBER  50
#define REFUSED UINT64_C(0x5ddf5ddf)

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    seL4_Word label = microkit_msginfo_get_label(msginfo);
    if (child >= PROBER && label == seL4_Fault_UserException) {
        /* Two calls of the kernel's own pass every filter, and end in an exception. */
        *reply_msginfo = microkit_msginfo_new(0, 1);
        return seL4_True; /* with the program counter that stands in the message */
    }
    if (child >= PROBER) {
        microkit_mr_set(seL4_UnknownSyscall_RAX, REFUSED);
        *reply_msginfo = microkit_msginfo_new(0, 1);
        return seL4_True;
    }
    microkit_dbg_puts("refused ");
    microkit_dbg_put32(child);
    microkit_dbg_puts(label == seL4_Fault_UnknownSyscall  ? ": system call\n"
                      : label == seL4_Fault_VMFault       ? ": memory\n"
                      : label == seL4_Fault_UserException ? ": exception\n"
                                                          : ": something else\n");
    microkit_pd_restart(child, 0x200000);
    return seL4_False;
}
