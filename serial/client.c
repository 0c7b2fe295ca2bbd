/* SPDX-License-Identifier: BSD-2-Clause */
/* See sddf/serial.h. */
#include <microkit.h>
#include <string.h>

#include "sddf/serial.h"

#include "format.h"
#include "link.h"
#include "tally.h"

struct serial_client_config sddf_serial_config;

/* "(18446744073709551615 lines lost)\n" */
#define LOST_BYTES_MAX 40

static struct {
    bool running;
    struct link_out tx;
    struct link_in rx;
    char line[SERIAL_LINE_MAX];
    uint32_t length;
    uint64_t lost; /* lines since the last that was sent */
    struct tally tally;
    struct serial_stats *stats;
} client;

/* ---- output -------------------------------------------------------------------------------- */

static void put_packed(char c)
{
    link_out_put(&client.tx, (uint8_t)c);
}

static void tell_lost(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_put(put_packed, format, arguments);
    va_end(arguments);
}

/* Sends what the line has, and an entry that says "show it" if the line is not ended. */
static void send(bool unfinished)
{
    link_out_begin(&client.tx);
    if (!link_out_room(&client.tx, LOST_BYTES_MAX + client.length + SERIAL_ENTRY_BYTES)) {
        client.lost++;
        tally_add(&client.tally, SERIAL_STAT_DROP_FULL, client.length);
    } else {
        if (client.lost > 0) {
            tell_lost("(%llu lines lost)\n", (unsigned long long)client.lost);
            client.lost = 0;
        }
        link_out_write(&client.tx, client.line, client.length);
        link_out_close(&client.tx);
        if (unfinished) {
            serial_queue_enqueue(&client.tx.active, (struct serial_entry){0});
        } else {
            tally_add(&client.tally, SERIAL_STAT_TX_LINES, 1);
        }
        tally_add(&client.tally, SERIAL_STAT_TX_BYTES, client.length);
    }
    client.length = 0;
    if (link_out_end(&client.tx)) {
        tally_add(&client.tally, SERIAL_STAT_SIGNALS, 1);
    }
    tally_flush(&client.tally, client.stats, 0);
}

void serial_putc(char c)
{
    if (!client.running) {
        microkit_dbg_putc(c);
        return;
    }
    client.line[client.length++] = c;
    if (c == '\n' || client.length == sizeof(client.line)) {
        send(false);
    }
}

void serial_write(const char *text, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        serial_putc(text[i]);
    }
}

void serial_puts(const char *text)
{
    while (*text != '\0') {
        serial_putc(*text++);
    }
}

void serial_vprintf(const char *format, va_list arguments)
{
    format_put(serial_putc, format, arguments);
}

void serial_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    serial_vprintf(format, arguments);
    va_end(arguments);
}

void serial_flush(void)
{
    if (client.running && client.length > 0) {
        send(true);
    }
}

bool serial_can_write(void)
{
    const uint32_t bytes = LOST_BYTES_MAX + SERIAL_LINE_MAX + SERIAL_ENTRY_BYTES;
    if (!client.running) {
        return true;
    }
    link_out_begin(&client.tx);
    return link_out_room(&client.tx, bytes) || !link_out_wait(&client.tx, bytes);
}

/* ---- input --------------------------------------------------------------------------------- */

/* The next byte of what the queue held when it was last looked at; -1: that is all. */
static int take(void)
{
    uint8_t byte;
    for (;;) {
        switch (link_in_take(&client.rx, &byte)) {
        case LINK_EMPTY:
            return -1;
        case LINK_BYTE:
            tally_add(&client.tally, SERIAL_STAT_RX_BYTES, 1);
            return byte;
        case LINK_SHOW: /* means nothing here */
            break;
        case LINK_REFUSED:
            tally_add(&client.tally, SERIAL_STAT_REFUSED_LENGTH, 1);
            break;
        }
    }
}

int serial_getc(void)
{
    if (!client.running) {
        return -1;
    }
    int byte = take();
    if (byte >= 0) {
        return byte;
    }
    do {
        link_in_end(&client.rx);
        if (!link_in_more(&client.rx)) {
            break;
        }
        link_in_begin(&client.rx);
        byte = take(); /* -1 again if no entry had bytes: then nobody has been asked since */
    } while (byte < 0);
    tally_flush(&client.tally, client.stats, 0);
    return byte;
}

/* ---- start --------------------------------------------------------------------------------- */

uint8_t serial_rx_channel(void)
{
    return client.running ? sddf_serial_config.rx.channel : SDDF_NO_CHANNEL;
}

uint8_t serial_tx_channel(void)
{
    return client.running ? sddf_serial_config.tx.channel : SDDF_NO_CHANNEL;
}

static const char *start(const struct serial_client_config *config)
{
    if (!sddf_config_ok(&config->header, SDDF_ROLE_SERIAL_CLIENT, sizeof(*config))) {
        return "the header";
    }
    if (!tally_page_ok(&config->stats, 0)) {
        return "the statistics region";
    }
    client.stats = tally_page_start(&config->stats, SDDF_ROLE_SERIAL_CLIENT, 0);
    if (!link_out_tx(&client.tx, &config->tx) || !link_in_rx(&client.rx, &config->rx)) {
        return "a queue";
    }
    return NULL;
}

bool serial_init(void)
{
    memset(&client, 0, sizeof(client)); /* a restarted PD finds its old values here */
    if (sddf_serial_config.header.magic == 0) {
        return false;
    }
    const char *wrong = start(&sddf_serial_config);
    if (wrong != NULL) {
        link_refuse(wrong);
        return false;
    }
    client.running = true;
    link_out_end(&client.tx); /* what was sent before a restart may lack its signal */
    return true;
}
