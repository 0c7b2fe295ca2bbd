/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP driver against rings in plain memory: the test is the kernel at one end, and both
 * virtualisers at the other. Where a buffer is, the test knows by looking into rings and queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <microkit.h>
#include <microkit_linux.h>
#include <microkit_linux_xdp.h>

#include "sddf/net.h"

#define BUFFERS  64u /* of each direction */
#define ENTRIES  64u /* of each ring */
#define RX_BYTES (BUFFERS * NET_BUFFER_SIZE)
#define UMEM     (2 * RX_BYTES) /* Rx DMA, then one Tx data region */
#define START    0xffffffe0u    /* indices are about to wrap */

enum { IRQ, RX, TX };

extern struct net_driver_config sddf_net_config;

/* ---- the platform -------------------------------------------------------------------------- */

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "ethernet0_driver";

static unsigned notified_rx, notified_tx, acks, complaints, sends, receives;
static uint64_t after;

void microkit_notify(microkit_channel ch)
{
    assert_true(ch == RX || ch == TX);
    *(ch == RX ? &notified_rx : &notified_tx) += 1;
}

void microkit_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    acks++;
}

void microkit_dbg_puts(const char *s)
{
    complaints += strstr(s, "does not match") != NULL;
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == IRQ ? 7 : -1;
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    assert_int_equal(ch, IRQ);
    after = ns;
}

/* ---- the kernel ---------------------------------------------------------------------------- */

/* As a 6.18 kernel lays it out, on a machine with lines of 64 bytes. */
struct fake_ring {
    _Alignas(64) sddf_atomic_u32 producer;
    _Alignas(128) sddf_atomic_u32 consumer;
    char gap[64];
    sddf_atomic_u32 flags;
    _Alignas(64) sddf_atomic_u64 words[ENTRIES * 2];
};

static struct fake_ring ring[LINUX_XDP_RINGS];
static struct linux_xdp_layout layout;

static unsigned send_budget; /* frames per sendto */
static int send_error;       /* instead of sending */
static bool completes;       /* what is sent is completed at once */

static uint32_t ring_used(enum linux_xdp_region which)
{
    return ring[which].producer - ring[which].consumer;
}

static void kernel_completes(uint64_t address)
{
    struct fake_ring *r = &ring[LINUX_XDP_COMPLETION];
    assert_true(ring_used(LINUX_XDP_COMPLETION) < ENTRIES);
    r->words[r->producer % ENTRIES] = address;
    r->producer++;
}

static uint64_t on_the_wire[BUFFERS];
static unsigned wire_count;

static void kernel_finishes(void)
{
    while (wire_count > 0) {
        kernel_completes(on_the_wire[--wire_count]);
    }
}

static long kernel_sends(void)
{
    struct fake_ring *r = &ring[LINUX_XDP_TX];
    if (send_error != 0) {
        return -send_error;
    }
    for (unsigned i = 0; i < send_budget && ring_used(LINUX_XDP_TX) != 0; i++) {
        uint64_t address = r->words[r->consumer % ENTRIES * 2];
        uint64_t length = r->words[r->consumer % ENTRIES * 2 + 1];
        assert_true(address >= RX_BYTES && address < UMEM);
        assert_true(length >= NET_FRAME_MIN && length <= NET_FRAME_MAX);
        r->consumer++;
        if (completes) {
            kernel_completes(address);
        } else {
            on_the_wire[wire_count++] = address;
        }
    }
    return ring_used(LINUX_XDP_TX) != 0 ? -EAGAIN : 0;
}

/* A frame arrives; false if the driver offers no buffer. Data begins 256 bytes into it. */
static bool kernel_receives(uint32_t length)
{
    struct fake_ring *fill = &ring[LINUX_XDP_FILL];
    struct fake_ring *rx = &ring[LINUX_XDP_RX];
    if (ring_used(LINUX_XDP_FILL) == 0 || ring_used(LINUX_XDP_RX) == ENTRIES) {
        return false;
    }
    uint64_t address = fill->words[fill->consumer++ % ENTRIES];
    assert_true(address < RX_BYTES);
    rx->words[rx->producer % ENTRIES * 2] = address / NET_BUFFER_SIZE * NET_BUFFER_SIZE + 256;
    rx->words[rx->producer % ENTRIES * 2 + 1] = length;
    rx->producer++;
    return true;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    assert_true(a == 7 && b == 0 && c == 0 && d == MSG_DONTWAIT && e == 0 && f == 0);
    if (number == SYS_recvfrom) {
        receives++;
        return 0;
    }
    assert_int_equal(number, SYS_sendto);
    sends++;
    return kernel_sends();
}

