/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Intel 82574L, as its datasheet has it, for tests of a driver that is compiled with
 * tests/unit/virtio/sddf/device.h. It obeys, and fails the test when the driver does not:
 *
 *   registers   width, those that there are, no reserved bit set; before a reset interrupts are
 *               masked and mastership is given up, and waited for; between RST and its end nothing
 *               but CTRL is looked at; rings, filters and all 128 words of the multicast table are
 *               written before receiving is enabled, and rings not after; statistics are read once
 *   interrupts  with vectors, a message clears and masks the causes in EIAC, and ICR is never read;
 *               without, a read of ICR clears it and masks IAM; only what there is is unmasked
 *   tails       move forward only, over descriptors that are ours, and leave one free
 *   memory      the driver does not write to a descriptor that the device has; reads of one only
 *               its second word; a descriptor is the same when the device uses it as it was when
 *               the tail passed it
 *   descriptors 7.1.3: a whole buffer in the region that the device may write to, status zero;
 *               7.2.10.1: a frame within one buffer of a region that it may read, EOP and IFCS, no
 *               bits that there are not, and RS on the last one before a tail
 *   barriers    before_doorbell between the last store to ring memory and a tail; after_index
 *               between the first sight of "done" and a second look, or the next tail
 *
 * What the model does by itself, it does in e1000e_model_step(), which also runs before a random
 * part of the driver's accesses if `racy`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MODEL_RINGS_IO   UINT64_C(0x1234560000)
#define MODEL_RX_IO      UINT64_C(0x2000000800)
#define MODEL_TX_IO      UINT64_C(0x3000000000)
#define MODEL_RINGS_SIZE 0x8000u

#define MODEL_REGISTERS_SIZE 0x20000u

enum { MODEL_RX, MODEL_TX };

struct e1000e_model_options {
    uint32_t seed;
    uint32_t reset_reads;  /* so often CTRL is read before a reset is complete */
    uint32_t master_reads; /* so often STATUS is read before all requests have ended */
    bool vectors;          /* MSI-X */
    bool racy;
    bool absent;         /* there is no device at all */
    bool lies_at_once;   /* with the first buffer that it gets */
    bool goes_in_resets; /* is pulled out when a reset begins */
};

/* Counters, for tests to look at and to reset. */
struct e1000e_model_counts {
    unsigned resets, starts, tails[2], messages, reads, writes, sent, received, accesses;
};

extern struct e1000e_model_counts model_counts;

/* Where the registers are (not to be read), and ring memory. */
extern unsigned char model_registers[];
extern unsigned char model_rings[];

/* Power on, with data regions of so many buffers each. The link is up. */
void e1000e_model_power_on(const struct e1000e_model_options *options, uint32_t buffers);

/* The wire offers so many frames. Each gets a number, which model_content remembers by buffer. */
void e1000e_model_wire(uint32_t frames);
uint32_t e1000e_model_wire_left(void);
extern uint32_t model_content[];      /* number of the frame in each Rx buffer */
extern uint16_t model_frame_length[]; /* by number, modulo 4096 */
extern uint16_t model_next_status;    /* of the next frames, besides DD and EOP: status, errors */
extern uint32_t model_next_length;    /* 0: at random */
extern uint32_t model_missed;         /* MPC */

/* The device does something, or nothing. Not to be called from the driver's entry points. */
void e1000e_model_step(void);

/* ... until there is nothing that it could do. */
void e1000e_model_finish(void);

/* The device stops sending: frames stay where they are. */
extern bool model_holds_tx;

/* Which vector has a message that was not taken yet? 0, 1, or -1. Takes it. */
int e1000e_model_message(void);

/* The driver is about to sleep: no barrier is owed, and what it waits for is not masked. */
void e1000e_model_driver_sleeps(void);

/* Descriptors that the device has. */
uint32_t e1000e_model_in_flight(unsigned ring);

/* The last frame that was sent. */
extern uint64_t model_sent_address;
extern uint32_t model_sent_length;

/* Is the device receiving and sending? */
bool e1000e_model_live(void);
uint32_t e1000e_model_ring_size(unsigned ring);

/* Goes up or down, with an interrupt. */
void e1000e_model_link(bool up);

/* A frame was missed, with an interrupt. */
void e1000e_model_overrun(uint32_t missed);

/* ---- a device that does not obey ----------------------------------------------------------- */

/* The device is pulled out: all reads are ones, and nothing happens any more. */
void e1000e_model_remove(void);

/* From now on a reset does not end. */
void e1000e_model_never_resets(void);

/* Writes back the descriptor that comes `ahead` behind the next, whatever it is, and interrupts. */
void e1000e_model_lie(unsigned ring, uint32_t ahead, uint64_t rest);

/* The device takes `n` descriptors without using them or giving them back. */
void e1000e_model_jump(unsigned ring, uint32_t n);

/* Interrupts for no reason. */
void e1000e_model_interrupt(void);
