/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's passes, and how it starts (see virt_tx.h). */
#include <microkit.h>

#include "sddf/cache.h"
#include "sddf/clock.h"
#include "sddf/timer.h"

#include "setup.h"
#include "virt_tx.h"
#include "virt_tx_start.h"

#define TIMEOUT 0 /* the one that this PD has: somebody who is held may send again */

struct net_virt_tx_config sddf_net_config;
struct virt_tx virt_tx;
struct tx_client tx_clients[NET_CLIENTS_MAX];
uint8_t tx_owners[NET_TX_BUFFERS_MAX];
uint32_t tx_spares[NET_TX_BUFFERS_MAX];

/* ---- passes -------------------------------------------------------------------------------- */

/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_FIT(*client) && tally_page(virt_tx.stats, virt_tx.client_count);
  @ assigns client->free.published, client->free.signalled, client->tally;
  @ ensures TX_FIT(*client);
  @*/
static void client_hand_over(uint32_t number, struct tx_client *client)
{
    sddf_queue_release(&client->active); /* those who wait for room have sent something, too */
    if (sddf_queue_hand_over(&client->free)) {
        tally_add(&client->tally, NET_STAT_SIGNALS, 1);
        microkit_notify(client->channel);
    }
    tally_flush(&client->tally, virt_tx.stats, number + 1);
}

/* To one of the clients: of the others nothing changes. */
/*@ requires TX_OK && number < virt_tx.client_count;
  @ assigns tx_clients[..];
  @ ensures TX_OK;
  @*/
static void hand_over_to(uint32_t number)
{
    client_hand_over(number, &tx_clients[number]);
    /*@ assert same: \forall integer k; 0 <= k < virt_tx.client_count ==>
      @     tx_clients[k].first == \at(tx_clients, Pre)[k].first &&
      @     tx_clients[k].buffer_count == \at(tx_clients, Pre)[k].buffer_count;
      @*/
    /*@ assert apart: tx_apart(virt_tx.client_count); */
}

/* The end of a pass: hands everything over, once, and counts. True: the driver wants a signal. */
/*@ requires TX_OK;
  @ assigns virt_tx.driver_active.published, virt_tx.driver_active.signalled, virt_tx.tally,
  @     virt_tx.touched, tx_clients[..];
  @ ensures TX_OK;
  @*/
static bool pass_end(void)
{
    if (virt_tx.incoherent) {
        sddf_cache_done(); /* before the driver sees the frames, and the device after it */
    }
    bool driver_waits = sddf_queue_hand_over(&virt_tx.driver_active);
    if (driver_waits) {
        tally_add(&virt_tx.tally, NET_STAT_SIGNALS, 1);
    }
    /*@ loop invariant TX_OK;
      @ loop assigns virt_tx.touched, tx_clients[..];
      @ loop variant virt_tx.touched;
      @*/
    for (; virt_tx.touched != 0; virt_tx.touched &= virt_tx.touched - 1) {
        hand_over_to(bits_first(virt_tx.touched));
    }
    tally_flush(&virt_tx.tally, virt_tx.stats, 0);
    return driver_waits;
}

/*
 * Notifications wait until we return, which one client that never runs dry (on another core) can
 * put off for ever. So each pass ends the wait of one of the others, too.
 */
/*@ requires TX_POLICY(virt_tx.client_count) && virt_tx.client_count <= NET_CLIENTS_MAX;
  @ assigns virt_tx.looked_at, virt_tx.policy;
  @ ensures TX_POLICY(virt_tx.client_count);
  @*/
static void look_at_another(void)
{
    if (virt_tx.client_count > 0) {
        virt_tx.looked_at =
            virt_tx.looked_at + 1 < virt_tx.client_count ? virt_tx.looked_at + 1 : 0;
        virt_tx_wake(virt_tx.looked_at);
    }
}

/* Whoever is held is served when the time has come, even if nobody notifies. */
/*@ assigns virt_tx.armed, sddf_clock_time;
  @ ensures virt_tx.armed == virt_tx.held_until || virt_tx.armed == TX_LIMIT_NEVER;
  @*/
static void timeout_set(void)
{
    if (virt_tx.held_until != virt_tx.armed) {
        virt_tx.armed = virt_tx.held_until;
        /* It may go off for nobody: that costs less than to cancel it. */
        if (virt_tx.armed != TX_LIMIT_NEVER && timer_set_at(TIMEOUT, virt_tx.armed) != TIMER_OK) {
            virt_tx.armed = TX_LIMIT_NEVER; /* the next pass tries again */
        }
    }
}

/* What a pass may change. */
#define TX_PASS                                                                                    \
    TX_PROVIDE, virt_tx.driver_free, virt_tx.driver_active, virt_tx.tally, virt_tx.asked_for,      \
        virt_tx.asked_at, virt_tx.looked_at, virt_tx.armed, sddf_clock_time

/* True: the driver wants a signal. */
/*@ requires TX_OK;
  @ assigns TX_PASS;
  @ ensures TX_OK;
  @*/
