/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way out: from the clients to the driver (see virt_tx.h). */
#include <microkit.h>

#include "sddf/cache.h"

#include "buffers.h"
#include "setup.h"
#include "virt_tx.h"

struct departure {
    struct net_entry entry;
    uint32_t buffer;
};

/* A frame, inside the one buffer that it says. */
/*@ predicate departure_ok(struct tx_client c, struct departure d) =
  @     d.buffer < c.buffer_count && NET_FRAME_MIN <= d.entry.length <= NET_FRAME_MAX &&
  @     d.buffer * NET_BUFFER_SIZE <= d.entry.address &&
  @     d.entry.address + d.entry.length <= (d.buffer + 1) * NET_BUFFER_SIZE;
  @*/

/* Takes the next that a client says, as far as it can be true: from then on the buffer is ours. */
/*@ requires \valid(client) && \valid(departure);
  @ requires number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @ assigns *departure, client->active.head, client->active.tail, client->free.head,
  @     client->free.tail, client->spare_count, client->tally, TX_OWN(client), tx_rows[number],
  @     virt_tx.touched, virt_tx.owed;
  @ ensures TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @ ensures taken: \result ==>
  @     departure_ok(*client, *departure) && TX_OURS(number, *client, departure->buffer);
  @ ensures it_was_its: \result ==>
  @     \old(tx_owners)[client->first + departure->buffer] == TX_OWNER_CLIENT;
  @ ensures others: \forall integer b; 0 <= b < client->buffer_count &&
  @     \old(TX_OURS(number, *client, b)) ==> TX_OURS(number, *client, b);
  @*/
static bool departure_take(uint32_t number, struct tx_client *client, struct departure *departure)
{
    if (!net_queue_dequeue(&client->active, &departure->entry)) {
        return false;
    }
    uint32_t buffer = buffers_find(departure->entry.address, client->buffer_count);
    if (buffer == BUFFERS_NONE) {
        tally_add(&client->tally, NET_STAT_REFUSED_ADDRESS, 1);
        return false;
    }
    if (tx_owners[client->first + buffer] != TX_OWNER_CLIENT) {
        tally_add(&client->tally, NET_STAT_REFUSED_OWNER, 1);
        return false;
    }
    enum net_stat fault = tx_check_entry(&departure->entry);
    if (fault != NET_STAT_COUNT) {
        tally_add(&client->tally, fault, 1);
        virt_tx_give_back(number, client, buffer);
        return false;
    }
    tx_owners[client->first + buffer] = TX_OWNER_SELF;
    departure->buffer = buffer;
    return true;
}

/* There is room for it in the driver's queue. Its length, or 0 if it was refused. */
/*@ requires \valid(client) && \valid_read(departure);
  @ requires number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @ requires departure_ok(*client, *departure) && TX_OURS(number, *client, departure->buffer);
  @ requires TX_DRIVER && sddf_producer_space(virt_tx.driver_active) > 0;
  @ requires tx_senders_ok(virt_tx.senders) && tx_sent <= NET_FRAME_MAX * TX_POLICY_BURST;
  @ assigns client->free.head, client->free.tail, client->spare_count, client->in_flight,
  @     client->tally, TX_OWN(client), tx_rows[number], virt_tx.touched, virt_tx.owed,
  @     virt_tx.hungry, virt_tx.driver_active.head, virt_tx.driver_active.tail, tx_sent;
  @ ensures TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count) && TX_DRIVER;
  @ ensures sent: \result != 0 ==> \result == departure->entry.length &&
  @     tx_owners[client->first + departure->buffer] == TX_OWNER_DRIVER;
  @ ensures refused: \result == 0 ==>
  @     virt_tx.driver_active == \old(virt_tx.driver_active) &&
  @     tx_owners[client->first + departure->buffer] != TX_OWNER_DRIVER;
  @ ensures room: sddf_producer_space(virt_tx.driver_active) >=
  @     \old(sddf_producer_space(virt_tx.driver_active)) - 1;
  @ ensures counted: tx_sent == \old(tx_sent) + \result;
  @ ensures others: \forall integer b; 0 <= b < client->buffer_count && b != departure->buffer &&
  @     \old(TX_OURS(number, *client, b)) ==> TX_OURS(number, *client, b);
  @*/
