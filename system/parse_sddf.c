/* SPDX-License-Identifier: BSD-2-Clause */
/* sDDF's part of a description: <network>, <timer>, <serial> and <idle>. */
#include <stdlib.h>
#include <string.h>

#include "sddf/net.h"
#include "sddf/serial.h"
#include "system/idle.h"
#include "system/model.h"
#include "system/network.h"
#include "system/parse.h"
#include "system/serial.h"
#include "system/timer.h"

static const struct xml_name no_names[] = {{0}};

static const struct xml_name component_attributes[] = {
    {.name = "priority"}, {.name = "cpu"},  {.name = "budget"},
    {.name = "period"},   {.name = "poll"}, {0},
};
static const struct xml_spec component_spec = {component_attributes, no_names};

static const struct xml_name network_attributes[] = {
    {.name = "device", .need = XML_REQUIRED},
    {.name = "policy"},
    {.name = "shared"},
    {.name = "rx_buffers"},
    {.name = "ring_size"},
    {0},
};
static const struct xml_name network_children[] = {
    {.name = "client", .need = XML_REQUIRED},
    {.name = "driver"},
    {.name = "virt_rx"},
    {.name = "virt_tx"},
    {.name = "arp"},
    {0},
};
static const struct xml_spec network_spec = {network_attributes, network_children};

static const struct xml_name network_client_attributes[] = {
    {.name = "pd", .need = XML_REQUIRED},
    {.name = "mac", .need = XML_REQUIRED},
    {.name = "ip", .need = XML_REQUIRED},
    {.name = "gateway"},
    {.name = "subnet"},
    {.name = "rx"},
    {.name = "tx"},
    {.name = "weight"},
    {.name = "limit"},
    {.name = "window"},
    {.name = "copy"},
    {.name = "in_place"},
    {.name = "copy_priority"},
    {.name = "copy_cpu"},
    {.name = "copy_budget"},
    {.name = "copy_period"},
    {0},
};
static const struct xml_spec network_client_spec = {network_client_attributes, no_names};

static const struct xml_name timer_attributes[] = {{.name = "device", .need = XML_REQUIRED}, {0}};
static const struct xml_name timer_children[] = {
    {.name = "client", .need = XML_REQUIRED},
    {.name = "driver"},
    {0},
};
static const struct xml_spec timer_spec = {timer_attributes, timer_children};

static const struct xml_name idle_children[] = {
    {.name = "client", .need = XML_REQUIRED},
    {.name = "counter"},
    {0},
};
static const struct xml_spec idle_spec = {timer_attributes, idle_children};

/* Of <idle> too. */
static const struct xml_name timer_client_attributes[] = {
    {.name = "pd", .need = XML_REQUIRED},
    {0},
};
static const struct xml_spec timer_client_spec = {timer_client_attributes, no_names};

static const struct xml_name serial_attributes[] = {
    {.name = "device", .need = XML_REQUIRED},
    {.name = "names"},
    {.name = "colours"},
    {.name = "escape"},
    {0},
};
static const struct xml_name serial_children[] = {
    {.name = "client", .need = XML_REQUIRED},
    {.name = "driver"},
    {.name = "virt_rx"},
    {.name = "virt_tx"},
    {0},
};
static const struct xml_spec serial_spec = {serial_attributes, serial_children};

static const struct xml_name serial_client_attributes[] = {
    {.name = "pd", .need = XML_REQUIRED},
    {.name = "name"},
    {.name = "colour"},
    {.name = "tx"},
    {.name = "rx"},
    {0},
};
static const struct xml_spec serial_client_spec = {serial_client_attributes, no_names};

/* ---- components that expansion makes ------------------------------------------------------- */

static void parse_component_values(struct parse *p, xmlNodePtr node, const char *const names[5],
                                   struct system_component *c)
{
    c->place = xml_place(&p->xml, node);
    c->has_priority = xml_number(&p->xml, node, names[0], 0, 254, &c->priority);
    c->has_cpu = xml_number(&p->xml, node, names[1], 0, 63, &c->cpu);
    c->has_budget = xml_number(&p->xml, node, names[2], 1, UINT64_C(1000000000), &c->budget);
    c->has_period = xml_number(&p->xml, node, names[3], 1, UINT64_C(1000000000), &c->period);
    c->has_poll = xml_number(&p->xml, node, names[4], 0, SYSTEM_POLL_MAX, &c->poll);
    uint64_t budget = c->has_budget ? c->budget : 1000;
    if (c->has_period && budget > c->period) {
        system_error(p->xml.errors, c->place,
                     "budget %llu is more than period %llu; both are in microseconds, and the "
                     "budget is part of the period",
                     (unsigned long long)budget, (unsigned long long)c->period);
    }
}

