/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser, with the test as driver, two clients and the ARP component. */
#include <stdint.h>

#include "network/tx_policy.h"

/* What the neighbours do on other cores between two turns of the component's. */
static void (*meanwhile)(void);

static bool policy_next(struct tx_policy *policy, struct tx_turn *turn)
{
    if (meanwhile != NULL) {
        meanwhile();
    }
    return tx_policy_next(policy, turn);
}

#define tx_policy_next policy_next
#include "network/virt_tx.c"
#include "network/virt_tx_provide.c"
#include "network/virt_tx_return.c"
#undef tx_policy_next

#include "fake_microkit.h"
#include "net_rig.h"

enum { A, B, ARP, CLIENTS };
enum { CH_DRIVER = 1, CH_A = 2, CH_B = 3, CH_ARP = 4 };
enum { BUFFERS = 32, DRIVER_CAPACITY = 16 };

static const uint64_t io[CLIENTS] = {0x50000000, 0x10000000, 0x10000000 + BUFFERS * 2048};
static struct rig_peer driver;
static struct rig_peer peer[CLIENTS];

static const uint32_t rig_ipv4_a = 0x0a00000a;
static const uint32_t rig_ipv4_other = 0x0b00000a;

/* The timer, and the clock that it goes by. */
static uint64_t now;
static uint64_t timeout;

uint64_t sddf_clock_now(void)
{
    return now;
}

bool timer_init(void)
{
    return true;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    assert_int_equal(id, TIMEOUT);
    timeout = deadline;
    return TIMER_OK;
}

/* The system, before the component starts. */
static int prepare(void **state)
{
    (void)state;
    meanwhile = NULL;
    now = UINT64_C(1) << 63;
    timeout = 0;
    fake_microkit_reset();
    struct net_virt_tx_config *config = &sddf_net_config;
    *config = (struct net_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_TX, sizeof(*config),
                   0},
        .driver = rig_pair(64, DRIVER_CAPACITY, CH_DRIVER),
        .stats = rig_stats(),
        .policy = NET_TX_ROUND_ROBIN,
        .client_count = CLIENTS,
    };
    for (uint32_t i = 0; i < CLIENTS; i++) {
        config->client[i].tx = rig_pair(BUFFERS, BUFFERS, (uint8_t)(CH_A + i));
        config->client[i].data = rig_data(BUFFERS, io[i]);
        config->client[i].buffer_count = BUFFERS;
        config->client[i].weight = 1;
    }
    memcpy(config->client[A].mac, rig_mac_a, 6);
    memcpy(config->client[B].mac, rig_mac_b, 6);
    config->client[A].ipv4 = rig_ipv4_a; /* B claims one */
    config->client[ARP].any_mac = 1;
    rig_attach(&driver, &config->driver.free, &config->driver.active);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        rig_attach(&peer[i], &config->client[i].tx.active, &config->client[i].tx.free);
    }
    return 0;
}

static int setup(void **state)
{
    prepare(state);
    init();
    return 0;
}

static uint64_t stat(uint32_t row, enum net_stat which)
{
    return rig_stat(&sddf_net_config.stats, row, which);
}

/* Every buffer is in exactly one place, by the component's own account. */
static void assert_account(void)
{
    for (uint32_t c = 0; c < CLIENTS; c++) {
        uint32_t ours = 0;
        uint32_t at_driver = 0;
        for (uint32_t i = 0; i < BUFFERS; i++) {
            ours += tx_owners[tx_clients[c].first + i] == TX_OWNER_SELF;
            at_driver += tx_owners[tx_clients[c].first + i] == TX_OWNER_DRIVER;
        }
        assert_int_equal(ours, tx_clients[c].spare_count);
        for (uint32_t i = 0; i < ours; i++) {
            uint32_t spare = tx_spares[tx_clients[c].first + i];
            assert_int_equal(tx_owners[tx_clients[c].first + spare], TX_OWNER_SELF);
        }
        assert_int_equal(at_driver, tx_clients[c].in_flight);
        assert_int_equal(virt_tx.hungry >> c & 1, at_driver > BUFFERS / 2);
    }
}