static uint32_t departure_send(uint32_t number, struct tx_client *client,
                               const struct departure *departure)
{
    struct net_entry entry = departure->entry;
    enum net_stat fault = tx_check_frame(&virt_tx.senders, virt_tx.senders.sender[number],
                                         client->data + entry.address, entry.length);
    if (fault != NET_STAT_COUNT) {
        tally_add(&client->tally, fault, 1);
        virt_tx_give_back(number, client, departure->buffer);
        return 0;
    }
    if (virt_tx.incoherent) {
        sddf_cache_clean(client->data + entry.address, entry.length);
    }
    entry.address += client->io_address;
    /*@ assert inside_one:
      @     client->io_address + departure->buffer * NET_BUFFER_SIZE <= entry.address &&
      @     entry.address + entry.length <=
      @         client->io_address + (departure->buffer + 1) * NET_BUFFER_SIZE;
      @*/
    net_queue_enqueue(&virt_tx.driver_active, entry);
    /*@ assert room: sddf_producer_space(virt_tx.driver_active) >=
      @     \at(sddf_producer_space(virt_tx.driver_active), Pre) - 1;
      @*/
    /*@ ghost tx_sent += entry.length; */
    /*@ ghost tx_row_send(number, departure->buffer, client->buffer_count, client->spare_count,
      @     client->in_flight);
      @*/
    tx_owners[client->first + departure->buffer] = TX_OWNER_DRIVER;
    /*@ assert rest: \forall integer b; 0 <= b < client->buffer_count && b != departure->buffer ==>
      @     tx_owners[client->first + b] == \at(tx_owners[client->first + b], Pre);
      @*/
    client->in_flight++;
    /*@ assert owners: TX_OWNERS(number, *client, -1); */
    if (client->in_flight > client->buffer_count / 2) {
        virt_tx.hungry |= bits_one(number);
    }
    tally_add(&client->tally, NET_STAT_TX_PACKETS, 1);
    tally_add(&client->tally, NET_STAT_TX_BYTES, entry.length);
    return entry.length;
}

/*
 * Takes so many entries, for which there is room at the driver, or fewer that are so many bytes:
 * all headers are fetched ahead, then one frame after the other is judged.
 */
/*@ requires \valid_read(turn) && \valid(client) && 1 <= turn->entries <= TX_POLICY_BURST;
  @ requires turn->client < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(turn->client, *client) && TX_MARKS(virt_tx.client_count);
  @ requires turn->entries <= client->budget;
  @ requires TX_DRIVER && turn->entries <= sddf_producer_space(virt_tx.driver_active);
  @ requires tx_senders_ok(virt_tx.senders) && tx_policy_ok(virt_tx.policy);
  @ requires permitted: turn->bytes >= 1 && \forall integer entries, bytes;
  @     entries <= turn->entries ==> bytes < turn->bytes + NET_FRAME_MAX ==>
  @     tx_policy_permits(virt_tx.policy, entries, bytes);
  @ requires within_limit: client->limit.worth != 0 ==>
  @     (turn->bytes - 1) * TX_LIMIT_BYTE < client->limit.credit;
  @ assigns client->active.head, client->active.tail, client->free.head, client->free.tail,
  @     client->spare_count, client->in_flight, client->budget, client->tally,
  @     client->limit.credit, TX_OWN(client), tx_rows[turn->client], virt_tx.touched, virt_tx.owed,
  @     virt_tx.hungry, virt_tx.driver_active.head, virt_tx.driver_active.tail,
  @     virt_tx.policy.round_robin, virt_tx.policy.drr, tx_sent;
  @ ensures TX_CLIENT(turn->client, *client) && TX_MARKS(virt_tx.client_count) && TX_DRIVER;
  @ ensures tx_policy_ok(virt_tx.policy);
  @ ensures among: \forall integer n; 0 <= n <= NET_CLIENTS_MAX &&
  @     \old(tx_policy_among(virt_tx.policy, n)) ==> tx_policy_among(virt_tx.policy, n);
  @ ensures charged: client->limit.worth != 0 ==>
  @     client->limit.credit == \old(client->limit.credit) - tx_sent * TX_LIMIT_BYTE;
  @ ensures used: tx_sent < turn->bytes + NET_FRAME_MAX &&
  @     client->budget < \old(client->budget);
  @*/
