/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network component's neighbours, honest and hostile, and an account of every buffer.
 *
 * A neighbour has a queue pair with the component: it produces `out`, and consumes `in`. An honest
 * one keeps to the protocol, at any speed, and sleeps and wakes by its rules. A hostile one may, at
 * any step, do that too, or write anything into any word that is its own.
 *
 * The account is by what the component has read: a buffer is the component's from the moment at
 * which it has read an entry that names it from the queue of whoever held it, and no more the
 * component's once it has written an entry that names it. What it writes must be its own. Where the
 * protocol lets a component rely on its neighbour's account, entries are counted instead.
 */
#pragma once

#include "queues.h"
#include "sddf/net.h"

#define FUZZ_NEIGHBOURS 5
#define FUZZ_REGIONS    4
#define FUZZ_BUFFERS    8 /* of a region */
#define FUZZ_CAPACITY   8

#define FUZZ_NO_BUFFER UINT32_MAX

/* Small tables: their size is not what is tested, and zeroing them at each start costs time. */
#undef NET_REGION_BUFFERS_MAX
#define NET_REGION_BUFFERS_MAX 64

struct fuzz_data {
    uint8_t *bytes; /* as the component sees it */
    uint64_t io_address;
    bool counted;
    uint32_t holders[FUZZ_BUFFERS]; /* bits of neighbours; 0: the component */
    uint32_t credit[FUZZ_BUFFERS];  /* counted: how often the component may hand it on */
};

struct fuzz_neighbour {
    struct fuzz_queue out;
    struct fuzz_queue in;
    microkit_channel channel;
    bool hostile;
    bool io;                         /* entries hold IO addresses */
    bool sends;                      /* out is an active queue, with frames; otherwise in is */
    bool shares;                     /* several of these may hold one buffer */
    bool writes;                     /* it may write to the data that it names */
    bool looks;                      /* it looks at frames' lengths itself */
    uint32_t data;                   /* bits of regions */
    uint32_t tail;                   /* its own index in out */
    uint32_t head;                   /* and in `in` */
    bool asleep;                     /* has asked for a signal, and found nothing */
    bool signalled;                  /* since */
    bool signals;                    /* has a notification for the component */
    uint32_t strange;                /* entries of no buffer, which may go back to it */
    uint32_t held[4 * FUZZ_BUFFERS]; /* region * FUZZ_BUFFERS + buffer */
    uint32_t held_count;
};

/* A driver's target has a device as well, and says what that does. */
#ifndef FUZZ_DEVICES
#define FUZZ_DEVICES          0
#define fuzz_device_acts(act) (void)(act)
#define fuzz_device_settles() false
#else
static void fuzz_device_acts(uint8_t act);
static bool fuzz_device_settles(void); /* true: it has woken the component */
#endif

/* The device hands over what it likes, so there is no account: a driver passes on what it says. */
static bool fuzz_invented;

static struct fuzz_data fuzz_data[FUZZ_REGIONS];
static uint32_t fuzz_data_count;
static struct fuzz_neighbour fuzz_neighbour[FUZZ_NEIGHBOURS];
static uint32_t fuzz_neighbour_count;

/* The target's: a frame of this neighbour's, at most `length` bytes of which may be written. */
static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length);
/* The target's: an entry with a frame has left for this neighbour; `frame` is it. */
static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame);
/* The target's: what the component thinks of every buffer, against the account. At rest. */
static void fuzz_account(void);

/* ---- what there is ------------------------------------------------------------------------- */

static struct sddf_region_config fuzz_add_data(uint64_t io_address, bool writable, bool counted)
{
    size_t size = FUZZ_BUFFERS * NET_BUFFER_SIZE;
    struct fuzz_data *data = &fuzz_data[fuzz_data_count++];
    data->bytes = fuzz_region(size, writable);
    data->io_address = io_address;
    data->counted = counted;
    return (struct sddf_region_config){(uintptr_t)data->bytes, size, io_address};
}

static struct sddf_region_config fuzz_stats(void)
{
    size_t size = sizeof(struct net_stats);
    return (struct sddf_region_config){(uintptr_t)fuzz_region(size, true), size, 0};
}

/* The pair as it stands in the component's configuration. */
static struct net_pair_config fuzz_add_neighbour(struct fuzz_neighbour neighbour, uint32_t capacity)
{
    uint32_t number = fuzz_neighbour_count++;
    struct fuzz_neighbour *n = &fuzz_neighbour[number];
    *n = neighbour;
    n->channel = number + 1;
    /* fuzz_queue_at: 1 + neighbour: its out; negative: its in */
    fuzz_add_queue(&n->out, capacity, net_queue_words, false, (int8_t)(number + 1));
    fuzz_add_queue(&n->in, capacity, net_queue_words, true, (int8_t) - (int8_t)(number + 1));
    return (struct net_pair_config){
        .free = n->sends ? n->in.config : n->out.config,
        .active = n->sends ? n->out.config : n->in.config,
        .channel = (uint8_t)n->channel,
    };
}

