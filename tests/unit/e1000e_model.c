/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sddf/device.h"

#include "e1000e_model.h"

#define BUFFER   2048u
#define RING_MAX 1024u
#define ACCESSES 3000000u /* more than that in one wake-up, and the driver has no end */

/* The datasheet's, written down a second time on purpose: the driver has its own. */
enum {
    CTRL = 0x0,
    STATUS = 0x8,
    CTRL_EXT = 0x18,
    ICR = 0xc0,
    ITR = 0xc4,
    IMS = 0xd0,
    IMC = 0xd8,
    EIAC = 0xdc,
    IAM = 0xe0,
    IVAR = 0xe4,
    EITR0 = 0xe8,
    EITR4 = 0xf8,
    RCTL = 0x100,
    TCTL = 0x400,
    RD = 0x2800,
    RXDCTL = 0x2828,
    TD = 0x3800,
    TXDCTL = 0x3828,
    STATS = 0x4000,
    STATS_END = 0x4128,
    MPC = 0x4010,
    RXCSUM = 0x5000,
    RFCTL = 0x5008,
    MTA = 0x5200,
    MTA_END = 0x5400,
    RAL = 0x5400,
    RAH = 0x5404,
};
/* From a ring's first register on */
enum { BAL = 0x0, BAH = 0x4, LEN = 0x8, HEAD = 0x10, TAIL = 0x18, DELAY = 0x20, ABSOLUTE = 0x2c };

enum {
    TXDW = 1 << 0,
    LSC = 1 << 2,
    RXO = 1 << 6,
    RXT0 = 1 << 7,
    RXQ0 = 1 << 20,
    TXQ0 = 1 << 22,
    OTHER = 1 << 24,
    CAUSES = TXDW | LSC | RXO | RXT0 | RXQ0 | TXQ0 | OTHER
};

#define DONE        (UINT64_C(1) << 32)
#define EOP         (UINT64_C(1) << 33) /* receive */
#define TX_EOP_IFCS (UINT64_C(3) << 24)
#define TX_RS       (UINT64_C(1) << 27)

struct descriptor {
    uint64_t address, rest;
};

struct ring {
    uint64_t base;
    uint32_t bytes, size;
    uint32_t head, tail;   /* as registers: the device has what is between them */
    bool device[RING_MAX]; /* has it */
    bool done[RING_MAX];   /* written back, and that has been seen */
    bool fresh[RING_MAX];  /* written back, and "done" not seen yet */
    struct descriptor was[RING_MAX];
};

struct e1000e_model_counts model_counts;
_Alignas(4096) unsigned char model_registers[MODEL_REGISTERS_SIZE];
_Alignas(4096) unsigned char model_rings[MODEL_RINGS_SIZE];
uint32_t model_content[65536];
uint16_t model_frame_length[4096];
uint16_t model_next_status;
uint32_t model_next_length, model_missed;
bool model_holds_tx;
uint64_t model_sent_address;
uint32_t model_sent_length;

static struct {
    struct e1000e_model_options options;
    struct ring rings[2];
    uint32_t ctrl, ctrl_ext, icr, ims, eiac, iam, ivar, rctl, tctl;
    uint32_t going_down, mastering; /* reads until they are done */
    bool mta[128], stats[(STATS_END - STATS) / 4];
    bool masked, link;
    bool lied; /* who has which descriptor cannot be said any more, until a reset */
    bool owes_doorbell, owes_after_index;
    bool message[2];
} model;

static uint32_t buffers;
static uint64_t seed;
static uint32_t wire_left, frame_number;
static bool inside, removed;

static uint32_t dice(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % sides;
}

/* ---- interrupts ---------------------------------------------------------------------------- */

