/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser of a terminal, between a driver, virt_tx and three clients. */
#include "serial.h"

#include "serial/virt_rx.c"

enum { DRIVER, VIRT_TX, A, CLIENTS = 3 };

#define TYPED_MAX 4096

/* What an honest driver's keys mean. */
static struct {
    uint8_t typed[CLIENTS][TYPED_MAX]; /* to whom */
    uint32_t typed_count[CLIENTS];
    uint32_t seen[CLIENTS];
    uint32_t current;
    bool escaped;
    uint8_t next; /* a letter */
} keys;

static void prepare(void)
{
    struct serial_virt_rx_config *c = &sddf_serial_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_SERIAL_VIRT_RX, sizeof(*c), 0};
    c->driver = fuzz_add_rx(true, FUZZ_CAPACITY);
    c->tx = fuzz_add_tx(false, 64);
    c->stats = fuzz_stats();
    for (uint32_t i = 0; i < CLIENTS; i++) {
        c->client[i].rx = fuzz_add_rx(false, FUZZ_CAPACITY / 2);
        memset(c->client[i].name, 'k' + (int)i, SERIAL_NAME_MAX - 1); /* long: lines are full */
    }
}

static void type(uint8_t key)
{
    const uint32_t count = sddf_serial_config.client_count;
    const uint8_t escape_key = sddf_serial_config.escape;
    if (keys.escaped || key == escape_key) {
        const bool command = keys.escaped && key != escape_key;
        const bool literal = keys.escaped && key == escape_key;
        keys.escaped = !keys.escaped;
        if (command && key >= '1' && key < '1' + count) {
            keys.current = key - '1';
        } else if (command && key == SERIAL_KEY_NEXT) {
            keys.current = (keys.current + 1) % count;
        } else if (command && key == SERIAL_KEY_PREVIOUS) {
            keys.current = (keys.current + count - 1) % count;
        }
        if (!literal) {
            return;
        }
    }
    fuzz_check(keys.typed_count[keys.current] < TYPED_MAX, "too many keys");
    keys.typed[keys.current][keys.typed_count[keys.current]++] = key;
}

static struct serial_entry fuzz_bytes_of(uint32_t peer)
{
    (void)peer;
    uint8_t kind = fuzz_u8();
    struct serial_entry entry = {.count = kind % (SERIAL_ENTRY_BYTES + 1)};
    for (uint32_t i = 0; i < entry.count; i++) {
        static const char commands[] = "123n4p0?";
        keys.next = keys.next == 'm' ? 'a' : keys.next + 1;
        bool command = kind >= 128 && keys.escaped;
        bool escape_now = kind >= 128 && (i == kind % 3u || kind >= 224);
        entry.bytes[i] = escape_now ? sddf_serial_config.escape
                         : command  ? (uint8_t)commands[(kind >> 3) % 8]
                                    : keys.next;
        type(entry.bytes[i]);
    }
    return entry;
}

static void fuzz_arrives(uint32_t peer, const struct serial_entry *entry)
{
    fuzz_check(entry->count >= 1 && entry->count <= SERIAL_ENTRY_BYTES,
               "an entry leaves that is none");
    for (uint32_t i = 0; i < entry->count; i++) {
        const uint8_t byte = entry->bytes[i];
        if (peer == VIRT_TX) {
            fuzz_check(byte == '\n' || (byte >= ' ' && byte < 0x7f), "it says what is no text");
            continue;
        }
        if (fuzz_peer[DRIVER].hostile) {
            continue;
        }
        /* Some may be lost, where there is no room; none is made up, or somebody else's. */
        const uint32_t client = peer - A;
        uint32_t *seen = &keys.seen[client];
        while (*seen < keys.typed_count[client] && keys.typed[client][*seen] != byte) {
            (*seen)++;
        }
        fuzz_check(*seen < keys.typed_count[client], "a client gets what was not typed for it");
        (*seen)++;
    }
}

static void fuzz_run(void)
{
    if (fuzz_peer_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct serial_virt_rx_config *c = &sddf_serial_config;
    fuzz_reset(mode & 31);
    memset(keys.typed_count, 0, sizeof(keys.typed_count));
    memset(keys.seen, 0, sizeof(keys.seen));
    keys.current = 0;
    keys.escaped = false;
    keys.next = 'a';
    fuzz_concurrent = (mode & 32) != 0;
    c->escape = (mode & 64) != 0 ? '@' : SERIAL_ESCAPE_DEFAULT;
    c->client_count = (mode & 128) != 0 ? 1 : CLIENTS;
    const struct serial_virt_rx_config good = *c;
    switch (more) {
    case 255:
        c->header.role++;
        break;
    case 254:
        c->client_count = 0;
        break;
    case 253:
        c->client_count = SERIAL_CLIENTS_MAX + 1;
        break;
    case 252:
        c->stats.size = 8;
        break;
    case 251:
        c->driver.active.capacity = 5;
        break;
    case 250:
        c->tx.channel = MICROKIT_MAX_CHANNELS;
        break;
    case 249:
        memset(c->client[0].name, 'x', SERIAL_NAME_MAX);
        break;
    case 248:
        c->client[0].rx.active.consumer = 0;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    *c = good;
    if (fuzz_lives(more >= 248, running)) {
        fuzz_check_taken(DRIVER);
    }
}
