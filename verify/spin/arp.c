/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: virt_rx's end - arp - virt_tx's end; and a client that claims an address meanwhile. */
#include "verify/spin/stubs.h"

#include <stddef.h>

extern struct net_arp_config arp_sddf_net_config;
void arp_init(void);
void arp_notified(unsigned channel);
microkit_msginfo arp_protected(unsigned channel, microkit_msginfo call);

static void claim_init(void);
static void claim_notified(unsigned channel);

enum { SOURCE, ARP, SINK, CLAIMER };
enum { CLAIMS = 2 }; /* arp's channel from the client */

const struct world_pd scenario_pd[] = {
    [SOURCE] = {"virt_rx's end", stub_source_init, stub_source_notified, {{ARP, 0}}},
    [ARP] = {"arp", arp_init, arp_notified, {{SOURCE, 0}, {SINK, 0}}, arp_protected},
    [SINK] = {"virt_tx's end", stub_sink_init_0, stub_sink_notified_0, {{ARP, 1}}},
    [CLAIMER] = {"client", claim_init, claim_notified, {{ARP, CLAIMS}}, .device = true},
};
const unsigned scenario_pds = 4;
const unsigned scenario_stops = WORLD_LOOKS | WORLD_SIGNALS;

/*
 * More questions than arp makes passes in a wake-up: for an address of the description's, for one
 * that is claimed meanwhile, and for one that nobody has.
 */
enum { DMA = 2, BUFFERS = 1, QUESTIONS = 5 };
static const uint8_t to[QUESTIONS] = {STUB_A, STUB_B, STUB_NOBODY, STUB_A, STUB_B};

static struct {
    bool claimed, answered;
} claim STUB_STATE;

static const uint8_t *address(unsigned who)
{
    static const uint8_t addresses[][4] = {[STUB_A] = {10, 0, 0, 1},
                                           [STUB_B] = {10, 0, 0, 2},
                                           [STUB_HOST] = {10, 0, 0, 9},
                                           [STUB_NOBODY] = {10, 0, 0, 7}};
    return addresses[who];
}

/* RFC 826. The question's number is in the asking host's hardware address, to find its answer. */
static unsigned ask(uint8_t *frame, unsigned who, unsigned number)
{
    static const uint8_t ethernet_ipv4_request[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    memset(frame, 0xff, 6);
    memcpy(frame + 6, stub_mac[STUB_HOST], 6);
    frame[11] = (uint8_t)number;
    memcpy(frame + 12, ethernet_ipv4_request, sizeof(ethernet_ipv4_request));
    memcpy(frame + 22, frame + 6, 6);
    memcpy(frame + 28, address(STUB_HOST), 4);
    memset(frame + 32, 0, 6);
    memcpy(frame + 38, address(who), 4);
    return 42;
}

/* The number of the question that this answers; a large one if it is no answer. */
static unsigned answer(const uint8_t *frame, unsigned length, unsigned me)
{
    const unsigned number = frame[5];
    (void)me;
    if (length != 42 || number >= QUESTIONS || frame[21] != 2 || to[number] > STUB_B ||
        memcmp(frame + 6, stub_mac[to[number]], 6) != 0 || memcmp(frame + 22, frame + 6, 6) != 0 ||
        memcmp(frame + 28, address(to[number]), 4) != 0 || (stub_sink[0].got >> number) != 0) {
        return STUB_PACKETS;
    }
    if (to[number] == STUB_B && !claim.claimed) {
        world_fail("an answer speaks for a client that has claimed nothing");
    }
    return number;
}

static void claim_init(void)
{
    world_interrupt(CLAIMER, 0); /* some time later */
}

static void claim_notified(unsigned channel)
{
    uint32_t ipv4;
    (void)channel;
    memcpy(&ipv4, address(STUB_B), sizeof(ipv4));
    microkit_mr_set(0, ipv4);
    microkit_mr_set(1, 24);
    claim.claimed = true; /* from some moment on, of which we hear later */
    const microkit_msginfo said = microkit_ppcall(0, microkit_msginfo_new(NET_ARP_CLAIM, 2));
    if (microkit_msginfo_get_label(said) != NET_ARP_OK) {
        world_fail("a claim is refused that nobody else has made");
    }
    claim.answered = true;
}

void scenario_start(void)
{
    struct net_arp_config *arp = &arp_sddf_net_config;
    *arp = (struct net_arp_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_ARP, sizeof(*arp), 0},
        .rx = stub_pair(2, 2, 0),
        .tx = stub_pair(1, 1, 1),
        .dma = stub_data(DMA),
        .data = stub_data(BUFFERS),
        .stats = stub_stats(),
        .dma_buffer_count = DMA,
        .buffer_count = BUFFERS,
        .client_count = 2,
        .client = {{.channel = SDDF_NO_CHANNEL, .prefix = 24}, {.channel = CLAIMS}},
    };
    for (unsigned i = 0; i < 2; i++) {
        memcpy(arp->client[i].mac, stub_mac[i], 6);
    }
    memcpy(&arp->client[0].ipv4, address(STUB_A), 4);
    stub_join(&arp->rx, SOURCE, 0, ARP, 0);
    stub_join(&arp->tx, ARP, 1, SINK, 0);
    stub_source.rx = arp->rx;
    stub_source.dma = (uint8_t *)(uintptr_t)arp->dma.vaddr;
    stub_source.packets = QUESTIONS;
    stub_source.write = ask;
    memcpy(stub_source.to, to, QUESTIONS);
    stub_source_fill(DMA);
    stub_sink[0].pair = arp->tx;
    stub_sink[0].pair.channel = 0;
    stub_sink[0].data = (const uint8_t *)(uintptr_t)arp->data.vaddr;
    stub_sink[0].read = answer;
    stub_sink[0].own = BUFFERS;
}

const char *scenario_settled(void)
{
    const struct net_arp_config *arp = &arp_sddf_net_config;
    struct stub_account dma = {.seen = 0}, data = {.seen = 0};
    if (stub_source.offered < QUESTIONS) {
        return "virt_rx waits for ever for a buffer";
    }
    if (!claim.answered) {
        return "a claim is never answered";
    }
    if (stub_waiting(&arp->rx.active) != 0 || stub_waiting(&arp->tx.active) != 0) {
        return "a frame lies in a queue, and its receiver sleeps";
    }
    if (stub_sink[0].count == 0) {
        return "no question has been answered"; /* with a buffer, the first one is */
    }
    stub_see_pair(&dma, &arp->rx, 0);
    stub_see_pair(&data, &arp->tx, 0);
    const char *wrong = stub_account_wrong(&dma, DMA);
    return wrong != NULL ? wrong : stub_account_wrong(&data, BUFFERS);
}

bool scenario_served(unsigned client)
{
    const struct net_arp_config *arp = &arp_sddf_net_config;
    (void)client;
    return stub_source.offered == QUESTIONS && claim.answered &&
           stub_waiting(&arp->rx.active) == 0 && stub_waiting(&arp->tx.active) == 0;
}
