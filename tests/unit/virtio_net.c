/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network driver against a device that obeys the specification and checks that the
 * driver does (virtio_model.h), then against one that does not. The test is both virtualisers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <microkit.h>

#include "sddf/net.h"

#include "virtio_model.h"

#define BUFFERS  512u /* of each direction */
#define RX_BYTES (BUFFERS * NET_BUFFER_SIZE)

#define FEATURES (MODEL_VERSION_1 | MODEL_INDIRECT | MODEL_EVENT_IDX)

enum { IRQ, RX, TX };

extern struct net_driver_config sddf_net_config;
void virtio_net_driver_forget(void);

/* ---- the platform -------------------------------------------------------------------------- */

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "ethernet0_driver";

static unsigned notified_rx, notified_tx;
static char output[1024];
static bool irq_masked;
static bool deferred;

void microkit_notify(microkit_channel ch)
{
    assert_true(ch == RX || ch == TX);
    *(ch == RX ? &notified_rx : &notified_tx) += 1;
}

void microkit_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    irq_masked = false;
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, IRQ);
    deferred = true;
}

void microkit_dbg_putc(int c)
{
    const size_t length = strlen(output);
    assert_true(length + 1 < sizeof(output));
    output[length] = (char)c;
}

void microkit_dbg_puts(const char *s)
{
    for (; *s != '\0'; s++) {
        microkit_dbg_putc(*s);
    }
}

void microkit_dbg_put32(seL4_Uint32 value)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", value);
    microkit_dbg_puts(number);
}

/* ---- the rig ------------------------------------------------------------------------------- */

static _Alignas(64) struct {
    unsigned char producer[sizeof(struct sddf_queue_producer_region) + 16 * BUFFERS];
    unsigned char pad[64];
    struct sddf_queue_consumer_region consumer;
} memory[4];

static _Alignas(64) struct net_stats stats_page;
static struct sddf_queue_producer rx_free, tx_active;
static struct sddf_queue_consumer rx_active, tx_free;
static struct virtio_model_options options;

static uint64_t stat(enum net_stat which)
{
    return stats_page.row[0].count[which];
}

static void *producer_memory(unsigned which)
{
    const uintptr_t at = (uintptr_t)memory[which].producer;
    return (void *)((at + 63) / 64 * 64);
}

static struct sddf_queue_config queue_config(unsigned which, uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)producer_memory(which),
        .consumer = (uintptr_t)&memory[which].consumer,
        .capacity = capacity,
    };
}

static void configure(uint64_t offers, uint32_t queue_max)
{
    options = (struct virtio_model_options){
        .offers = offers, .queue_max = {queue_max, queue_max}, .version = 2, .device_id = 1};
    struct net_driver_config *c = &sddf_net_config;
    memset(memory, 0, sizeof(memory));
    memset(&stats_page, 0, sizeof(stats_page));
    memset(c, 0, sizeof(*c));
    c->header = (struct sddf_config_header){.magic = SDDF_CONFIG_MAGIC,
                                            .version = SDDF_CONFIG_VERSION,
                                            .role = SDDF_ROLE_NET_DRIVER,
                                            .size = sizeof(*c)};
    c->device.region_count = 2;
    c->device.region[0] =
        (struct sddf_region_config){.vaddr = (uintptr_t)model_registers, .size = 4096};
    c->device.region[1] = (struct sddf_region_config){
        .vaddr = (uintptr_t)model_rings, .size = MODEL_RINGS_SIZE, .io_address = MODEL_RINGS_IO};
    c->device.irq_count = 1;
    c->device.irq[0] = IRQ;
    c->rx = (struct net_pair_config){
        .free = queue_config(0, BUFFERS), .active = queue_config(1, BUFFERS), .channel = RX};
    c->tx = (struct net_pair_config){
        .free = queue_config(2, BUFFERS), .active = queue_config(3, BUFFERS), .channel = TX};
    c->stats =
        (struct sddf_region_config){.vaddr = (uintptr_t)&stats_page, .size = sizeof(stats_page)};
    c->data_count = 3; /* the Rx DMA region, and two clients' */
    c->data[0] = (struct sddf_region_config){.size = RX_BYTES, .io_address = MODEL_RX_IO};
    c->data[1] = (struct sddf_region_config){.size = RX_BYTES / 2, .io_address = MODEL_TX_IO};
    c->data[2] =
        (struct sddf_region_config){.size = RX_BYTES / 2, .io_address = MODEL_TX_IO + RX_BYTES / 2};
    net_queue_producer_attach(&rx_free, producer_memory(0), &memory[0].consumer, BUFFERS);
    net_queue_consumer_attach(&rx_active, &memory[1].consumer, producer_memory(1), BUFFERS);
    net_queue_consumer_attach(&tx_free, &memory[2].consumer, producer_memory(2), BUFFERS);
    net_queue_producer_attach(&tx_active, producer_memory(3), &memory[3].consumer, BUFFERS);
    notified_rx = notified_tx = 0;
    memset(output, 0, sizeof(output));
    irq_masked = deferred = false;
}

