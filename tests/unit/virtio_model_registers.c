/* SPDX-License-Identifier: BSD-2-Clause */
/* The device model's registers. */
#include "virtio_model_inside.h"

/* The specification's, written down a second time on purpose: the driver has its own. */
enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    DEVICE_FEATURES = 0x10,
    DEVICE_SEL = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_NUM_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACK = 0x64,
    STATUS = 0x70,
    DESC = 0x80,
    DRIVER = 0x90,
    DEVICE = 0xa0,
    GENERATION = 0xfc,
    CONFIG = 0x100,
};

static uint32_t device_sel, driver_sel, queue_sel;
static uint32_t generation_reads;

/* ---- registers ----------------------------------------------------------------------------- */

/* Where in the device's registers this is; UINT32_MAX for a transport without a device. */
static uint32_t register_of(uintptr_t address)
{
    model_accessed();
    uintptr_t offset = address - (uintptr_t)model_registers;
    assert_true(offset < 4096);
    if (offset / 0x200 == model.options.before) {
        return (uint32_t)(offset % 0x200);
    }
    assert_true(offset / 0x200 < model.options.before);
    assert_true(offset % 0x200 <= DEVICE_ID);
    return UINT32_MAX;
}

static void check_status_write(uint32_t value)
{
    static const uint32_t steps[] = {ACKNOWLEDGE, ACKNOWLEDGE | DRIVER_KNOWN,
                                     ACKNOWLEDGE | DRIVER_KNOWN | FEATURES_OK,
                                     ACKNOWLEDGE | DRIVER_KNOWN | FEATURES_OK | DRIVER_OK};
    if ((value & FAILED) != 0) {
        assert_int_equal(value & ~(uint32_t)FAILED, model.status);
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (value == steps[i]) {
            assert_int_equal(model.status, i == 0 ? 0 : steps[i - 1]);
            return;
        }
    }
    fail_msg("model.status 0x%x after 0x%x", value, model.status);
}

void model_forget(void)
{
    const struct virtio_model_options options = model.options;
    memset(&model, 0, sizeof(model));
    model.options = options;
}

static void write_status(uint32_t value)
{
    if (value == 0) {
        model_forget();
        model.going_down = model.options.reset_reads;
        model_counts.resets++;
        return;
    }
    assert_int_equal(model.going_down, 0); /* 2.4.2: until it reads 0 */
    check_status_write(value);
    model_counts.failed += (value & FAILED) != 0;
    if ((value & DRIVER_OK) != 0) {
        assert_true(model.agreed_read); /* 3.1.1, step 6 */
        assert_true(model.queues[0].ready && model.queues[1].ready);
        model_counts.starts++;
        if (model.options.lies_at_once) {
            model_put16(model.queues[MODEL_RX].area[2] + 2, 0x8000);
        }
    }
    if ((value & FEATURES_OK) != 0 && model.options.refuses_features) {
        value &= ~(uint32_t)FEATURES_OK;
    }
    model.status = value;
}

static uint32_t read_status(void)
{
    if (model.going_down > 0) {
        model.going_down--;
        return model.going_down == 0 ? 0 : 0x0f;
    }
    model.agreed_read |= (model.status & FEATURES_OK) != 0;
    return model.status;
}

static void queue_ready(struct queue *q)
{
    assert_true(q->ready_read && q->max_read && q->num != 0 && q->words == 0x3f);
    assert_true((q->num & (q->num - 1)) == 0);
    assert_true(q->area[0] % 16 == 0 && q->area[1] % 2 == 0 && q->area[2] % 4 == 0);
    const uint64_t bytes[3] = {16 * (uint64_t)q->num, 6 + 2 * (uint64_t)q->num,
                               6 + 8 * (uint64_t)q->num};
    for (unsigned i = 0; i < 3; i++) {
        const unsigned char *at = model_ring_at(q->area[i], bytes[i]);
        for (uint64_t j = 0; i > 0 && j < bytes[i]; j++) {
            assert_int_equal(at[j], 0);
        }
        for (unsigned k = 0; k < i; k++) {
            assert_true(q->area[i] >= q->area[k] + bytes[k] || q->area[k] >= q->area[i] + bytes[i]);
        }
    }
    model_own(q->area[2], bytes[2], DEVICE_AREA);
    q->awake = !model.options.sleeps;
    if (model.options.wants_no_doorbells && has(MODEL_EVENT_IDX)) {
        model_put16(model_avail_event(q), 0x8000);
    } else if (model.options.wants_no_doorbells) {
        model_put16(model_used_flags(q), 1);
    }
    q->ready = true;
}

static bool setting_up(void)
{
    return (model.status & (FEATURES_OK | DRIVER_OK)) == FEATURES_OK && model.agreed_read;
}

static void ring_doorbell(uint32_t value)
{
    assert_true((model.status & DRIVER_OK) != 0 && value < 2);
    struct queue *q = &model.queues[value];
    assert_false(q->owes_doorbell_barrier);
    assert_false(model.options.wants_no_doorbells);
    if (model.options.sleeps && value == MODEL_TX && !model.options.racy) {
        assert_false(q->awake); /* 2.7.10.1: one who is awake has not asked for it */
    }
    q->awake = true;
    if (model.options.sleeps && !has(MODEL_EVENT_IDX)) {
        model_put16(model_used_flags(q), 1);
    }
    model_counts.doorbells[value]++;
}

