/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser: shares the device among its clients, lets nothing through that a client may
 * not send, and translates between offsets into a client's Tx data region and IO addresses.
 *
 *                       active: frames
 *      clients' active queues ---> virt_tx_provide.c  ------------------>  driver
 *      clients' free queues   <--- virt_tx_return.c   <------------------
 *                       free: buffers that the device is done with
 *
 * virt_tx.c joins the two. Whose turn it is is the policy's affair (tx_policy.h), and how much a
 * client may send at all its limit's (tx_limit.h). Frames for which the driver's queue has no room,
 * or for which their sender must wait, stay in their clients' queues: it is the clients who wait.
 *
 * For every buffer there is an owner: its client (which may have it in its free queue), the driver,
 * or this PD while a client's free queue has no room for it, which no honest client lets happen.
 * What a client sends must be its own; what is refused goes back to it if it was.
 */
#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#include "sddf/net.h"

#include "bits.h"
#include "tally.h"
#include "tx_check.h"
#include "tx_limit.h"
#include "tx_policy.h"
#include "tx_ranges.h"

enum tx_owner { TX_OWNER_CLIENT, TX_OWNER_DRIVER, TX_OWNER_SELF };

struct tx_client {
    struct sddf_queue_consumer active;
    struct sddf_queue_producer free;
    const uint8_t *data;
    uint64_t io_address;
    uint32_t buffer_count;
    uint32_t in_flight; /* buffers at the driver */
    uint32_t budget;    /* entries that it may still send in this pass */
    uint8_t channel;
    uint32_t first;       /* where its buffers begin in tx_owners[] and tx_spares[] */
    uint32_t spare_count; /* its buffers that are ours, on the way to its free queue */
    struct tx_limit limit;
    struct tally tally;
};

/* All that there is once. Sets are bits of clients. */
struct virt_tx {
    bool running;
    uint32_t client_count;
    uint64_t by_channel[MICROKIT_MAX_CHANNELS];
    bool incoherent; /* the device reads past the caches */
    struct sddf_queue_consumer driver_free;
    struct sddf_queue_producer driver_active;
    uint32_t driver_enough; /* returned buffers that are worth a signal */
    uint32_t asked_for;     /* ... and how many we have asked for one for (0: never), */
    uint32_t asked_at;      /* from this one on */
    struct tx_policy policy;
    struct tx_senders senders;
    struct tx_ranges ranges;
    uint64_t fresh;      /* have not had a turn in this pass */
    uint64_t touched;    /* to hand over to, or to count for, in this pass */
    uint64_t owed;       /* have spare buffers */
    uint64_t hungry;     /* have more than half of their buffers at the driver */
    uint64_t limited;    /* have a limit */
    uint64_t held;       /* have something to send, and must wait */
    uint64_t held_until; /* when the first of those may; TX_LIMIT_NEVER if there is none */
    uint64_t armed;      /* when the timeout is; TX_LIMIT_NEVER: it is off */
    uint32_t looked_at;  /* the client that was last woken without a notification */
    struct tally tally;  /* what is no client's */
    struct net_stats *stats;
};

extern struct virt_tx virt_tx;
extern struct tx_client tx_clients[NET_CLIENTS_MAX];
extern uint8_t tx_owners[NET_TX_BUFFERS_MAX]; /* enum tx_owner, of one client's after the other's */
extern uint32_t tx_spares[NET_TX_BUFFERS_MAX];

/* ---- what holds between two steps ---------------------------------------------------------- */

/*
 * Each client's buffers in a row, for the proofs alone: first those in tx_spares[], in the same
 * order; last those at the driver; between them its own, and those that are being looked at. Where
 * in the row each is, tx_place[] says. So no buffer is anywhere twice, and none is lost.
 */
/*@ ghost uint32_t tx_row[NET_CLIENTS_MAX][NET_REGION_BUFFERS_MAX]; */
/*@ ghost uint32_t tx_place[NET_CLIENTS_MAX][NET_REGION_BUFFERS_MAX]; */

