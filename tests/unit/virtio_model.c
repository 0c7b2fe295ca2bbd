/* SPDX-License-Identifier: BSD-2-Clause */
/* The device model's view of memory, and what it does by itself. */
#include "virtio_model_inside.h"

#define BUFFER   2048u
#define ACCESSES 3000000u /* more than that in one wake-up, and the driver has no end */

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct virtio_model_counts model_counts;
_Alignas(4096) unsigned char model_registers[4096];
_Alignas(4096) unsigned char model_rings[MODEL_RINGS_SIZE];
uint32_t model_content[65536];
uint32_t model_frame_flags[4096];
uint16_t model_frame_length[4096];
uint32_t model_next_flags, model_next_length;
bool model_holds_tx;
struct virtio_model_frame model_last_sent;

struct model model;

static uint32_t buffers;
static uint64_t seed;
static uint32_t wire_left, frame_number;
static bool inside; /* the model itself is at work */

static uint32_t dice(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % sides;
}

/* ---- ring memory as the device sees it ----------------------------------------------------- */

unsigned char *model_ring_at(uint64_t io, uint64_t length)
{
    assert_true(io >= MODEL_RINGS_IO && length <= MODEL_RINGS_SIZE &&
                io - MODEL_RINGS_IO <= MODEL_RINGS_SIZE - length);
    return model_rings + (io - MODEL_RINGS_IO);
}

static uint16_t get16(uint64_t io)
{
    uint16_t value;
    memcpy(&value, model_ring_at(io, 2), 2);
    return value;
}

void model_put16(uint64_t io, uint16_t value)
{
    memcpy(model_ring_at(io, 2), &value, 2);
}

void model_own(uint64_t io, uint64_t length, enum owner who)
{
    memset(model.owner + (model_ring_at(io, length) - model_rings), (int)who, length);
}

static uint64_t avail_flags(const struct queue *q)
{
    return q->area[1];
}
static uint64_t avail_index(const struct queue *q)
{
    return q->area[1] + 2;
}
static uint64_t avail_entry(const struct queue *q, uint16_t i)
{
    return q->area[1] + 4 + 2 * (uint64_t)(i % q->num);
}
static uint64_t used_event(const struct queue *q)
{
    return q->area[1] + 4 + 2 * q->num;
}
uint64_t model_used_flags(const struct queue *q)
{
    return q->area[2];
}
static uint64_t used_index(const struct queue *q)
{
    return q->area[2] + 2;
}
static uint64_t used_entry(const struct queue *q, uint16_t i)
{
    return q->area[2] + 4 + 8 * (uint64_t)(i % q->num);
}
uint64_t model_avail_event(const struct queue *q)
{
    return q->area[2] + 4 + 8 * q->num;
}

/* ---- chains -------------------------------------------------------------------------------- */

static struct desc read_desc(uint64_t io)
{
    struct desc desc;
    memcpy(&desc, model_ring_at(io, sizeof(desc)), sizeof(desc));
    return desc;
}

/* Reads a chain, and checks its form; with `mark`, who has its memory from now on. */
static struct chain read_chain(struct queue *q, uint32_t head, bool mark, enum owner header_owner)
{
    struct chain chain = {.published = true};
    assert_true(head < q->num);
    uint64_t table = q->area[0];
    uint64_t at = table + 16 * (uint64_t)head;
    uint32_t size = q->num;
    struct desc first = read_desc(at);
    if (mark) {
        model_own(at, 16, header_owner == OURS ? OURS : DEVICE_READS);
    }
    if ((first.flags & INDIRECT) != 0) {
        assert_true(has(MODEL_INDIRECT));
        assert_int_equal(first.flags, INDIRECT);
        assert_true(first.length % 16 == 0 && first.length != 0);
        table = first.address;
        at = table;
        size = first.length / 16;
        first = read_desc(at);
        if (mark) {
            model_own(table, 16 * (uint64_t)size, header_owner == OURS ? OURS : DEVICE_READS);
        }
    }
    assert_true(size <= (model.options.queue_max[q - model.queues] > 2
                             ? model.options.queue_max[q - model.queues]
                             : 2));
    for (unsigned i = 0; i < 2; i++) {
        chain.part[i] = i == 0 ? first : read_desc(at);
        if (mark) {
            model_own(at, 16, header_owner == OURS ? OURS : DEVICE_READS);
        }
        assert_true((chain.part[i].flags & INDIRECT) == 0);
        assert_true(((chain.part[i].flags & NEXT) != 0) == (i == 0));
        assert_true(((chain.part[i].flags & WRITE) != 0) == (q == &model.queues[MODEL_RX]));
        assert_true((chain.part[i].flags & ~(NEXT | WRITE)) == 0);
        if (i == 0) {
            assert_true(chain.part[0].next < size);
            at = table + 16 * (uint64_t)chain.part[0].next;
        }
    }
    if (mark) {
        model_own(chain.part[0].address, chain.part[0].length, header_owner);
    }
    return chain;
}