/* 7.4.2: a message for each vector that has a cause, which EIAC clears and masks. */
static void send_messages(void)
{
    if ((model.icr & (LSC | RXO)) != 0) {
        model.icr |= OTHER;
    }
    const uint32_t causes = model.icr & model.ims;
    if (!model.options.vectors) {
        model.message[0] = causes != 0; /* a level, which the read of ICR takes away */
        return;
    }
    static const struct {
        uint32_t cause, shift;
    } places[] = {{RXQ0, 0}, {TXQ0, 8}, {OTHER, 16}};
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t place = model.ivar >> places[i].shift & 15;
        if ((causes & places[i].cause) != 0) {
            assert_true(place == 8 || place == 9);
            model.message[place - 8] = true;
            model_counts.messages++;
            model.icr &= ~(places[i].cause & model.eiac);
            model.ims &= ~(places[i].cause & model.eiac);
        }
    }
}

static void cause(uint32_t causes)
{
    model.icr |= causes;
    send_messages();
}

/* ---- rings --------------------------------------------------------------------------------- */

static struct descriptor *at(const struct ring *r, uint32_t slot)
{
    return (struct descriptor *)(model_rings + (r->base - MODEL_RINGS_IO)) + slot;
}

static void check_descriptor(const struct ring *r, const struct descriptor *d)
{
    if (r == &model.rings[MODEL_RX]) {
        assert_true(d->address >= MODEL_RX_IO &&
                    d->address - MODEL_RX_IO <= (uint64_t)buffers * BUFFER - BUFFER);
        assert_int_equal((d->address - MODEL_RX_IO) % BUFFER, 0);
        assert_true(d->rest == 0);
        return;
    }
    const uint32_t length = d->rest & 0xffff;
    assert_true(length >= 14 && length <= 1514);
    assert_true(d->address >= MODEL_TX_IO &&
                d->address - MODEL_TX_IO <= (uint64_t)buffers * BUFFER - length);
    assert_true((d->address - MODEL_TX_IO) % BUFFER <= BUFFER - length);
    assert_true((d->rest & ~TX_RS) == (TX_EOP_IFCS | length));
}

static void write_tail(struct ring *r, uint32_t tail)
{
    assert_true(e1000e_model_live() && tail < r->size);
    assert_false(model.owes_doorbell);
    assert_false(model.owes_after_index);
    uint32_t last = r->size;
    for (; r->tail != tail; r->tail = (r->tail + 1) % r->size) {
        assert_true(model.lied || (!r->device[r->tail] && !r->fresh[r->tail]));
        check_descriptor(r, at(r, r->tail));
        r->was[r->tail] = *at(r, r->tail);
        r->device[r->tail] = true;
        r->done[r->tail] = false;
        last = r->tail;
    }
    assert_true(last != r->size); /* a tail that says nothing is a doorbell for nothing */
    assert_true(model.lied || !r->device[tail]); /* one stays free */
    if (r == &model.rings[MODEL_TX]) {
        assert_true((at(r, last)->rest & TX_RS) != 0);
    }
    model_counts.tails[r - model.rings]++;
    if (model.options.lies_at_once && r == &model.rings[MODEL_RX]) {
        e1000e_model_lie(MODEL_RX, 0, DONE);
    }
}

/* The device is done with the next one, and says so or not. */
static void pass_head(struct ring *r, bool say, uint64_t rest)
{
    const uint32_t slot = r->head;
    if (r->device[slot] && !model.lied && memcmp(at(r, slot), &r->was[slot], 16) != 0) {
        fail_msg("descriptor %u changed while the device had it", slot);
    }
    if (say) {
        at(r, slot)->rest = rest | DONE;
        r->fresh[slot] = true;
    }
    r->device[slot] = false;
    r->head = (slot + 1) % r->size;
}

static void send(void)
{
    struct ring *r = &model.rings[MODEL_TX];
    if (model_holds_tx || !model.link) {
        return;
    }
    bool said = false;
    for (uint32_t n = 1 + dice(64); n > 0 && r->head != r->tail; n--) {
        const struct descriptor d = *at(r, r->head);
        model_sent_address = d.address;
        model_sent_length = d.rest & 0xffff;
        model_counts.sent++;
        pass_head(r, (d.rest & TX_RS) != 0, d.rest);
        said |= (d.rest & TX_RS) != 0;
    }
    if (said) {
        cause(TXDW | TXQ0);
    }
}