/* ---- the neighbours ------------------------------------------------------------------------ */

struct fake_queue {
    _Alignas(64) unsigned char producer[sizeof(struct sddf_queue_producer_region) + BUFFERS * 16];
    _Alignas(64) unsigned char consumer[sizeof(struct sddf_queue_consumer_region)];
};

static struct fake_queue memory[4];
static _Alignas(64) unsigned char stats_page[sizeof(struct net_stats)];
static struct sddf_queue_producer rx_free, tx_active;
static struct sddf_queue_consumer rx_active, tx_free;

static uint64_t stat(enum net_stat which)
{
    return ((struct net_stats *)stats_page)->row[0].count[which];
}

static struct sddf_queue_config queue_config(unsigned which, uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)memory[which].producer,
        .consumer = (uintptr_t)memory[which].consumer,
        .capacity = capacity,
    };
}

static struct sddf_region_config region(void *at, uint64_t size)
{
    return (struct sddf_region_config){.vaddr = (uintptr_t)at, .size = size};
}

static void configure(uint32_t rx_capacity)
{
    struct net_driver_config *c = &sddf_net_config;
    memset(ring, 0, sizeof(ring));
    memset(memory, 0, sizeof(memory));
    memset(stats_page, 0, sizeof(stats_page));
    memset(c, 0, sizeof(*c));
    c->header = (struct sddf_config_header){.magic = SDDF_CONFIG_MAGIC,
                                            .version = SDDF_CONFIG_VERSION,
                                            .role = SDDF_ROLE_NET_DRIVER,
                                            .size = sizeof(*c)};
    layout = (struct linux_xdp_layout){
        .magic = LINUX_XDP_LAYOUT_MAGIC, .chunk_size = NET_BUFFER_SIZE, .umem_size = UMEM};
    for (unsigned i = 0; i < LINUX_XDP_RINGS; i++) {
        layout.ring[i] = (struct linux_xdp_ring){
            .producer = offsetof(struct fake_ring, producer),
            .consumer = offsetof(struct fake_ring, consumer),
            .flags = offsetof(struct fake_ring, flags),
            .entries = offsetof(struct fake_ring, words),
            .count = ENTRIES,
        };
        ring[i].producer = ring[i].consumer = START;
        c->device.region[i] = region(&ring[i], sizeof(ring[i]));
    }
    ring[LINUX_XDP_TX].flags = LINUX_XDP_NEED_WAKEUP;
    c->device.region[LINUX_XDP_LAYOUT] = region(&layout, sizeof(layout));
    c->device.region_count = LINUX_XDP_REGIONS;
    c->device.irq_count = 1;
    c->device.irq[0] = IRQ;
    c->rx = (struct net_pair_config){
        .free = queue_config(0, BUFFERS), .active = queue_config(1, rx_capacity), .channel = RX};
    c->tx = (struct net_pair_config){
        .free = queue_config(2, BUFFERS), .active = queue_config(3, BUFFERS), .channel = TX};
    c->stats = region(stats_page, sizeof(stats_page));
    c->data_count = 2;
    c->data[0].size = RX_BYTES;
    c->data[1] = (struct sddf_region_config){.size = RX_BYTES, .io_address = RX_BYTES};
    net_queue_producer_attach(&rx_free, (void *)memory[0].producer, (void *)memory[0].consumer,
                              BUFFERS);
    net_queue_consumer_attach(&rx_active, (void *)memory[1].consumer, (void *)memory[1].producer,
                              rx_capacity);
    net_queue_consumer_attach(&tx_free, (void *)memory[2].consumer, (void *)memory[2].producer,
                              BUFFERS);
    net_queue_producer_attach(&tx_active, (void *)memory[3].producer, (void *)memory[3].consumer,
                              BUFFERS);
    notified_rx = notified_tx = acks = complaints = sends = receives = wire_count = 0;
    after = 0;
    send_budget = 32;
    send_error = 0;
    completes = true;
}

