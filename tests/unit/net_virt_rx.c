/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser, with the test as driver, two copiers and the ARP component. */
#include "network/virt_rx.c"

#include "fake_microkit.h"
#include "net_rig.h"

enum { A, B, ARP, RECEIVERS };
enum { CH_DRIVER = 1, CH_A = 2, CH_B = 3, CH_ARP = 4 };
enum { BUFFERS = 64, CAPACITY = 16 };

#define IO_BASE UINT64_C(0x40000000)

static struct rig_peer driver;
static struct rig_peer peer[RECEIVERS];

static uint32_t with_incoherent; /* what setup says of the device */

static int setup(void **state)
{
    (void)state;
    fake_microkit_reset();
    struct net_virt_rx_config *config = &sddf_net_config;
    *config = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*config),
                   0},
        .driver = rig_pair(BUFFERS, BUFFERS, CH_DRIVER),
        .data = rig_data(BUFFERS, IO_BASE),
        .stats = rig_stats(),
        .buffer_count = BUFFERS,
        .client_count = RECEIVERS,
        .incoherent = with_incoherent,
    };
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        config->client[i].rx = rig_pair(BUFFERS, CAPACITY, (uint8_t)(CH_A + i));
    }
    memcpy(config->client[A].mac, rig_mac_a, 6);
    memcpy(config->client[B].mac, rig_mac_b, 6);
    config->client[B].kind = NET_RECEIVER_DHCP;
    config->client[ARP].kind = NET_RECEIVER_ARP;
    rig_attach(&driver, &config->driver.active, &config->driver.free);
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        rig_attach(&peer[i], &config->client[i].rx.free, &config->client[i].rx.active);
    }
    cache_count = 0;
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
    uint32_t lent[RECEIVERS] = {0};
    uint32_t ours = 0;
    uint32_t held = 0;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        assert_true(holders[i] != 0);
        ours += holders[i] == HELD_BY_SELF;
        if (holders[i] == HELD_BY_SELF || holders[i] == HELD_BY_DRIVER) {
            continue;
        }
        assert_true(holders[i] < 1 << RECEIVERS);
        held++;
        for (uint32_t r = 0; r < RECEIVERS; r++) {
            lent[r] += holders[i] >> r & 1;
        }
    }
    assert_int_equal(ours, spare_count);
    assert_int_equal(held, lent_count);
    for (uint32_t i = 0; i < spare_count; i++) {
        assert_true(holders[spare[i]] == HELD_BY_SELF);
    }
    for (uint32_t r = 0; r < RECEIVERS; r++) {
        assert_int_equal(lent[r], receivers[r].lent);
    }
}

/* The driver receives a frame for `to`: into the next empty buffer, 256 bytes behind its start. */
static uint64_t arrive(const uint8_t to[6], uint16_t type, uint16_t length)
{
    uint64_t address = rig_take(&driver).address;
    uint64_t offset = address - IO_BASE + 256;
    uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + offset;
    memset(frame, 0, length);
    rig_ethernet(frame, to, rig_host, type);
    rig_send_at(&driver, address + 256, length);
    return offset;
}

static void test_driver_gets_all_buffers(void **state)
{
    (void)state;
    assert_int_equal(rig_waiting(&driver), BUFFERS);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        assert_int_equal(rig_take(&driver).address, IO_BASE + i * NET_BUFFER_SIZE);
    }
    assert_int_equal(fake_microkit_signals(CH_DRIVER), 1);
    assert_account();
}

