/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial component's neighbours, honest and hostile. A neighbour sends (it produces `active`), or
 * receives. On the way out there is `free` the other way round: "there is room again".
 *
 * An honest one keeps to the protocol, at any speed; who sends waits if there is no room. A hostile
 * one may, at any step, do that too, or write anything into any word that is its own. Bytes lie in
 * the entries, so there are no buffers to account for: what is checked is what arrives.
 */
#pragma once

#include "queues.h"
#include "sddf/serial.h"

#define FUZZ_PEERS    5
#define FUZZ_CAPACITY 8

/* Full soon. */
#define FUZZ_FREE_CAPACITY 2

struct fuzz_peer {
    struct fuzz_queue out; /* capacity 0: it has none */
    struct fuzz_queue in;
    microkit_channel channel;
    bool sends;
    bool hostile;
    uint32_t tail;  /* its own index in out */
    uint32_t head;  /* and in `in` */
    bool asleep;    /* has asked for a signal, and found nothing */
    bool waits;     /* ... because there was no room in out */
    bool signalled; /* since */
    bool signals;   /* has a notification for the component */
};

/* A driver's target has a device as well, and says what that does. */
#ifndef FUZZ_DEVICES
#define FUZZ_DEVICES          0
#define fuzz_device_acts(act) (void)(act)
#define fuzz_interrupts()     (void)0
#define fuzz_device_settles() false
#else
static void fuzz_device_acts(uint8_t act);
static void fuzz_interrupts(void);
static bool fuzz_device_settles(void); /* true: it has woken the component */
#endif

static struct fuzz_peer fuzz_peer[FUZZ_PEERS];
static uint32_t fuzz_peer_count;

/* The target's: the next entry of an honest one that sends. */
static struct serial_entry fuzz_bytes_of(uint32_t peer);
/* The target's: an entry has come to one that receives. */
static void fuzz_arrives(uint32_t peer, const struct serial_entry *entry);

/* Queues of pairs only, which these are not. */
void fuzz_entry_read(const uint64_t *slot, uint64_t address)
{
    (void)slot;
    (void)address;
}

void fuzz_entry_written(const uint64_t *slot)
{
    (void)slot;
}

/* ---- what there is ------------------------------------------------------------------------- */

static struct sddf_region_config fuzz_stats(void)
{
    size_t size = sizeof(struct serial_stats);
    return (struct sddf_region_config){(uintptr_t)fuzz_region(size, true), size, 0};
}

static struct fuzz_peer *fuzz_add_peer(bool sends)
{
    struct fuzz_peer *p = &fuzz_peer[fuzz_peer_count++];
    p->sends = sends;
    p->channel = fuzz_peer_count;
    return p;
}

/* As it stands in the component's configuration. */
static inline struct serial_rx_config fuzz_add_rx(bool sends, uint32_t capacity)
{
    struct fuzz_peer *p = fuzz_add_peer(sends);
    struct fuzz_queue *active = sends ? &p->out : &p->in;
    fuzz_add_queue(active, capacity, serial_queue_words, !sends, 0);
    return (struct serial_rx_config){.active = active->config, .channel = (uint8_t)p->channel};
}

static inline struct serial_tx_config fuzz_add_tx(bool sends, uint32_t capacity)
{
    struct fuzz_peer *p = fuzz_add_peer(sends);
    struct fuzz_queue *active = sends ? &p->out : &p->in;
    struct fuzz_queue *free = sends ? &p->in : &p->out;
    fuzz_add_queue(active, capacity, serial_queue_words, !sends, 0);
    fuzz_add_queue(free, FUZZ_FREE_CAPACITY, serial_queue_words, sends, 0);
    return (struct serial_tx_config){
        .active = active->config, .free = free->config, .channel = (uint8_t)p->channel};
}

