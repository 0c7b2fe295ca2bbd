/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's queues, with neighbours that behave and neighbours that do not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net_peer.h"
#include "sddf/net_client.h"

#define CAPACITY 16

static int setup(void **state)
{
    (void)state;
    peer_setup(CAPACITY);
    assert_true(net_client_init());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_teardown();
    return 0;
}

/* Takes what the client has put into the copier's free queue; no buffer may come twice. */
static void take_free(bool mine[CAPACITY])
{
    struct net_entry entry;
    while (net_queue_dequeue(&peer.rx_free, &entry)) {
        uint64_t buffer = entry.address / NET_BUFFER_SIZE;
        assert_true(buffer < CAPACITY);
        assert_false(mine[buffer]);
        mine[buffer] = true;
    }
    sddf_queue_release(&peer.rx_free);
}

static unsigned count(const bool mine[CAPACITY])
{
    unsigned n = 0;
    for (int i = 0; i < CAPACITY; i++) {
        n += mine[i];
    }
    return n;
}

static void send_entry(struct sddf_queue_producer *q, uint64_t address, uint16_t length)
{
    struct net_entry entry = {.address = address, .length = length, .flags = 0xffff};
    assert_true(net_queue_enqueue(q, entry));
    sddf_queue_publish(q);
}

static void offers_every_buffer_once(void **state)
{
    (void)state;
    bool mine[CAPACITY] = {0};
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY);
    assert_int_equal(net_client_held(), 0);
}

static void a_frame_anywhere_in_its_buffer(void **state)
{
    (void)state;
    uint8_t bytes[NET_FRAME_MAX];
    memset(bytes, 0x5a, sizeof(bytes));
    struct net_frame frame;
    const uint32_t offsets[] = {0, 1, 256, NET_BUFFER_SIZE - NET_FRAME_MAX};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(peer_deliver(bytes, NET_FRAME_MAX, NET_CSUM_VERIFIED, offsets[i]));
        assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
        assert_int_equal(frame.length, NET_FRAME_MAX);
        assert_int_equal(frame.flags, NET_CSUM_VERIFIED);
        assert_int_equal((frame.data - peer.rx_data) % NET_BUFFER_SIZE, offsets[i]);
        assert_memory_equal(frame.data, bytes, NET_FRAME_MAX);
        assert_int_equal(net_client_held(), 1);
        net_client_return(frame.buffer);
        net_client_flush();
    }
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_EMPTY);
    assert_int_equal(peer_stat(NET_STAT_RX_PACKETS), 4);
    assert_int_equal(peer_stat(NET_STAT_RX_BYTES), 4 * NET_FRAME_MAX);
}

static void refuses_a_buffer_that_is_here(void **state)
{
    (void)state;
    struct net_frame frame;
    bool mine[CAPACITY] = {0};
    take_free(mine);
    send_entry(&peer.rx_active, 3 * NET_BUFFER_SIZE, 60);
    send_entry(&peer.rx_active, 3 * NET_BUFFER_SIZE + 100, 60);
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_REFUSED);
    net_client_flush();
    assert_int_equal(peer_stat(NET_STAT_REFUSED_OWNER), 1);
    /* A second return is the program's own mistake, and changes nothing either. */
    net_client_return(3);
    net_client_return(3);
    net_client_return(CAPACITY);
    net_client_flush();
    assert_int_equal(peer_stat(NET_STAT_REFUSED_OWNER), 3);
    mine[3] = false;
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY);
}

static void refuses_lengths_but_keeps_the_buffer(void **state)
{
    (void)state;
    struct net_frame frame;
    const struct {
        uint32_t offset;
        uint16_t length;
    } bad[] = {{0, 0}, {0, NET_FRAME_MIN - 1}, {0, NET_FRAME_MAX + 1}, {0, 0xffff}, {2035, 14}};
    for (unsigned i = 0; i < 5; i++) {
        bool mine[CAPACITY] = {0};
        take_free(mine);
        assert_int_equal(count(mine), CAPACITY);
        for (uint64_t b = 0; b < CAPACITY; b++) {
            send_entry(&peer.rx_active, b * NET_BUFFER_SIZE + bad[i].offset, bad[i].length);
            assert_int_equal(net_client_receive(&frame), NET_RECEIVE_REFUSED);
        }
        net_client_flush();
    }
    assert_int_equal(peer_stat(NET_STAT_REFUSED_LENGTH), 5 * CAPACITY);
    assert_int_equal(net_client_held(), 0);
}

