/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When entry points run. By its own name: "slow" has a long init, during which "eager" notifies and
 * calls it; what "slow" defers in protected() is to be sent after a later event and not when that
 * returns; "idle", the lowest, says when all others have come to rest.
 */
#include <microkit.h>
#include <sddf/clock.h>
#include <string.h>

#define SLOW 1 /* eager's channel to slow, at both ends */
#define IDLE 2 /* eager's channel to idle, at both ends */
#define LONG (50 * SDDF_NS_PER_MS)

static bool ready;

static void say(const char *text)
{
    microkit_dbg_puts(text);
    microkit_dbg_puts("\n");
}

void init(void)
{
    if (strcmp(microkit_name, "slow") == 0) {
        for (uint64_t end = sddf_clock_now() + LONG; sddf_clock_now() < end;)
            continue;
        ready = true;
        say("init is over");
    } else if (strcmp(microkit_name, "eager") == 0) {
        microkit_notify(SLOW);
        microkit_msginfo answer = microkit_ppcall(SLOW, microkit_msginfo_new(0, 0));
        say(microkit_msginfo_get_label(answer) == 1 ? "called after its init" : "called too early");
    } else {
        microkit_notify(IDLE);
    }
}

void notified(microkit_channel ch)
{
    if (strcmp(microkit_name, "slow") == 0) {
        say(ready ? "notified after init" : "notified too early");
    } else if (ch == IDLE) {
        say("all others are at rest");
        microkit_notify(SLOW);
    } else {
        say("the deferred notification has come");
    }
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)msginfo;
    microkit_deferred_notify(ch);
    return microkit_msginfo_new(ready, 0);
}