static void give_rx(uint64_t address)
{
    assert_true(net_queue_enqueue(&rx_free, (struct net_entry){.address = address}));
    sddf_queue_publish(&rx_free);
}

static void give_tx(uint64_t address, uint16_t length, uint16_t flags)
{
    assert_true(net_queue_enqueue(
        &tx_active, (struct net_entry){.address = address, .length = length, .flags = flags}));
    sddf_queue_publish(&tx_active);
}

static uint64_t rx_buffer(unsigned i)
{
    return (uint64_t)i * NET_BUFFER_SIZE;
}

static uint64_t tx_buffer(unsigned i)
{
    return RX_BYTES + (uint64_t)i * NET_BUFFER_SIZE;
}

/* How many different buffers of tx_free there are to take; takes them. */
static unsigned take_tx(void)
{
    bool seen[BUFFERS] = {false};
    struct net_entry entry = {0};
    unsigned n = 0;
    while (net_queue_dequeue(&tx_free, &entry)) {
        unsigned i = (unsigned)((entry.address - RX_BYTES) / NET_BUFFER_SIZE);
        assert_true(i < BUFFERS && !seen[i]);
        seen[i] = true;
        n++;
    }
    sddf_queue_request_signal(&tx_free);
    return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void wrong_configuration_stays_stopped(void **state)
{
    (void)state;
    configure(BUFFERS);
    sddf_net_config.header.version++;
    init();
    assert_int_equal(complaints, 1);
    give_rx(0);
    notified(IRQ);
    assert_true(ring_used(LINUX_XDP_FILL) == 0 && acks == 0);

    /* A layout that does not fit the region, in each of its words. */
    for (unsigned word = 0; word < 5; word++) {
        configure(BUFFERS);
        memcpy((unsigned char *)&layout.ring[LINUX_XDP_TX] + 4 * word, &(uint32_t){0x7ffffff0}, 4);
        init();
        assert_int_equal(complaints, 1);
    }
}

static void frames_come_in(void **state)
{
    (void)state;
    configure(BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_rx(rx_buffer(i));
    }
    init();
    assert_int_equal(ring_used(LINUX_XDP_FILL), BUFFERS);
    sddf_queue_request_signal(&rx_active);
    for (unsigned i = 0; i < BUFFERS; i++) {
        assert_true(kernel_receives(60 + i));
    }
    notified(IRQ);
    assert_int_equal(notified_rx, 1);
    assert_int_equal(acks, 2); /* init's and this one's */
    struct net_entry entry = {0};
    for (unsigned i = 0; i < BUFFERS; i++) {
        assert_true(net_queue_dequeue(&rx_active, &entry));
        assert_true(entry.address == rx_buffer(i) + 256 && entry.length == 60 + i);
        assert_int_equal(entry.flags, 0);
    }
    assert_false(net_queue_dequeue(&rx_active, &entry));
    assert_int_equal(stat(NET_STAT_RX_PACKETS), BUFFERS);
    assert_int_equal(sends + receives, 0);
    assert_true(after == 0);

    ring[LINUX_XDP_FILL].flags = LINUX_XDP_NEED_WAKEUP;
    give_rx(rx_buffer(3) + 256);
    notified(RX);
    assert_true(ring_used(LINUX_XDP_FILL) == 1 && receives == 1);
}

static void kicks_go_on_until_all_is_sent(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    send_budget = 10;
    sddf_queue_request_signal(&tx_free);
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_tx(tx_buffer(i) + 2, 100, 0);
    }
    notified(TX);
    assert_int_equal(sends, 7);
    assert_int_equal(stat(NET_STAT_KICKS), 7);
    assert_int_equal(stat(NET_STAT_TX_BYTES), BUFFERS * 100);
    assert_int_equal(notified_tx, 1);
    assert_int_equal(take_tx(), BUFFERS);
    assert_true(after == 0);
    notified(IRQ);
    assert_int_equal(sends, 7); /* nothing to send, no kick */
}

static void no_kick_that_is_not_wanted(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    ring[LINUX_XDP_TX].flags = 0;
    give_tx(tx_buffer(0), 100, 0);
    notified(TX);
    assert_int_equal(sends, 0);
    assert_true(after != 0); /* the kernel is at it, and does not say when it is done */
    kernel_sends();
    notified(IRQ);
    assert_int_equal(take_tx(), 1);
    assert_true(after == 0);
}

