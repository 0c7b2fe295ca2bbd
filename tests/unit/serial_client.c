/* SPDX-License-Identifier: BSD-2-Clause */
/* The client library and its formatting, with the test as both virtualisers. */
#include "serial_rig.h"

#include <inttypes.h>

#include "format.h"

enum { CH_TX = 4, CH_RX = 5 };

extern struct serial_client_config sddf_serial_config;

static struct rig_taker shown;
static struct rig_sender keys;

static int setup(void **state)
{
    (void)state;
    struct serial_client_config *config = &sddf_serial_config;
    fake_microkit_reset();
    *config = (struct serial_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_SERIAL_CLIENT, sizeof(*config),
                   0},
        .tx = rig_tx(RIG_CAPACITY, CH_TX),
        .rx = rig_rx(RIG_CAPACITY, CH_RX),
        .stats = rig_serial_stats(),
    };
    rig_taker_tx(&shown, &config->tx);
    rig_sender_rx(&keys, &config->rx);
    assert_true(serial_init());
    return 0;
}

static uint64_t stat(enum serial_stat which)
{
    return rig_serial_stat(&sddf_serial_config.stats, 0, which);
}

static void sends_lines(void **state)
{
    (void)state;
    serial_puts("not yet");
    assert_string_equal(rig_text(&shown), "");
    assert_int_equal(fake_microkit_signals(CH_TX), 0);
    serial_puts(" a line\n");
    assert_string_equal(rig_text(&shown), "not yet a line\n");
    assert_int_equal(fake_microkit_signals(CH_TX), 1);
    serial_write("two\nlines\n", 10);
    assert_string_equal(rig_text(&shown), "two\nlines\n");
    assert_int_equal(stat(SERIAL_STAT_TX_LINES), 3);
}

static void sends_an_unfinished_line_when_asked(void **state)
{
    (void)state;
    serial_flush(); /* nothing to flush */
    serial_puts("prompt> ");
    serial_flush();
    struct serial_entry entry;
    char text[32] = "";
    while (serial_queue_dequeue(&shown.active, &entry) && entry.count > 0) {
        strncat(text, (const char *)entry.bytes, entry.count);
    }
    assert_string_equal(text, "prompt> ");
    assert_int_equal(entry.count, 0); /* "show what there is" */
    assert_false(serial_queue_dequeue(&shown.active, &entry));
}

/* Lines are lost as a whole, counted, and told of; none of those that arrive is torn. */
static void loses_whole_lines(void **state)
{
    (void)state;
    const unsigned lines = 100;
    for (unsigned i = 0; i < lines; i++) {
        serial_printf("line %02u, which is forty characters long..\n", i);
    }
    assert_true(stat(SERIAL_STAT_DROP_FULL) > 0);
    const char *text = rig_text(&shown);
    unsigned got = 0;
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1, got++) {
        unsigned number;
        assert_int_equal(sscanf(at, "line %u, which is forty characters long..\n", &number), 1);
        assert_int_equal(number, got);
    }
    assert_true(got > 0 && got < lines);
    assert_int_equal(stat(SERIAL_STAT_TX_LINES), got);
    char expected[64];
    snprintf(expected, sizeof(expected), "(%u lines lost)\nback\n", lines - got);
    serial_puts("back\n");
    assert_string_equal(rig_text(&shown), expected);
    serial_puts("again\n");
    assert_string_equal(rig_text(&shown), "again\n");
}

static void says_when_it_can_write(void **state)
{
    (void)state;
    assert_true(serial_can_write());
    while (serial_can_write()) {
        serial_puts("a line that takes its place in the queue\n");
    }
    assert_int_equal(stat(SERIAL_STAT_DROP_FULL), 0);
    fake_microkit_signals(CH_TX);
    assert_true(rig_take_and_tell(&shown, UINT32_MAX)); /* we would be notified */
    assert_true(serial_can_write());
    assert_int_equal(serial_tx_channel(), CH_TX);
}

