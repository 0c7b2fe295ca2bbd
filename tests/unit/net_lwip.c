/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo program, whole, with lwIP and all, on queues whose other ends are this test: ARP, ping,
 * UDP of every length, wrong frames, want of buffers, timers, DHCP.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <microkit.h>

#include "net_lwip_frames.h"
#include "net_peer.h"
#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

#define CAPACITY 64

extern struct timer_client_config sddf_timer_config; /* timer/client.c */

static void wake(void)
{
    notified(PEER_RX_CHANNEL);
}

/* lwIP cannot be set up twice in one process, so the tests run one after another on one set-up. */
static int start(void **state)
{
    (void)state;
    peer_setup(CAPACITY);
    peer_provide_tx();
    sddf_timer_config = (struct timer_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT,
                   sizeof(struct timer_client_config), 0},
        .channel = PEER_TIMER_CHANNEL,
    };
    init();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    peer_teardown();
    return 0;
}

static void says_its_address(void **state)
{
    (void)state;
    assert_non_null(strstr(peer.said, "client: 10.0.0.10 is up"));
    uint8_t frame[NET_BUFFER_SIZE];
    while (peer_collect(frame) != 0) {
        assert_int_equal(get16(frame + 12), 0x0806); /* it announces itself */
    }
}

/* The first answer of lwIP's to a new peer waits for ARP, outside of the Rx buffers. */
static void resolves_a_new_peer(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    const uint16_t length = make_ping(frame, 100, 1);
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_int_equal(net_client_held(), 0);
    uint16_t n = peer_collect(got);
    assert_int_equal(n, 42);
    assert_int_equal(get16(got + 12), 0x0806);
    assert_int_equal(get16(got + 20), 1); /* a request, from our address for the peer's */
    assert_memory_equal(got + 28, client_ip, 4);
    assert_memory_equal(got + 38, peer_ip, 4);
    assert_int_equal(peer_collect(got), 0);

    n = make_arp_reply(frame);
    assert_true(peer_deliver(frame, n, 0, 0));
    wake();
    assert_int_equal(peer_collect(got), length);
    assert_memory_equal(got, peer_mac, 6);
    assert_int_equal(got[34], 0); /* echo reply */
    assert_int_equal(peer_collect(got), 0);
}

/* A datagram's echo asks nobody: it goes to the very address that it has come from. */
static void answers_go_back_the_way_they_came(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};
    uint16_t length = make_udp(frame, 40000, 1235, 100, 1);
    memcpy(frame + 6, other_mac, 6);
    for (int i = 0; i < 2; i++) {
        const uint16_t flags = i == 0 ? 0 : NET_CSUM_VERIFIED;
        if (i == 1) {
            put16(frame + 40, 0x1234); /* what a device vouches for need not be finished */
        }
        assert_true(peer_deliver(frame, length, flags, 0));
        wake();
        const uint16_t n = peer_collect(got);
        assert_memory_equal(got, other_mac, 6);
        assert_memory_equal(got + 6, client_mac, 6);
        memcpy(got, peer_mac, 6);
        assert_true(is_udp_echo(got, n, 40000, 1235, 100, 1));
        assert_int_equal(peer_collect(got), 0);
    }
    assert_int_equal(net_client_held(), 0);
}

static void udp_echo_of_every_length(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    const uint16_t ports[] = {7, 1235};
    for (int i = 0; i < 2; i++) {
        for (uint16_t size = 0; size <= 1472; size++) {
            uint16_t length = make_udp(frame, 50000, ports[i], size, size + 77);
            assert_true(peer_deliver(frame, length, 0, size % 500));
            wake();
            if (!is_udp_echo(got, peer_collect(got), 50000, ports[i], size, size + 77)) {
                fail_msg("%u bytes to port %u", size, ports[i]);
            }
            assert_int_equal(peer_collect(got), 0);
        }
    }
    assert_int_equal(net_client_held(), 0);
}