static void what_leaves_late_comes_back(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    completes = false;
    give_tx(tx_buffer(0), 100, 0);
    give_tx(tx_buffer(1), 100, 0);
    notified(TX);
    assert_int_equal(take_tx(), 0);
    assert_true(after != 0);
    kernel_finishes();
    notified(IRQ);
    assert_int_equal(take_tx(), 2);
    assert_true(after == 0);
}

/* What the kernel has taken out of the one ring, and not put into the other. */
static void what_was_sent_before_a_restart_comes_back(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    completes = false;
    give_tx(tx_buffer(0), 100, 0);
    give_tx(tx_buffer(1), 100, 0);
    notified(TX);
    assert_true(wire_count == 2 && ring_used(LINUX_XDP_COMPLETION) == 0);
    after = 0;
    init();
    assert_true(after != 0); /* or nobody would look for them */
    kernel_finishes();
    notified(IRQ);
    assert_int_equal(take_tx(), 2);
    assert_true(after == 0);

    /* A kernel that has never heard of so many. */
    ring[LINUX_XDP_COMPLETION].producer = ring[LINUX_XDP_COMPLETION].consumer = START + 1000;
    init();
    assert_true(after == 0);
}

static void what_nobody_waits_for_sets_no_timer(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    completes = false;
    assert_true(sddf_queue_request_signal_at(&tx_free, 3));
    give_tx(tx_buffer(0), 100, 0);
    give_tx(tx_buffer(1), 100, 0);
    notified(TX);
    assert_true(after == 0); /* two could come back, and are not worth a signal */
    give_tx(tx_buffer(2), 100, 0);
    notified(TX);
    assert_true(after != 0);
    kernel_finishes();
    notified(IRQ);
    assert_int_equal(take_tx(), 3);
    assert_true(after == 0);
}

static void errors_wait_and_lose_nothing(void **state)
{
    (void)state;
    static const int errors[] = {EAGAIN, EBUSY, ENOBUFS, ENETDOWN, ENXIO};
    for (unsigned e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
        configure(BUFFERS);
        init();
        for (unsigned i = 0; i < BUFFERS; i++) {
            give_tx(tx_buffer(i), 100, 0);
        }
        send_error = errors[e];
        notified(TX);
        assert_true(sends == 1 && after != 0); /* nothing moved: no second try now */
        notified(IRQ);
        assert_int_equal(sends, 2);
        assert_int_equal(take_tx(), 0);
        send_error = 0;
        notified(IRQ);
        assert_int_equal(take_tx(), BUFFERS);
        assert_true(after == 0);
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), errors[e] == EAGAIN ? 0 : 2);
    }
}

static void bad_frames_are_refused_and_given_back(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    give_tx(tx_buffer(0), NET_FRAME_MIN - 1, 0);
    give_tx(tx_buffer(1), NET_FRAME_MAX + 1, 0);
    give_tx(tx_buffer(2) + NET_BUFFER_SIZE - 20, 60, 0);
    give_tx(tx_buffer(3), 60, NET_CSUM_WANTED);
    notified(TX);
    assert_int_equal(sends, 0);
    assert_int_equal(stat(NET_STAT_REFUSED_LENGTH), 3);
    assert_int_equal(stat(NET_STAT_REFUSED_FLAGS), 1);
    assert_int_equal(take_tx(), 4);
    give_tx(UMEM, 60, 0);
    give_tx(UINT64_MAX, 60, 0);
    notified(TX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 2);
    assert_int_equal(sends, 0);
}

static void the_device_writes_to_the_rx_region_only(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    give_rx(tx_buffer(0));
    give_rx(UMEM);
    give_rx(UINT64_MAX);
    give_rx(RX_BYTES - 1);
    notified(RX);
    assert_int_equal(ring_used(LINUX_XDP_FILL), 1);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 3);
}

static void no_room_masks_the_interrupt(void **state)
{
    (void)state;
    configure(16);
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_rx(rx_buffer(i));
    }
    init();
    for (unsigned i = 0; i < 20; i++) {
        assert_true(kernel_receives(60));
    }
    acks = 0;
    notified(IRQ);
    assert_true(acks == 0 && after != 0);
    struct net_entry entry = {0};
    unsigned n = 0;
    while (net_queue_dequeue(&rx_active, &entry)) {
        n++;
    }
    sddf_queue_release(&rx_active);
    notified(IRQ);
    while (net_queue_dequeue(&rx_active, &entry)) {
        n++;
    }
    assert_true(n == 20 && acks == 1 && after == 0);
}

