/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser with each of its policies, between a driver, two clients (one has a limit, one
 * claims its address) and the ARP component. */
#include "neighbours.h"

#undef NET_TX_BUFFERS_MAX
#define NET_TX_BUFFERS_MAX 64

#include "network/virt_tx.c"
#include "network/virt_tx_provide.c"
#include "network/virt_tx_return.c"

enum { DRIVER, A, B, ARP, CLIENTS = 3 };
enum { CH_TIMER = 20 };

static const uint64_t io[CLIENTS] = {0x50000000, 0x10000000, 0x10000000 + FUZZ_BUFFERS * 2048};
static const uint8_t mac[4][6] = {
    {2, 0, 0, 0, 0, 9}, /* a host */
    {0x52, 0x54, 0, 0, 0, 1},
    {0x52, 0x54, 0, 0, 0, 2},
    {0, 0, 0, 0, 0, 0},
};

static uint64_t now;
static uint64_t timeout;
static bool no_timer;

uint64_t sddf_clock_now(void)
{
    return now;
}

bool timer_init(void)
{
    return !no_timer;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    fuzz_check(id == TIMEOUT, "another timeout is set");
    if (deadline % 8 == 7) {
        return TIMER_GONE;
    }
    timeout = deadline;
    return TIMER_OK;
}

static void prepare(void)
{
    struct net_virt_tx_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_VIRT_TX, sizeof(*c), 0};
    c->driver = fuzz_add_neighbour((struct fuzz_neighbour){.io = true, .data = 7}, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    c->client_count = CLIENTS;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        c->client[i].data = fuzz_add_data(io[i], false, false);
        c->client[i].tx = fuzz_add_neighbour(
            (struct fuzz_neighbour){.sends = true, .writes = true, .data = 1u << i}, FUZZ_CAPACITY);
        c->client[i].buffer_count = FUZZ_BUFFERS;
        c->client[i].weight = i + 1;
        memcpy(c->client[i].mac, mac[A + i], 6);
    }
    c->client[0].ipv4 = 0x0a00000a;
    c->client[ARP - A].any_mac = 1;
}

static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    uint8_t kind = fuzz_u8();
    memcpy(frame, mac[kind % 32 == 31 ? 1 : 0], 6);
    uint32_t from = kind % 16 == 15 ? fuzz_u8() % 4 : neighbour;
    memcpy(frame + 6, mac[from == ARP ? A + kind % 2 : from], 6);
    frame[12] = kind >= 240 ? 0x81 : 8;
    frame[13] = kind >= 200 && kind < 240 ? 6 : 0;
    if (length >= 42) {
        frame[16] = kind >= 248 ? 8 : fuzz_u8();
        frame[17] = kind >= 248 ? 6 : 0;
        frame[18] = kind % 32 == 30 ? 5 : 6;
        frame[19] = 4;
        memcpy(frame + 22, mac[kind % 32 == 29 ? 0 : neighbour == ARP ? A : neighbour], 6);
        uint32_t ipv4 = 0x0a00000a + kind % 2;
        ipv4 = kind % 4 == 3 ? 0 : ipv4;
        memcpy(frame + 28, &ipv4, 4);
    }
}

static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    (void)neighbour;
    fuzz_check(entry->flags == 0 ||
                   (entry->flags == NET_CSUM_WANTED && entry->csum_start >= NET_FRAME_MIN &&
                    entry->csum_start + entry->csum_offset + 2 <= entry->length),
               "a checksum is wanted outside the frame");
    uint32_t client = (uint32_t)((uintptr_t)frame - sddf_net_config.client[0].data.vaddr);
    for (client = 0;
         frame - (const uint8_t *)(uintptr_t)sddf_net_config.client[client].data.vaddr < 0 ||
         (size_t)(frame - (const uint8_t *)(uintptr_t)sddf_net_config.client[client].data.vaddr) >=
             FUZZ_BUFFERS * NET_BUFFER_SIZE;) {
        client++;
    }
    if (fuzz_concurrent && fuzz_neighbour[A + client].hostile) {
        return; /* it may write to it just now */
    }
    bool own = memcmp(frame + 6, mac[A + client], 6) == 0;
    bool any = memcmp(frame + 6, mac[A], 6) == 0 || memcmp(frame + 6, mac[B], 6) == 0;
    fuzz_check(client == ARP - A ? any : own, "a frame leaves in another's name");
    fuzz_check(memcmp(frame, mac[A], 6) != 0 && memcmp(frame, mac[B], 6) != 0,
               "a frame to a client of the same network leaves");
}

