/* SPDX-License-Identifier: BSD-2-Clause */
/* The copier, with the test as Rx virtualiser and client. */
#include "network/copy.c"

#include "fake_microkit.h"
#include "net_rig.h"

enum { CH_RX = 1, CH_CLIENT = 2 };
enum { DMA_BUFFERS = 32, BUFFERS = 16, CAPACITY = 8 };

static struct rig_peer virt;
static struct rig_peer client;

static int setup(void **state)
{
    (void)state;
    fake_microkit_reset();
    struct net_copy_config *config = &sddf_net_config;
    *config = (struct net_copy_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_COPY, sizeof(*config), 0},
        .rx = rig_pair(DMA_BUFFERS, DMA_BUFFERS, CH_RX),
        .client = rig_pair(BUFFERS, CAPACITY, CH_CLIENT),
        .dma = rig_data(DMA_BUFFERS, 0),
        .data = rig_data(BUFFERS, 0),
        .stats = rig_stats(),
        .dma_buffer_count = DMA_BUFFERS,
        .buffer_count = BUFFERS,
    };
    rig_attach(&virt, &config->rx.active, &config->rx.free);
    rig_attach(&client, &config->client.free, &config->client.active);
    init();
    return 0;
}

static uint64_t stat(enum net_stat which)
{
    return rig_stat(&sddf_net_config.stats, 0, which);
}

static uint8_t *dma_at(uint64_t offset)
{
    return (uint8_t *)(uintptr_t)sddf_net_config.dma.vaddr + offset;
}

static uint8_t *data_at(uint64_t offset)
{
    return (uint8_t *)(uintptr_t)sddf_net_config.data.vaddr + offset;
}

static void test_copies_every_length_exactly(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    uint8_t *source = dma_at(256);
    for (uint32_t i = 0; i < NET_BUFFER_SIZE - 256; i++) {
        source[i] = (uint8_t)(i * 7 + i / 256 + 1);
    }
    for (uint16_t length = NET_FRAME_MIN; length <= NET_FRAME_MAX; length++) {
        memset(data_at(0), 0, NET_BUFFER_SIZE);
        rig_send_at(&client, 0, 0);
        rig_send_at(&virt, 256, length);
        fake_microkit_wake(CH_RX);
        struct net_entry got = rig_take(&client);
        assert_int_equal(got.length, length);
        assert_memory_equal(data_at(got.address), source, length);
        for (uint64_t i = 0; i < NET_BUFFER_SIZE; i++) {
            if (i < got.address || i >= got.address + length) {
                assert_int_equal(*data_at(i), 0); /* what lies behind a frame is not its owner's */
            }
        }
        assert_int_equal(rig_take(&virt).address / NET_BUFFER_SIZE, 0);
        bytes += length;
    }
    assert_int_equal(stat(NET_STAT_COPIED_BYTES), bytes);
    assert_int_equal(stat(NET_STAT_RX_PACKETS), NET_FRAME_MAX - NET_FRAME_MIN + 1);
}

static void test_no_buffer_drops_and_returns_at_once(void **state)
{
    (void)state;
    rig_send_at(&client, 5 * NET_BUFFER_SIZE + 77, 0); /* anywhere in the buffer */
    for (uint32_t i = 0; i < 3; i++) {
        rig_send_at(&virt, i * NET_BUFFER_SIZE, 60);
    }
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&virt), 3);
    assert_int_equal(rig_waiting(&client), 1);
    assert_int_equal(rig_take(&client).address / NET_BUFFER_SIZE, 5);
    assert_int_equal(stat(NET_STAT_DROP_NO_BUFFER), 2);
    assert_int_equal(fake_microkit_signals(CH_CLIENT), 1);
    assert_int_equal(fake_microkit_signals(CH_RX), 1);
}

static void test_client_that_takes_nothing_loses_its_own(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        rig_send_at(&client, i * NET_BUFFER_SIZE, 0);
        rig_send_at(&virt, i * NET_BUFFER_SIZE, 60);
    }
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&virt), BUFFERS);
    assert_int_equal(rig_waiting(&client), CAPACITY);
    assert_int_equal(stat(NET_STAT_DROP_FULL), BUFFERS - CAPACITY);
    assert_int_equal(client_free.head, CAPACITY); /* no buffer was taken for what was dropped */
}