/* Everybody is new; the bits say who is hostile. */
static void fuzz_reset(uint32_t hostile)
{
    for (uint32_t i = 0; i < fuzz_peer_count; i++) {
        struct fuzz_peer *p = &fuzz_peer[i];
        if (p->out.config.capacity != 0) {
            fuzz_queue_reset(&p->out);
        }
        if (p->in.config.capacity != 0) {
            fuzz_queue_reset(&p->in);
        }
        p->hostile = (hostile >> i & 1) != 0;
        p->tail = p->head = 0;
        p->asleep = p->waits = p->signalled = p->signals = false;
    }
}

/* ---- what neighbours do -------------------------------------------------------------------- */

static bool fuzz_room(const struct fuzz_peer *p)
{
    return p->out.config.capacity != 0 && p->tail - p->out.consumer->head < p->out.config.capacity;
}

static bool fuzz_something(const struct fuzz_peer *p)
{
    return p->in.config.capacity != 0 && p->in.producer->tail != p->head;
}

static void fuzz_send(struct fuzz_peer *p, const struct serial_entry *entry)
{
    p->signals |= fuzz_put(&p->out, &p->tail, entry);
    p->asleep = false;
}

static void fuzz_take(struct fuzz_peer *p, uint32_t number)
{
    if (!fuzz_something(p)) {
        return;
    }
    struct serial_entry entry;
    memcpy(&entry, fuzz_slot(&p->in, p->head), sizeof(entry));
    p->head++;
    p->in.consumer->head = p->head;
    p->asleep = false;
    if (p->sends) {
        return; /* from `free`: it means nothing */
    }
    if (!p->hostile) {
        fuzz_arrives(number, &entry);
    }
    if (fuzz_room(p)) {
        entry = (struct serial_entry){0};
        p->signals |= fuzz_put(&p->out, &p->tail, &entry);
    }
}

static void fuzz_give(struct fuzz_peer *p, uint32_t number)
{
    if (p->sends && fuzz_room(p)) {
        struct serial_entry entry = fuzz_bytes_of(number);
        fuzz_send(p, &entry);
    }
}

/* Who sends and has room has no reason to. */
static void fuzz_sleep(struct fuzz_peer *p, uint32_t number)
{
    for (uint32_t i = 0; i < p->in.config.capacity && p->sends; i++) {
        fuzz_take(p, number);
    }
    if (p->in.config.capacity == 0) {
        return;
    }
    p->in.consumer->mark = p->head;
    p->waits = p->sends;
    p->asleep = !fuzz_something(p) && !(p->sends && fuzz_room(p));
    p->signalled = false;
}

static struct serial_entry fuzz_hostile_entry(void)
{
    struct serial_entry entry;
    uint64_t word = fuzz_u64();
    memcpy(&entry, &word, sizeof(entry));
    if (entry.count >= 32) { /* more often one that might be */
        entry.count %= SERIAL_ENTRY_BYTES + 1;
    }
    return entry;
}

static void fuzz_hostile_word(struct fuzz_peer *p)
{
    uint8_t which = fuzz_u8();
    bool out = p->out.config.capacity != 0;
    bool in = p->in.config.capacity != 0;
    enum fuzz_word word = which / 2 % 5;
    bool header_of_out = out && (which % 2 == 0 || !in);
    bool about_out = word == FUZZ_TAIL || word == FUZZ_OWN_TAIL;
    if (word == FUZZ_HEADER || (about_out ? out : in)) {
        fuzz_hostile_index(word, &p->out, &p->in, header_of_out, &p->tail);
    }
}

