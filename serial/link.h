/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of a way that bytes go, in the virtualisers, the drivers and the client library:
 *
 *     struct link_out   produces `active`; may wait for room by `free`
 *     struct link_in    consumes `active`; says on `free` that there is room again
 *
 * On the way in (from the device to the clients) there is no `free`: who finds no room drops.
 */
#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#include "sddf/serial.h"

/* ---- the producer's end -------------------------------------------------------------------- */

struct link_out {
    struct sddf_queue_producer active;
    struct sddf_queue_consumer free;
    bool has_free;
    uint8_t channel;
    struct serial_entry packed; /* bytes that do not fill an entry yet */
};

static inline bool link_producer(struct sddf_queue_producer *q,
                                 const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           serial_queue_producer_attach(q, (void *)(uintptr_t)config->producer,
                                        (const void *)(uintptr_t)config->consumer,
                                        config->capacity);
}

static inline bool link_consumer(struct sddf_queue_consumer *q,
                                 const struct sddf_queue_config *config)
{
    return config->producer != 0 && config->consumer != 0 &&
           serial_queue_consumer_attach(q, (void *)(uintptr_t)config->consumer,
                                        (const void *)(uintptr_t)config->producer,
                                        config->capacity);
}

static inline bool link_out_tx(struct link_out *out, const struct serial_tx_config *config)
{
    *out = (struct link_out){.has_free = true, .channel = config->channel};
    return config->channel < MICROKIT_MAX_CHANNELS &&
           link_producer(&out->active, &config->active) && link_consumer(&out->free, &config->free);
}

static inline bool link_out_rx(struct link_out *out, const struct serial_rx_config *config)
{
    *out = (struct link_out){.channel = config->channel};
    return config->channel < MICROKIT_MAX_CHANNELS && link_producer(&out->active, &config->active);
}

/*
 * Before a pass: what lies on `free` has done its service. At most what the queue holds; the
 * entries mean nothing, so they are not even read.
 */
static inline void link_out_begin(struct link_out *out)
{
    if (out->has_free) {
        out->free.head += sddf_queue_consumer_refresh(&out->free);
        sddf_queue_release(&out->free);
    }
}

/* Is there room for so many bytes, besides those that are packed already? */
static inline bool link_out_room(struct link_out *out, uint32_t bytes)
{
    uint32_t entries = (out->packed.count + bytes + SERIAL_ENTRY_BYTES - 1) / SERIAL_ENTRY_BYTES;
    return sddf_queue_space(&out->active, entries) >= entries;
}

/* Closes the entry that is being packed. False if the queue is full: its bytes are lost. */
static inline bool link_out_close(struct link_out *out)
{
    if (out->packed.count == 0) {
        return true;
    }
    bool ok = serial_queue_enqueue(&out->active, out->packed);
    out->packed = (struct serial_entry){0};
    return ok;
}

/* False if the queue is full: up to seven bytes, this one included, are lost. */
static inline bool link_out_put(struct link_out *out, uint8_t byte)
{
    out->packed.bytes[out->packed.count++] = byte;
    return out->packed.count < SERIAL_ENTRY_BYTES || link_out_close(out);
}

/* There is room for them (link_out_room). */
static inline void link_out_write(struct link_out *out, const char *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        link_out_put(out, (uint8_t)bytes[i]);
    }
}

/* At the end of a pass: hands over, once. True: the consumer was notified. */
static inline bool link_out_end(struct link_out *out)
{
    if (out->active.published != out->active.tail) {
        sddf_queue_publish(&out->active);
    }
    if (!sddf_queue_needs_signal(&out->active)) {
        return false;
    }
    microkit_notify(out->channel);
    return true;
}

/*
 * There was no room for so many bytes: asks to be notified when the consumer has taken something.
 * False: there is room now, or news of it; go on.
 */
static inline bool link_out_wait(struct link_out *out, uint32_t bytes)
{
    bool news = !sddf_queue_request_signal(&out->free); /* releases, asks, and fences */
    return !link_out_room(out, bytes) && !news;
}

