/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's passes, and how it starts (see virt_tx.h). */
#include <microkit.h>

#include "buffers.h"
#include "sddf/cache.h"
#include "sddf/clock.h"
#include "sddf/timer.h"
#include "setup.h"
#include "virt_tx.h"

#define TIMEOUT 0 /* the one that this PD has: somebody who is held may send again */

struct net_virt_tx_config sddf_net_config;
struct virt_tx virt_tx;

static bool running;
static uint32_t looked_at; /* the client that was last woken without a notification */
static uint64_t armed;     /* when the timeout is; TX_LIMIT_NEVER: it is off */
static uint64_t by_channel[MICROKIT_MAX_CHANNELS];
static uint8_t owners[NET_TX_BUFFERS_MAX];
static uint32_t spares[NET_TX_BUFFERS_MAX];

/* ---- passes -------------------------------------------------------------------------------- */

/* The end of a pass: hands everything over, once, and counts. True: the driver wants a signal. */
static bool pass_end(void)
{
    if (virt_tx.incoherent) {
        sddf_cache_done(); /* before the driver sees the frames, and the device after it */
    }
    bool driver_waits = sddf_queue_hand_over(&virt_tx.driver_active);
    if (driver_waits) {
        tally_add(&virt_tx.tally, NET_STAT_SIGNALS, 1);
    }
    for (; virt_tx.touched != 0; virt_tx.touched &= virt_tx.touched - 1) {
        uint32_t number = bits_first(virt_tx.touched);
        struct tx_client *client = &virt_tx.client[number];
        sddf_queue_release(&client->active); /* those who wait for room have sent something, too */
        if (sddf_queue_hand_over(&client->free)) {
            tally_add(&client->tally, NET_STAT_SIGNALS, 1);
            microkit_notify(client->channel);
        }
        tally_flush(&client->tally, virt_tx.stats, number + 1);
    }
    tally_flush(&virt_tx.tally, virt_tx.stats, 0);
    return driver_waits;
}

/*
 * Notifications wait until we return, which one client that never runs dry (on another core) can
 * put off for ever. So each pass ends the wait of one of the others, too.
 */
static void look_at_another(void)
{
    if (virt_tx.client_count > 0) {
        looked_at = looked_at + 1 < virt_tx.client_count ? looked_at + 1 : 0;
        virt_tx_wake(looked_at);
    }
}

/* Whoever is held is served when the time has come, even if nobody notifies. */
static void timeout_set(void)
{
    if (virt_tx.held_until != armed) {
        armed = virt_tx.held_until;
        /* It may go off for nobody: that costs less than to cancel it. */
        if (armed != TX_LIMIT_NEVER && timer_set_at(TIMEOUT, armed) != TIMER_OK) {
            armed = TX_LIMIT_NEVER; /* the next pass tries again */
        }
    }
}

