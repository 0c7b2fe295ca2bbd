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
 * in the row each is, place[] says. So no buffer is anywhere twice, and none is lost.
 */
struct tx_row {
    uint32_t at[NET_REGION_BUFFERS_MAX];
    uint32_t place[NET_REGION_BUFFERS_MAX];
};
/*@ ghost struct tx_row tx_rows[NET_CLIENTS_MAX]; */

/*@ predicate tx_row_ok(struct tx_row r, integer count) =
  @     (\forall integer b; 0 <= b < count ==> r.place[b] < count && r.at[r.place[b]] == b) &&
  @     (\forall integer i; 0 <= i < count ==> r.at[i] < count && r.place[r.at[i]] == i);
  @ predicate tx_spares_ok(struct tx_row r, integer first, integer spares) =
  @     \forall integer i; 0 <= i < spares ==> tx_spares[first + i] == r.at[i];
  @
  @ // Of all of its buffers but one, that is being looked at.
  @ predicate tx_owners_ok(struct tx_row r, integer first, integer count, integer spares,
  @     integer flying, integer one) =
  @     \forall integer b; 0 <= b < count && b != one ==>
  @         (r.place[b] >= count - flying <==> tx_owners[first + b] == TX_OWNER_DRIVER) &&
  @         (r.place[b] < spares ==> tx_owners[first + b] == TX_OWNER_SELF);
  @
  @ predicate tx_active_ok(struct sddf_queue_consumer q) =
  @     sddf_consumer_ok(q) && sddf_consumer_slots(q, net_queue_words);
  @ predicate tx_free_ok(struct sddf_queue_producer q) =
  @     sddf_producer_ok(q) && sddf_producer_slots(q, net_queue_words);
  @ predicate tx_data_ok(uint8_t *data, integer io_address, integer count) =
  @     \valid_read(data + (0 .. count * NET_BUFFER_SIZE - 1)) &&
  @     io_address + count * NET_BUFFER_SIZE <= UINT64_MAX;
  @ predicate tx_limit_fits(struct tx_limit l) = l.worth != 0 ==> tx_limit_ok(l);
  @*/

/* Of the client `k`, which is `c`: its buffers, the rest, and all of it. */
#define TX_COUNTS(c)                                                                               \
    1 <= (c).buffer_count <= NET_REGION_BUFFERS_MAX &&                                             \
        (c).first + (c).buffer_count <= NET_TX_BUFFERS_MAX &&                                      \
        (c).spare_count + (c).in_flight <= (c).buffer_count
#define TX_OWNERS(k, c, one)                                                                       \
    tx_owners_ok(tx_rows[k], (c).first, (c).buffer_count, (c).spare_count, (c).in_flight, one)
#define TX_BUFFERS(k, c, one)                                                                      \
    TX_COUNTS(c) && tx_row_ok(tx_rows[k], (c).buffer_count) &&                                     \
        tx_spares_ok(tx_rows[k], (c).first, (c).spare_count) && TX_OWNERS(k, c, one)
#define TX_FIT(c)                                                                                  \
    tx_active_ok((c).active) && tx_free_ok((c).free) &&                                            \
        tx_data_ok((c).data, (c).io_address, (c).buffer_count) && tally_ok((c).tally) &&           \
        tx_limit_fits((c).limit)
#define TX_CLIENT(k, c) TX_FIT(c) && TX_BUFFERS(k, c, -1)

/* What may change with the place of one of its buffers: in the row, and at all. */
#define TX_OWN(c)                                                                                  \
    tx_owners[(c)->first..(c)->first + (c)->buffer_count - 1],                                     \
        tx_spares[(c)->first..(c)->first + (c)->buffer_count - 1]

/* One of its buffers is being looked at: nobody else has it, and it is not on its way to anyone. */
#define TX_OURS(k, c, b)                                                                           \
    tx_owners[(c).first + (b)] == TX_OWNER_SELF && (c).spare_count <= tx_rows[k].place[b] &&       \
        tx_rows[k].place[b] < (c).buffer_count - (c).in_flight

