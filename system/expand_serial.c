/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <serial>: driver and virtualisers, joined with each other and with every client as the picture in
 * sddf/serial.h shows.
 */
#include <stdlib.h>
#include <string.h>

#include "sddf/serial.h"
#include "system/expand.h"
#include "system/model.h"

#define R  SYSTEM_READ
#define RW (SYSTEM_READ | SYSTEM_WRITE)

#define DRIVER_TX_CAPACITY  512
#define DRIVER_RX_CAPACITY  512
#define VIRT_RX_TX_CAPACITY SERIAL_QUEUE_TX_MIN /* for what it says itself */

/* A serial line in the making. */
struct making {
    struct expand *e;
    const struct system_serial *serial;
    size_t driver, virt_rx, virt_tx;
    struct serial_virt_rx_config virt_rx_config;
    struct serial_virt_tx_config virt_tx_config;
};

static size_t component(struct making *m, const char *suffix, const char *program,
                        unsigned priority, const struct system_component *override)
{
    char *name = model_format("%s_%s", m->serial->device, suffix);
    struct system_place place = override->place.line > 0 ? override->place : m->serial->place;
    size_t pd = expand_pd(m->e, name, program, priority, override, place);
    free(name);
    return pd;
}

static size_t region(struct making *m, const char *who, const char *what, uint64_t size,
                     struct system_place place)
{
    char *name = model_format("%s_%s_%s", m->serial->device, who, what);
    size_t index = expand_region(m->e, name, size, place);
    free(name);
    return index;
}

/* One page-rounded region, written by the PD and nobody else. */
static struct sddf_region_config stats(struct making *m, size_t pd, const char *who)
{
    struct system_place place = m->e->system->pds[pd].place;
    return expand_map(m->e, pd, region(m, who, "stats", sizeof(struct serial_stats), place), RW);
}

/* One queue: each side writes its own region and reads the other's. */
static void queue(struct making *m, const char *who, const char *what, uint32_t capacity,
                  size_t producer, struct sddf_queue_config *at_producer, size_t consumer,
                  struct sddf_queue_config *at_consumer, struct system_place place)
{
    char *name = model_format("%s_%s", who, what);
    size_t p =
        region(m, name, "producer", sddf_queue_producer_size(capacity, serial_queue_words), place);
    size_t c = region(m, name, "consumer", sddf_queue_consumer_size(), place);
    at_producer->producer = expand_map(m->e, producer, p, RW).vaddr;
    at_producer->consumer = expand_map(m->e, producer, c, R).vaddr;
    at_producer->capacity = capacity;
    at_consumer->producer = expand_map(m->e, consumer, p, R).vaddr;
    at_consumer->consumer = expand_map(m->e, consumer, c, RW).vaddr;
    at_consumer->capacity = capacity;
    free(name);
}

/* From `from` towards the device. */
static void join_tx(struct making *m, const char *who, uint32_t capacity, size_t from,
                    struct serial_tx_config *at_from, size_t to, struct serial_tx_config *at_to,
                    struct system_place place)
{
    struct expand_channel channel = expand_channel(m->e, from, to, false, true, true, place);
    queue(m, who, "tx_active", capacity, from, &at_from->active, to, &at_to->active, place);
    queue(m, who, "tx_free", SERIAL_FREE_CAPACITY, to, &at_to->free, from, &at_from->free, place);
    at_from->channel = channel.a;
    at_to->channel = channel.b;
}

/* From `from` towards the clients. Nothing is said the other way. */
static void join_rx(struct making *m, const char *who, uint32_t capacity, size_t from,
                    struct serial_rx_config *at_from, size_t to, struct serial_rx_config *at_to,
                    struct system_place place)
{
    struct expand_channel channel = expand_channel(m->e, from, to, false, true, false, place);
    queue(m, who, "rx_active", capacity, from, &at_from->active, to, &at_to->active, place);
    at_from->channel = channel.a;
    at_to->channel = channel.b;
}

