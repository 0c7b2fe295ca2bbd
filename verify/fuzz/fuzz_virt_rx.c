/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser, between a driver, two clients' copiers (one asks DHCP) and the ARP component.
 */
#include "neighbours.h"

#include "network/virt_rx.c"

enum { DRIVER, A, B, ARP, RECEIVERS = 3 };

#define IO_BASE UINT64_C(0x40000000)

static uint8_t mac[4][6] = {
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    {0x52, 0x54, 0, 0, 0, 1},
    {0x52, 0x54, 0, 0, 0, 2},
    {0x52, 0x55, 0, 0, 0, 3},
};

/* B's and A's addresses begin at the same place of the table. */
static void let_addresses_collide(void)
{
    const uint32_t start = mac_table_start(sddf_raw_u48(mac[A]));
    for (uint32_t i = 0; mac_table_start(sddf_raw_u48(mac[B])) != start; i++) {
        fuzz_check(i < 65536, "no two addresses begin at the same place");
        mac[B][3] = (uint8_t)(i >> 8);
        mac[B][4] = (uint8_t)i;
    }
}

static void prepare(void)
{
    let_addresses_collide();
    struct net_virt_rx_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_VIRT_RX, sizeof(*c), 0};
    c->data = fuzz_add_data(IO_BASE, false, false);
    c->driver = fuzz_add_neighbour(
        (struct fuzz_neighbour){.io = true, .sends = true, .writes = true, .data = 1},
        FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    c->buffer_count = FUZZ_BUFFERS;
    c->client_count = RECEIVERS;
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        c->client[i].rx = fuzz_add_neighbour((struct fuzz_neighbour){.shares = true, .data = 1}, 4);
        memcpy(c->client[i].mac, mac[A + i], 6);
    }
    c->client[ARP - A].kind = NET_RECEIVER_ARP;
}

static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    (void)neighbour;
    uint8_t kind = fuzz_u8();
    memcpy(frame, mac[kind % 4], 6);
    if (kind % 32 == 31) {
        frame[0] |= 1; /* multicast */
    }
    frame[12] = 8;
    frame[13] = kind % 8 < 4 ? 0 : 6;
    if (length >= 64) {
        frame[14] = kind % 16 < 14 ? 0x45 : fuzz_u8();
        frame[20] = kind % 64 < 60 ? 0 : fuzz_u8();
        frame[23] = kind % 64 < 40 ? 17 : fuzz_u8();
        frame[37] = kind % 64 < 50 ? 68 : fuzz_u8();
    }
}

/* A frame goes to whom it is for. (Whoever writes to it meanwhile has only himself to blame.) */
static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    fuzz_check((entry->flags & ~NET_CSUM_VERIFIED) == 0, "flags leave that nobody knows");
    if (fuzz_neighbour[DRIVER].hostile && fuzz_concurrent) {
        return;
    }
    bool own = memcmp(frame, mac[neighbour], 6) == 0;
    bool all = memcmp(frame, mac[0], 6) == 0;
    fuzz_check(neighbour == ARP ? all : own || (all && (dhcp_receivers >> (neighbour - A) & 1)),
               "a frame goes to somebody else");
}

static void fuzz_account(void)
{
    uint32_t ours = 0;
    uint32_t lent = 0;
    for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
        uint32_t by = fuzz_data[0].holders[i];
        uint64_t expected = by == 0 ? HELD_BY_SELF : by == 1 ? HELD_BY_DRIVER : by >> A;
        fuzz_check(holders[i] == expected, "a buffer is lost");
        ours += by == 0;
        lent += (by & ~1u) != 0;
    }
    fuzz_check(ours == spare_count && lent == lent_count, "the counts of buffers are wrong");
    for (uint32_t r = 0; r < RECEIVERS; r++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
            count += fuzz_data[0].holders[i] >> (A + r) & 1;
        }
        fuzz_check(count == receivers[r].lent, "a receiver's count of buffers is wrong");
    }
}

static void fuzz_run(void)
{
    if (fuzz_neighbour_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    fuzz_reset(mode & 15);
    fuzz_data_reset(0, FUZZ_NO_BUFFER);
    fuzz_concurrent = (mode & 16) != 0;
    sddf_net_config.incoherent = mode >> 5 & 1;
    sddf_net_config.client[B - A].kind = (mode & 64) != 0 ? NET_RECEIVER_DHCP : NET_RECEIVER_CLIENT;
    /* What init refuses. */
    const struct net_virt_rx_config good = sddf_net_config;
    switch (more) {
    case 255:
        sddf_net_config.header.magic = 0;
        break;
    case 254:
        sddf_net_config.buffer_count = 0;
        break;
    case 253:
        sddf_net_config.stats.size = 64;
        break;
    case 252:
        sddf_net_config.driver.active.capacity = 3;
        break;
    case 251:
        sddf_net_config.client[0].rx.free.capacity = 0;
        break;
    case 250:
        sddf_net_config.client[0].rx.channel = MICROKIT_MAX_CHANNELS;
        break;
    case 249:
        memcpy(sddf_net_config.client[B - A].mac, mac[A], 6);
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    if (more >= 249) {
        fuzz_steps_begin();
        fuzz_check(!running, "it runs with a bad configuration");
        notified(1);
        sddf_net_config = good;
        return;
    }
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 80) {
            fuzz_neighbour_notifies(act % fuzz_neighbour_count);
        } else {
            fuzz_neighbours_act();
        }
    }
    bool honest = fuzz_settle();
    fuzz_check(!honest || fuzz_neighbour[DRIVER].out.consumer->head == fuzz_neighbour[DRIVER].tail,
               "frames are left, and nobody will look at them");
    fuzz_wake(1); /* what was returned without a signal */
    for (uint32_t r = 0; r < RECEIVERS; r++) {
        fuzz_check(fuzz_neighbour[A + r].hostile ||
                       receivers[r].lent == fuzz_has(&fuzz_neighbour[A + r]),
                   "an honest receiver's buffers are not taken back");
    }
}