/* The first `n` clients: each of them; and no buffer's number is two clients'. */
/*@ predicate tx_all_fit(integer n) =
  @     \forall integer k; 0 <= k < n ==> TX_FIT(tx_clients[k]);
  @ predicate tx_all_counts(integer n) =
  @     \forall integer k; 0 <= k < n ==> TX_COUNTS(tx_clients[k]);
  @ predicate tx_all_rows(integer n) =
  @     \forall integer k; 0 <= k < n ==> tx_row_ok(tx_rows[k], tx_clients[k].buffer_count);
  @ predicate tx_all_spares(integer n) =
  @     \forall integer k; 0 <= k < n ==>
  @         tx_spares_ok(tx_rows[k], tx_clients[k].first, tx_clients[k].spare_count);
  @ predicate tx_all_owners(integer n) =
  @     \forall integer k; 0 <= k < n ==> TX_OWNERS(k, tx_clients[k], -1);
  @ predicate tx_apart(integer n) =
  @     \forall integer i, j; 0 <= i < j < n ==>
  @         tx_clients[i].first + tx_clients[i].buffer_count <= tx_clients[j].first;
  @
  @ // Where the device finds them; whoever must wait has a limit.
  @ predicate tx_range_ok(struct tx_range r, integer n) =
  @     r.client < n && r.begin == tx_clients[r.client].io_address &&
  @     r.end == r.begin + tx_clients[r.client].buffer_count * NET_BUFFER_SIZE;
  @ predicate tx_ranges_ok(struct tx_ranges r, integer n) =
  @     r.count <= NET_CLIENTS_MAX && (r.count > 0 ==> r.shift < 64) &&
  @     \forall integer i; 0 <= i < r.count ==> tx_range_ok(r.range[i], n);
  @ predicate tx_held_ok(integer held, integer n) =
  @     \forall integer k; 0 <= k < n && bits_has(held, k) ==> tx_clients[k].limit.worth != 0;
  @ predicate tx_channels_ok(integer n) =
  @     \forall integer ch; 0 <= ch < MICROKIT_MAX_CHANNELS ==>
  @         virt_tx.by_channel[ch] < pow2(n);
  @*/

/* Of the clients, the policy, the sets, the driver; and all of it. The prover takes one by one. */
#define TX_CLIENTS(n)                                                                              \
    tx_all_fit(n) && tx_all_counts(n) && tx_all_rows(n) && tx_all_spares(n) && tx_all_owners(n) && \
        tx_apart(n)
#define TX_POLICY(n) tx_policy_ok(virt_tx.policy) && tx_policy_among(virt_tx.policy, n)
#define TX_MARKS(n)  virt_tx.touched < pow2(n) && virt_tx.owed < pow2(n) && virt_tx.hungry < pow2(n)
#define TX_SETS(n)                                                                                 \
    TX_MARKS(n) && virt_tx.held < pow2(n) && tx_held_ok(virt_tx.held, n) && tx_channels_ok(n)
#define TX_DRIVER                                                                                  \
    sddf_consumer_ok(virt_tx.driver_free) &&                                                       \
        sddf_consumer_slots(virt_tx.driver_free, net_queue_words) &&                               \
        sddf_producer_ok(virt_tx.driver_active) &&                                                 \
        sddf_producer_slots(virt_tx.driver_active, net_queue_words)
#define TX_KNOWN(n) tx_ranges_ok(virt_tx.ranges, n) && tx_senders_ok(virt_tx.senders)
#define TX_STATS(n) tally_ok(virt_tx.tally) && tally_page(virt_tx.stats, n)
#define TX_ALL(n)                                                                                  \
    TX_CLIENTS(n) && TX_POLICY(n) && TX_SETS(n) && TX_DRIVER &&TX_KNOWN(n) && TX_STATS(n)
#define TX_OK virt_tx.client_count <= NET_CLIENTS_MAX &&TX_ALL(virt_tx.client_count)

/* What may change of the clients and their buffers; and of the rest, on the two ways. */
#define TX_BUFFERS_ALL tx_owners[..], tx_spares[..], tx_rows[..]
#define TX_RETURN                                                                                  \
    tx_clients[..], TX_BUFFERS_ALL, virt_tx.touched, virt_tx.owed, virt_tx.hungry, virt_tx.tally,  \
        virt_tx.driver_free.head, virt_tx.driver_free.tail
#define TX_PROVIDE                                                                                 \
    tx_clients[..], TX_BUFFERS_ALL, virt_tx.touched, virt_tx.owed, virt_tx.hungry, virt_tx.policy, \
        virt_tx.fresh, virt_tx.held, virt_tx.held_until, virt_tx.driver_active.head,               \
        virt_tx.driver_active.tail, tx_sent

/* Bytes of frames that the driver was given in this turn, for the proofs alone. */
/*@ ghost uint64_t tx_sent; */

