/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI transport of the virtio driver, and devices that say strange things about themselves in
 * the configuration space or by their registers: each is refused, and nothing but what it has been
 * found to have is ever touched (virtio_model_pci.c fails the test if something else is).
 */
#include "virtio_net_rig.h"

#define NOBODY 0x00 /* the end of the list */

static void put16_config(unsigned at, uint32_t value)
{
    model_config[at] = (unsigned char)value;
    model_config[at + 1] = (unsigned char)(value >> 8);
}

static void put32_config(unsigned at, uint32_t value)
{
    put16_config(at, value);
    put16_config(at + 2, value >> 16);
}

/* Where the model has its capabilities: see fill_config. */
enum {
    AT_COMMON = 0x40,
    AT_ISR = 0x50,
    AT_SPECIFIC = 0x60,
    AT_NOTIFY = 0x70,
    AT_OTHER = 0x84,
    AT_MSIX = 0x98
};
enum { CAP_NEXT = 1, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_STEP = 16 };

static unsigned chosen; /* which of a test's cases */

static void begin(void (*change)(void))
{
    configure(FEATURES, 8);
    before_start = change;
    start();
    before_start = NULL;
}

static void refused(void)
{
    assert_non_null(strstr(output, "no virtio network device at these registers"));
    assert_int_equal(model_counts.resets, 0);
    give_frame(0);
    notified(TX);
    notified(IRQ);
    assert_int_equal(model_counts.accesses, 0);
}

/* ---- the list of capabilities -------------------------------------------------------------- */

static const struct {
    unsigned at;
    uint32_t value;
} bad_places[] = {
    /* Beyond the registers, each structure by itself */
    {AT_COMMON + CAP_OFFSET, MODEL_REGISTERS_SIZE - 0x34},
    {AT_COMMON + CAP_OFFSET, MODEL_REGISTERS_SIZE},
    {AT_ISR + CAP_OFFSET, MODEL_REGISTERS_SIZE},
    {AT_NOTIFY + CAP_OFFSET, MODEL_REGISTERS_SIZE - 0x3c},
    {AT_NOTIFY + CAP_LENGTH, MODEL_REGISTERS_SIZE},
    /* ... also where 32 bits come around */
    {AT_COMMON + CAP_OFFSET, UINT32_MAX - 3},
    {AT_COMMON + CAP_LENGTH, UINT32_MAX},
    {AT_NOTIFY + CAP_OFFSET, 0x80000000},
    {AT_NOTIFY + CAP_LENGTH, UINT32_MAX - 0x7ff},
    {AT_ISR + CAP_LENGTH, UINT32_MAX - 0x2ff},
    /* Too small, or nothing at all */
    {AT_COMMON + CAP_LENGTH, 0x37},
    {AT_COMMON + CAP_LENGTH, 0},
    {AT_ISR + CAP_LENGTH, 0},
    /* 4.1.4.3, 4.1.4.4: not aligned */
    {AT_COMMON + CAP_OFFSET, 0x101},
    {AT_COMMON + CAP_OFFSET, 0x102},
    {AT_NOTIFY + CAP_OFFSET, 0x801},
};

static void one_bad_place(void)
{
    put32_config(bad_places[chosen].at, bad_places[chosen].value);
}

static void structures_outside_of_the_registers_are_refused(void **state)
{
    (void)state;
    begin(NULL);
    assert_true(virtio_model_live());
    for (chosen = 0; chosen < sizeof(bad_places) / sizeof(bad_places[0]); chosen++) {
        begin(one_bad_place);
        refused();
    }
}

static void one_in_another_bar(void)
{
    static const unsigned structures[] = {AT_COMMON, AT_ISR, AT_NOTIFY};
    model_config[structures[chosen % 3] + CAP_BAR] = (unsigned char)(chosen / 3);
}

/* One BAR is mapped, and there are six; larger numbers are reserved. */
static void structures_of_other_bars_are_refused(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 3 * 256; chosen++) {
        begin(one_in_another_bar);
        if (chosen / 3 == 4) {
            assert_true(virtio_model_live());
        } else {
            refused();
        }
    }
}

static void all_in_another_bar(void)
{
    static const unsigned structures[] = {AT_COMMON, AT_ISR, AT_SPECIFIC, AT_NOTIFY};
    for (unsigned i = 0; i < 4; i++) {
        model_config[structures[i] + CAP_BAR] = (unsigned char)chosen;
    }
}

static void reserved_bars_are_none(void **state)
{
    (void)state;
    for (chosen = 6; chosen < 256; chosen++) {
        begin(all_in_another_bar);
        refused();
    }
}

static void one_missing(void)
{
    static const unsigned structures[] = {AT_COMMON, AT_ISR, AT_NOTIFY};
    model_config[structures[chosen] + CAP_TYPE] = 9; /* 4.1.4.1: unknown, and so passed over */
}