static void start(void)
{
    virtio_net_driver_forget();
    virtio_model_power_on(&options, BUFFERS);
    init();
    model_counts.accesses = 0;
}

static void wake(microkit_channel ch)
{
    model_counts.accesses = 0;
    irq_masked |= ch == IRQ;
    notified(ch);
    assert_int_equal(deferred, ch == IRQ);
    if (deferred) {
        deferred = irq_masked = false;
    }
    virtio_model_driver_sleeps();
}

static bool interrupt(void)
{
    if (!virtio_model_interrupts() || irq_masked) {
        return false;
    }
    wake(IRQ);
    return true;
}

static uint64_t rx_buffer(unsigned i)
{
    return MODEL_RX_IO + (uint64_t)i * NET_BUFFER_SIZE;
}

static uint64_t tx_buffer(unsigned i)
{
    return MODEL_TX_IO + (uint64_t)i * NET_BUFFER_SIZE;
}

static void give_rx(uint64_t address)
{
    assert_true(net_queue_enqueue(&rx_free, (struct net_entry){.address = address}));
    sddf_queue_publish(&rx_free);
}

static void give_tx(struct net_entry entry)
{
    assert_true(net_queue_enqueue(&tx_active, entry));
    sddf_queue_publish(&tx_active);
}

static void give_frame(unsigned i)
{
    give_tx((struct net_entry){.address = tx_buffer(i) + 2, .length = 60});
}

static bool take_rx(struct net_entry *entry)
{
    const bool taken = net_queue_dequeue(&rx_active, entry);
    sddf_queue_release(&rx_active);
    return taken;
}

static unsigned take_tx(void)
{
    struct net_entry entry = {0};
    unsigned n = 0;
    while (net_queue_dequeue(&tx_free, &entry)) {
        assert_true(entry.address - MODEL_TX_IO < RX_BYTES);
        n++;
    }
    sddf_queue_release(&tx_free);
    return n;
}

static void give_all_rx(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        give_rx(rx_buffer(i));
    }
}

/* ---- starting ------------------------------------------------------------------------------ */

static void wrong_configuration_stays_stopped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        configure(FEATURES, 8);
        struct net_driver_config *c = &sddf_net_config;
        c->header.version += i == 0;
        c->device.region_count += i == 1;
        c->device.irq_count += i == 2;
        c->data_count = i == 3 ? 1 : c->data_count;
        c->device.region[1].io_address += i == 4;
        c->rx.free.capacity += i == 5;
        c->data[1].size += i == 6;
        start();
        assert_non_null(strstr(output, "sddf_net_config does not match this program"));
        give_frame(0);
        notified(IRQ);
        notified(TX);
        assert_int_equal(model_counts.accesses, 0);
    }
}

static void wrong_devices_are_left_alone(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    options.version = 1;
    start();
    assert_non_null(strstr(output, "no virtio network device"));
    assert_true(model_counts.resets == 0);

    configure(FEATURES, 8);
    options.before = 7;
    options.device_id = 2;
    start();
    assert_non_null(strstr(output, "no virtio network device"));

    configure(FEATURES, 8);
    options.before = 7;
    start();
    assert_true(virtio_model_live());
}

static void what_it_cannot_use_it_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        configure(FEATURES, i == 0 ? 0 : 8);
        options.refuses_features = i == 1;
        options.offers &= i == 2 ? ~MODEL_VERSION_1 : UINT64_MAX;
        if (i == 3) { /* one entry, and no indirect descriptors */
            options.offers &= ~MODEL_INDIRECT;
            sddf_net_config.device.ring_size = 1;
        }
        options.reset_reads = i == 4 ? UINT32_MAX : 0;
        start();
        assert_non_null(strstr(output, "does not offer what this driver needs"));
        assert_int_equal(model_counts.failed, i == 4 ? 0 : 1);
        assert_int_equal(model_counts.starts, 0);
        give_frame(0);
        notified(TX);
        assert_int_equal(model_counts.doorbells[MODEL_TX], 0);
    }
}

