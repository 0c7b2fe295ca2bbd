/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser, with the test as driver and as three clients, the last without a name. */
#include "serial/virt_tx.c"

#include "serial_rig.h"

enum { A, B, RX, CLIENTS };
enum { CH_DRIVER = 1, CH_A = 2 };

static struct rig_taker terminal;
static struct rig_sender peer[CLIENTS];

static void configure(uint32_t driver_capacity)
{
    struct serial_virt_tx_config *config = &sddf_serial_config;
    fake_microkit_reset();
    *config = (struct serial_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_SERIAL_VIRT_TX,
                   sizeof(*config), 0},
        .driver = rig_tx(driver_capacity, CH_DRIVER),
        .stats = rig_serial_stats(),
        .client_count = CLIENTS,
    };
    for (uint32_t i = 0; i < CLIENTS; i++) {
        config->client[i].tx = rig_tx(RIG_CAPACITY, (uint8_t)(CH_A + i));
        rig_sender_tx(&peer[i], &config->client[i].tx);
    }
    strcpy(config->client[A].name, "alice");
    strcpy(config->client[B].name, "bob");
    rig_taker_tx(&terminal, &config->driver);
}

static int setup(void **state)
{
    (void)state;
    configure(RIG_CAPACITY);
    init();
    return 0;
}

static uint64_t stat(uint32_t row, enum serial_stat which)
{
    return rig_serial_stat(&sddf_serial_config.stats, row, which);
}

static void wake(uint32_t client)
{
    fake_microkit_wake(CH_A + client);
}

static const char *after(uint32_t client, const char *text)
{
    rig_send_text(&peer[client], text);
    wake(client);
    return rig_text(&terminal);
}

static void shows_lines_with_names(void **state)
{
    (void)state;
    assert_string_equal(after(A, "hello\n"), "alice | hello\n");
    assert_string_equal(after(B, "one\n\ntwo\r\n"), "bob | one\nbob | \nbob | two\n");
    assert_string_equal(after(RX, "input goes to alice\n"), "input goes to alice\n");
    assert_int_equal(stat(1 + B, SERIAL_STAT_TX_LINES), 3);
    assert_int_equal(stat(0, SERIAL_STAT_TX_LINES), 5);
    assert_int_equal(stat(1 + A, SERIAL_STAT_TX_BYTES), 5);
}

static void shows_colours_and_crlf(void **state)
{
    (void)state;
    configure(RIG_CAPACITY);
    sddf_serial_config.crlf = 1;
    sddf_serial_config.client[A].colour = 2;
    init();
    assert_string_equal(after(A, "x\n"), "\x1b[32malice | \x1b[0mx\r\n");
    assert_string_equal(after(B, "y\n"), "bob | y\r\n");
}

static void keeps_lines_whole(void **state)
{
    (void)state;
    assert_string_equal(after(A, "the first half, "), "");
    assert_string_equal(after(B, "in between\n"), "bob | in between\n");
    assert_string_equal(after(A, "and the second\n"), "alice | the first half, and the second\n");
    assert_int_equal(stat(0, SERIAL_STAT_CUT_LINES), 0);
}

static void cuts_a_line_that_is_too_long(void **state)
{
    (void)state;
    char text[SERIAL_LINE_MAX * 2 + 8];
    memset(text, 'x', sizeof(text));
    strcpy(text + SERIAL_LINE_MAX, "rest\n");
    const char *shown = after(A, text);
    char *expected = NULL;
    assert_true(asprintf(&expected, "alice | %.*s\nalice | rest\n", SERIAL_LINE_MAX, text) > 0);
    assert_string_equal(shown, expected);
    free(expected);
    assert_int_equal(stat(1 + A, SERIAL_STAT_CUT_LINES), 1);
    /* Just as long as it may be: not cut, and no empty line behind it. */
    text[SERIAL_LINE_MAX] = '\n';
    text[SERIAL_LINE_MAX + 1] = '\0';
    assert_int_equal(strlen(after(A, text)), strlen("alice | ") + SERIAL_LINE_MAX + 1);
    assert_int_equal(stat(1 + A, SERIAL_STAT_CUT_LINES), 1);
}

