/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the serial components share: regions, and the other side of a link. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "fake_microkit.h"
#include "net_rig.h" /* rig_region(), rig_random() */
#include "sddf/serial.h"

enum { RIG_CAPACITY = 128 };

static inline struct sddf_queue_config rig_serial_queue(uint32_t capacity)
{
    return (struct sddf_queue_config){
        .producer = (uintptr_t)rig_region(sddf_queue_producer_size(capacity, serial_queue_words)),
        .consumer = (uintptr_t)rig_region(sddf_queue_consumer_size()),
        .capacity = capacity,
    };
}

static inline struct serial_tx_config rig_tx(uint32_t capacity, uint8_t channel)
{
    return (struct serial_tx_config){.active = rig_serial_queue(capacity),
                                     .free = rig_serial_queue(SERIAL_FREE_CAPACITY),
                                     .channel = channel};
}

static inline struct serial_rx_config rig_rx(uint32_t capacity, uint8_t channel)
{
    return (struct serial_rx_config){.active = rig_serial_queue(capacity), .channel = channel};
}

static inline struct sddf_region_config rig_serial_stats(void)
{
    size_t size = sizeof(struct serial_stats);
    return (struct sddf_region_config){(uintptr_t)rig_region(size), size, 0};
}

static inline uint64_t rig_serial_stat(const struct sddf_region_config *stats, uint32_t row,
                                       enum serial_stat stat)
{
    const struct serial_stats *page = (const struct serial_stats *)(uintptr_t)stats->vaddr;
    return sddf_load_relaxed_u64(&page->row[row].count[stat]);
}

/* ---- a neighbour that sends ---------------------------------------------------------------- */

struct rig_sender {
    struct sddf_queue_producer active;
    struct sddf_queue_consumer free; /* transmit only */
};

static inline void rig_sender_rx(struct rig_sender *sender, const struct serial_rx_config *config)
{
    assert_true(serial_queue_producer_attach(
        &sender->active, (void *)(uintptr_t)config->active.producer,
        (const void *)(uintptr_t)config->active.consumer, config->active.capacity));
}

static inline void rig_sender_tx(struct rig_sender *sender, const struct serial_tx_config *config)
{
    rig_sender_rx(sender, &(struct serial_rx_config){.active = config->active});
    assert_true(serial_queue_consumer_attach(
        &sender->free, (void *)(uintptr_t)config->free.consumer,
        (const void *)(uintptr_t)config->free.producer, config->free.capacity));
}

/* How many bytes there was room for. */
static inline size_t rig_send_bytes(struct rig_sender *sender, const char *bytes, size_t count)
{
    size_t done = 0;
    while (done < count) {
        struct serial_entry entry = {0};
        size_t left = count - done;
        entry.count = (uint8_t)(left < SERIAL_ENTRY_BYTES ? left : SERIAL_ENTRY_BYTES);
        memcpy(entry.bytes, bytes + done, entry.count);
        if (!serial_queue_enqueue(&sender->active, entry)) {
            break;
        }
        done += entry.count;
    }
    sddf_queue_publish(&sender->active);
    return done;
}

static inline void rig_send_text(struct rig_sender *sender, const char *text)
{
    assert_int_equal(rig_send_bytes(sender, text, strlen(text)), strlen(text));
}

static inline void rig_send_entry(struct rig_sender *sender, uint8_t count)
{
    struct serial_entry entry = {.count = count, .bytes = "ABCDEFG"};
    assert_true(serial_queue_enqueue(&sender->active, entry));
    sddf_queue_publish(&sender->active);
}

/* ---- a neighbour that takes ---------------------------------------------------------------- */

struct rig_taker {
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free; /* transmit only */
    char text[1 << 16];
    size_t length;
};

static inline void rig_taker_rx(struct rig_taker *taker, const struct serial_rx_config *config)
{
    taker->length = 0;
    assert_true(serial_queue_consumer_attach(
        &taker->active, (void *)(uintptr_t)config->active.consumer,
        (const void *)(uintptr_t)config->active.producer, config->active.capacity));
    sddf_queue_request_signal(&taker->active);
}

static inline void rig_taker_tx(struct rig_taker *taker, const struct serial_tx_config *config)
{
    rig_taker_rx(taker, &(struct serial_rx_config){.active = config->active});
    assert_true(serial_queue_producer_attach(&taker->free, (void *)(uintptr_t)config->free.producer,
                                             (const void *)(uintptr_t)config->free.consumer,
                                             config->free.capacity));
}

/* Takes up to so many entries, all of which must be well formed; the text behind what was there. */
static inline uint32_t rig_take_some(struct rig_taker *taker, uint32_t most)
{
    struct serial_entry entry;
    uint32_t taken = 0;
    while (taken < most && serial_queue_dequeue(&taker->active, &entry)) {
        assert_true(entry.count <= SERIAL_ENTRY_BYTES);
        assert_true(taker->length + entry.count < sizeof(taker->text));
        memcpy(taker->text + taker->length, entry.bytes, entry.count);
        taker->length += entry.count;
        taken++;
    }
    taker->text[taker->length] = '\0';
    sddf_queue_request_signal(&taker->active);
    return taken;
}

/* As a good consumer of transmit: takes, and says that there is room. True: signalled. */
static inline bool rig_take_and_tell(struct rig_taker *taker, uint32_t most)
{
    if (rig_take_some(taker, most) == 0) {
        return false;
    }
    serial_queue_enqueue(&taker->free, (struct serial_entry){0});
    sddf_queue_publish(&taker->free);
    return sddf_queue_needs_signal(&taker->free);
}

/* All that has come since it was last asked. */
static inline const char *rig_text(struct rig_taker *taker)
{
    taker->length = 0;
    rig_take_some(taker, UINT32_MAX);
    return taker->text;
}
