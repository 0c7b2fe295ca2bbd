/* SPDX-License-Identifier: BSD-2-Clause */
#include "timeouts.h"

static void put(struct timeouts *t, uint32_t place, uint16_t slot)
{
    t->heap[place] = slot;
    t->place[slot] = (uint16_t)(place + 1);
}

/* Moves a slot from an empty place towards the root, as long as its parent is due later. */
static void rise(struct timeouts *t, uint32_t place, uint16_t slot)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (t->deadline[t->heap[parent]] <= t->deadline[slot]) {
            break;
        }
        put(t, place, t->heap[parent]);
        place = parent;
    }
    put(t, place, slot);
}

/* Moves a slot from an empty place towards the leaves, as long as a child is due earlier. */
static void sink(struct timeouts *t, uint32_t place, uint16_t slot)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= t->count) {
            break;
        }
        if (child + 1 < t->count && t->deadline[t->heap[child + 1]] < t->deadline[t->heap[child]]) {
            child++;
        }
        if (t->deadline[slot] <= t->deadline[t->heap[child]]) {
            break;
        }
        put(t, place, t->heap[child]);
        place = child;
    }
    put(t, place, slot);
}

/* Puts a slot, whose deadline may have become anything, to where it belongs. */
static void settle(struct timeouts *t, uint32_t place, uint16_t slot)
{
    if (place > 0 && t->deadline[slot] < t->deadline[t->heap[(place - 1) / 2]]) {
        rise(t, place, slot);
    } else {
        sink(t, place, slot);
    }
}

void timeouts_init(struct timeouts *t)
{
    t->count = 0;
    for (uint32_t slot = 0; slot < TIMEOUTS_SLOTS; slot++) {
        t->place[slot] = 0;
    }
}

void timeouts_set(struct timeouts *t, uint32_t slot, uint64_t deadline, uint64_t period)
{
    if (deadline == TIMEOUTS_NEVER) {
        timeouts_cancel(t, slot);
        return;
    }
    uint32_t place = t->place[slot] != 0 ? t->place[slot] - 1u : t->count++;
    t->deadline[slot] = deadline;
    t->period[slot] = period;
    settle(t, place, (uint16_t)slot);
}

void timeouts_cancel(struct timeouts *t, uint32_t slot)
{
    if (t->place[slot] == 0) {
        return;
    }
    uint32_t place = t->place[slot] - 1u;
    t->place[slot] = 0;
    t->count--;
    if (place != t->count) {
        settle(t, place, t->heap[t->count]); /* the last one fills the gap */
    }
}

uint64_t timeouts_next(const struct timeouts *t)
{
    return t->count == 0 ? TIMEOUTS_NEVER : t->deadline[t->heap[0]];
}

bool timeouts_take(struct timeouts *t, uint32_t slot, uint64_t until)
{
    if (t->place[slot] == 0 || t->deadline[slot] > until) {
        return false;
    }
    if (t->period[slot] == 0) {
        timeouts_cancel(t, slot);
    } else {
        timeouts_set(t, slot, timeouts_advance(t->deadline[slot], t->period[slot], until),
                     t->period[slot]);
    }
    return true;
}

bool timeouts_expire(struct timeouts *t, uint64_t now, uint32_t *slot)
{
    if (t->count == 0) {
        return false;
    }
    *slot = t->heap[0];
    return timeouts_take(t, *slot, now);
}
