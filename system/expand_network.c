/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <network>: driver, virtualisers, ARP component, and a copier per client, joined as the picture
 * in sddf/net.h shows.
 *
 * Capacities. A queue that takes buffers back must have room for all that may ever come back, so
 * that nobody is left with a buffer and no place to return it to:
 *
 *   driver, rx        both queues as many as there are DMA buffers
 *   driver, tx        active 2048, as the device's ring; free at least as many as all Tx buffers
 *   copy, arp <- virt_rx   active as the client's rx: this is what limits it. free as many as
 *                     there are DMA buffers: whatever it holds, it can return
 *   client            both queues of a direction as many as it has buffers there
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "sddf/net.h"
#include "system/expand.h"
#include "system/model.h"

#define R  SYSTEM_READ
#define W  SYSTEM_WRITE
#define RW (SYSTEM_READ | SYSTEM_WRITE)

#define DRIVER_TX_CAPACITY 2048
#define ARP_CAPACITY       64

/* A network in the making. */
struct making {
    struct expand *e;
    const struct system_network *n;
    const struct board_device *device;
    struct expand_io io;
    size_t driver, virt_rx, virt_tx, arp;
    size_t dma; /* region */
    uint64_t dma_io;
    struct net_driver_config driver_config;
    struct net_virt_rx_config virt_rx_config;
    struct net_virt_tx_config virt_tx_config;
    struct net_arp_config arp_config;
};

/* ---- pieces -------------------------------------------------------------------------------- */

static size_t component(struct making *m, const char *suffix, const char *program,
                        unsigned priority, const struct system_component *override)
{
    char *name = model_format("%s_%s", m->n->device, suffix);
    struct system_place place = override->place.line > 0 ? override->place : m->n->place;
    size_t pd = expand_pd(m->e, name, program, priority, override, place);
    free(name);
    return pd;
}

static size_t region(struct making *m, const char *who, const char *what, uint64_t size,
                     struct system_place place)
{
    char *name = model_format("%s_%s%s%s", m->n->device, who, *who == '\0' ? "" : "_", what);
    size_t index = expand_region(m->e, name, size, place);
    free(name);
    return index;
}

/* Packet data that the device reaches. */
static size_t dma_region(struct making *m, const char *who, const char *what, uint64_t buffers,
                         struct system_place place)
{
    return region(m, who, what, expand_dma_size(m->e, buffers * NET_BUFFER_SIZE), place);
}

/* One page-rounded region, written by the PD and nobody else. */
static struct sddf_region_config stats(struct making *m, size_t pd, const char *who)
{
    size_t index = region(m, who, "stats", sizeof(struct net_stats), m->e->system->pds[pd].place);
    return expand_map(m->e, pd, index, RW);
}

/* One queue: each side writes its own region and reads the other's. */
static void queue(struct making *m, const char *name, uint32_t capacity, size_t producer,
                  struct sddf_queue_config *at_producer, size_t consumer,
                  struct sddf_queue_config *at_consumer, struct system_place place)
{
    size_t p =
        region(m, name, "producer", sddf_queue_producer_size(capacity, net_queue_words), place);
    size_t c = region(m, name, "consumer", sddf_queue_consumer_size(), place);
    at_producer->producer = expand_map(m->e, producer, p, RW).vaddr;
    at_producer->consumer = expand_map(m->e, producer, c, R).vaddr;
    at_producer->capacity = capacity;
    at_consumer->producer = expand_map(m->e, consumer, p, R).vaddr;
    at_consumer->consumer = expand_map(m->e, consumer, c, RW).vaddr;
    at_consumer->capacity = capacity;
}

struct side {
    size_t pd;
    struct net_pair_config *config;
};

/*
 * A pair and its channel. `filler` produces active and consumes free: the side nearer the device
 * for rx, the side nearer the client for tx.
 */
