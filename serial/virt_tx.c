/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser: lets several clients write on one terminal, a line at a time, and shows whose
 * line it is.
 *
 *      client's queue --> its text, private here --> driver's queue
 *                         one line at most           whole lines, or what a client wants shown
 *
 * Clients take turns, one line a turn. A line goes to the driver's queue as a whole, or waits until
 * there is room for all of it, and then everybody waits: when the device is slow, it is the clients
 * who wait (or, with the client library, lose lines). Who never ends its line is cut when its text
 * is full, and keeps nobody waiting meanwhile.
 */
#include <microkit.h>
#include <string.h>

#include "sddf/serial.h"

#include "link.h"
#include "tally.h"

struct serial_virt_tx_config sddf_serial_config;

#define NOBODY UINT32_MAX

#define CLIENTS_MAX (SERIAL_CLIENTS_MAX + 1)

/* The most bytes that one turn sends: another's end of line, name in colour, text, end of line. */
#define TURN_BYTES_MAX (2 + 5 + SERIAL_NAME_MAX + 3 + 4 + SERIAL_LINE_MAX + 2)

_Static_assert(SERIAL_DRIVER_CAPACITY_MIN *SERIAL_ENTRY_BYTES >= TURN_BYTES_MAX,
               "the driver's queue holds what a turn sends");

struct client {
    struct link_in in;
    uint8_t text[SERIAL_LINE_MAX]; /* taken and not yet shown */
    uint32_t length;
    bool ends; /* the text is the end of a line */
    bool due;  /* the text is to be shown now */
    char name[SERIAL_NAME_MAX];
    uint8_t colour;
    struct tally tally;
};

static bool running;
static struct client clients[CLIENTS_MAX];
static uint32_t client_count;
static struct link_out driver;
static bool crlf;
static uint32_t turn;   /* who comes next */
static uint32_t open;   /* whose unfinished line is on the terminal, or NOBODY */
static uint32_t column; /* cells of that line, behind the name, that a backspace may go over */
static struct tally tally;
static struct serial_stats *stats;

/* ---- showing a line ------------------------------------------------------------------------ */

static void show(const char *text)
{
    link_out_write(&driver, text, (uint32_t)strlen(text));
}

static void line_end(void)
{
    show(crlf ? "\r\n" : "\n");
    open = NOBODY;
}

static void line_begin(uint32_t number)
{
    const struct client *client = &clients[number];
    if (client->name[0] != '\0') {
        if (client->colour != 0) {
            char on[] = "\x1b[30m"; /* ECMA-48 SGR: a colour for what follows */
            on[3] = (char)('0' + client->colour);
            show(on);
        }
        show(client->name);
        show(" | ");
        if (client->colour != 0) {
            show("\x1b[0m");
        }
    }
    open = number;
    column = 0;
}

/*
 * How many more bytes of a UTF-8 sequence follow this one; 0xff if none begins with it. Only so far
 * as it matters here: bytes 0x80 to 0x9f are controls for some terminals unless they stand inside.
 */
static uint8_t utf8_follow(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        return 1;
    }
    if (byte >= 0xe0 && byte <= 0xef) {
        return 2;
    }
    return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0xff;
}

/* The text, without what would control the terminal. A sequence does not go on from text to text.
 */
static void show_text(struct client *client)
{
    uint8_t follow = 0;
    bool latin = false; /* behind 0xc2, where U+0080 to U+009f would be: controls again */
    for (uint32_t i = 0; i < client->length; i++) {
        uint8_t byte = client->text[i];
        bool good = true;
        if (follow > 0 && byte >= 0x80 && byte <= 0xbf) {
            good = !latin || byte >= 0xa0;
            follow--;
        } else if (byte >= 0x80) {
            follow = utf8_follow(byte);
            good = follow != 0xff;
            follow = good ? follow : 0;
        } else if (byte == '\b') {
            /* Bytes that are no ASCII count no cell: so it never gets to the name. */
            follow = 0;
            good = column > 0;
            column -= good;
        } else {
            follow = 0;
            good = byte == '\t' || (byte >= ' ' && byte != 0x7f);
            column++;
        }
        latin = byte == 0xc2;
        link_out_put(&driver, good ? byte : '?');
        if (!good) {
            tally_add(&client->tally, SERIAL_STAT_REPLACED, 1);
        }
    }
}

