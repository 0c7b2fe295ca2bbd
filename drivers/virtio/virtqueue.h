/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A split virtqueue (virtio 1.2, section 2.7) for a driver whose buffers all look alike: a header
 * in the driver's own ring memory, and a payload somewhere else, known by its IO address only.
 *
 * A queue has slots, each named by the entry of the descriptor table with which its chain begins.
 * A slot has a header and two descriptors that follow each other, one for the header and one for
 * the payload, and all but the payload's address and length is written once, at the start. The two
 * are
 *
 *   - an indirect table (2.7.5.3), to which the slot's one entry of the descriptor table points for
 *     good, if the device offers indirect descriptors: then there are as many slots as entries;
 *   - two entries of the descriptor table itself, if not: then there are half as many.
 *
 * A queue of one entry therefore works with indirect descriptors only. (2.7.5.3.1 has a chain no
 * longer than the device's queue size; we take this to be QueueNumMax, for which a chain of two
 * must be allowed by any device that takes a header apart from its payload.)
 *
 *      ring memory:  descriptors | indirect tables | headers | available ring | used ring
 *
 * Data ownership. A slot is free, or the device's: from virtqueue_give() until virtqueue_take()
 * finds it in the used ring, or until the device has been reset. Which payload a slot has is
 * remembered privately; descriptors are never read back.
 *
 * Trust. The device is a neighbour. What it says in the used ring is checked against the private
 * records: an index that hands back more than it has, or a slot that is not the device's, marks
 * the queue as broken, and nothing else happens. The driver mends it by a reset.
 *
 * Order of calls in a pass: virtqueue_used and virtqueue_take, then virtqueue_give,
 * then virtqueue_publish, virtqueue_interrupt_after, one sddf_device_store_then_look() for all
 * queues, and then virtqueue_wants_doorbell and virtqueue_has_used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/atomic.h"
#include "sddf/device.h"

#include "virtio.h"

/* Which features this layout of the ring takes, and what a driver that has it says of itself. */
#define VIRTQUEUE_FEATURES UINT64_C(0)
#define VIRTQUEUE_NAME     ""

#define VIRTQUEUE_SIZE_MAX 1024u /* ours; the specification's is 32768 */

/* Bytes per slot for its header, which may be shorter. */
#define VIRTQUEUE_HEADER_SIZE 16u

/* What a slot that is not the device's has for an address. */
#define VIRTQUEUE_NOTHING UINT64_MAX

struct virtqueue {
    /* in ring memory */
    struct virtq_desc *pairs; /* slot s has the two from s << pair_shift on */
    uint32_t *headers;        /* four words for each entry of the descriptor table */
    struct virtq_avail *avail;
    struct virtq_used *used;
    uint16_t *used_event;
    const uint16_t *avail_event;
    /* private */
    uint32_t size; /* entries; a power of two */
    uint32_t slots;
    uint32_t pair_shift;
    uint32_t free_count;
    uint16_t next;      /* index of the next available entry */
    uint16_t published; /* what the shared index says */
    uint16_t rung;      /* up to where a doorbell has been considered */
    uint16_t seen;      /* used entries taken */
    bool event_index;
    bool broken;
    uint16_t free[VIRTQUEUE_SIZE_MAX]; /* slots; the last one is the next to be given */
    /* Of the payload that the device has, by slot; of an entry that is no slot, nothing. */
    uint64_t address[VIRTQUEUE_SIZE_MAX];
};

/* Where things lie, relative to the start of the queue's memory. */
struct virtqueue_layout {
    uint32_t size;
    bool indirect;
    uint32_t tables;
    uint32_t headers;
    uint32_t driver; /* the Driver Area: the available ring */
    uint32_t device; /* the Device Area: the used ring */
    uint32_t bytes;
};

#include "slots.h"

/* size: a power of two, at least 1 if indirect, else 2. */
struct virtqueue_layout virtqueue_layout(uint32_t size, bool indirect);

/*
 * Zeroes and prepares memory of layout->bytes at `memory`, which the device sees at `io_address`;
 * both are multiples of SDDF_CACHE_LINE. All slots are free. The device must not know the memory.
 */
void virtqueue_start(struct virtqueue *q, const struct virtqueue_layout *layout,
                     const struct virtqueue_shape *shape, void *memory, uint64_t io_address);

/* ---- to the device ------------------------------------------------------------------------- */