/* A buffer changes places with the one that is there. */
/*@ ghost
  @ /@ requires k < NET_CLIENTS_MAX && buffer < count <= NET_REGION_BUFFERS_MAX && to < count;
  @  @ requires tx_row_ok(tx_rows[k], count);
  @  @ assigns tx_rows[k].at[tx_rows[k].place[buffer]], tx_rows[k].at[to], tx_rows[k].place[buffer],
  @  @     tx_rows[k].place[tx_rows[k].at[to]];
  @  @ ensures tx_row_ok(tx_rows[k], count);
  @  @ ensures tx_rows[k].place[buffer] == to && tx_rows[k].at[to] == buffer;
  @  @ ensures other: tx_rows[k].place[\old(tx_rows[k].at[to])] == \old(tx_rows[k].place[buffer]);
  @  @ ensures others: \forall integer b; 0 <= b < count && b != buffer &&
  @  @     b != \old(tx_rows[k].at[to]) ==> tx_rows[k].place[b] == \old(tx_rows[k].place[b]);
  @  @ ensures elsewhere: \forall integer i; 0 <= i < count && i != to &&
  @  @     i != \old(tx_rows[k].place[buffer]) ==> tx_rows[k].at[i] == \old(tx_rows[k].at[i]);
  @  @/
  @ void tx_row_move(uint32_t k, uint32_t buffer, uint32_t to, uint32_t count)
  @ {
  @     uint32_t from = tx_rows[k].place[buffer];
  @     uint32_t other = tx_rows[k].at[to];
  @     tx_rows[k].at[from] = other;
  @     tx_rows[k].place[other] = from;
  @     tx_rows[k].at[to] = buffer;
  @     tx_rows[k].place[buffer] = to;
  @ }
  @*/

/*
 * A buffer that is being looked at: to behind those in tx_spares[], or before those at the driver;
 * and one that the driver had, before the others. Nobody else changes sides.
 */
/*@ ghost
  @ /@ requires k < NET_CLIENTS_MAX && tx_row_ok(tx_rows[k], count);
  @  @ requires buffer < count <= NET_REGION_BUFFERS_MAX && spares + flying <= count;
  @  @ requires spares <= tx_rows[k].place[buffer] < count - flying;
  @  @ assigns tx_rows[k];
  @  @ ensures tx_row_ok(tx_rows[k], count) && tx_rows[k].place[buffer] == spares;
  @  @ ensures \forall integer b; 0 <= b < count && b != buffer ==>
  @  @     (tx_rows[k].place[b] <= spares <==> \old(tx_rows[k].place[b]) < spares) &&
  @  @     (tx_rows[k].place[b] >= count - flying <==> \old(tx_rows[k].place[b]) >= count - flying);
  @  @ ensures \forall integer i; 0 <= i < spares ==> tx_rows[k].at[i] == \old(tx_rows[k].at[i]);
  @  @/
  @ void tx_row_spare(uint32_t k, uint32_t buffer, uint32_t count, uint32_t spares, uint32_t flying)
  @ {
  @     tx_row_move(k, buffer, spares, count);
  @ }
  @*/
/*@ ghost
  @ /@ requires k < NET_CLIENTS_MAX && tx_row_ok(tx_rows[k], count);
  @  @ requires buffer < count <= NET_REGION_BUFFERS_MAX && spares + flying <= count;
  @  @ requires spares <= tx_rows[k].place[buffer] < count - flying;
  @  @ assigns tx_rows[k];
  @  @ ensures tx_row_ok(tx_rows[k], count) && tx_rows[k].place[buffer] == count - flying - 1;
  @  @ ensures \forall integer b; 0 <= b < count && b != buffer ==>
  @  @     (tx_rows[k].place[b] < spares <==> \old(tx_rows[k].place[b]) < spares) &&
  @  @     (tx_rows[k].place[b] >= count - flying - 1 <==>
  @  @         \old(tx_rows[k].place[b]) >= count - flying);
  @  @ ensures \forall integer i; 0 <= i < spares ==> tx_rows[k].at[i] == \old(tx_rows[k].at[i]);
  @  @/
  @ void tx_row_send(uint32_t k, uint32_t buffer, uint32_t count, uint32_t spares, uint32_t flying)
  @ {
  @     tx_row_move(k, buffer, count - flying - 1, count);
  @ }
  @*/
/*@ ghost
  @ /@ requires k < NET_CLIENTS_MAX && tx_row_ok(tx_rows[k], count);
  @  @ requires buffer < count <= NET_REGION_BUFFERS_MAX && spares + flying <= count;
  @  @ requires tx_rows[k].place[buffer] >= count - flying;
  @  @ assigns tx_rows[k];
  @  @ ensures tx_row_ok(tx_rows[k], count) && tx_rows[k].place[buffer] == count - flying;
  @  @ ensures \forall integer b; 0 <= b < count && b != buffer ==>
  @  @     (tx_rows[k].place[b] < spares <==> \old(tx_rows[k].place[b]) < spares) &&
  @  @     (tx_rows[k].place[b] > count - flying <==> \old(tx_rows[k].place[b]) >= count - flying);
  @  @ ensures \forall integer i; 0 <= i < spares ==> tx_rows[k].at[i] == \old(tx_rows[k].at[i]);
  @  @/
  @ void tx_row_return(uint32_t k, uint32_t buffer, uint32_t count, uint32_t spares,
  @     uint32_t flying)
  @ {
  @     tx_row_move(k, buffer, count - flying, count);
  @ }
  @*/