static uint8_t *frame_at(uint32_t client, uint64_t offset)
{
    return (uint8_t *)(uintptr_t)sddf_net_config.client[client].data.vaddr + offset;
}

/* The client takes an empty buffer and sends a good frame in it, or one with these addresses. */
static uint64_t send_as(uint32_t client, const uint8_t to[6], const uint8_t from[6])
{
    uint64_t offset = rig_take(&peer[client]).address;
    rig_ethernet(frame_at(client, offset), to, from, FRAME_IPV4);
    rig_send_at(&peer[client], offset, 100);
    return offset;
}

static uint64_t send_good(uint32_t client)
{
    return send_as(client, rig_host, client == B ? rig_mac_b : rig_mac_a);
}

static void test_clients_get_their_buffers(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(rig_waiting(&peer[i]), BUFFERS);
        assert_int_equal(fake_microkit_signals(CH_A + i), 1);
    }
    assert_int_equal(fake_microkit_signals(CH_DRIVER), 0);
    assert_account();
}

static void test_there_and_back(void **state)
{
    (void)state;
    uint64_t offset[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        offset[i] = send_good(i);
        fake_microkit_wake(CH_A + i);
        struct net_entry got = rig_take(&driver);
        assert_int_equal(got.address, io[i] + offset[i]);
        assert_int_equal(got.length, 100);
        rig_send_at(&driver, got.address, 0);
        rig_drain(&peer[i]);
    }
    assert_account();
    fake_microkit_wake(CH_DRIVER);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(rig_take(&peer[i]).address, offset[i]);
        assert_int_equal(stat(1 + i, NET_STAT_TX_BYTES), 100);
    }
    assert_int_equal(stat(0, NET_STAT_TX_PACKETS), CLIENTS);
    assert_account();
}

static void test_refusals_go_back(void **state)
{
    (void)state;
    const struct {
        struct net_entry entry;
        enum net_stat cause;
        bool back;
    } cases[] = {
        {{0, NET_FRAME_MIN - 1, 0, 0, 0}, NET_STAT_REFUSED_LENGTH, true},
        {{0, NET_FRAME_MAX + 1, 0, 0, 0}, NET_STAT_REFUSED_LENGTH, true},
        {{2000, 100, 0, 0, 0}, NET_STAT_REFUSED_ADDRESS, true},
        {{BUFFERS * NET_BUFFER_SIZE, 100, 0, 0, 0}, NET_STAT_REFUSED_ADDRESS, false},
        {{UINT64_MAX - 10, 100, 0, 0, 0}, NET_STAT_REFUSED_ADDRESS, false},
        {{0, 100, NET_CSUM_VERIFIED, 0, 0}, NET_STAT_REFUSED_FLAGS, true},
        {{0, 100, NET_CSUM_WANTED, 13, 6}, NET_STAT_REFUSED_FLAGS, true},
        {{0, 100, NET_CSUM_WANTED, 34, 65}, NET_STAT_REFUSED_FLAGS, true},
        {{0, 100, NET_CSUM_WANTED, 0xffff, 0xffff}, NET_STAT_REFUSED_FLAGS, true},
    };
    rig_ethernet(frame_at(A, 0), rig_host, rig_mac_a, FRAME_IPV4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_drain(&peer[A]);
        uint64_t before = stat(1 + A, cases[i].cause);
        rig_send(&peer[A], cases[i].entry);
        fake_microkit_wake(CH_A);
        assert_int_equal(stat(1 + A, cases[i].cause), before + 1);
        assert_int_equal(rig_waiting(&peer[A]), cases[i].back);
        assert_int_equal(rig_waiting(&driver), 0);
        assert_account();
    }
    rig_drain(&peer[A]);
    rig_send(&peer[A], (struct net_entry){0, 100, NET_CSUM_WANTED, 34, 64});
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_take(&driver).csum_offset, 64); /* just within the frame */
}

