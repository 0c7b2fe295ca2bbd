/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of <network>, <timer>, <serial> and <idle>, before they are expanded. */
#include <stdlib.h>
#include <string.h>

#include "sddf/net.h"
#include "sddf/serial.h"
#include "sddf/timer.h"
#include "system/check.h"
#include "system/idle.h"
#include "system/model.h"
#include "system/network.h"
#include "system/serial.h"
#include "system/timer.h"

/* ---- devices ------------------------------------------------------------------------------- */

const struct board_device *check_device(const struct check *c, const char *name, const char *class_,
                                        struct system_place place)
{
    if (name == NULL) {
        return NULL;
    }
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < c->board->device_count; i++) {
        const struct board_device *device = &c->board->devices[i];
        if (device->name != NULL && device->class_ != NULL &&
            (class_ == NULL || strcmp(device->class_, class_) == 0)) {
            *(const char **)model_append(&names, &count, sizeof(*names)) = device->name;
        }
    }
    const struct board_device *device = board_device(c->board, name);
    char *hint = model_suggest(name, names, count, "devices of that kind");
    if (device == NULL) {
        system_error(c->errors, place, "board %s has no device \"%s\"; %s", c->board->name, name,
                     hint);
    } else if (class_ != NULL && strcmp(device->class_, class_) != 0) {
        system_error(c->errors, place, "device \"%s\" is of class %s, not %s; %s", name,
                     device->class_, class_, hint);
        device = NULL;
    }
    free(hint);
    free(names);
    return device;
}

static void check_used_twice(const struct check *c, const char *name, const char *first,
                             struct system_place first_place, struct system_place place)
{
    if (name != NULL && first != NULL && strcmp(name, first) == 0) {
        system_error(c->errors, place,
                     "device \"%s\" is already used (line %d); write all its clients into one "
                     "element",
                     name, first_place.line);
    }
}

/* ---- network clients ----------------------------------------------------------------------- */

static void check_mac(const struct check *c, const struct network_client *client)
{
    static const uint8_t zero[6] = {0};
    if (!client->has_mac) {
        return;
    }
    const uint8_t *m = client->mac;
    if ((m[0] & 1) != 0) {
        system_error(c->errors, client->place,
                     "%02x:%02x:%02x:%02x:%02x:%02x is a multicast address; the first byte of a "
                     "client's own is even, %02x for one",
                     m[0], m[1], m[2], m[3], m[4], m[5], m[0] & 0xfe);
    } else if (memcmp(m, zero, sizeof(zero)) == 0) {
        system_error(c->errors, client->place,
                     "the MAC address is zero; choose one that begins with 52:54:00");
    }
}