void model_check_chain(const struct queue *q, const struct chain *chain)
{
    const struct desc *payload = &chain->part[1];
    assert_int_equal(chain->part[0].length, 12);
    const unsigned char *at = model_ring_at(chain->part[0].address, 12);
    if (q == &model.queues[MODEL_RX]) {
        /* 5.1.6.3.1, and whole buffers here */
        assert_true(12 + payload->length >= 1526);
        assert_true(payload->address >= MODEL_RX_IO &&
                    payload->address - MODEL_RX_IO <= (uint64_t)buffers * BUFFER - BUFFER);
        assert_true((payload->address - MODEL_RX_IO) % BUFFER == 0 && payload->length <= BUFFER);
        return;
    }
    assert_true(payload->length >= 14 && payload->length <= 1514);
    assert_true(payload->address >= MODEL_TX_IO &&
                payload->address - MODEL_TX_IO <= (uint64_t)buffers * BUFFER - payload->length);
    struct {
        uint8_t flags, gso_type;
        uint16_t header_length, gso_size, start, offset, count;
    } header;
    memcpy(&header, at, 12);
    assert_true(header.flags == 0 || (header.flags == 1 && has(MODEL_CSUM)));
    assert_true(header.gso_type == 0 && header.header_length == 0 && header.gso_size == 0 &&
                header.count == 0);
    if (header.flags == 0) {
        assert_true(header.start == 0 && header.offset == 0);
    } else {
        assert_true((uint32_t)header.start + header.offset + 2 <= payload->length);
    }
}

/* The driver has stored the available index. */
static void publish(struct queue *q, uint16_t index)
{
    assert_true((uint16_t)(index - q->published) <= q->num);
    for (; q->published != index; q->published++) {
        const uint16_t head = get16(avail_entry(q, q->published));
        assert_true(head < q->num && !q->chain[head].published);
        q->chain[head] =
            read_chain(q, head, true, q == &model.queues[MODEL_RX] ? DEVICE_WRITES : DEVICE_READS);
        q->chain[head].place = q->published;
        model_own(avail_entry(q, q->published), 2, DEVICE_READS);
        model_check_chain(q, &q->chain[head]);
    }
    assert_true((uint16_t)(q->published - q->used) <= q->num);
    if (model.options.wants_no_doorbells && has(MODEL_EVENT_IDX)) {
        model_put16(model_avail_event(q), (uint16_t)(index + 0x8000));
    }
}

static bool take(struct queue *q)
{
    if (has(MODEL_PACKED)) {
        return model_packed_take(q);
    }
    if (q->taken == q->published) {
        return false;
    }
    const uint16_t head = get16(avail_entry(q, q->taken));
    assert_true(head < q->num);
    struct chain *chain = &q->chain[head];
    assert_true(chain->published && !chain->taken && chain->place == q->taken);
    struct chain again = read_chain(q, head, false, OURS);
    assert_memory_equal(again.part, chain->part, sizeof(again.part));
    chain->taken = true;
    model_own(avail_entry(q, q->taken), 2, OURS); /* read, and not looked at again */
    q->have[q->have_count++] = head;
    q->taken++;
    return true;
}

static void interrupt(uint32_t why)
{
    model.interrupt_status |= why;
    model_counts.interrupts++;
    model_transport_interrupt(why);
}

