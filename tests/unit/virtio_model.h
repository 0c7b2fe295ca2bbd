/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio network device behind either transport (virtio_model_mmio.c, virtio_model_pci.c), as
 * virtio 1.2 has it, for tests of a driver that is compiled with tests/unit/virtio/sddf/device.h.
 * It obeys the specification, and fails the test when the driver does not:
 *
 *   registers   4.1.3.1, 4.2.2.2: width, direction, order; 3.1.1: the steps of initialisation and
 * their status bits; features among those offered, none changed afterwards; queues set up while
 * they are not ready, aligned (2.7), zeroed, no larger than QueueNumMax; no doorbell before
 * DRIVER_OK; only interrupts acknowledged that there are memory      the driver does not touch what
 * belongs to the device (descriptors, tables, headers and ring entries of a chain from the index's
 * store to the used index's), never writes to a used ring, and reads of it only what the index has
 * handed over; a chain is the same when the device takes it as it was when it was published chains
 * 2.7.5: flags, no loop, within QueueNumMax; 5.1.6: a header of 12 bytes in ring memory, zero but
 * for what was asked for; a payload in a region that the device may read, or write barriers
 * before_index between the last store to ring memory and the store of the available index;
 * after_index between the load of the used index and that of a used entry or of a header that the
 * device wrote; store_then_look between the store of the available index and the look at what the
 * device wants to be told, and between the last wish for an interrupt and a last look at the used
 * index before the driver sleeps; before_doorbell between the available index and a doorbell;
 * after_register between an acknowledgement and the next look at a used index
 *
 * What the model does by itself, it does in virtio_model_step(), which also runs before a random
 * part of the driver's accesses if `racy`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MODEL_RINGS_IO UINT64_C(0x1234560000)
#define MODEL_RX_IO    UINT64_C(0x2000000800)
#define MODEL_TX_IO    UINT64_C(0x3000000000)

#define MODEL_INDIRECT   (UINT64_C(1) << 28)
#define MODEL_EVENT_IDX  (UINT64_C(1) << 29)
#define MODEL_VERSION_1  (UINT64_C(1) << 32)
#define MODEL_PLATFORM   (UINT64_C(1) << 33)
#define MODEL_CSUM       (UINT64_C(1) << 0)
#define MODEL_GUEST_CSUM (UINT64_C(1) << 1)
#define MODEL_MAC        (UINT64_C(1) << 5)
#define MODEL_MRG_RXBUF  (UINT64_C(1) << 15)
#define MODEL_PACKED     (UINT64_C(1) << 34)

enum { MODEL_RX, MODEL_TX };

struct virtio_model_options {
    uint64_t offers;
    uint32_t queue_max[2];
    uint32_t version;   /* 2, unless it is a test of something else: 1, a legacy device */
    uint32_t device_id; /* 1, likewise */
    uint32_t before;    /* MMIO: transports without a device that come before it in the region */
    uint32_t seed;
    uint32_t reset_reads; /* so often the status is read before a reset is complete */
    bool any_order;       /* uses chains in any order */
    bool racy;
    bool sleeps;             /* looks for chains to send only when the doorbell was rung */
    bool wants_no_doorbells; /* and says so; not with sleeps */
    bool refuses_features;
    bool lies_at_once; /* has used what it never got, from the start */
    /* PCI: */
    bool messages;        /* MSI-X is on, with two vectors... */
    bool one_vector;      /* ...or one */
    bool refuses_vectors; /* has room for none */
    uint16_t queues;      /* how many it has; 0: three */
    uint16_t notify_off;  /* of every queue; 0: as it should be */
};

struct virtio_model_frame {
    uint64_t address;
    uint32_t length;
    uint32_t header[3];
};

/* Counters, for tests to look at and to reset. */
struct virtio_model_counts {
    unsigned resets, starts, failed, doorbells[2], interrupts, sent, received, accesses;
};

extern struct virtio_model_counts model_counts;

/* The regions: registers (4096 bytes) and ring memory. */
extern unsigned char model_registers[];
extern unsigned char model_rings[];
#define MODEL_RINGS_SIZE 0x28000u

/* Power on, with data regions of so many buffers each. */
void virtio_model_power_on(const struct virtio_model_options *options, uint32_t buffers);

/* The wire offers so many frames. Each gets a number, which model_content remembers by buffer. */
void virtio_model_wire(uint32_t frames);
uint32_t virtio_model_wire_left(void);
extern uint32_t model_content[];      /* number of the frame in each Rx buffer */
extern uint32_t model_frame_flags[];  /* header flags by frame number, modulo 4096 */
extern uint16_t model_frame_length[]; /* modulo 4096 */
extern uint32_t model_next_flags;     /* for the next frames: header flags */
extern uint32_t model_next_length;    /* 0: at random */

/* The device does something, or nothing. Not to be called from the driver's entry points. */
void virtio_model_step(void);

/* ... until there is nothing that it could do. */
void virtio_model_finish(void);

/* The device stops sending: frames stay where they are. */
extern bool model_holds_tx;

/* Is the interrupt line up? */
bool virtio_model_interrupts(void);

/* PCI: which vector has a message that was not taken yet? 0, 1, or -1. Takes it. */
int virtio_model_message(void);

/* The driver is about to sleep: has it looked after its last wish? */
void virtio_model_driver_sleeps(void);

/* Chains that the device has. */
uint32_t virtio_model_in_flight(unsigned queue);

/* The last frame that was sent. */
extern struct virtio_model_frame model_last_sent;

/* Is the device going, and are these features agreed upon? */
bool virtio_model_live(void);
uint64_t virtio_model_features(void);
uint32_t virtio_model_queue_size(unsigned queue);

/* ---- a device that does not obey ----------------------------------------------------------- */

/* 2.1.2 */
void virtio_model_needs_reset(void);

/* From now on the device does not say that a reset is complete. */
void virtio_model_never_resets(void);

/* Uses one more entry, with this identifier and length, and moves the index on by `by`. */
void virtio_model_lie(unsigned queue, uint32_t id, uint32_t length, uint16_t by);

/* Packed rings: marks the entry of the chain that comes `ahead` behind the next as used. */
void virtio_model_use_out_of_turn(unsigned queue, uint16_t ahead);

/* PCI: the device is pulled out. All reads are ones, and nothing happens any more. */
void virtio_model_remove(void);

/*
 * PCI: the configuration space, which power_on fills in, and a vendor's capability in it (4.1.4),
 * to be put there after that and before the driver starts. The registers are MODEL_REGISTERS_SIZE.
 */
struct virtio_model_capability {
    uint8_t type, bar;
    uint32_t offset, length, multiplier;
};

#define MODEL_CONFIG_SIZE    4096u
#define MODEL_REGISTERS_SIZE 4096u
extern unsigned char model_config[];
void virtio_model_capability(uint8_t at, uint8_t next, struct virtio_model_capability c);

/* A head that the device has, or UINT32_MAX. */
uint32_t virtio_model_some_head(unsigned queue);