static void make_components(struct making *m, const struct board_device *device)
{
    const struct system_serial *s = m->serial;
    m->driver = component(m, "driver", device->driver, SERIAL_PRIORITY_DRIVER, &s->driver);
    m->virt_tx =
        component(m, "virt_tx", "serial_virt_tx.elf", SERIAL_PRIORITY_VIRT_TX, &s->virt_tx);
    m->virt_rx =
        component(m, "virt_rx", "serial_virt_rx.elf", SERIAL_PRIORITY_VIRT_RX, &s->virt_rx);

    struct serial_driver_config driver = {0};
    expand_device(m->e, m->driver, device, NULL, &driver.device, s->place);
    join_tx(m, "driver", DRIVER_TX_CAPACITY, m->virt_tx, &m->virt_tx_config.driver, m->driver,
            &driver.tx, s->place);
    join_rx(m, "driver", DRIVER_RX_CAPACITY, m->driver, &driver.rx, m->virt_rx,
            &m->virt_rx_config.driver, s->place);
    driver.stats = stats(m, m->driver, "driver");
    m->virt_rx_config.stats = stats(m, m->virt_rx, "virt_rx");
    m->virt_rx_config.escape = (uint8_t)s->escape;
    m->virt_tx_config.stats = stats(m, m->virt_tx, "virt_tx");
    /* A terminal of Linux's makes "\r\n" of the end of a line itself. */
    m->virt_tx_config.crlf = strcmp(device->kind, "terminal") != 0;
    expand_configure(m->e, m->driver, "sddf_serial_config", SDDF_ROLE_SERIAL_DRIVER, &driver,
                     sizeof(driver));
}

static void make_client(struct making *m, const struct serial_client *c)
{
    /* A copy, since the PDs may move. */
    char *name = model_string(m->e->system->pds[c->pd].name);
    uint32_t number = m->virt_tx_config.client_count++;
    struct serial_virt_tx_client *tx = &m->virt_tx_config.client[number];
    struct serial_virt_rx_client *rx = &m->virt_rx_config.client[number];
    m->virt_rx_config.client_count++;
    struct serial_client_config client = {0};
    join_tx(m, name, (uint32_t)c->tx, c->pd, &client.tx, m->virt_tx, &tx->tx, c->place);
    join_rx(m, name, (uint32_t)c->rx, m->virt_rx, &rx->rx, c->pd, &client.rx, c->place);
    client.stats = stats(m, c->pd, name);

    const char *shown = c->name != NULL ? c->name : name;
    strncpy(rx->name, shown, sizeof(rx->name) - 1);
    if (m->serial->names) {
        strncpy(tx->name, shown, sizeof(tx->name) - 1);
    }
    if (m->serial->colours) {
        tx->colour =
            c->colour != 0 ? (uint8_t)c->colour : (uint8_t)(1 + (number + 1) % SERIAL_COLOUR_MAX);
    }
    expand_configure(m->e, c->pd, "sddf_serial_config", SDDF_ROLE_SERIAL_CLIENT, &client,
                     sizeof(client));
    free(name);
}

void expand_serial(struct expand *e, const struct system_serial *serial)
{
    struct making *m = calloc(1, sizeof(*m)); /* its configurations are too big for a stack */
    if (m == NULL) {
        system_error(e->errors, serial->place, "out of memory");
        return;
    }
    m->e = e;
    m->serial = serial;
    make_components(m, board_device(e->board, serial->device));
    for (size_t i = 0; i < serial->client_count; i++) {
        make_client(m, &serial->clients[i]);
    }
    /* The Rx virtualiser is the Tx virtualiser's last client. */
    struct serial_virt_tx_client *own = &m->virt_tx_config.client[m->virt_tx_config.client_count++];
    join_tx(m, "virt_rx", VIRT_RX_TX_CAPACITY, m->virt_rx, &m->virt_rx_config.tx, m->virt_tx,
            &own->tx, serial->place);
    expand_configure(e, m->virt_rx, "sddf_serial_config", SDDF_ROLE_SERIAL_VIRT_RX,
                     &m->virt_rx_config, sizeof(m->virt_rx_config));
    expand_configure(e, m->virt_tx, "sddf_serial_config", SDDF_ROLE_SERIAL_VIRT_TX,
                     &m->virt_tx_config, sizeof(m->virt_tx_config));
    free(m);
}
