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

/* Takes what a client says, as far as it can be true. From here on the buffer is ours. */
static bool departure_take(uint32_t number, struct tx_client *client, struct departure *departure)
{
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
    net_queue_enqueue(&virt_tx.driver_active, entry);
    tx_owners[client->first + departure->buffer] = TX_OWNER_DRIVER;
    client->in_flight++;
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
static void turn_take(const struct tx_turn *turn, struct tx_client *client)
{
    struct departure batch[TX_POLICY_BURST];
    uint32_t count = 0;
    uint32_t entries = 0;
    uint32_t bytes = 0;
    while (entries < turn->entries && bytes < turn->bytes) {
        entries++;
        if (net_queue_dequeue(&client->active, &batch[count].entry) &&
            departure_take(turn->client, client, &batch[count])) {
            __builtin_prefetch(client->data + batch[count].entry.address);
            bytes += batch[count].entry.length;
            count++;
        }
    }
    uint32_t sent = 0;
    for (uint32_t i = 0; i < count; i++) {
        sent += departure_send(turn->client, client, &batch[i]);
    }
    client->budget -= entries;
    tx_policy_used(&virt_tx.policy, entries, sent);
    if (tx_limit_is(&client->limit)) {
        tx_limit_charge(&client->limit, sent);
    }
}

/* It has sent all that its limit lets it, for now, and has more. */
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
static void clients_release(uint64_t now)
{
    if (now < virt_tx.held_until) {
        return;
    }
    virt_tx.held_until = TX_LIMIT_NEVER;
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
static void client_begin(uint32_t number, struct tx_client *client, uint64_t now)
{
    virt_tx.fresh &= ~bits_one(number);
    virt_tx.touched |= bits_one(number);
    client->budget = sddf_queue_available(&client->active);
    if (tx_limit_is(&client->limit)) {
        tx_limit_advance(&client->limit, now);
    }
}

/* The clients that have had their turns: asks for a signal. True: some have more already. */
static bool drained_request(uint64_t drained)
{
    bool more = false;
    for (; drained != 0; drained &= drained - 1) {
        uint32_t number = bits_first(drained);
        if (!sddf_queue_request_signal(&tx_clients[number].active)) {
            virt_tx_wake(number);
            more = true;
        } else {
            tx_policy_idle(&virt_tx.policy, number);
        }
    }
    return more;
}

bool virt_tx_provide(uint64_t now)
{
    uint64_t drained = 0; /* have sent all that they had */
    struct tx_turn turn;
    clients_release(now);
    virt_tx.fresh = UINT64_MAX;
    while (tx_policy_next(&virt_tx.policy, &turn)) {
        if ((virt_tx.fresh & bits_one(turn.client)) != 0) {
            client_begin(turn.client, &tx_clients[turn.client], now);
        }
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
        turn_take(&turn, &tx_clients[turn.client]);
        if (tx_clients[turn.client].budget == 0) { /* as in its next turn, without one */
            tx_policy_rest(&virt_tx.policy);
            drained |= bits_one(turn.client);
        }
    }
    return drained_request(drained) && sddf_queue_space(&virt_tx.driver_active, 1) > 0;
}