static void parse_component(struct parse *p, xmlNodePtr node, const char *name,
                            struct system_component *component)
{
    static const char *const names[5] = {"priority", "cpu", "budget", "period", "poll"};
    xmlNodePtr child = xml_child(node, name, NULL);
    if (child == NULL) {
        return;
    }
    xml_verify(&p->xml, child, &component_spec);
    parse_component_values(p, child, names, component);
    xmlNodePtr second = xml_child(node, name, child);
    if (second != NULL) {
        system_error(p->xml.errors, xml_place(&p->xml, second),
                     "a second <%s>; write all that concerns it into one", name);
    }
}

/* ---- network ------------------------------------------------------------------------------- */

static void parse_address(struct parse *p, xmlNodePtr node, struct network_client *client)
{
    char *ip = xml_string(&p->xml, node, "ip");
    client->dhcp = ip != NULL && strcmp(ip, "dhcp") == 0;
    free(ip);
    bool has_subnet = xmlHasProp(node, (const xmlChar *)"subnet") != NULL;
    if (!client->dhcp) {
        client->ip.valid =
            xml_prefixed_ipv4(&p->xml, node, "ip", &client->ip.address, &client->ip.prefix);
        if (has_subnet) {
            system_error(p->xml.errors, client->place,
                         "\"subnet\" says where an address from DHCP must be; with a static "
                         "address, remove it");
        }
    } else if (has_subnet) {
        client->subnet.valid = xml_prefixed_ipv4(&p->xml, node, "subnet", &client->subnet.address,
                                                 &client->subnet.prefix);
    }
    client->has_gateway = xml_ipv4(&p->xml, node, "gateway", &client->gateway);
    if (client->dhcp && xmlHasProp(node, (const xmlChar *)"gateway") != NULL) {
        system_error(p->xml.errors, client->place,
                     "a client with ip=\"dhcp\" gets its gateway from DHCP; remove \"gateway\"");
        client->has_gateway = false;
    }
}

static const struct {
    const char *name;
    enum net_tx_policy policy;
} policies[] = {
    {"signalled", NET_TX_SIGNALLED},
    {"round_robin", NET_TX_ROUND_ROBIN},
    {"priority", NET_TX_PRIORITY},
    {"drr", NET_TX_DRR},
};
enum { policy_count = sizeof(policies) / sizeof(policies[0]) };

static uint32_t parse_policy(struct parse *p, xmlNodePtr node)
{
    char *policy = xml_string(&p->xml, node, "policy");
    if (policy == NULL) {
        return NET_TX_ROUND_ROBIN;
    }
    const char *names[policy_count];
    for (size_t i = 0; i < policy_count; i++) {
        names[i] = policies[i].name;
        if (strcmp(policy, names[i]) == 0) {
            free(policy);
            return policies[i].policy;
        }
    }
    char *hint = model_suggest(policy, names, policy_count, "policies");
    system_error(p->xml.errors, xml_place(&p->xml, node), "there is no policy \"%s\"; %s", policy,
                 hint);
    free(hint);
    free(policy);
    return NET_TX_ROUND_ROBIN;
}

