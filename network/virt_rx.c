/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Rx virtualiser: hands each received frame to whoever its destination MAC names, and each
 * buffer that nobody holds any more back to the driver.
 *
 *                   active: frames, IO addresses
 *      driver  ---------------------------------->  rx_return  ---> receivers' active queues
 *              <----------------------------------  rx_provide <--- receivers' free queues
 *                   free: empty buffers
 *
 * A receiver is a copier on behalf of its client, or the ARP component. A frame for a receiver that
 * has no room in its queue is dropped at once, and so is one for a receiver that holds as many
 * buffers as nobody holds: however many receivers keep what they got (died, or mean it), one more
 * still gets as many as any of them, and the driver has as many again to receive into.
 *
 * A broadcast may go to several receivers, so for every DMA buffer there is a set of holders, and
 * the buffer is the driver's again when the set has become empty.
 */
#include <microkit.h>

#include "sddf/cache.h"
#include "sddf/net.h"

#include "bits.h"
#include "buffers.h"
#include "frame.h"
#include "mac_table.h"
#include "setup.h"
#include "tally.h"
#include "virt_rx.h"
#include "virt_rx_start.h"

/* Frames whose headers are fetched ahead of their turn: about a cache miss's worth of work. */
#define BATCH 16

#define DHCP_CLIENT_PORT 68

/* ---- from the driver to the receivers ------------------------------------------------------ */

struct arrival {
    uint32_t buffer;
    uint32_t offset;
    uint16_t length;
    uint16_t flags;
};

static struct arrival batch[BATCH]; /* on their way */

/* A frame, inside the one buffer that it says; and the buffer is on its way, nobody else's. */
/*@ predicate arrival_ok(struct arrival a) =
  @     a.buffer < buffer_count && NET_FRAME_MIN <= a.length <= NET_FRAME_MAX &&
  @     a.buffer * NET_BUFFER_SIZE <= a.offset &&
  @     a.offset + a.length <= (a.buffer + 1) * NET_BUFFER_SIZE;
  @ predicate batch_ok(integer from, integer count) =
  @     (\forall integer i; from <= i < count ==>
  @         arrival_ok(batch[i]) && holders[batch[i].buffer] == 0) &&
  @     (\forall integer i, j; from <= i < j < count ==>
  @         batch[i].buffer != batch[j].buffer);
  @*/

/* Takes what the driver says, as far as it can be true. From here on the buffer is ours. */
/*@ requires RX_BUFFERS && tally_ok(tally) && \valid(arrival);
  @ assigns *arrival, tally, RX_ACCOUNT;
  @ ensures RX_BUFFERS && tally_ok(tally);
  @ ensures taken: \result ==> arrival_ok(*arrival) && holders[arrival->buffer] == 0;
  @ ensures it_had_it: \result ==> \old(holders)[arrival->buffer] == HELD_BY_DRIVER;
  @ ensures untouched: \forall integer b; 0 <= b < buffer_count &&
  @     \old(holders[b]) != HELD_BY_DRIVER ==> holders[b] == \old(holders[b]);
  @*/
static bool arrival_take(struct net_entry entry, struct arrival *arrival)
{
    uint64_t offset = entry.address - data_io_address;
    uint32_t buffer = buffers_find(offset, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        return false;
    }
    if (holders[buffer] != HELD_BY_DRIVER) {
        tally_add(&tally, NET_STAT_REFUSED_OWNER, 1);
        return false;
    }
    holders[buffer] = 0;
    if (!buffers_length_ok(entry.length)) {
        tally_add(&tally, NET_STAT_REFUSED_LENGTH, 1);
        buffer_reclaim(buffer);
        return false;
    }
    if (!buffers_inside_one(offset, entry.length)) {
        tally_add(&tally, NET_STAT_REFUSED_ADDRESS, 1);
        buffer_reclaim(buffer);
        return false;
    }
    /*@ assert inside: offset + entry.length <= (buffer + 1) * NET_BUFFER_SIZE <= UINT32_MAX; */
    arrival->buffer = buffer;
    arrival->offset = (uint32_t)offset;
    arrival->length = entry.length;
    arrival->flags = entry.flags & NET_CSUM_VERIFIED;
    return true;
}

/* Whose address this is: one bit, or none. */
/*@ requires rx_macs && receiver_count <= NET_CLIENTS_MAX && to < FRAME_MACS;
  @ assigns \nothing;
  @ ensures nobody: \result == 0 ==> mac_table_lacks(macs, to);
  @ ensures its_owner: \result != 0 ==> \exists integer owner; 0 <= owner < receiver_count &&
  @     mac_table_has(macs, to, owner) && \result == pow2(owner);
  @ ensures \result < pow2(receiver_count);
  @*/
