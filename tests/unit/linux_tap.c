/* SPDX-License-Identifier: BSD-2-Clause */
/* The TAP driver against a TAP that the test is, with both virtualisers at the other end. */
#include "drivers/network/linux_tap/tap.c"

#include "net_rig.h"

enum { CH_IRQ, CH_RX, CH_TX };
enum { BUFFERS = 8, FD = 7 };

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "ethernet0_driver";

static struct rig_peer rx, tx;
static unsigned frames_in, frames_out, acks, notifications;
static uint64_t after;
static void (*meanwhile)(void); /* during a system call, on another core */

void microkit_notify(microkit_channel ch)
{
    assert_true(ch == CH_RX || ch == CH_TX);
    notifications++;
}

void microkit_irq_ack(microkit_channel ch)
{
    assert_int_equal(ch, CH_IRQ);
    acks++;
}

void microkit_dbg_puts(const char *s)
{
    fail_msg("%s", s);
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == CH_IRQ ? FD : -1;
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    assert_int_equal(ch, CH_IRQ);
    after = ns;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    (void)b;
    assert_true(a == FD && d == 0 && e == 0 && f == 0);
    if (meanwhile != NULL) {
        meanwhile();
    }
    if (number == SYS_write) {
        frames_out++;
        return c;
    }
    assert_true(number == SYS_read && c == NET_BUFFER_SIZE);
    if (frames_in == 0) {
        return -EAGAIN;
    }
    frames_in--;
    return 60;
}

static int setup(void **state)
{
    (void)state;
    struct net_driver_config *config = &sddf_net_config;
    *config = (struct net_driver_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_DRIVER, sizeof(*config),
                   0},
        .device = {.irq_count = 1, .irq = {CH_IRQ}},
        .rx = rig_pair(BUFFERS, BUFFERS, CH_RX),
        .tx = rig_pair(BUFFERS, BUFFERS, CH_TX),
        .stats = rig_stats(),
        .data_count = 2,
        .data = {rig_data(BUFFERS, 0), rig_data(BUFFERS, BUFFERS * NET_BUFFER_SIZE)},
    };
    rig_attach(&rx, &config->rx.free, &config->rx.active);
    rig_attach(&tx, &config->tx.active, &config->tx.free);
    frames_in = frames_out = acks = notifications = 0;
    meanwhile = NULL;
    init();
    return 0;
}

static uint64_t stat(enum net_stat which)
{
    return rig_stat(&sddf_net_config.stats, 0, which);
}

static void test_in_and_out(void **state)
{
    (void)state;
    frames_in = 3;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        rig_send_at(&rx, (uint64_t)i * NET_BUFFER_SIZE, 0);
    }
    rig_send_at(&tx, (BUFFERS + 5) * NET_BUFFER_SIZE + 100, 60);
    notified(CH_IRQ);
    for (uint32_t i = 0; i < 3; i++) {
        struct net_entry got = rig_take(&rx);
        assert_true(got.address == (uint64_t)i * NET_BUFFER_SIZE && got.length == 60);
    }
    assert_int_equal(rig_waiting(&rx), 0);
    assert_int_equal(frames_out, 1);
    assert_int_equal(rig_take(&tx).address / NET_BUFFER_SIZE, BUFFERS + 5);
    assert_true(acks == 1 && after == 0);
}

/* Behind a tail that is impossible there is nothing, and the driver sleeps. */
static void test_impossible_tails_are_empty_queues(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        uint64_t slot = (uint64_t)i * net_queue_words;
        sddf_store_relaxed_u64(&rx.out.own->entries[slot], UINT64_MAX);
        sddf_store_relaxed_u64(&tx.out.own->entries[slot], UINT64_MAX);
    }
    sddf_store_relaxed_u32(&rx.out.own->tail, UINT32_C(1) << 31);
    notified(CH_RX);
    sddf_store_relaxed_u32(&tx.out.own->tail, UINT32_C(1) << 31);
    notified(CH_TX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), 0);
    sddf_store_relaxed_u32(&rx.out.own->tail, BUFFERS);
    notified(CH_RX);
    assert_int_equal(stat(NET_STAT_REFUSED_ADDRESS), BUFFERS); /* now they are there */
}

static void entries_change(void)
{
    uint64_t address = 7 * NET_BUFFER_SIZE + 3;
    sddf_store_relaxed_u64(&rx.out.own->entries[0], address);
    sddf_store_relaxed_u64(&tx.out.own->entries[0], address);
}

/* An entry that changes while the kernel works on it names what was checked, nevertheless. */
static void test_the_first_look_counts(void **state)
{
    (void)state;
    meanwhile = entries_change;
    frames_in = 1;
    rig_send_at(&rx, 2 * NET_BUFFER_SIZE, 0);
    notified(CH_IRQ);
    assert_int_equal(rig_take(&rx).address, 2 * NET_BUFFER_SIZE);
    rig_send_at(&tx, (BUFFERS + 1) * NET_BUFFER_SIZE, 60);
    notified(CH_TX);
    assert_int_equal(frames_out, 1);
    assert_int_equal(rig_take(&tx).address, (BUFFERS + 1) * NET_BUFFER_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_in_and_out, setup),
        cmocka_unit_test_setup(test_impossible_tails_are_empty_queues, setup),
        cmocka_unit_test_setup(test_the_first_look_counts, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