static void reads(void **state)
{
    (void)state;
    assert_int_equal(serial_getc(), -1);
    rig_send_text(&keys, "twelve bytes");
    assert_true(sddf_queue_needs_signal(&keys.active));
    char text[16] = "";
    for (int c = serial_getc(); c >= 0; c = serial_getc()) {
        text[strlen(text)] = (char)c;
    }
    assert_string_equal(text, "twelve bytes");
    assert_int_equal(sddf_queue_space(&keys.active, RIG_CAPACITY), RIG_CAPACITY);
    rig_send_entry(&keys, 9);
    rig_send_entry(&keys, 0);
    rig_send_text(&keys, "\xff");
    assert_true(sddf_queue_needs_signal(&keys.active));
    assert_int_equal(serial_getc(), 0xff);
    assert_int_equal(serial_getc(), -1);
    assert_int_equal(stat(SERIAL_STAT_REFUSED_LENGTH), 1);
    assert_int_equal(stat(SERIAL_STAT_RX_BYTES), 13);
    assert_int_equal(serial_rx_channel(), CH_RX);
}

/* Entries without bytes are not what "no more" means: who says it is told of the next. */
static void is_told_of_what_comes_behind_nothing(void **state)
{
    (void)state;
    assert_int_equal(serial_getc(), -1);
    for (uint8_t count = 0; count <= 2 * SERIAL_ENTRY_BYTES; count += 2 * SERIAL_ENTRY_BYTES) {
        rig_send_entry(&keys, count);
        assert_true(sddf_queue_needs_signal(&keys.active));
        assert_int_equal(serial_getc(), -1);
    }
    rig_send_text(&keys, "x");
    assert_true(sddf_queue_needs_signal(&keys.active));
    assert_int_equal(serial_getc(), 'x');
}

static void survives_hostile_virtualisers(void **state)
{
    (void)state;
    uint64_t random = 45;
    for (unsigned round = 0; round < 20000; round++) {
        sddf_store_relaxed_u64(&keys.active.own->entries[rig_random(&random) % RIG_CAPACITY],
                               rig_random(&random));
        rig_garble_tail(&keys.active, &random);
        rig_garble_head(&shown.active, &random);
        rig_garble_tail(&shown.free, &random);
        unsigned bytes = 0;
        while (serial_getc() >= 0) {
            assert_true(++bytes <= 2 * RIG_CAPACITY * SERIAL_ENTRY_BYTES);
        }
        serial_can_write();
        serial_puts("hello\n");
    }
}

static void without_a_configuration_prints_for_debugging(void **state)
{
    (void)state;
    memset(&sddf_serial_config, 0, sizeof(sddf_serial_config));
    fake_microkit_reset();
    assert_false(serial_init());
    assert_string_equal(fake_microkit_output(), "");
    serial_printf("%s\n", "to whom it may concern");
    serial_flush();
    assert_string_equal(fake_microkit_output(), "to whom it may concern\n");
    assert_int_equal(serial_getc(), -1);
    assert_true(serial_can_write());
    assert_int_equal(serial_rx_channel(), SDDF_NO_CHANNEL);
}

static void does_not_start_with_another_configuration(void **state)
{
    (void)state;
    sddf_serial_config.header.role = SDDF_ROLE_NET_CLIENT;
    assert_false(serial_init());
    assert_non_null(strstr(fake_microkit_output(), "does not match this program"));
}

/* ---- formatting ---------------------------------------------------------------------------- */

static char formatted[16384];
static size_t formatted_length;

static void collect(char c)
{
    assert_true(formatted_length + 1 < sizeof(formatted));
    formatted[formatted_length++] = c;
    formatted[formatted_length] = '\0';
}

static const char *format(const char *text, ...)
{
    va_list arguments;
    formatted_length = 0;
    formatted[0] = '\0';
    va_start(arguments, text);
    format_put(collect, text, arguments);
    va_end(arguments);
    return formatted;
}

