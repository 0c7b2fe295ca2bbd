/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <timer>: one driver, and from each client a channel on which it calls, and is notified. The Tx
 * virtualiser of a network in which somebody has a limit is a client of the first timer.
 */
#include <stdlib.h>

#include "sddf/timer.h"
#include "system/expand.h"
#include "system/model.h"

void expand_timer_client(struct expand *e, size_t pd, struct system_place place)
{
    struct system_timer *timer = &e->system->timers[0];
    *(struct timer_client *)model_append(&timer->clients, &timer->client_count,
                                         sizeof(struct timer_client)) =
        (struct timer_client){pd, place};
}

void expand_no_timer(struct expand *e, size_t pd)
{
    struct timer_client_config client = {.channel = SDDF_NO_CHANNEL};
    expand_configure(e, pd, "sddf_timer_config", SDDF_ROLE_TIMER_CLIENT, &client, sizeof(client));
}

void expand_timer(struct expand *e, const struct system_timer *timer)
{
    if (timer->client_count > TIMER_CLIENTS_MAX) {
        system_error(e->errors, timer->place,
                     "with the Tx virtualisers that need it, the timer has %zu clients; it can "
                     "have %d",
                     timer->client_count, TIMER_CLIENTS_MAX);
        return;
    }
    const struct board_device *device = board_device(e->board, timer->device);
    char *name = model_format("%s_driver", timer->device);
    size_t driver =
        expand_pd(e, name, device->driver, TIMER_PRIORITY_DRIVER, &timer->driver, timer->place);
    free(name);
    struct timer_driver_config config = {.client_count = (uint32_t)timer->client_count};
    expand_device(e, driver, device, NULL, &config.device, timer->place);
    for (size_t i = 0; i < timer->client_count; i++) {
        size_t pd = timer->clients[i].pd;
        struct expand_channel channel =
            expand_channel(e, pd, driver, true, false, true, timer->clients[i].place);
        struct timer_client_config client = {.channel = channel.a};
        expand_configure(e, pd, "sddf_timer_config", SDDF_ROLE_TIMER_CLIENT, &client,
                         sizeof(client));
        config.client[i] = channel.b;
    }
    expand_configure(e, driver, "sddf_timer_config", SDDF_ROLE_TIMER_DRIVER, &config,
                     sizeof(config));
}