static void test_macs(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        rig_drain(&peer[i]);
    }
    rig_ethernet(frame_at(A, 0), rig_host, rig_mac_b, FRAME_IPV4);
    rig_send_at(&peer[A], 0, 100);
    rig_ethernet(frame_at(A, 2048), rig_mac_b, rig_mac_a, FRAME_IPV4);
    rig_send_at(&peer[A], 2048, 100);
    rig_ethernet(frame_at(ARP, 0), rig_host, rig_mac_b, FRAME_ARP);
    rig_send_at(&peer[ARP], 0, 42);
    rig_ethernet(frame_at(ARP, 2048), rig_broadcast, rig_host, FRAME_ARP);
    rig_send_at(&peer[ARP], 2048, 42);
    fake_microkit_wake(CH_A);
    fake_microkit_wake(CH_ARP);
    assert_int_equal(stat(1 + A, NET_STAT_REFUSED_MAC), 1);
    assert_int_equal(stat(1 + A, NET_STAT_DROP_LOCAL), 1);
    assert_int_equal(stat(1 + ARP, NET_STAT_REFUSED_MAC), 1);
    assert_int_equal(rig_waiting(&peer[A]), 2);
    assert_int_equal(rig_waiting(&peer[ARP]), 1);
    assert_int_equal(rig_waiting(&driver), 1);
    assert_account();
}

/* ARP with this sender, in the client's next buffer, is sent on or refused. */
static void check_arp(uint32_t client, const uint8_t mac[6], uint32_t ipv4, uint16_t length,
                      bool passes)
{
    uint64_t refused = stat(1 + client, NET_STAT_REFUSED_ARP);
    uint64_t offset = rig_take(&peer[client]).address;
    uint8_t *frame = frame_at(client, offset);
    memset(frame, 0, NET_BUFFER_SIZE);
    rig_ethernet(frame, rig_broadcast, client == A ? rig_mac_a : rig_mac_b, FRAME_ARP);
    frame[18] = 6;
    frame[19] = 4;
    memcpy(frame + 22, mac, 6);
    memcpy(frame + 28, &ipv4, 4);
    rig_send_at(&peer[client], offset, length);
    fake_microkit_wake(CH_A + client);
    assert_int_equal(rig_drain(&driver), passes);
    assert_int_equal(stat(1 + client, NET_STAT_REFUSED_ARP) - refused, !passes);
}

static void test_arp_speaks_for_its_sender_alone(void **state)
{
    (void)state;
    check_arp(A, rig_mac_a, rig_ipv4_a, 42, true);
    check_arp(A, rig_mac_a, 0, 60, true);
    check_arp(A, rig_mac_a, rig_ipv4_other, 42, false);
    check_arp(A, rig_mac_b, rig_ipv4_a, 42, false);
    check_arp(A, rig_mac_a, rig_ipv4_a, 41, false);
    check_arp(B, rig_mac_b, rig_ipv4_other, 42, true);
    check_arp(B, rig_mac_b, 0, 42, true);
    check_arp(B, rig_mac_b, rig_ipv4_a, 42, false);
    check_arp(B, rig_host, rig_ipv4_other, 42, false);
    assert_account();
}

static void test_arp_behind_a_tag_is_refused(void **state)
{
    (void)state;
    static const uint16_t types[][2] = {{FRAME_VLAN, FRAME_ARP},  {FRAME_QINQ, FRAME_ARP},
                                        {FRAME_VLAN, FRAME_VLAN}, {FRAME_QINQ, FRAME_VLAN},
                                        {FRAME_VLAN, FRAME_QINQ}, {FRAME_VLAN, FRAME_IPV4}};
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t offset = rig_take(&peer[A]).address;
        rig_ethernet(frame_at(A, offset), rig_host, rig_mac_a, types[i][0]);
        rig_ethernet(frame_at(A, offset) + 4, rig_host, rig_mac_a, types[i][1]);
        rig_ethernet(frame_at(A, offset), rig_host, rig_mac_a, types[i][0]);
        rig_send_at(&peer[A], offset, 60);
        fake_microkit_wake(CH_A);
        assert_int_equal(rig_drain(&driver), types[i][1] == FRAME_IPV4);
    }
    assert_int_equal(stat(1 + A, NET_STAT_REFUSED_ARP), 5);
    assert_account();
}

