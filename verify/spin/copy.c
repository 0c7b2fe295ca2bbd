/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: virt_rx's end - copy - a client that has fewer buffers than packets come. */
#include "verify/spin/app.h"
#include "verify/spin/stubs.h"

#include <stddef.h>

#ifndef RESTARTS
#define RESTARTS 0
#endif

extern struct net_copy_config copy_sddf_net_config;
extern struct net_client_config a_sddf_net_config;
extern struct app a_app;
void copy_init(void);
void copy_notified(unsigned channel);
void a_init(void);
void a_notified(unsigned channel);
unsigned a_peek_spare(uint32_t direction, uint32_t *buffers);

enum { SOURCE, COPY, CLIENT };

const struct world_pd scenario_pd[] = {
    [SOURCE] = {"virt_rx's end", stub_source_init, stub_source_notified, {{COPY, 0}}},
    [COPY] = {"copy", copy_init, copy_notified, {{SOURCE, 0}, {CLIENT, 0}}},
    [CLIENT] = {"client", a_init, a_notified, {{COPY, 1}, {CLIENT, 1}}, .restarts = RESTARTS},
};
const unsigned scenario_pds = 3;
const unsigned scenario_stops = WORLD_ALL;

enum { DMA = 2, BUFFERS = 1, PACKETS = 4 - RESTARTS };

void scenario_start(void)
{
    struct net_copy_config *copy = &copy_sddf_net_config;
    struct net_client_config *client = &a_sddf_net_config;
    *copy = (struct net_copy_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_COPY, sizeof(*copy), 0},
        .rx = stub_pair(2, 2, 0),
        .client = stub_pair(1, 1, 1),
        .dma = stub_data(DMA),
        .data = stub_data(BUFFERS),
        .stats = stub_stats(),
        .dma_buffer_count = DMA,
        .buffer_count = BUFFERS,
    };
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
    a_app.me = STUB_A;
    stub_join(&copy->rx, SOURCE, 0, COPY, 0);
    stub_join(&copy->client, COPY, 1, CLIENT, 0);
    stub_source.rx = copy->rx;
    stub_source.dma = (uint8_t *)(uintptr_t)copy->dma.vaddr;
    stub_source.packets = PACKETS;
    stub_source_fill(DMA);
}

const char *scenario_settled(void)
{
    const struct net_copy_config *copy = &copy_sddf_net_config;
    struct stub_account dma = {.seen = 0}, data = {.seen = 0};
    if (stub_source.offered < PACKETS) {
        return "virt_rx waits for ever for a buffer";
    }
    if (stub_waiting(&copy->rx.active) != 0 || stub_waiting(&copy->client.active) != 0) {
        return "a packet lies in a queue, and its receiver sleeps";
    }
    stub_see_pair(&dma, &copy->rx, 0);
    stub_see_pair(&data, &copy->client, 0);
    uint32_t spare[BUFFERS];
    for (unsigned n = a_peek_spare(0, spare); n-- > 0;) {
        stub_see(&data, spare[n]);
    }
    const char *wrong = stub_account_wrong(&dma, DMA);
    return wrong != NULL ? wrong : stub_account_wrong(&data, BUFFERS);
}

bool scenario_served(unsigned client)
{
    const struct net_copy_config *copy = &copy_sddf_net_config;
    (void)client;
    return stub_source.offered == PACKETS && stub_waiting(&copy->rx.active) == 0 &&
           stub_waiting(&copy->client.active) == 0;
}
