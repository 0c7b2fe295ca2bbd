/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packed virtqueue (virtio 1.2, section 2.8) with the interface of the split one
 * (../virtqueue.h), whose words about ownership, trust and the order of calls hold here, too. A
 * driver takes the one or the other by its include path.
 *
 * There is one ring: the driver writes descriptors into it, the device writes over them what it has
 * used, and whose an entry is, is said by two bits of its flags, which change their sense each time
 * round. An index here counts entries since the start; its place is the index modulo the ring's
 * size, and the sense of the bits is that of the round that it is in.
 *
 * A slot is
 *
 *   - one entry, which points to the slot's own indirect table (2.8.7) of header and payload, if
 * the device offers indirect descriptors;
 *   - two entries side by side, for header and payload, if not.
 *
 * So all chains take as many entries, and the n-th thing that the device uses stands at the n-th
 * place, whichever slot it is.
 *
 *      ring memory:  ring | indirect tables | headers | driver's event word | device's event word
 *
 * Handing over is by the flags of a batch's first entry, written last: a device that does not see
 * it looks at none behind it (2.8.21).
 *
 * Trust. Only entries that the device has are looked at, so it cannot hand back more than it has.
 * One that hands back a slot that is not its own marks the queue as broken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sddf/atomic.h"
#include "sddf/device.h"

#include "../virtio.h"

#define VIRTQUEUE_FEATURES VIRTIO_F_RING_PACKED
#define VIRTQUEUE_NAME     ", packed"

#define VIRTQUEUE_SIZE_MAX 1024u /* ours; the specification's is 32768 */

/* Bytes per slot for its header, which may be shorter. */
#define VIRTQUEUE_HEADER_SIZE 16u

/* What a slot that is not the device's has for an address. */
#define VIRTQUEUE_NOTHING UINT64_MAX

struct virtqueue {
    /* in ring memory */
    struct virtq_packed_desc *ring;
    struct virtq_packed_desc *tables; /* slot s has the two from 2 s on; NULL: not indirect */
    uint32_t *headers;                /* four words for each slot */
    uint32_t *driver_event;
    const uint32_t *device_event;
    /* private */
    uint64_t tables_io, headers_io;
    /*
     * The last word of what is given next, but for the identifier: of an entry that points to a
     * payload or a table, and of one that points to a header.
     */
    uint64_t entry_word, header_word;
    uint32_t size; /* entries; a power of two */
    uint32_t slots;
    uint32_t step; /* entries of a slot */
    uint32_t free_count;
    uint16_t next;      /* index of the next entry to be given */
    uint16_t published; /* up to where the device has been told */
    uint16_t rung;      /* up to where a doorbell has been considered */
    uint16_t seen;      /* up to where used entries have been taken */
    uint16_t first;     /* the flags that publish what was given since */
    bool event_index;
    bool broken;
    uint16_t free[VIRTQUEUE_SIZE_MAX];    /* slots; the last one is the next to be given */
    uint64_t address[VIRTQUEUE_SIZE_MAX]; /* of the payload that the device has, by slot */
    uint32_t length[VIRTQUEUE_SIZE_MAX];  /* of that, by slot */
};

/* Where things lie, relative to the start of the queue's memory. */
struct virtqueue_layout {
    uint32_t size;
    bool indirect;
    uint32_t tables;
    uint32_t headers;
    uint32_t driver; /* the Driver Area, and ... */
    uint32_t device; /* ... the Device Area */
    uint32_t bytes;
};

#include "../slots.h"

/* As in ../virtqueue.h. */
struct virtqueue_layout virtqueue_layout(uint32_t size, bool indirect);
void virtqueue_start(struct virtqueue *q, const struct virtqueue_layout *layout,
                     const struct virtqueue_shape *shape, void *memory, uint64_t io_address);

/* ---- places and rounds --------------------------------------------------------------------- */

static inline uint32_t virtqueue_place(const struct virtqueue *q, uint16_t index)
{
    return index & (q->size - 1);
}

/* 2.8.1: the wrap counter of the round that the index is in; 1 in the first one. */
static inline bool virtqueue_round(const struct virtqueue *q, uint16_t index)
{
    return (index & q->size) == 0;
}

/* Whose an entry is: of the round, one bit as it is and the other one not; or both alike. */
#define VIRTQUEUE_BITS (VIRTQ_PACKED_F_AVAIL | VIRTQ_PACKED_F_USED)

/* 2.8.1: has the device used this one? It is one that it has. */
static inline bool virtqueue_is_used(const struct virtqueue *q, uint16_t index)
{
    const uint16_t flags = sddf_device_load16(&q->ring[virtqueue_place(q, index)].flags);
    return (flags & VIRTQUEUE_BITS) == (virtqueue_round(q, index) ? VIRTQUEUE_BITS : 0);
}

/* ---- to the device ------------------------------------------------------------------------- */

/* The last word of an entry: length, identifier, flags. */
static inline uint64_t virtqueue_word(uint32_t length, uint32_t id, uint64_t flags)
{
    return length | (uint64_t)id << 32 | flags << 48;
}

/* All of an entry; but its flags not yet, if it is the first one since the last publication. */
static inline void virtqueue_put(struct virtqueue *q, uint16_t index, uint64_t address,
                                 uint64_t word)
{
    struct virtq_packed_desc *entry = &q->ring[virtqueue_place(q, index)];
    sddf_device_store64(&entry->address, address);
    if (index == q->published) {
        q->first = (uint16_t)(word >> 48);
        sddf_device_store32(&entry->length, (uint32_t)word);
        sddf_device_store16(&entry->id, (uint16_t)(word >> 32));
    } else {
        sddf_device_store64(&entry->word, word);
    }
}