static void what_is_missing_is_missed(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 3; chosen++) {
        begin(one_missing);
        refused();
    }
}

static void no_specific(void)
{
    model_config[AT_SPECIFIC + CAP_TYPE] = 9;
}

static void short_specific(void)
{
    put32_config(AT_SPECIFIC + CAP_LENGTH, 5);
}

/* Without an address of its own in reach the device works all the same. */
static void a_short_configuration_is_not_read_beyond_its_end(void **state)
{
    (void)state;
    void (*const changes[])(void) = {no_specific, short_specific};
    for (unsigned i = 0; i < 2; i++) {
        configure(FEATURES | MODEL_MAC, 8);
        before_start = changes[i];
        start();
        before_start = NULL;
        assert_true(virtio_model_live());
        assert_non_null(strstr(output, "virtio-net, rings of 8"));
    }
}

static void a_loop(void)
{
    /* In a ring of all of them, of one, or of the two before the structures that are needed. */
    static const uint8_t from[] = {AT_COMMON, AT_MSIX, AT_NOTIFY, AT_COMMON};
    static const uint8_t to[] = {AT_MSIX, AT_MSIX, AT_MSIX, AT_COMMON};
    model_config[from[chosen] + CAP_NEXT] = to[chosen];
}

static void loops_in_the_list_end(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 4; chosen++) {
        begin(a_loop);
        if (chosen == 0 || chosen == 3) {
            assert_true(virtio_model_live()); /* all that is needed was on the way */
        } else {
            refused();
        }
    }
}

static void a_list_that_leaves(void)
{
    /* Into the header, or so near to the end that what follows is not there; low bits are reserved
     */
    static const uint8_t first[] = {0x04, 0x3c, 0xfc, 0xff, 0x00};
    model_config[0x34] = first[chosen];
    put32_config(0xfc, 0xff09u | 0xff01ff00u);
    for (unsigned at = 256; at < 512; at++) {
        model_config[at] =
            1; /* PCI Express's part of the space: a common configuration, all over */
    }
}

static void lists_that_leave_their_space_find_nothing(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 5; chosen++) {
        begin(a_list_that_leaves);
        refused();
    }
}

static void a_second_of_each(void)
{
    /* 4.1.4.1: the first that can be used counts. These come first, and cannot: then, behind. */
    static const struct virtio_model_capability bad = {
        .type = 1, .bar = 4, .offset = MODEL_REGISTERS_SIZE, .length = 0x38};
    static const struct virtio_model_capability late = {
        .type = 1, .bar = 4, .offset = 0x700, .length = 0x38};
    virtio_model_capability(0xb0, AT_OTHER, bad);
    model_config[AT_MSIX + CAP_NEXT] = 0xb0;
    virtio_model_capability(0xc0, NOBODY, late);
    model_config[AT_COMMON + CAP_NEXT] = 0xc0;
}

static void the_first_that_can_be_used_counts(void **state)
{
    (void)state;
    begin(a_second_of_each);
    assert_true(virtio_model_live());
}

static void at_random(void)
{
    uint64_t seed = chosen + 1;
    for (unsigned i = 0; i < 1 + chosen % 40; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        model_config[0x34 + (seed >> 33) % (256 - 0x34)] = (unsigned char)(seed >> 56);
    }
    /* Whatever the bytes say, this model's structures are where they are: the driver may find them
     * or not, but is not to believe in others. So the true ones keep their places. */
    static const unsigned structures[] = {AT_COMMON, AT_ISR, AT_NOTIFY, AT_SPECIFIC};
    for (unsigned i = 0; i < 4; i++) {
        unsigned at = structures[i];
        if (model_config[at + CAP_TYPE] >= 1 && model_config[at + CAP_TYPE] <= 4) {
            put32_config(at + CAP_OFFSET, MODEL_REGISTERS_SIZE); /* out of reach */
        }
    }
}

/* Spaces of nonsense: found or refused, the search ends, and reads nothing beyond the space. */
static void nonsense_ends(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 20000; chosen++) {
        begin(at_random);
        assert_false(virtio_model_live());
    }
}

/* ---- who it is ----------------------------------------------------------------------------- */

static void another(void)
{
    static const struct {
        unsigned at;
        uint32_t value;
    } who[] = {{0x00, 0x8086}, {0x00, 0xffff}, {0x02, 0x1042}, {0x02, 0x1040}, {0x02, 0xffff}};
    put16_config(who[chosen].at, who[chosen].value);
}

static void a_transitional(void)
{
    put16_config(0x02, 0x1000);
    put16_config(0x2e, 1);
}

static void other_devices_are_left_alone(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 5; chosen++) {
        begin(another);
        refused();
    }
    begin(a_transitional); /* 4.1.2.1: which has this interface as well */
    assert_true(virtio_model_live());
}

