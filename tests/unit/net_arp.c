/* SPDX-License-Identifier: BSD-2-Clause */
/* The ARP component, with the test as both virtualisers and its clients. */
#include "network/tally.h"

/* What virt_rx does on another core while an entry is refused. */
static void (*meanwhile)(void);

static void count_and_go_on(struct tally *to, enum net_stat stat, uint64_t n)
{
    tally_add(to, stat, n);
    if (meanwhile != NULL && stat == NET_STAT_REFUSED_ADDRESS) {
        meanwhile();
    }
}

#define tally_add count_and_go_on
#include "network/arp.c"
#undef tally_add

#include "fake_microkit.h"
#include "net_rig.h"

enum { CH_RX = 1, CH_TX = 2, CH_B = 3, CH_C = 4 };
enum { DMA_BUFFERS = 16, BUFFERS = 8 };
enum { A, B, C, CLIENTS };

#define IPV4(a, b, c, d) ((uint32_t)(a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24)

static struct rig_peer rx;
static struct rig_peer tx;

static int setup(void **state)
{
    (void)state;
    meanwhile = NULL;
    fake_microkit_reset();
    struct net_arp_config *config = &sddf_net_config;
    *config = (struct net_arp_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_ARP, sizeof(*config), 0},
        .rx = rig_pair(DMA_BUFFERS, DMA_BUFFERS, CH_RX),
        .tx = rig_pair(BUFFERS, BUFFERS, CH_TX),
        .dma = rig_data(DMA_BUFFERS, 0),
        .data = rig_data(BUFFERS, 0),
        .stats = rig_stats(),
        .dma_buffer_count = DMA_BUFFERS,
        .buffer_count = BUFFERS,
        .client_count = CLIENTS,
        .client = {{.channel = SDDF_NO_CHANNEL, .prefix = 24, .ipv4 = IPV4(10, 0, 0, 10)},
                   {.channel = CH_B, .prefix = 24, .ipv4 = IPV4(10, 0, 0, 0)},
                   {.channel = CH_C, .prefix = 0, .ipv4 = 0}},
    };
    memcpy(config->client[A].mac, rig_mac_a, 6);
    memcpy(config->client[B].mac, rig_mac_b, 6);
    rig_attach(&rx, &config->rx.active, &config->rx.free);
    rig_attach(&tx, &config->tx.free, &config->tx.active);
    init();
    return 0;
}

static uint64_t stat(uint32_t row, enum net_stat which)
{
    return rig_stat(&sddf_net_config.stats, row, which);
}

static uint8_t *request(uint64_t offset, uint32_t wanted)
{
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.dma.vaddr + offset;
    uint32_t from = IPV4(10, 0, 0, 1);
    rig_ethernet(frame, rig_broadcast, rig_host, FRAME_ARP);
    memcpy(frame + 14, fixed, sizeof(fixed));
    memcpy(frame + 22, rig_host, 6);
    memcpy(frame + 28, &from, 4);
    memset(frame + 32, 0, 6);
    memcpy(frame + 38, &wanted, 4);
    return frame;
}

static bool answered(uint64_t offset, uint16_t length)
{
    rig_send_at(&rx, offset, length);
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_take(&rx).address, offset);
    return rig_drain(&tx) == 1;
}

static seL4_Word claim(microkit_channel ch, uint32_t ipv4, uint64_t prefix)
{
    microkit_mr_set(0, ipv4);
    microkit_mr_set(1, prefix);
    return microkit_msginfo_get_label(protected(ch, microkit_msginfo_new(NET_ARP_CLAIM, 2)));
}

