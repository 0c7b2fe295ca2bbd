/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By its own name: "patient" calls a server that faults in every third call and is restarted by its
 * parent, until it has eight answers; "controller" has the parent restart and then stop a child
 * that is busy.
 */
#include <microkit.h>
#include <string.h>

void init(void)
{
    if (strcmp(microkit_name, "controller") == 0) {
        microkit_notify(0);
        return;
    }
    bool was_gone = false;
    for (unsigned answers = 0; answers < 8;) {
        microkit_msginfo answer = microkit_ppcall(1, microkit_msginfo_new(100, 0));
        bool gone = microkit_msginfo_get_label(answer) == MICROKIT_LINUX_GONE;
        if (gone && was_gone)
            continue; /* it has not been restarted yet */
        was_gone = gone;
        answers += !gone;
        microkit_dbg_puts(gone                                        ? "gone\n"
                          : microkit_msginfo_get_label(answer) == 105 ? "answer\n"
                                                                      : "wrong\n");
    }
}

void notified(microkit_channel ch)
{
    if (ch == 0)
        microkit_notify(1);
    else
        microkit_dbg_puts("done\n");
}