static void use_entry(struct queue *q, uint32_t id, uint32_t length)
{
    if (has(MODEL_PACKED)) {
        model_packed_use(q, id, length);
        return;
    }
    uint32_t element[2] = {id, length};
    memcpy(model_ring_at(used_entry(q, q->used), 8), element, 8);
    q->used++;
}

/* 2.7.7.2: the index, and then an interrupt if the driver wants one. */
static void use_publish(struct queue *q, uint16_t before)
{
    if (has(MODEL_PACKED)) {
        if (model_packed_interrupts(q, before)) {
            interrupt(1);
        }
        return;
    }
    model_put16(used_index(q), q->used);
    bool wanted = has(MODEL_EVENT_IDX) ? (uint16_t)(q->used - get16(used_event(q)) - 1) <
                                             (uint16_t)(q->used - before)
                                       : (get16(avail_flags(q)) & 1) == 0;
    if (has(MODEL_EVENT_IDX)) {
        assert_int_equal(get16(avail_flags(q)), 0);
    } else {
        assert_true(get16(avail_flags(q)) <= 1);
    }
    if (wanted) {
        interrupt(1);
    }
}

/* A chain's memory is the driver's again. */
static void take_back(struct queue *q, uint32_t id)
{
    if (has(MODEL_PACKED)) {
        model_packed_return(q, id);
    } else {
        read_chain(q, id, true, OURS);
    }
}

static void give_back(struct queue *q, uint32_t which, uint32_t length)
{
    const uint16_t head = q->have[which];
    struct chain *chain = &q->chain[head];
    take_back(q, head);
    chain->published = chain->taken = false;
    q->have_count--;
    memmove(&q->have[which], &q->have[which + 1], (q->have_count - which) * sizeof(q->have[0]));
    use_entry(q, head, length);
}

/* ---- what the device does ------------------------------------------------------------------ */

/* 2.7.10: nothing more to do, so ask for a doorbell, and look again. */
static void fall_asleep(struct queue *q)
{
    if (model.options.sleeps) {
        q->awake = false;
        if (has(MODEL_PACKED)) {
            model_packed_doorbells(q, true);
        } else if (has(MODEL_EVENT_IDX)) {
            model_put16(model_avail_event(q), q->taken);
        } else {
            model_put16(model_used_flags(q), 0);
        }
        /* (The driver does nothing in between, so there is nothing to see in a second look.) */
    }
}

static void send(void)
{
    struct queue *q = &model.queues[MODEL_TX];
    if (q->awake) {
        for (uint32_t n = 1 + dice(q->num); n > 0 && take(q); n--) {
        }
        if (q->taken == q->published) {
            fall_asleep(q);
        }
    }
    if (model_holds_tx || q->have_count == 0) {
        return;
    }
    const uint16_t before = q->used;
    for (uint32_t n = 1 + dice(q->have_count); n > 0; n--) {
        const uint32_t which = model.options.any_order ? dice(q->have_count) : 0;
        const struct chain *chain = &q->chain[q->have[which]];
        model_last_sent.address = chain->part[1].address;
        model_last_sent.length = chain->part[1].length;
        memcpy(model_last_sent.header, model_ring_at(chain->part[0].address, 12), 12);
        model_counts.sent++;
        /* 2.7.8.2 lets the length be anything where nothing was written. */
        give_back(q, which, model.options.any_order ? dice(4000) : 0);
    }
    use_publish(q, before);
}

static void receive(void)
{
    struct queue *q = &model.queues[MODEL_RX];
    const uint16_t before = q->used;
    for (uint32_t n = 1 + dice(8); n > 0 && wire_left > 0; n--) {
        while (q->have_count < (model.options.any_order ? 4 : 1) && take(q)) {
        }
        if (q->have_count == 0) {
            fall_asleep(q);
            break;
        }
        const uint32_t which = model.options.any_order ? dice(q->have_count) : 0;
        const struct chain *chain = &q->chain[q->have[which]];
        const uint32_t number = frame_number++;
        const uint32_t length = model_next_length != 0 ? model_next_length : 14 + dice(1501);
        /* 5.1.6.4: gso_type none, num_buffers 1 */
        uint32_t header[3] = {has(MODEL_GUEST_CSUM) ? model_next_flags : 0, 0, 1u << 16};
        memcpy(model_ring_at(chain->part[0].address, 12), header, 12);
        model_content[(chain->part[1].address - MODEL_RX_IO) / BUFFER] = number;
        model_frame_flags[number % 4096] = header[0];
        model_frame_length[number % 4096] = (uint16_t)length;
        give_back(q, which, length + 12);
        wire_left--;
        model_counts.received++;
    }
    if (q->used != before) {
        use_publish(q, before);
    }
}