/* True: the driver wants a signal. */
static bool serve(void)
{
    bool driver_waits;
    bool more;
    tally_add(&virt_tx.tally, NET_STAT_WAKEUPS, 1);
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

/* ---- start --------------------------------------------------------------------------------- */

static bool limit_ok(const struct net_virt_tx_client *config)
{
    return config->limit == 0 ||
           (config->limit >= NET_TX_LIMIT_MIN && config->limit <= NET_TX_LIMIT_MAX &&
            config->window >= NET_TX_WINDOW_MIN && config->window <= NET_TX_WINDOW_MAX);
}

/* Whose turn it is when, and as whom it may speak. */
static const char *client_start_policy(uint32_t number, const struct net_virt_tx_client *config,
                                       uint64_t now)
{
    struct tx_sender *sender = &virt_tx.senders.sender[number];
    *sender = (struct tx_sender){frame_mac(config->mac), config->ipv4, config->any_mac != 0};
    virt_tx.senders.count = number + 1;
    if (!sender->any_mac && !mac_table_add(&virt_tx.senders.macs, sender->mac, number)) {
        return "a MAC address";
    }
    if (config->weight == 0 || config->weight > NET_TX_WEIGHT_MAX || !limit_ok(config)) {
        return "a share";
    }
    tx_policy_add(&virt_tx.policy, number, config->weight, sender->any_mac);
    tx_limit_start(&virt_tx.client[number].limit, config->limit, config->window, now);
    if (config->limit != 0) {
        virt_tx.limited |= bits_one(number);
    }
    return NULL;
}

static const char *client_start(uint32_t number, const struct net_virt_tx_client *config,
                                uint32_t first_buffer, uint64_t now)
{
    struct tx_client *client = &virt_tx.client[number];
    if (!buffers_region_ok(&config->data, config->buffer_count) ||
        config->buffer_count > NET_TX_BUFFERS_MAX - first_buffer) {
        return "a Tx data region";
    }
    *client = (struct tx_client){
        .data = (const uint8_t *)(uintptr_t)config->data.vaddr,
        .io_address = config->data.io_address,
        .buffer_count = config->buffer_count,
        .channel = config->tx.channel,
        .owner = &owners[first_buffer],
        .spare = &spares[first_buffer],
    };
    struct tx_range range = {
        .begin = client->io_address,
        .end = client->io_address + (uint64_t)client->buffer_count * NET_BUFFER_SIZE,
        .client = number,
    };
    if (range.end < range.begin || !tx_ranges_add(&virt_tx.ranges, range)) {
        return "an IO address";
    }
    if (client->channel >= MICROKIT_MAX_CHANNELS) {
        return "a client's channel";
    }
    by_channel[client->channel] = bits_one(number);
    if (!setup_consumer(&client->active, &config->tx.active) ||
        !setup_producer(&client->free, &config->tx.free)) {
        return "a client's queue";
    }
    return client_start_policy(number, config, now);
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct net_virt_tx_config *config)
{
    running = false;
    looked_at = 0;
    armed = TX_LIMIT_NEVER;
    memset(by_channel, 0, sizeof(by_channel));
    memset(&virt_tx, 0, sizeof(virt_tx));
    virt_tx.held_until = TX_LIMIT_NEVER;
    if (!sddf_config_ok(&config->header, SDDF_ROLE_NET_VIRT_TX, sizeof(*config)) ||
        config->client_count > NET_CLIENTS_MAX) {
        return "the header";
    }
    if (!tx_policy_start(&virt_tx.policy, config->policy)) {
        return "the policy";
    }
    if (!tally_page_ok(&config->stats, config->client_count)) {
        return "the statistics region";
    }
    virt_tx.incoherent = config->incoherent != 0;
    virt_tx.stats = tally_page_start(&config->stats, SDDF_ROLE_NET_VIRT_TX, config->client_count);
    if (!setup_consumer(&virt_tx.driver_free, &config->driver.free) ||
        !setup_producer(&virt_tx.driver_active, &config->driver.active)) {
        return "a driver's queue";
    }
    virt_tx.driver_enough =
        setup_min(config->driver.free.capacity, config->driver.active.capacity) / 2;
    uint32_t buffers = 0;
    uint64_t now = sddf_clock_now(); /* windows of one length begin together */
    for (uint32_t i = 0; i < config->client_count; i++) {
        const char *wrong = client_start(i, &config->client[i], buffers, now);
        if (wrong != NULL) {
            return wrong;
        }
        buffers += config->client[i].buffer_count;
        virt_tx.client_count = i + 1;
    }
    tx_ranges_index(&virt_tx.ranges);
    if (virt_tx.limited != 0 && !timer_init()) {
        return "the timer, which a limit needs,";
    }
    return NULL;
}

/* ---- entry points -------------------------------------------------------------------------- */

void init(void)
{
    const char *wrong = start(&sddf_net_config);
    if (wrong != NULL) {
        setup_refuse(wrong);
        return;
    }
    for (uint32_t i = 0; i < virt_tx.client_count; i++) {
        for (uint32_t buffer = 0; buffer < virt_tx.client[i].buffer_count; buffer++) {
            virt_tx_give_back(i, buffer);
        }
        virt_tx_wake(i); /* some may have sent something already */
    }
    running = true;
    if (serve()) {
        microkit_notify(sddf_net_config.driver.channel);
    }
}

void notified(microkit_channel ch)
{
    if (!running) {
        return;
    }
    /* Neither the driver nor the timer has a bit: whatever they notify for, the pass looks. */
    uint64_t left = ch < MICROKIT_MAX_CHANNELS ? by_channel[ch] : 0;
    for (; left != 0; left &= left - 1) {
        virt_tx_wake(bits_first(left));
    }
    if (serve()) {
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_notify(sddf_net_config.driver.channel);
    }
}