/* ---- giving buffers back ------------------------------------------------------------------- */

/*@ requires \valid(client) && tx_free_ok(client->free) && TX_COUNTS(*client);
  @ requires buffer < client->buffer_count;
  @ assigns client->free.head, client->free.tail, tx_owners[client->first + buffer];
  @ ensures tx_free_ok(client->free);
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
  @ requires tx_free_ok(client->free) && TX_BUFFERS(number, *client, buffer);
  @ requires ours: buffer < client->buffer_count &&
  @     client->spare_count <= tx_rows[number].place[buffer] <
  @         client->buffer_count - client->in_flight;
  @ assigns client->free.head, client->free.tail, client->spare_count,
  @     tx_owners[client->first + buffer], tx_spares[client->first + client->spare_count],
  @     tx_rows[number], virt_tx.touched, virt_tx.owed;
  @ ensures tx_free_ok(client->free);
  @ ensures TX_BUFFERS(number, *client, -1);
  @ ensures back: tx_owners[client->first + buffer] == TX_OWNER_CLIENT ||
  @     tx_owners[client->first + buffer] == TX_OWNER_SELF;
  @ ensures others: \forall integer b; 0 <= b < client->buffer_count && b != buffer &&
  @     \old(client->spare_count <= tx_rows[number].place[b] <
  @         client->buffer_count - client->in_flight) ==>
  @     client->spare_count <= tx_rows[number].place[b] <
  @         client->buffer_count - client->in_flight;
  @ ensures touched: virt_tx.touched == (\old(virt_tx.touched) | pow2(number));
  @ ensures owed: virt_tx.owed == \old(virt_tx.owed) ||
  @     virt_tx.owed == (\old(virt_tx.owed) | pow2(number));
  @*/
static inline void virt_tx_give_back(uint32_t number, struct tx_client *client, uint32_t buffer)
{
    virt_tx.touched |= bits_one(number);
    if (!virt_tx_client_provide(client, buffer)) {
        /*@ ghost tx_row_spare(number, buffer, client->buffer_count, client->spare_count,
          @     client->in_flight);
          @*/
        /*@ assert room: client->spare_count < client->buffer_count - client->in_flight; */
        /*@ assert spares: tx_spares_ok(tx_rows[number], client->first, client->spare_count) &&
          @     tx_rows[number].at[tx_rows[number].place[buffer]] == buffer;
          @*/
        /*@ assert inside: client->first + buffer < NET_TX_BUFFERS_MAX; */
        /*@ assert place: client->first + client->spare_count < NET_TX_BUFFERS_MAX; */
        tx_owners[client->first + buffer] = TX_OWNER_SELF;
        /*@ assert rest: \forall integer b; 0 <= b < client->buffer_count && b != buffer ==>
          @     tx_owners[client->first + b] == \at(tx_owners[client->first + b], Pre);
          @*/
        /*@ assert owners: \forall integer b; 0 <= b < client->buffer_count && b != buffer ==>
          @     (tx_rows[number].place[b] >= client->buffer_count - client->in_flight <==>
          @         tx_owners[client->first + b] == TX_OWNER_DRIVER) &&
          @     (tx_rows[number].place[b] <= client->spare_count ==>
          @         tx_owners[client->first + b] == TX_OWNER_SELF);
          @*/
        tx_spares[client->first + client->spare_count] = buffer;
        /*@ assert put: \forall integer i; 0 <= i <= client->spare_count ==>
          @     tx_spares[client->first + i] == tx_rows[number].at[i];
          @*/
        client->spare_count++;
        virt_tx.owed |= bits_one(number);
    }
}

/* The driver's returned buffers go back to their clients: at most what its queue holds. */
/*@ requires TX_OK;
  @ assigns TX_RETURN;
  @ ensures TX_OK;
  @*/
void virt_tx_return(void);

/* Asks the driver for a signal when it has returned more. True: there is as much already. */
/*@ requires TX_OK;
  @ assigns virt_tx.asked_for, virt_tx.asked_at, virt_tx.driver_free.tail;
  @ ensures TX_OK;
  @*/
bool virt_tx_return_request(void);

/*
 * The clients' frames go to the driver, in turns: from each client at most what its queue holds,
 * no more than the driver has room for, and as of `now` nothing beyond a limit. True: there is more
 * already, and room for it.
 */
/*@ requires TX_OK;
  @ assigns TX_PROVIDE;
  @ ensures TX_OK;
  @*/
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