/* As before init: the regions' buffers are the component's, or `holder`'s. */
static void fuzz_data_reset(uint32_t region, uint32_t holder)
{
    struct fuzz_data *data = &fuzz_data[region];
    for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
        data->holders[i] = holder == FUZZ_NO_BUFFER ? 0 : UINT32_C(1) << holder;
        data->credit[i] = 0;
        memset(fuzz_theirs(data->bytes + (size_t)i * NET_BUFFER_SIZE), 0, 64);
        if (holder != FUZZ_NO_BUFFER) {
            struct fuzz_neighbour *n = &fuzz_neighbour[holder];
            n->held[n->held_count++] = region * FUZZ_BUFFERS + i;
        }
    }
}

/* Everybody is new; the bits say who is hostile. */
static void fuzz_reset(uint32_t hostile)
{
    for (uint32_t i = 0; i < fuzz_neighbour_count; i++) {
        struct fuzz_neighbour *n = &fuzz_neighbour[i];
        fuzz_queue_reset(&n->out);
        fuzz_queue_reset(&n->in);
        n->hostile = (hostile >> i & 1) != 0;
        n->tail = n->head = n->held_count = n->strange = 0;
        n->asleep = n->signalled = n->signals = false;
    }
}

/* ---- the account --------------------------------------------------------------------------- */

/* Which buffer this neighbour's entry names; in which region. */
static uint32_t fuzz_buffer(const struct fuzz_neighbour *n, uint64_t address, uint32_t *region)
{
    for (uint32_t i = 0; i < fuzz_data_count; i++) {
        uint64_t offset = address - (n->io ? fuzz_data[i].io_address : 0);
        if ((n->data >> i & 1) != 0 && offset / NET_BUFFER_SIZE < FUZZ_BUFFERS) {
            *region = i;
            return (uint32_t)(offset / NET_BUFFER_SIZE);
        }
    }
    return FUZZ_NO_BUFFER;
}

void fuzz_entry_read(const uint64_t *slot, uint64_t address)
{
    int8_t tag = fuzz_queue_at[((const uint8_t *)slot - fuzz_view) / FUZZ_PAGE];
    if (tag <= 0) {
        return; /* the component's own */
    }
    struct fuzz_neighbour *n = &fuzz_neighbour[tag - 1];
    uint32_t region;
    uint32_t buffer = fuzz_buffer(n, address, &region);
    if (buffer == FUZZ_NO_BUFFER) {
        n->strange++;
        return;
    }
    fuzz_data[region].holders[buffer] &= ~(UINT32_C(1) << (tag - 1));
    fuzz_data[region].credit[buffer]++;
}

/* Which neighbours may hold one buffer at a time: a set of them. */
static uint32_t fuzz_sharers(void)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < fuzz_neighbour_count; i++) {
        set |= fuzz_neighbour[i].shares ? UINT32_C(1) << i : 0;
    }
    return set;
}

void fuzz_entry_written(const uint64_t *slot)
{
    int8_t tag = fuzz_queue_at[((const uint8_t *)slot - fuzz_view) / FUZZ_PAGE];
    fuzz_check(tag < 0, "an entry is written to where none belongs");
    uint32_t number = (uint32_t)-tag - 1;
    struct fuzz_neighbour *n = &fuzz_neighbour[number];
    struct net_entry entry;
    memcpy(&entry, slot, sizeof(entry));
    uint32_t region;
    uint32_t buffer = fuzz_buffer(n, entry.address, &region);
    if (buffer == FUZZ_NO_BUFFER && FUZZ_DEVICES != 0 && (n->strange > 0 || fuzz_invented)) {
        n->strange -= n->strange > 0; /* it goes back where it came from */
        return;
    }
    fuzz_check(buffer != FUZZ_NO_BUFFER, "an address leaves that is in no region");
    struct fuzz_data *data = &fuzz_data[region];
    uint32_t bit = UINT32_C(1) << number;
    if (data->counted) {
        fuzz_check(fuzz_invented || data->credit[buffer] > 0,
                   "a buffer leaves more often than it has come");
        data->credit[buffer] -= data->credit[buffer] > 0;
    } else {
        uint32_t sharers = n->shares ? fuzz_sharers() & ~bit : 0;
        fuzz_check((data->holders[buffer] & ~sharers) == 0, "a buffer leaves that is not its own");
    }
    data->holders[buffer] |= bit;
    if (!n->sends) {
        uint64_t offset = entry.address - (n->io ? data->io_address : 0);
        fuzz_check(n->looks || (entry.length >= NET_FRAME_MIN && entry.length <= NET_FRAME_MAX),
                   "a frame leaves that is no frame");
        fuzz_check(offset % NET_BUFFER_SIZE + entry.length <= NET_BUFFER_SIZE,
                   "a frame leaves across its buffer's end");
        fuzz_frame_leaves(number, &entry, data->bytes + offset);
    }
}

