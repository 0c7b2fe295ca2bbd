/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device model's registers behind the PCI transport (virtio 1.2, section 4.1): structures that
 * capabilities point to, accesses of each field's own width and no other, vectors that have to be
 * asked for and read back, an ISR status that reading clears, and a doorbell for each queue.
 */
#include "virtio_model_inside.h"

/* Where this device has its structures, in the BAR that is mapped; nothing else is there. */
enum {
    COMMON = 0x100,
    COMMON_SIZE = 0x38,
    ISR = 0x300,
    SPECIFIC = 0x400,
    SPECIFIC_SIZE = 0x18,
    NOTIFY = 0x800,
    NOTIFY_SIZE = 0x40,
    NOTIFY_STEP = 8,
    BAR = 4
};

/* 4.1.4.3, written down a second time on purpose: the driver has its own. */
enum {
    DEVICE_SEL = 0x00,
    DEVICE_FEATURES = 0x04,
    DRIVER_SEL = 0x08,
    DRIVER_FEATURES = 0x0c,
    CONFIG_VECTOR = 0x10,
    NUM_QUEUES = 0x12,
    STATUS = 0x14,
    GENERATION = 0x15,
    QUEUE_SEL = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFF = 0x1e,
    QUEUE_ADDRESSES = 0x20,
};

#define NO_VECTOR 0xffffu

_Alignas(4096) unsigned char model_config[MODEL_CONFIG_SIZE];

static uint32_t device_sel, driver_sel, queue_sel, config_vector, queue_vector[2];
static uint32_t generation_reads;
static bool message[2], removed;

/* ---- the configuration space --------------------------------------------------------------- */

static unsigned char *put(unsigned char *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *at++ = (unsigned char)(value >> 8 * i);
    }
    return at;
}

void virtio_model_capability(uint8_t at, uint8_t next, struct virtio_model_capability c)
{
    unsigned char *p = &model_config[at];
    p = put(p, 0x09, 1);
    p = put(p, next, 1);
    p = put(p, c.type == 2 ? 20 : 16, 1);
    p = put(p, c.type, 1);
    p = put(p, c.bar, 1);
    p = put(p, 0, 3);
    p = put(p, c.offset, 4);
    p = put(p, c.length, 4);
    if (c.type == 2) {
        put(p, c.multiplier, 4);
    }
}

/* PCI 3.0, 6.1 and 6.7; a list of capabilities as QEMU has it, the table of messages in front. */
static void fill_config(void)
{
    memset(model_config, 0, sizeof(model_config));
    put(&model_config[0x00], 0x1af4, 2);
    put(&model_config[0x02], model.options.version == 2 ? 0x1040 + model.options.device_id : 0x1000,
        2);
    put(&model_config[0x2e], model.options.device_id, 2);
    put(&model_config[0x34], 0x98, 1);
    put(&model_config[0x98], 0x11, 1);
    put(&model_config[0x9a], model.options.messages ? 0x8001 : 0x0001, 2);
    if (model.options.version != 2) {
        return; /* a legacy device: the end of the list */
    }
    put(&model_config[0x99], 0x84, 1);
    const struct virtio_model_capability all[] = {
        {.type = 5, .bar = 0},
        {.type = 2, .bar = BAR, .offset = NOTIFY, .length = NOTIFY_SIZE, .multiplier = NOTIFY_STEP},
        {.type = 4, .bar = BAR, .offset = SPECIFIC, .length = SPECIFIC_SIZE},
        {.type = 3, .bar = BAR, .offset = ISR, .length = 1},
        {.type = 1, .bar = BAR, .offset = COMMON, .length = COMMON_SIZE},
    };
    static const uint8_t places[] = {0x84, 0x70, 0x60, 0x50, 0x40, 0};
    for (unsigned i = 0; i < 5; i++) {
        virtio_model_capability(places[i], places[i + 1], all[i]);
    }
}

