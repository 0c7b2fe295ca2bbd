/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Rx virtualiser: gives what is typed to one client at a time. The escape key announces a
 * command of one more key: a digit or n, p for who gets the input from then on, the escape key once
 * more for itself, anything else for a line that says who there is. After each, a line on the
 * terminal says who gets the input now; nobody can forge it, for it has no name in front, and a
 * client's lines have.
 *
 * A client that does not read loses its input; it cannot keep the commands from being heard.
 */
#include <microkit.h>
#include <string.h>

#include "sddf/serial.h"

#include "link.h"
#include "tally.h"

struct serial_virt_rx_config sddf_serial_config;

/* The most that is said at once: the answer to a key is one line. */
#define LINE_MAX_BYTES SERIAL_LINE_MAX

struct client {
    struct link_out out;
    struct tally tally;
};

static bool running;
static struct client clients[SERIAL_CLIENTS_MAX];
static uint32_t client_count;
static struct link_in driver;
static struct link_out tx;
static uint8_t escape;
static bool escaped;     /* the next key is a command */
static uint32_t current; /* who gets the input */
static bool announce;    /* say so at the end of this pass */
static bool list;        /* and say who there is */
static uint64_t given;   /* clients to hand over to in this pass */
static struct tally tally;
static struct serial_stats *stats;

/* ---- what it says -------------------------------------------------------------------------- */

struct line {
    char text[LINE_MAX_BYTES];
    uint32_t length;
};

/* What does not fit is left out; the last place is for the end. */
static void line_add(struct line *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof(line->text) - 1) {
        line->text[line->length++] = *text++;
    }
}

static const char *client_name(uint32_t number)
{
    return sddf_serial_config.client[number].name;
}

static void line_add_escape(struct line *line)
{
    char key[] = "Ctrl-@"; /* control characters are their letters less 0x40 */
    char plain[] = "@";
    if (escape < 0x20) {
        key[5] = (char)('@' + escape);
        line_add(line, key);
    } else {
        plain[0] = (char)escape;
        line_add(line, plain);
    }
}

static void line_add_clients(struct line *line)
{
    line_add(line, "; ");
    line_add_escape(line);
    line_add(line, " and");
    for (uint32_t i = 0; i < client_count && i < SERIAL_CLIENTS_BY_KEY; i++) {
        char key[] = " 0 ";
        key[1] = (char)('0' + (i + 1) % SERIAL_CLIENTS_BY_KEY);
        line_add(line, key);
        line_add(line, client_name(i));
        line_add(line, ",");
    }
    line_add(line, " n next, p previous");
}

/* A line that finds no room is lost: the next key says it again. */
static void say(void)
{
    struct line line = {.length = 0};
    line_add(&line, "input goes to ");
    line_add(&line, client_name(current));
    if (list) {
        line_add_clients(&line);
    }
    line.text[line.length++] = '\n';
    if (link_out_room(&tx, line.length)) {
        link_out_write(&tx, line.text, line.length);
        link_out_close(&tx);
        tally_add(&tally, SERIAL_STAT_TX_LINES, 1);
        tally_add(&tally, SERIAL_STAT_TX_BYTES, line.length);
    } else {
        tally_add(&tally, SERIAL_STAT_DROP_FULL, line.length);
    }
    announce = list = false;
}

/* ---- what is typed ------------------------------------------------------------------------- */

static void give(uint8_t byte)
{
    struct client *client = &clients[current];
    given |= UINT64_C(1) << current;
    uint32_t packed = client->out.packed.count + 1u;
    if (link_out_put(&client->out, byte)) {
        tally_add(&client->tally, SERIAL_STAT_RX_BYTES, 1);
    } else {
        /* All but the last of them have been counted as passed on, to be put right at the end. */
        tally_add(&client->tally, SERIAL_STAT_DROP_FULL, packed);
        client->tally.count[SERIAL_STAT_RX_BYTES] -= packed - 1;
    }
}

static void switch_to(uint32_t number)
{
    announce = true;
    if (number != current) {
        current = number;
        tally_add(&tally, SERIAL_STAT_SWITCHES, 1);
    }
}

