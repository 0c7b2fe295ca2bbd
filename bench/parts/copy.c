/* SPDX-License-Identifier: BSD-2-Clause */
/* The copier: frames from the Rx virtualiser into its client's buffers. */
#include "network/copy.c"

#include "tests/unit/fake_microkit.h"
#include "tests/unit/net_rig.h"

#include "parts.h"

enum { CH_VIRT = 1, CH_CLIENT };

static struct rig_peer virt, client;

static void part_setup(void)
{
    struct net_copy_config *config = &sddf_net_config;
    *config = (struct net_copy_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_COPY, sizeof(*config), 0},
        .rx = rig_pair(PART_BUFFERS, PART_BUFFERS, CH_VIRT),
        .client = rig_pair(PART_BUFFERS, PART_BUFFERS, CH_CLIENT),
        .dma = rig_data(PART_BUFFERS, 0),
        .data = rig_data(PART_BUFFERS, 0),
        .stats = rig_stats(),
        .dma_buffer_count = PART_BUFFERS,
        .buffer_count = PART_BUFFERS,
    };
    rig_attach(&virt, &config->rx.active, &config->rx.free);
    rig_attach(&client, &config->client.free, &config->client.active);
    init();
    for (unsigned i = 0; i < PART_BUFFERS; i++) {
        rig_send_at(&client, i * NET_BUFFER_SIZE, 0);
    }
}

static void part_offer(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        rig_send_at(&virt, i * NET_BUFFER_SIZE, PART_LENGTH);
    }
}

void part_wake(void)
{
    fake_microkit_wake(CH_VIRT);
}

static void part_take(unsigned batch)
{
    for (unsigned i = 0; i < batch; i++) {
        rig_send_at(&client, rig_take(&client).address, 0);
        rig_take(&virt);
    }
}
