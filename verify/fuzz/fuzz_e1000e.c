/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the 82574L: with MSI-X's two interrupts, or one, and a device that may be gone. */
#include "net_driver.h"

/* More only take time. */
#define LOOKS_MAX 16u
#include "drivers/network/e1000e/registers.h"
#undef E1000E_MTA_WORDS
#define E1000E_MTA_WORDS 2u
#undef E1000E_STATISTICS_WORDS
#define E1000E_STATISTICS_WORDS 5u

#include "drivers/network/e1000e/e1000e.c"
#include "drivers/network/e1000e/hardware.c"

#define ENTRIES    8u
#define RINGS_SIZE (2 * ENTRIES * sizeof(struct e1000e_descriptor))
#define RINGS_IO   UINT64_C(0x70000000)
#define REGISTERS  UINT64_C(0x90000000) /* nobody dereferences it */

#define QUEUE_CAUSES (E1000E_INT_RXQ0 | E1000E_INT_TXQ0)
#define OTHER_CAUSES (E1000E_INT_OTHER | E1000E_INT_LSC | E1000E_INT_RXO)

static uint8_t *rings;
static uint8_t *space; /* a copy of the configuration space */
static uint64_t now;

static struct {
    bool gone;
    bool never_resets;
    bool unlinked;
    uint32_t resetting; /* reads of CTRL until it has */
    uint32_t ctrl, causes, mask, auto_mask, missed;
    struct {
        bool on;
        uint64_t base;
        uint32_t bytes, head, tail;
    } ring[2];
} chip;

uint64_t sddf_clock_now(void)
{
    return now;
}

void microkit_irq_ack(microkit_channel ch)
{
    fuzz_check(ch == IRQ || ch == IRQ_SECOND, "another interrupt is acknowledged");
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    microkit_irq_ack(ch);
}

static void configure_device(struct sddf_device_config *config)
{
    rings = fuzz_region(RINGS_SIZE, true);
    space = fuzz_region(PCI_SPACE, false);
    config->region_count = 3;
    config->region[REGION_REGISTERS] =
        (struct sddf_region_config){REGISTERS, E1000E_REGISTERS_SIZE, 0};
    config->region[REGION_RINGS] =
        (struct sddf_region_config){(uintptr_t)rings, RINGS_SIZE, RINGS_IO};
    config->region[REGION_CONFIG] = (struct sddf_region_config){(uintptr_t)space, PCI_SPACE, 0};
    config->irq_count = IRQS;
    config->irq[IRQ_TRAFFIC] = IRQ;
    config->irq[IRQ_OTHER] = IRQ_SECOND;
}

/* Where MSI-X is on, by the fuzzer's bytes, if it is not as it should be. */
static void fill_space(bool messages, bool any)
{
    uint8_t *bytes = fuzz_theirs(space);
    memset(bytes, 0, PCI_SPACE);
    bytes[PCI_CAPABILITIES] = 0x40;
    bytes[0x40] = PCI_CAP_VENDOR;
    bytes[0x41] = 0x50;
    bytes[0x50] = PCI_CAP_MSIX;
    bytes[0x53] = messages ? MSIX_ENABLE >> 8 : 0;
    for (uint32_t i = 0; i < 4 && any; i++) {
        bytes[fuzz_u8()] = fuzz_u8();
    }
}

static void device_reset(void)
{
    memset(&chip, 0, sizeof(chip));
    rx.size = rx.next = rx.published = rx.done = rx.seen = 0;
    tx.size = tx.next = tx.published = tx.done = tx.seen = 0;
    rx_held_count = tx_held_count = 0;
    configured = live = broken = link_up = reset_done = tx_waits = false;
    idle_interrupts = tx_batch = tx_armed = 0;
    tx_stalled_since = 0;
    now = 1;
}

/* ---- registers ----------------------------------------------------------------------------- */

static uint32_t read_ctrl(void)
{
    if (chip.resetting > 0 && !chip.never_resets) {
        chip.resetting--;
        chip.ctrl &= chip.resetting == 0 ? ~(E1000E_CTRL_RST | E1000E_CTRL_MASTER_DISABLE) : ~0u;
    }
    return chip.ctrl;
}

static uint32_t read_honestly(uint32_t at)
{
    uint32_t value;
    switch (at) {
    case E1000E_CTRL:
        return read_ctrl();
    case E1000E_STATUS:
        return (chip.unlinked ? 0 : E1000E_STATUS_LU | 2u << 6) |
               ((chip.ctrl & E1000E_CTRL_MASTER_DISABLE) != 0 ? 0 : E1000E_STATUS_MASTER);
    case E1000E_ICR:
        value = chip.causes;
        chip.causes = 0;
        chip.mask &= ~chip.auto_mask;
        return value;
    case E1000E_MPC:
        value = chip.missed;
        chip.missed = 0;
        return value;
    default:
        return 0;
    }
}