static void a_line_without_end_keeps_nobody_waiting(void **state)
{
    (void)state;
    char endless[RIG_CAPACITY * SERIAL_ENTRY_BYTES + 1];
    memset(endless, 'z', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    bool seen = false;
    for (unsigned i = 0; i < 20 && !seen; i++) {
        rig_send_bytes(&peer[A], endless, sizeof(endless) - 1);
        if (i == 3) {
            rig_send_text(&peer[B], "let me through\n");
        }
        wake(A);
        seen = strstr(rig_text(&terminal), "bob | let me through\n") != NULL;
        fake_microkit_wake(CH_DRIVER);
        seen |= strstr(rig_text(&terminal), "bob | let me through\n") != NULL;
        assert_true(i < 3 || seen || i == 3);
    }
    assert_true(seen);
}

static void shows_an_unfinished_line_on_demand(void **state)
{
    (void)state;
    rig_send_text(&peer[A], "login: ");
    rig_send_entry(&peer[A], 0);
    wake(A);
    assert_string_equal(rig_text(&terminal), "alice | login: ");
    assert_string_equal(after(A, "me\n"), "me\n"); /* the same line goes on */
    rig_send_text(&peer[A], "again: ");
    rig_send_entry(&peer[A], 0);
    wake(A);
    assert_string_equal(rig_text(&terminal), "alice | again: ");
    /* Who has a whole line ends it for her; she then begins another. */
    assert_string_equal(after(B, "bye\n"), "\nbob | bye\n");
    assert_string_equal(after(A, "me\n"), "alice | me\n");
    assert_int_equal(stat(1 + A, SERIAL_STAT_CUT_LINES), 1);
    /* With nothing to show, it means nothing. */
    rig_send_entry(&peer[B], 0);
    wake(B);
    assert_string_equal(rig_text(&terminal), "");
}

static void clients_do_not_control_the_terminal(void **state)
{
    (void)state;
    assert_string_equal(after(A, "\x1b[2J\x07\x7f\ttab\n"), "alice | ?[2J??\ttab\n");
    assert_int_equal(stat(1 + A, SERIAL_STAT_REPLACED), 3);
    /* UTF-8 gets through; C1 controls do not, alone or as UTF-8. */
    assert_string_equal(after(A, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n"),
                        "alice | gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n");
    assert_string_equal(after(A, "\x9b[2J \xc2\x9b[2J \xc3(\xff\n"),
                        "alice | ?[2J \xc2?[2J \xc3(?\n");
}

static void a_backspace_never_gets_to_the_name(void **state)
{
    (void)state;
    assert_string_equal(after(A, "ab\b\b\b\bX\n"), "alice | ab\b\b??X\n");
    assert_string_equal(after(A, "\xc3\xbc\bX\n"), "alice | \xc3\xbc?X\n");
    /* What was shown of the line before somebody else's does not count. */
    rig_send_text(&peer[A], "abcdef");
    rig_send_entry(&peer[A], 0);
    wake(A);
    after(B, "between\n");
    assert_string_equal(after(A, "\b\b\b\n"), "alice | ???\n");
    /* But the same line may be gone over, shown or not. */
    rig_send_text(&peer[A], "abc");
    rig_send_entry(&peer[A], 0);
    wake(A);
    rig_text(&terminal);
    assert_string_equal(after(A, "\b\b\b\bX\n"), "\b\b\b?X\n");
}

static void takes_turns(void **state)
{
    (void)state;
    rig_send_text(&peer[A], "a1\na2\na3\n");
    rig_send_text(&peer[B], "b1\nb2\nb3\n");
    wake(A);
    assert_string_equal(rig_text(&terminal), "alice | a1\nbob | b1\nalice | a2\nbob | b2\n"
                                             "alice | a3\nbob | b3\n");
}

static void waits_for_the_driver(void **state)
{
    (void)state;
    configure(SERIAL_DRIVER_CAPACITY_MIN);
    init();
    char sent[4096] = "", all[8192] = "";
    for (unsigned i = 0; i < 14; i++) {
        char line[64];
        snprintf(line, sizeof(line), "line %u of many, all of them rather long ones\n", i);
        strcat(sent, "alice | ");
        strcat(sent, line);
        rig_send_text(&peer[A], line);
    }
    wake(A);
    assert_true(sddf_queue_space(&peer[A].active, RIG_CAPACITY) < RIG_CAPACITY);
    unsigned rounds = 0;
    for (bool signalled = true; signalled; rounds++) {
        signalled = rig_take_and_tell(&terminal, 5);
        strcat(all, terminal.text);
        terminal.length = 0;
        terminal.text[0] = '\0';
        if (signalled) {
            fake_microkit_wake(CH_DRIVER);
        } else if (sddf_queue_consumer_refresh(&terminal.active) > 0) {
            signalled = true; /* it is not waiting, there is more to take */
        }
    }
    assert_string_equal(all, sent);
    assert_true(rounds > 5);
    assert_int_equal(fake_microkit_deferred_lost(), 0);
}

/* A client that waits for room is signalled when its entries were taken. */
static void tells_a_client_of_room(void **state)
{
    (void)state;
    char text[RIG_CAPACITY * SERIAL_ENTRY_BYTES];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 20 == 19 ? '\n' : 'y';
    }
    fake_microkit_signals(CH_A);
    struct serial_entry entry;
    while (serial_queue_dequeue(&peer[A].free, &entry)) {
    }
    assert_true(sddf_queue_request_signal(&peer[A].free));
    assert_int_equal(rig_send_bytes(&peer[A], text, sizeof(text)), sizeof(text));
    wake(A);
    assert_int_equal(fake_microkit_signals(CH_A), 1);
    assert_true(sddf_queue_space(&peer[A].active, 1) > 0);
}

static void signals_each_neighbour_once_a_pass(void **state)
{
    (void)state;
    rig_text(&terminal);
    fake_microkit_signals(CH_DRIVER);
    rig_send_text(&peer[A], "a\nb\nc\n");
    rig_send_text(&peer[B], "a\nb\nc\n");
    wake(A);
    assert_int_equal(fake_microkit_signals(CH_DRIVER), 1);
    wake(B);
    assert_int_equal(fake_microkit_signals(CH_DRIVER), 0);
}

static void refuses_impossible_entries(void **state)
{
    (void)state;
    rig_send_entry(&peer[A], 8);
    rig_send_entry(&peer[A], 255);
    assert_string_equal(after(A, "fine\n"), "alice | fine\n");
    assert_int_equal(stat(1 + A, SERIAL_STAT_REFUSED_LENGTH), 2);
}

/* Whatever neighbours write where they can: it ends, and the others' lines come out whole. */
static void survives_hostile_neighbours(void **state)
{
    (void)state;
    uint64_t random = 42;
    for (unsigned round = 0; round < 20000; round++) {
        struct sddf_queue_producer *q = &peer[A].active;
        for (unsigned i = 0; i < 4; i++) {
            sddf_store_relaxed_u64(&q->own->entries[rig_random(&random) % RIG_CAPACITY],
                                   rig_random(&random));
        }
        rig_garble_tail(q, &random);
        rig_garble_head(&peer[A].free, &random);
        sddf_store_relaxed_u32(&peer[A].free.own->mark, (uint32_t)rig_random(&random));
        wake(A);
        if (round % 16 == 0) {
            /* The honest one's line is there, if need be after the driver has made room. */
            rig_send_text(&peer[B], "still here\n");
            bool seen = false;
            for (unsigned i = 0; i < 50 && !seen; i++) {
                wake(B);
                terminal.length = 0;
                rig_take_and_tell(&terminal, UINT32_MAX);
                seen = strstr(terminal.text, "bob | still here\n") != NULL;
            }
            assert_true(seen);
        }
        terminal.length = 0;
        rig_take_and_tell(&terminal, UINT32_MAX);
        for (size_t i = 0; i < terminal.length; i++) {
            unsigned char c = (unsigned char)terminal.text[i];
            assert_true(c >= ' ' || c == '\n' || c == '\t' || c == '\b');
        }
    }
}

static void survives_a_hostile_driver(void **state)
{
    (void)state;
    uint64_t random = 43;
    for (unsigned round = 0; round < 20000; round++) {
        rig_garble_head(&terminal.active, &random);
        sddf_store_relaxed_u32(&terminal.active.own->mark, (uint32_t)rig_random(&random));
        rig_garble_tail(&terminal.free, &random);
        rig_send_bytes(&peer[A], "line\n", 5);
        wake(A);
    }
    assert_true(stat(1 + A, SERIAL_STAT_TX_LINES) > 0);
}

static void restarts(void **state)
{
    (void)state;
    rig_send_text(&peer[A], "half of ");
    wake(A);
    rig_send_text(&peer[B], "said while it was down\n");
    fake_microkit_signals(CH_A + B);
    init();
    assert_string_equal(rig_text(&terminal), "bob | said while it was down\n");
    assert_string_equal(after(A, "a line\n"), "alice | a line\n");
}

static void does_not_start_with_another_configuration(void **state)
{
    (void)state;
    struct serial_virt_tx_config good = sddf_serial_config;
    for (unsigned wrong = 0; wrong < 7; wrong++) {
        sddf_serial_config = good;
        switch (wrong) {
        case 0:
            sddf_serial_config.header.version++;
            break;
        case 1:
            sddf_serial_config.header.role = SDDF_ROLE_SERIAL_VIRT_RX;
            break;
        case 2:
            sddf_serial_config.client_count = SERIAL_CLIENTS_MAX + 2;
            break;
        case 3:
            sddf_serial_config.stats.size = 100;
            break;
        case 4:
            sddf_serial_config.driver.active.capacity = SERIAL_DRIVER_CAPACITY_MIN / 2;
            break;
        case 5:
            sddf_serial_config.client[B].colour = SERIAL_COLOUR_MAX + 1;
            break;
        case 6:
            sddf_serial_config.client[B].tx.active.capacity = 100;
            break;
        }
        fake_microkit_reset();
        init();
        assert_non_null(strstr(fake_microkit_output(), "does not match this program"));
        rig_send_text(&peer[A], "x\n");
        wake(A);
        assert_int_equal(sddf_queue_consumer_refresh(&terminal.active), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(shows_lines_with_names, setup),
        cmocka_unit_test_setup(shows_colours_and_crlf, setup),
        cmocka_unit_test_setup(keeps_lines_whole, setup),
        cmocka_unit_test_setup(cuts_a_line_that_is_too_long, setup),
        cmocka_unit_test_setup(a_line_without_end_keeps_nobody_waiting, setup),
        cmocka_unit_test_setup(shows_an_unfinished_line_on_demand, setup),
        cmocka_unit_test_setup(clients_do_not_control_the_terminal, setup),
        cmocka_unit_test_setup(a_backspace_never_gets_to_the_name, setup),
        cmocka_unit_test_setup(takes_turns, setup),
        cmocka_unit_test_setup(waits_for_the_driver, setup),
        cmocka_unit_test_setup(tells_a_client_of_room, setup),
        cmocka_unit_test_setup(signals_each_neighbour_once_a_pass, setup),
        cmocka_unit_test_setup(refuses_impossible_entries, setup),
        cmocka_unit_test_setup(survives_hostile_neighbours, setup),
        cmocka_unit_test_setup(survives_a_hostile_driver, setup),
        cmocka_unit_test_setup(restarts, setup),
        cmocka_unit_test_setup(does_not_start_with_another_configuration, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
