/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial class: several clients share one terminal line, whole lines out, keystrokes in.
 *
 *            device
 *              | registers, interrupts
 *            driver
 *        rx  |   |  tx
 *      virt_rx --> virt_tx        virt_rx says to whom input goes, as a client of virt_tx
 *         |         |
 *         + client -+             any number of them
 *
 * Bytes travel inside the queue's entries (sddf/queue.h): an entry is one 64-bit word with up to
 * seven bytes and their number. So there is no data region, no address to check and no buffer to
 * own or to lose; what was read once is all that there is, and a corrupt neighbour can send garbage
 * characters and a wrong number, no more. It costs an eighth of the memory and a copy, which no
 * terminal is fast enough to notice: a line of 80 characters is twelve words.
 *
 *      receive   active: bytes, driver -> virt_rx -> client
 *      transmit  active: bytes, client -> virt_tx -> driver
 *                free:   the other way; "there is room again"
 *
 * Receiving never waits: who has no room loses the input, and it is counted. So a client that does
 * not read keeps nobody from switching to another one.
 *
 * Transmitting may wait, for the device is slow. A consumer that has taken something from `active`
 * releases it and then publishes one entry without meaning on `free`. The producer takes what is on
 * `free` before each pass; if it finds `active` full, it asks for a signal on `free`, and looks at
 * `active` once more before it sleeps. Should `free` be full, the consumer fences and tries again:
 * either it sees then that the producer has taken what was there, or the producer's last look sees
 * the room. So no signal is lost, by the queue's own argument and this one.
 *
 * Lines. virt_tx collects a client's line and passes it on as a whole. A line that is longer than
 * SERIAL_LINE_MAX is cut: it goes on as another line. An entry of no bytes says "show what there
 * is" (a prompt, the echo of a keystroke): what was collected is shown without an end, and the line
 * is ended for it as soon as anybody else has something to say.
 *
 * Clients may not control the terminal: of the control characters only tab, the end of a line and a
 * backspace within the client's own text get through, the others are shown as '?'. (Who could move
 * the cursor could write in another client's name.)
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "sddf/atomic.h"
#include "sddf/config.h"
#include "sddf/queue.h"

#define SERIAL_ENTRY_BYTES 7
#define SERIAL_LINE_MAX    256 /* bytes of a client's line; what is longer is cut */
#define SERIAL_NAME_MAX    32  /* with the NUL */
#define SERIAL_CLIENTS_MAX 60  /* 62 channels less the neighbours that virtualisers have besides */

/* The least capacity of virt_tx's queue to the driver: a whole line with name and colours. */
#define SERIAL_DRIVER_CAPACITY_MIN 64

struct serial_entry {
    uint8_t count; /* 0 .. SERIAL_ENTRY_BYTES; on `active` of transmit 0 says: show what there is */
    uint8_t bytes[SERIAL_ENTRY_BYTES];
};

SDDF_QUEUE_TYPE(serial_queue, struct serial_entry);

/* Capacity of each queue `free`. Fewer would do; so many make the extra fence rare. */
#define SERIAL_FREE_CAPACITY 16

/* ---- configuration ------------------------------------------------------------------------- */

/* The side nearer the client produces active and consumes free. */
struct serial_tx_config {
    struct sddf_queue_config active;
    struct sddf_queue_config free;
    uint8_t channel;
    uint8_t reserved[7];
};

/* The side nearer the device produces. */
struct serial_rx_config {
    struct sddf_queue_config active;
    uint8_t channel;
    uint8_t reserved[7];
};

struct serial_driver_config {
    struct sddf_config_header header;
    struct sddf_device_config device; /* a UART: its registers, its interrupt */
    struct serial_tx_config tx;       /* to virt_tx */
    struct serial_rx_config rx;       /* to virt_rx */
    struct sddf_region_config stats;
};

/* Colours are the terminal's: 1 red, 2 green, 3 yellow, 4 blue, 5 magenta, 6 cyan; 0 none. */
#define SERIAL_COLOUR_MAX 6

struct serial_virt_tx_client {
    struct serial_tx_config tx;
    char name[SERIAL_NAME_MAX]; /* shown as "name | " before each line; "": nothing is shown */
    uint8_t colour;
    uint8_t reserved[7];
};

struct serial_virt_tx_config {
    struct sddf_config_header header;
    struct serial_tx_config driver;
    struct sddf_region_config stats;
    uint32_t client_count; /* clients of the description, then virt_rx */
    uint8_t crlf;          /* 1: lines end with "\r\n", as a terminal at a wire wants it */
    uint8_t reserved[3];
    struct serial_virt_tx_client client[SERIAL_CLIENTS_MAX + 1];
};

struct serial_virt_rx_client {
    struct serial_rx_config rx;
    char name[SERIAL_NAME_MAX];
};

