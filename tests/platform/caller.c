/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls protected procedures: of server on channel 1; of mortal on channel 2, which does not live.
 */
#include <microkit.h>

static void print(const char *what)
{
    microkit_dbg_puts(what);
    microkit_dbg_puts("\n");
}

static bool call_server(unsigned round)
{
    unsigned count = round % 65;
    for (unsigned i = 0; i < count; i++)
        microkit_mr_set((seL4_Uint8)i, round * UINT64_C(1000) + i);
    microkit_msginfo answer = microkit_ppcall(1, microkit_msginfo_new(round, (seL4_Uint16)count));
    if (microkit_msginfo_get_label(answer) != round + 1 ||
        microkit_msginfo_get_count(answer) != count)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (microkit_mr_get((seL4_Uint8)i) != (round * UINT64_C(1000) + i) * 3)
            return false;
    return true;
}

void init(void)
{
    bool right = true;
    for (unsigned round = 0; round < 1000; round++)
        right = call_server(round) && right;
    print(right ? "1000 calls answered right" : "wrong answers");

    /* 70 words cannot be sent; 64 arrive, in both directions. */
    microkit_msginfo answer = microkit_ppcall(1, microkit_msginfo_new(7, 70));
    print(microkit_msginfo_get_count(answer) == 64 ? "clamped to 64" : "not clamped");

    print("calling mortal");
    for (int i = 0; i < 2; i++) {
        answer = microkit_ppcall(2, microkit_msginfo_new(0, 0));
        print(microkit_msginfo_get_label(answer) == MICROKIT_LINUX_GONE ? "gone" : "not gone");
    }
    print(call_server(64) ? "server still answers" : "server is silent");
}

void notified(microkit_channel ch)
{
    microkit_dbg_puts("deferred signal of channel ");
    microkit_dbg_put32(ch);
    microkit_dbg_puts("\n");
}
