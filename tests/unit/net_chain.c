/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver, Rx virtualiser, copier and client as four threads of one process, so that the thread
 * sanitizer sees them: every frame that the client gets is whole and in order, none is lost but
 * those counted as dropped, and at the end every buffer is where it began.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "fake_microkit.h"
#include "net_rig.h"

extern struct net_virt_rx_config chain_virt_rx_config;
extern struct net_copy_config chain_copy_config;
void chain_virt_rx_init(void);
void chain_virt_rx_notified(microkit_channel ch);
void chain_copy_init(void);
void chain_copy_notified(microkit_channel ch);

enum { CH_DRIVER = 1, CH_COPY = 2, CH_VIRT = 3, CH_CLIENT = 4 };
enum { DMA_BUFFERS = 64, BUFFERS = 32, FRAMES = 20000, LENGTH = 200 };

static struct rig_peer driver;
static struct rig_peer client;
static atomic_bool over;
static _Atomic uint64_t received;

static void setup_chain(void)
{
    struct net_virt_rx_config *virt = &chain_virt_rx_config;
    struct net_copy_config *copy = &chain_copy_config;
    struct sddf_region_config dma = rig_data(DMA_BUFFERS, 0);
    struct net_pair_config between = rig_pair(DMA_BUFFERS, 16, CH_COPY);
    *virt = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*virt), 0},
        .driver = rig_pair(DMA_BUFFERS, DMA_BUFFERS, CH_DRIVER),
        .data = dma,
        .stats = rig_stats(),
        .buffer_count = DMA_BUFFERS,
        .client_count = 1,
    };
    virt->client[0].rx = between;
    memcpy(virt->client[0].mac, rig_mac_a, 6);
    between.channel = CH_VIRT;
    *copy = (struct net_copy_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_COPY, sizeof(*copy), 0},
        .rx = between,
        .client = rig_pair(BUFFERS, BUFFERS, CH_CLIENT),
        .dma = dma,
        .data = rig_data(BUFFERS, 0),
        .stats = rig_stats(),
        .dma_buffer_count = DMA_BUFFERS,
        .buffer_count = BUFFERS,
    };
    rig_attach(&driver, &virt->driver.active, &virt->driver.free);
    rig_attach(&client, &copy->client.free, &copy->client.active);
}

static void *run_virt_rx(void *unused)
{
    (void)unused;
    while (!over) {
        chain_virt_rx_notified(CH_DRIVER);
        chain_virt_rx_notified(CH_COPY);
        sched_yield();
    }
    return NULL;
}

static void *run_copy(void *unused)
{
    (void)unused;
    while (!over) {
        chain_copy_notified(CH_VIRT);
        sched_yield();
    }
    return NULL;
}

/* Counts frames that are wrong; zero is right. */
static void *run_client(void *unused)
{
    (void)unused;
    const uint8_t *data = (const uint8_t *)(uintptr_t)chain_copy_config.data.vaddr;
    uintptr_t wrong = 0;
    uint32_t last = 0;
    while (!over) {
        struct net_entry entry;
        while (net_queue_dequeue(&client.in, &entry)) {
            uint32_t number;
            memcpy(&number, data + entry.address + NET_FRAME_MIN, sizeof(number));
            wrong += number <= last || entry.length != LENGTH;
            for (uint32_t i = NET_FRAME_MIN + 4; i < LENGTH; i++) {
                wrong += data[entry.address + i] != (uint8_t)(number + i);
            }
            last = number;
            received++;
            sddf_queue_release(&client.in);
            wrong += !net_queue_enqueue(&client.out, entry);
            sddf_queue_publish(&client.out);
        }
        sched_yield();
    }
    return (void *)wrong;
}

static void drive(void)
{
    uint8_t *data = (uint8_t *)(uintptr_t)chain_virt_rx_config.data.vaddr;
    for (uint32_t number = 1; number <= FRAMES;) {
        struct net_entry entry;
        if (!net_queue_dequeue(&driver.in, &entry)) {
            sched_yield();
            continue;
        }
        sddf_queue_release(&driver.in);
        rig_ethernet(data + entry.address, rig_mac_a, rig_host, 0x0800);
        memcpy(data + entry.address + NET_FRAME_MIN, &number, sizeof(number));
        for (uint32_t i = NET_FRAME_MIN + 4; i < LENGTH; i++) {
            data[entry.address + i] = (uint8_t)(number + i);
        }
        entry.length = LENGTH;
        rig_send(&driver, entry);
        number++;
    }
}

static uint64_t dropped(void)
{
    return rig_stat(&chain_virt_rx_config.stats, 0, NET_STAT_DROP_FULL) +
           rig_stat(&chain_copy_config.stats, 0, NET_STAT_DROP_FULL) +
           rig_stat(&chain_copy_config.stats, 0, NET_STAT_DROP_NO_BUFFER);
}

static void test_chain(void **state)
{
    (void)state;
    setup_chain();
    for (uint32_t i = 0; i < BUFFERS; i++) {
        rig_send_at(&client, (uint64_t)i * NET_BUFFER_SIZE, 0);
    }
    chain_copy_init(); /* before its neighbour: nobody waits for anybody */
    chain_virt_rx_init();
    pthread_t threads[3];
    void *(*const run[])(void *) = {run_virt_rx, run_copy, run_client};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run[i], NULL), 0);
    }
    drive();
    /* A frame or a buffer lost on the way would end in the time-out. */
    while (received + dropped() != FRAMES || rig_waiting(&driver) < DMA_BUFFERS) {
        sched_yield();
    }
    over = true;
    void *wrong = NULL;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &wrong); /* the client's answer comes last */
    }
    assert_null(wrong);
    assert_true(received > 0);
    assert_int_equal(rig_stat(&chain_copy_config.stats, 0, NET_STAT_COPIED_BYTES),
                     received * LENGTH);
    assert_int_equal(rig_stat(&chain_copy_config.stats, 0, NET_STAT_REFUSED_OWNER), 0);
    assert_int_equal(rig_stat(&chain_virt_rx_config.stats, 0, NET_STAT_REFUSED_OWNER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