static inline void virtqueue_give(struct virtqueue *q, uint64_t address, uint32_t length)
{
    const uint32_t free_count = q->free_count - 1;
    const uint32_t slot = q->free[free_count];
    const uint64_t id = (uint64_t)slot << 32;
    uint16_t next = q->next;
    q->free_count = free_count;
    q->address[slot] = address;
    if (q->tables != NULL) {
        struct virtq_packed_desc *payload = &q->tables[2 * slot + 1];
        sddf_device_store64(&payload->address, address);
        if (length != 0) {
            sddf_device_store32(&payload->length, length);
        }
        virtqueue_put(q, next, q->tables_io + slot * 2 * sizeof(struct virtq_packed_desc),
                      q->entry_word | id);
    } else {
        if (length != 0) {
            q->length[slot] = length;
        }
        virtqueue_put(q, next++, q->headers_io + slot * VIRTQUEUE_HEADER_SIZE, q->header_word | id);
        virtqueue_put(q, next, address, q->entry_word | id | q->length[slot]);
    }
    q->next = ++next;
    if (virtqueue_place(q, next) == 0) { /* the next round */
        q->entry_word ^= virtqueue_word(0, 0, VIRTQUEUE_BITS);
        q->header_word ^= virtqueue_word(0, 0, VIRTQUEUE_BITS);
    }
}

/* 2.8.21.1.1: hands over all that was given. Once per batch. */
static inline void virtqueue_publish(struct virtqueue *q)
{
    if (q->published != q->next) {
        struct virtq_packed_desc *entry = &q->ring[virtqueue_place(q, q->published)];
        q->published = q->next;
        /* The device that sees these flags sees everything that was written before them. */
        sddf_device_before_index();
        sddf_device_store16(&entry->flags, q->first);
    }
}

/* 2.8.21.3.1, after sddf_device_store_then_look(): one load, so that place and flags belong
 * together.
 */
static inline bool virtqueue_wants_doorbell(struct virtqueue *q)
{
    const uint16_t count = (uint16_t)(q->published - q->rung);
    if (count == 0) {
        return false;
    }
    q->rung = q->published;
    const uint32_t word = sddf_device_load32(q->device_event);
    if (!q->event_index || word >> 16 != VIRTQ_PACKED_EVENT_DESC) {
        return word >> 16 != VIRTQ_PACKED_EVENT_DISABLE;
    }
    /* The index with that place, in this round or in the one before. */
    uint16_t event =
        (uint16_t)((q->published & ~(q->size - 1)) + (word & VIRTQ_PACKED_EVENT_PLACE));
    if (virtqueue_round(q, q->published) != ((word & VIRTQ_PACKED_EVENT_ROUND) != 0)) {
        event = (uint16_t)(event - q->size);
    }
    return (uint16_t)(q->published - event - 1) < count;
}

/* ---- from the device ----------------------------------------------------------------------- */

/* 2.8.10: an interrupt when `count` more have been used, at least 1; 0 for none until asked again.
 */
static inline void virtqueue_interrupt_after(struct virtqueue *q, uint32_t count)
{
    uint32_t word = (uint32_t)VIRTQ_PACKED_EVENT_DISABLE << 16;
    if (count != 0 && q->event_index) {
        const uint16_t index = (uint16_t)(q->seen + (count - 1) * q->step);
        word = virtqueue_place(q, index) |
               (virtqueue_round(q, index) ? VIRTQ_PACKED_EVENT_ROUND : 0) |
               (uint32_t)VIRTQ_PACKED_EVENT_DESC << 16;
    } else if (count != 0) {
        word = (uint32_t)VIRTQ_PACKED_EVENT_ENABLE << 16;
    }
    sddf_device_store32(q->driver_event, word); /* (one store, as above) */
}

/*
 * Have at least so many been used, at least 1? The first is looked at besides the last, for it is
 * the first that a pass can take: else a device that uses entries out of turn would keep us.
 */
static inline bool virtqueue_has_used(struct virtqueue *q, uint32_t count)
{
    return count <= virtqueue_in_flight(q) && virtqueue_is_used(q, q->seen) &&
           virtqueue_is_used(q, (uint16_t)(q->seen + (count - 1) * q->step));
}

/* How many may be taken. */
static inline uint32_t virtqueue_used(struct virtqueue *q)
{
    const uint32_t most = virtqueue_in_flight(q);
    uint32_t place = virtqueue_place(q, q->seen);
    uint16_t bits = virtqueue_round(q, q->seen) ? VIRTQUEUE_BITS : 0;
    uint32_t count = 0;
    while (count < most && (sddf_device_load16(&q->ring[place].flags) & VIRTQUEUE_BITS) == bits) {
        count++;
        place += q->step;
        if (place == q->size) {
            place = 0;
            bits ^= VIRTQUEUE_BITS;
        }
    }
    /* What else is in used entries, and headers that the device wrote, are not read before flags.
     */
    sddf_device_after_index();
    return count;
}

/*
 * Takes one of those that virtqueue_used counted. False, and the queue is broken, if it is none
 * that the device has.
 */
static inline bool virtqueue_take(struct virtqueue *q, struct virtqueue_return *out)
{
    const uint64_t word = sddf_device_load64(&q->ring[virtqueue_place(q, q->seen)].word);
    const uint32_t slot = (uint32_t)(word >> 32) & 0xffffu;
    q->seen = (uint16_t)(q->seen + q->step);
    if (slot >= q->slots || q->address[slot] == VIRTQUEUE_NOTHING) {
        q->broken = true;
        return false;
    }
    out->address = q->address[slot];
    out->slot = slot;
    out->length = (uint32_t)word;
    q->address[slot] = VIRTQUEUE_NOTHING;
    q->free[q->free_count++] = (uint16_t)slot;
    return true;
}