static void test_double_return_is_refused(void **state)
{
    (void)state;
    rig_send_at(&client, 0, 0);
    rig_send_at(&client, 0, 0);
    rig_send_at(&client, BUFFERS * NET_BUFFER_SIZE, 0);
    rig_send_at(&virt, 0, 60);
    rig_send_at(&virt, 2048, 60);
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&client), 1);
    assert_int_equal(stat(NET_STAT_REFUSED_OWNER), 1);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 1);
    assert_int_equal(stat(NET_STAT_DROP_NO_BUFFER), 1);
    rig_take(&client);
    rig_send_at(&client, 0, 0); /* now it has it */
    rig_send_at(&virt, 0, 60);
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&client), 1);
}

/* Who offers rubbish, a queue full of it at a time, costs a frame a few looks. */
static void test_rubbish_is_not_searched_for_buffers(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        uint64_t slot = (uint64_t)i * net_queue_words;
        sddf_store_relaxed_u64(&client.out.own->entries[slot], UINT64_MAX);
    }
    for (uint32_t i = 1; i <= DMA_BUFFERS; i++) {
        sddf_store_relaxed_u32(&client.out.own->tail, client_free.head + BUFFERS);
        rig_send_at(&virt, 0, 100);
        fake_microkit_wake(CH_RX);
        assert_int_equal(stat(NET_STAT_DROP_NO_BUFFER), i);
        assert_in_range(stat(NET_STAT_REFUSED_ADDRESS), i, (uint64_t)i * (1 + BATCH));
    }
}

static void test_virtualiser_is_checked(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        rig_send_at(&client, i * NET_BUFFER_SIZE, 0);
    }
    rig_send_at(&virt, DMA_BUFFERS * NET_BUFFER_SIZE, 60);
    rig_send_at(&virt, UINT64_MAX, 60);
    rig_send_at(&virt, 2000, 60);
    rig_send_at(&virt, 0, NET_FRAME_MIN - 1);
    rig_send_at(&virt, 0, NET_FRAME_MAX + 1);
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&client), 0);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 3);
    assert_int_equal(stat(NET_STAT_REFUSED_LENGTH), 2);
    assert_int_equal(rig_waiting(&virt), 3); /* what is a buffer goes back */
}

static void test_storm(void **state)
{
    (void)state;
    uint64_t random = 0xabcdef;
    for (int round = 0; round < 4000; round++) {
        for (int i = 0; i < 8; i++) {
            rig_garble_entry(&virt, &random, 0, DMA_BUFFERS);
            rig_garble_entry(&client, &random, 0, BUFFERS);
        }
        rig_garble(&virt, &random);
        rig_garble(&client, &random);
        fake_microkit_wake((microkit_channel)(rig_random(&random) % MICROKIT_MAX_CHANNELS));
        for (uint32_t i = 0; i < BUFFERS; i++) {
            assert_true(sent_as[i] <= sent);
        }
        assert_true(client_active.tail - client_active.head <= CAPACITY);
    }
    assert_true(stat(NET_STAT_COPIED_BYTES) > 0 && stat(NET_STAT_REFUSED_OWNER) > 0);
    assert_true(stat(NET_STAT_COPIED_BYTES) == stat(NET_STAT_RX_BYTES));
}

static void test_mismatch_stops(void **state)
{
    (void)state;
    sddf_net_config.header.role = SDDF_ROLE_NET_CLIENT;
    fake_microkit_reset();
    init();
    assert_non_null(strstr(fake_microkit_output(), "does not match this program"));
    rig_send_at(&virt, 0, 60);
    fake_microkit_wake(CH_RX);
    assert_int_equal(rig_waiting(&virt), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_copies_every_length_exactly, setup),
        cmocka_unit_test_setup(test_no_buffer_drops_and_returns_at_once, setup),
        cmocka_unit_test_setup(test_client_that_takes_nothing_loses_its_own, setup),
        cmocka_unit_test_setup(test_double_return_is_refused, setup),
        cmocka_unit_test_setup(test_rubbish_is_not_searched_for_buffers, setup),
        cmocka_unit_test_setup(test_virtualiser_is_checked, setup),
        cmocka_unit_test_setup(test_storm, setup),
        cmocka_unit_test_setup(test_mismatch_stops, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