static void hostile_copier(void **state)
{
    (void)state;
    srand(3);
    bool mine[CAPACITY] = {0};
    uint32_t held[CAPACITY], held_count = 0;
    take_free(mine);
    for (int round = 0; round < 200000; round++) {
        uint64_t buffer = (uint64_t)rand() % CAPACITY;
        uint64_t address = rand() % 4 == 0 ? (uint64_t)rand() << (rand() % 33)
                                           : buffer * NET_BUFFER_SIZE + rand() % NET_BUFFER_SIZE;
        struct net_entry entry = {.address = address, .length = (uint16_t)(rand() % 2100)};
        bool inside = address / NET_BUFFER_SIZE < CAPACITY;
        bool ours = inside && mine[address / NET_BUFFER_SIZE];
        if (net_queue_enqueue(&peer.rx_active, entry)) {
            sddf_queue_publish(&peer.rx_active);
            struct net_frame frame;
            enum net_receive result = net_client_receive(&frame);
            if (result == NET_RECEIVE_FRAME) {
                assert_true(ours);
                assert_true(frame.length + address % NET_BUFFER_SIZE <= NET_BUFFER_SIZE);
                held[held_count++] = frame.buffer;
            }
            if (ours) {
                mine[address / NET_BUFFER_SIZE] = false; /* taken over, whatever its length */
            }
        }
        if (held_count > 0 && rand() % 2 == 0) {
            uint32_t i = (uint32_t)rand() % held_count;
            net_client_return(held[i]);
            held[i] = held[--held_count];
        }
        /* From here on the client counts what it gave back as the copier's: so does the model. */
        net_client_flush();
        take_free(mine);
        assert_int_equal(net_client_held(), held_count);
    }
    while (held_count > 0) {
        net_client_return(held[--held_count]);
    }
    net_client_flush();
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY);
    assert_true(peer_stat(NET_STAT_REFUSED_ADDRESS) > 1000);
    assert_true(peer_stat(NET_STAT_REFUSED_OWNER) > 1000);
    assert_true(peer_stat(NET_STAT_REFUSED_LENGTH) > 1000);
}

static void hostile_virt_tx(void **state)
{
    (void)state;
    srand(4);
    bool mine[CAPACITY];
    memset(mine, true, sizeof(mine));
    uint32_t reserved[CAPACITY], reserved_count = 0;
    for (int round = 0; round < 200000; round++) {
        uint64_t buffer = (uint64_t)rand() % CAPACITY;
        uint64_t address = rand() % 4 == 0 ? (uint64_t)rand() << (rand() % 33)
                                           : buffer * NET_BUFFER_SIZE + rand() % NET_BUFFER_SIZE;
        struct net_entry entry = {.address = address};
        net_queue_enqueue(&peer.tx_free, entry);
        sddf_queue_publish(&peer.tx_free);
        uint32_t got;
        if (rand() % 2 == 0 && net_client_reserve(&got) != NULL) {
            assert_true(got < CAPACITY);
            assert_true(reserved_count < CAPACITY);
            for (uint32_t i = 0; i < reserved_count; i++) {
                assert_int_not_equal(reserved[i], got);
            }
            reserved[reserved_count++] = got;
            mine[got] = false;
        }
        if (reserved_count > 0 && rand() % 2 == 0) {
            uint32_t last = reserved[--reserved_count];
            if (rand() % 4 == 0) {
                net_client_unreserve(last);
            } else {
                net_client_send(last, 60, 0, 0, 0);
                net_client_send(last, 60, 0, 0, 0); /* not ours any more: refused */
            }
        }
        net_client_flush();
        while (net_queue_dequeue(&peer.tx_active, &entry)) {
            assert_true(entry.address / NET_BUFFER_SIZE < CAPACITY);
            assert_false(mine[entry.address / NET_BUFFER_SIZE]);
            mine[entry.address / NET_BUFFER_SIZE] = true;
        }
        sddf_queue_release(&peer.tx_active);
    }
    assert_true(peer_stat(NET_STAT_REFUSED_ADDRESS) > 1000);
    assert_true(peer_stat(NET_STAT_TX_PACKETS) > 1000);
}

/* Indices that make no sense, on both sides of each queue: the client goes on, within its memory.
 */