/* Behind a tail that is impossible there is nothing, and the driver sleeps. */
static void impossible_tails_are_empty_queues(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_rx(UMEM); /* refused, so that there is always room for the next */
        give_tx(UMEM, 60, 0);
    }
    sddf_store_relaxed_u32(&rx_free.own->tail, rx_free.tail + (UINT32_C(1) << 31));
    notified(RX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), BUFFERS); /* those to be sent */
    sddf_store_relaxed_u32(&tx_active.own->tail, tx_active.tail + (UINT32_C(1) << 31));
    notified(TX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), BUFFERS);
    sddf_store_relaxed_u32(&rx_free.own->tail, rx_free.tail);
    notified(RX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 2 * BUFFERS); /* now they are there */
    assert_true(after == 0);
}

/* Buffers for which the fill ring has no slot wait for frames, not for the clock. */
static void more_buffers_than_slots_set_no_timer(void **state)
{
    (void)state;
    configure(BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_rx(rx_buffer(i));
    }
    init();
    assert_int_equal(ring_used(LINUX_XDP_FILL), ENTRIES);
    for (unsigned i = 0; i < 8; i++) {
        give_rx(rx_buffer(i));
    }
    notified(RX);
    assert_true(after == 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(kernel_receives(60));
    }
    notified(IRQ);
    assert_int_equal(ring_used(LINUX_XDP_FILL), ENTRIES);
    assert_true(after == 0);
}

static void a_lying_device_harms_nobody(void **state)
{
    (void)state;
    configure(BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_rx(rx_buffer(i));
    }
    init();
    struct fake_ring *rx = &ring[LINUX_XDP_RX];
    struct fake_ring *completion = &ring[LINUX_XDP_COMPLETION];
    kernel_receives(60);
    kernel_receives(5000); /* longer than its buffer: the buffer comes back, no frame does */
    kernel_receives(60);
    rx->words[(rx->producer - 1) % ENTRIES * 2] = UMEM;
    completion->words[completion->producer++ % ENTRIES] = UINT64_MAX;
    notified(IRQ);
    struct net_entry entry = {0};
    assert_true(net_queue_dequeue(&rx_active, &entry) && entry.length == 60);
    assert_true(net_queue_dequeue(&rx_active, &entry) && entry.length == 0);
    assert_int_equal(entry.address, rx_buffer(1) + 256);
    assert_false(net_queue_dequeue(&rx_active, &entry));
    assert_int_equal(take_tx(), 0);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 3);

    /* Indices from anywhere: every pass ends, and no access is outside the rings. */
    uint32_t wild = 1;
    for (unsigned i = 0; i < 1000; i++) {
        wild = wild * 1664525 + 1013904223;
        rx->producer = wild;
        completion->producer = wild ^ 0xdeadbeef;
        ring[LINUX_XDP_FILL].consumer = ~wild;
        ring[LINUX_XDP_TX].consumer = wild >> 3;
        send_error = EAGAIN;
        if (sddf_queue_space(&tx_active, 1) != 0) {
            give_tx(tx_buffer(0), 60, 0);
        }
        notified(i % 3);
        while (net_queue_dequeue(&rx_active, &entry)) {
            assert_true(entry.address < UMEM);
            assert_true(entry.length <= NET_BUFFER_SIZE - entry.address % NET_BUFFER_SIZE);
        }
        sddf_queue_release(&rx_active);
        while (net_queue_dequeue(&tx_free, &entry)) {
            assert_true(entry.address < UMEM);
        }
        sddf_queue_release(&tx_free);
    }
}