static uint64_t address_receiver(uint64_t to)
{
    uint32_t receiver = mac_table_find(&macs, to);
    return receiver == MAC_TABLE_NONE ? 0 : bits_one(receiver);
}

/* Who gets this frame: a bit per receiver. */
/*@ requires rx_macs && rx_sets && rx_data && receiver_count <= NET_CLIENTS_MAX;
  @ requires buffer_count <= NET_REGION_BUFFERS_MAX && \valid_read(arrival) && arrival_ok(*arrival);
  @ assigns \nothing;
  @ ensures \result < pow2(receiver_count);
  @ ensures whom: \result == 0 || \result == arp_receivers || \result == dhcp_receivers ||
  @     \exists integer to, owner; mac_table_has(macs, to, owner) && \result == pow2(owner);
  @*/
static uint64_t arrival_receivers(const struct arrival *arrival)
{
    const uint8_t *frame = data + arrival->offset;
    struct frame_header header = frame_read_header(frame);
    if (!frame_mac_is_group(header.to)) {
        return address_receiver(header.to);
    }
    if (header.to != FRAME_BROADCAST) {
        return 0;
    }
    if (header.type == FRAME_ARP) {
        return arp_receivers;
    }
    if (header.type == FRAME_IPV4 && dhcp_receivers != 0 &&
        frame_is_udp_to(frame, arrival->length, DHCP_CLIENT_PORT)) {
        return dhcp_receivers;
    }
    return 0;
}

/*
 * Whether a receiver may hold one more. The limit moves with what is left, so a receiver alone may
 * have half of the buffers, and of n that give nothing back each ends up with 1/(n + 1) of them. A
 * fixed share would have to be small for the case that all do, and wrong for a burst to one. It is
 * one comparison per frame: nobody looks at the others.
 */
/*@ requires \valid_read(receiver);
  @ assigns \nothing;
  @ ensures \result ==> receiver->lent < receiver->lent_max;
  @*/
static bool receiver_may_hold(const struct receiver *receiver)
{
    return receiver->lent < setup_min(receiver->lent_max, buffer_count - lent_count);
}

/*@ requires RX_BUFFERS && RX_RECEIVERS(receiver_count) && number < receiver_count;
  @ requires \valid_read(arrival) && arrival_ok(*arrival);
  @ requires holders[arrival->buffer] < HELD_BY_SELF;
  @ assigns receivers[number], holders[arrival->buffer], lent_count, RX_ROW;
  @ ensures rx_counts && rx_spare && rx_row;
  @ ensures rx_holders;
  @ ensures RX_RECEIVERS(receiver_count) && holders[arrival->buffer] < HELD_BY_SELF;
  @*/
static void arrival_give(const struct arrival *arrival, uint32_t number)
{
    struct net_entry entry = {
        .address = arrival->offset,
        .length = arrival->length,
        .flags = arrival->flags,
    };
    if (!receiver_may_hold(&receivers[number]) ||
        !net_queue_enqueue(&receivers[number].active, entry)) {
        tally_add(&receivers[number].tally, NET_STAT_DROP_FULL, 1);
        return;
    }
    /*@ ghost if (holders[arrival->buffer] == 0) row_lend(arrival->buffer); */
    lent_count += holders[arrival->buffer] == 0;
    holders[arrival->buffer] |= bits_one(number);
    receivers[number].lent++;
    tally_add(&receivers[number].tally, NET_STAT_RX_PACKETS, 1);
    tally_add(&receivers[number].tally, NET_STAT_RX_BYTES, arrival->length);
}

/* To those who are to have it, as far as each may, and to nobody else. */
/*@ requires RX_OK && \valid_read(arrival) && arrival_ok(*arrival) && to < pow2(receiver_count);
  @ requires holders[arrival->buffer] == 0;
  @ assigns receivers[..], holders[arrival->buffer], lent_count, RX_ROW;
  @ ensures RX_OK && holders[arrival->buffer] < HELD_BY_SELF;
  @ ensures nobody_else: \forall integer i; 0 <= i < receiver_count && !bits_has(to, i) ==>
  @     receivers[i] == \old(receivers[i]);
  @*/
