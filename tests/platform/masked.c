/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interrupt is masked until it is acknowledged: "masked" leaves the first one of a timer that
 * has run out unacknowledged until "nudge", the other role, has waited for a while; then it
 * acknowledges each, at once or deferred in turns, and since the timer still says the same, the
 * next one comes.
 */
#include <microkit_linux.h>
#include <sddf/clock.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define IRQ   9
#define NUDGE 1
#define MORE  10

static unsigned interrupts;

static void set_timer(long ns)
{
    const struct timespec times[2] = {{0, 0}, {0, ns}};
    microkit_linux_syscall(SYS_timerfd_settime, microkit_linux_irq_fd(IRQ), 0, (long)times, 0, 0,
                           0);
}

void init(void)
{
    if (strcmp(microkit_name, "masked") == 0) {
        set_timer(1000000);
        return;
    }
    for (uint64_t end = sddf_clock_now() + 30 * SDDF_NS_PER_MS; sddf_clock_now() < end;)
        continue;
    microkit_notify(NUDGE);
}

void notified(microkit_channel ch)
{
    if (ch == NUDGE) {
        microkit_dbg_puts("interrupts before the first was acknowledged: ");
        microkit_dbg_put32(interrupts);
        microkit_dbg_puts("\n");
        microkit_irq_ack(IRQ);
        return;
    }
    interrupts++;
    if (interrupts == MORE) {
        set_timer(0);
        microkit_dbg_puts("and it went on\n");
    } else if (interrupts > 1) {
        if (interrupts % 2 == 0)
            microkit_irq_ack(IRQ);
        else
            microkit_deferred_irq_ack(IRQ);
    }
}