/* Every buffer that this honest one should have, it has, or it is on the way to it. */
static inline uint32_t fuzz_has(const struct fuzz_neighbour *n)
{
    return n->held_count + (n->in.producer->tail - n->head);
}

/* ---- what neighbours do -------------------------------------------------------------------- */

static void fuzz_take(struct fuzz_neighbour *n)
{
    if (n->in.producer->tail == n->head) {
        return;
    }
    const uint64_t *slot = fuzz_slot(&n->in, n->head);
    uint32_t region;
    uint32_t buffer = fuzz_buffer(n, slot[0], &region);
    fuzz_check(n->hostile || fuzz_invented || buffer != FUZZ_NO_BUFFER,
               "an honest one got no buffer");
    n->head++;
    n->in.consumer->head = n->head;
    n->asleep = false;
    if (buffer == FUZZ_NO_BUFFER) {
        return;
    }
    uint32_t id = region * FUZZ_BUFFERS + buffer;
    for (uint32_t i = 0; i < n->held_count; i++) {
        if (n->held[i] == id) {
            fuzz_check(n->hostile || fuzz_invented, "an honest one got what it has");
            return;
        }
    }
    n->held[n->held_count++] = id;
}

static void fuzz_enqueue(struct fuzz_neighbour *n, struct net_entry entry)
{
    n->signals |= fuzz_put(&n->out, &n->tail, &entry);
}

static void fuzz_give(struct fuzz_neighbour *n, uint32_t number)
{
    if (n->held_count == 0 || n->tail - n->out.consumer->head >= n->out.config.capacity) {
        return;
    }
    uint32_t at = fuzz_u8() % n->held_count;
    uint32_t id = n->held[at];
    n->held[at] = n->held[--n->held_count];
    struct fuzz_data *data = &fuzz_data[id / FUZZ_BUFFERS];
    uint64_t offset = (uint64_t)(id % FUZZ_BUFFERS) * NET_BUFFER_SIZE;
    struct net_entry entry = {0};
    if (n->sends) {
        uint8_t size = fuzz_u8();
        uint32_t place = size % 4 == 0 ? 0 : size % 4 * 178;
        entry.length = (uint16_t)(NET_FRAME_MIN + size * 1500u / 255);
        offset += place;
        fuzz_frame(number, fuzz_theirs(data->bytes + offset), entry.length);
        if (size % 8 == 7 && entry.length > 60) {
            entry.flags = NET_CSUM_WANTED; /* what it means to who receives is nothing */
            entry.csum_start = NET_FRAME_MIN + 20;
            entry.csum_offset = 6;
        }
    }
    entry.address = offset + (n->io ? data->io_address : 0);
    fuzz_enqueue(n, entry);
}

static void fuzz_sleep(struct fuzz_neighbour *n)
{
    n->in.consumer->mark = n->head;
    n->asleep = n->in.producer->tail == n->head;
    n->signalled = false;
}

static struct net_entry fuzz_entry(const struct fuzz_neighbour *n)
{
    static const uint16_t lengths[] = {0, 13, 14, 42, 60, 1514, 1515, 2048, 65535};
    struct net_entry entry = {0};
    uint8_t kind = fuzz_u8();
    uint32_t region = fuzz_u8() % fuzz_data_count;
    uint64_t base = n->io ? fuzz_data[region].io_address : 0;
    entry.address = base + (uint64_t)(kind % 16) * NET_BUFFER_SIZE / 2;
    if (kind >= 160) {
        entry.address += fuzz_u16() % (FUZZ_BUFFERS * NET_BUFFER_SIZE + 64);
    }
    if (kind >= 240) {
        entry.address = fuzz_u64();
    }
    uint8_t length = fuzz_u8();
    entry.length = length < 192 ? lengths[length % 9] : fuzz_u16();
    if (length % 2 != 0) {
        entry.flags = length % 4 == 1 ? NET_CSUM_WANTED : fuzz_u8();
        entry.csum_start = fuzz_u8();
        entry.csum_offset = length % 16 == 15 ? fuzz_u16() : fuzz_u8();
        if (length % 16 == 5) { /* about where the frame ends */
            entry.csum_offset = (uint16_t)(entry.length - entry.csum_start - kind % 4);
        }
    }
    return entry;
}