static void turn_take(const struct tx_turn *turn, struct tx_client *client)
{
    struct departure batch[TX_POLICY_BURST];
    uint32_t count = 0;
    uint32_t entries = 0;
    uint32_t bytes = 0;
    /*@ ghost uint32_t until[TX_POLICY_BURST + 1]; */
    /*@ ghost until[0] = 0; */
    /*@ ghost tx_sent = 0; */
    /*@ loop invariant count <= entries <= turn->entries && until[0] == 0;
      @ loop invariant until[count] == bytes && bytes < turn->bytes + NET_FRAME_MAX;
      @ loop invariant bytes <= NET_FRAME_MAX * count && (entries == 0 ==> bytes == 0);
      @ loop invariant \forall integer i; 0 <= i < count ==>
      @     until[i + 1] == until[i] + batch[i].entry.length;
      @ loop invariant TX_CLIENT(turn->client, *client) && TX_MARKS(virt_tx.client_count);
      @ loop invariant frames: \forall integer j; 0 <= j < count ==>
      @     departure_ok(*client, batch[j]) && TX_OURS(turn->client, *client, batch[j].buffer);
      @ loop invariant apart: \forall integer j, z; 0 <= j < z < count ==>
      @     batch[j].buffer != batch[z].buffer;
      @ loop assigns entries, bytes, count, batch[..], until[..], client->active.head,
      @     client->active.tail, client->free.head, client->free.tail, client->spare_count,
      @     client->tally, TX_OWN(client), tx_rows[turn->client], virt_tx.touched, virt_tx.owed;
      @ loop variant turn->entries - entries;
      @*/
    while (entries < turn->entries && bytes < turn->bytes) {
        entries++;
        bool taken = departure_take(turn->client, client, &batch[count]);
        /*@ assert same: \forall integer j; 0 <= j < count ==>
          @     batch[j].buffer == \at(batch, LoopCurrent)[j].buffer &&
          @     batch[j].entry.address == \at(batch, LoopCurrent)[j].entry.address &&
          @     batch[j].entry.length == \at(batch, LoopCurrent)[j].entry.length;
          @*/
        /*@ assert sound: \forall integer j; 0 <= j < count ==> departure_ok(*client, batch[j]); */
        /*@ assert ours: \forall integer j; 0 <= j < count ==>
          @     TX_OURS(turn->client, *client, batch[j].buffer);
          @*/
        if (taken) {
            /*@ assert new: \forall integer j; 0 <= j < count ==>
              @     batch[j].buffer != batch[count].buffer;
              @*/
            __builtin_prefetch(client->data + batch[count].entry.address);
            bytes += batch[count].entry.length;
            count++;
            /*@ ghost until[count] = bytes; */
        }
    }
    uint32_t sent = 0;
    /*@ loop invariant i <= count && sent == tx_sent <= until[i] <= bytes;
      @ loop invariant sent <= NET_FRAME_MAX * i;
      @ loop invariant TX_CLIENT(turn->client, *client) && TX_MARKS(virt_tx.client_count);
      @ loop invariant TX_DRIVER;
      @ loop invariant frames: \forall integer j; i <= j < count ==>
      @     departure_ok(*client, batch[j]) && TX_OURS(turn->client, *client, batch[j].buffer);
      @ loop invariant apart: \forall integer j, z; i <= j < z < count ==>
      @     batch[j].buffer != batch[z].buffer;
      @ loop invariant room: sddf_producer_space(virt_tx.driver_active) >= count - i;
      @ loop assigns i, sent, tx_sent, client->free.head, client->free.tail, client->spare_count,
      @     client->in_flight, client->tally, TX_OWN(client), tx_rows[turn->client],
      @     virt_tx.touched, virt_tx.owed, virt_tx.hungry, virt_tx.driver_active.head,
      @     virt_tx.driver_active.tail;
      @ loop variant count - i;
      @*/
    for (uint32_t i = 0; i < count; i++) {
        sent += departure_send(turn->client, client, &batch[i]);
    }
    client->budget -= entries;
    tx_policy_used(&virt_tx.policy, entries, sent);
    if (tx_limit_is(&client->limit)) {
        tx_limit_charge(&client->limit, sent);
    }
}