static void it_says_what_it_has(void **state)
{
    (void)state;
    configure(FEATURES | MODEL_MAC | MODEL_CSUM | MODEL_GUEST_CSUM | MODEL_PLATFORM |
                  MODEL_MRG_RXBUF | MODEL_PACKED,
              256);
    options.queue_max[MODEL_TX] = 100; /* 2.7 has powers of two, but who knows */
    options.reset_reads = 50;
    start();
    assert_string_equal(output, "ethernet0_driver: virtio-net 52:54:00:12:34:ab, rings of 256 and "
                                "64, indirect, event index, checksums out, checksums in\n");
    assert_true((virtio_model_features() & (MODEL_MRG_RXBUF | MODEL_PACKED)) == 0);
    assert_true((virtio_model_features() & MODEL_PLATFORM) != 0);
}

static void rings_fit_their_memory(void **state)
{
    (void)state;
    static const struct {
        uint32_t memory, max, wish, size;
        bool indirect;
    } cases[] = {
        {0x28000, 1024, 0, 1024, true},  {0x10000, 1024, 0, 256, true},
        {0x1000, 1024, 0, 16, true},     {0x1000, 1024, 0, 32, false},
        {0x28000, 1024, 8, 8, true},     {0x28000, 4, 8, 4, true},
        {0x28000, 1024, 1, 1, true},     {0x28000, 2, 0, 2, false},
        {0x28000, 65536, 0, 1024, true},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        configure(cases[i].indirect ? FEATURES : FEATURES & ~MODEL_INDIRECT, cases[i].max);
        sddf_net_config.device.region[1].size = cases[i].memory;
        sddf_net_config.device.ring_size = cases[i].wish;
        start();
        assert_int_equal(virtio_model_queue_size(MODEL_RX), cases[i].size);
        assert_int_equal(virtio_model_queue_size(MODEL_TX), cases[i].size);
    }
}

/* ---- frames -------------------------------------------------------------------------------- */

static void frames_come_in(void **state)
{
    (void)state;
    for (unsigned guest = 0; guest < 2; guest++) {
        configure(FEATURES | (guest ? MODEL_GUEST_CSUM : 0), 64);
        for (unsigned i = 0; i < 64; i++) {
            give_rx(rx_buffer(i) + 100); /* anywhere in the buffer */
        }
        start();
        sddf_queue_request_signal(&rx_active);
        assert_int_equal(virtio_model_in_flight(MODEL_RX), 64);
        static const uint32_t flags[] = {0, 1, 2, 3, 4};
        for (unsigned i = 0; i < 5; i++) {
            model_next_flags = flags[i];
            virtio_model_wire(8);
            while (virtio_model_wire_left() != 0) {
                virtio_model_step();
            }
        }
        assert_true(interrupt());
        assert_int_equal(notified_rx, 1);
        notified_rx = 0;
        struct net_entry entry = {0};
        for (unsigned i = 0; i < 40; i++) {
            assert_true(take_rx(&entry));
            assert_int_equal((entry.address - MODEL_RX_IO) % NET_BUFFER_SIZE, 0);
            assert_int_equal(model_content[(entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE], i);
            assert_int_equal(entry.length, model_frame_length[i]);
            const bool good = guest && (flags[i / 8] & 3) != 0;
            assert_int_equal(entry.flags, good ? NET_CSUM_VERIFIED : 0);
        }
        assert_false(take_rx(&entry));
        assert_int_equal(stat(NET_STAT_RX_PACKETS), 40);
        assert_true(model_counts.interrupts < 10); /* one a burst at the most */
    }
}

static void frames_go_out(void **state)
{
    (void)state;
    configure(FEATURES | MODEL_CSUM, 64);
    options.sleeps = true;
    start();
    for (unsigned i = 0; i < 10; i++) {
        give_frame(i);
    }
    wake(TX);
    assert_int_equal(model_counts.doorbells[MODEL_TX], 1);
    virtio_model_finish();
    assert_int_equal(model_counts.sent, 10);
    assert_int_equal(model_last_sent.address, tx_buffer(9) + 2);
    assert_int_equal(model_last_sent.length, 60);

    const uint64_t end = tx_buffer(BUFFERS) - 1000;
    give_tx((struct net_entry){.address = end,
                               .length = 1000,
                               .flags = NET_CSUM_WANTED,
                               .csum_start = 34,
                               .csum_offset = 16});
    wake(TX);
    virtio_model_finish();
    assert_true(model_last_sent.address == end && model_last_sent.length == 1000);
    assert_int_equal(model_last_sent.header[0], 1);
    assert_int_equal(model_last_sent.header[1], 34 << 16);
    assert_int_equal(model_last_sent.header[2], 16);
    /* Whatever the slot, a frame after it has no such header: the model checks it. */
    for (unsigned i = 0; i < 64; i++) {
        give_frame(i);
        wake(TX);
        virtio_model_finish();
        assert_int_equal(model_last_sent.header[0], 0);
    }
    wake(TX);
    assert_int_equal(take_tx(), 75);
    assert_int_equal(stat(NET_STAT_TX_PACKETS), 75);
}

static void bad_frames_are_refused_and_given_back(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    start();
    static const struct {
        struct net_entry entry;
        enum net_stat why;
    } bad[] = {
        {{.address = MODEL_TX_IO, .length = 13}, NET_STAT_REFUSED_LENGTH},
        {{.address = MODEL_TX_IO, .length = 1515}, NET_STAT_REFUSED_LENGTH},
        {{.address = MODEL_TX_IO, .length = 60, .flags = NET_CSUM_WANTED}, NET_STAT_REFUSED_FLAGS},
        {{.address = MODEL_TX_IO, .length = 60, .flags = 4}, NET_STAT_REFUSED_FLAGS},
        {{.address = MODEL_TX_IO + 2020, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO - 1, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO + RX_BYTES, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_TX_IO + RX_BYTES - 59, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_RX_IO, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = UINT64_MAX - 10, .length = 60}, NET_STAT_REFUSED_ADDRESS},
        {{.address = MODEL_RINGS_IO, .length = 60}, NET_STAT_REFUSED_ADDRESS},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint64_t before = stat(bad[i].why);
        give_tx(bad[i].entry);
        wake(TX);
        assert_int_equal(stat(bad[i].why), before + 1);
        struct net_entry entry = {0};
        assert_true(net_queue_dequeue(&tx_free, &entry));
        assert_int_equal(entry.address, bad[i].entry.address);
        sddf_queue_release(&tx_free);
    }
    assert_int_equal(virtio_model_in_flight(MODEL_TX), 0);

    configure(FEATURES | MODEL_CSUM, 8);
    start();
    give_tx((struct net_entry){.address = MODEL_TX_IO,
                               .length = 60,
                               .flags = NET_CSUM_WANTED,
                               .csum_start = 50,
                               .csum_offset = 9});
    wake(TX);
    assert_int_equal(stat(NET_STAT_REFUSED_FLAGS), 1);
}

static void the_device_writes_to_the_rx_region_only(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    start();
    give_rx(tx_buffer(0));
    give_rx(MODEL_RX_IO - 1);
    give_rx(MODEL_RX_IO + RX_BYTES);
    give_rx(UINT64_MAX);
    give_rx(MODEL_RX_IO + RX_BYTES - 1);
    wake(RX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 4);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 1);
}