static void test_sent_twice_is_refused(void **state)
{
    (void)state;
    uint64_t offset = send_good(A);
    rig_send_at(&peer[A], offset, 100);
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), 1);
    assert_int_equal(stat(1 + A, NET_STAT_REFUSED_OWNER), 1);
    uint64_t address = rig_take(&driver).address;
    rig_drain(&peer[A]);
    rig_send_at(&driver, address, 0);
    rig_send_at(&driver, address, 0);
    rig_send_at(&driver, io[B], 0); /* never sent */
    rig_send_at(&driver, io[B] - 1, 0);
    rig_send_at(&driver, UINT64_MAX, 0);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[A]), 1);
    assert_int_equal(stat(0, NET_STAT_REFUSED_OWNER), 1 + 2);
    assert_int_equal(stat(0, NET_STAT_REFUSED_ADDRESS), 2);
    assert_account();
}

static void test_turns_are_fair_and_back_pressure_keeps(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        send_good(A);
    }
    for (int i = 0; i < 12; i++) {
        send_good(B);
    }
    virt_tx_wake(B);
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), DRIVER_CAPACITY);
    uint32_t from_a = 0;
    uint32_t total = 0;
    while (rig_waiting(&driver) > 0) {
        while (rig_waiting(&driver) > 0) {
            uint64_t address = rig_take(&driver).address;
            from_a += total < 2 * TX_ROUND_ROBIN_ENTRIES && address >= io[A];
            total++;
            rig_send_at(&driver, address, 0);
        }
        /* The driver asks by itself whether to signal; it must, or the rest would stay. */
        assert_true(sddf_queue_needs_signal(&driver.out));
        fake_microkit_wake(CH_DRIVER);
        assert_account();
    }
    assert_int_equal(total, 42);
    assert_int_equal(from_a, TX_ROUND_ROBIN_ENTRIES);
    for (uint32_t i = 0; i < 2; i++) {
        rig_drain(&peer[i]);
        assert_int_equal(peer[i].in.head, BUFFERS + (i == A ? 30 : 12));
    }
}

static void test_hungry_client_is_not_left_waiting(void **state)
{
    (void)state;
    rig_drain(&peer[A]);
    sddf_queue_request_signal(&peer[A].in);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        rig_ethernet(frame_at(A, i * 2048), rig_host, rig_mac_a, FRAME_IPV4);
        rig_send_at(&peer[A], i * 2048, 60);
    }
    fake_microkit_wake(CH_A);
    uint32_t returned = 0;
    while (rig_waiting(&driver) > 0) {
        rig_send_at(&driver, rig_take(&driver).address, 0);
        returned++;
        if (sddf_queue_needs_signal(&driver.out)) {
            fake_microkit_wake(CH_DRIVER);
        }
    }
    assert_int_equal(returned, BUFFERS);
    assert_true(tx_clients[A].in_flight <= BUFFERS / 2);
    assert_true(rig_waiting(&peer[A]) >= BUFFERS / 2);
    assert_account();
}

enum { TURN_OF_B = 100, TURNS_MAX = 10000 };
static unsigned turns, served_at;

/* A's queue never runs dry (of refusals: they need no room at the driver). B sends one frame. */
static void a_never_rests(void)
{
    turns++;
    if (turns == TURN_OF_B) {
        send_good(B);
    }
    if (served_at == 0 && rig_waiting(&driver) > 0) {
        served_at = turns;
    }
    if (turns < TURNS_MAX) {
        /* It does not wait until its slots are its own again. */
        sddf_store_release_u32(&peer[A].out.own->tail, tx_clients[A].active.head + BUFFERS);
    }
}

static void test_client_that_never_rests_keeps_nobody_waiting(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        sddf_store_relaxed_u64(&peer[A].out.own->entries[(size_t)i * net_queue_words], UINT64_MAX);
    }
    sddf_store_release_u32(&peer[A].out.own->tail, BUFFERS / 2);
    turns = served_at = 0;
    meanwhile = a_never_rests;
    fake_microkit_wake(CH_A); /* B's own notification is never delivered */
    assert_true(turns >= TURNS_MAX);
    assert_in_range(served_at, TURN_OF_B, TURN_OF_B + 4 * BUFFERS);
    assert_account();
}

