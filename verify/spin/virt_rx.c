/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: a device - virt_rx - two receivers. Packets for both, and for nobody; few buffers. */
#include "verify/spin/stubs.h"

#include <stddef.h>

extern struct net_virt_rx_config rx_sddf_net_config;
void rx_init(void);
void rx_notified(unsigned channel);
unsigned rx_peek_spare(uint32_t client, uint32_t *buffers);

enum { DEVICE, VIRT, A, B };

const struct world_pd scenario_pd[] = {
    [DEVICE] = {"device", stub_source_init, stub_source_notified, {[0] = {VIRT, 0}}},
    [VIRT] = {"virt_rx", rx_init, rx_notified, {{DEVICE, 0}, {A, 0}, {B, 0}}},
    [A] = {"receiver A", stub_sink_init_0, stub_sink_notified_0, {[0] = {VIRT, 1}}},
    [B] = {"receiver B", stub_sink_init_1, stub_sink_notified_1, {[0] = {VIRT, 2}}},
};
const unsigned scenario_pds = 4;
const unsigned scenario_stops = WORLD_LOOKS;

enum { BUFFERS = 2, PACKETS = 3 };
static const uint8_t to[PACKETS] = {STUB_A, STUB_B, STUB_NOBODY};

void scenario_start(void)
{
    struct net_virt_rx_config *rx = &rx_sddf_net_config;
    const struct sddf_region_config dma = stub_data(BUFFERS);
    *rx = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*rx), 0},
        .driver = stub_pair(2, 2, 0),
        .data = dma,
        .stats = stub_stats(),
        .buffer_count = BUFFERS,
        .client_count = 2,
    };
    stub_join(&rx->driver, DEVICE, 0, VIRT, 0);
    stub_source.rx = rx->driver;
    stub_source.dma = stub_io;
    stub_source.packets = PACKETS;
    memcpy(stub_source.to, to, PACKETS);
    for (unsigned i = 0; i < 2; i++) {
        rx->client[i].rx = stub_pair(2, 2, (uint8_t)(i + 1));
        stub_join(&rx->client[i].rx, VIRT, i + 1, A + i, 0);
        memcpy(rx->client[i].mac, stub_mac[i], 6);
        stub_sink[i].pair = rx->client[i].rx;
        stub_sink[i].pair.channel = 0;
        stub_sink[i].data = (const uint8_t *)(uintptr_t)dma.vaddr;
        stub_sink[i].me = i;
    }
}

const char *scenario_settled(void)
{
    const struct net_virt_rx_config *rx = &rx_sddf_net_config;
    struct stub_account account = {.seen = 0};
    uint32_t spare[BUFFERS];
    if (stub_source.offered < PACKETS) {
        return "the device waits for ever for a buffer";
    }
    if (stub_waiting(&rx->driver.active) != 0) {
        return "a packet lies in the device's queue, and virt_rx sleeps";
    }
    stub_see_pair(&account, &rx->driver, rx->data.io_address);
    for (unsigned i = 0; i < 2; i++) {
        if (stub_waiting(&rx->client[i].rx.active) != 0) {
            return "a packet lies in a queue, and its receiver sleeps";
        }
        stub_see_pair(&account, &rx->client[i].rx, 0);
    }
    for (unsigned i = rx_peek_spare(0, spare); i-- > 0;) {
        stub_see(&account, spare[i]);
    }
    return stub_account_wrong(&account, BUFFERS);
}

bool scenario_served(unsigned client)
{
    const struct net_virt_rx_config *rx = &rx_sddf_net_config;
    return stub_source.offered == PACKETS && stub_waiting(&rx->driver.active) == 0 &&
           (client >= 2 || stub_waiting(&rx->client[client].rx.active) == 0);
}
