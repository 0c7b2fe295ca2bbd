/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Networks that do without some of their parts: a client without a copier, or a single client
 * without anything between it and the driver. What speaks of a part that is not there is a mistake,
 * and so is a board that needs it.
 */
#include "sddf/net_client.h"
#include "system/check.h"
#include "system/network.h"

static bool given(const struct system_component *component)
{
    return component->has_priority || component->has_cpu || component->has_budget ||
           component->has_period || component->has_poll;
}

static void check_component(const struct check *c, const struct system_component *component,
                            const char *name)
{
    if (component->place.line > 0) {
        system_error(c->errors, component->place,
                     "a network with shared=\"false\" has no <%s>; remove it", name);
    }
}

static void check_direct(const struct check *c, const struct system_network *network)
{
    check_component(c, &network->virt_rx, "virt_rx");
    check_component(c, &network->virt_tx, "virt_tx");
    check_component(c, &network->arp, "arp");
    if (network->client_count > 1) {
        system_error(
            c->errors, network->place,
            "with shared=\"false\" there is one client, at the driver itself; this network "
            "has %zu",
            network->client_count);
    }
    for (size_t i = 0; i < network->client_count; i++) {
        const struct network_client *client = &network->clients[i];
        if (client->dhcp) {
            system_error(c->errors, client->place,
                         "ip=\"dhcp\" needs the ARP component, which a network with "
                         "shared=\"false\" has not; give the client an address");
        }
        if (client->limit != 0) {
            system_error(c->errors, client->place,
                         "a limit needs the Tx virtualiser, which a network with shared=\"false\" "
                         "has not; remove \"limit\"");
        }
    }
}

/*
 * The virtualisers maintain the caches, and count on nobody writing where the device writes: what a
 * processor has written there could be stored over what has been received.
 */
static void check_incoherent(const struct check *c, const struct system_network *network)
{
    if (!network->shared) {
        system_error(c->errors, network->place,
                     "on the board \"%s\" devices do not see what the caches hold, and the "
                     "virtualisers see to that; remove shared=\"false\"",
                     c->board->name);
        return;
    }
    for (size_t i = 0; i < network->client_count; i++) {
        if (!network->clients[i].has_copier) {
            system_error(c->errors, network->clients[i].place,
                         "on the board \"%s\" devices do not see what the caches hold, so nobody "
                         "may write where they do; remove copy=\"false\"",
                         c->board->name);
        }
    }
}

void check_left_out(const struct check *c, const struct system_network *network)
{
    if (!network->shared) {
        check_direct(c, network);
    }
    if (c->board->dma.size != 0 && !c->board->dma.coherent) {
        check_incoherent(c, network);
    }
    for (size_t i = 0; i < network->client_count; i++) {
        const struct network_client *client = &network->clients[i];
        if (network->shared && client->in_place) {
            system_error(c->errors, client->place,
                         "in_place=\"true\" lets the device read what all clients receive; it is "
                         "for the one client of a network with shared=\"false\"");
        }
        if (network->shared && client->has_copier) {
            continue;
        }
        if (given(&client->copy)) {
            system_error(c->errors, client->place,
                         "the client has no copier; remove what begins with \"copy_\"");
        }
        if (network->rx_buffers > NET_CLIENT_BUFFERS_MAX) {
            system_error(c->errors, network->place,
                         "a client without a copier keeps account of all rx_buffers, which may be "
                         "%d then",
                         NET_CLIENT_BUFFERS_MAX);
        }
    }
}