uint64_t fuzz_register_read(uintptr_t address, uint32_t bytes)
{
    fuzz_access();
    const uint64_t at = address - REGISTERS;
    fuzz_check(at <= E1000E_REGISTERS_SIZE - 4 && at % 4 == 0 && bytes == 4,
               "a register that there is not");
    const uint8_t kind = device_hostile ? fuzz_u8() : 0;
    chip.gone |= kind >= 254;
    if (chip.gone || kind >= 248) {
        return UINT32_MAX;
    }
    return kind >= 224 ? fuzz_u32() : read_honestly((uint32_t)at);
}

static void put_base(uint32_t which, bool high, uint32_t value)
{
    uint64_t *base = &chip.ring[which].base;
    *base = high ? (*base & UINT32_MAX) | (uint64_t)value << 32
                 : (*base & ~(uint64_t)UINT32_MAX) | value;
}

static void put_tail(uint32_t which, uint32_t value)
{
    fuzz_check(chip.ring[which].bytes == 0 ||
                   value < chip.ring[which].bytes / sizeof(struct e1000e_descriptor),
               "a tail outside of its ring");
    chip.ring[which].tail = value;
}

/* 4.6.5, 4.6.6: from now on the device uses the ring. */
static void turn_on(uint32_t which, bool on)
{
    if (on && !chip.ring[which].on) {
        fuzz_check(chip.ring[which].base >= RINGS_IO && chip.ring[which].bytes >= 128 &&
                       chip.ring[which].base + chip.ring[which].bytes <= RINGS_IO + RINGS_SIZE,
                   "a ring that is not in its memory");
    }
    chip.ring[which].on = on;
}

void fuzz_register_write(uintptr_t address, uint32_t bytes, uint64_t wide)
{
    fuzz_access();
    const uint64_t at = address - REGISTERS;
    const uint32_t value = (uint32_t)wide;
    fuzz_check(at <= E1000E_REGISTERS_SIZE - 4 && at % 4 == 0 && bytes == 4,
               "a register that there is not");
    switch (at) {
    case E1000E_CTRL:
        chip.ctrl = value;
        if ((value & E1000E_CTRL_RST) != 0) {
            memset(chip.ring, 0, sizeof(chip.ring));
            chip.resetting = 3;
            chip.causes = chip.mask = 0;
        }
        break;
    case E1000E_ICR:
        chip.causes &= ~value;
        break;
    case E1000E_IMS:
        chip.mask |= value;
        break;
    case E1000E_IMC:
        chip.mask &= ~value;
        break;
    case E1000E_IAM:
        chip.auto_mask = value;
        break;
    case E1000E_RDBAL:
    case E1000E_RDBAH:
        put_base(0, at == E1000E_RDBAH, value);
        break;
    case E1000E_TDBAL:
    case E1000E_TDBAH:
        put_base(1, at == E1000E_TDBAH, value);
        break;
    case E1000E_RDLEN:
        chip.ring[0].bytes = value;
        break;
    case E1000E_TDLEN:
        chip.ring[1].bytes = value;
        break;
    case E1000E_RDT:
        put_tail(0, value);
        break;
    case E1000E_TDT:
        put_tail(1, value);
        break;
    case E1000E_RCTL:
        turn_on(0, (value & E1000E_RCTL_EN) != 0);
        break;
    case E1000E_TCTL:
        turn_on(1, (value & E1000E_TCTL_EN) != 0);
        break;
    default:
        break;
    }
}

/* ---- what the device does ------------------------------------------------------------------ */

/* The next descriptor that the driver has given to the device; NULL: there is none. */
static struct e1000e_descriptor *next_descriptor(uint32_t which)
{
    if (!chip.ring[which].on || chip.ring[which].head == chip.ring[which].tail || chip.gone) {
        return NULL;
    }
    uint8_t *at = rings + (chip.ring[which].base - RINGS_IO);
    struct e1000e_descriptor *all = fuzz_theirs(at);
    const uint32_t head = chip.ring[which].head;
    chip.ring[which].head =
        (head + 1) % (chip.ring[which].bytes / (uint32_t)sizeof(struct e1000e_descriptor));
    return &all[head];
}

/* 7.1.3: with errors, checksums and lengths of all kinds. */
static bool receive(uint8_t how)
{
    struct e1000e_descriptor *d = next_descriptor(0);
    if (d == NULL) {
        return false;
    }
    if (!device_hostile) { /* else it may have written to it itself */
        device_is_given(d->address, NET_BUFFER_SIZE, true);
    }
    const uint64_t length = how >= 120 ? 60 : NET_FRAME_MIN + how * 12u;
    d->rest = E1000E_DONE | E1000E_RX_EOP | length | (how % 4 == 1 ? E1000E_RX_TCPCS : 0) |
              (how % 16 == 5 ? E1000E_RX_ERROR_TCPE : 0) | (how % 16 == 6 ? E1000E_RX_ERROR_CE : 0);
    chip.causes |= E1000E_INT_RXQ0 | E1000E_INT_RXT0;
    return true;
}

