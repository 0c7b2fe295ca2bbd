/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For drivers of devices that reach memory by themselves: which IO addresses they may be given.
 * The neighbours' entries are checked against the data regions of the configuration, of which the
 * first is the one that the device may write to.
 */
#pragma once

#include "driver.h"

static uint64_t rx_base, rx_size; /* what the device may write to: the first data region */

/*
 * What the device may send from: the other data regions. Those that lie side by side are one, so
 * that it does not matter how many clients there are.
 */
static struct {
    uint64_t base, size;
} tx_range[NET_CLIENTS_MAX + 1];
static uint32_t tx_range_count;
static uint32_t tx_range_last; /* where the last frame was; the next one probably is, too */

static inline bool attach_data(void)
{
    const struct net_driver_config *c = &sddf_net_config;
    if (c->data_count < 2) {
        return false;
    }
    for (uint32_t i = 0; i < c->data_count; i++) {
        if (c->data[i].size % NET_BUFFER_SIZE != 0) {
            return false;
        }
    }
    rx_base = c->data[0].io_address;
    rx_size = c->data[0].size;
    tx_range_count = 0;
    tx_range_last = 0;
    for (uint32_t i = 1; i < c->data_count; i++) {
        const uint32_t n = tx_range_count;
        if (n > 0 && tx_range[n - 1].base + tx_range[n - 1].size == c->data[i].io_address) {
            tx_range[n - 1].size += c->data[i].size;
        } else {
            tx_range[n].base = c->data[i].io_address;
            tx_range[n].size = c->data[i].size;
            tx_range_count++;
        }
    }
    return true;
}

/*
 * The buffer that an entry of rx_free names, by its first byte; false if it is none that the device
 * may receive in, and then there is nothing to give back.
 */
static inline bool rx_buffer_of(uint64_t address, uint64_t *buffer)
{
    const uint64_t offset = address - rx_base;
    *buffer = address - offset % NET_BUFFER_SIZE;
    return offset < rx_size;
}

/*
 * After buffers of rx_free have been taken: when does virt_rx signal the next? filled: how many the
 * device has; full: its ring has room for no more. True if there is more to take already.
 */
static inline bool rx_free_settle(uint32_t filled, bool full)
{
    if (full) {
        sddf_queue_release(&rx_free); /* when there is room again, the device interrupts */
        return false;
    }
    /*
     * The device interrupts when it has used any, and then we look here: only with an empty ring is
     * every buffer worth a signal, else half as many as it has.
     */
    const uint32_t enough = min(filled / 2 + 1, rx_free.capacity);
    return !sddf_queue_request_signal_at(&rx_free, enough);
}

/* Is this address one that the device may send from, and the frame inside one buffer? */
static inline bool tx_address_ok(uint64_t address, uint32_t length)
{
    if (address - tx_range[tx_range_last].base >= tx_range[tx_range_last].size) {
        uint32_t i = 0;
        while (i < tx_range_count && address - tx_range[i].base >= tx_range[i].size) {
            i++;
        }
        if (i == tx_range_count) {
            return false;
        }
        tx_range_last = i;
    }
    return length <= NET_BUFFER_SIZE - (address - tx_range[tx_range_last].base) % NET_BUFFER_SIZE;
}

/* Why a frame cannot be sent; NET_STAT_COUNT if it can. fills: the device fills checksums in. */
static inline enum net_stat tx_fault(const struct net_entry *entry, bool fills)
{
    if (entry->length < NET_FRAME_MIN || entry->length > NET_FRAME_MAX) {
        return NET_STAT_REFUSED_LENGTH;
    }
    if (!tx_address_ok(entry->address, entry->length)) {
        return NET_STAT_REFUSED_ADDRESS;
    }
    if (entry->flags != 0 &&
        (entry->flags != NET_CSUM_WANTED || !fills ||
         (uint32_t)entry->csum_start + entry->csum_offset + 2 > entry->length)) {
        return NET_STAT_REFUSED_FLAGS;
    }
    return NET_STAT_COUNT;
}

static inline void tx_refuse(const struct net_entry *entry, enum net_stat why)
{
    count(why, 1);
    /* It goes back where it came from. No room for it: then it was not one of virt_tx's buffers. */
    net_queue_enqueue(&tx_free, (struct net_entry){.address = entry->address});
    sddf_queue_publish(&tx_free);
}

/* ---- when is it worth telling virt_tx that frames have been sent? --------------------------- */

/*
 * After how many more completions somebody is short of buffers, of those in flight; 0: after none.
 * waits: frames wait for room in the ring.
 *
 * virt_tx lowers its mark only in a pass that sends something, and what it sends wakes us, so the
 * mark that we have seen holds while we sleep. While virt_tx has had its signal and not set a new
 * mark, half of what is in flight is a guess that gives everything back in the end.
 */
static inline uint32_t tx_wanted(uint32_t in_flight, bool waits)
{
    const uint32_t half = (in_flight + 1) / 2;
    uint32_t wanted = sddf_queue_signal_distance(&tx_free);
    if (wanted == 0 || (waits && wanted > half)) {
        wanted = half;
    }
    return wanted <= in_flight ? wanted : 0;
}
