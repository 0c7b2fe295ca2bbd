/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device model's packed rings (virtio 1.2, section 2.8), where virtio_model.c has split ones.
 * What it wants of the driver besides:
 *
 *   entries     only those that the device does not have are written to, and of those that it has
 * used only such whose identifier the driver has read; a batch's first entry becomes available
 *               last, after before_index; whatever is available is a whole chain, of one entry with
 * an indirect table or of two entries, always alike looks       the flags of entries, and of a used
 * one the rest, after after_index and in turn event words one access for place and flags; flags
 * within what was agreed upon
 */
#include "virtio_model_inside.h"

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 0x80, USED = 0x8000 };
enum { ENABLE, DISABLE, DESC };

static uint32_t step_of(void)
{
    return has(MODEL_INDIRECT) ? 1 : 2;
}

/* Chains are counted since the start; the place of the n-th, and the round that it is in. */
static uint64_t entry_of(const struct queue *q, uint16_t n)
{
    return q->area[0] + 16 * (uint64_t)((uint16_t)(n * step_of()) % q->num);
}

static bool round_of(const struct queue *q, uint16_t n)
{
    return ((uint16_t)(n * step_of()) & q->num) == 0;
}

/* Place and round in one word, as event words have them. */
static uint16_t position_of(const struct queue *q, uint16_t n)
{
    return (uint16_t)((entry_of(q, n) - q->area[0]) / 16 | (round_of(q, n) ? 0x8000 : 0));
}

static struct desc read_entry(uint64_t io)
{
    struct desc desc;
    memcpy(&desc, model_ring_at(io, sizeof(desc)), sizeof(desc));
    return desc;
}

/* `next` is the identifier's place in a split ring's descriptor, `flags` are behind it there. */
static uint16_t id_of(const struct desc *desc)
{
    return desc->flags;
}

static uint16_t flags_of(const struct desc *desc)
{
    return desc->next;
}

static bool is_available(const struct desc *desc, bool round)
{
    return (flags_of(desc) & (AVAIL | USED)) == (round ? AVAIL : USED);
}

/* A part of a chain, as virtio_model.c's checks want it. */
static struct desc part(const struct desc *desc, bool first, bool may_next)
{
    const uint16_t flags = flags_of(desc) & (uint16_t) ~(AVAIL | USED);
    assert_int_equal(flags & NEXT, may_next && first ? NEXT : 0);
    return (struct desc){.address = desc->address,
                         .length = desc->length,
                         .flags = (uint16_t)((flags & WRITE) | (first ? NEXT : 0)),
                         .next = first ? 1 : 0};
}

/* The n-th chain; false: there is none yet. Its identifier in *id; who has its memory, if `mark`.
 */