/* A zero checksum says "none"; the echo has one all the same, and a right one. */
static void udp_without_checksum(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    uint16_t length = make_udp(frame, 50001, 7, 333, 9);
    put16(frame + 40, 0);
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_true(is_udp_echo(got, peer_collect(got), 50001, 7, 333, 9));
}

static void wrong_checksums(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    uint64_t before = peer_stat(NET_STAT_DROP_MALFORMED);
    uint16_t length = make_udp(frame, 50002, 7, 700, 10);
    frame[300] ^= 1;
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(peer_stat(NET_STAT_DROP_MALFORMED), before + 1);

    /* Verified by the device: not looked at, and not made use of. */
    length = make_udp(frame, 50002, 7, 700, 10);
    put16(frame + 40, 0x1234);
    assert_true(peer_deliver(frame, length, NET_CSUM_VERIFIED, 0));
    wake();
    assert_true(is_udp_echo(got, peer_collect(got), 50002, 7, 700, 10));

    /* And the next frame is checked again. */
    put16(frame + 40, 0x1234);
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(peer_stat(NET_STAT_DROP_MALFORMED), before + 2);

    length = make_udp(frame, 50002, 7, 700, 10);
    frame[24] ^= 0xff; /* the IP header's */
    assert_true(peer_deliver(frame, length, NET_CSUM_VERIFIED, 0));
    wake();
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(peer_stat(NET_STAT_DROP_MALFORMED), before + 3);
}

static void ping(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    for (uint16_t size = 0; size <= 1472; size += 23) {
        uint16_t length = make_ping(frame, size, size);
        assert_true(peer_deliver(frame, length, 0, 3));
        wake();
        assert_int_equal(peer_collect(got), length);
        assert_memory_equal(got, peer_mac, 6);
        assert_int_equal(got[34], 0); /* echo reply */
        assert_int_equal(sum_of(got + 34, (uint16_t)(length - 34), 0), 0xffff);
        assert_int_equal(sum_of(got + 14, 20, 0), 0xffff);
        assert_memory_equal(got + 38, frame + 38, length - 38);
    }
    assert_int_equal(net_client_held(), 0);
}

static void wrong_lengths_and_fragments(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    const int wrong[] = {-1, 1, -100, 100, -708};
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = peer_stat(NET_STAT_DROP_MALFORMED);
        uint16_t length = make_udp(frame, 50003, 7, 700, 11);
        put16(frame + 38, (uint16_t)(708 + wrong[i]));
        put16(frame + 40, 0);
        assert_true(peer_deliver(frame, length, 0, 0));
        wake();
        assert_int_equal(peer_collect(got), 0);
        assert_int_equal(peer_stat(NET_STAT_DROP_MALFORMED), before + 1);
    }
    uint64_t before = peer_stat(NET_STAT_DROP_STACK);
    uint16_t length = make_udp(frame, 50003, 7, 700, 11);
    put16(frame + 20, 0x2000); /* more fragments */
    finish_ip(frame);
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(peer_stat(NET_STAT_DROP_STACK), before + 1);
    assert_int_equal(net_client_held(), 0);
}

/* Any bytes at all: lwIP's assertions are on in this test, and every buffer comes back. */
static void random_frames(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    srand(6);
    for (int round = 0; round < 100000; round++) {
        uint16_t length = make_udp(frame, 50004, 7, (uint16_t)(rand() % 200), 12);
        if (rand() % 2 == 0) {
            length = make_ping(frame, (uint16_t)(rand() % 200), 12);
        }
        frame[23] = rand() % 4 == 0 ? 6 : frame[23];
        for (int flips = rand() % 6; flips > 0; flips--) {
            frame[12 + rand() % 60] = (uint8_t)rand();
        }
        if (rand() % 2 == 0) {
            finish_ip(frame); /* or hardly anything gets past the first checksum */
        }
        length = rand() % 4 == 0 ? (uint16_t)(14 + rand() % (length - 13)) : length;
        assert_true(peer_deliver(frame, length, rand() % 2 ? NET_CSUM_VERIFIED : 0, 0));
        wake();
        while (peer_collect(got) != 0) {
            assert_memory_equal(got + 6, client_mac, 6);
        }
    }
    /* What waited for ARP answers that never come is in lwIP's own memory. */
    assert_int_equal(net_client_held(), 0);
}