static void test_unicast_reaches_its_owner_alone(void **state)
{
    (void)state;
    uint64_t offset_b = arrive(rig_mac_b, FRAME_IPV4, 1514);
    uint64_t offset_a = arrive(rig_mac_a, FRAME_ARP, NET_FRAME_MIN);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[A]), 1);
    assert_int_equal(rig_waiting(&peer[B]), 1);
    assert_int_equal(rig_waiting(&peer[ARP]), 0);
    struct net_entry got = rig_take(&peer[B]);
    assert_int_equal(got.address, offset_b);
    assert_int_equal(got.length, 1514);
    assert_int_equal(rig_take(&peer[A]).address, offset_a);
    assert_int_equal(fake_microkit_signals(CH_A), 1);
    assert_int_equal(fake_microkit_signals(CH_B), 1);
    assert_int_equal(fake_microkit_signals(CH_ARP), 0);
    assert_int_equal(stat(1 + B, NET_STAT_RX_BYTES), 1514);
    assert_int_equal(stat(0, NET_STAT_RX_PACKETS), 2);
    assert_int_equal(stat(1 + B, NET_STAT_SIGNALS), 1);
    assert_int_equal(stat(0, NET_STAT_SIGNALS), 3); /* one at the start, to the driver */
    assert_int_equal(stat(0, NET_STAT_WAKEUPS), 2);
    assert_account();
}

static void test_flags_are_the_verified_one_only(void **state)
{
    (void)state;
    uint64_t address = rig_take(&driver).address;
    uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + (address - IO_BASE);
    rig_ethernet(frame, rig_mac_a, rig_host, FRAME_IPV4);
    rig_send(&driver, (struct net_entry){address, 60, 0xffff, 0xffff, 0xffff});
    fake_microkit_wake(CH_DRIVER);
    struct net_entry got = rig_take(&peer[A]);
    assert_int_equal(got.flags, NET_CSUM_VERIFIED);
    assert_int_equal(got.csum_start, 0);
    assert_int_equal(got.csum_offset, 0);
}

static void test_unknown_is_dropped_and_given_back(void **state)
{
    (void)state;
    static const uint8_t multicast[6] = {0x01, 0, 0x5e, 0, 0, 1};
    rig_drain(&driver);
    sddf_net_config.client[0].mac[0] = 0; /* the configuration is not looked at again */
    for (int i = 0; i < 3; i++) {
        const uint8_t *to = i == 0 ? rig_host : i == 1 ? multicast : rig_broadcast;
        uint8_t *frame = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + i * NET_BUFFER_SIZE;
        rig_ethernet(frame, to, rig_host, FRAME_IPV4);
        rig_send_at(&driver, IO_BASE + (uint64_t)i * NET_BUFFER_SIZE, 100);
    }
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(stat(0, NET_STAT_DROP_UNKNOWN), 3);
    assert_int_equal(rig_waiting(&driver), 3);
    for (int i = 0; i < RECEIVERS; i++) {
        assert_int_equal(rig_waiting(&peer[i]), 0);
    }
    assert_account();
}

static void test_broadcasts(void **state)
{
    (void)state;
    arrive(rig_broadcast, FRAME_ARP, 42);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[ARP]), 1);
    assert_int_equal(rig_waiting(&peer[A]) + rig_waiting(&peer[B]), 0);

    uint64_t offset = arrive(rig_broadcast, FRAME_IPV4, 14 + 20 + 8);
    uint8_t *ip = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + offset + 14;
    ip[0] = 0x45;
    ip[9] = 17;
    ip[22] = 0;
    ip[23] = 68;
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[B]), 1);
    assert_int_equal(rig_waiting(&peer[A]), 0);

    offset = arrive(rig_broadcast, FRAME_IPV4, 14 + 20 + 7); /* the port would be beyond the end */
    ip = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + offset + 14;
    ip[0] = 0x45;
    ip[9] = 17;
    ip[23] = 68;
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[B]), 1);
    assert_int_equal(stat(0, NET_STAT_DROP_UNKNOWN), 1);
    assert_account();
}

static void test_shared_buffer_waits_for_all_holders(void **state)
{
    (void)state;
    arp_receivers |= 1 << A; /* as two ARP components would be */
    uint64_t offset = arrive(rig_broadcast, FRAME_ARP, 42);
    rig_drain(&driver);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_take(&peer[A]).address, offset);
    assert_int_equal(rig_take(&peer[ARP]).address, offset);
    assert_account();
    rig_send_at(&peer[A], offset, 0);
    rig_send_at(&peer[A], offset, 0); /* a second time, while the other still holds it */
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), 0);
    assert_int_equal(stat(1 + A, NET_STAT_REFUSED_OWNER), 1);
    rig_send_at(&peer[ARP], offset, 0);
    fake_microkit_wake(CH_ARP);
    assert_int_equal(rig_waiting(&driver), 1);
    assert_int_equal(rig_take(&driver).address, IO_BASE + offset / 2048 * 2048);
    assert_account();
}