static void hostile_indices(void **state)
{
    (void)state;
    srand(5);
    const struct net_pair_config *pairs[] = {&sddf_net_config.rx, &sddf_net_config.tx};
    for (int round = 0; round < 20000; round++) {
        const struct net_pair_config *pair = pairs[rand() % 2];
        const struct sddf_queue_config *q = rand() % 2 ? &pair->free : &pair->active;
        struct sddf_queue_producer_region *producer = (void *)(uintptr_t)q->producer;
        struct sddf_queue_consumer_region *consumer = (void *)(uintptr_t)q->consumer;
        bool clients = q == &sddf_net_config.rx.free || q == &sddf_net_config.tx.active;
        uint32_t word = (uint32_t)rand() << (rand() % 20);
        if (clients) {
            sddf_store_relaxed_u32(rand() % 2 ? &consumer->head : &consumer->mark, word);
        } else {
            sddf_store_relaxed_u32(&producer->tail, word);
            sddf_store_relaxed_u64(&producer->entries[rand() % CAPACITY],
                                   (uint64_t)rand() * NET_BUFFER_SIZE);
        }
        struct net_frame frame;
        uint32_t buffer;
        for (int i = 0; i < CAPACITY; i++) {
            if (net_client_receive(&frame) == NET_RECEIVE_FRAME) {
                net_client_return(frame.buffer);
            }
            if (net_client_reserve(&buffer) != NULL) {
                net_client_send(buffer, 60, 0, 0, 0);
            }
        }
        net_client_flush();
        net_client_idle(true);
        assert_true(net_client_held() <= CAPACITY);
    }
}

/* Both queues pretend to hold more for ever. The loop of the header ends all the same. */
static void impossible_tails_are_no_loop(void **state)
{
    (void)state;
    struct sddf_queue_producer_region *rx = (void *)(uintptr_t)sddf_net_config.rx.active.producer;
    struct sddf_queue_producer_region *tx = (void *)(uintptr_t)sddf_net_config.tx.free.producer;
    sddf_store_relaxed_u32(&rx->tail, UINT32_C(1) << 31);
    sddf_store_relaxed_u32(&tx->tail, UINT32_C(1) << 31);
    unsigned passes = 0;
    do {
        struct net_frame frame;
        uint32_t buffer;
        for (unsigned i = 0; i < NET_CLIENT_PASS; i++) {
            if (net_client_receive(&frame) == NET_RECEIVE_FRAME) {
                net_client_return(frame.buffer);
            }
        }
        while (net_client_reserve(&buffer) != NULL && passes < 1000) {
            net_client_send(buffer, 60, 0, 0, 0);
        }
        net_client_flush();
        passes++;
    } while (!net_client_idle(true) && passes < 1000);
    assert_int_equal(passes, 1);
}

static void signals_only_who_waits(void **state)
{
    (void)state;
    peer_provide_tx();
    unsigned first = peer.notified[PEER_TX_CHANNEL];
    uint32_t buffer;
    assert_true(sddf_queue_request_signal(&peer.tx_active));
    for (int i = 0; i < 3; i++) {
        assert_non_null(net_client_reserve(&buffer));
        net_client_send(buffer, 60, 0, 0, 0);
    }
    assert_int_equal(peer.notified[PEER_TX_CHANNEL], first);
    net_client_flush();
    assert_int_equal(peer.notified[PEER_TX_CHANNEL], first + 1);
    assert_non_null(net_client_reserve(&buffer));
    net_client_send(buffer, 60, 0, 0, 0);
    net_client_flush();
    assert_int_equal(peer.notified[PEER_TX_CHANNEL], first + 1);
}

static void no_buffer_no_send(void **state)
{
    (void)state;
    uint32_t buffer;
    assert_false(net_client_can_send());
    assert_null(net_client_reserve(&buffer));
    assert_true(net_client_idle(true));
    peer_provide_tx();
    assert_true(sddf_queue_needs_signal(&peer.tx_free)); /* the client waits for just this */
    for (int i = 0; i < CAPACITY; i++) {
        assert_true(net_client_can_send());
        assert_non_null(net_client_reserve(&buffer));
        net_client_send(buffer, 60, 0, 0, 0);
    }
    assert_false(net_client_can_send());
    net_client_flush();
    assert_int_equal(peer_stat(NET_STAT_TX_PACKETS), CAPACITY);
    assert_int_equal(peer_stat(NET_STAT_TX_BYTES), CAPACITY * 60);
}

