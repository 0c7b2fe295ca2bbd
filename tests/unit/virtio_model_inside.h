/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the device model share: its registers, and its view of memory. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sddf/device.h"

#include "virtio_model.h"

#define QUEUE_MAX 1024u

/* 2.1, status bits */
enum {
    ACKNOWLEDGE = 1,
    DRIVER_KNOWN = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    FAILED = 128
};

struct desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct chain {
    bool published; /* the device's, from here until it is used */
    bool taken;
    uint16_t place; /* its available index */
    uint64_t table; /* packed: its indirect table; 0: none */
    struct desc part[2];
};

struct queue {
    bool ready, ready_read, max_read;
    uint32_t num;
    uint64_t area[3]; /* desc, driver, device */
    uint32_t words;   /* bit per address register written */
    uint16_t published, taken, used;
    uint16_t looked, read; /* the driver: the used index that it knows, entries that it has read */
    struct chain chain[QUEUE_MAX];
    uint16_t have[QUEUE_MAX]; /* taken, and not used yet, in order */
    uint32_t have_count;
    bool awake;
    /* barriers that the driver still owes */
    bool owes_doorbell_barrier, owes_look_barrier, owes_after_index, owes_last_look;
};

/* Of each byte of ring memory, who has it. */
enum owner { OURS, DEVICE_READS, DEVICE_WRITES, DEVICE_AREA };

struct model {
    struct virtio_model_options options;
    struct queue queues[2];
    unsigned char owner[MODEL_RINGS_SIZE];
    uint32_t status;
    uint32_t going_down; /* reads of the status until a reset is complete */
    uint32_t interrupt_status;
    uint64_t features; /* as the driver wrote them */
    bool agreed_read;  /* the driver has seen FEATURES_OK */
    bool device_sel_written, driver_sel_written;
    bool owes_index_barrier, owes_register_barrier;
};

extern struct model model;

static inline bool has(uint64_t feature)
{
    return (model.features & feature) != 0;
}

/* Before each access of the driver. */
void model_accessed(void);

/* Bytes of ring memory at an IO address. */
unsigned char *model_ring_at(uint64_t io, uint64_t length);
void model_put16(uint64_t io, uint16_t value);
void model_own(uint64_t io, uint64_t length, enum owner who);
uint64_t model_used_flags(const struct queue *q);
uint64_t model_avail_event(const struct queue *q);

/* Is it a chain that a network driver may give? */
void model_check_chain(const struct queue *q, const struct chain *chain);

/* ---- packed rings: virtio_model_packed.c ----------------------------------------------------- */

bool model_packed_take(struct queue *q);
void model_packed_return(struct queue *q, uint32_t id);
void model_packed_use(struct queue *q, uint32_t id, uint32_t length);
bool model_packed_interrupts(const struct queue *q, uint16_t before);
void model_packed_doorbells(const struct queue *q, bool wanted);

/* True: it was an access to the queue's own parts, and has been looked at. */
bool model_packed_loaded(struct queue *q, uint64_t io, uint32_t width);
bool model_packed_stored(struct queue *q, uint64_t io, uint64_t value, uint32_t width);

/* Everything is as after a reset, but for the counters and the wire. */
void model_forget(void);

/* ---- registers, however they are reached: virtio_model_device.c ----------------------------- */

void model_write_status(uint32_t value);
uint32_t model_read_status(void);
uint32_t model_offers(uint32_t which);             /* 32 features from bit 32 * which on */
void model_accept(uint32_t which, uint32_t value); /* likewise */
bool model_setting_up(void);                       /* may queues be configured now? */
void model_queue_ready(struct queue *q);
void model_doorbell(uint32_t queue);
void model_write_address(struct queue *q, uint32_t area, uint32_t high, uint32_t value);

/* ---- a transport: virtio_model_mmio.c or virtio_model_pci.c --------------------------------- */

/* As it is when power is turned on. */
void model_transport_power_on(void);

/* The device has something to say: VIRTIO_INTERRUPT_*. */
void model_transport_interrupt(uint32_t why);