static void fuzz_account(void)
{
    for (uint32_t c = 0; c < CLIENTS; c++) {
        const struct tx_client *client = &tx_clients[c];
        uint32_t ours = 0;
        uint32_t at_driver = 0;
        for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
            uint32_t by = fuzz_data[c].holders[i];
            enum tx_owner owner = by == 0   ? TX_OWNER_SELF
                                  : by == 1 ? TX_OWNER_DRIVER
                                            : TX_OWNER_CLIENT;
            fuzz_check(by == 0 || by == 1 || by == 1u << (A + c), "a buffer is in two places");
            fuzz_check(tx_owners[client->first + i] == owner, "a buffer is lost");
            ours += by == 0;
            at_driver += by == 1;
        }
        fuzz_check(ours == client->spare_count && at_driver == client->in_flight,
                   "the counts of buffers are wrong");
        fuzz_check((virt_tx.hungry >> c & 1) == (at_driver > FUZZ_BUFFERS / 2),
                   "who is hungry is wrong");
    }
}

/* Returns with the clock as late as the timeout, if there is one. */
static bool timer_fires(void)
{
    if (timeout == TX_LIMIT_NEVER) {
        return false;
    }
    now = timeout > now ? timeout : now;
    timeout = TX_LIMIT_NEVER;
    fuzz_wake(CH_TIMER);
    return true;
}

static void fuzz_run(void)
{
    if (fuzz_neighbour_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct net_virt_tx_config *c = &sddf_net_config;
    fuzz_reset(mode & 15);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        fuzz_data_reset(i, FUZZ_NO_BUFFER);
    }
    fuzz_concurrent = (mode & 16) != 0;
    c->incoherent = mode >> 5 & 1;
    c->policy = mode >> 6;
    bool limited = (more & 1) != 0;
    c->client[1].limit = limited ? 1000000u << more % 16 : 0;
    c->client[1].window = limited ? 100u + more : 0;
    now = UINT64_C(1) << 40;
    timeout = TX_LIMIT_NEVER;
    const struct net_virt_tx_config good = *c;
    no_timer = more == 255;
    switch (more) {
    case 254:
        c->header.version++;
        break;
    case 253:
        c->policy = 4;
        break;
    case 252:
        c->stats.size = 8;
        break;
    case 251:
        c->driver.active.capacity = 5;
        break;
    case 250:
        c->client[0].buffer_count = 65;
        break;
    case 249:
        c->client[1].data.io_address += 1;
        break;
    case 248:
        c->client[0].tx.channel = 99;
        break;
    case 247:
        c->client[0].tx.free.consumer = 0;
        break;
    case 246:
        memcpy(c->client[1].mac, mac[A], 6);
        break;
    case 245:
        c->client[0].weight = 101;
        break;
    case 244:
        c->client[2].data.io_address = io[1] + 1;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    if (more >= 244) {
        fuzz_check(!virt_tx.running, "it runs with a bad configuration");
        notified(1);
        *c = good;
        return;
    }
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 60) {
            fuzz_neighbour_notifies(act % fuzz_neighbour_count);
        } else if (act < 70) {
            now += (uint64_t)fuzz_u16() << act % 16;
        } else if (act < 80) {
            timer_fires();
        } else {
            fuzz_neighbours_act();
        }
    }
    bool honest;
    uint32_t rounds = 0;
    do {
        honest = fuzz_settle();
    } while (timer_fires() && rounds++ < 64);
    honest = fuzz_settle();
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct fuzz_neighbour *n = &fuzz_neighbour[A + i];
        fuzz_check(!honest || n->out.consumer->head == n->tail || rounds >= 64 ||
                       timeout != TX_LIMIT_NEVER || virt_tx.held != 0,
                   "frames are left, and nobody will look at them");
    }
    fuzz_wake(1); /* what was returned without a signal */
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct fuzz_neighbour *n = &fuzz_neighbour[A + i];
        uint32_t away =
            tx_clients[i].in_flight + tx_clients[i].spare_count + (n->tail - n->out.consumer->head);
        fuzz_check(n->hostile || fuzz_has(n) + away == FUZZ_BUFFERS,
                   "an honest client has lost a buffer");
        fuzz_check(n->hostile || tx_clients[i].spare_count == 0,
                   "an honest client's buffer is kept back");
    }
}
