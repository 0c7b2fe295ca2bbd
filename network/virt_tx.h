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
    uint8_t *owner;  /* enum tx_owner, of each of its buffers */
    uint32_t *spare; /* its buffers that are ours, on the way to its free queue */
    uint32_t spare_count;
    struct tx_limit limit;
    struct tally tally;
};

/* All that the two directions share. Sets are bits of clients. */
struct virt_tx {
    struct tx_client client[NET_CLIENTS_MAX];
    uint32_t client_count;
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
    struct tally tally;  /* what is no client's */
    struct net_stats *stats;
};

extern struct virt_tx virt_tx;

static inline bool virt_tx_client_provide(struct tx_client *client, uint32_t buffer)
{
    struct net_entry entry = {.address = (uint64_t)buffer * NET_BUFFER_SIZE};
    if (!net_queue_enqueue(&client->free, entry)) {
        return false;
    }
    client->owner[buffer] = TX_OWNER_CLIENT;
    return true;
}

/* Gives a buffer back to its client, or keeps it until the client takes what it has. */
static inline void virt_tx_give_back(uint32_t number, uint32_t buffer)
{
    struct tx_client *client = &virt_tx.client[number];
    virt_tx.touched |= bits_one(number);
    if (!virt_tx_client_provide(client, buffer)) {
        client->owner[buffer] = TX_OWNER_SELF;
        client->spare[client->spare_count++] = buffer;
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
static inline void virt_tx_wake(uint32_t number)
{
    if ((virt_tx.held & bits_one(number)) == 0) {
        tx_policy_wake(&virt_tx.policy, number);
    }
}
