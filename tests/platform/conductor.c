/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By its own name: "obedient" is a child, of parent.c, that is stopped and restarted without having
 * failed; "conductor" has that done, calls and notifies it meanwhile, and says what came of it.
 */
#include <microkit.h>
#include <string.h>

#define RESTART 0 /* conductor's channels to the parent: it does that and notifies back */
#define STOP    1
#define CHILD   2 /* to the child, at both ends */

static unsigned boots, heard; /* obedient's */
static unsigned restarts;     /* conductor's */

static void say(const char *text, unsigned number)
{
    microkit_dbg_puts(text);
    microkit_dbg_put32(number);
    microkit_dbg_puts("\n");
}

static void call(void)
{
    microkit_msginfo answer = microkit_ppcall(CHILD, microkit_msginfo_new(0, 0));
    bool gone = microkit_msginfo_get_label(answer) == MICROKIT_LINUX_GONE;
    if (gone)
        microkit_dbg_puts("its procedure is gone\n");
    else
        say("its procedure answers in boot ", (unsigned)microkit_msginfo_get_label(answer));
}

void init(void)
{
    if (strcmp(microkit_name, "obedient") == 0) {
        say("boot ", ++boots);
    } else {
        call();
        microkit_notify(STOP);
    }
}

void notified(microkit_channel ch)
{
    if (strcmp(microkit_name, "obedient") == 0) {
        say("notified ", ++heard);
    } else if (ch == STOP) {
        microkit_dbg_puts("stopped\n");
        call();
        microkit_notify(CHILD); /* twice is once, and is heard after the restart */
        microkit_notify(CHILD);
        microkit_notify(RESTART);
    } else if (ch == RESTART) {
        microkit_dbg_puts("restarted\n");
        call();
        if (++restarts < 3)
            microkit_notify(STOP);
    }
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    (void)msginfo;
    return microkit_msginfo_new(boots, 0);
}
