/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parent of hostile PDs: reports each attempt that was refused, once, and lets the child try the
 * next. Of a child named a prober (id PROBER and up) it answers forbidden system calls with
 * REFUSED, silently.
 *
 * When every attempt has been refused, two neighbours (ping.c) have to go on for a while beside
 * what the children do then; with that the system ends, if the description permits it.
 */
#include <microkit.h>
#include <microkit_linux.h>

#include "hostile.h"

#define PROBER  50
#define REFUSED UINT64_C(0x5ddf5ddf)
#define LAPS    30 /* of 10,000 rounds each */

static unsigned refused[2]; /* by child 1 and 2 */
static unsigned laps;

void init(void)
{
}

static void print(const char *text, unsigned number)
{
    microkit_dbg_puts(text);
    microkit_dbg_put32(number);
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (refused[0] < HOSTILE_ATTEMPTS || refused[1] < HOSTILE_ATTEMPTS || ++laps != LAPS)
        return;
    bool all = refused[0] == HOSTILE_ATTEMPTS && refused[1] == HOSTILE_ATTEMPTS;
    print("every attempt was refused: ", refused[0]);
    print(" of the one with the library, ", refused[1]);
    print(" of the one without; beside them a neighbour had ", LAPS);
    microkit_dbg_puts("0,000 right answers\n");
    microkit_linux_end(all ? 0 : 1);
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    seL4_Word label = microkit_msginfo_get_label(msginfo);
    if (child >= PROBER) {
        microkit_mr_set(seL4_UnknownSyscall_RAX, REFUSED);
        *reply_msginfo = microkit_msginfo_new(0, 1);
        return seL4_True;
    }
    if (child == 1 || child == 2)
        refused[child - 1]++;
    microkit_dbg_puts("refused ");
    microkit_dbg_put32(child);
    microkit_dbg_puts(label == seL4_Fault_UnknownSyscall  ? ": system call\n"
                      : label == seL4_Fault_VMFault       ? ": memory\n"
                      : label == seL4_Fault_UserException ? ": exception\n"
                                                          : ": something else\n");
    microkit_pd_restart(child, 0x200000);
    return seL4_False;
}
