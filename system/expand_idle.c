/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <idle>: a page with a processor's idle time, for those who are listed. The board says who writes
 * it: a counter, which is then a protection domain below all others; or, if the board's device has
 * no driver, the platform, whose page it is.
 */
#include <stdlib.h>

#include "sddf/idle.h"
#include "system/expand.h"
#include "system/model.h"

#define R  SYSTEM_READ
#define RW (SYSTEM_READ | SYSTEM_WRITE)

static void make_counter(struct expand *e, const struct system_idle *idle, const char *program,
                         size_t page)
{
    char *name = model_format("%s_counter", idle->device);
    size_t pd = expand_pd(e, name, program, IDLE_PRIORITY_COUNTER, &idle->counter, idle->place);
    free(name);
    /* It has all the time that nobody else wants: what a budget kept from it would count as busy.
     */
    struct system_pd *self = &e->system->pds[pd];
    if (!idle->counter.has_budget && !idle->counter.has_period) {
        self->budget = self->period = 1000;
    }
    struct idle_config config = {.page = expand_map(e, pd, page, RW)};
    expand_configure(e, pd, "sddf_idle_config", SDDF_ROLE_IDLE_COUNTER, &config, sizeof(config));
}

void expand_idle(struct expand *e, const struct system_idle *idle)
{
    const struct board_device *device = board_device(e->board, idle->device);
    char *name = model_format("%s_count", idle->device);
    size_t page = expand_region(e, name, sizeof(struct idle_page), idle->place);
    free(name);
    if (device->driver != NULL) {
        make_counter(e, idle, device->driver, page);
    } else {
        e->system->regions[page].has_phys = true;
        e->system->regions[page].phys = device->regions[0].phys;
    }
    for (size_t i = 0; i < idle->client_count; i++) {
        size_t pd = idle->clients[i].pd;
        struct idle_config config = {.page = expand_map(e, pd, page, R)};
        expand_configure(e, pd, "sddf_idle_config", SDDF_ROLE_IDLE_CLIENT, &config, sizeof(config));
    }
}