static void test_client_that_looks_full_loses_nothing(void **state)
{
    (void)state;
    uint64_t offset = send_good(A);
    fake_microkit_wake(CH_A);
    sddf_store_relaxed_u32(&peer[A].in.own->head, 0); /* as if it had not taken a buffer */
    tx_clients[A].free.head = 0;
    rig_send_at(&driver, rig_take(&driver).address, 0);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(tx_clients[A].spare_count, 1);
    assert_account();
    sddf_store_relaxed_u32(&peer[A].in.own->head, 1);
    fake_microkit_wake(CH_B);
    assert_int_equal(tx_clients[A].spare_count, 0);
    assert_int_equal(tx_owners[tx_clients[A].first + offset / 2048], TX_OWNER_CLIENT);
    assert_account();
}

/* Starts with a limit on B of 8 Mb/s: 1000 bytes in a window of 1 ms. */
static void start_limited(uint32_t window)
{
    sddf_net_config.client[B].limit = 8000000;
    sddf_net_config.client[B].window = window;
    init();
}

/* Takes what the driver has got, gives it back, and wakes nobody. */
static uint32_t driver_round(uint64_t *from_b)
{
    uint32_t count = 0;
    while (rig_waiting(&driver) > 0) {
        struct net_entry entry = rig_take(&driver);
        *from_b += entry.address >= io[B] && entry.address < io[B] + BUFFERS * 2048;
        rig_send_at(&driver, entry.address, 0);
        count++;
    }
    return count;
}

static void test_limited_client_waits_for_its_window(void **state)
{
    (void)state;
    start_limited(1000);
    uint64_t begin = now;
    uint64_t from_b = 0;
    assert_int_equal(timeout, 0);
    for (int i = 0; i < 25; i++) {
        send_good(B); /* of 100 bytes */
    }
    now += 999999; /* a window may be used at its very end ... */
    fake_microkit_wake(CH_B);
    assert_int_equal(driver_round(&from_b), 10);
    assert_int_equal(timeout, begin + 1000000);
    fake_microkit_wake(CH_B); /* ... and signals do not make it any larger */
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(driver_round(&from_b), 0);
    for (int i = 0; i < 3; i++) {
        send_good(A); /* nobody else waits */
    }
    fake_microkit_wake(CH_A);
    assert_int_equal(driver_round(&from_b), 3);
    now = begin + 1000000 + 7777; /* the timer is late; the next window begins no later for it */
    fake_microkit_wake(CH_ARP + 1);
    assert_int_equal(driver_round(&from_b), 10);
    assert_int_equal(timeout, begin + 2000000);
    now = begin + 9000000; /* unused windows add up to one */
    fake_microkit_wake(CH_ARP + 1);
    assert_int_equal(driver_round(&from_b), 5);
    assert_int_equal(from_b, 25);
    assert_account();
    timeout = 0;
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(timeout, 0); /* nobody is held, and nobody has to be woken */
}

static void test_refused_frames_are_not_charged(void **state)
{
    (void)state;
    start_limited(1000);
    uint64_t from_b = 0;
    for (int i = 0; i < 12; i++) {
        send_as(B, rig_host, rig_mac_a);
    }
    for (int i = 0; i < 12; i++) {
        send_good(B);
    }
    fake_microkit_wake(CH_B);
    assert_int_equal(driver_round(&from_b), 10);
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_MAC), 12);
    assert_int_equal(timeout, now + 1000000);
    assert_account();
}

static void test_limit_out_of_range_stops(void **state)
{
    (void)state;
    start_limited(NET_TX_WINDOW_MIN - 1);
    assert_non_null(strstr(fake_microkit_output(), "a share in the configuration"));
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&peer[A]), 0);
}