static uint32_t netmask(unsigned prefix)
{
    return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

#define IPV4_FORMAT   "%u.%u.%u.%u"
#define IPV4_VALUE(a) (a) >> 24, (a) >> 16 & 255, (a) >> 8 & 255, (a)&255

/* Can the address be a host's? Loopback, multicast and so on cannot. */
static bool unicast(uint32_t address)
{
    uint32_t first = address >> 24;
    return first != 0 && first != 127 && first < 224;
}

static void check_static_address(const struct check *c, const struct network_client *client)
{
    uint32_t address = client->ip.address;
    uint32_t mask = netmask(client->ip.prefix);
    if (!unicast(address)) {
        system_error(c->errors, client->place, IPV4_FORMAT " is no address that a host can have",
                     IPV4_VALUE(address));
        return;
    }
    if ((address & ~mask) == 0 || (address & ~mask) == ~mask) {
        system_error(c->errors, client->place,
                     IPV4_FORMAT
                     " is the %s address of its subnet; choose another one of " IPV4_FORMAT "/%u",
                     IPV4_VALUE(address), (address & ~mask) == 0 ? "network" : "broadcast",
                     IPV4_VALUE(address & mask), client->ip.prefix);
    }
    if (!client->has_gateway) {
        return;
    }
    uint32_t gateway = client->gateway;
    if ((gateway & mask) != (address & mask)) {
        system_error(c->errors, client->place,
                     "gateway " IPV4_FORMAT " is not in the client's subnet " IPV4_FORMAT "/%u",
                     IPV4_VALUE(gateway), IPV4_VALUE(address & mask), client->ip.prefix);
    } else if (gateway == address || (gateway & ~mask) == 0 || (gateway & ~mask) == ~mask) {
        system_error(c->errors, client->place,
                     "gateway " IPV4_FORMAT " is %s; it must be another host of the subnet",
                     IPV4_VALUE(gateway),
                     gateway == address ? "the client itself" : "no host of its subnet");
    }
}

static void check_subnet(const struct check *c, const struct network_client *client)
{
    uint32_t mask = netmask(client->subnet.prefix);
    uint32_t address = client->subnet.address;
    if ((address & ~mask) != 0) {
        system_error(c->errors, client->place,
                     "subnet " IPV4_FORMAT "/%u has bits behind its prefix; write " IPV4_FORMAT
                     "/%u",
                     IPV4_VALUE(address), client->subnet.prefix, IPV4_VALUE(address & mask),
                     client->subnet.prefix);
    } else if (!unicast(address)) {
        system_error(c->errors, client->place,
                     "subnet " IPV4_FORMAT "/%u has no address that a host can have",
                     IPV4_VALUE(address), client->subnet.prefix);
    }
}

/* Against every client before it: in this network, and in those before. */
static void check_doubled(const struct check *c, const struct network_client *a,
                          const struct network_client *b, bool same_network)
{
    const char *where = same_network ? "" : " in another network";
    if (a->pd != SYSTEM_NONE && a->pd == b->pd) {
        system_error(c->errors, a->place,
                     "\"%s\" is already a client%s (line %d); a protection domain is a client of "
                     "one network, once",
                     c->system->pds[a->pd].name, where, b->place.line);
    }
    if (!same_network) {
        return; /* separate wires may well use the same addresses */
    }
    if (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0) {
        system_error(c->errors, a->place,
                     "MAC address %02x:%02x:%02x:%02x:%02x:%02x is already taken (line %d); every "
                     "client needs its own",
                     a->mac[0], a->mac[1], a->mac[2], a->mac[3], a->mac[4], a->mac[5],
                     b->place.line);
    }
    if (a->ip.valid && b->ip.valid && a->ip.address == b->ip.address) {
        system_error(c->errors, a->place,
                     "IPv4 address " IPV4_FORMAT " is already taken (line %d); every client needs "
                     "its own",
                     IPV4_VALUE(a->ip.address), b->place.line);
    }
}

/* A copier above its client, so that a greedy client cannot keep packets from being taken away. */
static void check_copier(const struct check *c, const struct system_network *network,
                         const struct network_client *client)
{
    if (client->pd == SYSTEM_NONE) {
        return;
    }
    const struct system_pd *pd = &c->system->pds[client->pd];
    unsigned copy =
        client->copy.has_priority ? (unsigned)client->copy.priority : NETWORK_PRIORITY_COPY;
    if (client->has_copier && network->shared && pd->priority >= copy) {
        system_error(c->errors, client->place,
                     "\"%s\" (priority %u) must have a lower priority than its copier (%u)",
                     pd->name, pd->priority, copy);
    }
    unsigned long longest = sizeof(((struct net_client_config *)NULL)->name) - 1;
    if (strlen(pd->name) > longest) {
        system_error(c->errors, client->place,
                     "the name \"%s\" is too long for a network client's; %lu characters at most",
                     pd->name, longest);
    }
}

/* A limit takes a timer, as who has reached it must be served again though nobody signals. */
static void check_limits(const struct check *c, const struct system_network *network)
{
    for (size_t i = 0; i < network->client_count; i++) {
        if (network->clients[i].limit != 0 && c->system->timer_count == 0) {
            system_error(c->errors, network->clients[i].place,
                         "a limit needs a timer, which wakes the Tx virtualiser; add <timer "
                         "device=\"...\"> with its clients");
            return;
        }
    }
}

static void check_client(const struct check *c, const struct system_network *network, size_t index)
{
    const struct network_client *client = &network->clients[index];
    check_mac(c, client);
    if (client->ip.valid) {
        check_static_address(c, client);
    }
    if (client->subnet.valid) {
        check_subnet(c, client);
    }
    check_copier(c, network, client);
    for (size_t i = 0; i < index; i++) {
        check_doubled(c, client, &network->clients[i], true);
    }
    for (const struct system_network *n = c->system->networks; n < network; n++) {
        for (size_t i = 0; i < n->client_count; i++) {
            check_doubled(c, client, &n->clients[i], false);
        }
    }
}

static void check_rings(const struct check *c, const struct system_network *network,
                        const struct board_device *device)
{
    if (network->ring_size == 0 || device == NULL) {
        return;
    }
    if (device->ring_size == 0) {
        system_error(
            c->errors, network->place,
            "the rings of device \"%s\" have the size that its platform gives them; remove "
            "\"ring_size\"",
            device->name);
    } else if (network->ring_size > device->ring_size) {
        system_error(c->errors, network->place,
                     "ring_size=\"%llu\" is more than device \"%s\" has; it goes up to %llu",
                     (unsigned long long)network->ring_size, device->name,
                     (unsigned long long)device->ring_size);
    }
}

void check_networks(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->network_count; i++) {
        const struct system_network *network = &s->networks[i];
        check_rings(c, network, check_device(c, network->device, "network", network->place));
        for (size_t j = 0; j < i; j++) {
            check_used_twice(c, network->device, s->networks[j].device, s->networks[j].place,
                             network->place);
        }
        if (network->client_count > NET_CLIENTS_MAX - 1) { /* the ARP component is one more */
            system_error(c->errors, network->clients[NET_CLIENTS_MAX - 1].place,
                         "the network has %zu clients; it can have %d", network->client_count,
                         NET_CLIENTS_MAX - 1);
        }
        for (size_t j = 0; j < network->client_count; j++) {
            check_client(c, network, j);
        }
        check_limits(c, network);
        check_left_out(c, network);
    }
}