static void arrival_give_to(const struct arrival *arrival, uint64_t to)
{
    /*@ loop invariant RX_OK && to < pow2(receiver_count);
      @ loop invariant holders[arrival->buffer] < HELD_BY_SELF;
      @ loop invariant \forall integer i; 0 <= i < receiver_count ==>
      @     bits_has(to, i) ==> bits_has(\at(to, Pre), i);
      @ loop invariant \forall integer i; 0 <= i < receiver_count && !bits_has(\at(to, Pre), i) ==>
      @     receivers[i] == \at(receivers[i], Pre);
      @ loop assigns to, receivers[..], holders[arrival->buffer], lent_count, RX_ROW;
      @ loop variant to;
      @*/
    for (; to != 0; to &= to - 1) {
        arrival_give(arrival, bits_first(to));
    }
}

/*@ requires RX_OK && \valid_read(arrival) && arrival_ok(*arrival);
  @ requires holders[arrival->buffer] == 0;
  @ assigns receivers[..], tally, given, holders[arrival->buffer], lent_count, RX_SPARE;
  @ ensures RX_OK;
  @*/
static void arrival_deliver(const struct arrival *arrival)
{
    uint64_t to = arrival_receivers(arrival);
    if (to == 0) {
        tally_add(&tally, NET_STAT_DROP_UNKNOWN, 1);
    }
    given |= to;
    arrival_give_to(arrival, to);
    if (holders[arrival->buffer] == 0) {
        buffer_reclaim(arrival->buffer);
    }
}

/* Takes so many entries; of them, how many frames are in the batch. */
/*@ requires RX_OK && entries <= BATCH && entries <= sddf_consumer_count(driver_active);
  @ assigns batch[..], driver_active.head, tally, RX_ACCOUNT;
  @ ensures RX_OK && \result <= BATCH && batch_ok(0, \result);
  @ ensures sddf_consumer_count(driver_active) ==
  @     \old(sddf_consumer_count(driver_active)) - entries;
  @*/
static uint32_t batch_take(uint32_t entries)
{
    struct net_entry entry;
    uint32_t count = 0;
    /*@ loop invariant RX_OK && count <= i <= entries && batch_ok(0, count);
      @ loop assigns i, entry, count, batch[..], tally, RX_ACCOUNT;
      @ loop variant entries - i;
      @*/
    for (uint32_t i = 0; i < entries; i++) {
        net_queue_get(&driver_active, i, &entry);
        if (arrival_take(entry, &batch[count])) {
            if (incoherent) {
                sddf_cache_forget(data + batch[count].offset, batch[count].length);
            } else {
                __builtin_prefetch(data + batch[count].offset);
            }
            count++;
        }
    }
    sddf_queue_consume(&driver_active, entries);
    if (incoherent) {
        sddf_cache_done(); /* before we look at the frames, and before anybody else may */
    }
    return count;
}

/* So many entries of the driver's, which are there. True: there is more already. */
/*@ requires RX_OK && left <= sddf_consumer_count(driver_active);
  @ assigns batch[..], driver_active.head, driver_active.tail, receivers[..], tally, given,
  @     lent_count, RX_ACCOUNT;
  @ ensures RX_OK;
  @*/
static bool rx_return(uint32_t left)
{
    /*@ loop invariant RX_OK && left <= sddf_consumer_count(driver_active);
      @ loop assigns left, batch[..], driver_active.head, receivers[..], tally, given, lent_count,
      @     RX_ACCOUNT;
      @ loop variant left;
      @*/
    while (left > 0) {
        uint32_t entries = setup_min(left, BATCH);
        uint32_t count = batch_take(entries);
        /*@ loop invariant RX_OK && i <= count && batch_ok(i, count);
          @ loop assigns i, receivers[..], tally, given, lent_count, RX_ACCOUNT;
          @ loop variant count - i;
          @*/
        for (uint32_t i = 0; i < count; i++) {
            arrival_deliver(&batch[i]);
        }
        left -= entries;
    }
    return !sddf_queue_request_signal(&driver_active);
}

/* ---- from the receivers to the driver ------------------------------------------------------ */

/* Takes what a receiver says, as far as it can be true. */
/*@ requires RX_BUFFERS && RX_RECEIVERS(receiver_count) && number < receiver_count;
  @ assigns receivers[number].lent, receivers[number].tally, lent_count, RX_ACCOUNT;
  @ ensures RX_BUFFERS;
  @ ensures RX_RECEIVERS(receiver_count);
  @*/