static bool transmit(void)
{
    struct e1000e_descriptor *d = next_descriptor(1);
    if (d == NULL) {
        return false;
    }
    if (!device_hostile) {
        device_is_given(d->address, d->rest & 0xffff, false);
    }
    const uint64_t whole = E1000E_TX_EOP | E1000E_TX_IFCS;
    fuzz_check(device_hostile || (d->rest & whole) == whole,
               "a frame of more than one descriptor is sent");
    if ((d->rest & E1000E_TX_RS) != 0) {
        d->rest |= E1000E_DONE;
        chip.causes |= E1000E_INT_TXQ0 | E1000E_INT_TXDW;
    }
    return true;
}

static bool device_works(uint8_t how)
{
    if (how == UINT8_MAX) { /* all there is; with a link */
        if (chip.unlinked) {
            chip.unlinked = false;
            chip.causes |= E1000E_INT_LSC | E1000E_INT_OTHER;
            return true;
        }
        return transmit();
    }
    switch (how % 8) {
    case 0:
        now += SDDF_NS_PER_S * (how / 8);
        return false;
    case 1:
        if (how == 9) {
            chip.unlinked = !chip.unlinked;
            chip.causes |= E1000E_INT_LSC | E1000E_INT_OTHER;
        } else if (how == 17) {
            chip.missed++;
            chip.causes |= E1000E_INT_RXO | E1000E_INT_OTHER;
        }
        return false;
    case 2:
    case 3:
    case 4:
        return transmit();
    default:
        return receive(fuzz_u8());
    }
}

static void device_errs(uint8_t how)
{
    uint64_t *word = (uint64_t *)fuzz_theirs(rings) + fuzz_u8() % (RINGS_SIZE / 8);
    if (how < 4) {
        chip.causes = fuzz_u32();
    } else if (how < 8) {
        *word = fuzz_u64();
    } else if (how < 16) { /* done, a frame, perhaps not its turn */
        *word = E1000E_DONE | E1000E_RX_EOP | (how % 4 == 0 ? fuzz_u16() : 60);
    } else if (how == 16) {
        chip.ring[how % 2].head = chip.ring[how % 2].tail;
    } else {
        now += SDDF_NS_PER_S;
    }
}

/* 7.4.1: with vectors a message clears and masks its causes. */
static microkit_channel device_interrupt(void)
{
    const uint32_t causes = chip.causes & chip.mask;
    if (causes == 0 || chip.gone) {
        return 0;
    }
    if (!device.vectors) {
        return IRQ;
    }
    const uint32_t which = (causes & QUEUE_CAUSES) != 0 ? QUEUE_CAUSES : OTHER_CAUSES;
    chip.causes &= ~which;
    chip.mask &= ~which;
    return which == QUEUE_CAUSES ? IRQ : IRQ_SECOND;
}

/* ---- the account --------------------------------------------------------------------------- */

static bool driver_runs(void)
{
    return configured;
}

static uint32_t in_ring(const struct descriptors *ring, uint64_t buffer)
{
    uint32_t n = 0;
    for (uint32_t i = ring->seen; ring->size != 0 && i != ring->next; i++) {
        n += ring->address[i & (ring->size - 1)] - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

static uint32_t driver_has(uint64_t buffer)
{
    uint32_t n = in_ring(&rx, buffer) + in_ring(&tx, buffer);
    for (uint32_t i = 0; i < rx_held_count; i++) {
        n += rx_held[i] == buffer;
    }
    for (uint32_t i = 0; i < tx_held_count; i++) {
        n += tx_held[i] - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

/* ---- an execution -------------------------------------------------------------------------- */

static void fuzz_run(void)
{
    static const uint64_t io[REGIONS] = {RX_IO, TX_IO, TX_IO + REGION_BYTES, TX_C_IO};
    if (fuzz_neighbour_count == 0) {
        prepare(io);
    }
    const uint8_t mode = fuzz_u8();
    const uint8_t more = fuzz_u8();
    const uint8_t kind = fuzz_u8();
    begin(mode);
    fill_space((mode & 16) == 0, (mode & 64) != 0);
    chip.never_resets = device_hostile && kind == 255;
    chip.gone = kind == 254;
    chip.unlinked = kind == 253;
    const struct net_driver_config good = sddf_net_config;
    sddf_net_config.device.region_count = (mode & 32) != 0 ? REGION_CONFIG : REGION_CONFIG + 1;
    sddf_net_config.device.irq_count = kind == 252 ? 1 : IRQS;
    sddf_net_config.device.ring_size = kind == 251 ? ENTRIES / 2 : kind == 250 ? 2 * ENTRIES : 0;
    sddf_net_config.device.region[REGION_RINGS].size -= kind == 249 ? 64 : 0;
    sddf_net_config.device.region[REGION_CONFIG].size -= kind == 248;
    sddf_net_config.data[1].size -= kind == 247;
    sddf_net_config.data_count = kind == 246 ? 1 : REGIONS;
    drive(mode, more);
    sddf_net_config = good;
    if (settles()) {
        check_settled(descriptors_in_flight(&rx) + rx_held_count);
    }
}
