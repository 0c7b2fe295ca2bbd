/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser's state, and what holds of it (see virt_rx.c, which alone includes this). */
#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#include "bits.h"
#include "mac_table.h"
#include "tally.h"

struct net_virt_rx_config sddf_net_config;

/* Holders besides the receivers, who have the bits of their places in the configuration. */
#define HELD_BY_DRIVER (UINT64_C(1) << 63)
#define HELD_BY_SELF   (UINT64_C(1) << 62) /* in spare[] */

_Static_assert(NET_CLIENTS_MAX <= 62, "a receiver is a bit below those two");

struct receiver {
    struct sddf_queue_producer active;
    struct sddf_queue_consumer free;
    uint32_t lent;     /* buffers that it holds, those in its active queue included */
    uint32_t lent_max; /* its free queue's capacity: what it holds it can always give back */
    uint32_t enough;   /* returned buffers that are worth a signal */
    uint8_t channel;
    struct tally tally;
};

static bool running;
static const uint8_t *data;
static uint64_t data_io_address;
static bool incoherent; /* the device writes past the caches */
static uint32_t buffer_count;
static struct sddf_queue_consumer driver_active;
static struct sddf_queue_producer driver_free;
static uint64_t holders[NET_REGION_BUFFERS_MAX];
static uint32_t spare[NET_REGION_BUFFERS_MAX]; /* ours, on the way to the driver's free queue */
static uint32_t spare_count;
static struct receiver receivers[NET_CLIENTS_MAX];
static uint32_t receiver_count;
static uint32_t lent_count;    /* buffers that some receiver holds, each counted once */
static uint32_t patience;      /* while fewer than so many are lent, none is looked for */
static uint64_t arp_receivers; /* bit per receiver */
static uint64_t dhcp_receivers;
static uint64_t lenders;   /* receivers that hold buffers */
static uint64_t notifiers; /* receivers that have notified */
static uint64_t given;     /* receivers to hand over to, or to count for, in this pass */
static uint64_t by_channel[MICROKIT_MAX_CHANNELS];
static struct mac_table macs;
static struct tally tally; /* what is no receiver's */
static struct net_stats *stats;

/* ---- what holds between two steps ---------------------------------------------------------- */

/*
 * All buffers in a row, for the proofs alone: first those in spare[], in the same order; last those
 * that receivers hold; between them the driver's, and those of the batch that is on its way. Where
 * in the row each is, place[] says. So no buffer is anywhere twice, and none is lost.
 */
/*@ ghost uint32_t row[NET_REGION_BUFFERS_MAX]; */
/*@ ghost uint32_t place[NET_REGION_BUFFERS_MAX]; */

/* What may change with a buffer's place: in the row, on the way to the driver, at all. */
#define RX_ROW     row[..], place[..]
#define RX_SPARE   spare[..], spare_count, RX_ROW
#define RX_HOLDERS holders[..]
#define RX_ACCOUNT RX_HOLDERS, RX_SPARE

/*@ predicate rx_row =
  @     (\forall integer b; 0 <= b < buffer_count ==>
  @         place[b] < buffer_count && row[place[b]] == b) &&
  @     (\forall integer i; 0 <= i < buffer_count ==> row[i] < buffer_count && place[row[i]] == i);
  @ predicate rx_holders =
  @     \forall integer b; 0 <= b < buffer_count ==>
  @         (place[b] < spare_count <==> holders[b] == HELD_BY_SELF) &&
  @         (place[b] >= buffer_count - lent_count <==> 1 <= holders[b] < HELD_BY_SELF) &&
  @         (holders[b] <= HELD_BY_SELF || holders[b] == HELD_BY_DRIVER);
  @ predicate rx_counts =
  @     1 <= buffer_count <= NET_REGION_BUFFERS_MAX && spare_count + lent_count <= buffer_count;
  @ predicate rx_spare = \forall integer i; 0 <= i < spare_count ==> spare[i] == row[i];
  @ predicate rx_data = \valid_read(data + (0 .. buffer_count * NET_BUFFER_SIZE - 1));
  @ predicate rx_receiver(struct receiver r) =
  @     sddf_producer_ok(r.active) && sddf_producer_slots(r.active, net_queue_words) &&
  @     sddf_consumer_ok(r.free) && sddf_consumer_slots(r.free, net_queue_words) &&
  @     tally_ok(r.tally);
  @ predicate rx_receivers(integer n) =
  @     \forall integer i; 0 <= i < n ==> rx_receiver(receivers[i]);
  @ predicate rx_macs = mac_table_ok(macs) && mac_table_owners(macs, receiver_count);
  @ predicate rx_sets =
  @     arp_receivers < pow2(receiver_count) && dhcp_receivers < pow2(receiver_count) &&
  @     lenders < pow2(receiver_count) && notifiers < pow2(receiver_count) &&
  @     given < pow2(receiver_count) && (\forall integer ch; 0 <= ch < MICROKIT_MAX_CHANNELS ==>
  @         by_channel[ch] < pow2(receiver_count));
  @ predicate rx_stats = tally_ok(tally) && tally_page(stats, receiver_count);
  @*/