static void fuzz_hostile_word(struct fuzz_neighbour *n)
{
    /* The tail is the most interesting one. */
    static const enum fuzz_word words[] = {FUZZ_TAIL, FUZZ_TAIL,   FUZZ_HEAD,
                                           FUZZ_MARK, FUZZ_HEADER, FUZZ_OWN_TAIL};
    uint8_t which = fuzz_u8();
    if (which / 2 % 8 < 6) {
        fuzz_hostile_index(words[which / 2 % 8], &n->out, &n->in, which % 2 == 0, &n->tail);
    } else {
        struct net_entry entry = fuzz_entry(n);
        memcpy(fuzz_slot(&n->out, fuzz_u8()), &entry, sizeof(entry));
    }
}

/* A frame's bytes, in whichever buffer. */
static void fuzz_hostile_data(struct fuzz_neighbour *n, uint32_t number)
{
    uint32_t region = fuzz_u8() % fuzz_data_count;
    if (n->writes && (n->data >> region & 1) != 0) {
        uint64_t offset = (uint64_t)(fuzz_u8() % FUZZ_BUFFERS) * NET_BUFFER_SIZE;
        fuzz_frame(number, fuzz_theirs(fuzz_data[region].bytes + offset), 64);
    }
}

static void fuzz_neighbours_act(void)
{
    uint8_t act = fuzz_u8();
    uint32_t number = act % (fuzz_neighbour_count + FUZZ_DEVICES);
    struct fuzz_neighbour *n = &fuzz_neighbour[number];
    act /= FUZZ_NEIGHBOURS;
    if (number == fuzz_neighbour_count) {
        fuzz_device_acts(act);
        return;
    }
    if (!n->hostile) {
        act %= 24;
    }
    if (act < 8) {
        fuzz_give(n, number);
    } else if (act < 16) {
        fuzz_take(n);
    } else if (act < 20) {
        for (uint32_t i = 0; i < FUZZ_CAPACITY; i++) {
            fuzz_take(n);
        }
    } else if (act < 24) {
        fuzz_sleep(n);
    } else if (act < 34) {
        fuzz_hostile_word(n);
    } else if (act < 46) {
        fuzz_enqueue(n, fuzz_entry(n));
    } else {
        fuzz_hostile_data(n, number);
    }
}

static void fuzz_notified(microkit_channel ch)
{
    fuzz_check(ch < MICROKIT_MAX_CHANNELS, "a channel is made up");
    if (ch >= 1 && ch <= fuzz_neighbour_count) {
        fuzz_neighbour[ch - 1].signalled = true;
    }
}

/* ---- an execution -------------------------------------------------------------------------- */

/* After each of the component's handlers. */
static void fuzz_at_rest(void)
{
    fuzz_steps_left = UINT32_MAX;
    fuzz_account();
    for (uint32_t i = 0; i < fuzz_neighbour_count; i++) {
        const struct fuzz_neighbour *n = &fuzz_neighbour[i];
        fuzz_check(n->hostile || !n->asleep || n->in.producer->tail == n->head || n->signalled,
                   "an honest one sleeps, and has work");
    }
}

static void fuzz_wake(microkit_channel ch)
{
    fuzz_steps_begin();
    notified(ch);
    fuzz_at_rest();
}

/* A hostile one notifies as it likes, an honest one if it must. */
static void fuzz_neighbour_notifies(uint32_t number)
{
    struct fuzz_neighbour *n = &fuzz_neighbour[number];
    if (n->hostile || n->signals) {
        n->signals = false;
        fuzz_wake(n->channel);
    }
}

/*
 * The end of an execution: hostile ones are silent, and the honest ones go on until nobody has
 * anything to do. True: all are honest, so all frames that were sent have been taken.
 */
static inline bool fuzz_settle(void)
{
    bool honest = true;
    fuzz_concurrent = false;
    bool busy = true;
    for (uint32_t round = 0; round < 40 && busy; round++) {
        busy = fuzz_device_settles();
        for (uint32_t i = 0; i < fuzz_neighbour_count; i++) {
            struct fuzz_neighbour *n = &fuzz_neighbour[i];
            honest = honest && !n->hostile;
            for (uint32_t turn = 0; turn < 2 * FUZZ_CAPACITY && !n->hostile; turn++) {
                fuzz_take(n);
                if (!n->sends) {
                    fuzz_give(n, i); /* who sends is content with what it has sent */
                }
            }
            if (!n->hostile) {
                fuzz_sleep(n);
                busy = busy || n->signals || !n->asleep;
                fuzz_neighbour_notifies(i);
            }
        }
    }
    return honest;
}