static void test_returns_by_others_are_refused(void **state)
{
    (void)state;
    uint64_t offset = arrive(rig_mac_a, FRAME_IPV4, 100);
    fake_microkit_wake(CH_DRIVER);
    rig_send_at(&peer[B], offset, 0);
    rig_send_at(&peer[B], 0, 0); /* maybe the driver's */
    rig_send_at(&peer[B], BUFFERS * NET_BUFFER_SIZE, 0);
    rig_send_at(&peer[B], UINT64_MAX, 0);
    fake_microkit_wake(CH_B);
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_OWNER), 2);
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_ADDRESS), 2);
    assert_int_equal(receivers[A].lent, 1);
    assert_account();
}

/* Who holds nothing and has said nothing is not looked at: its queue would cost everybody time. */
static void test_who_holds_nothing_is_not_looked_at(void **state)
{
    (void)state;
    rig_send_at(&peer[B], UINT64_MAX, 0);
    arrive(rig_mac_a, FRAME_IPV4, 100);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_ADDRESS), 0);
    fake_microkit_wake(CH_B);
    assert_int_equal(stat(1 + B, NET_STAT_REFUSED_ADDRESS), 1);
}

static void test_driver_is_checked(void **state)
{
    (void)state;
    uint64_t first = rig_take(&driver).address;
    uint64_t second = rig_take(&driver).address;
    uint64_t third = rig_take(&driver).address;
    rig_drain(&driver);
    rig_send_at(&driver, IO_BASE - 1, 100);
    rig_send_at(&driver, IO_BASE + BUFFERS * NET_BUFFER_SIZE, 100);
    rig_send_at(&driver, first, NET_FRAME_MIN - 1);
    rig_send_at(&driver, first, 100); /* is ours by now */
    rig_send_at(&driver, second, NET_FRAME_MAX + 1);
    rig_send_at(&driver, third + 2000, 100);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(stat(0, NET_STAT_REFUSED_ADDRESS), 3);
    assert_int_equal(stat(0, NET_STAT_REFUSED_LENGTH), 2);
    assert_int_equal(stat(0, NET_STAT_REFUSED_OWNER), 1);
    assert_int_equal(rig_waiting(&driver), 3); /* what it held it has again */
    assert_account();
}

static void test_full_queue_drops_its_own_only(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        arrive(rig_mac_a, FRAME_IPV4, 100);
    }
    arrive(rig_mac_b, FRAME_IPV4, 100);
    rig_drain(&driver);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[A]), CAPACITY);
    assert_int_equal(rig_waiting(&peer[B]), 1);
    assert_int_equal(stat(1 + A, NET_STAT_DROP_FULL), 24 - CAPACITY);
    assert_int_equal(rig_waiting(&driver), 24 - CAPACITY);
    assert_account();
}

/* Copiers that take every frame and never give a buffer back: dead, or worse. */
static void test_hoarders_leave_enough_for_others(void **state)
{
    (void)state;
    enum { FRAMES = 4 * BUFFERS };
    for (int i = 0; i < FRAMES; i++) {
        arrive(rig_mac_a, FRAME_IPV4, 100);
        fake_microkit_wake(CH_DRIVER);
        rig_drain(&peer[A]);
    }
    assert_int_equal(receivers[A].lent, BUFFERS / 2);
    assert_int_equal(rig_waiting(&driver), BUFFERS / 2);
    assert_int_equal(stat(1 + A, NET_STAT_DROP_FULL), FRAMES - BUFFERS / 2);
    for (int i = 0; i < FRAMES; i++) {
        arrive(rig_broadcast, FRAME_ARP, 42);
        fake_microkit_wake(CH_DRIVER);
        rig_drain(&peer[ARP]);
    }
    assert_true(rig_waiting(&driver) >= BUFFERS / 4);
    assert_account();

    /* Who gives them back gets everything, a full queue at a time. */
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < CAPACITY / 2; i++) {
            arrive(rig_mac_b, FRAME_IPV4, 100);
        }
        fake_microkit_wake(CH_DRIVER);
        assert_int_equal(rig_waiting(&peer[B]), CAPACITY / 2);
        for (int i = 0; i < CAPACITY / 2; i++) {
            rig_send_at(&peer[B], rig_take(&peer[B]).address, 0);
        }
        fake_microkit_wake(CH_B);
    }
    assert_int_equal(stat(1 + B, NET_STAT_DROP_FULL), 0);
    assert_account();
}