static void pair(struct making *m, const char *who, const char *direction, uint32_t free_capacity,
                 uint32_t active_capacity, struct side filler, struct side taker,
                 struct expand_channel channel, struct system_place place)
{
    char *free_name = model_format("%s_%s_free", who, direction);
    char *active_name = model_format("%s_%s_active", who, direction);
    queue(m, free_name, free_capacity, taker.pd, &taker.config->free, filler.pd,
          &filler.config->free, place);
    queue(m, active_name, active_capacity, filler.pd, &filler.config->active, taker.pd,
          &taker.config->active, place);
    filler.config->channel = channel.a;
    taker.config->channel = channel.b;
    free(free_name);
    free(active_name);
}

static struct expand_channel both_ways(struct making *m, size_t a, size_t b,
                                       struct system_place place)
{
    return expand_channel(m->e, a, b, false, true, true, place);
}

/* The driver hears of a data region by its IO address, and has it only if it must. */
static void driver_data(struct making *m, size_t index, uint64_t io_address, unsigned perms)
{
    struct net_driver_config *driver = &m->driver_config;
    struct sddf_region_config *entry = &driver->data[driver->data_count++];
    if (m->device->data) {
        *entry = expand_map(m->e, m->driver, index, perms);
    }
    entry->size = m->e->system->regions[index].size;
    entry->io_address = io_address;
}

/* A Tx data region: its sender's, readable for virt_tx, and at an IO address of its own. */
static void tx_data(struct making *m, const char *who, uint32_t buffers, size_t sender,
                    struct sddf_region_config *at_sender, struct net_virt_tx_client *at_virt,
                    struct system_place place)
{
    size_t index = dma_region(m, who, "tx_data", buffers, place);
    *at_sender = expand_map(m->e, sender, index, RW);
    at_virt->data = expand_map(m->e, m->virt_tx, index, R);
    at_virt->data.io_address = expand_io(m->e, &m->io, index, R);
    at_virt->buffer_count = buffers;
    driver_data(m, index, at_virt->data.io_address, R);
}

/* ---- the shared part ----------------------------------------------------------------------- */

static uint32_t tx_return_capacity(const struct system_network *n)
{
    uint64_t buffers = ARP_CAPACITY;
    for (size_t i = 0; i < n->client_count; i++) {
        buffers += n->clients[i].tx;
    }
    uint32_t capacity = DRIVER_TX_CAPACITY;
    while (capacity < buffers) {
        capacity *= 2;
    }
    return capacity;
}

static void make_driver(struct making *m)
{
    const struct system_network *n = m->n;
    struct net_driver_config *driver = &m->driver_config;
    expand_device(m->e, m->driver, m->device, &m->io, &driver->device, n->place);
    driver->device.ring_size = (uint32_t)(n->ring_size != 0 ? n->ring_size : m->device->ring_size);
    m->dma = dma_region(m, "", "rx_dma", n->rx_buffers, n->place);
    /* What it receives the device may write. It may read that only where nothing can tell the two,
     * or where it is sent from there. */
    const bool read = m->device->card_count == 0 || n->clients[0].in_place;
    m->dma_io = expand_io(m->e, &m->io, m->dma, read ? RW : W);
    driver_data(m, m->dma, m->dma_io, RW);
    driver->stats = stats(m, m->driver, "driver");
}

/* The driver's two pairs, with the virtualisers or with its only client. */
static void make_driver_pairs(struct making *m, struct side rx, struct side tx)
{
    struct system_place place = m->n->place;
    uint32_t buffers = (uint32_t)m->n->rx_buffers;
    pair(m, "driver", "rx", buffers, buffers, (struct side){m->driver, &m->driver_config.rx}, rx,
         both_ways(m, m->driver, rx.pd, place), place);
    pair(m, "driver", "tx", tx_return_capacity(m->n), DRIVER_TX_CAPACITY, tx,
         (struct side){m->driver, &m->driver_config.tx}, both_ways(m, tx.pd, m->driver, place),
         place);
}