static void fuzz_neighbours_act(void)
{
    uint8_t act = fuzz_u8();
    uint32_t number = act % (fuzz_peer_count + FUZZ_DEVICES);
    struct fuzz_peer *p = &fuzz_peer[number];
    act /= FUZZ_PEERS;
    if (number == fuzz_peer_count) {
        fuzz_device_acts(act);
        return;
    }
    if (!p->hostile) {
        act %= 28;
    }
    if (act < 8) {
        fuzz_give(p, number);
    } else if (act < 12) {
        for (uint32_t i = 0; i < FUZZ_CAPACITY; i++) {
            fuzz_give(p, number);
        }
    } else if (act < 18) {
        fuzz_take(p, number);
    } else if (act < 22) {
        for (uint32_t i = 0; i < 8 * FUZZ_CAPACITY; i++) {
            fuzz_take(p, number);
        }
    } else if (act < 28) {
        fuzz_sleep(p, number);
    } else if (act < 38 || p->out.config.capacity == 0) {
        fuzz_hostile_word(p);
    } else {
        struct serial_entry entry = fuzz_hostile_entry();
        for (uint32_t i = 0; i <= act % 8u; i++) {
            fuzz_send(p, &entry);
        }
    }
}

static void fuzz_notified(microkit_channel ch)
{
    fuzz_check(ch >= 1 && ch <= fuzz_peer_count, "a channel is made up");
    fuzz_peer[ch - 1].signalled = true;
}

/* ---- an execution -------------------------------------------------------------------------- */

/* After each of the component's handlers. */
static void fuzz_at_rest(void)
{
    fuzz_steps_left = UINT32_MAX;
    for (uint32_t i = 0; i < fuzz_peer_count; i++) {
        const struct fuzz_peer *p = &fuzz_peer[i];
        if (p->hostile || !p->asleep || p->signalled) {
            continue;
        }
        fuzz_check(!fuzz_something(p), "an honest one sleeps, and has work");
        fuzz_check(!p->waits || !fuzz_room(p), "an honest one waits for room, and there is some");
    }
}

static void fuzz_wake(microkit_channel ch)
{
    fuzz_steps_begin();
    notified(ch);
    fuzz_at_rest();
}

/* A hostile one notifies as it likes, an honest one if it must. */
static void fuzz_peer_notifies(uint32_t number)
{
    struct fuzz_peer *p = &fuzz_peer[number];
    if (p->hostile || p->signals) {
        p->signals = false;
        fuzz_wake(p->channel);
    }
}

/* So many steps of the neighbours and the component's, by the fuzzer's bytes. */
static void fuzz_live(void)
{
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 80 && act % (fuzz_peer_count + FUZZ_DEVICES) < fuzz_peer_count) {
            fuzz_peer_notifies(act % (fuzz_peer_count + FUZZ_DEVICES));
        } else if (act < 80) {
            fuzz_interrupts();
        } else {
            fuzz_neighbours_act();
        }
    }
}

/*
 * The end of an execution: hostile ones are silent, and the honest ones that receive go on until
 * nobody has anything to do.
 */
static void fuzz_settle(void)
{
    fuzz_concurrent = false;
    bool busy = true;
    for (uint32_t round = 0; round < 200 && busy; round++) {
        busy = fuzz_device_settles();
        for (uint32_t i = 0; i < fuzz_peer_count; i++) {
            struct fuzz_peer *p = &fuzz_peer[i];
            if (p->hostile) {
                continue;
            }
            while (fuzz_something(p)) {
                fuzz_take(p, i);
            }
            fuzz_sleep(p, i);
            busy = busy || p->signals;
            fuzz_peer_notifies(i);
        }
    }
}

/* All that an honest one has sent has been taken. */
static void fuzz_check_taken(uint32_t number)
{
    const struct fuzz_peer *p = &fuzz_peer[number];
    fuzz_check(p->hostile || p->out.consumer->head == p->tail,
               "entries are left, and nobody will look at them");
}

/*
 * What follows a component's init: with a good configuration it runs, and lives until all are at
 * rest, which is true; with a bad one it does nothing.
 */
static inline bool fuzz_lives(bool bad, bool runs)
{
    if (bad) {
        fuzz_check(!runs, "it runs with a bad configuration");
        notified(1);
        return false;
    }
    fuzz_at_rest();
    fuzz_live();
    fuzz_settle();
    return true;
}
