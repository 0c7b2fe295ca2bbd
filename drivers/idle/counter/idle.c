/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts the time in which nothing else wanted the processor: at the lowest priority, it reads the
 * clock without end. While nobody interrupts, two readings lie some instructions apart, and that
 * time is idle; when somebody has run in between, they lie further apart, and it is not.
 */
#include <stddef.h>
#include <string.h>

#include <microkit.h>

#include "sddf/idle.h"

/*
 * The longest time between two readings that counts as idle: the shortest is measured, and some
 * room left for caches and an emulator's moods; but no shorter than what entering the kernel and
 * running another protection domain costs at least.
 */
#define READINGS 256
#define ROOM     8
#define SHORTEST SDDF_NS_PER_US

struct idle_config sddf_idle_config;

static uint64_t measure(void)
{
    uint64_t shortest = UINT64_MAX;
    uint64_t last = sddf_clock_now();
    for (int i = 0; i < READINGS; i++) {
        uint64_t now = sddf_clock_now();
        if (now - last < shortest) {
            shortest = now - last;
        }
        last = now;
    }
    return shortest > SHORTEST / ROOM ? shortest * ROOM : SHORTEST;
}

/* It does not end; nothing notifies this protection domain. */
void init(void)
{
    const struct idle_config *config = &sddf_idle_config;
    if (!sddf_config_ok(&config->header, SDDF_ROLE_IDLE_COUNTER, sizeof(*config)) ||
        config->page.vaddr == 0 || config->page.size < sizeof(struct idle_page)) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": configuration does not match this program\n");
        return;
    }
    struct idle_page *page = (struct idle_page *)(uintptr_t)config->page.vaddr;
    const uint64_t longest = measure();
    struct idle_sample sample = {0}; /* (total 0: whoever reads has stopped this very program) */
    uint64_t last = sddf_clock_now();
    for (;;) {
        uint64_t now = sddf_clock_now();
        if (now - last <= longest) {
            sample.idle += now - last;
            idle_publish(page, sample);
        }
        last = now;
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
