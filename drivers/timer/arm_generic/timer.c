/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer driver for Arm's generic timer: the EL1 physical timer, whose registers the kernel leaves
 * to EL0 (CNTKCTL_EL1.EL0PTEN). It is the core's own, so there are no device registers to map.
 *
 * Arm Architecture Reference Manual for A-profile (DDI 0487), chapter "The Generic Timer in
 * AArch64 state", and the descriptions of CNTFRQ_EL0, CNTPCT_EL0, CNTP_CVAL_EL0 and CNTP_CTL_EL0.
 * The interrupt is level-sensitive: asserted while ENABLE is set, IMASK is not, and the counter has
 * reached CVAL.
 */
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "sddf/clock.h"

#define CTL_ENABLE UINT64_C(1)

/* So that the multiplication below has room. The timer then goes off too early, and is set again.
 */
#define AHEAD_MAX (SDDF_NS_PER_S * 60)

static uint64_t frequency; /* Hz */

static uint64_t counter(void)
{
    uint64_t ticks;
    __asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}

static void write_control(uint64_t value)
{
    /* The barrier: the timer's output has followed before the interrupt is acknowledged. */
    __asm__ volatile("msr cntp_ctl_el0, %0; isb" : : "r"(value) : "memory");
}

void timer_device_set(uint64_t ahead)
{
    ahead = ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
    uint64_t ticks = (ahead * (frequency / 1000) + 999999) / 1000000; /* ns * kHz / 10^6 */
    uint64_t compare = counter() + ticks;
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(compare));
    write_control(CTL_ENABLE);
}

void timer_device_stop(void)
{
    write_control(0);
}

bool timer_device_init(const struct sddf_device_config *device)
{
    (void)device;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    timer_device_stop();
    return frequency >= 1000;
}