static bool serve(void)
{
    bool driver_waits;
    bool more;
    tally_add(&virt_tx.tally, NET_STAT_WAKEUPS, 1);
    /*@ loop invariant TX_OK;
      @ loop assigns driver_waits, more, TX_PASS;
      @*/
    do {
        virt_tx_return();
        more = virt_tx_provide(virt_tx.limited != 0 ? sddf_clock_now() : 0);
        more |= virt_tx_return_request();
        driver_waits = pass_end();
        if (driver_waits && more) {
            microkit_notify(sddf_net_config.driver.channel);
        }
        if (more) {
            look_at_another();
        }
    } while (more);
    if (virt_tx.limited != 0) {
        timeout_set();
    }
    return driver_waits;
}

/* ---- entry points -------------------------------------------------------------------------- */

/* A client that has just been entered gets all of its buffers. */
/*@ requires \valid(client) && number < virt_tx.client_count <= NET_CLIENTS_MAX;
  @ requires TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @ requires new: client->spare_count == 0 && client->in_flight == 0;
  @ assigns client->free.head, client->free.tail, client->spare_count, TX_OWN(client),
  @     tx_rows[number], virt_tx.touched, virt_tx.owed;
  @ ensures TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
  @*/
static void client_give_all(uint32_t number, struct tx_client *client)
{
    /*@ loop invariant buffer <= client->buffer_count;
      @ loop invariant TX_CLIENT(number, *client) && TX_MARKS(virt_tx.client_count);
      @ loop invariant \forall integer b; buffer <= b < client->buffer_count ==>
      @     client->spare_count <= tx_rows[number].place[b];
      @ loop assigns buffer, client->free.head, client->free.tail, client->spare_count,
      @     TX_OWN(client), tx_rows[number], virt_tx.touched, virt_tx.owed;
      @ loop variant client->buffer_count - buffer;
      @*/
    for (uint32_t buffer = 0; buffer < client->buffer_count; buffer++) {
        virt_tx_give_back(number, client, buffer);
    }
}

/*@ requires tx_config_memory(sddf_net_config);
  @ assigns sddf_clock_time, virt_tx, tx_clients[..], TX_BUFFERS_ALL, tx_sent;
  @ ensures virt_tx.running ==> (TX_OK);
  @*/
void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    /*@ loop invariant TX_OK && i <= virt_tx.client_count && !virt_tx.running;
      @ loop invariant new: \forall integer k; i <= k < virt_tx.client_count ==>
      @     tx_clients[k].spare_count == 0 && tx_clients[k].in_flight == 0;
      @ loop assigns i, virt_tx.touched, virt_tx.owed, virt_tx.policy, tx_clients[..],
      @     TX_BUFFERS_ALL;
      @ loop variant virt_tx.client_count - i;
      @*/
    for (uint32_t i = 0; i < virt_tx.client_count; i++) {
        client_give_all(i, &tx_clients[i]);
        /*@ assert same: \forall integer k; 0 <= k < virt_tx.client_count ==>
          @     tx_clients[k].first == \at(tx_clients, LoopCurrent)[k].first &&
          @     tx_clients[k].buffer_count == \at(tx_clients, LoopCurrent)[k].buffer_count;
          @*/
        /*@ assert apart: tx_apart(virt_tx.client_count); */
        /*@ assert owners: \forall integer k, b; 0 <= k < virt_tx.client_count && k != i ==>
          @     0 <= b < tx_clients[k].buffer_count ==> tx_owners[tx_clients[k].first + b] ==
          @     \at(tx_owners, LoopCurrent)[tx_clients[k].first + b];
          @*/
        /*@ assert spares: \forall integer k, b; 0 <= k < virt_tx.client_count && k != i ==>
          @     0 <= b < tx_clients[k].buffer_count ==> tx_spares[tx_clients[k].first + b] ==
          @     \at(tx_spares, LoopCurrent)[tx_clients[k].first + b];
          @*/
        /*@ assert given: \forall integer k; 0 <= k < virt_tx.client_count ==>
          @     tx_spares_ok(tx_rows[k], tx_clients[k].first, tx_clients[k].spare_count);
          @*/
        /*@ assert kept: \forall integer k; 0 <= k < virt_tx.client_count ==>
          @     TX_OWNERS(k, tx_clients[k], -1);
          @*/
        virt_tx_wake(i); /* some may have sent something already */
    }
    virt_tx.running = true;
    if (serve()) {
        microkit_notify(sddf_net_config.driver.channel);
    }
}

/*@ requires virt_tx.running ==> (TX_OK);
  @ assigns TX_PASS;
  @ ensures virt_tx.running ==> (TX_OK);
  @*/
void notified(microkit_channel ch)
{
    if (!virt_tx.running) {
        return;
    }
    /* Neither the driver nor the timer has a bit: whatever they notify for, the pass looks. */
    uint64_t left = ch < MICROKIT_MAX_CHANNELS ? virt_tx.by_channel[ch] : 0;
    /*@ loop invariant TX_OK && left < pow2(virt_tx.client_count);
      @ loop assigns left, virt_tx.policy;
      @ loop variant left;
      @*/
    for (; left != 0; left &= left - 1) {
        virt_tx_wake(bits_first(left));
    }
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.driver.channel);
    }
}
