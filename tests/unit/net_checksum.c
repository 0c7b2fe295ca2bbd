/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast checksum against one that is too simple to be wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "network/lwip/checksum.h"

#define LENGTHS    1600
#define ALIGNMENTS 16

static uint8_t data[LENGTHS + ALIGNMENTS];

static uint16_t naive(const uint8_t *from, int length)
{
    uint32_t sum = 0;
    for (int i = 0; i < length; i += 2) {
        uint8_t pair[2] = {from[i], i + 1 < length ? from[i + 1] : 0};
        uint16_t word;
        memcpy(&word, pair, sizeof(word));
        sum += word;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void compare_all(void)
{
    uint8_t copy[LENGTHS + ALIGNMENTS + 1];
    for (int align = 0; align < ALIGNMENTS; align++) {
        for (int length = 0; length <= LENGTHS; length++) {
            uint16_t want = naive(data + align, length);
            if (net_checksum(data + align, length) != want) {
                fail_msg("length %d at alignment %d", length, align);
            }
            uint8_t *to = copy + (length % 7);
            to[length] = 0xa5;
            if (net_checksum_copy(to, data + align, (uint16_t)length) != want) {
                fail_msg("copied: length %d at alignment %d", length, align);
            }
            assert_memory_equal(to, data + align, (size_t)length);
            assert_int_equal(to[length], 0xa5);
        }
    }
}

static void random_data(void **state)
{
    (void)state;
    srand(1);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)rand();
    }
    compare_all();
}

/* Every addition carries. */
static void all_ones(void **state)
{
    (void)state;
    memset(data, 0xff, sizeof(data));
    compare_all();
    assert_int_equal(net_checksum(data, 1480), 0xffff);
}

static void all_zeros(void **state)
{
    (void)state;
    memset(data, 0, sizeof(data));
    compare_all();
    assert_int_equal(net_checksum(data, 1480), 0);
}

/* The payload's sum, from the finished checksum and the rest; zero has two shapes. */
static void without_the_rest(void **state)
{
    (void)state;
    srand(2);
    for (int i = 0; i < 200000; i++) {
        uint32_t payload = (uint32_t)rand() & 0xffff, rest = (uint32_t)rand() & 0xffff;
        uint32_t sum = payload + rest;
        sum = (sum & 0xffff) + (sum >> 16);
        uint16_t field = (uint16_t)~sum;
        uint16_t got = net_checksum_without(field, rest);
        assert_int_equal(got % 0xffff, payload % 0xffff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_data),
        cmocka_unit_test(all_ones),
        cmocka_unit_test(all_zeros),
        cmocka_unit_test(without_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