static void receive(void)
{
    struct ring *r = &model.rings[MODEL_RX];
    bool said = false;
    for (uint32_t n = 1 + dice(8); n > 0 && wire_left > 0 && r->head != r->tail; n--) {
        const struct descriptor d = *at(r, r->head);
        const uint32_t number = frame_number++;
        const uint32_t length = model_next_length != 0 ? model_next_length : 14 + dice(1501);
        model_content[(d.address - MODEL_RX_IO) / BUFFER] = number;
        model_frame_length[number % 4096] = (uint16_t)length;
        pass_head(r, true, length | EOP | (uint64_t)model_next_status << 32);
        wire_left--;
        model_counts.received++;
        said = true;
    }
    if (said) {
        cause(RXT0 | RXQ0);
    }
}

void e1000e_model_step(void)
{
    if (!e1000e_model_live() || removed) {
        return;
    }
    inside = true;
    if (dice(2) == 0) {
        send();
    } else {
        receive();
    }
    inside = false;
}

void e1000e_model_finish(void)
{
    for (uint32_t i = 0; i < 4096; i++) {
        e1000e_model_step();
    }
}

static void accessed(void)
{
    assert_true(++model_counts.accesses < ACCESSES);
    if (model.options.racy && !inside && dice(8) == 0) {
        e1000e_model_step();
    }
}

/* ---- registers ----------------------------------------------------------------------------- */

static uint32_t offset_of(uintptr_t address)
{
    accessed();
    const uintptr_t offset = address - (uintptr_t)model_registers;
    assert_true(offset < MODEL_REGISTERS_SIZE && offset % 4 == 0);
    return (uint32_t)offset;
}

static void forget(void)
{
    const struct e1000e_model_options options = model.options;
    const bool link = model.link;
    memset(&model, 0, sizeof(model));
    model.options = options;
    model.link = link;
    model.ctrl = 0x00140240 | 1u << 27; /* as some firmware leaves it: flow control, forced speed */
    model.mastering = options.master_reads;
    model.masked = true;
}

static void write_ctrl(uint32_t value)
{
    if ((value & 1u << 26) != 0) {
        assert_true(model.masked);
        const bool never = model.options.master_reads == UINT32_MAX;
        assert_true(never || ((value & model.ctrl & 1u << 2) != 0 && model.mastering == 0));
        forget();
        model.going_down = model.options.reset_reads;
        model.ctrl |= 1u << 26;
        model_counts.resets++;
        removed = model.options.goes_in_resets;
        return;
    }
    assert_true((model.ctrl & 1u << 26) == 0);
    if ((value & 1u << 2) == 0) { /* to go to work with */
        assert_int_equal(value & (1u << 6), 1u << 6);
        assert_int_equal(value & (1u << 7 | 1u << 11 | 1u << 12 | 3u << 27 | 1u << 30), 0);
    }
    model.ctrl = value;
}

static uint32_t read_status(void)
{
    uint32_t status = 0x80081 | (model.link ? 2u : 0); /* 1000 Mb/s, full duplex, a master */
    if ((model.ctrl & 1u << 2) != 0) {
        if (model.mastering == 0) {
            status &= ~(1u << 19);
        } else {
            model.mastering -= model.mastering != UINT32_MAX;
        }
    }
    return status;
}

static void write_rctl(uint32_t value)
{
    /* EN, UPE, BAM, SECRC may be set, and nothing else: no long frames, no bad ones */
    assert_int_equal(value & ~(1u << 1 | 1u << 3 | 1u << 15 | 1u << 26), 0);
    const struct ring *r = &model.rings[MODEL_RX];
    if ((value & 2) != 0) {
        assert_true(r->size != 0 && r->head == 0 && r->tail == 0);
        for (unsigned i = 0; i < 128; i++) {
            assert_true(model.mta[i]);
        }
        for (unsigned i = 0; i < sizeof(model.stats) / sizeof(model.stats[0]); i++) {
            assert_true(model.stats[i]);
        }
    }
    model.rctl = value;
    model_counts.starts += (value & 2) != 0;
}