/*
 * Gives the next slot to the device (which hears of it by virtqueue_publish). There is space. With
 * a length of 0 the payload is as long as it always is in this slot.
 */
static inline void virtqueue_give(struct virtqueue *q, uint64_t address, uint32_t length)
{
    const uint32_t free_count = q->free_count - 1;
    const uint32_t slot = q->free[free_count];
    const uint16_t next = q->next;
    struct virtq_desc *payload = &q->pairs[(slot << q->pair_shift) + 1];
    uint16_t *available = &q->avail->ring[next & (q->size - 1)];
    q->free_count = free_count;
    q->next = (uint16_t)(next + 1);
    q->address[slot] = address;
    sddf_device_store64(&payload->address, address);
    if (length != 0) {
        sddf_device_store32(&payload->length, length);
    }
    sddf_device_store16(available, (uint16_t)slot);
}

/* 2.7.13.3: hands over all that was given. Once per batch. */
static inline void virtqueue_publish(struct virtqueue *q)
{
    if (q->published != q->next) {
        q->published = q->next;
        /* The device that sees the index sees descriptors, headers and ring entries. */
        sddf_device_before_index();
        sddf_device_store16(&q->avail->index, q->published);
    }
}

/*
 * 2.7.10, after sddf_device_store_then_look(): does the device want a doorbell for what was
 * published since the last call?
 */
static inline bool virtqueue_wants_doorbell(struct virtqueue *q)
{
    const uint16_t count = (uint16_t)(q->published - q->rung);
    if (count == 0) {
        return false;
    }
    q->rung = q->published;
    if (q->event_index) {
        const uint16_t event = sddf_device_load16(q->avail_event);
        return (uint16_t)(q->published - event - 1) < count;
    }
    return (sddf_device_load16(&q->used->flags) & VIRTQ_USED_F_NO_NOTIFY) == 0;
}

/* ---- from the device ----------------------------------------------------------------------- */

/*
 * 2.7.7: an interrupt when `count` more entries have been used, at least 1; 0 for none until asked
 * again. Without the event index it may come after fewer. What the device used before it saw this,
 * it may not interrupt for: look with virtqueue_has_used after sddf_device_store_then_look().
 */
static inline void virtqueue_interrupt_after(struct virtqueue *q, uint32_t count)
{
    if (q->event_index) {
        /* None: an index half a turn away, which is asked for anew long before it is reached. */
        const uint32_t event = count == 0 ? q->seen + 0x8000u : q->seen + count - 1;
        sddf_device_store16(q->used_event, (uint16_t)event);
    } else {
        sddf_device_store16(&q->avail->flags, count == 0 ? VIRTQ_AVAIL_F_NO_INTERRUPT : 0);
    }
}

/* Used entries, as far as this is possible: a device that claims more is broken. */
static inline uint32_t virtqueue_pending(struct virtqueue *q)
{
    const uint16_t count = (uint16_t)(sddf_device_load16(&q->used->index) - q->seen);
    if (count > virtqueue_in_flight(q)) {
        q->broken = true;
        return 0;
    }
    return count;
}

/* Have at least so many been used, at least 1? */
static inline bool virtqueue_has_used(struct virtqueue *q, uint32_t count)
{
    return virtqueue_pending(q) >= count;
}

/* How many may be taken. */
static inline uint32_t virtqueue_used(struct virtqueue *q)
{
    const uint32_t count = virtqueue_pending(q);
    /* Used entries, and headers that the device wrote, are not read before the index. */
    sddf_device_after_index();
    return count;
}

/*
 * Takes one of those that virtqueue_used counted. False, and the queue is broken, if it is none
 * that the device has.
 */
static inline bool virtqueue_take(struct virtqueue *q, struct virtqueue_return *out)
{
    const uint16_t seen = q->seen;
    const struct virtq_used_element *element = &q->used->ring[seen & (q->size - 1)];
    const uint32_t slot = sddf_device_load32(&element->id);
    q->seen = (uint16_t)(seen + 1);
    if (slot >= q->size || q->address[slot] == VIRTQUEUE_NOTHING) {
        q->broken = true;
        return false;
    }
    out->address = q->address[slot];
    out->slot = slot;
    out->length = sddf_device_load32(&element->length);
    q->address[slot] = VIRTQUEUE_NOTHING;
    q->free[q->free_count++] = (uint16_t)slot;
    return true;
}
