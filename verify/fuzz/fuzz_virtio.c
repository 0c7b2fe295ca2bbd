/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of virtio's network devices. Here by MMIO, with split rings; fuzz_virtio_packed.c is
 * the same by PCI, with packed rings.
 */
#include "net_driver.h"

#include "transport.h"
#include "virtqueue.h"

/* More only take time. */
#undef VIRTIO_ASK_MAX
#define VIRTIO_ASK_MAX 16
#undef VIRTQUEUE_SIZE_MAX
#define VIRTQUEUE_SIZE_MAX 16u

#include "drivers/network/virtio/virtio_net.c"
#include "drivers/virtio/transport.c"
#ifdef FUZZ_PACKED
#include "drivers/virtio/packed/virtqueue.c"
#include "drivers/virtio/pci.c"
#else
#include "drivers/virtio/mmio.c"
#include "drivers/virtio/virtqueue.c"
#endif

#define RINGS_SIZE (2 * 2048u)
#define RINGS_IO   UINT64_C(0x70000000)
#define REGISTERS  UINT64_C(0x90000000) /* nobody dereferences it */

#define NOBODY UINT32_MAX

/* Where the device has its parts: by MMIO, behind a transport without a device; by PCI. */
#ifdef FUZZ_PACKED
#define REGISTERS_SIZE 0x1000u
enum { AT_COMMON = 0x100, AT_NOTIFY = 0x200, AT_ISR = 0x300, AT_SPECIFIC = 0x400 };
#else
#define REGISTERS_SIZE (2 * VIRTIO_MMIO_SIZE)
#endif

static uint8_t *rings;

static struct {
    bool gone;
    bool never_resets;
    bool refuses;    /* features */
    uint32_t before; /* MMIO: transports before it that have no device */
    uint32_t status, why, generation, selected, feature_word;
    uint32_t queue_max;
    uint64_t offers, accepted;
    struct {
        uint32_t size;
        bool ready;
        uint64_t area[3]; /* descriptors, the driver's, the device's */
        uint16_t taken, used;
        uint32_t have[VIRTQUEUE_SIZE_MAX], have_count;
    } queue[VIRTIO_QUEUES];
} chip;

void microkit_irq_ack(microkit_channel ch)
{
    fuzz_check(ch == IRQ || ch == IRQ_SECOND, "another interrupt is acknowledged");
}

static void device_forgets(void)
{
    memset(chip.queue, 0, sizeof(chip.queue));
    chip.status = chip.why = chip.feature_word = 0;
    chip.accepted = 0;
    chip.selected = 0;
}

static void device_reset(void)
{
    memset(&chip, 0, sizeof(chip));
    rx.slots = rx.free_count = rx.size = 0;
    tx.slots = tx.free_count = tx.size = 0;
    rx.broken = tx.broken = false;
    rx_held_count = tx_held_count = 0;
    configured = live = reset_done = tx_waits = false;
}

/* Of what the driver has told the device: is it in the memory for it? */
static void *in_rings(uint64_t io, uint64_t bytes)
{
    fuzz_check(io - RINGS_IO < RINGS_SIZE && bytes <= RINGS_SIZE - (io - RINGS_IO),
               "something of a ring is outside of its memory");
    return fuzz_theirs(rings + (io - RINGS_IO));
}

static void queue_ready(uint32_t value)
{
    if (chip.selected < VIRTIO_QUEUES && value == 1) {
        const uint32_t size = chip.queue[chip.selected].size;
        const bool good = size > 0 && size <= VIRTQUEUE_SIZE_MAX;
        fuzz_check(device_hostile || good, "a ring of that size there is not");
        chip.queue[chip.selected].ready = good;
    }
}

static void put_area(uint32_t which, bool high, uint32_t value)
{
    uint64_t *area = &chip.queue[chip.selected % VIRTIO_QUEUES].area[which];
    *area = high ? (*area & UINT32_MAX) | (uint64_t)value << 32
                 : (*area & ~(uint64_t)UINT32_MAX) | value;
}

/* ---- registers ----------------------------------------------------------------------------- */