/* With frames on their way to it, frames in use, and the rest on offer. */
static void a_restart_offers_no_buffer_twice(void **state)
{
    (void)state;
    struct net_frame frame;
    uint8_t bytes[60] = {0};
    for (unsigned i = 0; i < 7; i++) {
        assert_true(peer_deliver(bytes, sizeof(bytes), 0, 0));
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME); /* its last act */
    }
    net_client_flush();
    assert_true(net_client_init());
    bool mine[CAPACITY] = {0};
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY - 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
        assert_false(mine[frame.buffer]);
        net_client_return(frame.buffer);
    }
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_EMPTY);
    net_client_flush();
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY);
    assert_int_equal(peer_stat(NET_STAT_REFUSED_OWNER), 0);
}

/* The copier has taken a buffer and not given it back yet: it is in no queue, and not the client's.
 */
static void a_restart_leaves_the_copier_its_buffer(void **state)
{
    (void)state;
    struct net_entry entry;
    assert_true(net_queue_dequeue(&peer.rx_free, &entry));
    sddf_queue_release(&peer.rx_free);
    assert_true(net_client_init());
    bool mine[CAPACITY] = {0};
    mine[entry.address / NET_BUFFER_SIZE] = true;
    take_free(mine);
    assert_int_equal(count(mine), CAPACITY);
    send_entry(&peer.rx_active, entry.address, 60);
    struct net_frame frame;
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
}

static uint32_t reserve(void)
{
    uint32_t buffer = UINT32_MAX;
    assert_non_null(net_client_reserve(&buffer));
    assert_true(buffer < CAPACITY);
    return buffer;
}

/* All but those that virt_tx has, and each once; they are taken, and sent by nobody. */
static void can_reserve(unsigned n)
{
    bool mine[CAPACITY] = {0};
    for (unsigned i = 0; i < n; i++) {
        const uint32_t buffer = reserve();
        assert_false(mine[buffer]);
        mine[buffer] = true;
    }
    uint32_t buffer;
    assert_null(net_client_reserve(&buffer));
}

/*
 * Some are sent, some put into the queue and not handed over, some reserved, some put aside, and
 * some not taken yet. Again and again: nothing is lost with time, either.
 */
static void a_restart_loses_no_buffer_to_send(void **state)
{
    (void)state;
    uint8_t bytes[NET_BUFFER_SIZE];
    peer_provide_tx();
    for (unsigned life = 0; life < 3 * CAPACITY; life++) {
        net_client_send(reserve(), 60, 0, 0, 0);
        net_client_send(reserve(), 60, 0, 0, 0);
        net_client_flush();
        net_client_send(reserve(), 61, 0, 0, 0);
        net_client_unreserve(reserve());
        reserve();
        reserve();
        assert_true(net_client_init());
        assert_int_equal(peer_collect(bytes), 60);
        assert_int_equal(peer_collect(bytes), 60);
        assert_int_equal(peer_collect(bytes), 0);
    }
    assert_true(net_client_init());
    can_reserve(CAPACITY);
    assert_int_equal(peer_stat(NET_STAT_REFUSED_OWNER), 0);
}

static void a_restart_takes_no_buffer_from_virt_tx(void **state)
{
    (void)state;
    peer_provide_tx();
    for (unsigned i = 0; i < 5; i++) {
        net_client_send(reserve(), 60, 0, 0, 0);
    }
    net_client_flush();
    struct net_entry entry;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(net_queue_dequeue(&peer.tx_active, &entry));
    }
    sddf_queue_release(&peer.tx_active);
    assert_true(net_client_init());
    can_reserve(CAPACITY - 5);
}

