/* SPDX-License-Identifier: BSD-2-Clause */
/* The device model's registers behind the MMIO transport (virtio 1.2, section 4.2). */
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

void model_transport_power_on(void)
{
    generation_reads = 0;
}

/* The one line that there is goes up: virtio_model_interrupts. */
void model_transport_interrupt(uint32_t why)
{
    (void)why;
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
    case DRIVER_FEATURES:
        model_accept(driver_sel, value);
        break;
    case QUEUE_SEL:
        assert_true(model_setting_up() && value < 2);
        queue_sel = value;
        break;
    case QUEUE_NUM:
        assert_true(model_setting_up() && !q->ready && q->max_read);
        assert_true(value <= model.options.queue_max[queue_sel]);
        q->num = value;
        break;
    case QUEUE_READY:
        assert_true(model_setting_up() && value == 1 && !q->ready);
        model_queue_ready(q);
        break;
    case QUEUE_NOTIFY:
        model_doorbell(value);
        break;
    case INTERRUPT_ACK:
        assert_true(value != 0 && (value & ~model.interrupt_status) == 0);
        model.interrupt_status &= ~value;
        model.owes_register_barrier = true;
        break;
    case STATUS:
        model_write_status(value);
        break;
    default:
        if (offset < DESC || offset >= DEVICE + 8) {
            fail_msg("write to 0x%x", offset);
        }
        model_write_address(q, (offset - DESC) / 16, (offset - DESC) % 16 / 4, value);
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
        return model_offers(device_sel);
    case QUEUE_NUM_MAX:
        assert_true(model_setting_up() && q->ready_read);
        q->max_read = true;
        return model.options.queue_max[queue_sel];
    case QUEUE_READY:
        q->ready_read = true;
        return q->ready;
    case INTERRUPT_STATUS:
        return model.interrupt_status | 0xff00; /* 4.2.2.2: undefined bits are to be ignored */
    case STATUS:
        return model_read_status();
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
