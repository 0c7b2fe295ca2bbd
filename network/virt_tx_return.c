/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way back: from the driver to the clients (see virt_tx.h). */
#include <microkit.h>

#include "setup.h"
#include "virt_tx.h"

static void client_provide_spares(uint32_t number, struct tx_client *client)
{
    virt_tx.touched |= bits_one(number);
    while (client->spare_count > 0 &&
           virt_tx_client_provide(client, tx_spares[client->first + client->spare_count - 1])) {
        client->spare_count--;
    }
    if (client->spare_count == 0) {
        virt_tx.owed &= ~bits_one(number);
    }
}

static void clients_provide_spares(void)
{
    for (uint64_t left = virt_tx.owed; left != 0; left &= left - 1) {
        uint32_t number = bits_first(left);
        client_provide_spares(number, &tx_clients[number]);
    }
}

/* The device is done with this buffer, the driver says. */
static void client_return(uint32_t number, struct tx_client *client, uint32_t buffer)
{
    if (tx_owners[client->first + buffer] != TX_OWNER_DRIVER) {
        tally_add(&virt_tx.tally, NET_STAT_REFUSED_OWNER, 1);
        return;
    }
    client->in_flight--;
    if (client->in_flight <= client->buffer_count / 2) {
        virt_tx.hungry &= ~bits_one(number);
    }
    virt_tx_give_back(number, client, buffer);
}

/* Whose buffer is it, if anybody's? */
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
}

void virt_tx_return(void)
{
    clients_provide_spares();
    uint32_t left = sddf_queue_available(&virt_tx.driver_free);
    struct net_entry entry;
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