/* Of an index further ahead than the ring is long, nothing is believed, as of a queue's. */
static void impossible_indices_are_empty_rings(void **state)
{
    (void)state;
    configure(BUFFERS);
    init();
    struct fake_ring *rx = &ring[LINUX_XDP_RX];
    struct fake_ring *completion = &ring[LINUX_XDP_COMPLETION];
    /* No buffer: what names none takes no room in a queue, which would end the passes. */
    memset(rx->words, 0xff, sizeof(rx->words));
    memset(completion->words, 0xff, sizeof(completion->words));
    rx->producer = START + ENTRIES + 1;
    completion->producer = START - 1;
    notified(IRQ);
    assert_true(rx->consumer == START && completion->consumer == START);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    rx->producer = completion->producer = START + ENTRIES;
    notified(IRQ);
    assert_true(rx->consumer == START + ENTRIES && completion->consumer == START + ENTRIES);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 2 * ENTRIES);
}

/* Anything in any order, with restarts: at the end all buffers are there, each once. */
static void a_long_history_loses_nothing(void **state)
{
    (void)state;
    static uint64_t tx_mine[BUFFERS];
    static uint64_t rx_mine[BUFFERS];
    unsigned tx_count = 0;
    unsigned rx_count = 0;
    uint64_t seed = 88172645463325252u;
    configure(BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++) {
        tx_mine[tx_count++] = tx_buffer(i);
        rx_mine[rx_count++] = rx_buffer(i);
    }
    init();
    for (unsigned step = 0; step < 200000 || tx_count + rx_count < 2 * BUFFERS; step++) {
        bool finish = step >= 200000;
        struct net_entry entry = {0};
        assert_true(step < 201000);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        unsigned n = (unsigned)(seed >> 32) % 20;
        completes = finish || (seed & 0x10000) != 0;
        send_budget = 1 + (unsigned)(seed >> 20) % 40;
        send_error = finish || (seed >> 24 & 3) != 0 ? 0 : (seed & 0x20000 ? EAGAIN : ENETDOWN);
        switch (finish ? 4 + step % 5 : (seed >> 40) % 12) {
        case 0:
        case 1:
            for (; n > 0 && tx_count > 0; n--) {
                give_tx(tx_mine[--tx_count], (uint16_t)(14 + n), 0);
            }
            break;
        case 2:
        case 3:
            for (; n > 0 && rx_count > 0; n--) {
                give_rx(rx_mine[--rx_count]);
            }
            break;
        case 4:
            kernel_finishes();
            break;
        case 5:
            while (kernel_receives(60) && (finish || n-- > 0)) {
            }
            break;
        case 6:
            while (net_queue_dequeue(&tx_free, &entry)) {
                tx_mine[tx_count++] = entry.address;
            }
            sddf_queue_request_signal(&tx_free);
            break;
        case 7:
            while (net_queue_dequeue(&rx_active, &entry)) {
                rx_mine[rx_count++] = entry.address / NET_BUFFER_SIZE * NET_BUFFER_SIZE;
            }
            sddf_queue_request_signal(&rx_active);
            break;
        case 9:
            if (n == 0) {
                init();
            }
            break;
        default:
            notified((microkit_channel)(n % 3));
        }
    }
    bool seen[2 * BUFFERS] = {false};
    for (unsigned i = 0; i < BUFFERS; i++) {
        unsigned a = (unsigned)(tx_mine[i] / NET_BUFFER_SIZE);
        unsigned b = (unsigned)(rx_mine[i] / NET_BUFFER_SIZE);
        assert_true(a >= BUFFERS && a < 2 * BUFFERS && b < BUFFERS && !seen[a] && !seen[b]);
        seen[a] = seen[b] = true;
    }
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configuration_stays_stopped),
        cmocka_unit_test(frames_come_in),
        cmocka_unit_test(kicks_go_on_until_all_is_sent),
        cmocka_unit_test(no_kick_that_is_not_wanted),
        cmocka_unit_test(what_leaves_late_comes_back),
        cmocka_unit_test(what_was_sent_before_a_restart_comes_back),
        cmocka_unit_test(what_nobody_waits_for_sets_no_timer),
        cmocka_unit_test(errors_wait_and_lose_nothing),
        cmocka_unit_test(bad_frames_are_refused_and_given_back),
        cmocka_unit_test(the_device_writes_to_the_rx_region_only),
        cmocka_unit_test(no_room_masks_the_interrupt),
        cmocka_unit_test(impossible_tails_are_empty_queues),
        cmocka_unit_test(more_buffers_than_slots_set_no_timer),
        cmocka_unit_test(a_lying_device_harms_nobody),
        cmocka_unit_test(impossible_indices_are_empty_rings),
        cmocka_unit_test(a_long_history_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