/*@ predicate tx_row_ok(integer k, integer count) =
  @     (\forall integer b; 0 <= b < count ==>
  @         tx_place[k][b] < count && tx_row[k][tx_place[k][b]] == b) &&
  @     (\forall integer i; 0 <= i < count ==>
  @         tx_row[k][i] < count && tx_place[k][tx_row[k][i]] == i);
  @ predicate tx_spares_ok(integer k, struct tx_client c) =
  @     \forall integer i; 0 <= i < c.spare_count ==> tx_spares[c.first + i] == tx_row[k][i];
  @ predicate tx_counts_ok(struct tx_client c) =
  @     1 <= c.buffer_count <= NET_REGION_BUFFERS_MAX &&
  @     c.first + c.buffer_count <= NET_TX_BUFFERS_MAX &&
  @     c.spare_count + c.in_flight <= c.buffer_count;
  @
  @ // Of all of its buffers but one, that is being looked at.
  @ predicate tx_owners_ok(integer k, struct tx_client c, integer one) =
  @     \forall integer b; 0 <= b < c.buffer_count && b != one ==>
  @         (tx_place[k][b] >= c.buffer_count - c.in_flight <==>
  @             tx_owners[c.first + b] == TX_OWNER_DRIVER) &&
  @         (tx_place[k][b] < c.spare_count ==> tx_owners[c.first + b] == TX_OWNER_SELF);
  @
  @ predicate tx_queues_ok(struct tx_client c) =
  @     sddf_consumer_ok(c.active) && sddf_consumer_slots(c.active, net_queue_words) &&
  @     sddf_producer_ok(c.free) && sddf_producer_slots(c.free, net_queue_words);
  @ predicate tx_data_ok(struct tx_client c) =
  @     \valid_read(c.data + (0 .. c.buffer_count * NET_BUFFER_SIZE - 1)) &&
  @     c.io_address + c.buffer_count * NET_BUFFER_SIZE <= UINT64_MAX;
  @ predicate tx_client_ok(struct tx_client c) =
  @     tx_queues_ok(c) && tx_data_ok(c) && tally_ok(c.tally) &&
  @     (c.limit.worth != 0 ==> tx_limit_ok(c.limit));
  @*/

/* Of the client `k`, which is `c`. */
#define TX_BUFFERS(k, c, one)                                                                      \
    tx_counts_ok(c) && tx_row_ok(k, (c).buffer_count) && tx_spares_ok(k, c) &&                     \
        tx_owners_ok(k, c, one)
#define TX_CLIENT(k, c) tx_client_ok(c) && TX_BUFFERS(k, c, -1)

/* A buffer changes places with the one that is there. */
/*@ ghost
  @ /@ requires k < NET_CLIENTS_MAX && buffer < count <= NET_REGION_BUFFERS_MAX && to < count;
  @  @ requires tx_row_ok(k, count);
  @  @ assigns tx_row[k][tx_place[k][buffer]], tx_row[k][to], tx_place[k][buffer],
  @  @     tx_place[k][tx_row[k][to]];
  @  @ ensures tx_row_ok(k, count) && tx_place[k][buffer] == to && tx_row[k][to] == buffer;
  @  @ ensures other: tx_place[k][\old(tx_row[k][to])] == \old(tx_place[k][buffer]);
  @  @ ensures others: \forall integer b; 0 <= b < count && b != buffer &&
  @  @     b != \old(tx_row[k][to]) ==> tx_place[k][b] == \old(tx_place[k][b]);
  @  @ ensures elsewhere: \forall integer i; 0 <= i < count && i != to &&
  @  @     i != \old(tx_place[k][buffer]) ==> tx_row[k][i] == \old(tx_row[k][i]);
  @  @/
  @ void tx_row_move(uint32_t k, uint32_t buffer, uint32_t to, uint32_t count)
  @ {
  @     uint32_t from = tx_place[k][buffer];
  @     uint32_t other = tx_row[k][to];
  @     tx_row[k][from] = other;
  @     tx_place[k][other] = from;
  @     tx_row[k][to] = buffer;
  @     tx_place[k][buffer] = to;
  @ }
  @*/

