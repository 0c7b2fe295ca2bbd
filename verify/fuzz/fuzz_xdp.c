/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of AF_XDP's sockets: the device is the kernel. One that errs writes anything into the
 * rings, lays them out anyhow, and answers system calls as it likes; then nobody can say any more
 * whose a buffer is, and what is left to be seen is that the driver stays within its memory, and
 * that it ends.
 */
#include "net_driver.h"

#include "drivers/network/linux_xdp/xdp.c"

#define ENTRIES 8u
#define UMEM    ((uint64_t)REGIONS * REGION_BYTES)
#define SOCKET  7

/* As some kernel lays it out. */
enum { AT_PRODUCER = 0, AT_CONSUMER = 64, AT_FLAGS = 128, AT_ENTRIES = 192, RING_BYTES = 320 };

static uint8_t *ring_region[LINUX_XDP_RINGS];
static struct linux_xdp_layout *layout_region;

static uint64_t wire[ENTRIES]; /* sent, and not completed */
static uint32_t wire_count;
static bool masked;
static uint64_t after;  /* the driver wants to be woken then, in ns */
static uint8_t trouble; /* what system calls answer with */

static uint32_t *word(enum linux_xdp_region which, uint32_t at)
{
    return (uint32_t *)(void *)((uint8_t *)fuzz_theirs(ring_region[which]) + at);
}

static uint64_t *entry_at(enum linux_xdp_region which, uint32_t index, uint32_t words)
{
    return (uint64_t *)(void *)word(which, AT_ENTRIES) + (index % ENTRIES) * words;
}

static uint32_t used(enum linux_xdp_region which)
{
    return *word(which, AT_PRODUCER) - *word(which, AT_CONSUMER);
}

static void configure_device(struct sddf_device_config *config)
{
    for (uint32_t i = 0; i < LINUX_XDP_RINGS; i++) {
        ring_region[i] = fuzz_region(RING_BYTES, true);
        config->region[i] = (struct sddf_region_config){(uintptr_t)ring_region[i], RING_BYTES, 0};
    }
    layout_region = fuzz_region(sizeof(*layout_region), false);
    config->region[LINUX_XDP_LAYOUT] =
        (struct sddf_region_config){(uintptr_t)layout_region, sizeof(*layout_region), 0};
    config->region_count = LINUX_XDP_REGIONS;
    config->irq_count = 1;
    config->irq[0] = IRQ;
}

static void device_reset(void)
{
    struct linux_xdp_layout *layout = fuzz_theirs(layout_region);
    *layout = (struct linux_xdp_layout){
        .magic = LINUX_XDP_LAYOUT_MAGIC, .chunk_size = NET_BUFFER_SIZE, .umem_size = UMEM};
    for (uint32_t i = 0; i < LINUX_XDP_RINGS; i++) {
        layout->ring[i] =
            (struct linux_xdp_ring){AT_PRODUCER, AT_CONSUMER, AT_FLAGS, AT_ENTRIES, ENTRIES, 0};
        memset(word(i, 0), 0, RING_BYTES);
        *word(i, AT_PRODUCER) = *word(i, AT_CONSUMER) = UINT32_MAX - 3; /* about to wrap */
    }
    wire_count = 0;
    masked = false;
    after = 0;
    trouble = 0;
    retry = 0;
    tx_in_flight = 0;
}

/* ---- the platform -------------------------------------------------------------------------- */

void microkit_irq_ack(microkit_channel ch)
{
    fuzz_check(ch == IRQ, "another interrupt is acknowledged");
    masked = false;
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == IRQ ? SOCKET : -1;
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    fuzz_check(ch == IRQ, "another interrupt");
    after = ns;
}

/* One frame leaves the Tx ring, if there will be room in the completion ring. */
static bool transmit(void)
{
    if (used(LINUX_XDP_TX) == 0 || wire_count + used(LINUX_XDP_COMPLETION) >= ENTRIES) {
        return false;
    }
    const uint64_t *desc = entry_at(LINUX_XDP_TX, *word(LINUX_XDP_TX, AT_CONSUMER), 2);
    fuzz_check(desc[0] < UMEM && desc[1] <= NET_FRAME_MAX &&
                   desc[0] % NET_BUFFER_SIZE + desc[1] <= NET_BUFFER_SIZE,
               "a frame is sent that is none");
    if (!fuzz_neighbour[VIRT_TX].hostile) {
        device_is_given(desc[0], (uint32_t)desc[1], false);
    }
    wire[wire_count++] = desc[0];
    ++*word(LINUX_XDP_TX, AT_CONSUMER);
    return true;
}

static bool complete(void)
{
    if (wire_count == 0 || used(LINUX_XDP_COMPLETION) == ENTRIES) {
        return false;
    }
    *entry_at(LINUX_XDP_COMPLETION, *word(LINUX_XDP_COMPLETION, AT_PRODUCER), 1) =
        wire[--wire_count];
    ++*word(LINUX_XDP_COMPLETION, AT_PRODUCER);
    return true;
}