static void write_ring(struct ring *r, uint32_t offset, uint32_t value)
{
    const bool enabled = r == &model.rings[MODEL_RX] ? model.rctl & 2 : model.tctl & 2;
    if (offset == TAIL && enabled) {
        write_tail(r, value);
        return;
    }
    assert_false(enabled);
    switch (offset) {
    case BAL:
        r->base = (r->base & ~(uint64_t)UINT32_MAX) | value;
        break;
    case BAH:
        r->base = (r->base & UINT32_MAX) | (uint64_t)value << 32;
        break;
    case LEN:
        assert_true(value % 128 == 0 && value != 0 && value <= RING_MAX * 16);
        assert_true(r->base >= MODEL_RINGS_IO && r->base % 16 == 0 &&
                    r->base - MODEL_RINGS_IO + value <= MODEL_RINGS_SIZE);
        r->bytes = value;
        r->size = value / 16;
        break;
    default:
        assert_true(offset == HEAD || offset == TAIL || offset == DELAY || offset == ABSOLUTE);
        assert_int_equal(value, 0);
    }
}

void sddf_device_write32(uintptr_t address, uint32_t value)
{
    const uint32_t offset = offset_of(address);
    model_counts.writes++;
    if (removed || model.options.absent) {
        return;
    }
    assert_true(model.going_down == 0 || offset == CTRL);
    switch (offset) {
    case CTRL:
        write_ctrl(value);
        break;
    case CTRL_EXT:
        assert_int_equal(value & ~(1u << 27 | 1u << 28), 0);
        assert_int_equal((value & 1u << 27) != 0, !model.options.vectors);
        model.ctrl_ext = value;
        break;
    case ICR:
        assert_int_equal(value & ~(uint32_t)CAUSES, 0);
        model.icr &= ~value;
        send_messages();
        break;
    case IMS:
        assert_true(e1000e_model_live());
        assert_int_equal(value & ~(uint32_t)CAUSES, 0);
        model.masked = false;
        model.ims |= value;
        send_messages();
        break;
    case IMC:
        model.masked |= value == UINT32_MAX;
        model.ims &= ~value;
        send_messages();
        break;
    case EIAC:
        assert_int_equal(value, model.options.vectors ? RXQ0 | TXQ0 | OTHER : 0);
        model.eiac = value;
        break;
    case IAM:
        assert_int_equal(value & ~(uint32_t)CAUSES, 0);
        model.iam = value;
        break;
    case IVAR:
        assert_true((value & 15) == 8 && (value >> 8 & 15) == 8 && (value & 0xf0f0) == 0);
        assert_int_equal(value >> 16, model.options.vectors ? 9 : 8);
        model.ivar = value;
        break;
    case RCTL:
        write_rctl(value);
        break;
    case TCTL:
        assert_int_equal(value & ~(2u | 8u | 0xffu << 4 | 0x3ffu << 12), 0);
        assert_true(model.rings[MODEL_TX].size != 0);
        model.tctl = value;
        break;
    case RXDCTL:
        assert_int_equal(value & ~(1u << 24), 0);
        break;
    case TXDCTL:
        assert_int_equal(value & ~(1u << 24), 1u << 22);
        break;
    case RXCSUM:
        assert_int_equal(value & ~(3u << 8), 0);
        break;
    case RFCTL:
        assert_int_equal(value, 0);
        break;
    default:
        if (offset >= MTA && offset < MTA_END) {
            assert_true(value == 0 && (model.rctl & 2) == 0);
            model.mta[(offset - MTA) / 4] = true;
        } else if (offset == ITR || (offset >= EITR0 && offset <= EITR4)) {
            assert_true(value <= 0xffff);
        } else if (offset >= RD && offset <= RD + ABSOLUTE) {
            write_ring(&model.rings[MODEL_RX], offset - RD, value);
        } else if (offset >= TD && offset <= TD + ABSOLUTE) {
            write_ring(&model.rings[MODEL_TX], offset - TD, value);
        } else {
            fail_msg("write of 0x%x to 0x%x", value, offset);
        }
    }
}