/* Its share of the device. */
static void parse_share(struct parse *p, xmlNodePtr node, const struct system_network *network,
                        struct network_client *client)
{
    static const struct xml_unit rates[] = {
        {"b/s", 1}, {"kb/s", 1000}, {"Mb/s", 1000000}, {"Gb/s", 1000000000}};
    static const struct xml_unit times[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
    if (xml_number(&p->xml, node, "weight", 1, NET_TX_WEIGHT_MAX, &client->weight) &&
        network->policy != NET_TX_DRR) {
        system_error(p->xml.errors, client->place,
                     "a weight counts with policy=\"drr\" alone; write that into <network>, or "
                     "remove \"weight\"");
    }
    bool limited = xml_quantity(&p->xml, node, "limit", rates, 4, NET_TX_LIMIT_MIN,
                                NET_TX_LIMIT_MAX, &client->limit);
    client->window = limited ? NETWORK_WINDOW_DEFAULT : 0;
    xml_quantity(&p->xml, node, "window", times, 3, NET_TX_WINDOW_MIN, NET_TX_WINDOW_MAX,
                 &client->window);
    if (xmlHasProp(node, (const xmlChar *)"window") != NULL &&
        xmlHasProp(node, (const xmlChar *)"limit") == NULL) {
        system_error(p->xml.errors, client->place,
                     "\"window\" is the time over which a limit holds; add limit=\"100Mb/s\", or "
                     "remove it");
    }
}

/* A client at the driver itself has no queue to a copier, no copier, and nobody to share with. */
static void parse_direct(struct parse *p, xmlNodePtr node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (xmlHasProp(node, (const xmlChar *)names[i]) != NULL) {
            system_error(p->xml.errors, xml_place(&p->xml, node),
                         "\"%s\" means nothing in a network with shared=\"false\"; remove it",
                         names[i]);
        }
    }
}

static void parse_network_client(struct parse *p, xmlNodePtr node, struct system_network *network)
{
    static const char *const copy_names[5] = {"copy_priority", "copy_cpu", "copy_budget",
                                              "copy_period", "copy_poll"};
    xml_verify(&p->xml, node, &network_client_spec);
    struct network_client client = {
        .pd = parse_pd_reference(p, node),
        .rx = NETWORK_QUEUE_DEFAULT,
        .tx = NETWORK_QUEUE_DEFAULT,
        .weight = 1,
        .has_copier = true,
        .place = xml_place(&p->xml, node),
    };
    client.has_mac = xml_mac(&p->xml, node, client.mac);
    parse_address(p, node, &client);
    xml_power_of_two(&p->xml, node, "rx", NETWORK_QUEUE_MAX, &client.rx);
    xml_power_of_two(&p->xml, node, "tx", NETWORK_QUEUE_MAX, &client.tx);
    parse_share(p, node, network, &client);
    xml_bool(&p->xml, node, "copy", &client.has_copier);
    xml_bool(&p->xml, node, "in_place", &client.in_place);
    if (client.in_place) {
        if (xmlHasProp(node, (const xmlChar *)"tx") != NULL) {
            system_error(p->xml.errors, client.place,
                         "with in_place=\"true\" a client has no buffers of its own to send; "
                         "remove \"tx\"");
        }
        client.tx = network->rx_buffers;
    }
    if (!network->shared) {
        parse_direct(p, node, (const char *const[]){"rx", "copy"}, 2);
    }
    parse_component_values(p, node, copy_names, &client.copy);
    *(struct network_client *)model_append(&network->clients, &network->client_count,
                                           sizeof(client)) = client;
}

void parse_network(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &network_spec);
    struct system_network network = {
        .device = xml_string(&p->xml, node, "device"),
        .policy = parse_policy(p, node),
        .shared = true,
        .rx_buffers = NETWORK_RX_BUFFERS_DEFAULT,
        .place = xml_place(&p->xml, node),
    };
    xml_bool(&p->xml, node, "shared", &network.shared);
    if (!network.shared) {
        parse_direct(p, node, (const char *const[]){"policy"}, 1);
    }
    xml_power_of_two(&p->xml, node, "rx_buffers", NETWORK_RX_BUFFERS_MAX, &network.rx_buffers);
    xml_power_of_two(&p->xml, node, "ring_size", SYSTEM_RING_MAX, &network.ring_size);
    parse_component(p, node, "driver", &network.driver);
    parse_component(p, node, "virt_rx", &network.virt_rx);
    parse_component(p, node, "virt_tx", &network.virt_tx);
    parse_component(p, node, "arp", &network.arp);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "client", n)) != NULL;) {
        parse_network_client(p, n, &network);
    }
    struct system *s = p->system;
    *(struct system_network *)model_append(&s->networks, &s->network_count, sizeof(network)) =
        network;
}