static void make_shared(struct making *m)
{
    const struct system_network *n = m->n;
    m->driver = component(m, "driver", m->device->driver, NETWORK_PRIORITY_DRIVER, &n->driver);
    m->virt_tx = component(m, "virt_tx", "net_virt_tx.elf", NETWORK_PRIORITY_VIRT_TX, &n->virt_tx);
    m->virt_rx = component(m, "virt_rx", "net_virt_rx.elf", NETWORK_PRIORITY_VIRT_RX, &n->virt_rx);
    m->arp = component(m, "arp", "net_arp.elf", NETWORK_PRIORITY_ARP, &n->arp);
    make_driver(m);
    m->virt_rx_config.data = expand_map(m->e, m->virt_rx, m->dma, R);
    m->virt_rx_config.data.io_address = m->dma_io;
    m->virt_rx_config.buffer_count = (uint32_t)n->rx_buffers;
    make_driver_pairs(m, (struct side){m->virt_rx, &m->virt_rx_config.driver},
                      (struct side){m->virt_tx, &m->virt_tx_config.driver});
    const struct board_dma *dma = &m->e->board->dma;
    m->virt_rx_config.incoherent = m->virt_tx_config.incoherent = dma->size != 0 && !dma->coherent;
    m->virt_rx_config.stats = stats(m, m->virt_rx, "virt_rx");
    m->virt_tx_config.stats = stats(m, m->virt_tx, "virt_tx");
    m->virt_tx_config.policy = n->policy;
    if (network_needs_timer(n)) {
        expand_timer_client(m->e, m->virt_tx, n->place);
    } else {
        expand_no_timer(m->e, m->virt_tx);
    }
}

/* Last, so that it comes behind the clients in everybody's tables. */
static void make_arp(struct making *m)
{
    struct net_arp_config *arp = &m->arp_config;
    struct system_place place = m->n->place;
    struct net_virt_rx_client *rx = &m->virt_rx_config.client[m->virt_rx_config.client_count++];
    rx->kind = NET_RECEIVER_ARP;
    pair(m, "arp", "rx", (uint32_t)m->n->rx_buffers, ARP_CAPACITY,
         (struct side){m->virt_rx, &rx->rx}, (struct side){m->arp, &arp->rx},
         both_ways(m, m->virt_rx, m->arp, place), place);

    struct net_virt_tx_client *tx = &m->virt_tx_config.client[m->virt_tx_config.client_count++];
    tx->any_mac = 1;
    tx->weight = 1;
    pair(m, "arp", "tx", ARP_CAPACITY, ARP_CAPACITY, (struct side){m->arp, &arp->tx},
         (struct side){m->virt_tx, &tx->tx}, both_ways(m, m->arp, m->virt_tx, place), place);
    tx_data(m, "arp", ARP_CAPACITY, m->arp, &arp->data, tx, place);

    arp->dma = expand_map(m->e, m->arp, m->dma, R);
    arp->dma_buffer_count = (uint32_t)m->n->rx_buffers;
    arp->buffer_count = ARP_CAPACITY;
    arp->stats = stats(m, m->arp, "arp");
}

/* ---- a client ------------------------------------------------------------------------------ */

/* DMA region --virt_rx--> copier --> the client's own region. */
static void make_client_copier(struct making *m, const struct network_client *c, const char *name,
                               struct net_virt_rx_client *at_virt, struct net_client_config *client)
{
    char *who = model_format("copy_%s", name);
    uint32_t capacity = (uint32_t)c->rx;
    struct net_copy_config copy = {0};
    char *pd_name = model_format("%s_%s", m->n->device, who);
    size_t copier =
        expand_pd(m->e, pd_name, "net_copy.elf", NETWORK_PRIORITY_COPY, &c->copy, c->place);
    free(pd_name);
    pair(m, who, "rx", (uint32_t)m->n->rx_buffers, capacity,
         (struct side){m->virt_rx, &at_virt->rx}, (struct side){copier, &copy.rx},
         both_ways(m, m->virt_rx, copier, c->place), c->place);
    pair(m, name, "rx", capacity, capacity, (struct side){copier, &copy.client},
         (struct side){c->pd, &client->rx}, both_ways(m, copier, c->pd, c->place), c->place);