/* 256 bytes into the chunk, as the kernel does. */
static bool receive(uint8_t how)
{
    if (used(LINUX_XDP_FILL) == 0 || used(LINUX_XDP_RX) == ENTRIES) {
        return false;
    }
    const uint64_t chunk =
        *entry_at(LINUX_XDP_FILL, *word(LINUX_XDP_FILL, AT_CONSUMER), 1) & ~UINT64_C(2047);
    device_is_given(chunk, NET_BUFFER_SIZE, true);
    ++*word(LINUX_XDP_FILL, AT_CONSUMER);
    uint64_t *desc = entry_at(LINUX_XDP_RX, *word(LINUX_XDP_RX, AT_PRODUCER), 2);
    desc[0] = chunk + 256;
    desc[1] = how == 255 ? 1800 : 14 + how * 5u;
    ++*word(LINUX_XDP_RX, AT_PRODUCER);
    return true;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    static const int errors[] = {0, EAGAIN, EBUSY, ENOBUFS, ENETDOWN, ENXIO};
    fuzz_access();
    fuzz_check(a == SOCKET && b == 0 && c == 0 && d == MSG_DONTWAIT && e == 0 && f == 0 &&
                   (number == SYS_sendto || number == SYS_recvfrom),
               "another system call");
    if (number == SYS_recvfrom) {
        return -EAGAIN;
    }
    if (device_hostile) {
        return -errors[fuzz_u8() % 6];
    }
    for (uint32_t i = 0; i < 3 && trouble < 3; i++) {
        if (transmit() && trouble % 2 == 0) {
            complete();
        }
    }
    if (trouble >= 3) {
        return -errors[trouble % 6];
    }
    return used(LINUX_XDP_TX) != 0 ? -EAGAIN : 0;
}

/* ---- what the device does ------------------------------------------------------------------ */

static bool device_works(uint8_t how)
{
    if (device_hostile) { /* it does not keep to what was said, so it looks at nothing */
        return false;
    }
    if (how == UINT8_MAX) {
        trouble = 0;
        return transmit() || complete();
    }
    switch (how % 6) {
    case 0:
        *word(how % 2 == 0 ? LINUX_XDP_TX : LINUX_XDP_FILL, AT_FLAGS) = how % 4;
        return false;
    case 1:
        trouble = how / 6;
        return false;
    case 2:
        return transmit();
    case 3:
        return complete();
    default:
        return receive(fuzz_u8());
    }
}

static void device_errs(uint8_t how)
{
    const enum linux_xdp_region which = how % LINUX_XDP_RINGS;
    const bool produces = which == LINUX_XDP_RX || which == LINUX_XDP_COMPLETION;
    uint32_t *index = word(which, produces ? AT_PRODUCER : AT_CONSUMER);
    if (how < 12) {
        *index = fuzz_index(*word(which, produces ? AT_CONSUMER : AT_PRODUCER));
    } else if (how < 16) {
        *word(which, AT_FLAGS) = fuzz_u8();
    } else if (how < 18) {
        *word(which, produces ? AT_CONSUMER : AT_PRODUCER) = fuzz_u32();
    } else {
        uint64_t *entry = entry_at(which, fuzz_u8(), which < LINUX_XDP_FILL ? 2 : 1);
        entry[0] = how % 3 == 0 ? fuzz_u64() : fuzz_u8() * (UMEM / 200);
        if (which < LINUX_XDP_FILL) {
            entry[1] = how % 3 == 1 ? fuzz_u64() : fuzz_u8() * 8u;
        }
    }
}

static microkit_channel device_interrupt(void)
{
    if (after == 0 && (masked || used(LINUX_XDP_RX) == 0)) {
        return 0;
    }
    masked = true;
    after = 0;
    return IRQ;
}

/* ---- the account --------------------------------------------------------------------------- */

static bool driver_runs(void)
{
    return running;
}

static uint32_t in_ring(enum linux_xdp_region which, uint32_t words, uint64_t buffer)
{
    uint32_t n = 0;
    for (uint32_t i = *word(which, AT_CONSUMER); i != *word(which, AT_PRODUCER); i++) {
        n += *entry_at(which, i, words) - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

/* It remembers nothing itself: what it was given is in the rings. */
static uint32_t driver_has(uint64_t buffer)
{
    if (buffer < REGION_BYTES) {
        return in_ring(LINUX_XDP_FILL, 1, buffer) + in_ring(LINUX_XDP_RX, 2, buffer);
    }
    uint32_t n = in_ring(LINUX_XDP_TX, 2, buffer) + in_ring(LINUX_XDP_COMPLETION, 1, buffer);
    for (uint32_t i = 0; i < wire_count; i++) {
        n += wire[i] - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

/* ---- an execution -------------------------------------------------------------------------- */

/* One word of the layout, or one ring's region, is not as it should be. */
static void spoil_layout(void)
{
    uint32_t *layout = fuzz_theirs(layout_region);
    const uint8_t which = fuzz_u8();
    const uint8_t kind = fuzz_u8();
    layout[which % (sizeof(struct linux_xdp_layout) / 4)] = kind < 64    ? kind * 4u
                                                            : kind < 128 ? 1u << kind % 32
                                                                         : fuzz_u32();
    sddf_net_config.device.region[which % LINUX_XDP_REGIONS].size = kind == 255 ? 63 : RING_BYTES;
}

static void fuzz_run(void)
{
    static const uint64_t io[REGIONS] = {0, REGION_BYTES, 2 * REGION_BYTES, 3 * REGION_BYTES};
    if (fuzz_neighbour_count == 0) {
        prepare(io);
        fuzz_neighbour[VIRT_RX].looks = true;
    }
    const uint8_t mode = fuzz_u8();
    const uint8_t more = fuzz_u8();
    begin(mode);
    fuzz_invented = device_hostile;
    *word(LINUX_XDP_TX, AT_FLAGS) = LINUX_XDP_NEED_WAKEUP;
    const struct net_driver_config good = sddf_net_config;
    if (device_hostile && (mode & 16) != 0) {
        spoil_layout();
    }
    sddf_net_config.data_count = more == 248 ? 0 : REGIONS;
    sddf_net_config.device.irq[0] = more == 247 ? IRQ_SECOND : IRQ;
    drive(mode, more);
    sddf_net_config = good;
    if (settles()) {
        check_settled(used(LINUX_XDP_FILL) + used(LINUX_XDP_RX));
    }
}