static void never_answers_an_echo_service(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    uint16_t length = make_udp(frame, 7, 7, 50, 13);
    assert_true(peer_deliver(frame, length, 0, 0));
    length = make_udp(frame, 50005, 9, 50, 13);
    assert_true(peer_deliver(frame, length, 0, 0));
    wake();
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(net_client_held(), 0);
}

/*
 * More than a pass, all at once; and virt_tx returns nothing until it is all done. What cannot be
 * answered waits, and none is lost.
 */
static void a_burst_without_tx_buffers(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    uint64_t dropped = peer_stat(NET_STAT_DROP_NO_BUFFER);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < CAPACITY; i++) {
            uint16_t length = make_udp(frame, (uint16_t)(51000 + i), 7, 500, CAPACITY * round + i);
            assert_true(peer_deliver(frame, length, 0, 0));
        }
        wake();
        assert_int_equal(net_client_held(), 0);
    }
    assert_false(peer_deliver(frame, 60, 0, 0)); /* the second burst is still where it was */
    for (uint32_t i = 0; i < CAPACITY; i++) {
        assert_true(is_udp_echo(got, peer_collect(got), (uint16_t)(51000 + i), 7, 500, i));
    }
    assert_int_equal(peer_collect(got), 0);
    /* It has been waiting for the buffers: the first back is signalled. */
    assert_true(sddf_queue_needs_signal(&peer.tx_free));
    notified(PEER_TX_CHANNEL);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        assert_true(
            is_udp_echo(got, peer_collect(got), (uint16_t)(51000 + i), 7, 500, CAPACITY + i));
    }
    assert_int_equal(peer_collect(got), 0);
    assert_int_equal(peer_stat(NET_STAT_DROP_NO_BUFFER), dropped);
    notified(PEER_TX_CHANNEL);
    assert_int_equal(peer_stat(NET_STAT_COPIED_BYTES), 0);
}

/* One protected call per timeout of lwIP's, however many packets come in between. */
static void timers_are_set_seldom(void **state)
{
    (void)state;
    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    peer.now = peer.timer_deadline;
    notified(PEER_TIMER_CHANNEL);
    unsigned calls = peer.timer_calls;
    uint64_t deadline = peer.timer_deadline;
    assert_true(deadline > peer.now && deadline <= peer.now + SDDF_NS_PER_S);
    while (peer.now + SDDF_NS_PER_MS < deadline) {
        peer.now += SDDF_NS_PER_MS;
        uint16_t length = make_udp(frame, 50006, 7, 10, 1);
        assert_true(peer_deliver(frame, length, 0, 0));
        wake();
        assert_int_not_equal(peer_collect(got), 0);
    }
    assert_int_equal(peer.timer_calls, calls);
    peer.now = deadline;
    notified(PEER_TIMER_CHANNEL);
    assert_int_equal(peer.timer_calls, calls + 1);
    assert_true(peer.timer_deadline > deadline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_its_address),
        cmocka_unit_test(resolves_a_new_peer),
        cmocka_unit_test(answers_go_back_the_way_they_came),
        cmocka_unit_test(udp_echo_of_every_length),
        cmocka_unit_test(udp_without_checksum),
        cmocka_unit_test(wrong_checksums),
        cmocka_unit_test(ping),
        cmocka_unit_test(wrong_lengths_and_fragments),
        cmocka_unit_test(never_answers_an_echo_service),
        cmocka_unit_test(a_burst_without_tx_buffers),
        cmocka_unit_test(timers_are_set_seldom),
        cmocka_unit_test(random_frames),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