static void absent(void)
{
    memset(model_config, 0xff, 256);
}

static void nothing_there_is_nothing(void **state)
{
    (void)state;
    begin(absent);
    refused();
}

/* ---- registers that lie -------------------------------------------------------------------- */

static void doorbells_outside_of_their_structure_are_refused(void **state)
{
    (void)state;
    static const uint16_t places[] = {8, 9, 0x7fff, 0xffff};
    for (unsigned i = 0; i < 4; i++) {
        configure(FEATURES, 8);
        options.notify_off = places[i];
        start();
        assert_non_null(strstr(output, "does not offer what this driver needs"));
        assert_int_equal(model_counts.failed, 1);
    }
}

static void far_apart(void)
{
    put32_config(AT_NOTIFY + CAP_STEP, chosen == 0 ? UINT32_MAX : chosen == 1 ? 7 : 0x80000000u);
}

static void nor_do_steps_between_them_lead_out(void **state)
{
    (void)state;
    for (chosen = 0; chosen < 3; chosen++) {
        begin(far_apart);
        assert_non_null(strstr(output, "does not offer what this driver needs"));
    }
}

static void a_device_without_room_for_vectors_is_refused(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    options.refuses_vectors = true;
    start();
    assert_non_null(strstr(output, "does not offer what this driver needs"));
    assert_int_equal(model_counts.failed, 1);
    configure(FEATURES, 8);
    options.queues = 1; /* and none to send */
    start();
    assert_non_null(strstr(output, "does not offer what this driver needs"));
}

/* With one message for all it says everything, and a change is looked for each time. */
static void one_vector_is_enough(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    options.one_vector = true;
    sddf_net_config.device.irq_count = 1;
    give_all_rx(8);
    start();
    assert_true(virtio_model_live());
    virtio_model_wire(1);
    virtio_model_finish();
    assert_true(interrupt());
    struct net_entry entry = {0};
    assert_true(take_rx(&entry));
    virtio_model_needs_reset();
    assert_true(interrupt());
    assert_int_equal(model_counts.starts, 2);
}

static void a_line_leaves_the_second_interrupt_alone(void **state)
{
    (void)state;
    configure(FEATURES, 8);
    options.messages = false;
    give_all_rx(8);
    start();
    assert_true(virtio_model_live());
    virtio_model_wire(1);
    virtio_model_finish();
    assert_true(virtio_model_interrupts());
    wake(IRQ);
    assert_false(virtio_model_interrupts()); /* the look at its status took it away */
    struct net_entry entry = {0};
    assert_true(take_rx(&entry));
}

/* ---- a device that goes -------------------------------------------------------------------- */

static void one_that_is_pulled_out_is_left_alone(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        begin(NULL);
        give_all_rx(8);
        wake(RX);
        model_holds_tx = true;
        give_frame(0);
        wake(TX);
        memset(output, 0, sizeof(output));
        virtio_model_remove();
        model_counts.accesses = 0;
        notified(how == 0 ? IRQ : how == 1 ? CHANGE : TX);
        /* Looked at a few times, not a hundred thousand. */
        assert_true(model_counts.accesses < 200);
        if (how == 1) {
            assert_true(stat(NET_STAT_DEVICE_ERRORS) >= 1);
        }
        /* It may still have what it was given; nobody is told anything else. */
        assert_int_equal(take_tx(), 0);
        for (unsigned i = 1; i < 100; i++) {
            give_frame(i);
            notified(TX);
        }
        assert_true(model_counts.accesses < 5000);
        /* A restart finds nothing. */
        init();
        assert_int_equal(model_counts.starts, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structures_outside_of_the_registers_are_refused),
        cmocka_unit_test(structures_of_other_bars_are_refused),
        cmocka_unit_test(reserved_bars_are_none),
        cmocka_unit_test(what_is_missing_is_missed),
        cmocka_unit_test(a_short_configuration_is_not_read_beyond_its_end),
        cmocka_unit_test(loops_in_the_list_end),
        cmocka_unit_test(lists_that_leave_their_space_find_nothing),
        cmocka_unit_test(the_first_that_can_be_used_counts),
        cmocka_unit_test(nonsense_ends),
        cmocka_unit_test(other_devices_are_left_alone),
        cmocka_unit_test(nothing_there_is_nothing),
        cmocka_unit_test(doorbells_outside_of_their_structure_are_refused),
        cmocka_unit_test(nor_do_steps_between_them_lead_out),
        cmocka_unit_test(a_device_without_room_for_vectors_is_refused),
        cmocka_unit_test(one_vector_is_enough),
        cmocka_unit_test(a_line_leaves_the_second_interrupt_alone),
        cmocka_unit_test(one_that_is_pulled_out_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
