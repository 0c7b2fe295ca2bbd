/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Tx virtualiser of a terminal, between a driver, two clients and virt_rx. What arrives at an
 * honest driver is looked at as a terminal would show it: whose line it is, and that nobody
 * controls the terminal.
 */
#include "serial.h"

#include "serial/virt_tx.c"

enum { DRIVER, A, B, VIRT_RX, CLIENTS = 3 };

/* What is in front of each one's lines; virt_rx has no name. */
static const char *const prefix[FUZZ_PEERS] = {[A] = "\x1b[32m"
                                                     "ann | \x1b[0m",
                                               [B] = "bob | "};

/* Of an honest one each character follows from the one before: so none is lost or changes places.
 */
static const struct {
    char first, last;
} alphabet[FUZZ_PEERS] = {[A] = {'a', 'z'}, [B] = {'0', '9'}, [VIRT_RX] = {'A', 'Z'}};

static char sent[FUZZ_PEERS];
static char shown[FUZZ_PEERS];

/* What the terminal shows. */
static struct {
    char line[64]; /* how it begins, until it is known whose it is */
    uint32_t length;
    uint32_t whose; /* 0: nobody's yet */
    uint32_t cells; /* behind the name */
    uint8_t follow; /* of a UTF-8 sequence, so many bytes */
    bool latin;     /* ... which began with 0xc2 */
    bool returned;  /* '\r' */
} terminal;

static void prepare(void)
{
    struct serial_virt_tx_config *c = &sddf_serial_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_SERIAL_VIRT_TX, sizeof(*c), 0};
    c->driver = fuzz_add_tx(false, SERIAL_DRIVER_CAPACITY_MIN);
    c->stats = fuzz_stats();
    c->client_count = CLIENTS;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        c->client[i].tx = fuzz_add_tx(true, FUZZ_CAPACITY);
    }
    memcpy(c->client[0].name, "ann", 4);
    c->client[0].colour = 2;
    memcpy(c->client[1].name, "bob", 4);
}

static char next_of(uint32_t peer, char *last)
{
    *last = *last == 0 || *last == alphabet[peer].last ? alphabet[peer].first : (char)(*last + 1);
    return *last;
}

static struct serial_entry fuzz_bytes_of(uint32_t peer)
{
    uint8_t kind = fuzz_u8();
    struct serial_entry entry = {.count = kind % (SERIAL_ENTRY_BYTES + 1)};
    for (uint32_t i = 0; i < entry.count; i++) {
        entry.bytes[i] = (uint8_t)(kind >= 200 && i == 0 ? '\n' : next_of(peer, &sent[peer]));
    }
    return entry;
}

/* ---- the terminal -------------------------------------------------------------------------- */

static void text(uint32_t whose, uint8_t byte)
{
    bool latin = terminal.latin;
    if (!fuzz_peer[whose].hostile) {
        fuzz_check((char)byte == next_of(whose, &shown[whose]),
                   "a client's text is not as it was sent");
        return;
    }
    terminal.latin = byte == 0xc2;
    if (terminal.follow > 0 && byte >= 0x80 && byte <= 0xbf) {
        fuzz_check(!latin || byte >= 0xa0, "a control character of two bytes");
        terminal.follow--;
        return;
    }
    fuzz_check(byte < 0x80 || (byte >= 0xc2 && byte <= 0xf4), "a control character of eight bits");
    terminal.follow = byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == '\b') {
        fuzz_check(terminal.cells-- > 0, "a client gets at what it has not written");
    } else if (byte < 0x80) {
        fuzz_check(byte == '\t' || (byte >= ' ' && byte != 0x7f), "a client controls the terminal");
        terminal.cells++;
    }
}

/*
 * Whose line is it? As long as it could be a client's by its name, nobody knows. (A virt_rx that
 * errs may say that it is bob; not that it is ann, which takes colours.)
 */
static void begin(uint8_t byte)
{
    terminal.line[terminal.length++] = (char)byte;
    for (uint32_t i = A; i <= (fuzz_peer[VIRT_RX].hostile ? A : B); i++) {
        const char *name = prefix[i];
        if (strncmp(name, terminal.line, terminal.length) == 0) {
            terminal.whose = name[terminal.length] == '\0' ? i : 0;
            return;
        }
    }
    terminal.whose = VIRT_RX;
    for (uint32_t i = 0; i < terminal.length; i++) {
        text(VIRT_RX, (uint8_t)terminal.line[i]);
    }
}

static void show_byte(uint8_t byte)
{
    fuzz_check(!terminal.returned || byte == '\n', "a line is written over");
    terminal.returned = byte == '\r';
    if (byte == '\r') {
        fuzz_check(crlf, "a line's end that is not wanted");
    } else if (byte == '\n') {
        memset(&terminal, 0, sizeof(terminal));
    } else if (terminal.whose == 0) {
        begin(byte);
    } else {
        text(terminal.whose, byte);
    }
}

static void fuzz_arrives(uint32_t peer, const struct serial_entry *entry)
{
    fuzz_check(peer == DRIVER && entry->count >= 1 && entry->count <= SERIAL_ENTRY_BYTES,
               "an entry leaves that is none");
    for (uint32_t i = 0; i < entry->count; i++) {
        show_byte(entry->bytes[i]);
    }
}

/* ---- an execution -------------------------------------------------------------------------- */

static void fuzz_run(void)
{
    if (fuzz_peer_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct serial_virt_tx_config *c = &sddf_serial_config;
    fuzz_reset(mode & 15);
    memset(&terminal, 0, sizeof(terminal));
    memset(sent, 0, sizeof(sent));
    memset(shown, 0, sizeof(shown));
    fuzz_concurrent = (mode & 16) != 0;
    c->crlf = mode >> 5 & 1;
    const struct serial_virt_tx_config good = *c;
    switch (more) {
    case 255:
        c->header.size--;
        break;
    case 254:
        c->client_count = SERIAL_CLIENTS_MAX + 2;
        break;
    case 253:
        c->stats.size = offsetof(struct serial_stats, row[CLIENTS]);
        break;
    case 252:
        c->driver.active.capacity = SERIAL_DRIVER_CAPACITY_MIN / 2;
        break;
    case 251:
        c->driver.free.capacity = 3;
        break;
    case 250:
        c->client[1].colour = SERIAL_COLOUR_MAX + 1;
        break;
    case 249:
        c->client[2].tx.channel = MICROKIT_MAX_CHANNELS;
        break;
    case 248:
        c->client[0].tx.active.producer = 0;
        break;
    case 247:
        c->client[0].tx.free.consumer = 0;
        break;
    case 246:
        c->stats.vaddr = 0;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    *c = good;
    const bool lived = fuzz_lives(more >= 246, running);
    for (uint32_t i = A; i <= VIRT_RX && lived && !fuzz_peer[DRIVER].hostile; i++) {
        fuzz_check_taken(i);
    }
}