/* There is room for TURN_BYTES_MAX. */
static void client_show(uint32_t number)
{
    struct client *client = &clients[number];
    if (open != number) {
        if (open != NOBODY) {
            tally_add(&clients[open].tally, SERIAL_STAT_CUT_LINES, 1);
            line_end();
        }
        line_begin(number);
    }
    show_text(client);
    tally_add(&client->tally, SERIAL_STAT_TX_BYTES, client->length);
    if (client->ends) {
        tally_add(&client->tally, SERIAL_STAT_TX_LINES, 1);
        line_end();
    }
    link_out_close(&driver);
    client->length = 0;
    client->ends = client->due = false;
}

/* ---- a client's turn ----------------------------------------------------------------------- */

static void client_byte(struct client *client, uint8_t byte)
{
    if (byte == '\n') {
        client->ends = client->due = true;
    } else if (client->length == SERIAL_LINE_MAX) {
        link_in_untake(&client->in); /* it begins the next line */
        client->ends = client->due = true;
        tally_add(&client->tally, SERIAL_STAT_CUT_LINES, 1);
    } else if (byte != '\r') {
        client->text[client->length++] = byte;
    }
}

/* Collects text until some is due. False if none is. */
static bool client_collect(struct client *client)
{
    uint8_t byte;
    while (!client->due) {
        switch (link_in_take(&client->in, &byte)) {
        case LINK_EMPTY:
            return false;
        case LINK_REFUSED:
            tally_add(&client->tally, SERIAL_STAT_REFUSED_LENGTH, 1);
            break;
        case LINK_SHOW:
            client->due = client->length > 0;
            break;
        case LINK_BYTE:
            client_byte(client, byte);
            break;
        }
    }
    return true;
}

/* In turns, until nobody has anything due. False: the driver's queue has no room for more. */
static bool clients_serve(void)
{
    for (uint32_t idle = 0; idle < client_count;) {
        if (client_collect(&clients[turn])) {
            if (!link_out_room(&driver, TURN_BYTES_MAX)) {
                return false; /* its turn it stays */
            }
            client_show(turn);
            idle = 0;
        } else {
            idle++;
        }
        turn = turn + 1 < client_count ? turn + 1 : 0;
    }
    return true;
}

/* ---- entry points -------------------------------------------------------------------------- */

/* True: there is more, and room for it. */
static bool pass(void)
{
    link_out_begin(&driver);
    for (uint32_t i = 0; i < client_count; i++) {
        link_in_begin(&clients[i].in);
    }
    bool room = clients_serve();
    if (link_out_end(&driver)) {
        tally_add(&tally, SERIAL_STAT_SIGNALS, 1);
    }
    bool more = !room && !link_out_wait(&driver, TURN_BYTES_MAX);
    for (uint32_t i = 0; i < client_count; i++) {
        struct client *client = &clients[i];
        if (link_in_end(&client->in)) {
            tally_add(&client->tally, SERIAL_STAT_SIGNALS, 1);
        }
        /* Whose queue is not empty is served when the driver has room. */
        more |= room && link_in_more(&client->in);
        tally_flush(&client->tally, stats, i + 1);
    }
    tally_flush(&tally, stats, 0);
    return more;
}

static void serve(void)
{
    tally_add(&tally, SERIAL_STAT_WAKEUPS, 1);
    while (pass()) {
    }
}

static const char *client_start(struct client *client, const struct serial_virt_tx_client *config)
{
    memset(client, 0, sizeof(*client));
    memcpy(client->name, config->name, sizeof(client->name));
    client->name[sizeof(client->name) - 1] = '\0';
    client->colour = config->colour;
    if (client->colour > SERIAL_COLOUR_MAX) {
        return "a client's colour";
    }
    return link_in_tx(&client->in, &config->tx) ? NULL : "a client's queue";
}

/* Sets every global: after a restart they are as the fault left them. NULL, or what is wrong. */
static const char *start(const struct serial_virt_tx_config *config)
{
    running = false;
    turn = 0;
    open = NOBODY;
    column = 0;
    memset(&tally, 0, sizeof(tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_SERIAL_VIRT_TX, sizeof(*config)) ||
        config->client_count > CLIENTS_MAX) {
        return "the header";
    }
    client_count = config->client_count;
    crlf = config->crlf != 0;
    if (!tally_page_ok(&config->stats, client_count)) {
        return "the statistics region";
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_SERIAL_VIRT_TX, client_count);
    if (config->driver.active.capacity < SERIAL_DRIVER_CAPACITY_MIN ||
        !link_out_tx(&driver, &config->driver)) {
        return "the driver's queue";
    }
    for (uint32_t i = 0; i < client_count; i++) {
        const char *wrong = client_start(&clients[i], &config->client[i]);
        if (wrong != NULL) {
            return wrong;
        }
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
    serve(); /* some may have sent something already */
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        serve();
    }
}
