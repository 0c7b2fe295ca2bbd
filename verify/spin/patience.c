/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenario: a device - virt_rx - a receiver that gives back what it gets, and signals late. Packets
 * come in bursts, each when all of the one before has been given back: so virt_rx, which has not
 * looked at all of that (patience), must have room for every packet. More come than there are
 * buffers.
 */
#include "verify/spin/stubs.h"

extern struct net_virt_rx_config rx_sddf_net_config;
void rx_init(void);
void rx_notified(unsigned channel);
unsigned rx_peek_spare(uint32_t client, uint32_t *buffers);

enum { DEVICE, VIRT, RECEIVER };

/* Half of the buffers is the most that one receiver may hold. */
enum { BUFFERS = 4, PACKETS = 6 };
static const unsigned burst_ends[] = {1, 3, 4, PACKETS};
static unsigned burst STUB_STATE;
static unsigned given_back STUB_STATE; /* packets whose buffers are on their way to virt_rx */

static void device_init(void)
{
    stub_source.packets = burst_ends[burst];
    stub_source_init();
}

static void device_notified(unsigned channel)
{
    if (stub_source.packets < PACKETS && given_back == stub_source.packets) {
        stub_source.packets = burst_ends[++burst];
    }
    stub_source_notified(channel);
}

static void receiver_notified(unsigned channel)
{
    stub_sink_notified_0(channel);
    given_back = stub_sink[0].count;
    if (given_back == stub_source.packets) {
        microkit_notify(1);
    }
}

const struct world_pd scenario_pd[] = {
    [DEVICE] = {"device", device_init, device_notified, {[0] = {VIRT, 0}}},
    [VIRT] = {"virt_rx", rx_init, rx_notified, {{DEVICE, 0}, {RECEIVER, 0}}},
    [RECEIVER] = {"receiver", stub_sink_init_0, receiver_notified, {{VIRT, 1}, {DEVICE, 1}}},
};
const unsigned scenario_pds = 3;
const unsigned scenario_stops = WORLD_LOOKS | WORLD_SAYS;

void scenario_start(void)
{
    struct net_virt_rx_config *rx = &rx_sddf_net_config;
    *rx = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*rx), 0},
        .driver = stub_pair(BUFFERS, BUFFERS, 0),
        .data = stub_data(BUFFERS),
        .stats = stub_stats(),
        .buffer_count = BUFFERS,
        .client_count = 1,
    };
    rx->client[0].rx = stub_pair(BUFFERS, BUFFERS, 1);
    memcpy(rx->client[0].mac, stub_mac[STUB_A], 6);
    stub_join(&rx->driver, DEVICE, 0, VIRT, 0);
    stub_join(&rx->client[0].rx, VIRT, 1, RECEIVER, 0);
    stub_source.rx = rx->driver;
    stub_source.dma = stub_io;
    memset(stub_source.to, STUB_A, PACKETS);
    stub_sink[0].pair = rx->client[0].rx;
    stub_sink[0].pair.channel = 0;
    stub_sink[0].data = (const uint8_t *)(uintptr_t)rx->data.vaddr;
    stub_sink[0].me = STUB_A;
}

static bool all_done(void)
{
    return stub_source.offered == PACKETS && stub_sink[0].count == PACKETS;
}

const char *scenario_settled(void)
{
    const struct net_virt_rx_config *rx = &rx_sddf_net_config;
    struct stub_account account = {.seen = 0};
    uint32_t spare[BUFFERS];
    if (stub_source.offered < stub_source.packets) {
        return "the device waits for ever for a buffer";
    }
    if (stub_waiting(&rx->driver.active) + stub_waiting(&rx->client[0].rx.active) != 0) {
        return "a packet lies in a queue, and its receiver sleeps";
    }
    if (!all_done()) {
        return "a packet was dropped whose receiver had given everything back";
    }
    stub_see_pair(&account, &rx->driver, rx->data.io_address);
    stub_see_pair(&account, &rx->client[0].rx, 0);
    for (unsigned i = rx_peek_spare(0, spare); i-- > 0;) {
        stub_see(&account, spare[i]);
    }
    return stub_account_wrong(&account, BUFFERS);
}

bool scenario_served(unsigned client)
{
    (void)client;
    return all_done();
}
