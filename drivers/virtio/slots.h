/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both layouts of a virtqueue have alike, for virtqueue.h alone, which includes this once it
 * has said what its struct virtqueue is.
 *
 * A queue has slots: a slot is a header in the driver's own ring memory and a payload somewhere
 * else. It is free, or the device's; which payload it has then is remembered privately.
 */
#pragma once

/* How each slot is used, and which features were agreed upon. */
struct virtqueue_shape {
    uint32_t header_length;  /* of what the device reads or writes of a header */
    uint32_t payload_length; /* to begin with; virtqueue_give may change it */
    bool device_writes;
    bool event_index;
};

/* What came back. The slot is free: its header stays as it is until it is given again. */
struct virtqueue_return {
    uint64_t address;
    uint32_t slot;
    uint32_t length; /* that the device says it has written, header included */
};

static inline uint32_t virtqueue_space(const struct virtqueue *q)
{
    return q->free_count;
}

static inline uint32_t virtqueue_in_flight(const struct virtqueue *q)
{
    return q->slots - q->free_count;
}

/* The slot that the next virtqueue_give will use; there must be space. */
static inline uint32_t virtqueue_next_slot(const struct virtqueue *q)
{
    return q->free[q->free_count - 1];
}

/* The header's words, which are ours while the slot is free. */
static inline uint32_t *virtqueue_header(const struct virtqueue *q, uint32_t slot)
{
    return q->headers + (size_t)slot * (VIRTQUEUE_HEADER_SIZE / 4);
}

/* Part of a layout: rounded up, so that every part is on cache lines of its own. */
static inline uint32_t virtqueue_part(uint32_t bytes)
{
    return (bytes + SDDF_CACHE_LINE - 1) / SDDF_CACHE_LINE * SDDF_CACHE_LINE;
}

/*
 * After a reset: takes all payloads that the device had, up to VIRTQUEUE_SIZE_MAX; how many. The
 * queue has no slots until it is started again. (One that was never started has none, either.)
 */
static inline uint32_t virtqueue_collect(struct virtqueue *q, uint64_t *addresses)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; q->slots != 0 && slot < q->size; slot++) {
        if (q->address[slot] != VIRTQUEUE_NOTHING) {
            addresses[count++] = q->address[slot];
        }
    }
    q->slots = q->free_count = 0;
    return count;
}