void virtio_model_step(void)
{
    if (!virtio_model_live()) {
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

void virtio_model_finish(void)
{
    for (uint32_t i = 0; i < 4096; i++) {
        virtio_model_step();
    }
}

void model_accessed(void)
{
    assert_true(++model_counts.accesses < ACCESSES);
    if (model.options.racy && !inside && dice(8) == 0) {
        virtio_model_step();
    }
}

/* ---- ring memory as the driver sees it ----------------------------------------------------- */

static uint64_t io_of(const void *word, uint32_t width)
{
    model_accessed();
    const uintptr_t offset = (uintptr_t)word - (uintptr_t)model_rings;
    assert_true(offset < MODEL_RINGS_SIZE && offset % width == 0);
    return MODEL_RINGS_IO + offset;
}

static bool in_used_ring(const struct queue *q, uint64_t io)
{
    return q->ready && io >= q->area[2] && io < model_avail_event(q) + 2;
}

static void loaded(uint64_t io, uint32_t width)
{
    for (unsigned i = 0; i < 2; i++) {
        struct queue *q = &model.queues[i];
        if (q->ready && has(MODEL_PACKED)) {
            if (model_packed_loaded(q, io, width)) {
                return;
            }
            continue;
        }
        if (!in_used_ring(q, io)) {
            continue;
        }
        if (io == used_index(q)) {
            assert_false(model.owes_register_barrier);
            if (!q->owes_look_barrier) {
                q->owes_last_look = false;
            }
            if (get16(io) != q->looked) {
                q->looked = get16(io);
                q->owes_after_index = true;
            }
        } else if (io == model_avail_event(q)) {
            assert_true(has(MODEL_EVENT_IDX) && !q->owes_look_barrier);
        } else if (io == model_used_flags(q)) {
            assert_true(!has(MODEL_EVENT_IDX) && !q->owes_look_barrier);
        } else {
            /* Identifiers in the order in which they were used, and a length behind each or not. */
            const uint32_t entry = (uint32_t)((io - q->area[2] - 4) / 8);
            assert_false(q->owes_after_index);
            if ((io - q->area[2] - 4) % 8 == 0) {
                assert_true(q->read != q->looked && entry == q->read % q->num);
                q->read++;
            } else {
                assert_true(entry == (uint16_t)(q->read - 1) % q->num);
            }
        }
        return;
    }
    assert_int_equal(model.owner[io - MODEL_RINGS_IO],
                     OURS); /* a header that the device has written */
    assert_false(model.queues[MODEL_RX].owes_after_index);
}

static void stored(uint64_t io, uint64_t value, uint32_t width)
{
    const enum owner who = model.owner[io - MODEL_RINGS_IO];
    assert_true(who == OURS);
    for (unsigned i = 0; i < 2; i++) {
        struct queue *q = &model.queues[i];
        if (!q->ready) {
            continue;
        }
        if (has(MODEL_PACKED)) {
            if (model_packed_stored(q, io, value, width)) {
                return;
            }
            continue;
        }
        if (io == avail_index(q)) {
            assert_false(model.owes_index_barrier);
            q->owes_doorbell_barrier = true;
            q->owes_look_barrier = true;
            publish(q, (uint16_t)value);
            return;
        }
        if (io == avail_flags(q) || io == used_event(q)) {
            assert_true((io == used_event(q)) == has(MODEL_EVENT_IDX));
            q->owes_look_barrier = true;
            /* 2.7.7: is this a wish that what the driver has given can fulfil? */
            const uint16_t after = (uint16_t)(value + 1 - q->read);
            q->owes_last_look = has(MODEL_EVENT_IDX) ? after <= (uint16_t)(q->published - q->read)
                                                     : value == 0 && q->published != q->read;
            return;
        }
    }
    model.owes_index_barrier = true;
}

uint16_t sddf_device_load16(const uint16_t *word)
{
    loaded(io_of(word, 2), 2);
    return *word;
}

uint32_t sddf_device_load32(const uint32_t *word)
{
    loaded(io_of(word, 4), 4);
    return *word;
}

uint64_t sddf_device_load64(const uint64_t *word)
{
    loaded(io_of(word, 8), 8);
    return *word;
}

void sddf_device_store16(uint16_t *word, uint16_t value)
{
    const uint64_t io = io_of(word, 2);
    *word = value;
    stored(io, value, 2);
}

void sddf_device_store32(uint32_t *word, uint32_t value)
{
    const uint64_t io = io_of(word, 4);
    *word = value;
    stored(io, value, 4);
}

void sddf_device_store64(uint64_t *word, uint64_t value)
{
    const uint64_t io = io_of(word, 8);
    *word = value;
    stored(io, value, 8);
}

/* ---- barriers ------------------------------------------------------------------------------ */

void sddf_device_before_index(void)
{
    model.owes_index_barrier = false;
}

void sddf_device_after_index(void)
{
    model.queues[0].owes_after_index = model.queues[1].owes_after_index = false;
}

void sddf_device_store_then_look(void)
{
    model.queues[0].owes_look_barrier = model.queues[1].owes_look_barrier = false;
}

void sddf_device_before_doorbell(void)
{
    model.queues[0].owes_doorbell_barrier = model.queues[1].owes_doorbell_barrier = false;
}

void sddf_device_after_register(void)
{
    model.owes_register_barrier = false;
}

/* ---- for tests ----------------------------------------------------------------------------- */

void virtio_model_power_on(const struct virtio_model_options *o, uint32_t buffer_count)
{
    model.options = *o;
    buffers = buffer_count;
    seed = 88172645463325252u ^ ((uint64_t)o->seed << 17);
    memset(&model_counts, 0, sizeof(model_counts));
    memset(model_rings, 0xa5, MODEL_RINGS_SIZE);
    memset(model_content, 0xff, sizeof(model_content));
    model_next_flags = model_next_length = 0;
    model_holds_tx = false;
    wire_left = frame_number = 0;
    model_forget();
    model_transport_power_on();
}

void virtio_model_wire(uint32_t frames)
{
    wire_left += frames;
}

uint32_t virtio_model_wire_left(void)
{
    return wire_left;
}

bool virtio_model_interrupts(void)
{
    return model.interrupt_status != 0;
}

void virtio_model_driver_sleeps(void)
{
    for (unsigned i = 0; i < 2 && virtio_model_live(); i++) {
        assert_false(model.queues[i].owes_last_look);
    }
}

uint32_t virtio_model_in_flight(unsigned queue)
{
    return (uint16_t)(model.queues[queue].published - model.queues[queue].used);
}

bool virtio_model_live(void)
{
    return (model.status & (DRIVER_OK | NEEDS_RESET | FAILED)) == DRIVER_OK;
}

uint64_t virtio_model_features(void)
{
    return model.features;
}

uint32_t virtio_model_queue_size(unsigned queue)
{
    return model.queues[queue].num;
}

void virtio_model_needs_reset(void)
{
    model.status |= NEEDS_RESET;
    interrupt(2);
}

void virtio_model_never_resets(void)
{
    model.options.reset_reads = UINT32_MAX;
}

void virtio_model_lie(unsigned queue, uint32_t id, uint32_t length, uint16_t by)
{
    struct queue *q = &model.queues[queue];
    if (id < q->num && q->chain[id].published) {
        take_back(q, id); /* so far it is true */
        q->chain[id].published = false;
    }
    use_entry(q, id, length);
    if (has(MODEL_PACKED)) { /* the same again and again, once round at most */
        for (uint32_t i = 1; i < by && i < q->num; i++) {
            use_entry(q, id, length);
        }
        interrupt(1);
        return;
    }
    q->used = (uint16_t)(q->used + by - 1);
    model_put16(used_index(q), q->used);
    interrupt(1);
}

uint32_t virtio_model_some_head(unsigned queue)
{
    const struct queue *q = &model.queues[queue];
    for (uint32_t i = 0; i < q->num; i++) {
        if (q->chain[i].published) {
            return i;
        }
    }
    return UINT32_MAX;
}
