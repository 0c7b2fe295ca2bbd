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

#include "sddf/device.h"
#include "sddf/raw.h"

#include "registers.h"

struct descriptors {
    struct e1000e_descriptor *memory;
    uint32_t size; /* 0: not started, or stopped */
    uint32_t next, published, done, seen;
    uint64_t address[E1000E_RING_MAX];
    uint32_t end[E1000E_RING_MAX];
};

/*
 * What holds of a ring that has been started: it is memory, and no more descriptors are under way
 * than it has, but for the one that stays free.
 */
/*@ predicate descriptors_ok(struct descriptors r) =
  @     r.size <= E1000E_RING_MAX &&
  @     (r.size != 0 ==> \valid(r.memory + (0 .. r.size - 1)) &&
  @         (uint32_t)(r.next - r.seen) < r.size);
  @*/

/* `size` descriptors at `memory`. */
/*@ requires \valid(r) && E1000E_RING_MIN <= size <= E1000E_RING_MAX;
  @ requires \valid(memory + (0 .. size - 1)) && \separated(r, memory + (0 .. size - 1));
  @ assigns memory[0 .. size - 1], r->memory, r->size, r->next, r->published, r->done, r->seen;
  @ ensures descriptors_ok(*r) && r->size == size && r->next == r->seen;
  @*/
static inline void descriptors_start(struct descriptors *r, struct e1000e_descriptor *memory,
                                     uint32_t size)
{
    r->memory = memory;
    /*@ loop invariant 0 <= i <= size;
      @ loop assigns i, memory[0 .. size - 1];
      @ loop variant size - i;
      @*/
    for (uint32_t i = 0; i < size; i++) {
        memory[i].address = 0;
        memory[i].rest = 0;
    }
    r->size = size;
    r->next = r->published = r->done = r->seen = 0;
}

/* After a reset: takes all buffers that the device had, up to E1000E_RING_MAX; how many. */
/*@ requires \valid(r) && descriptors_ok(*r) && \valid(addresses + (0 .. E1000E_RING_MAX - 1));
  @ requires \separated(r, addresses + (0 .. E1000E_RING_MAX - 1));
  @ assigns r->size, r->next, r->published, r->done, r->seen, addresses[0 .. E1000E_RING_MAX - 1];
  @ ensures descriptors_ok(*r) && r->size == 0;
  @ ensures all: \result == (\old(r->size) == 0 ? 0 : (uint32_t)\old(r->next - r->seen));
  @*/
static inline uint32_t descriptors_collect(struct descriptors *r, uint64_t *addresses)
{
    uint32_t count = 0;
    /*@ loop invariant descriptors_ok(*r);
      @ loop invariant r->size == \at(r->size, Pre) && r->next == \at(r->next, Pre);
      @ loop invariant r->size == 0 ==> count == 0;
      @ loop invariant r->size != 0 ==>
      @     count + (uint32_t)(r->next - r->seen) == (uint32_t)\at(r->next - r->seen, Pre);
      @ loop assigns r->seen, count, addresses[0 .. E1000E_RING_MAX - 1];
      @ loop variant (uint32_t)(r->next - r->seen);
      @*/
    for (; r->size != 0 && r->seen != r->next; r->seen++) {
        addresses[count++] = r->address[sddf_raw_wrap(r->seen, r->size - 1)];
    }
    r->size = 0;
    r->next = r->published = r->done = r->seen = 0;
    return count;
}

/*@ requires \valid_read(r);
  @ assigns \nothing;
  @ ensures \result == (uint32_t)(r->next - r->seen);
  @*/
static inline uint32_t descriptors_in_flight(const struct descriptors *r)
{
    return r->next - r->seen;
}

/*@ requires \valid_read(r) && descriptors_ok(*r);
  @ assigns \nothing;
  @ ensures r->size == 0 ==> \result == 0;
  @ ensures r->size != 0 ==> \result == r->size - 1 - (uint32_t)(r->next - r->seen);
  @*/
static inline uint32_t descriptors_space(const struct descriptors *r)
{
    return r->size != 0 ? r->size - 1 - (r->next - r->seen) : 0;
}