static void test_limits_at_the_ends_of_their_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t limit;
        uint32_t window;
        bool good;
    } cases[] = {
        {NET_TX_LIMIT_MIN, NET_TX_WINDOW_MIN, true},
        {NET_TX_LIMIT_MAX, NET_TX_WINDOW_MAX, true},
        {NET_TX_LIMIT_MIN - 1, NET_TX_WINDOW_MIN, false},
        {NET_TX_LIMIT_MAX + 1, NET_TX_WINDOW_MAX, false},
        {NET_TX_LIMIT_MIN, NET_TX_WINDOW_MIN - 1, false},
        {NET_TX_LIMIT_MAX, NET_TX_WINDOW_MAX + 1, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sddf_net_config.client[B].limit = cases[i].limit;
        sddf_net_config.client[B].window = cases[i].window;
        init();
        assert_int_equal(virt_tx.running, cases[i].good);
    }
}

/* One frame, one signal for the driver, which waits. */
static void test_a_driver_is_signalled_once(void **state)
{
    (void)state;
    init();
    while (rig_waiting(&driver) > 0) {
        rig_take(&driver);
    }
    sddf_queue_request_signal(&driver.in);
    fake_microkit_signals(CH_DRIVER);
    send_good(A);
    fake_microkit_wake(CH_A);
    assert_int_equal(fake_microkit_signals(CH_DRIVER), 1);
}

/* Everybody has 20 frames; in which order do the first 16 come, by client and length of run? */
static void check_order(uint32_t kind, const char *expected)
{
    sddf_net_config.policy = kind;
    sddf_net_config.client[A].weight = 3;
    init();
    for (uint32_t c = 0; c < CLIENTS; c++) {
        for (int i = 0; i < 20; i++) {
            uint64_t offset = rig_take(&peer[c]).address;
            rig_ethernet(frame_at(c, offset), rig_host, c == B ? rig_mac_b : rig_mac_a, 0x0800);
            rig_send_at(&peer[c], offset, NET_FRAME_MAX);
        }
    }
    char got[64] = "";
    virt_tx_wake(B); /* B signals first, then A, then the ARP component */
    virt_tx_wake(A);
    fake_microkit_wake(CH_ARP);
    while (rig_waiting(&driver) > 0) {
        uint64_t address = rig_take(&driver).address;
        uint32_t c = 0;
        while (address < io[c] || address >= io[c] + BUFFERS * 2048) {
            c++;
        }
        got[strlen(got)] = "abr"[c];
    }
    assert_string_equal(got, expected);
    assert_account();
}

static void test_policies(void **state)
{
    (void)state;
    const struct {
        uint32_t kind;
        const char *order;
    } cases[] = {
        {NET_TX_SIGNALLED, "bbbbbbbbbbbbbbbb"},
        {NET_TX_ROUND_ROBIN, "rrrrrrrraaaaaaaa"},
        {NET_TX_PRIORITY, "rrrrrrrrrrrrrrrr"},
        {NET_TX_DRR, "braaabraaabraaab"},
    };
    for (size_t i = 0; i < 4; i++) {
        prepare(state);
        check_order(cases[i].kind, cases[i].order);
    }
    sddf_net_config.policy = 4;
    fake_microkit_reset();
    init();
    assert_non_null(strstr(fake_microkit_output(), "the policy in the configuration"));
}

static void test_storm(void **state)
{
    (void)state;
    uint64_t random = 0x7654321;
    for (int round = 0; round < 4000; round++) {
        uint32_t c = (uint32_t)(rig_random(&random) % CLIENTS);
        uint64_t offset = rig_random(&random) % BUFFERS * NET_BUFFER_SIZE;
        rig_ethernet(frame_at(c, offset), rig_host, c == B ? rig_mac_b : rig_mac_a, FRAME_IPV4);
        for (int i = 0; i < 8; i++) {
            rig_garble_entry(&driver, &random, io[c], BUFFERS);
            rig_garble_entry(&peer[c], &random, 0, BUFFERS);
        }
        rig_garble(&driver, &random);
        rig_garble(&peer[c], &random);
        fake_microkit_wake((microkit_channel)(rig_random(&random) % MICROKIT_MAX_CHANNELS));
        assert_account();
    }
    assert_true(stat(0, NET_STAT_REFUSED_OWNER) > 0 && stat(0, NET_STAT_REFUSED_FLAGS) > 0);
    assert_true(stat(0, NET_STAT_TX_PACKETS) > 0);
    assert_int_equal(fake_microkit_deferred_lost(), 0);
}

