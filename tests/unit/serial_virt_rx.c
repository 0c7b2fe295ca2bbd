/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser, with the test as driver, three clients and the Tx virtualiser. */
#include "serial/virt_rx.c"

#include "serial_rig.h"

enum { A, B, C, CLIENTS };
enum { CH_DRIVER, CH_TX, CH_A };
enum { CLIENT_CAPACITY = 8 };

#define ESC "\x1c"

static struct rig_sender device;
static struct rig_taker said;
static struct rig_taker peer[CLIENTS];

static void configure(uint32_t client_count)
{
    struct serial_virt_rx_config *config = &sddf_serial_config;
    fake_microkit_reset();
    *config = (struct serial_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_SERIAL_VIRT_RX,
                   sizeof(*config), 0},
        .driver = rig_rx(RIG_CAPACITY, CH_DRIVER),
        .tx = rig_tx(SERIAL_DRIVER_CAPACITY_MIN, CH_TX),
        .stats = rig_serial_stats(),
        .client_count = client_count,
        .escape = SERIAL_ESCAPE_DEFAULT,
    };
    for (uint32_t i = 0; i < client_count; i++) {
        config->client[i].rx = rig_rx(CLIENT_CAPACITY, (uint8_t)(CH_A + i));
        snprintf(config->client[i].name, SERIAL_NAME_MAX, "%s",
                 i == A   ? "alice"
                 : i == B ? "bob"
                          : "carol");
        if (i < CLIENTS) {
            rig_taker_rx(&peer[i], &config->client[i].rx);
        }
    }
    rig_sender_rx(&device, &config->driver);
    rig_taker_tx(&said, &config->tx);
}

static int setup(void **state)
{
    (void)state;
    configure(CLIENTS);
    init();
    assert_string_equal(rig_text(&said), "input goes to alice\n");
    return 0;
}

static uint64_t stat(uint32_t row, enum serial_stat which)
{
    return rig_serial_stat(&sddf_serial_config.stats, row, which);
}

static void type(const char *keys)
{
    rig_send_text(&device, keys);
    fake_microkit_wake(CH_DRIVER);
}

static void gives_to_the_first_client(void **state)
{
    (void)state;
    type("hello, whole world");
    assert_string_equal(rig_text(&peer[A]), "hello, whole world");
    assert_string_equal(rig_text(&peer[B]), "");
    assert_string_equal(rig_text(&said), "");
    assert_int_equal(stat(1 + A, SERIAL_STAT_RX_BYTES), 18);
    assert_int_equal(fake_microkit_signals(CH_A + A), 1);
    assert_int_equal(fake_microkit_signals(CH_A + B), 0);
}

static void switches_by_digit(void **state)
{
    (void)state;
    type("to a" ESC "2to b" ESC "3to c" ESC "1a");
    assert_string_equal(rig_text(&peer[A]), "to aa");
    assert_string_equal(rig_text(&peer[B]), "to b");
    assert_string_equal(rig_text(&peer[C]), "to c");
    assert_string_equal(rig_text(&said), "input goes to alice\n");
    assert_int_equal(stat(0, SERIAL_STAT_SWITCHES), 3);
    type(ESC "2");
    assert_string_equal(rig_text(&said), "input goes to bob\n");
}

static void switches_to_next_and_previous(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        const char *to;
    } steps[] = {{ESC "n", "bob"},   {ESC "n", "carol"}, {ESC "n", "alice"},
                 {ESC "p", "carol"}, {ESC "p", "bob"},   {ESC "p", "alice"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "input goes to %s\n", steps[i].to);
        type(steps[i].keys);
        assert_string_equal(rig_text(&said), expected);
    }
}

static void escape_twice_is_the_key_itself(void **state)
{
    (void)state;
    type("x" ESC ESC "2" ESC ESC);
    assert_string_equal(rig_text(&peer[A]), "x" ESC "2" ESC);
    assert_string_equal(rig_text(&said), "");
    /* Also when the two come one by one. */
    type(ESC);
    assert_string_equal(rig_text(&peer[A]), "");
    type(ESC);
    assert_string_equal(rig_text(&peer[A]), ESC);
}

static void other_keys_say_who_there_is(void **state)
{
    (void)state;
    type(ESC "?");
    assert_string_equal(rig_text(&said),
                        "input goes to alice; Ctrl-\\ and 1 alice, 2 bob, 3 carol, "
                        "n next, p previous\n");
    type(ESC "9"); /* there is no such client */
    assert_non_null(strstr(rig_text(&said), "1 alice, 2 bob, 3 carol"));
    type(ESC "0");
    assert_non_null(strstr(rig_text(&said), "1 alice, 2 bob, 3 carol"));
    type("still hers");
    assert_string_equal(rig_text(&peer[A]), "still hers");
    assert_int_equal(stat(0, SERIAL_STAT_SWITCHES), 0);
}

static void zero_is_the_tenth(void **state)
{
    (void)state;
    configure(SERIAL_CLIENTS_MAX);
    strcpy(sddf_serial_config.client[9].name, "judy");
    init();
    rig_text(&said);
    type(ESC "0");
    assert_string_equal(rig_text(&said), "input goes to judy\n");
    type(ESC "?"); /* with so many and such names the line is cut, and still one line */
    for (uint32_t i = 0; i < SERIAL_CLIENTS_MAX; i++) {
        memset(sddf_serial_config.client[i].name, 'n', SERIAL_NAME_MAX - 1);
    }
    rig_text(&said);
    type(ESC "?");
    assert_int_equal(strlen(rig_text(&said)), SERIAL_LINE_MAX);
    assert_ptr_equal(strchr(said.text, '\n'), said.text + SERIAL_LINE_MAX - 1);
}

