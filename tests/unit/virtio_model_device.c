/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device model does when its registers are written, however they are reached. */
#include "virtio_model_inside.h"

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

void model_write_status(uint32_t value)
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

uint32_t model_read_status(void)
{
    if (model.going_down > 0) {
        model.going_down--;
        return model.going_down == 0 ? 0 : 0x0f;
    }
    model.agreed_read |= (model.status & FEATURES_OK) != 0;
    return model.status;
}

void model_queue_ready(struct queue *q)
{
    assert_true(q->ready_read && q->max_read && q->num != 0 && q->words == 0x3f);
    assert_true((q->num & (q->num - 1)) == 0);
    assert_true(q->area[0] % 16 == 0 && q->area[1] % 2 == 0 && q->area[2] % 4 == 0);
    const bool packed = has(MODEL_PACKED);
    const uint64_t bytes[3] = {16 * (uint64_t)q->num, packed ? 4 : 6 + 2 * (uint64_t)q->num,
                               packed ? 4 : 6 + 8 * (uint64_t)q->num};
    assert_true(!packed || q->area[1] % 4 == 0); /* 2.8.10.1 */
    for (unsigned i = 0; i < 3; i++) {
        const unsigned char *at = model_ring_at(q->area[i], bytes[i]);
        for (uint64_t j = 0; (packed || i > 0) && j < bytes[i]; j++) {
            assert_int_equal(at[j], 0);
        }
        for (unsigned k = 0; k < i; k++) {
            assert_true(q->area[i] >= q->area[k] + bytes[k] || q->area[k] >= q->area[i] + bytes[i]);
        }
    }
    model_own(q->area[2], bytes[2], DEVICE_AREA);
    q->awake = !model.options.sleeps;
    if (packed) {
        if (model.options.wants_no_doorbells) {
            model_packed_doorbells(q, false);
        }
    } else if (model.options.wants_no_doorbells && has(MODEL_EVENT_IDX)) {
        model_put16(model_avail_event(q), 0x8000);
    } else if (model.options.wants_no_doorbells) {
        model_put16(model_used_flags(q), 1);
    }
    q->ready = true;
}

bool model_setting_up(void)
{
    return (model.status & (FEATURES_OK | DRIVER_OK)) == FEATURES_OK && model.agreed_read;
}

void model_doorbell(uint32_t value)
{
    assert_true((model.status & DRIVER_OK) != 0 && value < 2);
    struct queue *q = &model.queues[value];
    assert_false(q->owes_doorbell_barrier);
    assert_false(model.options.wants_no_doorbells);
    if (model.options.sleeps && value == MODEL_TX && !model.options.racy) {
        assert_false(q->awake); /* 2.7.10.1: one who is awake has not asked for it */
    }
    q->awake = true;
    if (model.options.sleeps && has(MODEL_PACKED)) {
        model_packed_doorbells(q, false);
    } else if (model.options.sleeps && !has(MODEL_EVENT_IDX)) {
        model_put16(model_used_flags(q), 1);
    }
    model_counts.doorbells[value]++;
}

void model_write_address(struct queue *q, uint32_t area, uint32_t high, uint32_t value)
{
    assert_true(model_setting_up() && !q->ready && area < 3 && high < 2);
    q->area[area] = high != 0 ? (q->area[area] & UINT32_MAX) | (uint64_t)value << 32
                              : (q->area[area] & ~(uint64_t)UINT32_MAX) | value;
    q->words |= 1u << (area * 2 + high);
}

uint32_t model_offers(uint32_t which)
{
    assert_true(model.device_sel_written && model.status == (ACKNOWLEDGE | DRIVER_KNOWN));
    return which < 2 ? (uint32_t)(model.options.offers >> (32 * which)) : 0;
}

void model_accept(uint32_t which, uint32_t value)
{
    assert_true(model.driver_sel_written && which < 2);
    assert_int_equal(model.status, ACKNOWLEDGE | DRIVER_KNOWN);
    const uint64_t bits = (uint64_t)value << (32 * which);
    assert_true((bits & ~model.options.offers) == 0);
    model.features |= bits;
}