static void receiver_take_back(uint32_t number, struct net_entry entry)
{
    uint32_t buffer = buffers_find(entry.address, buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&receivers[number].tally, NET_STAT_REFUSED_ADDRESS, 1);
        return;
    }
    if ((holders[buffer] & bits_one(number)) == 0) {
        tally_add(&receivers[number].tally, NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    receivers[number].lent--;
    holders[buffer] &= ~bits_one(number);
    if (holders[buffer] == 0) {
        /*@ ghost row_return(buffer); */
        lent_count--;
        /*@ assert rx_counts && rx_row && rx_spare; */
        /*@ assert rx_holders; */
        buffer_reclaim(buffer);
    }
}

/*@ requires RX_BUFFERS && RX_DRIVER;
  @ assigns driver_free.head, driver_free.tail, spare_count, RX_HOLDERS;
  @ ensures RX_BUFFERS && RX_DRIVER;
  @*/
static void driver_provide(void)
{
    /* It takes what it has if there is less room; the rest stays ours until the next pass. */
    const uint32_t n = setup_min(spare_count, sddf_queue_space(&driver_free, spare_count));
    /*@ loop invariant rx_counts && rx_spare && rx_row;
      @ loop invariant rx_holders;
      @ loop invariant RX_DRIVER && 0 <= i <= n <= sddf_producer_space(driver_free);
      @ loop invariant spare_count == \at(spare_count, Pre) - i;
      @ loop assigns i, spare_count, RX_HOLDERS;
      @ loop variant n - i;
      @*/
    for (uint32_t i = 0; i < n; i++) {
        uint32_t buffer = spare[spare_count - 1];
        /*@ assert only_it: \forall integer b; 0 <= b < buffer_count && b != buffer ==>
          @     place[b] != spare_count - 1;
          @*/
        /*@ assert ours: buffer < buffer_count && holders[buffer] == HELD_BY_SELF; */
        struct net_entry entry = {
            .address = data_io_address + (uint64_t)buffer * NET_BUFFER_SIZE,
        };
        net_queue_set(&driver_free, i, entry);
        holders[buffer] = HELD_BY_DRIVER;
        spare_count--;
    }
    sddf_queue_produce(&driver_free, n);
}

/* At most what its queue holds. True: there is more already. */
/*@ requires RX_BUFFERS && RX_RECEIVERS(receiver_count) && number < receiver_count;
  @ assigns receivers[number], lent_count, lenders, RX_ACCOUNT;
  @ ensures RX_BUFFERS;
  @ ensures RX_RECEIVERS(receiver_count) && lenders <= \old(lenders);
  @*/
static bool receiver_collect(uint32_t number)
{
    /* Not only what we knew of: a frame of this pass is not to be dropped for want of the rest. */
    const uint32_t n = sddf_queue_consumer_refresh(&receivers[number].free);
    struct net_entry entry;
    /*@ loop invariant RX_BUFFERS && RX_RECEIVERS(receiver_count) && 0 <= i <= n;
      @ loop invariant n <= sddf_consumer_count(receivers[number].free);
      @ loop assigns i, entry, receivers[number].lent, receivers[number].tally, lent_count,
      @     RX_ACCOUNT;
      @ loop variant n - i;
      @*/
    for (uint32_t i = 0; i < n; i++) {
        net_queue_get(&receivers[number].free, i, &entry);
        receiver_take_back(number, entry);
    }
    sddf_queue_consume(&receivers[number].free, n);
    if (receivers[number].lent == 0) {
        lenders &= ~bits_one(number);
    }
    return !sddf_queue_request_signal_at(&receivers[number].free, receivers[number].enough);
}

/*
 * From each that may have something. True: some have more already.
 *
 * While fewer than `patience` buffers are lent, those of the frames that arrive included, only who
 * has notified is looked at: what comes back a frame at a time costs as much to look at as the
 * frame. Nobody misses what lies there meanwhile:
 *
 *   - not the driver: patience is a small part of all buffers. It has the others, or gets them in
 *     this pass, and when the device has filled them they arrive and are counted here;
 *   - not a receiver: by our account, in which it still holds what lies there, it has at most as
 *     many as are lent, and with all that arrive fewer than patience. That is no more than it may
 *     hold, and no more than half of all: receiver_may_hold() is true for each frame of the pass;
 *   - nor do we wait for a signal that does not come: a receiver's mark stays as it was set when
 *     the receiver was looked at last, and passing it notifies.
 *
 * (verify/spin/patience.c goes through it.)
 */
/*@ requires RX_OK;
  @ assigns receivers[..], lent_count, lenders, notifiers, given, RX_ACCOUNT;
  @ ensures RX_OK;
  @*/
static bool rx_provide(uint32_t arriving)
{
    bool more = false;
    uint64_t from = notifiers;
    if (lent_count + arriving >= patience) {
        from |= lenders;
    }
    notifiers = 0;
    /*@ loop invariant RX_OK && from < pow2(receiver_count);
      @ loop assigns from, more, receivers[..], lent_count, lenders, notifiers, given, RX_ACCOUNT;
      @ loop variant from;
      @*/
    for (; from != 0; from &= from - 1) {
        uint32_t number = bits_first(from);
        uint64_t bit = bits_one(number);
        if (receiver_collect(number)) {
            notifiers |= bit;
            more = true;
        }
        given |= bit; /* its counters may have changed */
    }
    return more;
}

/* ---- entry points -------------------------------------------------------------------------- */

/* Hands over to a receiver, and counts. True: it wants a signal. */
/*@ requires RX_OK && number < receiver_count;
  @ assigns receivers[number], lenders;
  @ ensures RX_OK;
  @*/
static bool receiver_hand_over(uint32_t number)
{
    if (receivers[number].lent > 0) {
        lenders |= bits_one(number);
    }
    bool waits = sddf_queue_hand_over(&receivers[number].active);
    if (waits) {
        tally_add(&receivers[number].tally, NET_STAT_SIGNALS, 1);
    }
    tally_flush(&receivers[number].tally, stats, number + 1);
    return waits;
}

/*
 * The end of a pass: hands everything over, once, and counts. True: the first receiver wants a
 * signal, which the caller sends: nearly every frame of a system with one client is for that one.
 */
/*@ requires RX_OK;
  @ assigns receivers[..], lenders, given, tally, driver_free, spare_count, RX_HOLDERS;
  @ ensures RX_OK && (\result ==> receiver_count > 0);
  @*/
static bool pass_end(void)
{
    bool first_waits = false;
    driver_provide();
    if (sddf_queue_hand_over(&driver_free)) {
        tally_add(&tally, NET_STAT_SIGNALS, 1);
        microkit_notify(sddf_net_config.driver.channel);
    }
    /*@ loop invariant RX_OK && (first_waits ==> receiver_count > 0);
      @ loop assigns first_waits, receivers[..], lenders, given;
      @ loop variant given;
      @*/
    for (; given != 0; given &= given - 1) {
        uint32_t number = bits_first(given);
        if (!receiver_hand_over(number)) {
            continue;
        }
        if (number == 0) {
            first_waits = true;
        } else {
            microkit_notify(receivers[number].channel);
        }
    }
    tally_flush(&tally, stats, 0);
    return first_waits;
}

/* True: the first receiver wants a signal. */
/*@ requires RX_OK;
  @ assigns receivers[..], lenders, notifiers, given, tally, driver_free, driver_active, batch[..],
  @     lent_count, RX_ACCOUNT;
  @ ensures RX_OK && (\result ==> receiver_count > 0);
  @*/
static bool serve(void)
{
    bool first_waits;
    bool more;
    tally_add(&tally, NET_STAT_WAKEUPS, 1);
    /*@ loop invariant RX_OK;
      @ loop assigns first_waits, more, receivers[..], lenders, notifiers, given, tally,
      @     driver_free, driver_active, batch[..], lent_count, RX_ACCOUNT;
      @*/
    do {
        const uint32_t arriving = sddf_queue_available(&driver_active);
        /* First what came back: then its owner may have that much again. */
        more = rx_provide(arriving);
        more |= rx_return(arriving);
        first_waits = pass_end();
        if (first_waits && more) {
            microkit_notify(receivers[0].channel);
        }
    } while (more);
    return first_waits;
}

/*@ requires rx_config_memory(sddf_net_config);
  @ ensures running ==> (RX_OK);
  @ assigns running, data, data_io_address, incoherent, buffer_count, receiver_count, stats,
  @     arp_receivers, dhcp_receivers, macs, by_channel[..], receivers[..], lenders, notifiers,
  @     given, tally, driver_free, driver_active, batch[..], lent_count, patience, RX_ACCOUNT;
  @*/
void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    running = true;
    if (serve()) {
        microkit_notify(receivers[0].channel);
    }
}

/*@ requires running ==> (RX_OK);
  @ assigns receivers[..], lenders, notifiers, given, tally, driver_free, driver_active, batch[..],
  @     lent_count, RX_ACCOUNT;
  @ ensures running ==> (RX_OK);
  @*/
void notified(microkit_channel ch)
{
    if (!running) {
        return;
    }
    if (ch < MICROKIT_MAX_CHANNELS) {
        notifiers |= by_channel[ch];
    }
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(receivers[0].channel);
    }
}