static void write_status(uint32_t value)
{
    if (value == 0) {
        device_forgets();
    } else {
        chip.status = value;
    }
    if (chip.refuses) {
        chip.status &= ~VIRTIO_STATUS_FEATURES_OK;
    }
}

static uint32_t read_status(void)
{
    return chip.never_resets ? chip.status | VIRTIO_STATUS_ACKNOWLEDGE : chip.status;
}

static uint32_t queue_room(void)
{
    return chip.selected < VIRTIO_QUEUES ? chip.queue_max : 0;
}

static bool queue_is_ready(void)
{
    return chip.selected < VIRTIO_QUEUES && chip.queue[chip.selected].ready;
}

static void put_size(uint32_t value)
{
    chip.queue[chip.selected % VIRTIO_QUEUES].size = value;
}

static void accept_features(uint32_t value)
{
    const uint32_t shift = 32 * (chip.feature_word % 2);
    chip.accepted = (chip.accepted & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
    fuzz_check(device_hostile || (chip.accepted & ~chip.offers) == 0,
               "a feature is accepted that was not offered");
}

#ifdef FUZZ_PACKED
static uint8_t *config_space;
static uint16_t vectors[2]; /* of the configuration, of a queue */

static void configure_bus(struct sddf_device_config *config)
{
    config_space = fuzz_region(PCI_SPACE, false);
    config->region_count = 3;
    config->region[VIRTIO_REGION_CONFIG] =
        (struct sddf_region_config){(uintptr_t)config_space, PCI_SPACE, 0};
    config->irq_count = 2;
}

static void put_capability(uint8_t at, uint8_t next, uint8_t type, uint32_t offset, uint32_t length)
{
    uint8_t *cap = (uint8_t *)fuzz_theirs(config_space) + at;
    const uint8_t bytes[] = {PCI_CAP_VENDOR, next, 20, type, 1, 0, 0, 0};
    memcpy(cap, bytes, sizeof(bytes));
    memcpy(cap + VIRTIO_PCI_CAP_OFFSET, &offset, 4);
    memcpy(cap + VIRTIO_PCI_CAP_LENGTH, &length, 4);
}

/* 4.1.4; some of it written over if the device is not what it should be. */
static void fill_space(bool messages, bool any)
{
    uint8_t *bytes = fuzz_theirs(config_space);
    memset(bytes, 0, PCI_SPACE);
    const uint16_t numbers[] = {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE + VIRTIO_ID_NETWORK};
    memcpy(bytes, numbers, sizeof(numbers));
    bytes[PCI_CAPABILITIES] = 0x40;
    put_capability(0x40, 0x54, VIRTIO_PCI_CAP_COMMON_CFG, AT_COMMON, VIRTIO_PCI_COMMON_SIZE);
    put_capability(0x54, 0x68, VIRTIO_PCI_CAP_NOTIFY_CFG, AT_NOTIFY, 16);
    bytes[0x54 + VIRTIO_PCI_CAP_MULTIPLY] = 4;
    put_capability(0x68, 0x7c, VIRTIO_PCI_CAP_ISR_CFG, AT_ISR, 4);
    put_capability(0x7c, 0x90, VIRTIO_PCI_CAP_DEVICE_CFG, AT_SPECIFIC, 16);
    bytes[0x90] = PCI_CAP_MSIX;
    bytes[0x93] = messages ? MSIX_ENABLE >> 8 : 0;
    for (uint32_t i = 0; i < 4 && any && device_hostile; i++) {
        bytes[fuzz_u8()] = fuzz_u8();
    }
}

static uint32_t read_honestly(uint64_t at)
{
    switch (at) {
    case AT_COMMON + VIRTIO_PCI_DEVICE_FEATURES:
        return (uint32_t)(chip.offers >> 32 * (chip.feature_word % 2));
    case AT_COMMON + VIRTIO_PCI_CONFIG_VECTOR:
        return vectors[0];
    case AT_COMMON + VIRTIO_PCI_QUEUE_VECTOR:
        return vectors[1];
    case AT_COMMON + VIRTIO_PCI_NUM_QUEUES:
        return 3;
    case AT_COMMON + VIRTIO_PCI_STATUS:
        return read_status();
    case AT_COMMON + VIRTIO_PCI_CONFIG_GENERATION:
        return chip.generation;
    case AT_COMMON + VIRTIO_PCI_QUEUE_SIZE:
        return queue_room();
    case AT_COMMON + VIRTIO_PCI_QUEUE_ENABLE:
        return queue_is_ready();
    case AT_COMMON + VIRTIO_PCI_QUEUE_NOTIFY_OFF:
        return chip.selected;
    case AT_ISR: {
        const uint32_t why = chip.why;
        chip.why = 0;
        return why;
    }
    default:
        return 0;
    }
}

static void write_register(uint64_t at, uint32_t value)
{
    switch (at) {
    case AT_COMMON + VIRTIO_PCI_DEVICE_FEAT_SEL:
    case AT_COMMON + VIRTIO_PCI_DRIVER_FEAT_SEL:
        chip.feature_word = value;
        break;
    case AT_COMMON + VIRTIO_PCI_DRIVER_FEATURES:
        accept_features(value);
        break;
    case AT_COMMON + VIRTIO_PCI_CONFIG_VECTOR:
        vectors[0] = (uint16_t)value;
        break;
    case AT_COMMON + VIRTIO_PCI_QUEUE_VECTOR:
        vectors[1] = (uint16_t)value;
        break;
    case AT_COMMON + VIRTIO_PCI_STATUS:
        write_status(value);
        break;
    case AT_COMMON + VIRTIO_PCI_QUEUE_SEL:
        chip.selected = value;
        break;
    case AT_COMMON + VIRTIO_PCI_QUEUE_SIZE:
        put_size(value);
        break;
    case AT_COMMON + VIRTIO_PCI_QUEUE_ENABLE:
        queue_ready(value);
        break;
    default:
        if (at >= AT_COMMON + VIRTIO_PCI_QUEUE_DESC_LOW &&
            at < AT_COMMON + VIRTIO_PCI_COMMON_SIZE) {
            const uint64_t place = at - AT_COMMON - VIRTIO_PCI_QUEUE_DESC_LOW;
            put_area((uint32_t)place / 8, place % 8 != 0, value);
        }
    }
}
#else
static void configure_bus(struct sddf_device_config *config)
{
    config->region_count = 2;
    config->irq_count = 1;
}

static void fill_space(bool messages, bool any)
{
    (void)messages;
    chip.before = any ? 1 : 0;
}

static uint32_t read_honestly(uint64_t at)
{
    if (at < chip.before * VIRTIO_MMIO_SIZE) {
        return at == VIRTIO_MMIO_MAGIC     ? VIRTIO_MMIO_MAGIC_VALUE
               : at == VIRTIO_MMIO_VERSION ? VIRTIO_MMIO_VERSION_VALUE
                                           : 0;
    }
    switch (at - chip.before * VIRTIO_MMIO_SIZE) {
    case VIRTIO_MMIO_MAGIC:
        return VIRTIO_MMIO_MAGIC_VALUE;
    case VIRTIO_MMIO_VERSION:
        return VIRTIO_MMIO_VERSION_VALUE;
    case VIRTIO_MMIO_DEVICE_ID:
        return VIRTIO_ID_NETWORK;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return (uint32_t)(chip.offers >> 32 * (chip.feature_word % 2));
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return queue_room();
    case VIRTIO_MMIO_QUEUE_READY:
        return queue_is_ready();
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return chip.why;
    case VIRTIO_MMIO_STATUS:
        return read_status();
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return chip.generation;
    default:
        return 0;
    }
}

static void write_register(uint64_t at, uint32_t value)
{
    switch (at - chip.before * VIRTIO_MMIO_SIZE) {
    case VIRTIO_MMIO_DEVICE_FEAT_SEL:
    case VIRTIO_MMIO_DRIVER_FEAT_SEL:
        chip.feature_word = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        accept_features(value);
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        chip.selected = value;
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
        put_size(value);
        break;
    case VIRTIO_MMIO_QUEUE_READY:
        queue_ready(value);
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        chip.why &= ~value;
        break;
    case VIRTIO_MMIO_STATUS:
        write_status(value);
        break;
    default: {
        const uint64_t place = at - chip.before * VIRTIO_MMIO_SIZE - VIRTIO_MMIO_QUEUE_DESC_LOW;
        if (place < 0x30) {
            put_area((uint32_t)place / 16, place % 16 != 0, value);
        }
    }
    }
}
#endif

static void configure_device(struct sddf_device_config *config)
{
    rings = fuzz_region(RINGS_SIZE, true);
    config->region[VIRTIO_REGION_REGISTERS] =
        (struct sddf_region_config){REGISTERS, REGISTERS_SIZE, 0};
    config->region[VIRTIO_REGION_RINGS] =
        (struct sddf_region_config){(uintptr_t)rings, RINGS_SIZE, RINGS_IO};
    config->irq[0] = IRQ;
    config->irq[1] = IRQ_SECOND;
    configure_bus(config);
}

uint64_t fuzz_register_read(uintptr_t address, uint32_t bytes)
{
    fuzz_access();
    const uint64_t at = address - REGISTERS;
    fuzz_check(at <= REGISTERS_SIZE - bytes && at % bytes == 0, "a register that there is not");
    const uint8_t kind = device_hostile ? fuzz_u8() : 0;
    chip.gone |= kind >= 254;
    if (chip.gone || kind >= 248) {
        return UINT64_MAX;
    }
    return kind >= 232 ? fuzz_u32() : read_honestly(at);
}

void fuzz_register_write(uintptr_t address, uint32_t bytes, uint64_t value)
{
    fuzz_access();
    const uint64_t at = address - REGISTERS;
    fuzz_check(at <= REGISTERS_SIZE - bytes && at % bytes == 0, "a register that there is not");
    write_register(at, (uint32_t)value);
}

/* ---- what the device does ------------------------------------------------------------------ */

/* A slot's payload: is it one that the driver may give? */
static void check_payload(uint32_t which, uint64_t address, uint32_t length, uint32_t flags)
{
    const bool receives = which == RECEIVEQ;
    fuzz_check(((flags & VIRTQ_DESC_F_WRITE) != 0) == receives, "the wrong way");
    fuzz_check(length >= NET_FRAME_MIN && (!receives || length == NET_BUFFER_SIZE),
               "a length that is none");
    device_is_given(address, length, receives);
}

#ifdef FUZZ_PACKED
static bool in_round(uint32_t which, uint16_t index)
{
    return (index & chip.queue[which].size) == 0;
}

static struct virtq_packed_desc *entry_at(uint32_t which, uint16_t index)
{
    struct virtq_packed_desc *all =
        in_rings(chip.queue[which].area[0], chip.queue[which].size * sizeof(*all));
    return &all[index & (chip.queue[which].size - 1)];
}

/* 2.8.6: takes the next chain that has been made available; NOBODY, or its identifier. */
static uint32_t take(uint32_t which)
{
    const uint16_t at = chip.queue[which].taken;
    const struct virtq_packed_desc *first = entry_at(which, at);
    const bool round = in_round(which, at);
    if (((first->flags & VIRTQ_PACKED_F_AVAIL) != 0) != round ||
        ((first->flags & VIRTQ_PACKED_F_USED) != 0) == round) {
        return NOBODY;
    }
    const bool indirect = (first->flags & VIRTQ_DESC_F_INDIRECT) != 0;
    const struct virtq_packed_desc *header = first, *payload = entry_at(which, at + 1);
    if (indirect) {
        header = in_rings(first->address, 2 * sizeof(*header));
        payload = header + 1;
    }
    in_rings(header->address, header->length);
    check_payload(which, payload->address, payload->length, payload->flags);
    chip.queue[which].taken += indirect ? 1 : 2;
    return first->id;
}

/* 2.8.14: places and rounds; or always, or never. */
static void wish_for_doorbell(uint32_t which, uint8_t about)
{
    if (chip.queue[which].ready) {
        uint32_t *word = in_rings(chip.queue[which].area[2], sizeof(*word));
        *word = about % 8 == 0 ? about / 8 % 3u << 16
                               : VIRTQ_PACKED_EVENT_DESC << 16 |
                                     (about % 2 != 0 ? VIRTQ_PACKED_EVENT_ROUND : 0) |
                                     about / 8 % chip.queue[which].size;
    }
}

static void use(uint32_t which, uint32_t id, uint32_t length)
{
    const bool indirect = (chip.accepted & VIRTIO_F_INDIRECT_DESC) != 0;
    struct virtq_packed_desc *entry = entry_at(which, chip.queue[which].used);
    entry->id = (uint16_t)id;
    entry->length = length;
    entry->flags =
        in_round(which, chip.queue[which].used) ? VIRTQ_PACKED_F_AVAIL | VIRTQ_PACKED_F_USED : 0;
    chip.queue[which].used += indirect ? 1 : 2;
}
#else
static uint32_t take(uint32_t which)
{
    const uint32_t size = chip.queue[which].size;
    const struct virtq_avail *avail =
        in_rings(chip.queue[which].area[1], sizeof(*avail) + size * 2 + 2);
    const struct virtq_desc *all = in_rings(chip.queue[which].area[0], size * sizeof(*all));
    if (avail->index == chip.queue[which].taken) {
        return NOBODY;
    }
    const uint32_t id = avail->ring[chip.queue[which].taken++ & (size - 1)];
    fuzz_check(id < size, "a descriptor that there is not");
    const struct virtq_desc *header = &all[id];
    if ((header->flags & VIRTQ_DESC_F_INDIRECT) != 0) {
        all = in_rings(header->address, 2 * sizeof(*all));
        header = all;
    }
    fuzz_check(header->next < size || header->next == 1, "a descriptor that there is not");
    in_rings(header->address, header->length);
    const struct virtq_desc *payload = &all[header->next];
    check_payload(which, payload->address, payload->length, payload->flags);
    return id;
}

static void wish_for_doorbell(uint32_t which, uint8_t about)
{
    const uint32_t size = chip.queue[which].size;
    if (chip.queue[which].ready) {
        struct virtq_used *used = in_rings(chip.queue[which].area[2], sizeof(*used) + size * 8 + 2);
        const uint16_t event = (uint16_t)(chip.queue[which].taken + about % 8);
        used->flags = about / 64 == 3 ? VIRTQ_USED_F_NO_NOTIFY : 0;
        memcpy(&used->ring[size], &event, sizeof(event));
    }
}

static void use(uint32_t which, uint32_t id, uint32_t length)
{
    const uint32_t size = chip.queue[which].size;
    struct virtq_used *used = in_rings(chip.queue[which].area[2], sizeof(*used) + size * 8 + 2);
    used->ring[chip.queue[which].used & (size - 1)] = (struct virtq_used_element){id, length};
    used->index = ++chip.queue[which].used;
}
#endif

/* One chain is used, in any order. False: there is none. */
static bool use_one(uint32_t which, uint8_t order, uint32_t length)
{
    if (!chip.queue[which].ready || (chip.status & VIRTIO_STATUS_DRIVER_OK) == 0 || chip.gone) {
        return false;
    }
    uint32_t *have = chip.queue[which].have;
    for (uint32_t id; chip.queue[which].have_count < VIRTQUEUE_SIZE_MAX;) {
        id = take(which);
        if (id == NOBODY) {
            break;
        }
        have[chip.queue[which].have_count++] = id;
    }
    if (chip.queue[which].have_count == 0) {
        return false;
    }
    const uint32_t at = order % chip.queue[which].have_count;
    const uint32_t id = have[at];
    have[at] = have[--chip.queue[which].have_count];
    use(which, id, length);
    chip.why |= VIRTIO_INTERRUPT_USED;
    return true;
}

static bool device_works(uint8_t how)
{
    if (device_hostile) { /* it does not keep to what was said, so it looks at nothing */
        return false;
    }
    if (how == UINT8_MAX) {
        return use_one(TRANSMITQ, 0, 0);
    }
    switch (how % 8) {
    case 0:
        if (how < 32 && how != 8) {
            wish_for_doorbell(how / 8 % 2, fuzz_u8());
        } else if (how == 8) {
            chip.status |= VIRTIO_STATUS_NEEDS_RESET;
            chip.why |= VIRTIO_INTERRUPT_CONFIG;
        }
        return false;
    case 1:
    case 2:
    case 3:
        return use_one(TRANSMITQ, how / 8, 0);
    default: {
        const uint8_t kind = fuzz_u8();
        const uint32_t length = NET_FRAME_MIN + kind * 1500u / 255;
        return use_one(RECEIVEQ, how / 8,
                       kind % 32 == 31 ? HEADER_LENGTH + kind % 13u : HEADER_LENGTH + length);
    }
    }
}

static void device_errs(uint8_t how)
{
    uint16_t *word = (uint16_t *)fuzz_theirs(rings) + fuzz_u16() % (RINGS_SIZE / 2);
    const uint32_t which = how % 2;
    if (how < 4) {
        chip.why = fuzz_u8();
    } else if (how < 12) {
        *word = fuzz_u16();
    } else if (how < 16) {
        chip.status = fuzz_u8();
    } else if (how < 18) {
        chip.generation++;
    } else if (chip.queue[which].size != 0 && chip.queue[which].size <= VIRTQUEUE_SIZE_MAX &&
               chip.queue[which].area[2] - RINGS_IO < RINGS_SIZE) {
        use(which, fuzz_u8() % 20, how % 3 == 0 ? fuzz_u32() : 72);
    }
}

static microkit_channel device_interrupt(void)
{
    if (chip.why == 0 || chip.gone) {
        return 0;
    }
#ifdef FUZZ_PACKED
    if (device.messages) {
        const bool used = (chip.why & VIRTIO_INTERRUPT_USED) != 0;
        chip.why &= used ? ~VIRTIO_INTERRUPT_USED : 0;
        return used || device.vectors < 2 ? IRQ : IRQ_SECOND;
    }
#endif
    return IRQ;
}

/* ---- the account --------------------------------------------------------------------------- */

static bool driver_runs(void)
{
    return configured;
}

static uint32_t in_queue(const struct virtqueue *q, uint64_t buffer)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; q->slots != 0 && slot < q->size; slot++) {
        n += q->address[slot] - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

static uint32_t driver_has(uint64_t buffer)
{
    uint32_t n = in_queue(&rx, buffer) + in_queue(&tx, buffer);
    for (uint32_t i = 0; i < rx_held_count; i++) {
        n += rx_held[i] == buffer;
    }
    for (uint32_t i = 0; i < tx_held_count; i++) {
        n += tx_held[i] - buffer < NET_BUFFER_SIZE;
    }
    return n;
}

/* ---- an execution -------------------------------------------------------------------------- */

static void offer(uint8_t features, uint8_t kind)
{
    static const uint64_t bits[] = {VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX,
                                    VIRTIO_NET_F_CSUM,      VIRTIO_NET_F_GUEST_CSUM,
                                    VIRTIO_NET_F_MAC,       VIRTIO_F_ORDER_PLATFORM};
    chip.offers = VIRTIO_F_VERSION_1 | VIRTQUEUE_FEATURES;
    for (uint32_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        chip.offers |= (features >> i & 1) != 0 ? bits[i] : 0;
    }
    chip.queue_max = (features & 64) != 0 ? 4 : 16;
    chip.queue_max = kind == 255 ? 0 : kind == 254 ? 1 : kind == 253 ? 11 : chip.queue_max;
    chip.offers &= kind == 252 ? ~VIRTIO_F_VERSION_1 : ~UINT64_C(0);
    chip.refuses = kind == 251;
    chip.never_resets = kind == 250;
    chip.gone = kind == 249;
}

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
    offer(fuzz_u8(), kind);
    const struct net_driver_config good = sddf_net_config;
    sddf_net_config.device.ring_size = kind == 248 ? 2 : 0;
    sddf_net_config.device.region[VIRTIO_REGION_RINGS].size -= kind == 247 ? 64 : 0;
    sddf_net_config.device.region[VIRTIO_REGION_RINGS].size -= kind == 246 ? RINGS_SIZE - 128 : 0;
    sddf_net_config.device.irq[0] = kind == 245 ? MICROKIT_MAX_CHANNELS : IRQ;
    sddf_net_config.data[1].size -= kind == 244;
    sddf_net_config.data_count = kind == 243 ? 1 : REGIONS;
    drive(mode, more);
    sddf_net_config = good;
    if (settles()) {
        check_settled(virtqueue_in_flight(&rx) + rx_held_count);
    }
}
