/* SPDX-License-Identifier: BSD-2-Clause */
/* <timer>: one driver, and from each client a channel on which it calls, and is notified. */
#include <stdlib.h>

#include "sddf/timer.h"
#include "system/expand.h"
#include "system/model.h"

void expand_timer(struct expand *e, const struct system_timer *timer)
{
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
