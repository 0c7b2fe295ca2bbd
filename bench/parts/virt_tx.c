/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser: a client's frames to the driver, and the buffers back. */
#include "network/virt_tx.c"
#include "network/virt_tx_provide.c"
#include "network/virt_tx_return.c"

#include "sddf/timer.h"
#include "tests/unit/fake_microkit.h"
#include "tests/unit/net_rig.h"

#include "parts.h"

enum { CH_DRIVER, CH_FIRST };

static struct rig_peer driver, sender[PART_CLIENTS_MAX];

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
        .driver = rig_pair(PART_BUFFERS * 64, PART_BUFFERS * 64, CH_DRIVER),
        .stats = rig_stats(),
        .policy = NET_TX_SIGNALLED,
        .client_count = part_clients + 1,
    };
    for (unsigned i = 0; i <= part_clients; i++) {
        config->client[i].tx = rig_pair(PART_BUFFERS, PART_BUFFERS, (uint8_t)(CH_FIRST + i));
        config->client[i].data =
            rig_data(PART_BUFFERS, (uint64_t)i * PART_BUFFERS * NET_BUFFER_SIZE);
        config->client[i].buffer_count = PART_BUFFERS;
        config->client[i].weight = 1;
    }
    config->client[part_clients].any_mac = 1; /* the ARP component */
    for (unsigned i = 0; i < part_clients; i++) {
        memcpy(config->client[i].mac, rig_mac_a, 6);
        config->client[i].mac[5] = (uint8_t)(i + 1);
        rig_attach(&sender[i], &config->client[i].tx.active, &config->client[i].tx.free);
    }
    rig_attach(&driver, &config->driver.free, &config->driver.active);
    init();
}

static void part_offer(unsigned batch)
{
    const struct net_virt_tx_client *its = &sddf_net_config.client[part_turn];
    for (unsigned i = 0; i < batch; i++) {
        uint64_t at = rig_take(&sender[part_turn]).address;
        rig_ethernet((uint8_t *)(uintptr_t)its->data.vaddr + at, rig_host, its->mac, 0x0800);
        rig_send_at(&sender[part_turn], at, PART_LENGTH);
    }
}

void part_wake(void)
{
    fake_microkit_wake(CH_FIRST + part_turn);
}

static void part_take(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        rig_send_at(&driver, rig_take(&driver).address, 0);
    }
}