static void test_overlapping_io_addresses_stop(void **state)
{
    (void)state;
    sddf_net_config.client[ARP].data.io_address -= 2048;
    fake_microkit_reset();
    init();
    assert_non_null(strstr(fake_microkit_output(), "an IO address in the configuration"));
    send_good(A);
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), 0);
}

/* ---- devices that do not see the caches ---------------------------------------------------- */

static int setup_incoherent(void **state)
{
    prepare(state);
    sddf_net_config.incoherent = 1;
    cache_count = 0;
    init();
    return 0;
}

static void nothing_for_the_driver(enum cache_act act)
{
    (void)act;
    assert_int_equal(rig_waiting(&driver), 0);
}

static void test_frames_reach_memory_before_the_driver_hears(void **state)
{
    (void)state;
    cache_count = 0;
    cache_watch = nothing_for_the_driver;
    uint64_t first = send_good(A);
    send_as(A, rig_host, rig_mac_b); /* refused */
    uint64_t second = send_good(A);
    fake_microkit_wake(CH_A);
    cache_watch = NULL;
    assert_int_equal(rig_waiting(&driver), 2);
    assert_true(cache_count >= 3);
    const uint64_t data = sddf_net_config.client[A].data.vaddr;
    assert_int_equal(cache_steps[0].act, CACHE_CLEAN);
    assert_int_equal(cache_steps[0].start, data + first);
    assert_int_equal(cache_steps[0].size, 100);
    assert_int_equal(cache_steps[1].act, CACHE_CLEAN);
    assert_int_equal(cache_steps[1].start, data + second);
    assert_int_equal(cache_steps[1].size, 100);
    for (size_t i = 2; i < cache_count; i++) {
        assert_int_equal(cache_steps[i].act, CACHE_DONE);
    }
    assert_account();
}

static void test_coherent_devices_cost_nothing(void **state)
{
    (void)state;
    cache_count = 0;
    send_good(A);
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), 1);
    assert_int_equal(cache_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_clients_get_their_buffers, setup),
        cmocka_unit_test_setup(test_there_and_back, setup),
        cmocka_unit_test_setup(test_refusals_go_back, setup),
        cmocka_unit_test_setup(test_macs, setup),
        cmocka_unit_test_setup(test_arp_speaks_for_its_sender_alone, setup),
        cmocka_unit_test_setup(test_arp_behind_a_tag_is_refused, setup),
        cmocka_unit_test_setup(test_sent_twice_is_refused, setup),
        cmocka_unit_test_setup(test_turns_are_fair_and_back_pressure_keeps, setup),
        cmocka_unit_test_setup(test_hungry_client_is_not_left_waiting, setup),
        cmocka_unit_test_setup(test_client_that_never_rests_keeps_nobody_waiting, setup),
        cmocka_unit_test_setup(test_client_that_looks_full_loses_nothing, setup),
        cmocka_unit_test_setup(test_limited_client_waits_for_its_window, prepare),
        cmocka_unit_test_setup(test_refused_frames_are_not_charged, prepare),
        cmocka_unit_test_setup(test_limit_out_of_range_stops, prepare),
        cmocka_unit_test_setup(test_limits_at_the_ends_of_their_range, prepare),
        cmocka_unit_test_setup(test_a_driver_is_signalled_once, prepare),
        cmocka_unit_test_setup(test_policies, prepare),
        cmocka_unit_test_setup(test_storm, setup),
        cmocka_unit_test_setup(test_overlapping_io_addresses_stop, setup),
        cmocka_unit_test_setup(test_frames_reach_memory_before_the_driver_hears, setup_incoherent),
        cmocka_unit_test_setup(test_coherent_devices_cost_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