/* Writes the next descriptor, which is the device's once its tail has passed it. There is space. */
/*@ requires \valid(r) && descriptors_ok(*r);
  @ requires space: r->size != 0 && (uint32_t)(r->next - r->seen) < r->size - 1;
  @ assigns r->next, r->address[0 .. E1000E_RING_MAX - 1];
  @ ensures descriptors_ok(*r) && r->next == (uint32_t)(\old(r->next) + 1);
  @*/
static inline void descriptors_give(struct descriptors *r, uint64_t address, uint64_t rest)
{
    const uint32_t slot = sddf_raw_wrap(r->next, r->size - 1);
    struct e1000e_descriptor *descriptor = &r->memory[slot];
    r->address[slot] = address;
    r->next++;
    sddf_device_store64(&descriptor->address, address);
    sddf_device_store64(&descriptor->rest, rest);
}

/* Has the device said that the descriptor with this index is done? */
/*@ requires \valid_read(r) && descriptors_ok(*r) && r->size != 0;
  @ assigns \nothing;
  @*/
static inline bool descriptors_says_done(const struct descriptors *r, uint32_t index)
{
    const struct e1000e_descriptor *descriptor = &r->memory[sddf_raw_wrap(index, r->size - 1)];
    return (sddf_device_load64(&descriptor->rest) & E1000E_DONE) != 0;
}

/*
 * How many may be taken back; each that `done` passes, up to the first that is not. What they say
 * may be read, and their buffers reused, after this.
 */
/*@ requires \valid(r) && descriptors_ok(*r) && (r->size != 0 || r->done == r->published);
  @ requires order: (uint32_t)(r->done - r->seen) <= (uint32_t)(r->published - r->seen);
  @ requires behind: (uint32_t)(r->published - r->seen) <= (uint32_t)(r->next - r->seen);
  @ assigns r->done;
  @ ensures \result == (uint32_t)(r->done - r->seen);
  @ ensures the_devices: \result <= (uint32_t)(r->published - r->seen);
  @*/
static inline uint32_t descriptors_done(struct descriptors *r)
{
    const uint32_t before = r->done;
    /*@ loop invariant r->size != 0 || r->done == r->published;
      @ loop invariant (uint32_t)(r->done - r->seen) <= (uint32_t)(r->published - r->seen);
      @ loop assigns r->done;
      @ loop variant (uint32_t)(r->published - r->done);
      @*/
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
/*@ requires \valid(r) && descriptors_ok(*r) && (r->size != 0 || r->done == r->published);
  @ assigns r->done;
  @ ensures \result == (uint32_t)(r->done - r->seen);
  @*/
static inline uint32_t descriptors_batches_done(struct descriptors *r)
{
    const uint32_t before = r->done;
    /*@ loop invariant r->size != 0 || r->done == r->published;
      @ loop assigns r->done;
      @*/
    while (r->done != r->published) {
        const uint32_t end = r->end[sddf_raw_wrap(r->done, r->size - 1)];
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
/*@ requires \valid(r) && descriptors_ok(*r) && r->size != 0 && r->next != r->seen;
  @ assigns r->seen;
  @ ensures descriptors_ok(*r) && r->seen == (uint32_t)(\old(r->seen) + 1);
  @*/
static inline uint64_t descriptors_take(struct descriptors *r)
{
    return r->address[sddf_raw_wrap(r->seen++, r->size - 1)];
}

/*
 * The first descriptor that is to say "done" is `first`. Has the device said so of one behind it
 * instead? It works in order, so then it will never do the first. A look at the whole ring: not for
 * every pass.
 */
/*@ requires \valid_read(r) && descriptors_ok(*r) && (r->size != 0 || r->done == r->published);
  @ assigns \nothing;
  @*/
static inline bool descriptors_jumped(const struct descriptors *r, uint32_t first)
{
    /*@ loop invariant r->size != 0 || index == r->published;
      @ loop assigns index;
      @ loop variant (uint32_t)(r->published - index);
      @*/
    for (uint32_t index = r->done; index != r->published; index++) {
        if (index != first && descriptors_says_done(r, index)) {
            return !descriptors_says_done(r, first); /* a moment ago it had not */
        }
    }
    return false;
}