/* ---- timers -------------------------------------------------------------------------------- */

static void check_timer_client(const struct check *c, size_t timer, size_t index)
{
    const struct system *s = c->system;
    const struct timer_client *client = &s->timers[timer].clients[index];
    if (client->pd == SYSTEM_NONE) {
        return;
    }
    for (size_t i = 0; i <= timer; i++) {
        size_t end = i == timer ? index : s->timers[i].client_count;
        for (size_t j = 0; j < end; j++) {
            if (s->timers[i].clients[j].pd == client->pd) {
                system_error(c->errors, client->place,
                             "\"%s\" is already a client of a timer (line %d)",
                             s->pds[client->pd].name, s->timers[i].clients[j].place.line);
            }
        }
    }
    const struct system_component *driver = &s->timers[timer].driver;
    unsigned priority = driver->has_priority ? (unsigned)driver->priority : TIMER_PRIORITY_DRIVER;
    if (s->pds[client->pd].priority >= priority) {
        system_error(c->errors, client->place,
                     "\"%s\" (priority %u) must have a lower priority than the timer's driver (%u)",
                     s->pds[client->pd].name, s->pds[client->pd].priority, priority);
    }
}

void check_timers(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->timer_count; i++) {
        const struct system_timer *timer = &s->timers[i];
        check_device(c, timer->device, "timer", timer->place);
        for (size_t j = 0; j < i; j++) {
            check_used_twice(c, timer->device, s->timers[j].device, s->timers[j].place,
                             timer->place);
        }
        if (timer->client_count > TIMER_CLIENTS_MAX) {
            system_error(c->errors, timer->clients[TIMER_CLIENTS_MAX].place,
                         "the timer has %zu clients; it can have %d", timer->client_count,
                         TIMER_CLIENTS_MAX);
        }
        for (size_t j = 0; j < timer->client_count; j++) {
            check_timer_client(c, i, j);
        }
    }
}

/* ---- serial lines -------------------------------------------------------------------------- */

static const char *serial_client_name(const struct check *c, const struct serial_client *client)
{
    return client->name != NULL ? client->name : c->system->pds[client->pd].name;
}

/* Against every client before it: on this line, and on those before. */
static void check_serial_doubled(const struct check *c, const struct serial_client *a,
                                 const struct serial_client *b, bool same_line)
{
    if (b->pd == SYSTEM_NONE) {
        return;
    }
    if (a->pd == b->pd) {
        system_error(c->errors, a->place, "\"%s\" is already a client of a serial device (line %d)",
                     c->system->pds[a->pd].name, b->place.line);
    } else if (same_line && strcmp(serial_client_name(c, a), serial_client_name(c, b)) == 0) {
        system_error(c->errors, a->place,
                     "the client in line %d is called \"%s\" already; who reads the lines must be "
                     "able to tell them apart",
                     b->place.line, serial_client_name(c, a));
    }
}

