/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: a client with a limit - virt_tx - a device that sends; and the timer. */
#include "verify/spin/app.h"
#include "verify/spin/stub_timer.h"
#include "verify/spin/stubs.h"

#include <stddef.h>

extern struct net_virt_tx_config tx_sddf_net_config;
extern struct timer_client_config tx_sddf_timer_config;
extern struct timer_driver_config driver_sddf_timer_config;
extern struct net_client_config a_sddf_net_config;
extern struct app a_app;
void tx_init(void);
void tx_notified(unsigned channel);
void a_init(void);
void a_notified(unsigned channel);
void driver_init(void);
void driver_notified(unsigned channel);
microkit_msginfo driver_protected(unsigned channel, microkit_msginfo call);

enum { DEVICE, VIRT, A, DRIVER, CLOCK };
enum { IRQ = 0, TIMER = 2 }; /* virt_tx's channel to the timer driver */

const struct world_pd scenario_pd[] = {
    [DEVICE] = {"device", stub_sink_init_0, stub_sink_notified_0, {{VIRT, 0}}},
    [VIRT] = {"virt_tx", tx_init, tx_notified, {{DEVICE, 0}, {A, 1}, {DRIVER, 1}}},
    [A] = {"client", a_init, a_notified, {{A, 0}, {VIRT, 1}}},
    [DRIVER] = {"timer driver",
                driver_init,
                driver_notified,
                {[1] = {VIRT, TIMER}},
                driver_protected,
                stub_timer_acknowledges},
    [CLOCK] = {"clock", stub_timer_init, stub_timer_notified, .device = true},
};
const unsigned scenario_pds = 5;
const unsigned scenario_stops = WORLD_LOOKS | WORLD_SIGNALS | WORLD_TIMES;

/*
 * A window's worth is less than a frame: one a window, and from time to time none. The client has
 * fewer buffers than frames.
 */
enum { BUFFERS = 2, PACKETS = 3, WINDOW_US = 100 };
#define RATE UINT64_C(1000000)

static const uint64_t begin = UINT64_C(1) << 40;

void scenario_start(void)
{
    struct net_virt_tx_config *tx = &tx_sddf_net_config;
    struct net_client_config *client = &a_sddf_net_config;
    *tx = (struct net_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_TX, sizeof(*tx), 0},
        .driver = stub_pair(2, 2, 0),
        .stats = stub_stats(),
        .policy = NET_TX_ROUND_ROBIN,
        .client_count = 1,
        .client = {{.tx = stub_pair(2, 2, 1),
                    .data = stub_data(BUFFERS),
                    .weight = 1,
                    .buffer_count = BUFFERS,
                    .limit = RATE,
                    .window = WINDOW_US}},
    };
    memcpy(tx->client[0].mac, stub_mac[STUB_A], 6);
    *client = (struct net_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_CLIENT, sizeof(*client),
                   0},
        .rx = stub_pair(1, 1, 0),
        .tx = tx->client[0].tx,
        .rx_data = stub_data(1),
        .tx_data = tx->client[0].data,
        .rx_buffer_count = 1,
        .tx_buffer_count = BUFFERS,
    };
    client->rx_data.io_address = client->tx_data.io_address = 0; /* it deals in offsets */
    memcpy(client->mac, stub_mac[STUB_A], 6);
    a_app = (struct app){.me = STUB_A, .to_send = PACKETS};
    stub_sink[0].pair = tx->driver;
    stub_sink[0].data = stub_io;
    stub_sink[0].me = STUB_HOST;
    stub_join(&tx->driver, VIRT, 0, DEVICE, 0);
    stub_join(&tx->client[0].tx, A, 1, VIRT, 1);

    tx_sddf_timer_config = (struct timer_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT,
                   sizeof(tx_sddf_timer_config), 0},
        .channel = TIMER,
    };
    driver_sddf_timer_config = (struct timer_driver_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_DRIVER,
                   sizeof(driver_sddf_timer_config), 0},
        .device = {.irq_count = 1, .irq = {IRQ}},
        .client_count = 1,
        .client = {1},
    };
    world_time = begin;
    stub_timer = (struct stub_timer){.me = CLOCK, .driver = DRIVER, .irq = IRQ, .hurries = 4};
    stub_timer.end = begin + 60 * STUB_TICK;
}

/* Whenever all wait for time to pass: no more than the windows' worth has left, and a frame's rest.
 */
const char *scenario_overdue(void)
{
    const uint64_t windows = (world_time - begin) / (WINDOW_US * 1000) + 1;
    const unsigned sent = stub_sink[0].count;
    if (sent > 0 && (sent - 1) * STUB_LENGTH * 8 >= windows * (RATE * WINDOW_US / 1000000)) {
        return "more has left than the limit allows";
    }
    if (a_app.sent > sent && stub_timer.deadline == 0) {
        return "a frame waits for its window, and the timer is not set";
    }
    return NULL;
}

bool scenario_sleeps(void)
{
    return stub_sink[0].count < PACKETS;
}

const char *scenario_settled(void)
{
    const struct net_virt_tx_config *tx = &tx_sddf_net_config;
    struct stub_account account = {.seen = 0};
    if (stub_sink[0].count != PACKETS) {
        return "a frame that was sent has not left";
    }
    stub_see_pair(&account, &tx->client[0].tx, 0);
    stub_see_pair(&account, &tx->driver, tx->client[0].data.io_address);
    return account.wrong ? "a buffer is in two places" : NULL;
}

bool scenario_served(unsigned client)
{
    (void)client;
    return stub_sink[0].count == PACKETS;
}
