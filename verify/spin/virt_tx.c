/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: two clients - virt_tx - a device that sends; each client has fewer buffers than
 * packets. */
#include "verify/spin/app.h"
#include "verify/spin/stubs.h"

#include <stddef.h>

#ifndef RESTARTS
#define RESTARTS 0
#endif

extern struct net_virt_tx_config tx_sddf_net_config;
extern struct net_client_config a_sddf_net_config, b_sddf_net_config;
extern struct app a_app, b_app;
void tx_init(void);
void tx_notified(unsigned channel);
unsigned tx_peek_spare(uint32_t client, uint32_t *buffers);
unsigned a_peek_spare(uint32_t direction, uint32_t *buffers);
unsigned b_peek_spare(uint32_t direction, uint32_t *buffers);
void a_init(void);
void a_notified(unsigned channel);
void b_init(void);
void b_notified(unsigned channel);

enum { DEVICE, VIRT, A, B };

const struct world_pd scenario_pd[] = {
    [DEVICE] = {"device", stub_sink_init_0, stub_sink_notified_0, {{VIRT, 0}}},
    [VIRT] = {"virt_tx", tx_init, tx_notified, {{DEVICE, 0}, {A, 1}, {B, 1}}},
    [A] = {"client A", a_init, a_notified, {{A, 0}, {VIRT, 1}}, .restarts = RESTARTS},
    [B] = {"client B", b_init, b_notified, {{B, 0}, {VIRT, 2}}},
};
/* The one that dies is alone. */
enum { CLIENTS = RESTARTS == 0 ? 2 : 1 };
enum {
    BUFFERS = 1,
    PACKETS_A = 2 - RESTARTS,
    PACKETS_B = CLIENTS - 1,
    PACKETS = PACKETS_A + PACKETS_B
};
const unsigned scenario_pds = 2 + CLIENTS;
const unsigned scenario_stops = WORLD_LOOKS | WORLD_SAYS | WORLD_SIGNALS;

static void start_client(unsigned number, struct net_client_config *client, struct app *app)
{
    struct net_virt_tx_client *tx = &tx_sddf_net_config.client[number];
    *tx = (struct net_virt_tx_client){
        .tx = stub_pair(1, 1, (uint8_t)(number + 1)),
        .data = stub_data(BUFFERS),
        .weight = 1,
        .buffer_count = BUFFERS,
    };
    memcpy(tx->mac, stub_mac[number], 6);
    *client = (struct net_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_CLIENT, sizeof(*client),
                   0},
        .rx = stub_pair(1, 1, 0),
        .tx = tx->tx,
        .rx_data = stub_data(1),
        .tx_data = tx->data,
        .rx_buffer_count = 1,
        .tx_buffer_count = BUFFERS,
    };
    stub_join(&tx->tx, A + number, 1, VIRT, number + 1);
    client->rx_data.io_address = client->tx_data.io_address = 0; /* it deals in offsets */
    client->tx.channel = 1;
    memcpy(client->mac, stub_mac[number], 6);
    app->me = number;
    app->to_send = number == 0 ? PACKETS_A : PACKETS_B;
}

void scenario_start(void)
{
    struct net_virt_tx_config *tx = &tx_sddf_net_config;
    *tx = (struct net_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_TX, sizeof(*tx), 0},
        .driver = stub_pair(2, 1, 0),
        .stats = stub_stats(),
        .policy = NET_TX_ROUND_ROBIN,
        .client_count = CLIENTS,
    };
    start_client(0, &a_sddf_net_config, &a_app);
    if (CLIENTS == 2) {
        start_client(1, &b_sddf_net_config, &b_app);
    }
    stub_join(&tx->driver, VIRT, 0, DEVICE, 0);
    stub_sink[0].pair = tx->driver;
    stub_sink[0].data = stub_io;
    stub_sink[0].me = STUB_HOST;
}

const char *scenario_settled(void)
{
    const struct net_virt_tx_config *tx = &tx_sddf_net_config;
    if (a_app.sent < PACKETS_A || b_app.sent != PACKETS_B) {
        return "a client waits for ever for a buffer to send";
    }
    if (RESTARTS == 0 && stub_sink[0].count != PACKETS) {
        return "a packet that was sent has not left";
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct stub_account account = {.seen = 0};
        uint32_t spare[BUFFERS];
        stub_see_pair(&account, &tx->client[i].tx, 0);
        stub_see_own(&account, &tx->driver, tx->client[i].data.io_address, BUFFERS);
        for (unsigned n = tx_peek_spare(i, spare); n-- > 0;) {
            stub_see(&account, spare[n]);
        }
        for (unsigned n = (i == 0 ? a_peek_spare : b_peek_spare)(1, spare); n-- > 0;) {
            stub_see(&account, spare[n]);
        }
        const char *wrong = stub_account_wrong(&account, BUFFERS);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

bool scenario_served(unsigned client)
{
    (void)client;
    return stub_sink[0].count == PACKETS;
}