void model_transport_power_on(void)
{
    config_vector = queue_vector[0] = queue_vector[1] = NO_VECTOR;
    message[0] = message[1] = removed = false;
    generation_reads = 0;
    fill_config();
}

/* ---- interrupts ---------------------------------------------------------------------------- */

void model_transport_interrupt(uint32_t why)
{
    if (!model.options.messages) {
        return; /* a level: virtio_model_interrupts */
    }
    /* 4.1.5.1.2: for each event the vector that the driver gave it; its interrupts are these. */
    const uint32_t vector = (why & 2) != 0 ? config_vector : queue_vector[0];
    if (vector != NO_VECTOR) {
        assert_true(vector < 2);
        message[vector] = true;
    }
}

int virtio_model_message(void)
{
    for (int i = 0; i < 2; i++) {
        if (message[i]) {
            message[i] = false;
            return i;
        }
    }
    return -1;
}

void virtio_model_remove(void)
{
    removed = true;
    model.status = 0; /* and so it does nothing by itself any more */
}

/* ---- registers ----------------------------------------------------------------------------- */

/* In which structure, and where in it. */
static uint32_t offset_in(uintptr_t address, uint32_t start, uint32_t size, uint32_t width)
{
    const uintptr_t offset = address - (uintptr_t)model_registers - start;
    if (offset >= size || width > size - offset) {
        return UINT32_MAX;
    }
    assert_int_equal(offset % width, 0);
    return (uint32_t)offset;
}

static struct queue *selected(void)
{
    return &model.queues[queue_sel % 2];
}

/* A reset takes vectors and selections away, too. */
static void write_status(uint8_t value)
{
    if (value == 0) {
        config_vector = queue_vector[0] = queue_vector[1] = NO_VECTOR;
        device_sel = driver_sel = queue_sel = 0;
    }
    if (model.options.messages && (value & DRIVER_OK) != 0 && (value & FAILED) == 0) {
        /* Each vector that there is has been given away: else nobody would hear of it. */
        assert_int_equal(config_vector, model.options.one_vector ? 0 : 1);
        assert_true(queue_vector[0] == 0 && queue_vector[1] == 0);
    }
    model_write_status(value);
}

void sddf_device_write8(uintptr_t address, uint8_t value)
{
    model_accessed();
    if (!removed) {
        assert_int_equal(offset_in(address, COMMON, COMMON_SIZE, 1), STATUS);
        write_status(value);
    }
}

static void doorbell(uintptr_t address, uint16_t value)
{
    const uint32_t at = offset_in(address, NOTIFY, NOTIFY_SIZE, 2);
    assert_true(at != UINT32_MAX && value < 2);
    /* 4.1.4.4: each queue's is where its queue_notify_off says, here the other way round. */
    assert_int_equal(at, (1u - value) * NOTIFY_STEP);
    model_doorbell(value);
}

static uint32_t vector_or_none(uint32_t value)
{
    assert_true(model.options.messages && value < (model.options.one_vector ? 1u : 2u));
    return model.options.refuses_vectors ? NO_VECTOR : value;
}

void sddf_device_write16(uintptr_t address, uint16_t value)
{
    model_accessed();
    if (removed) {
        return;
    }
    struct queue *q = selected();
    const uint32_t offset = offset_in(address, COMMON, COMMON_SIZE, 2);
    switch (offset) {
    case UINT32_MAX:
        doorbell(address, value);
        break;
    case CONFIG_VECTOR:
        config_vector = vector_or_none(value);
        break;
    case QUEUE_SEL:
        assert_true(model_setting_up() && value < 2);
        queue_sel = value;
        break;
    case QUEUE_SIZE:
        assert_true(model_setting_up() && !q->ready && q->max_read);
        assert_true(value <= model.options.queue_max[queue_sel]);
        q->num = value;
        break;
    case QUEUE_VECTOR:
        assert_true(model_setting_up() && !q->ready);
        queue_vector[queue_sel] = vector_or_none(value);
        break;
    case QUEUE_ENABLE:
        assert_true(model_setting_up() && value == 1 && !q->ready); /* 4.1.4.3.2: never 0 */
        model_queue_ready(q);
        break;
    default:
        fail_msg("a 16-bit write to 0x%x of the common configuration", offset);
    }
}