/* ---- interrupts, doorbells, signals -------------------------------------------------------- */

static void tx_interrupts_only_when_somebody_is_short(void **state)
{
    (void)state;
    for (unsigned event = 0; event < 2; event++) {
        configure(event ? FEATURES : FEATURES & ~MODEL_EVENT_IDX, 64);
        start();
        interrupt();
        model_counts.interrupts = 0;
        sddf_queue_request_signal_at(&tx_free, 20);
        /* One at a time: no interrupt, and the buffers come back with whatever comes next. */
        for (unsigned i = 0; i < 20; i++) {
            assert_int_equal(notified_tx, 0);
            give_frame(i);
            wake(TX);
            assert_true(virtio_model_in_flight(MODEL_TX) <= 1);
            if (i < 19) {
                virtio_model_finish();
                assert_int_equal(model_counts.interrupts, 0);
            }
        }
        /* The twentieth would make a signal: this one interrupts. */
        virtio_model_finish();
        assert_int_equal(model_counts.interrupts, 1);
        assert_true(interrupt());
        assert_int_equal(notified_tx, 1);
        assert_int_equal(take_tx(), 20);
        /* virt_tx has had its signal and not asked again: everything comes back all the same. */
        for (unsigned i = 0; i < 50; i++) {
            give_frame(i);
        }
        wake(TX);
        while (virtio_model_in_flight(MODEL_TX) != 0) {
            virtio_model_step();
            interrupt();
        }
        while (interrupt()) {
        }
        assert_int_equal(take_tx(), 50);
        assert_true(model_counts.interrupts < 50);
        notified_tx = 0;
    }
}

static void a_full_ring_goes_on_by_itself(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= 64; size *= 8) {
        configure(FEATURES, size);
        start();
        sddf_queue_request_signal_at(&tx_free, BUFFERS);
        for (unsigned i = 0; i < BUFFERS; i++) {
            give_frame(i);
        }
        wake(TX);
        assert_int_equal(virtio_model_in_flight(MODEL_TX), size);
        for (unsigned i = 0; model_counts.sent < BUFFERS; i++) {
            assert_true(i < 100000);
            virtio_model_step();
            interrupt();
        }
        while (interrupt()) {
        }
        wake(TX);
        assert_int_equal(take_tx(), BUFFERS);
    }
}