/* Of the buffers, the driver, the receivers; and all of it. The prover takes one by one. */
#define RX_BUFFERS rx_counts &&rx_spare &&rx_row &&rx_holders
#define RX_DRIVER                                                                                  \
    sddf_consumer_ok(driver_active) && sddf_consumer_slots(driver_active, net_queue_words) &&      \
        sddf_producer_ok(driver_free) && sddf_producer_slots(driver_free, net_queue_words)
#define RX_RECEIVERS(n) receiver_count <= NET_CLIENTS_MAX &&rx_receivers(n)
#define RX_OK                                                                                      \
    RX_BUFFERS &&rx_data &&RX_DRIVER &&rx_macs &&rx_sets &&rx_stats &&RX_RECEIVERS(receiver_count)

/* A buffer changes places with the one that is there. */
/*@ ghost
  @ /@ requires rx_row && buffer < buffer_count <= NET_REGION_BUFFERS_MAX && to < buffer_count;
  @  @ assigns row[place[buffer]], row[to], place[buffer], place[row[to]];
  @  @ ensures rx_row && place[buffer] == to && row[to] == buffer;
  @  @ ensures other: place[\old(row[to])] == \old(place[buffer]);
  @  @ ensures others: \forall integer b; 0 <= b < buffer_count && b != buffer &&
  @  @     b != \old(row[to]) ==> place[b] == \old(place[b]);
  @  @ ensures elsewhere: \forall integer i; 0 <= i < buffer_count && i != to &&
  @  @     i != \old(place[buffer]) ==> row[i] == \old(row[i]);
  @  @/
  @ void row_move(uint32_t buffer, uint32_t to)
  @ {
  @     uint32_t from = place[buffer];
  @     uint32_t other = row[to];
  @     row[from] = other;
  @     place[other] = from;
  @     row[to] = buffer;
  @     place[buffer] = to;
  @ }
  @*/

/*
 * A buffer that is on its way: to behind those in spare[], or before those that are lent; and one
 * that is lent, before the others. Nobody else changes sides.
 */
/*@ ghost
  @ /@ requires rx_row && rx_counts && buffer < buffer_count;
  @  @ requires spare_count <= place[buffer] < buffer_count - lent_count;
  @  @ assigns RX_ROW;
  @  @ ensures rx_row && place[buffer] == spare_count && row[spare_count] == buffer;
  @  @ ensures \forall integer b; 0 <= b < buffer_count && b != buffer ==>
  @  @     (place[b] <= spare_count <==> \old(place[b]) < spare_count) &&
  @  @     (place[b] >= buffer_count - lent_count <==>
  @  @         \old(place[b]) >= buffer_count - lent_count);
  @  @ ensures \forall integer i; 0 <= i < spare_count ==> row[i] == \old(row[i]);
  @  @/
  @ void row_spare(uint32_t buffer)
  @ {
  @     row_move(buffer, spare_count);
  @ }
  @*/
/*@ ghost
  @ /@ requires rx_row && rx_counts && buffer < buffer_count;
  @  @ requires spare_count <= place[buffer] < buffer_count - lent_count;
  @  @ assigns RX_ROW;
  @  @ ensures rx_row && place[buffer] == buffer_count - lent_count - 1;
  @  @ ensures \forall integer b; 0 <= b < buffer_count && b != buffer ==>
  @  @     (place[b] < spare_count <==> \old(place[b]) < spare_count) &&
  @  @     (place[b] >= buffer_count - lent_count - 1 <==>
  @  @         \old(place[b]) >= buffer_count - lent_count);
  @  @ ensures \forall integer i; 0 <= i < spare_count ==> row[i] == \old(row[i]);
  @  @/
  @ void row_lend(uint32_t buffer)
  @ {
  @     row_move(buffer, buffer_count - lent_count - 1);
  @ }
  @*/
/*@ ghost
  @ /@ requires rx_row && rx_counts && buffer < buffer_count;
  @  @ requires place[buffer] >= buffer_count - lent_count;
  @  @ assigns RX_ROW;
  @  @ ensures rx_row && place[buffer] == buffer_count - lent_count;
  @  @ ensures \forall integer b; 0 <= b < buffer_count && b != buffer ==>
  @  @     (place[b] < spare_count <==> \old(place[b]) < spare_count) &&
  @  @     (place[b] > buffer_count - lent_count <==>
  @  @         \old(place[b]) >= buffer_count - lent_count);
  @  @ ensures \forall integer i; 0 <= i < spare_count ==> row[i] == \old(row[i]);
  @  @/
  @ void row_return(uint32_t buffer)
  @ {
  @     row_move(buffer, buffer_count - lent_count);
  @ }
  @*/

/* Nobody holds it, or is to have it: it goes back to the driver. */
/*@ requires RX_BUFFERS && buffer < buffer_count && holders[buffer] == 0;
  @ assigns holders[buffer], RX_SPARE;
  @ ensures rx_counts && rx_spare && rx_row;
  @ ensures rx_holders;
  @ ensures holders[buffer] == HELD_BY_SELF;
  @*/
static void buffer_reclaim(uint32_t buffer)
{
    /*@ ghost row_spare(buffer); */
    holders[buffer] = HELD_BY_SELF;
    spare[spare_count++] = buffer;
}
