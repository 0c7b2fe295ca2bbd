/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: the whole receive path: a device - virt_rx - two copiers - two clients. */
#include "verify/spin/app.h"
#include "verify/spin/stubs.h"

#include <stddef.h>

#ifndef ONE_CLIENT
#define ONE_CLIENT false
#endif

extern struct net_virt_rx_config rx_sddf_net_config;
extern struct net_copy_config copya_sddf_net_config, copyb_sddf_net_config;
extern struct net_client_config a_sddf_net_config, b_sddf_net_config;
extern struct app a_app, b_app;
void rx_init(void);
void rx_notified(unsigned channel);
unsigned rx_peek_spare(uint32_t client, uint32_t *buffers);
void copya_init(void);
void copya_notified(unsigned channel);
void copyb_init(void);
void copyb_notified(unsigned channel);
void a_init(void);
void a_notified(unsigned channel);
void b_init(void);
void b_notified(unsigned channel);

enum { DEVICE, VIRT, COPY_A, A, COPY_B, B };

const struct world_pd scenario_pd[] = {
    [DEVICE] = {"device", stub_source_init, stub_source_notified, {{VIRT, 0}}},
    [VIRT] = {"virt_rx", rx_init, rx_notified, {{DEVICE, 0}, {COPY_A, 0}, {COPY_B, 0}}},
    [COPY_A] = {"copier A", copya_init, copya_notified, {{VIRT, 1}, {A, 0}}},
    [COPY_B] = {"copier B", copyb_init, copyb_notified, {{VIRT, 2}, {B, 0}}},
    [A] = {"client A", a_init, a_notified, {{COPY_A, 1}, {A, 1}}},
    [B] = {"client B", b_init, b_notified, {{COPY_B, 1}, {B, 1}}},
};
/* Packets to the first CLIENTS clients, in turns. */
enum { DMA = 2, BUFFERS = 1, PACKETS = 2, CLIENTS = ONE_CLIENT ? 1 : 2 };
const unsigned scenario_pds = 2 + 2 * CLIENTS;
const unsigned scenario_stops =
    CLIENTS == 1 ? WORLD_LOOKS | WORLD_SAYS | WORLD_SIGNALS : WORLD_LOOKS;

static void start_client(unsigned number, struct net_copy_config *copy,
                         struct net_client_config *client, struct app *app)
{
    struct net_virt_rx_config *rx = &rx_sddf_net_config;
    rx->client[number].rx = stub_pair(2, 2, (uint8_t)(number + 1));
    memcpy(rx->client[number].mac, stub_mac[number], 6);
    *copy = (struct net_copy_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_COPY, sizeof(*copy), 0},
        .rx = rx->client[number].rx,
        .client = stub_pair(1, 1, 1),
        .dma = rx->data,
        .data = stub_data(BUFFERS),
        .stats = stub_stats(),
        .dma_buffer_count = DMA,
        .buffer_count = BUFFERS,
    };
    copy->rx.channel = 0;
    *client = (struct net_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_CLIENT, sizeof(*client),
                   0},
        .rx = copy->client,
        .tx = stub_pair(1, 1, 1),
        .rx_data = copy->data,
        .tx_data = stub_data(1),
        .rx_buffer_count = BUFFERS,
        .tx_buffer_count = 1,
    };
    client->rx_data.io_address = client->tx_data.io_address = 0; /* it deals in offsets */
    client->rx.channel = 0;
    app->me = number;
}

void scenario_start(void)
{
    struct net_virt_rx_config *rx = &rx_sddf_net_config;
    *rx = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*rx), 0},
        .driver = stub_pair(2, 2, 0),
        .data = stub_data(DMA),
        .stats = stub_stats(),
        .buffer_count = DMA,
        .client_count = CLIENTS,
    };
    start_client(0, &copya_sddf_net_config, &a_sddf_net_config, &a_app);
    if (CLIENTS == 2) {
        start_client(1, &copyb_sddf_net_config, &b_sddf_net_config, &b_app);
    }
    stub_source.rx = rx->driver;
    stub_source.dma = stub_io;
    stub_source.packets = PACKETS;
    stub_source.to[0] = STUB_A;
    stub_source.to[1] = CLIENTS == 2 ? STUB_B : STUB_A;
}

const char *scenario_settled(void)
{
    const struct net_virt_rx_config *rx = &rx_sddf_net_config;
    struct stub_account account = {.seen = 0};
    uint32_t spare[DMA];
    if (stub_source.offered < PACKETS) {
        return "the device waits for ever for a buffer";
    }
    /* With two clients, one packet each, and a buffer for it: nothing was to be dropped. */
    if (CLIENTS == 2 && (a_app.got != 1 || b_app.got != 2)) {
        return "a client has not got its packet";
    }
    stub_see_pair(&account, &rx->driver, rx->data.io_address);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (stub_waiting(&rx->client[i].rx.active) != 0) {
            return "a packet lies in a queue, and its copier sleeps";
        }
        stub_see_pair(&account, &rx->client[i].rx, 0);
    }
    for (unsigned n = rx_peek_spare(0, spare); n-- > 0;) {
        stub_see(&account, spare[n]);
    }
    return stub_account_wrong(&account, DMA);
}

bool scenario_served(unsigned client)
{
    const bool arrived = CLIENTS == 1
                             ? stub_waiting(&copya_sddf_net_config.client.active) == 0 &&
                                   stub_waiting(&rx_sddf_net_config.client[0].rx.active) == 0
                             : (client == 0 ? a_app.got == 1 : b_app.got == 2);
    return stub_source.offered == PACKETS && stub_waiting(&rx_sddf_net_config.driver.active) == 0 &&
           arrived;
}
