/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser: frames from the driver to a client's copier. */
#include "network/virt_rx.c"

#include "tests/unit/fake_microkit.h"
#include "tests/unit/net_rig.h"

#include "parts.h"

enum { CH_DRIVER, CH_FIRST };

static struct rig_peer driver, copy[PART_CLIENTS_MAX];

static void client_mac(uint8_t mac[6], unsigned number)
{
    memcpy(mac, rig_mac_a, 6);
    mac[5] = (uint8_t)(number + 1);
}

static void part_setup(void)
{
    struct net_virt_rx_config *config = &sddf_net_config;
    *config = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*config),
                   0},
        .driver = rig_pair(PART_BUFFERS, PART_BUFFERS, CH_DRIVER),
        .data = rig_data(PART_BUFFERS, 0),
        .stats = rig_stats(),
        .buffer_count = PART_BUFFERS,
        .client_count = part_clients + 1,
    };
    for (unsigned i = 0; i <= part_clients; i++) {
        config->client[i].rx = rig_pair(PART_BUFFERS, PART_BUFFERS, (uint8_t)(CH_FIRST + i));
    }
    config->client[part_clients].kind = NET_RECEIVER_ARP;
    for (unsigned i = 0; i < part_clients; i++) {
        client_mac(config->client[i].mac, i);
        rig_attach(&copy[i], &config->client[i].rx.free, &config->client[i].rx.active);
    }
    rig_attach(&driver, &config->driver.active, &config->driver.free);
    init();
}

static void part_offer(unsigned batch)
{
    uint8_t mac[6];
    client_mac(mac, part_turn);
    for (unsigned i = 0; i < batch; i++) {
        struct net_entry entry = rig_take(&driver);
        uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + entry.address;
        rig_ethernet(frame, mac, rig_host, 0x0800);
        rig_send_at(&driver, entry.address, PART_LENGTH);
    }
}

void part_wake(void)
{
    fake_microkit_wake(CH_DRIVER);
}

static void part_take(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        rig_send_at(&copy[part_turn], rig_take(&copy[part_turn]).address, 0);
    }
}