static void check_serial_client(const struct check *c, size_t serial, size_t index)
{
    const struct system *s = c->system;
    const struct serial_client *client = &s->serials[serial].clients[index];
    if (client->tx < SERIAL_QUEUE_TX_MIN) {
        system_error(c->errors, client->place,
                     "tx=\"%llu\" has no room for a whole line; it must be %d at least",
                     (unsigned long long)client->tx, SERIAL_QUEUE_TX_MIN);
    }
    if (client->pd == SYSTEM_NONE) {
        return;
    }
    if (strlen(serial_client_name(c, client)) >= SERIAL_NAME_MAX) {
        system_error(c->errors, client->place,
                     "the name \"%s\" is too long for a serial client's; %d characters at most "
                     "(name=\"...\" gives it a shorter one)",
                     serial_client_name(c, client), SERIAL_NAME_MAX - 1);
    }
    for (size_t i = 0; i <= serial; i++) {
        size_t end = i == serial ? index : s->serials[i].client_count;
        for (size_t j = 0; j < end; j++) {
            check_serial_doubled(c, client, &s->serials[i].clients[j], i == serial);
        }
    }
}

void check_serials(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->serial_count; i++) {
        const struct system_serial *serial = &s->serials[i];
        check_device(c, serial->device, "serial", serial->place);
        for (size_t j = 0; j < i; j++) {
            check_used_twice(c, serial->device, s->serials[j].device, s->serials[j].place,
                             serial->place);
        }
        if (serial->client_count > SERIAL_CLIENTS_MAX) {
            system_error(c->errors, serial->clients[SERIAL_CLIENTS_MAX].place,
                         "the serial device has %zu clients; it can have %d", serial->client_count,
                         SERIAL_CLIENTS_MAX);
        }
        for (size_t j = 0; j < serial->client_count; j++) {
            check_serial_client(c, i, j);
        }
    }
}

/* ---- idle ---------------------------------------------------------------------------------- */

/* A counter never sleeps: whoever is not above it would wait for it, and be counted as idle. */
static void check_counter(const struct check *c, const struct system_idle *idle,
                          const struct board_device *device)
{
    const struct system *s = c->system;
    uint64_t priority = idle->counter.has_priority ? idle->counter.priority : IDLE_PRIORITY_COUNTER;
    uint64_t cpu = idle->counter.has_cpu ? idle->counter.cpu : 0;
    if (device->driver == NULL) {
        if (idle->counter.place.line > 0) {
            system_error(c->errors, idle->counter.place,
                         "the platform itself keeps the count of device \"%s\"; remove <counter>",
                         device->name);
        }
        return;
    }
    for (size_t i = 0; i < s->pd_count; i++) {
        if (s->pds[i].priority <= priority && s->pds[i].cpu == cpu) {
            system_error(c->errors, s->pds[i].place,
                         "\"%s\" (priority %u) must have a higher priority than the idle counter "
                         "(%llu), which never sleeps",
                         s->pds[i].name, s->pds[i].priority, (unsigned long long)priority);
        }
    }
}

static void check_idle_client(const struct check *c, size_t idle, size_t index)
{
    const struct system *s = c->system;
    const struct idle_client *client = &s->idles[idle].clients[index];
    for (size_t i = 0; i <= idle && client->pd != SYSTEM_NONE; i++) {
        size_t end = i == idle ? index : s->idles[i].client_count;
        for (size_t j = 0; j < end; j++) {
            if (s->idles[i].clients[j].pd == client->pd) {
                system_error(c->errors, client->place,
                             "\"%s\" is already a client of an idle count (line %d)",
                             s->pds[client->pd].name, s->idles[i].clients[j].place.line);
            }
        }
    }
}

void check_idles(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->idle_count; i++) {
        const struct system_idle *idle = &s->idles[i];
        const struct board_device *device = check_device(c, idle->device, "idle", idle->place);
        for (size_t j = 0; j < i; j++) {
            check_used_twice(c, idle->device, s->idles[j].device, s->idles[j].place, idle->place);
        }
        if (device != NULL) {
            check_counter(c, idle, device);
        }
        for (size_t j = 0; j < idle->client_count; j++) {
            check_idle_client(c, i, j);
        }
    }
}