/* ---- giving buffers back ------------------------------------------------------------------- */

/*@ requires \valid(client) && tx_client_ok(*client) && tx_counts_ok(*client);
  @ requires buffer < client->buffer_count;
  @ assigns client->free.head, client->free.tail, tx_owners[client->first + buffer];
  @ ensures tx_client_ok(*client);
  @ ensures \result ==> tx_owners[client->first + buffer] == TX_OWNER_CLIENT;
  @ ensures !\result ==>
  @     tx_owners[client->first + buffer] == \old(tx_owners[client->first + buffer]);
  @*/
static inline bool virt_tx_client_provide(struct tx_client *client, uint32_t buffer)
{
    struct net_entry entry = {.address = (uint64_t)buffer * NET_BUFFER_SIZE};
    if (!net_queue_enqueue(&client->free, entry)) {
        return false;
    }
    tx_owners[client->first + buffer] = TX_OWNER_CLIENT;
    return true;
}

/* Gives a buffer back to its client, or keeps it until the client takes what it has. */
/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires tx_client_ok(*client) && TX_BUFFERS(number, *client, buffer);
  @ requires ours: buffer < client->buffer_count &&
  @     client->spare_count <= tx_place[number][buffer] < client->buffer_count - client->in_flight;
  @ assigns client->free.head, client->free.tail, client->spare_count,
  @     tx_owners[client->first + buffer], tx_spares[client->first + client->spare_count],
  @     tx_row[number][..], tx_place[number][..], virt_tx.touched, virt_tx.owed;
  @ ensures tx_client_ok(*client);
  @ ensures TX_BUFFERS(number, *client, -1);
  @ ensures touched: virt_tx.touched == (\old(virt_tx.touched) | pow2(number));
  @ ensures owed: virt_tx.owed == \old(virt_tx.owed) ||
  @     virt_tx.owed == (\old(virt_tx.owed) | pow2(number));
  @*/
static inline void virt_tx_give_back(uint32_t number, struct tx_client *client, uint32_t buffer)
{
    virt_tx.touched |= bits_one(number);
    if (!virt_tx_client_provide(client, buffer)) {
        /*@ ghost tx_row_move(number, buffer, client->spare_count, client->buffer_count); */
        tx_owners[client->first + buffer] = TX_OWNER_SELF;
        tx_spares[client->first + client->spare_count++] = buffer;
        virt_tx.owed |= bits_one(number);
    }
}

/* The driver's returned buffers go back to their clients: at most what its queue holds. */
void virt_tx_return(void);

/* Asks the driver for a signal when it has returned more. True: there is as much already. */
bool virt_tx_return_request(void);

/*
 * The clients' frames go to the driver, in turns: from each client at most what its queue holds,
 * no more than the driver has room for, and as of `now` nothing beyond a limit. True: there is more
 * already, and room for it.
 */
bool virt_tx_provide(uint64_t now);

/* The client may have something to send. One that is held has, and waits all the same. */
/*@ requires tx_policy_ok(virt_tx.policy) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires tx_policy_among(virt_tx.policy, virt_tx.client_count);
  @ assigns virt_tx.policy;
  @ ensures tx_policy_ok(virt_tx.policy);
  @ ensures tx_policy_among(virt_tx.policy, virt_tx.client_count);
  @*/
static inline void virt_tx_wake(uint32_t number)
{
    if ((virt_tx.held & bits_one(number)) == 0) {
        tx_policy_wake(&virt_tx.policy, number);
    }
}