    size_t data = region(m, name, "rx_data", (uint64_t)capacity * NET_BUFFER_SIZE, c->place);
    copy.dma = expand_map(m->e, copier, m->dma, R);
    copy.dma_buffer_count = (uint32_t)m->n->rx_buffers;
    copy.data = expand_map(m->e, copier, data, RW);
    copy.buffer_count = capacity;
    copy.stats = stats(m, copier, who);
    client->rx_data = expand_map(m->e, c->pd, data, RW);
    client->rx_buffer_count = capacity;
    expand_configure(m->e, copier, "sddf_net_config", SDDF_ROLE_NET_COPY, &copy, sizeof(copy));
    free(who);
}

/* The DMA region, in place, with everybody's frames in it. */
static void make_client_rx_dma(struct making *m, const struct network_client *c,
                               struct net_client_config *client)
{
    client->rx_data = expand_map(m->e, c->pd, m->dma, RW);
    client->rx_buffer_count = (uint32_t)m->n->rx_buffers;
}

static void make_client_rx(struct making *m, const struct network_client *c, const char *name,
                           struct net_client_config *client)
{
    struct net_virt_rx_client *at_virt =
        &m->virt_rx_config.client[m->virt_rx_config.client_count++];
    memcpy(at_virt->mac, c->mac, sizeof(at_virt->mac));
    at_virt->kind = c->dhcp ? NET_RECEIVER_DHCP : NET_RECEIVER_CLIENT;
    if (c->has_copier) {
        make_client_copier(m, c, name, at_virt, client);
        return;
    }
    pair(m, name, "rx", (uint32_t)m->n->rx_buffers, (uint32_t)c->rx,
         (struct side){m->virt_rx, &at_virt->rx}, (struct side){c->pd, &client->rx},
         both_ways(m, m->virt_rx, c->pd, c->place), c->place);
    make_client_rx_dma(m, c, client);
    client->rx_lent = 1;
}

static void make_client_tx(struct making *m, const struct network_client *c, const char *name,
                           struct net_client_config *client)
{
    uint32_t capacity = (uint32_t)c->tx;
    struct net_virt_tx_client *at_virt =
        &m->virt_tx_config.client[m->virt_tx_config.client_count++];
    memcpy(at_virt->mac, c->mac, sizeof(at_virt->mac));
    at_virt->limit = c->limit;
    at_virt->window = (uint32_t)c->window;
    at_virt->weight = (uint32_t)c->weight;
    at_virt->ipv4 = c->dhcp ? 0 : htonl(c->ip.address);
    pair(m, name, "tx", capacity, capacity, (struct side){c->pd, &client->tx},
         (struct side){m->virt_tx, &at_virt->tx}, both_ways(m, c->pd, m->virt_tx, c->place),
         c->place);
    tx_data(m, name, capacity, c->pd, &client->tx_data, at_virt, c->place);
    client->tx_buffer_count = capacity;
}

/* Who it is. The name is a copy of the PD's: the PDs move when others join them. */
static void client_identity(struct making *m, const struct network_client *c, const char *name,
                            struct net_client_config *client)
{
    client->stats = stats(m, c->pd, name);
    memcpy(client->mac, c->mac, sizeof(client->mac));
    strncpy(client->name, name, sizeof(client->name) - 1);
    if (!c->dhcp) {
        client->ipv4 = htonl(c->ip.address);
        client->prefix = (uint8_t)c->ip.prefix;
        client->gateway = c->has_gateway ? htonl(c->gateway) : 0;
    }
}

