/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way back: from the driver to the clients (see virt_tx.h). */
#include <microkit.h>

#include "setup.h"
#include "virt_tx.h"

static void clients_provide_spares(void)
{
    for (uint64_t left = virt_tx.owed; left != 0; left &= left - 1) {
        uint32_t number = bits_first(left);
        struct tx_client *client = &virt_tx.client[number];
        virt_tx.touched |= bits_one(number);
        while (client->spare_count > 0 &&
               virt_tx_client_provide(client, client->spare[client->spare_count - 1])) {
            client->spare_count--;
        }
        if (client->spare_count == 0) {
            virt_tx.owed &= ~bits_one(number);
        }
    }
}

void virt_tx_return(void)
{
    clients_provide_spares();
    uint32_t left = sddf_queue_available(&virt_tx.driver_free);
    struct net_entry entry;
    while (left-- > 0 && net_queue_dequeue(&virt_tx.driver_free, &entry)) {
        const struct tx_range *range = tx_ranges_find(&virt_tx.ranges, entry.address);
        if (range == NULL) {
            tally_add(&virt_tx.tally, NET_STAT_REFUSED_ADDRESS, 1);
            continue;
        }
        uint32_t buffer = (uint32_t)((entry.address - range->begin) / NET_BUFFER_SIZE);
        struct tx_client *client = &virt_tx.client[range->client];
        if (client->owner[buffer] != TX_OWNER_DRIVER) {
            tally_add(&virt_tx.tally, NET_STAT_REFUSED_OWNER, 1);
            continue;
        }
        client->in_flight--;
        if (client->in_flight <= client->buffer_count / 2) {
            virt_tx.hungry &= ~bits_one(range->client);
        }
        virt_tx_give_back(range->client, buffer);
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
        enough = setup_min(enough, virt_tx.client[bits_first(left)].buffer_count / 2);
    }
    enough = setup_max(enough, 1);
    if (enough == virt_tx.asked_for && virt_tx.driver_free.head == virt_tx.asked_at) {
        return false; /* our mark stands where it should, and nothing had come when we looked */
    }
    virt_tx.asked_for = enough;
    virt_tx.asked_at = virt_tx.driver_free.head;
    return !sddf_queue_request_signal_at(&virt_tx.driver_free, enough);
}