/* So many of its entries, for which there is room: of the other clients nothing changes. */
/*@ requires TX_OK && \valid_read(turn) && turn->client < virt_tx.client_count;
  @ requires 1 <= turn->entries <= TX_POLICY_BURST;
  @ requires turn->entries <= tx_clients[turn->client].budget;
  @ requires turn->entries <= sddf_producer_space(virt_tx.driver_active);
  @ requires permitted: turn->bytes >= 1 && \forall integer entries, bytes;
  @     entries <= turn->entries ==> bytes < turn->bytes + NET_FRAME_MAX ==>
  @     tx_policy_permits(virt_tx.policy, entries, bytes);
  @ requires within_limit: tx_clients[turn->client].limit.worth != 0 ==>
  @     (turn->bytes - 1) * TX_LIMIT_BYTE < tx_clients[turn->client].limit.credit;
  @ assigns tx_clients[..], TX_BUFFERS_ALL, virt_tx.touched, virt_tx.owed, virt_tx.hungry,
  @     virt_tx.driver_active.head, virt_tx.driver_active.tail, virt_tx.policy.round_robin,
  @     virt_tx.policy.drr, tx_sent;
  @ ensures TX_OK;
  @*/
static void turn_serve(const struct tx_turn *turn)
{
    turn_take(turn, &tx_clients[turn->client]);
    /*@ assert same: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     tx_clients[k].first == \at(tx_clients, Pre)[k].first &&
      @     tx_clients[k].buffer_count == \at(tx_clients, Pre)[k].buffer_count;
      @*/
    /*@ assert apart: tx_apart(virt_tx.client_count); */
    /*@ assert owners: \forall integer k, b; 0 <= k < virt_tx.client_count && k != turn->client ==>
      @     0 <= b < tx_clients[k].buffer_count ==> tx_owners[tx_clients[k].first + b] ==
      @     \at(tx_owners, Pre)[tx_clients[k].first + b];
      @*/
    /*@ assert spares: \forall integer k, b; 0 <= k < virt_tx.client_count && k != turn->client ==>
      @     0 <= b < tx_clients[k].buffer_count ==> tx_spares[tx_clients[k].first + b] ==
      @     \at(tx_spares, Pre)[tx_clients[k].first + b];
      @*/
    /*@ assert given: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     tx_spares_ok(tx_rows[k], tx_clients[k].first, tx_clients[k].spare_count);
      @*/
    /*@ assert kept: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     TX_OWNERS(k, tx_clients[k], -1);
      @*/
}

/* It has sent all that its limit lets it, for now, and has more. */
/*@ requires TX_OK && number < virt_tx.client_count;
  @ requires limited: tx_clients[number].limit.worth != 0;
  @ assigns virt_tx.held, virt_tx.held_until, virt_tx.policy.drr;
  @ ensures TX_OK;
  @ ensures held: virt_tx.held == (\old(virt_tx.held) | pow2(number));
  @*/
static void client_hold(uint32_t number)
{
    uint64_t until = tx_limit_until(&tx_clients[number].limit);
    virt_tx.held |= bits_one(number);
    if (until < virt_tx.held_until) {
        virt_tx.held_until = until;
    }
    tx_policy_idle(&virt_tx.policy, number);
}

/* Whoever may send again is woken; those who must wait longer still do. */
/*@ requires TX_OK;
  @ assigns virt_tx.policy, virt_tx.held, virt_tx.held_until;
  @ ensures TX_OK;
  @*/
static void clients_release(uint64_t now)
{
    if (now < virt_tx.held_until) {
        return;
    }
    virt_tx.held_until = TX_LIMIT_NEVER;
    /*@ loop invariant TX_OK && left < pow2(virt_tx.client_count);
      @ loop invariant tx_held_ok(left, virt_tx.client_count);
      @ loop assigns left, virt_tx.policy, virt_tx.held, virt_tx.held_until;
      @ loop variant left;
      @*/
    for (uint64_t left = virt_tx.held; left != 0; left &= left - 1) {
        uint32_t number = bits_first(left);
        uint64_t until = tx_limit_until(&tx_clients[number].limit);
        if (until <= now) {
            virt_tx.held &= ~bits_one(number);
            virt_tx_wake(number);
        } else if (until < virt_tx.held_until) {
            virt_tx.held_until = until;
        }
    }
}

/* A client's first turn in a pass: what it may send in this pass is what its queue holds now. */
/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_FIT(*client) && virt_tx.touched < pow2(virt_tx.client_count);
  @ assigns virt_tx.fresh, virt_tx.touched, client->active.tail, client->budget,
  @     client->limit.begin, client->limit.credit;
  @ ensures TX_FIT(*client) && virt_tx.touched < pow2(virt_tx.client_count);
  @ ensures client->budget == sddf_consumer_count(client->active);
  @*/