static void make_client(struct making *m, const struct network_client *c)
{
    char *name = model_string(m->e->system->pds[c->pd].name);
    struct net_client_config client = {.arp_channel = SDDF_NO_CHANNEL};
    make_client_rx(m, c, name, &client);
    make_client_tx(m, c, name, &client);
    client_identity(m, c, name, &client);

    struct net_arp_client *arp = &m->arp_config.client[m->arp_config.client_count++];
    memcpy(arp->mac, c->mac, sizeof(arp->mac));
    arp->channel = SDDF_NO_CHANNEL;
    arp->ipv4 = client.ipv4;
    arp->prefix = client.prefix;
    if (c->dhcp) {
        /* It calls, and nobody notifies: a claim is answered at once. */
        struct expand_channel channel =
            expand_channel(m->e, c->pd, m->arp, true, false, false, c->place);
        client.arp_channel = channel.a;
        arp->channel = channel.b;
        arp->prefix = c->subnet.valid ? (uint8_t)c->subnet.prefix : 0;
        arp->ipv4 = c->subnet.valid ? htonl(c->subnet.address) : 0;
    }
    expand_configure(m->e, c->pd, "sddf_net_config", SDDF_ROLE_NET_CLIENT, &client, sizeof(client));
    free(name);
}

/* The only client, at the driver itself: it deals in IO addresses, and answers ARP itself. */
static void make_direct(struct making *m)
{
    const struct network_client *c = &m->n->clients[0];
    char *name = model_string(m->e->system->pds[c->pd].name);
    struct net_client_config client = {.arp_channel = SDDF_NO_CHANNEL, .tx_own = 1};
    m->driver = component(m, "driver", m->device->driver, NETWORK_PRIORITY_DRIVER, &m->n->driver);
    make_driver(m);
    make_driver_pairs(m, (struct side){c->pd, &client.rx}, (struct side){c->pd, &client.tx});
    make_client_rx_dma(m, c, &client);
    client.rx_data.io_address = m->dma_io;
    if (c->in_place) {
        client.tx_data = client.rx_data;
        client.tx_own = 0;
        driver_data(m, m->dma, m->dma_io, R);
    } else {
        size_t data = dma_region(m, name, "tx_data", c->tx, c->place);
        client.tx_data = expand_map(m->e, c->pd, data, RW);
        client.tx_data.io_address = expand_io(m->e, &m->io, data, R);
        driver_data(m, data, client.tx_data.io_address, R);
    }
    client.tx_buffer_count = (uint32_t)c->tx;
    client_identity(m, c, name, &client);
    expand_configure(m->e, c->pd, "sddf_net_config", SDDF_ROLE_NET_CLIENT, &client, sizeof(client));
    free(name);
}

static void configure(struct making *m)
{
    expand_configure(m->e, m->virt_rx, "sddf_net_config", SDDF_ROLE_NET_VIRT_RX, &m->virt_rx_config,
                     sizeof(m->virt_rx_config));
    expand_configure(m->e, m->virt_tx, "sddf_net_config", SDDF_ROLE_NET_VIRT_TX, &m->virt_tx_config,
                     sizeof(m->virt_tx_config));
    expand_configure(m->e, m->arp, "sddf_net_config", SDDF_ROLE_NET_ARP, &m->arp_config,
                     sizeof(m->arp_config));
}

void expand_network(struct expand *e, const struct system_network *network)
{
    struct making *m = calloc(1, sizeof(*m)); /* its configurations are too big for a stack */
    if (m == NULL) {
        system_error(e->errors, network->place, "out of memory");
        return;
    }
    m->e = e;
    m->n = network;
    m->device = board_device(e->board, network->device);
    m->io = expand_io_begin(e, m->device, network->place);
    if (network->shared) {
        make_shared(m);
        for (size_t i = 0; i < network->client_count; i++) {
            make_client(m, &network->clients[i]);
        }
        make_arp(m);
        configure(m);
    } else {
        make_direct(m);
    }
    expand_configure(e, m->driver, "sddf_net_config", SDDF_ROLE_NET_DRIVER, &m->driver_config,
                     sizeof(m->driver_config));
    free(m);
}