uint32_t sddf_device_read32(uintptr_t address)
{
    const uint32_t offset = offset_of(address);
    model_counts.reads++;
    if (removed || model.options.absent) {
        return UINT32_MAX;
    }
    assert_true(model.going_down == 0 || offset == CTRL);
    switch (offset) {
    case CTRL:
        if (model.going_down > 0) {
            model.going_down -= model.going_down != UINT32_MAX;
        } else {
            model.ctrl &= ~(1u << 26);
        }
        return model.ctrl;
    case STATUS:
        return read_status();
    case ICR: {
        assert_true(!model.options.vectors || !e1000e_model_live());
        const uint32_t causes = model.icr;
        if ((causes & model.ims) != 0 && (model.ctrl_ext & 1u << 27) != 0) {
            model.ims &= ~model.iam;
        }
        model.icr = 0;
        send_messages();
        return causes;
    }
    case RAL:
        return 0x12005452;
    case RAH:
        return 0x8000ab34;
    default:
        if (offset >= STATS && offset < STATS_END) {
            model.stats[(offset - STATS) / 4] = true;
            const uint32_t missed = offset == MPC ? model_missed : 0;
            model_missed -= missed;
            return missed;
        }
        fail_msg("read of 0x%x", offset);
        return 0;
    }
}

/* ---- ring memory --------------------------------------------------------------------------- */

/* Which descriptor is this? NULL: it is no ring's yet. */
static struct ring *find(const void *word, uint32_t *slot)
{
    accessed();
    const uintptr_t offset = (uintptr_t)word - (uintptr_t)model_rings;
    assert_true(offset < MODEL_RINGS_SIZE && offset % 8 == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct ring *r = &model.rings[i];
        const uint64_t start = r->base - MODEL_RINGS_IO;
        if (r->size != 0 && offset >= start && offset < start + r->bytes) {
            *slot = (uint32_t)(offset - start) / 16;
            return r;
        }
    }
    return NULL;
}

uint64_t sddf_device_load64(const uint64_t *word)
{
    uint32_t slot;
    struct ring *r = find(word, &slot);
    if (removed || r == NULL) {
        return *word;
    }
    assert_int_equal((uintptr_t)word % 16, 8); /* addresses are not read back */
    if (r->fresh[slot]) {
        r->fresh[slot] = false;
        r->done[slot] = true;
        model.owes_after_index = true;
    } else if (r->done[slot] && r == &model.rings[MODEL_RX]) {
        assert_false(model.owes_after_index);
    }
    return *word;
}

void sddf_device_store64(uint64_t *word, uint64_t value)
{
    uint32_t slot;
    struct ring *r = find(word, &slot);
    if (!removed) {
        assert_non_null(r);
        assert_true(model.lied || (!r->device[slot] && !r->fresh[slot]));
        model.owes_doorbell = true;
    }
    *word = value;
}

void sddf_device_before_doorbell(void)
{
    model.owes_doorbell = false;
}

void sddf_device_after_index(void)
{
    model.owes_after_index = false;
}

/* ---- what such a driver does not need ------------------------------------------------------- */

#define NO_READ(width, type, name)                                                                 \
    type name(uintptr_t address)                                                                   \
    {                                                                                              \
        fail_msg("a %u-bit read of 0x%lx", width, (unsigned long)address);                         \
        return 0;                                                                                  \
    }
NO_READ(8u, uint8_t, sddf_device_read8)
NO_READ(16u, uint16_t, sddf_device_read16)
NO_READ(64u, uint64_t, sddf_device_read64)

#define NO_WRITE(width, type, name)                                                                \
    void name(uintptr_t address, type value)                                                       \
    {                                                                                              \
        fail_msg("a %u-bit write of %lu to 0x%lx", width, (unsigned long)value,                    \
                 (unsigned long)address);                                                          \
    }