static void another_escape_key(void **state)
{
    (void)state;
    configure(CLIENTS);
    sddf_serial_config.escape = '~';
    init();
    rig_text(&said);
    type("~~" ESC "2~2b~?");
    assert_string_equal(rig_text(&peer[A]), "~" ESC "2");
    assert_string_equal(rig_text(&peer[B]), "b");
    assert_non_null(strstr(rig_text(&said), "; ~ and 1 alice"));
}

static void a_single_client_is_not_announced(void **state)
{
    (void)state;
    configure(1);
    init();
    assert_string_equal(rig_text(&said), "");
    type(ESC "n" ESC "px");
    assert_string_equal(rig_text(&peer[A]), "x");
}

/* Who does not read loses input, exactly as much as is counted, and can be left. */
static void a_client_that_does_not_read_loses_input(void **state)
{
    (void)state;
    unsigned sent = 0;
    for (unsigned i = 0; i < 20; i++) {
        type("0123456789");
        sent += 10;
    }
    uint64_t passed = stat(1 + A, SERIAL_STAT_RX_BYTES);
    assert_int_equal(passed + stat(1 + A, SERIAL_STAT_DROP_FULL), sent);
    assert_true(passed < sent);
    assert_int_equal(strlen(rig_text(&peer[A])), passed);
    type(ESC "2b");
    assert_string_equal(rig_text(&peer[B]), "b");
    assert_string_equal(rig_text(&said), "input goes to bob\n");
}

/* virt_tx does not take what is said: it is counted, and input goes on. */
static void a_deaf_tx_virtualiser_does_no_harm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        type(ESC "n");
    }
    assert_true(stat(0, SERIAL_STAT_DROP_FULL) > 0);
    type("x");
    assert_string_equal(rig_text(&peer[200 % CLIENTS]), "x");
    for (uint32_t taken = 1; taken > 0;) {
        said.length = 0;
        rig_take_and_tell(&said, UINT32_MAX);
        taken = (uint32_t)said.length;
    }
    type(ESC "1");
    assert_string_equal(rig_text(&said), "input goes to alice\n");
}

static void survives_hostile_neighbours(void **state)
{
    (void)state;
    uint64_t random = 44;
    for (unsigned round = 0; round < 20000; round++) {
        struct sddf_queue_producer *q = &device.active;
        for (unsigned i = 0; i < 4; i++) {
            uint64_t entry = rig_random(&random);
            if (i % 2 == 0) { /* nearly good ones, with commands */
                entry = (entry & ~UINT64_C(0xffffff)) | 0x6e1c02;
            }
            sddf_store_relaxed_u64(&q->own->entries[rig_random(&random) % RIG_CAPACITY], entry);
        }
        rig_garble_tail(q, &random);
        rig_garble_head(&peer[B].active, &random);
        rig_garble_head(&said.active, &random);
        rig_garble_tail(&said.free, &random);
        fake_microkit_wake(CH_DRIVER);
        rig_text(&peer[A]);
    }
    assert_true(stat(0, SERIAL_STAT_REFUSED_LENGTH) > 0);
    assert_true(stat(0, SERIAL_STAT_SWITCHES) > 0);
}

static void does_not_start_with_another_configuration(void **state)
{
    (void)state;
    struct serial_virt_rx_config good = sddf_serial_config;
    for (unsigned wrong = 0; wrong < 6; wrong++) {
        sddf_serial_config = good;
        switch (wrong) {
        case 0:
            sddf_serial_config.header.size--;
            break;
        case 1:
            sddf_serial_config.client_count = 0;
            break;
        case 2:
            sddf_serial_config.client_count = SERIAL_CLIENTS_MAX + 1;
            break;
        case 3:
            memset(sddf_serial_config.client[C].name, 'x', SERIAL_NAME_MAX);
            break;
        case 4:
            sddf_serial_config.stats.vaddr = 0;
            break;
        case 5:
            sddf_serial_config.tx.channel = SDDF_NO_CHANNEL;
            break;
        }
        fake_microkit_reset();
        init();
        assert_non_null(strstr(fake_microkit_output(), "does not match this program"));
        type("x");
        assert_string_equal(rig_text(&peer[A]), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(gives_to_the_first_client, setup),
        cmocka_unit_test_setup(switches_by_digit, setup),
        cmocka_unit_test_setup(switches_to_next_and_previous, setup),
        cmocka_unit_test_setup(escape_twice_is_the_key_itself, setup),
        cmocka_unit_test_setup(other_keys_say_who_there_is, setup),
        cmocka_unit_test_setup(zero_is_the_tenth, setup),
        cmocka_unit_test_setup(another_escape_key, setup),
        cmocka_unit_test_setup(a_single_client_is_not_announced, setup),
        cmocka_unit_test_setup(a_client_that_does_not_read_loses_input, setup),
        cmocka_unit_test_setup(a_deaf_tx_virtualiser_does_no_harm, setup),
        cmocka_unit_test_setup(survives_hostile_neighbours, setup),
        cmocka_unit_test_setup(does_not_start_with_another_configuration, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