/* ---- timer --------------------------------------------------------------------------------- */

void parse_timer(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &timer_spec);
    struct system_timer timer = {
        .device = xml_string(&p->xml, node, "device"),
        .place = xml_place(&p->xml, node),
    };
    parse_component(p, node, "driver", &timer.driver);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "client", n)) != NULL;) {
        xml_verify(&p->xml, n, &timer_client_spec);
        struct timer_client client = {parse_pd_reference(p, n), xml_place(&p->xml, n)};
        *(struct timer_client *)model_append(&timer.clients, &timer.client_count, sizeof(client)) =
            client;
    }
    struct system *s = p->system;
    *(struct system_timer *)model_append(&s->timers, &s->timer_count, sizeof(timer)) = timer;
}

/* ---- idle ---------------------------------------------------------------------------------- */

void parse_idle(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &idle_spec);
    struct system_idle idle = {
        .device = xml_string(&p->xml, node, "device"),
        .place = xml_place(&p->xml, node),
    };
    parse_component(p, node, "counter", &idle.counter);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "client", n)) != NULL;) {
        xml_verify(&p->xml, n, &timer_client_spec);
        struct idle_client client = {parse_pd_reference(p, n), xml_place(&p->xml, n)};
        *(struct idle_client *)model_append(&idle.clients, &idle.client_count, sizeof(client)) =
            client;
    }
    struct system *s = p->system;
    *(struct system_idle *)model_append(&s->idles, &s->idle_count, sizeof(idle)) = idle;
}

/* ---- serial -------------------------------------------------------------------------------- */

static void parse_colour(struct parse *p, xmlNodePtr node, struct serial_client *client)
{
    static const char *const colours[] = {"red", "green", "yellow", "blue", "magenta", "cyan"};
    _Static_assert(sizeof(colours) / sizeof(colours[0]) == SERIAL_COLOUR_MAX, "all of them");
    char *colour = xml_string(&p->xml, node, "colour");
    for (unsigned i = 0; colour != NULL && i < SERIAL_COLOUR_MAX; i++) {
        if (strcmp(colour, colours[i]) == 0) {
            client->colour = i + 1;
        }
    }
    if (colour != NULL && client->colour == 0) {
        char *hint = model_suggest(colour, colours, SERIAL_COLOUR_MAX, "colours");
        system_error(p->xml.errors, client->place, "there is no colour \"%s\"; %s", colour, hint);
        free(hint);
    }
    free(colour);
}

static void parse_serial_client(struct parse *p, xmlNodePtr node, struct system_serial *serial)
{
    xml_verify(&p->xml, node, &serial_client_spec);
    struct serial_client client = {
        .pd = parse_pd_reference(p, node),
        .name = xml_string(&p->xml, node, "name"),
        .tx = SERIAL_QUEUE_TX_DEFAULT,
        .rx = SERIAL_QUEUE_RX_DEFAULT,
        .place = xml_place(&p->xml, node),
    };
    parse_colour(p, node, &client);
    xml_power_of_two(&p->xml, node, "tx", SERIAL_QUEUE_MAX, &client.tx);
    xml_power_of_two(&p->xml, node, "rx", SERIAL_QUEUE_MAX, &client.rx);
    *(struct serial_client *)model_append(&serial->clients, &serial->client_count, sizeof(client)) =
        client;
}

void parse_serial(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &serial_spec);
    struct system_serial serial = {
        .device = xml_string(&p->xml, node, "device"),
        .names = true,
        .escape = SERIAL_ESCAPE_DEFAULT,
        .place = xml_place(&p->xml, node),
    };
    xml_bool(&p->xml, node, "names", &serial.names);
    xml_bool(&p->xml, node, "colours", &serial.colours);
    xml_number(&p->xml, node, "escape", 1, 0x7e, &serial.escape);
    parse_component(p, node, "driver", &serial.driver);
    parse_component(p, node, "virt_rx", &serial.virt_rx);
    parse_component(p, node, "virt_tx", &serial.virt_tx);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "client", n)) != NULL;) {
        parse_serial_client(p, n, &serial);
    }
    struct system *s = p->system;
    *(struct system_serial *)model_append(&s->serials, &s->serial_count, sizeof(serial)) = serial;
}