struct serial_virt_rx_config {
    struct sddf_config_header header;
    struct serial_rx_config driver;
    struct serial_tx_config tx; /* to virt_tx, to say to whom input goes */
    struct sddf_region_config stats;
    uint32_t client_count;
    uint8_t escape; /* the key before a command; twice: the key itself */
    uint8_t reserved[3];
    struct serial_virt_rx_client client[SERIAL_CLIENTS_MAX];
};

struct serial_client_config {
    struct sddf_config_header header;
    struct serial_tx_config tx;
    struct serial_rx_config rx;
    struct sddf_region_config stats;
};

/* What follows the escape key: '1' .. '9', '0' for the tenth: that client; and these. */
#define SERIAL_KEY_NEXT       'n'
#define SERIAL_KEY_PREVIOUS   'p'
#define SERIAL_ESCAPE_DEFAULT 0x1c /* Ctrl-\ */
#define SERIAL_CLIENTS_BY_KEY 10

/* ---- statistics ---------------------------------------------------------------------------- */

/*
 * One region per PD, written by that PD alone (relaxed, once per pass). The first row counts for
 * the PD as a whole, the others one client each; a driver or client has only the first.
 */
enum serial_stat {
    SERIAL_STAT_RX_BYTES,        /* taken from the device's side and passed on (or read) */
    SERIAL_STAT_TX_BYTES,        /* taken from the client's side and passed on */
    SERIAL_STAT_TX_LINES,        /* */
    SERIAL_STAT_WAKEUPS,         /* entry points run */
    SERIAL_STAT_SIGNALS,         /* notifications sent */
    SERIAL_STAT_DROP_FULL,       /* bytes lost: the neighbour's queue is full */
    SERIAL_STAT_CUT_LINES,       /* lines that were too long, or had to make room for another */
    SERIAL_STAT_REPLACED,        /* control characters that were shown as '?' */
    SERIAL_STAT_REFUSED_LENGTH,  /* entries that claim more bytes than they can have */
    SERIAL_STAT_SWITCHES,        /* input went to another client from then on */
    SERIAL_STAT_DEVICE_OVERRUNS, /* the device had no room for what came in */
    SERIAL_STAT_DEVICE_ERRORS,   /* framing, parity, break; or the device said no */
    SERIAL_STAT_COUNT,
};

#define SERIAL_STAT_NAMES                                                                          \
    {                                                                                              \
        "rx_bytes", "tx_bytes", "tx_lines", "wakeups", "signals", "drop_full", "cut_lines",        \
            "replaced", "refused_length", "switches", "device_overruns", "device_errors"           \
    }

#define SERIAL_STATS_MAGIC 0x53524553u /* "SERS" as bytes on a little-endian machine */

struct serial_stats_row {
    sddf_atomic_u64 count[SERIAL_STAT_COUNT];
};

struct serial_stats {
    sddf_atomic_u32 magic;
    sddf_atomic_u32 role;    /* enum sddf_role */
    sddf_atomic_u32 rows;    /* clients' rows behind the first */
    sddf_atomic_u32 columns; /* SERIAL_STAT_COUNT */
    struct serial_stats_row row[1 + SERIAL_CLIENTS_MAX + 1];
};

/* ---- the client library (serial/client.c) -------------------------------------------------- */

/*
 * A PD that is a serial client links serial/client.c and serial/format.c, which define
 * sddf_serial_config. All functions may be called from every entry point. Nothing blocks: a line
 * for which the queue has no room is lost as a whole, and before the next one that fits stands how
 * many were. In a PD that is no serial client, output goes to the Microkit's debug output.
 */

/*
 * Call it first, in init. False: the PD is no serial client, for nobody configured it (nothing is
 * printed), or its configuration is another version's (and a message says so).
 */
bool serial_init(void);

/* Output is sent line by line: at each '\n', when a line is full, or when it is flushed. */
void serial_putc(char c);
void serial_puts(const char *text); /* adds no '\n' */
void serial_write(const char *text, uint32_t length);

/* %d %i %u %x %X %p %c %s %%, with h, hh, l, ll, z, j, t, a width, '0', '-', '+', ' ', '#', '.' */
void serial_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void serial_vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Shows an unfinished line. */
void serial_flush(void);

/* Could a whole line be sent now? Otherwise notified() comes on serial_tx_channel() when it can. */
bool serial_can_write(void);

/*
 * The next byte of input, or -1 when there is no more; then notified() comes on serial_rx_channel()
 * with the next. So read until -1, in init too.
 */
int serial_getc(void);

/* Channels of this PD; SDDF_NO_CHANNEL before serial_init(). */
uint8_t serial_rx_channel(void);
uint8_t serial_tx_channel(void);