static void wrong_configuration(void **state)
{
    (void)state;
    const struct net_client_config good = sddf_net_config;
    sddf_net_config.header.role = SDDF_ROLE_NET_COPY;
    assert_false(net_client_init());
    assert_non_null(strstr(peer.said, "client: the network client's configuration"));
    sddf_net_config = good;
    sddf_net_config.rx_buffer_count = NET_CLIENT_BUFFERS_MAX + 1;
    assert_false(net_client_init());
    sddf_net_config = good;
    sddf_net_config.tx_data.size -= 1;
    assert_false(net_client_init());
    sddf_net_config = good;
    sddf_net_config.tx.active.capacity = 3;
    assert_false(net_client_init());
    sddf_net_config = good;
    assert_true(net_client_init());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* At the driver itself: entries hold IO addresses, and the Tx buffers are ours from the start. */
static void at_the_driver(void **state)
{
    (void)state;
    const uint64_t rx_base = UINT64_C(0x7fff00000000), tx_base = UINT64_C(0xfffffffffff00000);
    peer_setup(CAPACITY);
    sddf_net_config.rx_data.io_address = rx_base;
    sddf_net_config.tx_data.io_address = tx_base;
    sddf_net_config.tx_own = 1;
    assert_true(net_client_init());
    struct net_entry entry = {0};
    for (uint64_t i = 0; i < CAPACITY; i++) {
        assert_true(net_queue_dequeue(&peer.rx_free, &entry));
        assert_int_equal(entry.address, rx_base + i * NET_BUFFER_SIZE);
    }
    sddf_queue_release(&peer.rx_free);
    struct net_frame frame;
    send_entry(&peer.rx_active, rx_base + 3 * NET_BUFFER_SIZE + 256, 100);
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
    assert_ptr_equal(frame.data, peer.rx_data + 3 * NET_BUFFER_SIZE + 256);
    send_entry(&peer.rx_active, rx_base - 1, 100);
    send_entry(&peer.rx_active, rx_base + CAPACITY * NET_BUFFER_SIZE, 100);
    send_entry(&peer.rx_active, 0, 100);
    send_entry(&peer.rx_active, rx_base + NET_BUFFER_SIZE - 99, 100);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(net_client_receive(&frame), NET_RECEIVE_REFUSED);
    }
    for (uint32_t i = 0; i < CAPACITY; i++) {
        uint32_t buffer;
        assert_ptr_equal(net_client_reserve(&buffer), peer.tx_data + i * NET_BUFFER_SIZE);
        net_client_send(buffer, 60, 0, 0, 0);
    }
    net_client_flush();
    for (uint64_t i = 0; i < CAPACITY; i++) {
        assert_true(net_queue_dequeue(&peer.tx_active, &entry));
        assert_int_equal(entry.address, tx_base + i * NET_BUFFER_SIZE);
    }
    sddf_queue_release(&peer.tx_active);
    assert_false(net_client_can_send());
    send_entry(&peer.tx_free, tx_base + 5 * NET_BUFFER_SIZE, 0);
    uint32_t buffer = 0;
    assert_non_null(net_client_reserve(&buffer));
    assert_int_equal(buffer, 5);
}

/* At virt_rx itself: it has all Rx buffers at the start, and gets back what it has given. */
static void at_the_virtualiser(void **state)
{
    (void)state;
    peer_setup(CAPACITY);
    sddf_net_config.rx_lent = 1;
    assert_true(net_client_init());
    struct net_entry entry = {0};
    assert_false(net_queue_dequeue(&peer.rx_free, &entry));
    struct net_frame frame;
    send_entry(&peer.rx_active, 7 * NET_BUFFER_SIZE, 100);
    assert_int_equal(net_client_receive(&frame), NET_RECEIVE_FRAME);
    net_client_return(frame.buffer);
    net_client_flush();
    assert_true(net_queue_dequeue(&peer.rx_free, &entry));
    assert_int_equal(entry.address, 7 * NET_BUFFER_SIZE);
    assert_false(net_queue_dequeue(&peer.rx_free, &entry));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offers_every_buffer_once),
        cmocka_unit_test_teardown(at_the_driver, teardown),
        cmocka_unit_test_teardown(at_the_virtualiser, teardown),
        TEST(a_frame_anywhere_in_its_buffer),
        TEST(refuses_a_buffer_that_is_here),
        TEST(refuses_lengths_but_keeps_the_buffer),
        TEST(hostile_copier),
        TEST(hostile_virt_tx),
        TEST(hostile_indices),
        TEST(impossible_tails_are_no_loop),
        TEST(signals_only_who_waits),
        TEST(no_buffer_no_send),
        TEST(a_restart_offers_no_buffer_twice),
        TEST(a_restart_leaves_the_copier_its_buffer),
        TEST(a_restart_loses_no_buffer_to_send),
        TEST(a_restart_takes_no_buffer_from_virt_tx),
        TEST(wrong_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