static void no_doorbell_that_is_not_wanted(void **state)
{
    (void)state;
    for (unsigned event = 0; event < 2; event++) {
        configure(event ? FEATURES : FEATURES & ~MODEL_EVENT_IDX, 16);
        options.wants_no_doorbells = true;
        give_all_rx(64);
        start();
        for (unsigned i = 0; i < 2000; i++) {
            give_frame(i % BUFFERS);
            wake(TX);
            virtio_model_wire(1);
            virtio_model_finish();
            interrupt();
            struct net_entry entry;
            while (take_rx(&entry)) {
                give_rx(entry.address);
            }
            take_tx();
        }
        assert_true(model_counts.sent == 2000 && model_counts.received == 2000);
        assert_int_equal(model_counts.doorbells[0] + model_counts.doorbells[1], 0);
        assert_int_equal(stat(NET_STAT_KICKS), 0);
    }
}

static void free_rx_buffers_signal_late(void **state)
{
    (void)state;
    configure(FEATURES, 64);
    give_all_rx(64);
    start();
    sddf_queue_needs_signal(&rx_free);
    struct net_entry entry = {0};
    /* One at a time: returned buffers need no signal, for the next frame interrupts anyway. */
    for (unsigned i = 0; i < 100; i++) {
        virtio_model_wire(1);
        virtio_model_finish();
        assert_true(interrupt());
        assert_true(take_rx(&entry));
        give_rx(entry.address);
        assert_false(sddf_queue_needs_signal(&rx_free));
    }
    /* All at once: without one buffer left the driver wants to hear of the first. */
    virtio_model_wire(200);
    virtio_model_finish();
    interrupt();
    virtio_model_finish();
    interrupt();
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 0);
    assert_true(take_rx(&entry));
    give_rx(entry.address);
    assert_true(sddf_queue_needs_signal(&rx_free));
    wake(RX);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 1);
}

/* ---- resets -------------------------------------------------------------------------------- */

static void a_reset_loses_no_buffer(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(40);
    start();
    for (unsigned i = 0; i < 30; i++) {
        give_frame(i);
    }
    model_holds_tx = true;
    wake(TX);
    virtio_model_finish(); /* the device has taken them */
    virtio_model_wire(3);
    virtio_model_finish();
    virtio_model_needs_reset();
    assert_true(interrupt());
    assert_int_equal(model_counts.resets, 2);
    assert_int_equal(model_counts.starts, 2);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
    assert_int_equal(take_tx(), 16); /* sent or not, nobody knows */
    assert_int_equal(virtio_model_in_flight(MODEL_TX), 14);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
    model_holds_tx = false;
    virtio_model_finish();
    wake(TX);
    assert_int_equal(take_tx(), 14);
    bool seen[40] = {false};
    struct net_entry entry = {0};
    virtio_model_wire(40);
    for (unsigned i = 0; i < 40;) {
        virtio_model_step();
        interrupt();
        while (take_rx(&entry)) {
            const unsigned buffer = (unsigned)((entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE);
            assert_true(buffer < 40 && !seen[buffer]);
            seen[buffer] = true;
            i++;
        }
    }
}

static void a_device_that_stays_down_is_left_alone(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    start();
    give_frame(0);
    model_holds_tx = true;
    wake(TX);
    virtio_model_never_resets();
    virtio_model_needs_reset();
    interrupt();
    assert_false(virtio_model_live());
    give_frame(1);
    notified(TX);
    assert_int_equal(take_tx(), 0); /* the device may still have the first */
    assert_int_equal(model_counts.starts, 1);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 2);
}

/* ---- everything at once -------------------------------------------------------------------- */

struct history {
    uint64_t rx_mine[BUFFERS], tx_mine[BUFFERS];
    unsigned rx_count, tx_count;
    unsigned lost; /* frames that resets may have cost */
    uint32_t next_frame;
    unsigned given, taken;
    unsigned asked; /* free Tx buffers that are worth a signal */
};

static struct history h;