/* Against the C library's own. */
#define same(...)                                                                                  \
    do {                                                                                           \
        char expected[512];                                                                        \
        snprintf(expected, sizeof(expected), __VA_ARGS__);                                         \
        assert_string_equal(format(__VA_ARGS__), expected);                                        \
    } while (0)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat" /* flags that have no effect, on purpose */

static void formats_as_the_c_library(void **state)
{
    (void)state;
    same("plain, 100 %%");
    same("%d %i %u %x %X", -1, INT32_MIN, UINT32_MAX, 0xbeefu, 0xbeefu);
    same("%ld %lld %lu %llx", INT64_MIN, (long long)INT64_MAX, UINT64_MAX, 0x123456789abcdefull);
    same("%hhd %hd %hhu %hu", 300, 70000, 300, 70000);
    same("%zu %jd %td", (size_t)1 << 40, (intmax_t)-5, (ptrdiff_t)-7);
    same("%" PRIu64 " %" PRIx32 " %" PRId8, UINT64_MAX, 7u, -8);
    same("[%5d] [%-5d] [%05d] [%+d] [% d] [%+05d]", 42, 42, -42, 42, 42, 42);
    same("[%.3d] [%8.3d] [%-8.3d] [%08.3d] [%.0d]", 7, 7, 7, 7, 0);
    same("[%#x] [%#X] [%#x] [%#010x]", 255u, 255u, 0u, 255u);
    same("[%s] [%10s] [%-10s] [%.2s] [%10.2s]", "text", "text", "text", "text", "text");
    same("[%*d] [%-*d] [%*d] [%.*s] [%.*s]", 6, 1, 6, 1, -6, 1, 2, "abc", -1, "abc");
    same("%c%c [%3c]", 'a', 'b', 'c');
    same("%p", (void *)(uintptr_t)0x1000);
    same("%20" PRIu64 "|%-20" PRIu64 "|", UINT64_MAX, UINT64_MAX);
    assert_string_equal(format("%s", (const char *)NULL), "(null)");
}

static void stops_at_what_it_does_not_know(void **state)
{
    (void)state;
    assert_string_equal(format("%d %f %d", 1, 2.0, 3), "1 %f %d");
    assert_string_equal(format("%"), "%");
    assert_string_equal(format("ab%5"), "ab%5");
    assert_int_equal(strlen(format("%999999999d", 1)), 4096);
    assert_int_equal(strlen(format("%*d", INT32_MAX, 1)), 4096);
    assert_int_equal(strlen(format("%*d", INT32_MIN, 1)), 4096);
}

#pragma GCC diagnostic pop

static void formats_many_numbers(void **state)
{
    (void)state;
    uint64_t random = 46;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t value = rig_random(&random) >> rig_random(&random) % 64;
        int width = (int)(rig_random(&random) % 30) - 15;
        int precision = (int)(rig_random(&random) % 12) - 2;
        same("%*" PRId64 "|%0*" PRIx64 "|%*.*d", width, (int64_t)value, width, value, width,
             precision, (int)value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sends_lines, setup),
        cmocka_unit_test_setup(sends_an_unfinished_line_when_asked, setup),
        cmocka_unit_test_setup(loses_whole_lines, setup),
        cmocka_unit_test_setup(says_when_it_can_write, setup),
        cmocka_unit_test_setup(reads, setup),
        cmocka_unit_test_setup(is_told_of_what_comes_behind_nothing, setup),
        cmocka_unit_test_setup(survives_hostile_virtualisers, setup),
        cmocka_unit_test_setup(without_a_configuration_prints_for_debugging, setup),
        cmocka_unit_test_setup(does_not_start_with_another_configuration, setup),
        cmocka_unit_test(formats_as_the_c_library),
        cmocka_unit_test(stops_at_what_it_does_not_know),
        cmocka_unit_test(formats_many_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