/* Receivers that keep returned buffers unsignalled must not dry the driver out. */
static void test_returned_buffers_come_in_time(void **state)
{
    (void)state;
    uint32_t threshold = receivers[A].enough;
    assert_true(threshold >= 1 && threshold * RECEIVERS <= BUFFERS / 2);
    for (uint32_t i = 0; i < threshold; i++) {
        arrive(rig_mac_a, FRAME_IPV4, 100);
    }
    rig_drain(&driver);
    fake_microkit_wake(CH_DRIVER);
    for (uint32_t i = 0; i < threshold; i++) {
        assert_false(sddf_queue_needs_signal(&peer[A].out));
        rig_send_at(&peer[A], rig_take(&peer[A]).address, 0);
    }
    assert_true(sddf_queue_needs_signal(&peer[A].out));
    fake_microkit_wake(CH_A);
    assert_int_equal(rig_waiting(&driver), threshold);
    assert_account();
}

static void test_full_driver_queue_loses_nothing(void **state)
{
    (void)state;
    rig_drain(&driver);
    /* The driver's head goes back, as if it had taken nothing: its queue looks full. */
    sddf_store_relaxed_u32(&driver.in.own->head, driver_free.tail - BUFFERS);
    sddf_queue_producer_refresh(&driver_free);
    for (uint32_t i = 0; i < 4; i++) {
        rig_send_at(&driver, IO_BASE + i * NET_BUFFER_SIZE, 1);
    }
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(spare_count, 4);
    assert_account();
    sddf_store_relaxed_u32(&driver.in.own->head, driver_free.tail);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(spare_count, 0);
    assert_int_equal(rig_waiting(&driver), 4);
    assert_account();
}

static void test_storm(void **state)
{
    (void)state;
    uint64_t random = 0x1234567;
    uint8_t *frames = (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr;
    for (int round = 0; round < 4000; round++) {
        uint8_t *frame = frames + rig_random(&random) % BUFFERS * NET_BUFFER_SIZE;
        rig_ethernet(frame, round % 3 ? rig_mac_a : rig_broadcast, rig_host, FRAME_ARP);
        for (int i = 0; i < 8; i++) {
            rig_garble_entry(&driver, &random, IO_BASE, BUFFERS);
            rig_garble_entry(&peer[round % RECEIVERS], &random, 0, BUFFERS);
        }
        rig_garble(&driver, &random);
        rig_garble(&peer[round % RECEIVERS], &random);
        fake_microkit_wake((microkit_channel)(rig_random(&random) % MICROKIT_MAX_CHANNELS));
        assert_account();
    }
    assert_true(stat(0, NET_STAT_REFUSED_OWNER) > 0 && stat(0, NET_STAT_REFUSED_LENGTH) > 0);
    assert_true(stat(0, NET_STAT_RX_PACKETS) > 0);
    assert_int_equal(fake_microkit_deferred_lost(), 0);
}

static void test_mismatch_stops(void **state)
{
    (void)state;
    sddf_net_config.header.version++;
    fake_microkit_reset();
    init();
    assert_non_null(strstr(fake_microkit_output(), "test_pd: the header in the configuration"));
    arrive(rig_mac_a, FRAME_IPV4, 100);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[A]), 0);
}

/* ---- devices that do not see the caches ---------------------------------------------------- */

static void nothing_for_the_driver(enum cache_act act)
{
    (void)act;
    assert_int_equal(rig_waiting(&driver), 0);
}