static void write_address(struct queue *q, uint32_t offset, uint32_t value)
{
    const uint32_t area = (offset - DESC) / 16;
    const uint32_t high = (offset - DESC) % 16 / 4;
    assert_true(setting_up() && !q->ready && high < 2);
    q->area[area] = high != 0 ? (q->area[area] & UINT32_MAX) | (uint64_t)value << 32
                              : (q->area[area] & ~(uint64_t)UINT32_MAX) | value;
    q->words |= 1u << (area * 2 + high);
}

void sddf_device_write32(uintptr_t address, uint32_t value)
{
    const uint32_t offset = register_of(address);
    struct queue *q = &model.queues[queue_sel % 2];
    switch (offset) {
    case DEVICE_SEL:
        device_sel = value;
        model.device_sel_written = true;
        break;
    case DRIVER_SEL:
        driver_sel = value;
        model.driver_sel_written = true;
        break;
    case DRIVER_FEATURES: {
        assert_true(model.driver_sel_written && driver_sel < 2);
        assert_int_equal(model.status, ACKNOWLEDGE | DRIVER_KNOWN);
        const uint64_t bits = (uint64_t)value << (32 * driver_sel);
        assert_true((bits & ~model.options.offers) == 0);
        model.features |= bits;
        break;
    }
    case QUEUE_SEL:
        assert_true(setting_up() && value < 2);
        queue_sel = value;
        break;
    case QUEUE_NUM:
        assert_true(setting_up() && !q->ready && q->max_read);
        assert_true(value <= model.options.queue_max[queue_sel]);
        q->num = value;
        break;
    case QUEUE_READY:
        assert_true(setting_up() && value == 1 && !q->ready);
        queue_ready(q);
        break;
    case QUEUE_NOTIFY:
        ring_doorbell(value);
        break;
    case INTERRUPT_ACK:
        assert_true(value != 0 && (value & ~model.interrupt_status) == 0);
        model.interrupt_status &= ~value;
        model.owes_register_barrier = true;
        break;
    case STATUS:
        write_status(value);
        break;
    default:
        if (offset < DESC || offset >= DEVICE + 8) {
            fail_msg("write to 0x%x", offset);
        }
        write_address(q, offset, value);
    }
}

uint32_t sddf_device_read32(uintptr_t address)
{
    const uint32_t offset = register_of(address);
    if (offset == UINT32_MAX) {
        const uintptr_t which = (address - (uintptr_t)model_registers) % 0x200;
        return which == MAGIC ? 0x74726976 : which == VERSION ? 2 : 0;
    }
    struct queue *q = &model.queues[queue_sel % 2];
    switch (offset) {
    case MAGIC:
        return 0x74726976;
    case VERSION:
        return model.options.version;
    case DEVICE_ID:
        return model.options.device_id;
    case DEVICE_FEATURES:
        assert_true(model.device_sel_written && model.status == (ACKNOWLEDGE | DRIVER_KNOWN));
        return device_sel < 2 ? (uint32_t)(model.options.offers >> (32 * device_sel)) : 0;
    case QUEUE_NUM_MAX:
        assert_true(setting_up() && q->ready_read);
        q->max_read = true;
        return model.options.queue_max[queue_sel];
    case QUEUE_READY:
        q->ready_read = true;
        return q->ready;
    case INTERRUPT_STATUS:
        return model.interrupt_status | 0xff00; /* 4.2.2.2: undefined bits are to be ignored */
    case STATUS:
        return read_status();
    case GENERATION:
        return generation_reads++ < 2 ? generation_reads : 7;
    default:
        fail_msg("read of 0x%x", offset);
        return 0;
    }
}

uint8_t sddf_device_read8(uintptr_t address)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0xab};
    const uint32_t offset = register_of(address);
    assert_true(offset >= CONFIG && offset < CONFIG + 6 && has(MODEL_MAC));
    return mac[offset - CONFIG];
}

uint16_t sddf_device_read16(uintptr_t address)
{
    fail_msg("a 16-bit read of 0x%lx", (unsigned long)address);
    return 0;
}

uint64_t sddf_device_read64(uintptr_t address)
{
    fail_msg("a 64-bit read of 0x%lx", (unsigned long)address);
    return 0;
}

void sddf_device_write8(uintptr_t address, uint8_t value)
{
    fail_msg("an 8-bit write of 0x%x to 0x%lx", value, (unsigned long)address);
}

void sddf_device_write16(uintptr_t address, uint16_t value)
{
    fail_msg("a 16-bit write of 0x%x to 0x%lx", value, (unsigned long)address);
}

void sddf_device_write64(uintptr_t address, uint64_t value)
{
    fail_msg("a 64-bit write of 0x%lx to 0x%lx", (unsigned long)value, (unsigned long)address);
}
