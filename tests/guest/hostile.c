/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that has gone over to the enemy: it gives its virtio network card whatever address it is
 * told to, for the card to read a frame from or to write one to. Orders come through a region that
 * the test writes to; every one begins with a reset of the card, so that the last one, whatever it
 * did to the card, does not matter.
 */
#include <microkit_linux.h>
#include <stddef.h>

#include "sddf/atomic.h"
#include "transport.h"
#include "virtqueue.h"

#define LOOK_NS   20000000u
#define RING_SIZE 8u

enum { RECEIVEQ, TRANSMITQ };

enum order_kind {
    ORDER_READ = 1,  /* the card sends what is there */
    ORDER_WRITE = 2, /* the card has that to receive into; it does when a frame comes */
};

struct orders {
    sddf_atomic_u32 sequence; /* written last: a new one is an order */
    uint32_t kind;
    uint64_t address;
    uint32_t length;
    sddf_atomic_u32 done; /* ours: the last sequence that was carried out; ~0: the card refused */
};

/* Set by the description. */
seL4_Word registers, registers_size, rings, rings_io, config, orders_at;

static struct virtio device;
static struct virtqueue queue;
static uint32_t seen;

/* One entry, in a queue of its own; the other queue has none. */
static bool carry_out(uint32_t kind, uint64_t address, uint32_t length)
{
    const uint32_t which = kind == ORDER_READ ? TRANSMITQ : RECEIVEQ;
    if (!virtio_reset(&device) ||
        !virtio_begin(&device, VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1)) {
        return false;
    }
    const struct virtqueue_layout layout = virtqueue_layout(RING_SIZE, false);
    const struct virtqueue_shape shape = {
        .header_length = 12, .payload_length = length, .device_writes = which == RECEIVEQ};
    virtqueue_start(&queue, &layout, &shape, (void *)rings, rings_io);
    if (virtio_queue_max(&device, which) < RING_SIZE ||
        !virtio_queue_start(&device, which, RING_SIZE, rings_io, rings_io + layout.driver,
                            rings_io + layout.device)) {
        return false;
    }
    virtio_go(&device);
    virtqueue_give(&queue, address, length);
    virtqueue_publish(&queue);
    sddf_device_store_then_look();
    virtio_doorbell(&device, which);
    return true;
}

static void look(void)
{
    struct orders *orders = (struct orders *)orders_at;
    const uint32_t sequence = sddf_load_acquire_u32(&orders->sequence);
    if (sequence != seen) {
        seen = sequence;
        const bool ok = carry_out(orders->kind, orders->address, orders->length);
        sddf_store_release_u32(&orders->done, ok ? sequence : UINT32_MAX);
    }
    microkit_linux_irq_after(0, LOOK_NS);
}

void init(void)
{
    const struct sddf_device_config shape = {
        .region_count = 3,
        .irq_count = 1, /* (its interrupts are of no interest) */
        .region = {{registers, registers_size, 0}, {rings, 0x1000, rings_io}, {config, 0x1000, 0}},
    };
    if (!virtio_find(&device, &shape, VIRTIO_ID_NETWORK)) {
        microkit_dbg_puts("hostile: no virtio network card\n");
        return;
    }
    microkit_dbg_puts("hostile: ready\n");
    look();
}

void notified(microkit_channel ch)
{
    (void)ch;
    look();
}