static void history_take(bool resets)
{
    struct net_entry entry = {0};
    while (take_rx(&entry)) {
        const unsigned buffer = (unsigned)((entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE);
        const uint32_t number = model_content[buffer];
        assert_true(buffer < BUFFERS && h.rx_count < BUFFERS);
        assert_true(resets ? number >= h.next_frame : number == h.next_frame);
        assert_int_equal(entry.length, model_frame_length[number % 4096]);
        h.next_frame = number + 1;
        h.rx_mine[h.rx_count++] = rx_buffer(buffer);
        h.taken++;
    }
    if (h.taken % 3 == 0) {
        sddf_queue_request_signal(&rx_active);
    }
    while (net_queue_dequeue(&tx_free, &entry)) {
        assert_true(h.tx_count < BUFFERS);
        h.tx_mine[h.tx_count++] = entry.address;
    }
    sddf_queue_request_signal_at(&tx_free, h.asked);
}

static void history_give(uint32_t dice)
{
    for (unsigned n = dice % 40; n > 0 && h.tx_count > 0; n--) {
        give_tx((struct net_entry){.address = h.tx_mine[--h.tx_count],
                                   .length = (uint16_t)(14 + (dice + 31 * n) % 1501)});
        h.given++;
    }
    for (unsigned n = dice / 40 % 40; n > 0 && h.rx_count > 0; n--) {
        give_rx(h.rx_mine[--h.rx_count]);
    }
    /* As virtualisers do it: they signal if, and only if, the driver asked for it. */
    if (sddf_queue_needs_signal(&tx_active)) {
        wake(TX);
    }
    if (sddf_queue_needs_signal(&rx_free)) {
        wake(RX);
    }
}

static void history_check(void)
{
    static bool seen[2][BUFFERS];
    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < BUFFERS; i++) {
        const uint64_t r = (h.rx_mine[i] - MODEL_RX_IO) / NET_BUFFER_SIZE;
        const uint64_t t = (h.tx_mine[i] - MODEL_TX_IO) / NET_BUFFER_SIZE;
        assert_true(r < BUFFERS && t < BUFFERS && !seen[0][r] && !seen[1][t]);
        seen[0][r] = seen[1][t] = true;
    }
}

/*
 * No wake-up but those that the driver has asked for, at any time: whatever the size of the rings,
 * the order and the moods of the device, all frames arrive, and at the end every buffer is there.
 */
static void history(uint64_t offers, uint32_t size, const struct virtio_model_options *mood,
                    bool resets)
{
    configure(offers, size);
    const uint32_t max = options.queue_max[0];
    options = *mood;
    options.offers = offers;
    options.queue_max[0] = options.queue_max[1] = max;
    options.version = 2;
    options.device_id = 1;
    memset(&h, 0, sizeof(h));
    for (unsigned i = 0; i < BUFFERS; i++) {
        h.rx_mine[h.rx_count++] = rx_buffer(i);
        h.tx_mine[h.tx_count++] = tx_buffer(i) + i % 3;
    }
    h.asked = 1 + mood->seed * 7 % 300;
    start();
    uint64_t seed = 0x9e3779b97f4a7c15u + mood->seed;
    unsigned reset_count = 0;
    for (unsigned i = 0; i < 2000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        const uint32_t dice = (uint32_t)(seed >> 24);
        if (dice % 7 < 2) {
            history_give(dice / 7);
        }
        if (dice % 11 < 3) {
            history_take(resets);
        }
        if (dice % 5 == 0) {
            virtio_model_wire(dice / 64 % 16);
        }
        if (resets && dice % 97 == 0 && virtio_model_live()) {
            virtio_model_needs_reset();
            reset_count++;
        }
        if (resets && dice % 101 == 0) {
            memset(output, 0, sizeof(output));
            init();
            reset_count++;
        }
        virtio_model_step();
        if (dice % 3 == 0) {
            interrupt();
        }
    }
    /* The end. Nobody gives anything any more, and all comes back. */
    for (unsigned i = 0; h.rx_count < BUFFERS || h.tx_count < BUFFERS; i++) {
        assert_true(i < 200000);
        while (h.rx_count > 0 && i == 0) {
            give_rx(h.rx_mine[--h.rx_count]);
        }
        if (i == 0) {
            virtio_model_wire(BUFFERS + size);
            wake(RX);
        }
        virtio_model_step();
        interrupt();
        history_take(resets);
        if (i % 1000 == 999 && virtio_model_in_flight(MODEL_TX) == 0) {
            /* Less than what is worth a signal comes back with whatever comes next. */
            assert_true(BUFFERS - h.tx_count < h.asked);
            wake(TX);
        }
    }
    history_check();
    assert_true(resets ? reset_count > 3 : model_counts.sent == h.given);
    assert_true(h.given > 500 && h.taken > 500);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) +
                         stat(NET_STAT_DROP_MALFORMED),
                     0);
    if (!resets) {
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    }
}