void sddf_device_write32(uintptr_t address, uint32_t value)
{
    model_accessed();
    if (removed) {
        return;
    }
    const uint32_t offset = offset_in(address, COMMON, COMMON_SIZE, 4);
    switch (offset) {
    case DEVICE_SEL:
        device_sel = value;
        model.device_sel_written = true;
        break;
    case DRIVER_SEL:
        driver_sel = value;
        model.driver_sel_written = true;
        break;
    case DRIVER_FEATURES:
        model_accept(driver_sel, value);
        break;
    default:
        assert_true(offset >= QUEUE_ADDRESSES && offset < COMMON_SIZE);
        model_write_address(selected(), (offset - QUEUE_ADDRESSES) / 8,
                            (offset - QUEUE_ADDRESSES) % 8 / 4, value);
    }
}

uint8_t sddf_device_read8(uintptr_t address)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0xab};
    model_accessed();
    if (removed) {
        return UINT8_MAX;
    }
    const uint32_t specific = offset_in(address, SPECIFIC, SPECIFIC_SIZE, 1);
    if (specific != UINT32_MAX) {
        assert_true(specific < 6 && has(MODEL_MAC));
        return mac[specific];
    }
    if (offset_in(address, ISR, 1, 1) == 0) {
        assert_false(model.options.messages); /* 4.1.5.3: with messages it says nothing */
        const uint32_t status = model.interrupt_status;
        model.interrupt_status = 0;
        model.owes_register_barrier = status != 0;
        return (uint8_t)(status | 0xf0); /* 4.1.4.5: the rest is reserved */
    }
    const uint32_t offset = offset_in(address, COMMON, COMMON_SIZE, 1);
    if (offset == GENERATION) {
        return generation_reads++ < 2 ? (uint8_t)generation_reads : 7;
    }
    assert_int_equal(offset, STATUS);
    return (uint8_t)model_read_status();
}

uint16_t sddf_device_read16(uintptr_t address)
{
    model_accessed();
    if (removed) {
        return UINT16_MAX;
    }
    struct queue *q = selected();
    const uint32_t offset = offset_in(address, COMMON, COMMON_SIZE, 2);
    switch (offset) {
    case CONFIG_VECTOR:
        return (uint16_t)config_vector;
    case NUM_QUEUES:
        return model.options.queues != 0 ? model.options.queues : 3;
    case QUEUE_SIZE:
        assert_true(model_setting_up() && q->ready_read);
        q->max_read = true;
        return (uint16_t)model.options.queue_max[queue_sel];
    case QUEUE_VECTOR:
        return (uint16_t)queue_vector[queue_sel];
    case QUEUE_ENABLE:
        q->ready_read = true;
        return q->ready;
    case QUEUE_NOTIFY_OFF:
        return model.options.notify_off != 0 ? model.options.notify_off : (uint16_t)(1 - queue_sel);
    default:
        fail_msg("a 16-bit read of 0x%x of the common configuration", offset);
        return 0;
    }
}

uint32_t sddf_device_read32(uintptr_t address)
{
    model_accessed();
    if (removed) {
        return UINT32_MAX;
    }
    assert_int_equal(offset_in(address, COMMON, COMMON_SIZE, 4), DEVICE_FEATURES);
    return model_offers(device_sel);
}

uint64_t sddf_device_read64(uintptr_t address)
{
    fail_msg("a 64-bit read of 0x%lx", (unsigned long)address); /* 4.1.3.1 */
    return 0;
}

void sddf_device_write64(uintptr_t address, uint64_t value)
{
    fail_msg("a 64-bit write of 0x%lx to 0x%lx", (unsigned long)value, (unsigned long)address);
}
