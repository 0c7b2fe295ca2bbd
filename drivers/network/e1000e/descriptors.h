/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor ring (7.1.8, 7.2.4). The device has what lies between `seen` and `published`; it
 * takes descriptors in order and gives them back in order, by a bit that says "done".
 *
 *        seen      done       published    next        seen + size
 *   ------|---------|------------|-----------|------------|------
 *     to take back     device's     not told     free (one stays so:
 *                                               tail = head means empty)
 *
 * Indices run free over 32 bits. Which buffer a descriptor has is remembered privately; an address
 * is never read back.
 *
 * For transmission only the last descriptor of a batch says when it is done. At the place of a
 * batch's first descriptor, `end` has the index behind its last. Received ones all say it.
 *
 * Trust. The device is a neighbour. Only descriptors that it has are looked at, so the worst it can
 * say is "done" too early, or about one that is not its turn: see descriptors_jumped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sddf/device.h"

#include "registers.h"

struct descriptors {
    struct e1000e_descriptor *memory;
    uint32_t size; /* 0: not started, or stopped */
    uint32_t next, published, done, seen;
    uint64_t address[E1000E_RING_MAX];
    uint32_t end[E1000E_RING_MAX];
};

static inline void descriptors_start(struct descriptors *r, void *memory, uint32_t size)
{
    r->memory = memory;
    memset(memory, 0, (size_t)size * sizeof(*r->memory));
    r->size = size;
    r->next = r->published = r->done = r->seen = 0;
}

/* After a reset: takes all buffers that the device had, up to E1000E_RING_MAX; how many. */
static inline uint32_t descriptors_collect(struct descriptors *r, uint64_t *addresses)
{
    uint32_t count = 0;
    for (; r->size != 0 && r->seen != r->next; r->seen++) {
        addresses[count++] = r->address[r->seen & (r->size - 1)];
    }
    r->size = 0;
    r->next = r->published = r->done = r->seen = 0;
    return count;
}

static inline uint32_t descriptors_in_flight(const struct descriptors *r)
{
    return r->next - r->seen;
}

static inline uint32_t descriptors_space(const struct descriptors *r)
{
    return r->size != 0 ? r->size - 1 - (r->next - r->seen) : 0;
}

/* Writes the next descriptor, which is the device's once its tail has passed it. There is space. */
static inline void descriptors_give(struct descriptors *r, uint64_t address, uint64_t rest)
{
    const uint32_t slot = r->next & (r->size - 1);
    struct e1000e_descriptor *descriptor = &r->memory[slot];
    r->address[slot] = address;
    r->next++;
    sddf_device_store64(&descriptor->address, address);
    sddf_device_store64(&descriptor->rest, rest);
}

/* Has the device said that the descriptor with this index is done? */
static inline bool descriptors_says_done(const struct descriptors *r, uint32_t index)
{
    const struct e1000e_descriptor *descriptor = &r->memory[index & (r->size - 1)];
    return (sddf_device_load64(&descriptor->rest) & E1000E_DONE) != 0;
}

/*
 * How many may be taken back; each that `done` passes, up to the first that is not. What they say
 * may be read, and their buffers reused, after this.
 */
static inline uint32_t descriptors_done(struct descriptors *r)
{
    const uint32_t before = r->done;
    while (r->done != r->published && descriptors_says_done(r, r->done)) {
        r->done++;
    }
    if (r->done != before) {
        /* What the device wrote before the bit (all else in a descriptor, and frames). */
        sddf_device_after_index();
    }
    return r->done - r->seen;
}

/* The same for batches, each of which is done when its last one is. */
static inline uint32_t descriptors_batches_done(struct descriptors *r)
{
    const uint32_t before = r->done;
    while (r->done != r->published) {
        const uint32_t end = r->end[r->done & (r->size - 1)];
        if (!descriptors_says_done(r, end - 1)) {
            break;
        }
        r->done = end;
    }
    if (r->done != before) {
        /* The device has read the frames: their buffers are not reused before. */
        sddf_device_after_index();
    }
    return r->done - r->seen;
}

/* Takes the next one back, of those that are done. */
static inline uint64_t descriptors_take(struct descriptors *r)
{
    return r->address[r->seen++ & (r->size - 1)];
}

/*
 * The first descriptor that is to say "done" is `first`. Has the device said so of one behind it
 * instead? It works in order, so then it will never do the first. A look at the whole ring: not for
 * every pass.
 */
static inline bool descriptors_jumped(const struct descriptors *r, uint32_t first)
{
    for (uint32_t index = r->done; index != r->published; index++) {
        if (index != first && descriptors_says_done(r, index)) {
            return !descriptors_says_done(r, first); /* a moment ago it had not */
        }
    }
    return false;
}