static void long_histories(bool resets)
{
    static const uint32_t sizes[] = {1, 2, 8, 256};
    for (unsigned i = 0; i < 4 * 64; i++) {
        uint64_t offers = MODEL_VERSION_1 | MODEL_CSUM | MODEL_GUEST_CSUM;
        offers |= i & 4 ? MODEL_INDIRECT : 0;
        offers |= i & 8 ? MODEL_EVENT_IDX : 0;
        const uint32_t size = sizes[i & 3];
        struct virtio_model_options mood = {
            .seed = i,
            .any_order = (i & 16) != 0,
            .racy = (i & 32) != 0,
            .sleeps = (i & 192) == 64,
            .wants_no_doorbells = (i & 192) == 128,
            .reset_reads = i & 7,
        };
        if ((i & 192) == 192 || (size == 1 && (offers & MODEL_INDIRECT) == 0)) {
            continue; /* not a mood of its own; not possible */
        }
        history(offers, size, &mood, resets);
    }
}

static void a_long_history_loses_nothing(void **state)
{
    (void)state;
    long_histories(false);
}

static void nor_does_one_with_resets_and_restarts(void **state)
{
    (void)state;
    long_histories(true);
}

/* ---- hostile neighbours -------------------------------------------------------------------- */

static void a_lying_device_is_reset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        configure(FEATURES, 16);
        give_all_rx(16);
        start();
        for (unsigned f = 0; f < 16; f++) {
            give_frame(f);
        }
        model_holds_tx = true;
        wake(TX);
        const uint32_t rx_head = virtio_model_some_head(MODEL_RX);
        const uint32_t tx_head = virtio_model_some_head(MODEL_TX);
        switch (i) {
        case 0:
            virtio_model_lie(MODEL_RX, rx_head, 72, 17); /* more than it has */
            break;
        case 1:
            virtio_model_lie(MODEL_TX, tx_head, 0, 0xffff);
            break;
        case 2:
            virtio_model_lie(MODEL_RX, 16, 72, 1); /* there is no such chain */
            break;
        case 3:
            virtio_model_lie(MODEL_TX, UINT32_MAX, 0, 1);
            break;
        case 4:
            virtio_model_lie(MODEL_RX, rx_head, 11, 1); /* not even a header */
            break;
        case 5:
            virtio_model_lie(MODEL_RX, rx_head, 12 + NET_BUFFER_SIZE + 1,
                             1); /* out of its buffer */
            break;
        case 6:
            virtio_model_lie(MODEL_TX, tx_head, 0, 1); /* the same one twice */
            virtio_model_lie(MODEL_TX, tx_head, 0, 1);
            break;
        case 7:
            virtio_model_lie(MODEL_RX, rx_head, 72, 1);
            virtio_model_lie(MODEL_RX, rx_head, 72, 1);
            break;
        }
        wake(IRQ);
        assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 1);
        assert_int_equal(model_counts.starts, 2);
        assert_int_equal(take_tx(), 16);
        struct net_entry entry = {0};
        unsigned n = 0;
        while (take_rx(&entry)) {
            assert_true(entry.address - MODEL_RX_IO < RX_BYTES && entry.length == 60);
            n++;
        }
        assert_int_equal(n + virtio_model_in_flight(MODEL_RX), 16);
    }
}

/* One wake-up, one reset, however often the device is wrong. */
static void lies_without_end_cost_one_reset_a_wake_up(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(100);
    start();
    uint32_t wild = 1;
    for (unsigned i = 0; i < 500; i++) {
        wild = wild * 1664525 + 1013904223;
        const unsigned resets = model_counts.resets;
        if (virtio_model_live()) {
            virtio_model_lie(wild >> 31, wild >> 8 & 31 ? 16 + (wild >> 12) : UINT32_MAX, wild >> 4,
                             (uint16_t)(1 + (wild >> 16 & 7)));
        }
        wake(wild >> 31 != 0 ? TX : IRQ); /* who looks at that queue */
        assert_true(model_counts.resets - resets <= 1);
    }
    assert_true(stat(NET_STAT_DEVICE_ERRORS) >= 500);
    assert_true(virtio_model_live());
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
}

static void a_device_that_begins_with_a_lie_is_tried_once(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    options.lies_at_once = true;
    start();
    assert_int_equal(model_counts.resets, 2); /* init's, and one that did not help */
    wake(RX);
    assert_int_equal(model_counts.resets, 3);
    wake(TX);
    assert_int_equal(model_counts.resets, 4);
}

