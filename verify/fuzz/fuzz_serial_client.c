/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial client's library, between virt_rx and virt_tx, under a client that prints and reads.
 */
#include "serial.h"

#include "serial/client.c"
#include "serial/format.c"

enum { VIRT_TX, VIRT_RX };

static bool strict;   /* the client prints only what is looked at below */
static char expected; /* within what: ']', '}' or ')', the end of a line, or 0 */
static uint8_t sent;  /* letters, by virt_rx */
static uint8_t seen;

static void prepare(void)
{
    struct serial_client_config *c = &sddf_serial_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_SERIAL_CLIENT, sizeof(*c), 0};
    c->tx = fuzz_add_tx(false, 64);
    c->rx = fuzz_add_rx(true, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
}

static struct serial_entry fuzz_bytes_of(uint32_t peer)
{
    (void)peer;
    struct serial_entry entry = {.count = fuzz_u8() % (SERIAL_ENTRY_BYTES + 1)};
    for (uint32_t i = 0; i < entry.count; i++) {
        entry.bytes[i] = sent++;
    }
    return entry;
}

/* What is lost is lost as a whole: "[xxx]\n", "{xxx}" without an end, or it says how many. */
static void arrives(char byte)
{
    if (expected == 0) {
        fuzz_check(byte == '[' || byte == '{' || byte == '(', "half of a line is lost");
        expected = (char)(byte == '(' ? ')' : byte + 2);
    } else if (expected == '\n') {
        fuzz_check(byte == '\n', "a line has no end");
        expected = 0;
    } else if (byte == expected) {
        expected = byte == '}' ? 0 : '\n';
    } else {
        fuzz_check(byte == 'x' || expected == ')', "something else is printed");
    }
}

static void fuzz_arrives(uint32_t peer, const struct serial_entry *entry)
{
    fuzz_check(peer == VIRT_TX && entry->count <= SERIAL_ENTRY_BYTES,
               "an entry leaves that is none");
    for (uint32_t i = 0; i < entry->count && strict; i++) {
        arrives((char)entry->bytes[i]);
    }
}

static void print_strictly(uint8_t kind)
{
    char text[SERIAL_LINE_MAX];
    memset(text, 'x', sizeof(text));
    if (kind % 2 == 0) {
        serial_printf("[%.*s]\n", kind, text);
    } else {
        serial_putc('{');
        serial_write(text, kind);
        serial_puts("}");
        serial_flush();
    }
}

/* Any conversion, as far as its argument is there. */
static void print(uint8_t kind)
{
    static const char flags[] = "0-+ #";
    static const char *const sizes[] = {"", "hh", "h", "l", "ll", "z", "j", "t"};
    static const char kinds[] = "diuxXpcs%?";
    char format[32];
    const char *size = sizes[fuzz_u8() % 8];
    const char conversion = kinds[kind % 10];
    const uint8_t how = fuzz_u8();
    const int width = (int)(fuzz_u8() % 80) - 20;
    const uint64_t value = fuzz_u64();
    int at = snprintf(format, sizeof(format), "%%%.*s", how % 2, &flags[how % 5]);
    at += how % 16 < 4 ? snprintf(format + at, 8, "*") : snprintf(format + at, 8, "%u", how % 9u);
    at += how >= 128 ? snprintf(format + at, 8, ".%s", how % 3 == 0 ? "*" : "3") : 0;
    const bool integer = strchr("diuxX", conversion) != NULL;
    snprintf(format + at, 8, "%s%c\n", integer ? size : "", conversion);
    const bool stars[] = {how % 16 < 4, how >= 128 && how % 3 == 0};
    const bool wide = conversion == 'p' || (integer && strchr("lzjt", size[0]) != NULL && *size);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
#pragma clang diagnostic ignored "-Wformat-security"
#define PRINT(argument)                                                                            \
    (stars[0] && stars[1] ? serial_printf(format, width, (int)(value % 50) - 5, argument)          \
     : stars[0]           ? serial_printf(format, width, argument)                                 \
     : stars[1]           ? serial_printf(format, (int)(value % 50) - 5, argument)                 \
                          : serial_printf(format, argument))
    if (conversion == 's') {
        PRINT(value % 4 == 0 ? NULL : "text");
    } else if (wide) {
        PRINT(value);
    } else {
        PRINT((int)value);
    }
#pragma clang diagnostic pop
}

void notified(microkit_channel ch)
{
    uint8_t act = fuzz_u8();
    (void)ch;
    if (act % 8 < 4) {
        strict ? print_strictly(fuzz_u8() % 200) : print(act / 8);
    } else if (act % 8 == 4 && !strict) {
        serial_write("\n\n\b", act / 8 % 4u);
        serial_flush();
    } else if (act % 8 == 5) {
        serial_can_write();
    }
    for (int byte; (byte = serial_getc()) >= 0;) {
        fuzz_check(fuzz_peer[VIRT_RX].hostile || byte == seen, "what is read is something else");
        seen++;
    }
    serial_flush();
    fuzz_check(serial_rx_channel() == sddf_serial_config.rx.channel &&
                   serial_tx_channel() == sddf_serial_config.tx.channel,
               "the channels are others");
}

static void before_init(void)
{
    serial_puts("nobody");
    serial_flush();
    fuzz_check(serial_getc() == -1 && serial_can_write() &&
                   serial_rx_channel() == SDDF_NO_CHANNEL && serial_tx_channel() == SDDF_NO_CHANNEL,
               "it works without a configuration");
}

static void fuzz_run(void)
{
    if (fuzz_peer_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    struct serial_client_config *c = &sddf_serial_config;
    fuzz_reset(mode & 3);
    fuzz_concurrent = (mode & 4) != 0;
    strict = (mode & 8) != 0;
    expected = 0;
    sent = seen = 0;
    const struct serial_client_config good = *c;
    switch (more) {
    case 255:
        c->header.magic = 0;
        break;
    case 254:
        c->header.version++;
        break;
    case 253:
        c->stats.size = 8;
        break;
    case 252:
        c->tx.active.capacity = 0;
        break;
    case 251:
        c->rx.active.producer = 0;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    bool started = serial_init();
    *c = good;
    fuzz_check(started == (more < 251), "it starts with a bad configuration");
    if (!started) {
        before_init();
        return;
    }
    fuzz_at_rest();
    fuzz_wake(1); /* "read until -1, in init too" */
    fuzz_live();
    fuzz_settle();
    fuzz_check_taken(VIRT_RX);
}
