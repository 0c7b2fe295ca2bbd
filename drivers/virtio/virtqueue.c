/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtqueue.h"

#include <string.h>

/* 2.7, with 2.7.6 and 2.7.8 for the two event words. */
struct virtqueue_layout virtqueue_layout(uint32_t size, bool indirect)
{
    const uint32_t slots = indirect ? size : size / 2;
    struct virtqueue_layout l = {.size = size, .indirect = indirect};
    l.tables = virtqueue_part(size * (uint32_t)sizeof(struct virtq_desc));
    l.headers =
        l.tables + (indirect ? virtqueue_part(slots * 2 * (uint32_t)sizeof(struct virtq_desc)) : 0);
    l.driver = l.headers + virtqueue_part(size * VIRTQUEUE_HEADER_SIZE);
    l.device = l.driver + virtqueue_part((uint32_t)sizeof(struct virtq_avail) + size * 2 + 2);
    l.bytes = l.device + virtqueue_part((uint32_t)sizeof(struct virtq_used) +
                                        size * (uint32_t)sizeof(struct virtq_used_element) + 2);
    return l;
}

static void put_desc(struct virtq_desc *desc, uint64_t address, uint32_t length, uint32_t flags,
                     uint32_t next)
{
    sddf_device_store64(&desc->address, address);
    sddf_device_store32(&desc->length, length);
    sddf_device_store16(&desc->flags, (uint16_t)flags);
    sddf_device_store16(&desc->next, (uint16_t)next);
}

void virtqueue_start(struct virtqueue *q, const struct virtqueue_layout *layout,
                     const struct virtqueue_shape *shape, void *memory, uint64_t io_address)
{
    unsigned char *base = memory;
    memset(base, 0, layout->bytes);
    struct virtq_desc *table = memory;
    q->pairs = layout->indirect ? (struct virtq_desc *)(base + layout->tables) : table;
    q->headers = (uint32_t *)(base + layout->headers);
    q->avail = (struct virtq_avail *)(base + layout->driver);
    q->used = (struct virtq_used *)(base + layout->device);
    q->used_event = &q->avail->ring[layout->size];
    q->avail_event = (const uint16_t *)(const void *)&q->used->ring[layout->size];
    q->size = layout->size;
    q->slots = layout->indirect ? layout->size : layout->size / 2;
    q->pair_shift = layout->indirect ? 1 : 0;
    q->free_count = 0;
    q->next = q->published = q->rung = q->seen = 0;
    q->event_index = shape->event_index;
    q->broken = false;

    for (uint32_t i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        q->address[i] = VIRTQUEUE_NOTHING;
    }
    const uint32_t writes = shape->device_writes ? VIRTQ_DESC_F_WRITE : 0;
    const uint32_t step = layout->indirect ? 1 : 2;
    for (uint32_t slot = layout->size; slot >= step;) {
        slot -= step;
        struct virtq_desc *pair = &q->pairs[slot << q->pair_shift];
        const uint64_t header = io_address + layout->headers + slot * VIRTQUEUE_HEADER_SIZE;
        /* In an indirect table descriptors are counted from the table's start. */
        const uint32_t payload = layout->indirect ? 1 : slot + 1;
        put_desc(&pair[0], header, shape->header_length, writes | VIRTQ_DESC_F_NEXT, payload);
        put_desc(&pair[1], 0, shape->payload_length, writes, 0);
        if (layout->indirect) {
            const uint32_t pair_size = 2 * sizeof(struct virtq_desc);
            put_desc(&table[slot], io_address + layout->tables + slot * pair_size, pair_size,
                     VIRTQ_DESC_F_INDIRECT, 0);
        }
        q->free[q->free_count++] = (uint16_t)slot;
    }
}