/* ---- the consumer's end -------------------------------------------------------------------- */

struct link_in {
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free;
    bool has_free;
    uint8_t channel;
    uint32_t budget; /* entries that may still be taken in this pass */
    uint32_t taken;  /* entries taken in this pass */
    struct serial_entry entry;
    uint32_t place; /* the next byte of it */
};

static inline bool link_in_tx(struct link_in *in, const struct serial_tx_config *config)
{
    /* As if something had been taken: before a restart it may have been, and not been said. */
    *in = (struct link_in){.has_free = true, .channel = config->channel, .taken = 1};
    return config->channel < MICROKIT_MAX_CHANNELS && link_consumer(&in->active, &config->active) &&
           link_producer(&in->free, &config->free);
}

static inline bool link_in_rx(struct link_in *in, const struct serial_rx_config *config)
{
    *in = (struct link_in){.channel = config->channel};
    return config->channel < MICROKIT_MAX_CHANNELS && link_consumer(&in->active, &config->active);
}

/* Before a pass: in it, at most what the queue holds now is taken. */
static inline void link_in_begin(struct link_in *in)
{
    in->budget = sddf_queue_consumer_refresh(&in->active);
}

enum link_taken {
    LINK_EMPTY,   /* no more in this pass */
    LINK_BYTE,    /* *byte is the next one */
    LINK_SHOW,    /* an entry without bytes */
    LINK_REFUSED, /* an entry that claims too many bytes; it is skipped */
};

static inline enum link_taken link_in_take(struct link_in *in, uint8_t *byte)
{
    if (in->place < in->entry.count) {
        *byte = in->entry.bytes[in->place++];
        return LINK_BYTE;
    }
    in->entry.count = 0;
    if (in->budget == 0 || !serial_queue_dequeue(&in->active, &in->entry)) {
        in->entry.count = 0;
        return LINK_EMPTY;
    }
    in->budget--;
    in->taken++;
    in->place = 0;
    if (in->entry.count > SERIAL_ENTRY_BYTES) {
        in->entry.count = 0;
        return LINK_REFUSED;
    }
    if (in->entry.count == 0) {
        return LINK_SHOW;
    }
    *byte = in->entry.bytes[in->place++];
    return LINK_BYTE;
}

/* Puts the byte back that was just taken. */
static inline void link_in_untake(struct link_in *in)
{
    in->place--;
}

/* Something of this pass's share is left. */
static inline bool link_in_left(const struct link_in *in)
{
    return in->place < in->entry.count || in->budget > 0;
}

/* At the end of a pass: gives room back, and says so. True: the producer was notified. */
static inline bool link_in_end(struct link_in *in)
{
    if (in->taken == 0) {
        return false;
    }
    in->taken = 0;
    sddf_queue_release(&in->active); /* first: who sees the entry of `free` finds the room */
    if (!in->has_free) {
        return false;
    }
    if (!serial_queue_enqueue(&in->free, (struct serial_entry){0})) {
        /*
         * Full, as far as we saw. Orders our release of `active` before another look at the head of
         * `free`, against the producer's release of `free` before its last look at `active`, with
         * the fence of its request between them: we see the place, or it sees the room.
         */
        sddf_fence_seq_cst();
        serial_queue_enqueue(&in->free, (struct serial_entry){0});
    }
    sddf_queue_publish(&in->free);
    if (!sddf_queue_needs_signal(&in->free)) {
        return false;
    }
    microkit_notify(in->channel);
    return true;
}

/* After a pass that took all: asks to be notified of more. True: there is more already. */
static inline bool link_in_more(struct link_in *in)
{
    return !sddf_queue_request_signal(&in->active);
}

/* ---- for init ------------------------------------------------------------------------------ */

/* Prints why this PD stays stopped. */
static inline void link_refuse(const char *what)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(what);
    microkit_dbg_puts(" in the serial configuration does not match this program\n");
}