static void client_begin(uint32_t number, struct tx_client *client, uint64_t now)
{
    virt_tx.fresh &= ~bits_one(number);
    virt_tx.touched |= bits_one(number);
    client->budget = sddf_queue_available(&client->active);
    if (tx_limit_is(&client->limit)) {
        tx_limit_advance(&client->limit, now);
    }
}

/* If it is its first turn in this pass, it begins it. */
/*@ requires TX_OK && number < virt_tx.client_count;
  @ assigns virt_tx.fresh, virt_tx.touched, tx_clients[..];
  @ ensures TX_OK;
  @*/
static void turn_begin(uint32_t number, uint64_t now)
{
    if ((virt_tx.fresh & bits_one(number)) != 0) {
        client_begin(number, &tx_clients[number], now);
    }
    /*@ assert same: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     tx_clients[k].first == \at(tx_clients, Pre)[k].first &&
      @     tx_clients[k].buffer_count == \at(tx_clients, Pre)[k].buffer_count;
      @*/
    /*@ assert apart: tx_apart(virt_tx.client_count); */
}

/* A client that has had its turns: asks for a signal, or wakes it at once. True: it has more. */
/*@ requires TX_OK && number < virt_tx.client_count;
  @ assigns tx_clients[..], virt_tx.policy;
  @ ensures TX_OK;
  @*/
static bool client_request(uint32_t number)
{
    bool rests = sddf_queue_request_signal(&tx_clients[number].active);
    /*@ assert same: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     tx_clients[k].first == \at(tx_clients, Pre)[k].first &&
      @     tx_clients[k].buffer_count == \at(tx_clients, Pre)[k].buffer_count;
      @*/
    /*@ assert apart: tx_apart(virt_tx.client_count); */
    if (!rests) {
        virt_tx_wake(number);
        return true;
    }
    tx_policy_idle(&virt_tx.policy, number);
    return false;
}

/* The clients that have had their turns: asks for a signal. True: some have more already. */
/*@ requires TX_OK && drained < pow2(virt_tx.client_count);
  @ assigns tx_clients[..], virt_tx.policy;
  @ ensures TX_OK;
  @*/
static bool drained_request(uint64_t drained)
{
    bool more = false;
    /*@ loop invariant TX_OK && drained < pow2(virt_tx.client_count);
      @ loop assigns drained, more, tx_clients[..], virt_tx.policy;
      @ loop variant drained;
      @*/
    for (; drained != 0; drained &= drained - 1) {
        more |= client_request(bits_first(drained));
    }
    return more;
}

bool virt_tx_provide(uint64_t now)
{
    uint64_t drained = 0; /* have sent all that they had */
    struct tx_turn turn;
    clients_release(now);
    virt_tx.fresh = UINT64_MAX;
    /*@ loop invariant TX_OK && drained < pow2(virt_tx.client_count);
      @ loop assigns turn, drained, TX_PROVIDE;
      @*/
    while (tx_policy_next(&virt_tx.policy, &turn)) {
        /*@ assert somebody: tx_policy_permits(virt_tx.policy, 0, 0); */
        turn_begin(turn.client, now);
        if (tx_clients[turn.client].budget == 0) {
            tx_policy_rest(&virt_tx.policy);
            drained |= bits_one(turn.client);
            continue;
        }
        if (tx_limit_is(&tx_clients[turn.client].limit)) {
            turn.bytes = setup_min(turn.bytes, tx_limit_bytes(&tx_clients[turn.client].limit));
        }
        if (turn.bytes == 0) {
            tx_policy_rest(&virt_tx.policy);
            client_hold(turn.client);
            continue;
        }
        turn.entries = setup_min(setup_min(turn.entries, tx_clients[turn.client].budget),
                                 sddf_queue_space(&virt_tx.driver_active, turn.entries));
        if (turn.entries == 0) {
            /*
             * Full. All that is in the driver's queue now comes back behind what virt_tx_return has
             * taken, and is more than what virt_tx_return_request wants a signal for. So we will
             * run again, and whoever is still awake in the policy is served then.
             */
            break;
        }
        turn_serve(&turn);
        /*@ assert still: virt_tx.policy.kind == NET_TX_SIGNALLED ==>
          @     virt_tx.policy.signalled.count > 0;
          @*/
        if (tx_clients[turn.client].budget == 0) { /* as in its next turn, without one */
            tx_policy_rest(&virt_tx.policy);
            drained |= bits_one(turn.client);
        }
    }
    return drained_request(drained) && sddf_queue_space(&virt_tx.driver_active, 1) > 0;
}
