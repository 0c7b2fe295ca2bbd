/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser: frames from the driver to one client's copier. */
#include "network/virt_rx.c"

#include "tests/unit/fake_microkit.h"
#include "tests/unit/net_rig.h"

#include "parts.h"

enum { CH_DRIVER = 1, CH_COPY, CH_ARP };

static struct rig_peer driver, copy;

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
        .client_count = 2,
    };
    for (unsigned i = 0; i < 2; i++) {
        config->client[i].rx = rig_pair(PART_BUFFERS, PART_BUFFERS, (uint8_t)(CH_COPY + i));
    }
    memcpy(config->client[0].mac, rig_mac_a, 6);
    config->client[1].kind = NET_RECEIVER_ARP;
    rig_attach(&driver, &config->driver.active, &config->driver.free);
    rig_attach(&copy, &config->client[0].rx.free, &config->client[0].rx.active);
    init();
}

static void part_offer(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        struct net_entry entry = rig_take(&driver);
        uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + entry.address;
        rig_ethernet(frame, rig_mac_a, rig_host, 0x0800);
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
        rig_send_at(&copy, rig_take(&copy).address, 0);
    }
}
