/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way back: from the driver to the clients (see virt_tx.h). */
#include <microkit.h>

#include "setup.h"
#include "virt_tx.h"

/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @ assigns client->free.head, client->free.tail, client->spare_count,
  @     tx_owners[client->first .. client->first + client->buffer_count - 1], virt_tx.touched,
  @     virt_tx.owed;
  @ ensures TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @*/
static void client_provide_spares(uint32_t number, struct tx_client *client)
{
    virt_tx.touched |= bits_one(number);
    /*@ loop invariant TX_CLIENT(number, *client);
      @ loop assigns client->free.head, client->free.tail, client->spare_count,
      @     tx_owners[client->first .. client->first + client->buffer_count - 1];
      @ loop variant client->spare_count;
      @*/
    while (client->spare_count > 0) {
        uint32_t buffer = tx_spares[client->first + client->spare_count - 1];
        /*@ assert last: buffer == tx_rows[number].at[client->spare_count - 1]; */
        /*@ assert only_it: \forall integer b; 0 <= b < client->buffer_count && b != buffer ==>
          @     tx_rows[number].place[b] != client->spare_count - 1;
          @*/
        if (!virt_tx_client_provide(client, buffer)) {
            break;
        }
        client->spare_count--;
    }
    if (client->spare_count == 0) {
        virt_tx.owed &= ~bits_one(number);
    }
}

/*@ requires TX_OK && number < virt_tx.client_count;
  @ assigns tx_clients[..], tx_owners[..], virt_tx.touched, virt_tx.owed;
  @ ensures TX_OK;
  @*/
static void spares_provide(uint32_t number)
{
    client_provide_spares(number, &tx_clients[number]);
    /*@ assert others: \forall integer k, b; 0 <= k < virt_tx.client_count && k != number ==>
      @     0 <= b < tx_clients[k].buffer_count ==> tx_owners[tx_clients[k].first + b] ==
      @     \at(tx_owners, Pre)[tx_clients[k].first + b];
      @*/
}

/*@ requires TX_OK;
  @ assigns tx_clients[..], tx_owners[..], virt_tx.touched, virt_tx.owed;
  @ ensures TX_OK;
  @*/
static void clients_provide_spares(void)
{
    /*@ loop invariant TX_OK && left < pow2(virt_tx.client_count);
      @ loop assigns left, tx_clients[..], tx_owners[..], virt_tx.touched, virt_tx.owed;
      @ loop variant left;
      @*/
    for (uint64_t left = virt_tx.owed; left != 0; left &= left - 1) {
        spares_provide(bits_first(left));
    }
}

/* The device is done with this buffer, the driver says. If it had it, the client gets it. */
/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(number, *client) && buffer < client->buffer_count;
  @ requires TX_MARKS(virt_tx.client_count) && tally_ok(virt_tx.tally);
  @ assigns client->free.head, client->free.tail, client->spare_count, client->in_flight,
  @     tx_owners[client->first + buffer],
  @     tx_spares[client->first .. client->first + client->buffer_count - 1],
  @     tx_rows[number], virt_tx.touched, virt_tx.owed, virt_tx.hungry, virt_tx.tally;
  @ ensures TX_CLIENT(number, *client);
  @ ensures TX_MARKS(virt_tx.client_count) && tally_ok(virt_tx.tally);
  @ ensures it_had_it_not: \old(tx_owners[client->first + buffer]) != TX_OWNER_DRIVER ==>
  @     *client == \old(*client) &&
  @     tx_owners[client->first + buffer] == \old(tx_owners[client->first + buffer]);
  @ ensures it_had_it: \old(tx_owners[client->first + buffer]) == TX_OWNER_DRIVER ==>
  @     client->in_flight == \old(client->in_flight) - 1 &&
  @     tx_owners[client->first + buffer] != TX_OWNER_DRIVER;
  @*/
static void client_return(uint32_t number, struct tx_client *client, uint32_t buffer)
{
    if (tx_owners[client->first + buffer] != TX_OWNER_DRIVER) {
        tally_add(&virt_tx.tally, NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    /*@ ghost tx_row_return(number, buffer, client->buffer_count, client->spare_count,
      @     client->in_flight);
      @*/
    client->in_flight--;
    if (client->in_flight <= client->buffer_count / 2) {
        virt_tx.hungry &= ~bits_one(number);
    }
    virt_tx_give_back(number, client, buffer);
}

/* Whose buffer is it, if anybody's? */
/*@ requires TX_OK;
  @ assigns tx_clients[..], TX_BUFFERS_ALL, virt_tx.touched, virt_tx.owed, virt_tx.hungry,
  @     virt_tx.tally;
  @ ensures TX_OK;
  @ ensures nobody_else: \forall integer k; 0 <= k < virt_tx.client_count &&
  @     !(tx_clients[k].io_address <= address <
  @         tx_clients[k].io_address + tx_clients[k].buffer_count * NET_BUFFER_SIZE) ==>
  @     tx_clients[k] == \old(tx_clients[k]);
  @ ensures nothing_else: \forall integer i; 0 <= i < NET_TX_BUFFERS_MAX &&
  @     \old(tx_owners[i]) != TX_OWNER_DRIVER ==> tx_owners[i] == \old(tx_owners[i]);
  @*/
static void buffer_return(uint64_t address)
{
    uint32_t at = tx_ranges_find(&virt_tx.ranges, address);
    if (at == TX_RANGES_NONE) {
        tally_add(&virt_tx.tally, NET_STAT_REFUSED_ADDRESS, 1);
        return;
    }
    uint32_t number = virt_tx.ranges.range[at].client;
    uint64_t offset = address - virt_tx.ranges.range[at].begin;
    client_return(number, &tx_clients[number], (uint32_t)(offset / NET_BUFFER_SIZE));
    /*@ assert others: \forall integer k, i; 0 <= k < virt_tx.client_count && k != number ==>
      @     0 <= i < tx_clients[k].buffer_count ==> tx_spares[tx_clients[k].first + i] ==
      @     \at(tx_spares, Pre)[tx_clients[k].first + i];
      @*/
}

void virt_tx_return(void)
{
    clients_provide_spares();
    uint32_t left = sddf_queue_available(&virt_tx.driver_free);
    struct net_entry entry;
    /*@ loop invariant TX_OK;
      @ loop assigns left, entry, TX_RETURN;
      @ loop variant left;
      @*/
    while (left-- > 0 && net_queue_dequeue(&virt_tx.driver_free, &entry)) {
        buffer_return(entry.address);
    }
}

/*
 * Late on purpose: we collect buffers whenever we run. But whoever waits for room in a full queue
 * must hear of it, so half a queue is enough; and so are half of the buffers of a client that has
 * less than the other half left. Comes after virt_tx_provide, which makes clients hungry.
 */
bool virt_tx_return_request(void)
{
    uint32_t enough = virt_tx.driver_enough;
    /*@ loop invariant left < pow2(virt_tx.client_count);
      @ loop assigns left, enough;
      @ loop variant left;
      @*/
    for (uint64_t left = virt_tx.hungry; left != 0; left &= left - 1) {
        enough = setup_min(enough, tx_clients[bits_first(left)].buffer_count / 2);
    }
    enough = setup_max(enough, 1);
    if (enough == virt_tx.asked_for && virt_tx.driver_free.head == virt_tx.asked_at) {
        return false; /* our mark stands where it should, and nothing had come when we looked */
    }
    virt_tx.asked_for = enough;
    virt_tx.asked_at = virt_tx.driver_free.head;
    return !sddf_queue_request_signal_at(&virt_tx.driver_free, enough);
}