static void command(uint8_t key)
{
    if (key == escape) {
        give(key);
        return;
    }
    if (key >= '0' && key <= '9') {
        uint32_t number = (uint32_t)(key - '0' + SERIAL_CLIENTS_BY_KEY - 1) % SERIAL_CLIENTS_BY_KEY;
        if (number < client_count) {
            switch_to(number);
            return;
        }
    } else if (key == SERIAL_KEY_NEXT) {
        switch_to(current + 1 < client_count ? current + 1 : 0);
        return;
    } else if (key == SERIAL_KEY_PREVIOUS) {
        switch_to(current > 0 ? current - 1 : client_count - 1);
        return;
    }
    announce = list = true;
}

static void typed(uint8_t byte)
{
    if (escaped) {
        escaped = false;
        command(byte);
    } else if (byte == escape) {
        escaped = true;
    } else {
        give(byte);
    }
}

/* ---- entry points -------------------------------------------------------------------------- */

/* Everything that the driver's queue held when the pass began. */
static void driver_take(void)
{
    uint8_t byte;
    for (;;) {
        switch (link_in_take(&driver, &byte)) {
        case LINK_EMPTY:
            return;
        case LINK_BYTE:
            typed(byte);
            break;
        case LINK_SHOW: /* means nothing here */
            break;
        case LINK_REFUSED:
            tally_add(&tally, SERIAL_STAT_REFUSED_LENGTH, 1);
            break;
        }
    }
}

static void clients_give(void)
{
    for (; given != 0; given &= given - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(given);
        struct client *client = &clients[number];
        uint32_t packed = client->out.packed.count;
        if (!link_out_close(&client->out)) {
            tally_add(&client->tally, SERIAL_STAT_DROP_FULL, packed);
            client->tally.count[SERIAL_STAT_RX_BYTES] -= packed;
        }
        if (link_out_end(&client->out)) {
            tally_add(&client->tally, SERIAL_STAT_SIGNALS, 1);
        }
        tally_flush(&client->tally, stats, number + 1);
    }
}

/* True: there is more. */
static bool pass(void)
{
    link_out_begin(&tx);
    link_in_begin(&driver);
    driver_take();
    if (announce) {
        say();
    }
    clients_give();
    link_in_end(&driver);
    if (link_out_end(&tx)) {
        tally_add(&tally, SERIAL_STAT_SIGNALS, 1);
    }
    bool more = link_in_more(&driver);
    tally_flush(&tally, stats, 0);
    return more;
}

static void serve(void)
{
    tally_add(&tally, SERIAL_STAT_WAKEUPS, 1);
    while (pass()) {
    }
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct serial_virt_rx_config *config)
{
    running = escaped = announce = list = false;
    current = 0;
    given = 0;
    memset(&tally, 0, sizeof(tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_SERIAL_VIRT_RX, sizeof(*config)) ||
        config->client_count == 0 || config->client_count > SERIAL_CLIENTS_MAX) {
        return "the header";
    }
    client_count = config->client_count;
    escape = config->escape;
    if (!tally_page_ok(&config->stats, client_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_SERIAL_VIRT_RX, client_count);
    if (!link_in_rx(&driver, &config->driver) || !link_out_tx(&tx, &config->tx)) {
        return "a neighbour's queue";
    }
    for (uint32_t i = 0; i < client_count; i++) {
        memset(&clients[i], 0, sizeof(clients[i]));
        const char *name = config->client[i].name;
        if (memchr(name, '\0', SERIAL_NAME_MAX) == NULL) {
            return "a client's name";
        }
        if (!link_out_rx(&clients[i].out, &config->client[i].rx)) {
            return "a client's queue";
        }
        given |= UINT64_C(1) << i; /* what was sent before a restart may lack its signal */
    }
    return NULL;
}

void init(void)
{
    const char *wrong = start(&sddf_serial_config);
    if (wrong != NULL) {
        link_refuse(wrong);
        return;
    }
    running = true;
    announce = client_count > 1; /* with a single one there is no question */
    serve();
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        serve();
    }
}
