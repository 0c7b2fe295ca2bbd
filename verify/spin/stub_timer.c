/* SPDX-License-Identifier: BSD-2-Clause */
/* See stub_timer.h. */
#include "verify/spin/stub_timer.h"

#include "timer/driver.h"
#include "verify/spin/stubs.h"

struct stub_timer stub_timer STUB_STATE = {.end = 0};

static void assert_interrupt(void)
{
    if (stub_timer.asserted && !stub_timer.masked) {
        stub_timer.masked = true;
        stub_timer.withdrawn = false;
        world_interrupt(stub_timer.driver, stub_timer.irq);
    }
}

void stub_timer_init(void)
{
    world_interrupt(stub_timer.me, 0);
}

static void tick(void)
{
    const char *overdue = world_busy(stub_timer.me) ? NULL : scenario_overdue();
    if (overdue != NULL) {
        world_fail(overdue);
    }
    world_time += STUB_TICK;
    if (stub_timer.deadline != 0 && stub_timer.deadline <= world_time) {
        stub_timer.deadline = 0;
        stub_timer.asserted = true;
    }
    assert_interrupt();
}

void stub_timer_notified(unsigned channel)
{
    const bool busy = world_busy(stub_timer.me);
    if (!busy || stub_timer.hurries > 0) {
        stub_timer.hurries -= busy;
        tick();
    }
    if (world_time < stub_timer.end && scenario_sleeps()) {
        world_interrupt(stub_timer.me, channel);
    }
}

void stub_timer_acknowledges(unsigned channel)
{
    (void)channel;
    if (stub_timer.masked && !stub_timer.withdrawn) {
        world_fail("an interrupt is acknowledged that the device asserts: it comes for ever");
    }
    stub_timer.masked = false;
    assert_interrupt();
}

bool timer_device_init(const struct sddf_device_config *device)
{
    (void)device;
    return true;
}

void timer_device_set(uint64_t ahead)
{
    world_stop(__func__);
    stub_timer.deadline = world_time + ahead;
    stub_timer.asserted = false;
    stub_timer.withdrawn = true;
}

void timer_device_stop(void)
{
    stub_timer.deadline = 0;
    stub_timer.asserted = false;
    stub_timer.withdrawn = true;
}
