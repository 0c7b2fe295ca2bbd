/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtqueue.h"

#include <string.h>

/* 2.8.10.1: the two event words are aligned to four bytes, the ring to sixteen. */
struct virtqueue_layout virtqueue_layout(uint32_t size, bool indirect)
{
    const uint32_t slots = indirect ? size : size / 2;
    const uint32_t desc = sizeof(struct virtq_packed_desc);
    struct virtqueue_layout l = {.size = size, .indirect = indirect};
    l.tables = virtqueue_part(size * desc);
    l.headers = l.tables + (indirect ? virtqueue_part(slots * 2 * desc) : 0);
    l.driver = l.headers + virtqueue_part(slots * VIRTQUEUE_HEADER_SIZE);
    l.device = l.driver + virtqueue_part(4);
    l.bytes = l.device + virtqueue_part(4);
    return l;
}

/* 2.8.7: in an indirect table entries follow each other, and only the device's right to write
 * counts.
 */
static void put_table(struct virtqueue *q, uint32_t slot, const struct virtqueue_shape *shape)
{
    const uint64_t writes = shape->device_writes ? VIRTQ_DESC_F_WRITE : 0;
    struct virtq_packed_desc *table = &q->tables[2 * slot];
    sddf_device_store64(&table[0].address, q->headers_io + slot * VIRTQUEUE_HEADER_SIZE);
    sddf_device_store64(&table[0].word, virtqueue_word(shape->header_length, 0, writes));
    sddf_device_store64(&table[1].word, virtqueue_word(shape->payload_length, 0, writes));
}

void virtqueue_start(struct virtqueue *q, const struct virtqueue_layout *layout,
                     const struct virtqueue_shape *shape, void *memory, uint64_t io_address)
{
    unsigned char *base = memory;
    const uint64_t writes = shape->device_writes ? VIRTQ_DESC_F_WRITE : 0;
    memset(base, 0, layout->bytes);
    q->ring = memory;
    q->tables =
        layout->indirect ? (struct virtq_packed_desc *)(void *)(base + layout->tables) : NULL;
    q->headers = (uint32_t *)(void *)(base + layout->headers);
    q->driver_event = (uint32_t *)(void *)(base + layout->driver);
    q->device_event = (const uint32_t *)(const void *)(base + layout->device);
    q->tables_io = io_address + layout->tables;
    q->headers_io = io_address + layout->headers;
    const uint64_t length = layout->indirect ? 2 * sizeof(struct virtq_packed_desc) : 0;
    q->entry_word =
        virtqueue_word((uint32_t)length, 0,
                       (layout->indirect ? VIRTQ_DESC_F_INDIRECT : writes) | VIRTQ_PACKED_F_AVAIL);
    q->header_word =
        virtqueue_word(shape->header_length, 0, writes | VIRTQ_DESC_F_NEXT | VIRTQ_PACKED_F_AVAIL);
    q->size = layout->size;
    q->slots = layout->indirect ? layout->size : layout->size / 2;
    q->step = layout->indirect ? 1 : 2;
    q->free_count = 0;
    q->next = q->published = q->rung = q->seen = 0;
    q->event_index = shape->event_index;
    q->broken = false;
    for (uint32_t i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        q->address[i] = VIRTQUEUE_NOTHING;
        q->length[i] = shape->payload_length;
    }
    for (uint32_t slot = q->slots; slot > 0;) {
        slot--;
        if (q->tables != NULL) {
            put_table(q, slot, shape);
        }
        q->free[q->free_count++] = (uint16_t)slot;
    }
}