static void test_answer(void **state)
{
    (void)state;
    uint32_t wanted = IPV4(10, 0, 0, 10);
    uint32_t asker = IPV4(10, 0, 0, 1);
    rig_send_at(&tx, 3 * NET_BUFFER_SIZE, 0);
    request(300, wanted);
    rig_send_at(&rx, 300, 60);
    fake_microkit_wake(CH_RX);
    struct net_entry got = rig_take(&tx);
    assert_int_equal(got.length, 42);
    assert_int_equal(got.address / NET_BUFFER_SIZE, 3);
    const uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + got.address;
    assert_memory_equal(frame, rig_host, 6);
    assert_memory_equal(frame + 6, rig_mac_a, 6);
    assert_memory_equal(frame + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02", 10);
    assert_memory_equal(frame + 22, rig_mac_a, 6);
    assert_memory_equal(frame + 28, &wanted, 4);
    assert_memory_equal(frame + 32, rig_host, 6);
    assert_memory_equal(frame + 38, &asker, 4);
    assert_int_equal(rig_take(&rx).address, 300);
    assert_int_equal(fake_microkit_signals(CH_TX), 1);
    assert_int_equal(stat(1 + A, NET_STAT_ARP_ANSWERS), 1);
    assert_int_equal(stat(0, NET_STAT_ARP_ANSWERS), 1);
}

enum { FED = 1000 };
static uint32_t fed;

static void feed_one(void)
{
    if (fed < FED) {
        rig_send_at(&rx, UINT64_MAX, 60);
        fed++;
    }
}

/* virt_rx keeps up with us for ever: we let go of the CPU all the same, and miss nothing. */
static void test_a_queue_that_never_runs_dry_leaves_room_for_claims(void **state)
{
    (void)state;
    for (fed = 0; fed < 4;) {
        feed_one();
    }
    assert_true(sddf_queue_needs_signal(&rx.out));
    meanwhile = feed_one;
    uint64_t before = 0;
    for (uint32_t wakes = 0; before < FED; wakes++) {
        assert_true(wakes < FED);
        fake_microkit_wake(CH_RX);
        uint64_t refused = stat(0, NET_STAT_REFUSED_ADDRESS);
        assert_in_range(refused - before, 1, 2 * (PASSES_MAX + 1) * DMA_BUFFERS);
        before = refused;
        assert_true(before == FED || sddf_queue_needs_signal(&rx.out));
    }
    meanwhile = NULL;
    fed = 0;
    feed_one();
    assert_true(sddf_queue_needs_signal(&rx.out));
}

static void test_bad_requests_get_no_answer(void **state)
{
    (void)state;
    static const struct {
        uint8_t at;
        uint8_t value;
    } wrong[] = {{12, 9}, {14, 1}, {15, 2}, {16, 9}, {17, 1},
                 {18, 5}, {19, 6}, {22, 3}, {27, 9}, {6, 4}};
    for (uint32_t i = 0; i < BUFFERS; i++) {
        rig_send_at(&tx, i * NET_BUFFER_SIZE, 0);
    }
    request(0, IPV4(10, 0, 0, 10));
    assert_true(answered(0, 42));
    assert_false(answered(0, 41));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        request(0, IPV4(10, 0, 0, 10))[wrong[i].at] = wrong[i].value;
        assert_false(answered(0, 60));
    }
    assert_int_equal(stat(0, NET_STAT_DROP_MALFORMED), 1 + sizeof(wrong) / sizeof(wrong[0]));
    request(0, IPV4(10, 0, 0, 10))[21] = 2; /* an answer */
    assert_false(answered(0, 60));
    uint8_t *own = request(0, IPV4(10, 0, 0, 10)); /* an announcement */
    memcpy(own + 28, own + 38, 4);
    assert_false(answered(0, 60));
    request(0, IPV4(10, 0, 0, 11)); /* somebody else's */
    assert_false(answered(0, 60));
    request(0, 0); /* claimers without an address have none, not this one */
    assert_false(answered(0, 60));
}

/* What virt_rx makes up is refused, each kind by its name, and counts as no packet. */
static void test_entries_that_are_none(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset;
        uint16_t length;
        enum net_stat why;
    } wrong[] = {
        {0, NET_FRAME_MIN - 1, NET_STAT_REFUSED_LENGTH},
        {0, NET_FRAME_MAX + 1, NET_STAT_REFUSED_LENGTH},
        {NET_BUFFER_SIZE - 59, 60, NET_STAT_REFUSED_ADDRESS},
        {DMA_BUFFERS * NET_BUFFER_SIZE - 1, 42, NET_STAT_REFUSED_ADDRESS},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t before = stat(0, wrong[i].why);
        assert_false(answered(wrong[i].offset, wrong[i].length));
        assert_int_equal(stat(0, wrong[i].why), before + 1);
    }
    assert_int_equal(stat(0, NET_STAT_RX_PACKETS), 0);
    rig_send_at(&rx, DMA_BUFFERS * NET_BUFFER_SIZE, 60); /* no buffer: there is none to return */
    fake_microkit_wake(CH_RX);
    assert_int_equal(stat(0, NET_STAT_REFUSED_ADDRESS), 3);
    assert_int_equal(rig_waiting(&rx), 0);
    rig_send_at(&tx, 0, 0);
    request(NET_BUFFER_SIZE - 42, IPV4(10, 0, 0, 10)); /* up to its buffer's very end */
    assert_true(answered(NET_BUFFER_SIZE - 42, 42));
    assert_int_equal(stat(0, NET_STAT_RX_PACKETS), 1);
    assert_int_equal(stat(0, NET_STAT_RX_BYTES), 42);
    assert_int_equal(stat(1 + A, NET_STAT_TX_PACKETS), 1);
    assert_int_equal(stat(1 + A, NET_STAT_TX_BYTES), 42);
}