/* Refused frames take no room in the ring, so those behind them need not wait for any. */
static void refused_frames_hold_nobody_up(void **state)
{
    (void)state;
    configure(FEATURES, 4);
    start();
    for (unsigned i = 0; i < 20; i++) {
        give_tx((struct net_entry){.address = tx_buffer(i), .length = 5});
        give_rx(tx_buffer(i));
    }
    give_frame(20);
    give_rx(rx_buffer(0));
    wake(TX);
    wake(RX);
    assert_int_equal(virtio_model_in_flight(MODEL_TX), 1);
    assert_int_equal(virtio_model_in_flight(MODEL_RX), 1);
    assert_int_equal(take_tx(), 20);
    sddf_queue_needs_signal(&tx_active);
    give_frame(21);
    assert_true(sddf_queue_needs_signal(&tx_active));
}

static void overlong_and_short_frames_stay_here(void **state)
{
    (void)state;
    configure(FEATURES, 16);
    give_all_rx(16);
    start();
    static const uint32_t lengths[] = {1, 13, 1515, NET_BUFFER_SIZE};
    for (unsigned i = 0; i < 4; i++) {
        model_next_length = lengths[i];
        virtio_model_wire(4);
        virtio_model_finish();
        interrupt();
        struct net_entry entry;
        assert_false(take_rx(&entry));
        assert_int_equal(virtio_model_in_flight(MODEL_RX), 16);
    }
    assert_int_equal(stat(NET_STAT_DROP_MALFORMED), 16);
    assert_int_equal(stat(NET_STAT_DEVICE_ERRORS), 0);
    model_next_length = 1514;
    virtio_model_wire(1);
    virtio_model_finish();
    interrupt();
    struct net_entry entry = {0};
    assert_true(take_rx(&entry) && entry.length == 1514);
}

/* Indices and entries from anywhere: every wake-up ends, and nothing but Rx data is written to. */
static void wild_virtualisers_do_not_keep_the_driver(void **state)
{
    (void)state;
    configure(FEATURES, 1024); /* so that it is not the rings that end it */
    start();
    uint32_t wild = 1;
    for (unsigned i = 0; i < 2000; i++) {
        wild = wild * 1664525 + 1013904223;
        sddf_store_relaxed_u32(&tx_active.own->tail, wild);
        sddf_store_relaxed_u32(&rx_free.own->tail, wild ^ 0x5a5a5a5a);
        sddf_store_relaxed_u32(&tx_free.own->head, ~wild);
        sddf_store_relaxed_u32(&tx_free.own->mark, wild * 3);
        sddf_store_relaxed_u32(&rx_active.own->head, wild >> 3);
        for (unsigned j = 0; j < 8; j++) {
            sddf_store_relaxed_u64(&tx_active.own->entries[(wild + j) % (2 * BUFFERS)],
                                   MODEL_TX_IO + wild % RX_BYTES);
            sddf_store_relaxed_u64(&rx_free.own->entries[(wild + j) % (2 * BUFFERS)],
                                   MODEL_RX_IO + wild % (2 * RX_BYTES));
        }
        const uint64_t before = stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH);
        wake(i % 3);
        assert_true(stat(NET_STAT_REFUSED_ADDRESS) + stat(NET_STAT_REFUSED_LENGTH) - before <=
                    4 * BUFFERS);
        virtio_model_wire(i % 5);
        virtio_model_step();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configuration_stays_stopped),
        cmocka_unit_test(wrong_devices_are_left_alone),
        cmocka_unit_test(what_it_cannot_use_it_fails),
        cmocka_unit_test(it_says_what_it_has),
        cmocka_unit_test(rings_fit_their_memory),
        cmocka_unit_test(frames_come_in),
        cmocka_unit_test(frames_go_out),
        cmocka_unit_test(bad_frames_are_refused_and_given_back),
        cmocka_unit_test(the_device_writes_to_the_rx_region_only),
        cmocka_unit_test(tx_interrupts_only_when_somebody_is_short),
        cmocka_unit_test(a_full_ring_goes_on_by_itself),
        cmocka_unit_test(no_doorbell_that_is_not_wanted),
        cmocka_unit_test(free_rx_buffers_signal_late),
        cmocka_unit_test(a_reset_loses_no_buffer),
        cmocka_unit_test(a_device_that_stays_down_is_left_alone),
        cmocka_unit_test(a_long_history_loses_nothing),
        cmocka_unit_test(nor_does_one_with_resets_and_restarts),
        cmocka_unit_test(a_lying_device_is_reset),
        cmocka_unit_test(lies_without_end_cost_one_reset_a_wake_up),
        cmocka_unit_test(a_device_that_begins_with_a_lie_is_tried_once),
        cmocka_unit_test(refused_frames_hold_nobody_up),
        cmocka_unit_test(overlong_and_short_frames_stay_here),
        cmocka_unit_test(wild_virtualisers_do_not_keep_the_driver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
