/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's library, between its copier and the Tx virtualiser, under a client that errs. */
#include "neighbours.h"

#define NET_CLIENT_BUFFERS_MAX 8 /* as many as there are: the next would be outside */
#include "network/client.c"

enum { COPIER, VIRT_TX };
enum { RX, TX };

static uint32_t received[FUZZ_BUFFERS]; /* and not returned */
static uint32_t received_count;
static uint32_t reserved[FUZZ_BUFFERS];
static uint32_t reserved_count;

static void prepare(void)
{
    struct net_client_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_CLIENT, sizeof(*c), 0};
    c->rx_data = fuzz_add_data(0, true, false);
    c->tx_data = fuzz_add_data(0, true, false);
    c->rx = fuzz_add_neighbour(
        (struct fuzz_neighbour){.sends = true, .writes = true, .data = 1 << RX}, FUZZ_CAPACITY);
    c->tx = fuzz_add_neighbour((struct fuzz_neighbour){.data = 1 << TX}, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    c->rx_buffer_count = FUZZ_BUFFERS;
    c->tx_buffer_count = FUZZ_BUFFERS;
}

static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    (void)neighbour;
    memset(frame, 1, length < 64 ? length : 64);
}

static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    (void)neighbour;
    (void)entry;
    (void)frame;
}

static void account(const struct client_buffers *b, uint32_t region)
{
    uint32_t in_use = 0;
    uint32_t spare = 0;
    for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
        fuzz_check((b->place[i] == CLIENT_AWAY) == (fuzz_data[region].holders[i] != 0),
                   "a buffer is lost, or in two places");
        in_use += b->place[i] == CLIENT_IN_USE;
        spare += b->place[i] == CLIENT_SPARE;
    }
    fuzz_check(in_use == b->in_use && spare == b->spare_count, "the counts of buffers are wrong");
}

static void fuzz_account(void)
{
    account(&net_client.rx, RX);
    account(&net_client.tx, TX);
    fuzz_check(net_client.rx.in_use == received_count && net_client.tx.in_use == reserved_count,
               "the application has another number of buffers");
}

static void receive(void)
{
    struct net_frame frame;
    if (net_client_receive(&frame) != NET_RECEIVE_FRAME) {
        return;
    }
    fuzz_check(frame.length >= NET_FRAME_MIN && frame.length <= NET_FRAME_MAX &&
                   frame.buffer < FUZZ_BUFFERS,
               "what is received is no frame");
    for (uint32_t i = 0; i < received_count; i++) {
        fuzz_check(received[i] != frame.buffer, "a buffer is received twice");
    }
    *(volatile uint8_t *)frame.data = 0;
    *(volatile uint8_t *)(frame.data + frame.length - 1) = 0;
    fuzz_check((size_t)(frame.data - net_client.rx.data) / NET_BUFFER_SIZE == frame.buffer &&
                   (size_t)(frame.data + frame.length - 1 - net_client.rx.data) / NET_BUFFER_SIZE ==
                       frame.buffer,
               "a frame lies in another buffer");
    received[received_count++] = frame.buffer;
}

static void reserve(void)
{
    uint32_t buffer;
    uint8_t *bytes = net_client_reserve(&buffer);
    if (bytes != NULL) {
        memset(bytes, 0, NET_BUFFER_SIZE);
        fuzz_check(buffer < FUZZ_BUFFERS && reserved_count < FUZZ_BUFFERS, "a buffer is made up");
        reserved[reserved_count++] = buffer;
    }
}

void notified(microkit_channel ch)
{
    uint8_t act = fuzz_u8();
    (void)ch;
    for (uint32_t i = 0; i < act % 8u; i++) {
        receive();
    }
    while (act / 8 % 4 < received_count) {
        net_client_return(received[--received_count]);
    }
    for (uint32_t i = 0; i < act / 32 % 8u && net_client_can_send() != 0; i++) {
        reserve();
    }
    while ((act & 1) == 0 && reserved_count > 0) {
        uint32_t buffer = reserved[--reserved_count];
        if ((act & 2) == 0) {
            net_client_send(buffer, NET_FRAME_MIN + act, 0, 0, 0);
        } else {
            net_client_unreserve(buffer);
        }
    }
    if (act % 16 == 9) { /* mistakes of the application's */
        net_client_return(fuzz_u32() | FUZZ_BUFFERS);
        net_client_return(received_count == 0 ? act % FUZZ_BUFFERS : FUZZ_BUFFERS);
        net_client_send(fuzz_u32() | FUZZ_BUFFERS, 60, 0, 0, 0);
        net_client_unreserve(reserved_count == 0 ? act % FUZZ_BUFFERS : FUZZ_BUFFERS);
    }
    net_client_count(NET_STAT_WAKEUPS, 1);
    net_client_flush();
    if ((act & 12) == 12) {
        net_client_idle_until_send();
    } else {
        net_client_idle((act & 4) != 0);
    }
    fuzz_check(net_client_held() == received_count && net_client_counted(NET_STAT_WAKEUPS) > 0,
               "the counts are wrong");
}

/*
 * What lies in a queue when the client starts is its neighbour's, for the client may have been here
 * before: a hostile one can withhold buffers by that, as it always can.
 */
static void believe(const struct client_buffers *b, uint32_t region, uint32_t neighbour)
{
    for (uint32_t i = 0; i < FUZZ_BUFFERS && fuzz_neighbour[neighbour].hostile; i++) {
        if (b->place[i] == CLIENT_AWAY) {
            fuzz_data[region].holders[i] = UINT32_C(1) << neighbour;
        }
    }
}

/* What the client had in use, it has again. */
static void restart(void)
{
    received_count = reserved_count = 0;
    fuzz_steps_begin();
    fuzz_check(net_client_init(), "it does not start again");
    believe(&net_client.rx, RX, COPIER);
    believe(&net_client.tx, TX, VIRT_TX);
    fuzz_at_rest();
}

static void fuzz_run(void)
{
    if (fuzz_neighbour_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct net_client_config *c = &sddf_net_config;
    fuzz_reset(mode & 3);
    c->rx_lent = mode >> 2 & 1;
    c->tx_own = mode >> 3 & 1;
    fuzz_data_reset(RX, c->rx_lent != 0 ? COPIER : FUZZ_NO_BUFFER);
    fuzz_data_reset(TX, c->tx_own != 0 ? FUZZ_NO_BUFFER : VIRT_TX);
    received_count = reserved_count = 0;
    fuzz_concurrent = (mode & 16) != 0;
    const struct net_client_config good = *c;
    switch (more) {
    case 255:
        c->header.size--;
        break;
    case 254:
        c->rx_buffer_count = 0;
        break;
    case 253:
        c->tx_buffer_count = 17;
        break;
    case 252:
        c->stats.size = 8;
        break;
    case 251:
        c->tx.free.capacity = 5;
        break;
    case 250:
        c->stats.vaddr = 0;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    bool good_start = net_client_init();
    *c = good;
    fuzz_check(good_start == (more < 251), "it starts with a bad configuration");
    if (!good_start) {
        return;
    }
    believe(&net_client.rx, RX, COPIER);
    believe(&net_client.tx, TX, VIRT_TX);
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 80) {
            fuzz_wake(1 + act % fuzz_neighbour_count);
        } else if (act == 80 && (mode & 32) != 0) {
            restart();
        } else {
            fuzz_neighbours_act();
        }
    }
    fuzz_concurrent = false;
    fuzz_wake(1);
}
