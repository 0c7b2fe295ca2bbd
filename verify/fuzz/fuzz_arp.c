/* SPDX-License-Identifier: BSD-2-Clause */
/* The ARP component, between both virtualisers, with a client that claims addresses. */
#include "neighbours.h"

#include "network/arp.c"

enum { VIRT_RX, VIRT_TX };
enum { DMA, DATA };
enum { CLIENTS = 3, CH_CLAIM = 9, CH_CLAIM_ANY = 10 };

static const uint8_t host[6] = {2, 0, 0, 0, 0, 9};

static uint32_t ipv4_of(uint8_t last)
{
    return __builtin_bswap32(0x0a000000u | last);
}

static void prepare(void)
{
    struct net_arp_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_ARP, sizeof(*c), 0};
    c->dma = fuzz_add_data(0, false, true);
    c->data = fuzz_add_data(0, true, false);
    c->rx = fuzz_add_neighbour(
        (struct fuzz_neighbour){.sends = true, .writes = true, .data = 1 << DMA}, FUZZ_CAPACITY);
    c->tx = fuzz_add_neighbour((struct fuzz_neighbour){.data = 1 << DATA}, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    c->dma_buffer_count = FUZZ_BUFFERS;
    c->buffer_count = FUZZ_BUFFERS;
    c->client_count = CLIENTS;
    c->client[0] = (struct net_arp_client){{0x52, 0x54, 0, 0, 0, 1}, SDDF_NO_CHANNEL, 24, 0};
    c->client[0].ipv4 = ipv4_of(1);
    c->client[1] = (struct net_arp_client){{0x52, 0x54, 0, 0, 0, 2}, CH_CLAIM, 24, 0};
    c->client[1].ipv4 = ipv4_of(0);
    c->client[2] = (struct net_arp_client){{0x52, 0x54, 0, 0, 0, 3}, CH_CLAIM_ANY, 0, 0};
}

/* A question, near enough. */
static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    (void)neighbour;
    static const uint8_t start[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    if (length < ARP_FRAME_SIZE) {
        memset(frame, 0, length);
        return;
    }
    memset(frame, 0xff, 6);
    memcpy(frame + ETH_FROM, host, 6);
    memcpy(frame + ETH_TYPE, start, sizeof(start));
    memcpy(frame + ARP_SHA, host, 6);
    uint8_t who = fuzz_u8();
    uint32_t asked = ipv4_of(who % 8);
    uint32_t asking = ipv4_of(who % 32 / 8 + 4);
    memcpy(frame + ARP_TPA, &asked, 4);
    memcpy(frame + ARP_SPA, &asking, 4);
    if (who >= 200) {
        frame[fuzz_u8() % ARP_FRAME_SIZE] ^= who;
    }
}

static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    (void)neighbour;
    uint32_t ipv4 = read_ipv4(frame + ARP_SPA);
    uint32_t owner = client_of(ipv4);
    fuzz_check(entry->length == ARP_FRAME_SIZE && read_be16(frame + ARP_OPER) == ARP_REPLY,
               "what leaves is no answer");
    fuzz_check(owner < CLIENTS &&
                   memcmp(frame + ETH_FROM, sddf_net_config.client[owner].mac, 6) == 0,
               "an answer speaks for nobody");
}

static void fuzz_account(void)
{
    for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
        fuzz_check(fuzz_data[DMA].credit[i] == 0, "a DMA buffer is lost");
        fuzz_check(fuzz_neighbour[VIRT_TX].hostile || fuzz_data[DATA].holders[i] != 0,
                   "a Tx buffer is lost");
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (uint32_t other = 0; other < i; other++) {
            fuzz_check(address[i] == 0 || address[i] != address[other], "two have one address");
        }
    }
    fuzz_check(address[0] == ipv4_of(1), "an address of the description's is lost");
}

static void claim(void)
{
    uint8_t kind = fuzz_u8();
    fuzz_registers[0] = kind < 128 ? ipv4_of(kind % 8) : fuzz_u32();
    fuzz_registers[0] |= kind == 255 ? UINT64_C(1) << 40 : 0;
    fuzz_registers[1] = kind % 16 == 0 ? fuzz_u8() : 24;
    microkit_channel ch = (kind & 32) != 0 ? CH_CLAIM : (kind & 64) != 0 ? CH_CLAIM_ANY : kind % 62;
    fuzz_steps_begin();
    microkit_msginfo answer = protected(
        ch, microkit_msginfo_new(kind % 32 == 3 ? 7 : NET_ARP_CLAIM, kind % 32 == 5 ? 1 : 2));
    uint64_t label = microkit_msginfo_get_label(answer);
    fuzz_check(label == NET_ARP_OK || label == NET_ARP_REFUSED, "a claim has no answer");
    fuzz_at_rest();
}

static void fuzz_run(void)
{
    if (fuzz_neighbour_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    fuzz_reset(mode & 3);
    fuzz_data_reset(DMA, VIRT_RX);
    fuzz_data_reset(DATA, VIRT_TX);
    fuzz_data[DATA].counted = fuzz_neighbour[VIRT_TX].hostile;
    fuzz_concurrent = (mode & 16) != 0;
    const struct net_arp_config good = sddf_net_config;
    switch (more) {
    case 255:
        sddf_net_config.client_count = NET_CLIENTS_MAX + 1;
        break;
    case 254:
        sddf_net_config.dma_buffer_count = 0;
        break;
    case 253:
        sddf_net_config.data.size = 2048;
        break;
    case 252:
        sddf_net_config.stats.vaddr = 0;
        break;
    case 251:
        sddf_net_config.rx.free.capacity = 5;
        break;
    case 250:
        sddf_net_config.client[1].prefix = 33;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    if (more >= 250) {
        fuzz_check(!running, "it runs with a bad configuration");
        notified(1);
        protected(CH_CLAIM, microkit_msginfo_new(NET_ARP_CLAIM, 2));
        sddf_net_config = good;
        return;
    }
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 70) {
            fuzz_neighbour_notifies(act % fuzz_neighbour_count);
        } else if (act < 90) {
            claim();
        } else {
            fuzz_neighbours_act();
        }
    }
    bool honest = fuzz_settle();
    fuzz_check(!honest ||
                   fuzz_neighbour[VIRT_RX].out.consumer->head == fuzz_neighbour[VIRT_RX].tail,
               "frames are left, and nobody will look at them");
}