NO_WRITE(8u, uint8_t, sddf_device_write8)
NO_WRITE(16u, uint16_t, sddf_device_write16)
NO_WRITE(64u, uint64_t, sddf_device_write64)

/* ---- for tests ----------------------------------------------------------------------------- */

void e1000e_model_power_on(const struct e1000e_model_options *o, uint32_t buffer_count)
{
    model.options = *o;
    model.link = true;
    buffers = buffer_count;
    seed = 88172645463325252u ^ ((uint64_t)o->seed << 17);
    memset(&model_counts, 0, sizeof(model_counts));
    memset(model_rings, 0xa5, MODEL_RINGS_SIZE);
    memset(model_content, 0xff, sizeof(model_content));
    model_next_status = 0;
    model_next_length = model_missed = 0;
    model_holds_tx = removed = false;
    wire_left = frame_number = 0;
    forget();
    model.masked = false; /* who knows what was here before */
}

void e1000e_model_wire(uint32_t frames)
{
    wire_left += frames;
}

uint32_t e1000e_model_wire_left(void)
{
    return wire_left;
}

int e1000e_model_message(void)
{
    for (int i = 0; i < 2; i++) {
        if (model.message[i]) {
            model.message[i] = !model.options.vectors; /* a level stays */
            return i;
        }
    }
    return -1;
}

void e1000e_model_driver_sleeps(void)
{
    if (removed || !e1000e_model_live()) {
        return;
    }
    assert_false(model.owes_after_index);
    assert_true((model.ims & LSC) != 0 &&
                (model.message[1] || (model.ims & OTHER) != 0 || !model.options.vectors));
    /* It has looked at everything, or will hear of it. */
    const struct ring *r = &model.rings[MODEL_RX];
    bool pending = false;
    for (uint32_t i = 0; i < r->size; i++) {
        pending |= r->fresh[i];
    }
    assert_true(!pending || model.message[0] || (model.ims & (RXQ0 | RXT0)) != 0);
}

uint32_t e1000e_model_in_flight(unsigned ring)
{
    const struct ring *r = &model.rings[ring];
    return r->size == 0 ? 0 : (r->tail + r->size - r->head) % r->size;
}

bool e1000e_model_live(void)
{
    return (model.rctl & 2) != 0 && (model.tctl & 2) != 0 && model.going_down == 0;
}

uint32_t e1000e_model_ring_size(unsigned ring)
{
    return model.rings[ring].size;
}

void e1000e_model_link(bool up)
{
    model.link = up;
    cause(LSC);
}

void e1000e_model_overrun(uint32_t missed)
{
    model_missed += missed;
    cause(RXO);
}

void e1000e_model_remove(void)
{
    removed = true;
}

void e1000e_model_never_resets(void)
{
    model.options.reset_reads = UINT32_MAX;
}

void e1000e_model_lie(unsigned ring, uint32_t ahead, uint64_t rest)
{
    struct ring *r = &model.rings[ring];
    const uint32_t slot = (r->head + ahead) % r->size;
    /* Of descriptors that are to say nothing, it does not matter what they say. */
    const bool heard = ring == MODEL_RX || (r->was[slot].rest & TX_RS) != 0;
    at(r, slot)->rest = rest;
    r->was[slot].rest = rest;
    r->fresh[slot] = r->device[slot] && heard && (rest & DONE) != 0;
    r->device[slot] = false;
    if (ahead == 0) {
        r->head = (r->head + 1) % r->size;
    }
    model.lied = true;
    cause(ring == MODEL_RX ? RXT0 | RXQ0 : TXDW | TXQ0);
}

void e1000e_model_jump(unsigned ring, uint32_t n)
{
    for (; n > 0; n--) {
        pass_head(&model.rings[ring], false, 0);
    }
}

void e1000e_model_interrupt(void)
{
    cause(RXT0 | RXQ0);
}