static int setup_incoherent(void **state)
{
    with_incoherent = 1;
    cache_watch = nothing_for_the_driver;
    setup(state);
    with_incoherent = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cache_watch = NULL;
    return 0;
}

static void assert_step(size_t step, enum cache_act act, uint64_t offset, size_t size)
{
    assert_true(step < cache_count);
    assert_int_equal(cache_steps[step].act, act);
    if (act != CACHE_DONE) {
        assert_int_equal(cache_steps[step].start, sddf_net_config.data.vaddr + offset);
        assert_int_equal(cache_steps[step].size, size);
    }
}

/* What memory holds shows when it was forgotten what the cache had: then the frame is A's. */
static void memory_shows(enum cache_act act)
{
    if (act == CACHE_FORGET) {
        rig_ethernet((uint8_t *)cache_steps[cache_count - 1].start, rig_mac_a, rig_host,
                     FRAME_IPV4);
    } else {
        assert_int_equal(rig_waiting(&peer[A]), 0); /* nobody hears of it before it is done */
    }
}

static void test_received_frames_come_from_memory(void **state)
{
    (void)state;
    /* Before the driver has any buffer. */
    assert_int_equal(cache_count, 2);
    assert_step(0, CACHE_FORGET, 0, BUFFERS * NET_BUFFER_SIZE);
    assert_step(1, CACHE_DONE, 0, 0);
    cache_count = 0;
    cache_watch = memory_shows;
    uint64_t first = arrive(rig_mac_b, FRAME_IPV4, 100);
    uint64_t second = arrive(rig_mac_b, FRAME_IPV4, 1514);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(cache_count, 3); /* once for each, and one barrier for both */
    assert_step(0, CACHE_FORGET, first, 100);
    assert_step(1, CACHE_FORGET, second, 1514);
    assert_step(2, CACHE_DONE, 0, 0);
    assert_int_equal(rig_waiting(&peer[A]), 2);
    assert_int_equal(rig_waiting(&peer[B]), 0);
    /* Nor is anything to be done when it comes back. */
    rig_send_at(&peer[A], rig_take(&peer[A]).address / NET_BUFFER_SIZE * NET_BUFFER_SIZE, 0);
    cache_count = 0;
    fake_microkit_wake(CH_A);
    for (size_t i = 0; i < cache_count; i++) {
        assert_int_equal(cache_steps[i].act, CACHE_DONE);
    }
    assert_account();
}

static void test_coherent_devices_cost_nothing(void **state)
{
    (void)state;
    arrive(rig_mac_a, FRAME_IPV4, 100);
    fake_microkit_wake(CH_DRIVER);
    assert_int_equal(rig_waiting(&peer[A]), 1);
    assert_int_equal(cache_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_driver_gets_all_buffers, setup),
        cmocka_unit_test_setup(test_who_holds_nothing_is_not_looked_at, setup),
        cmocka_unit_test_setup(test_unicast_reaches_its_owner_alone, setup),
        cmocka_unit_test_setup(test_flags_are_the_verified_one_only, setup),
        cmocka_unit_test_setup(test_unknown_is_dropped_and_given_back, setup),
        cmocka_unit_test_setup(test_broadcasts, setup),
        cmocka_unit_test_setup(test_shared_buffer_waits_for_all_holders, setup),
        cmocka_unit_test_setup(test_returns_by_others_are_refused, setup),
        cmocka_unit_test_setup(test_driver_is_checked, setup),
        cmocka_unit_test_setup(test_full_queue_drops_its_own_only, setup),
        cmocka_unit_test_setup(test_hoarders_leave_enough_for_others, setup),
        cmocka_unit_test_setup(test_returned_buffers_come_in_time, setup),
        cmocka_unit_test_setup(test_full_driver_queue_loses_nothing, setup),
        cmocka_unit_test_setup(test_storm, setup),
        cmocka_unit_test_setup(test_mismatch_stops, setup),
        cmocka_unit_test_setup_teardown(test_received_frames_come_from_memory, setup_incoherent,
                                        teardown),
        cmocka_unit_test_setup(test_coherent_devices_cost_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
