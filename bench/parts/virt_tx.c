/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser: one client's frames to the driver, and the buffers back. */
#include "network/virt_tx.c"
#include "network/virt_tx_provide.c"
#include "network/virt_tx_return.c"

#include "sddf/timer.h"
#include "tests/unit/fake_microkit.h"
#include "tests/unit/net_rig.h"

#include "parts.h"

enum { CH_DRIVER = 1, CH_CLIENT, CH_ARP };

static struct rig_peer driver, client;

/* Nobody is limited here, so nobody asks for the time. */
uint64_t sddf_clock_now(void)
{
    return 0;
}

bool timer_init(void)
{
    return true;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    (void)id;
    (void)deadline;
    return TIMER_OK;
}

static void part_setup(void)
{
    struct net_virt_tx_config *config = &sddf_net_config;
    *config = (struct net_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_TX, sizeof(*config),
                   0},
        .driver = rig_pair(2 * PART_BUFFERS, 2 * PART_BUFFERS, CH_DRIVER),
        .stats = rig_stats(),
        .policy = NET_TX_SIGNALLED,
        .client_count = 2,
    };
    for (unsigned i = 0; i < 2; i++) {
        config->client[i].tx = rig_pair(PART_BUFFERS, PART_BUFFERS, (uint8_t)(CH_CLIENT + i));
        config->client[i].data =
            rig_data(PART_BUFFERS, (uint64_t)i * PART_BUFFERS * NET_BUFFER_SIZE);
        config->client[i].buffer_count = PART_BUFFERS;
        config->client[i].weight = 1;
    }
    memcpy(config->client[0].mac, rig_mac_a, 6);
    config->client[1].any_mac = 1;
    rig_attach(&driver, &config->driver.free, &config->driver.active);
    rig_attach(&client, &config->client[0].tx.active, &config->client[0].tx.free);
    init();
}

static void part_offer(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        uint64_t at = rig_take(&client).address;
        uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.client[0].data.vaddr + at;
        rig_ethernet(frame, rig_host, rig_mac_a, 0x0800);
        rig_send_at(&client, at, PART_LENGTH);
    }
}

void part_wake(void)
{
    fake_microkit_wake(CH_CLIENT);
}

static void part_take(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        rig_send_at(&driver, rig_take(&driver).address, 0);
    }
}