static bool read_chain(struct queue *q, uint16_t n, struct chain *chain, uint16_t *id, bool mark)
{
    const uint64_t at = entry_of(q, n);
    const struct desc first = read_entry(at);
    *chain = (struct chain){.published = true, .place = n};
    if (!is_available(&first, round_of(q, n))) {
        return false;
    }
    if ((flags_of(&first) & INDIRECT) != 0) {
        assert_true(has(MODEL_INDIRECT));
        assert_int_equal(flags_of(&first) & ~(AVAIL | USED), INDIRECT);
        assert_int_equal(first.length, 32);
        *id = id_of(&first);
        for (unsigned i = 0; i < 2; i++) {
            const struct desc desc = read_entry(first.address + 16 * i);
            chain->part[i] = part(&desc, i == 0, false);
        }
        chain->table = first.address;
    } else {
        assert_false(has(MODEL_INDIRECT)); /* (it would be allowed, but is not always alike) */
        const struct desc second = read_entry(at + 16);
        assert_true(is_available(&second, round_of(q, n)));
        *id = id_of(&second);
        chain->part[0] = part(&first, true, true);
        chain->part[1] = part(&second, false, true);
        assert_true((flags_of(&second) & INDIRECT) == 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(((chain->part[i].flags & WRITE) != 0) == (q == &model.queues[MODEL_RX]));
    }
    if (mark) {
        model_own(at, 16 * (uint64_t)step_of(), DEVICE_READS);
        if (chain->table != 0) {
            model_own(chain->table, 32, DEVICE_READS);
        }
        model_own(chain->part[0].address, chain->part[0].length,
                  q == &model.queues[MODEL_RX] ? DEVICE_WRITES : DEVICE_READS);
    }
    return true;
}

/* The entry at which the device looks next has become available: all that is behind it, too. */
static void publish(struct queue *q)
{
    struct chain chain;
    uint16_t id = 0;
    while ((uint16_t)(q->published - q->used) < q->num / step_of() &&
           read_chain(q, q->published, &chain, &id, true)) {
        assert_true(id < q->num && !q->chain[id].published);
        model_check_chain(q, &chain);
        q->chain[id] = chain;
        q->published++;
    }
}

bool model_packed_take(struct queue *q)
{
    struct chain again;
    uint16_t id = 0;
    if (q->taken == q->published) {
        return false;
    }
    assert_true(read_chain(q, q->taken, &again, &id, false));
    struct chain *chain = &q->chain[id];
    assert_true(chain->published && !chain->taken && chain->place == q->taken);
    assert_memory_equal(again.part, chain->part, sizeof(again.part));
    chain->taken = true;
    q->have[q->have_count++] = id;
    q->taken++;
    return true;
}

/* The chain's memory is the driver's again; its entries are once that has read who was used there.
 */
void model_packed_return(struct queue *q, uint32_t id)
{
    const struct chain *chain = &q->chain[id];
    if (chain->table != 0) {
        model_own(chain->table, 32, OURS);
    }
    model_own(chain->part[0].address, chain->part[0].length, OURS);
}

void model_packed_use(struct queue *q, uint32_t id, uint32_t length)
{
    const uint64_t at = entry_of(q, q->used);
    const uint16_t flags = round_of(q, q->used) ? AVAIL | USED : 0;
    unsigned char *bytes = model_ring_at(at, 16);
    const uint16_t id16 = (uint16_t)id;
    memcpy(bytes + 8, &length, 4);
    memcpy(bytes + 12, &id16, 2);
    memcpy(bytes + 14, &flags, 2);
    model_own(at, 16 * (uint64_t)step_of(), DEVICE_AREA);
    q->used++;
}

void virtio_model_use_out_of_turn(unsigned queue, uint16_t ahead)
{
    const struct queue *q = &model.queues[queue];
    const uint16_t n = (uint16_t)(q->used + ahead);
    const uint16_t flags = round_of(q, n) ? AVAIL | USED : 0;
    memcpy(model_ring_at(entry_of(q, n), 16) + 14, &flags, 2);
}

/* 2.8.10: does the driver want an interrupt for what was used since? */
bool model_packed_interrupts(const struct queue *q, uint16_t before)
{
    uint32_t word;
    memcpy(&word, model_ring_at(q->area[1], 4), 4);
    assert_true(word >> 16 <= (has(MODEL_EVENT_IDX) ? DESC : DISABLE));
    bool wanted = word >> 16 == ENABLE;
    for (uint16_t n = before; n != q->used && word >> 16 == DESC; n++) {
        wanted |= position_of(q, n) == (uint16_t)word;
    }
    return wanted;
}

static void put_event(const struct queue *q, uint32_t word)
{
    memcpy(model_ring_at(q->area[2], 4), &word, 4);
}

void model_packed_doorbells(const struct queue *q, bool wanted)
{
    put_event(q, !wanted                ? (uint32_t)DISABLE << 16
                 : has(MODEL_EVENT_IDX) ? position_of(q, q->taken) | (uint32_t)DESC << 16
                                        : (uint32_t)ENABLE << 16);
}

/* ---- what the driver does ------------------------------------------------------------------ */

/* Of the ring: the flags of an entry, or of a used one its last word. */
static void loaded_entry(struct queue *q, uint64_t io, uint32_t width)
{
    const uint64_t offset = (io - q->area[0]) % 16;
    const uint64_t entry = io - offset;
    if (offset == 14 && width == 2) {
        assert_false(model.owes_register_barrier);
        /* Which one is it, of those that the driver may know of? */
        for (uint16_t n = q->read; n != q->published; n++) {
            if (entry_of(q, n) == entry) {
                if ((uint16_t)(n - q->read) >= (uint16_t)(q->used - q->read)) {
                    if (!q->owes_look_barrier) {
                        q->owes_last_look = false;
                    }
                } else if ((uint16_t)(n + 1 - q->read) > (uint16_t)(q->looked - q->read)) {
                    q->looked = (uint16_t)(n + 1);
                    q->owes_after_index = true;
                    q->owes_last_look = false;
                }
                return;
            }
        }
        fail_msg("flags of an entry that the device has not got");
    }
    assert_true(offset == 8 && width == 8 && !q->owes_after_index);
    assert_true(q->read != q->looked && entry_of(q, q->read) == entry);
    model_own(entry, 16 * (uint64_t)step_of(), OURS);
    q->read++;
}

bool model_packed_loaded(struct queue *q, uint64_t io, uint32_t width)
{
    if (io == q->area[2]) {
        assert_true(width == 4 && !q->owes_look_barrier);
        return true;
    }
    if (io < q->area[0] || io >= q->area[0] + 16 * (uint64_t)q->num) {
        return false;
    }
    loaded_entry(q, io, width);
    return true;
}

bool model_packed_stored(struct queue *q, uint64_t io, uint64_t value, uint32_t width)
{
    if (io == q->area[1]) {
        assert_int_equal(width, 4);
        q->owes_look_barrier = true;
        /* Is this a wish that what the driver has given can fulfil? */
        bool can = false;
        for (uint16_t n = q->read; n != q->published; n++) {
            can |= value >> 16 == DESC && position_of(q, n) == (uint16_t)value;
        }
        q->owes_last_look = can || (value >> 16 == ENABLE && q->published != q->read);
        return true;
    }
    const uint64_t next = entry_of(q, q->published);
    const bool flags = (io == next + 14 && width == 2) || (io == next + 8 && width == 8);
    struct desc entry = read_entry(next);
    if (!flags || (uint16_t)(q->published - q->used) == q->num / step_of() ||
        !is_available(&entry, round_of(q, q->published))) {
        return false;
    }
    assert_false(model.owes_index_barrier);
    q->owes_doorbell_barrier = true;
    q->owes_look_barrier = true;
    publish(q);
    return true;
}