static void test_claims(void **state)
{
    (void)state;
    rig_send_at(&tx, 0, 0);
    rig_send_at(&tx, 2048, 0);
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 10), 24), NET_ARP_REFUSED); /* A's */
    assert_int_equal(claim(CH_B, IPV4(10, 0, 1, 20), 24), NET_ARP_REFUSED); /* another subnet */
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 0), 24), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 255), 24), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 20), 0), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 20), 33), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_C, IPV4(224, 0, 0, 1), 24), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_C, IPV4(127, 0, 0, 1), 24), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_C, IPV4(255, 255, 255, 255), 32), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_RX, IPV4(10, 0, 0, 20), 24), NET_ARP_REFUSED); /* no client */
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_CLAIM), 6);
    assert_int_equal(stat(1 + C, NET_STAT_REFUSED_CLAIM), 3);

    request(0, IPV4(10, 0, 0, 20));
    assert_false(answered(0, 60));
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 20), 24), NET_ARP_OK);
    assert_int_equal(claim(CH_B, IPV4(10, 0, 0, 20), 24), NET_ARP_OK); /* it is its own */
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 20), 24), NET_ARP_REFUSED);
    assert_true(answered(0, 60));
    assert_int_equal(claim(CH_B, 0, 0), NET_ARP_OK);
    assert_false(answered(0, 60));
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 20), 24), NET_ARP_OK);
    assert_true(answered(0, 60));
}

/* In a subnet of two both are hosts. */
static void test_claims_in_a_subnet_of_two(void **state)
{
    (void)state;
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 20), 30), NET_ARP_REFUSED);
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 20), 31), NET_ARP_OK);
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 21), 31), NET_ARP_OK);
    assert_int_equal(claim(CH_C, IPV4(10, 0, 0, 20), 32), NET_ARP_OK);
}

static void test_as_many_clients_as_can_be(void **state)
{
    (void)state;
    for (uint32_t i = CLIENTS; i < NET_CLIENTS_MAX; i++) {
        sddf_net_config.client[i] = sddf_net_config.client[A];
        sddf_net_config.client[i].ipv4 = IPV4(10, 0, 1, i);
    }
    sddf_net_config.client_count = NET_CLIENTS_MAX;
    init();
    assert_true(running);
    sddf_net_config.client_count = NET_CLIENTS_MAX + 1;
    init();
    assert_false(running);
}

static void test_no_buffer(void **state)
{
    (void)state;
    request(0, IPV4(10, 0, 0, 10));
    assert_false(answered(0, 60));
    assert_int_equal(stat(0, NET_STAT_DROP_NO_BUFFER), 1);
    rig_send_at(&tx, BUFFERS * NET_BUFFER_SIZE, 0);
    assert_false(answered(0, 60));
    assert_int_equal(stat(0, NET_STAT_REFUSED_ADDRESS), 1);
}

static void test_storm(void **state)
{
    (void)state;
    uint64_t random = 0x2468ace;
    for (int round = 0; round < 4000; round++) {
        request(rig_random(&random) % DMA_BUFFERS * NET_BUFFER_SIZE, IPV4(10, 0, 0, 10));
        for (int i = 0; i < 8; i++) {
            rig_garble_entry(&rx, &random, 0, DMA_BUFFERS);
            rig_garble_entry(&tx, &random, 0, BUFFERS);
        }
        rig_garble(&rx, &random);
        rig_garble(&tx, &random);
        fake_microkit_wake((microkit_channel)(rig_random(&random) % MICROKIT_MAX_CHANNELS));
        claim((microkit_channel)(rig_random(&random) % 8), (uint32_t)rig_random(&random),
              rig_random(&random));
        assert_int_equal(address[A], IPV4(10, 0, 0, 10));
    }
    assert_true(stat(0, NET_STAT_RX_PACKETS) > 0 && stat(0, NET_STAT_REFUSED_ADDRESS) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_answer, setup),
        cmocka_unit_test_setup(test_a_queue_that_never_runs_dry_leaves_room_for_claims, setup),
        cmocka_unit_test_setup(test_bad_requests_get_no_answer, setup),
        cmocka_unit_test_setup(test_entries_that_are_none, setup),
        cmocka_unit_test_setup(test_claims, setup),
        cmocka_unit_test_setup(test_claims_in_a_subnet_of_two, setup),
        cmocka_unit_test_setup(test_as_many_clients_as_can_be, setup),
        cmocka_unit_test_setup(test_no_buffer, setup),
        cmocka_unit_test_setup(test_storm, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
