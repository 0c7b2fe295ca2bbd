/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From addresses to their owners: each finds its own, also those whose searches begin in one slot,
 * in the last one, and with as many owners as there can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "network/mac_table.h"

static struct mac_table table;

/* The next address from `mac` on whose search begins in the slot `start`. */
static uint64_t beginning_in(uint32_t start, uint64_t mac)
{
    while (mac_table_start(mac) != start) {
        mac++;
    }
    return mac;
}

static void every_owner_is_found_from(uint32_t start)
{
    uint64_t mac[NET_CLIENTS_MAX], next = UINT64_C(0x020000000001);
    mac_table_clear(&table);
    for (uint32_t i = 0; i < NET_CLIENTS_MAX; i++) {
        mac[i] = beginning_in(start, next);
        next = mac[i] + 1;
        assert_int_equal(mac_table_find(&table, mac[i]), MAC_TABLE_NONE);
        assert_true(mac_table_add(&table, mac[i], i));
        for (uint32_t j = 0; j <= i; j++) {
            assert_int_equal(mac_table_find(&table, mac[j]), j);
            assert_false(mac_table_add(&table, mac[j], NET_CLIENTS_MAX - 1));
        }
    }
    assert_int_equal(mac_table_find(&table, beginning_in(start, next)), MAC_TABLE_NONE);
    for (uint32_t j = 0; j < NET_CLIENTS_MAX; j++) {
        assert_int_equal(mac_table_find(&table, mac[j]), j);
    }
}

static void addresses_that_begin_in_one_slot(void **state)
{
    (void)state;
    every_owner_is_found_from(0);
    every_owner_is_found_from(MAC_TABLE_STARTS / 2);
    every_owner_is_found_from(MAC_TABLE_STARTS - 1);
}

static void a_slot_is_shared_with_the_search_before(void **state)
{
    (void)state;
    /* The second of the first two takes the slot in which the third's search begins. */
    const uint64_t first = beginning_in(7, 1), second = beginning_in(7, first + 1),
                   third = beginning_in(8, 1);
    mac_table_clear(&table);
    assert_true(mac_table_add(&table, first, 3));
    assert_true(mac_table_add(&table, second, 0));
    assert_true(mac_table_add(&table, third, NET_CLIENTS_MAX - 1));
    assert_int_equal(mac_table_find(&table, first), 3);
    assert_int_equal(mac_table_find(&table, second), 0);
    assert_int_equal(mac_table_find(&table, third), NET_CLIENTS_MAX - 1);
}

static void one_address_more_than_owners(void **state)
{
    (void)state;
    every_owner_is_found_from(MAC_TABLE_STARTS - 1);
    /* The last slot ends every search, so it is nobody's. */
    uint64_t mac = UINT64_C(0x030000000000);
    uint32_t added = 0;
    while (mac_table_add(&table, mac = beginning_in(MAC_TABLE_STARTS - 1, mac + 1), 0)) {
        added++;
    }
    assert_true(added <= 1);
    assert_int_equal(table.slot[MAC_TABLE_SLOTS - 1], 0);
    assert_int_equal(mac_table_find(&table, mac), MAC_TABLE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_begin_in_one_slot),
        cmocka_unit_test(a_slot_is_shared_with_the_search_before),
        cmocka_unit_test(one_address_more_than_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
