/* SPDX-License-Identifier: BSD-2-Clause */
/* The measuring generator's frames: a right reply is taken, and one wrong bit anywhere is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those before it */
#include <cmocka.h>
#include <string.h>

#include "bench/insn_frame.h"

static const struct frame_peer here = {{2, 0, 0, 0, 0xff, 1}, {10, 0, 0, 1}, 40000};
static const struct frame_peer there = {{2, 0, 0, 0, 0, 1}, {10, 0, 0, 10}, 1235};

static void every_bit_counts(void **state)
{
    (void)state;
    const size_t sizes[] = {8, 13, 64, 1472};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint8_t frame[FRAME_MAX];
        uint64_t number = 0;
        /* What comes back is as if the other side had asked the same. */
        const size_t length = frame_request(frame, &there, &here, 77 + s, sizes[s]);
        assert_int_equal(length, FRAME_HEADERS + sizes[s]);
        assert_null(frame_reply_fault(frame, length, &there, &here, sizes[s], &number));
        assert_int_equal(number, 77 + s);
        for (size_t bit = 0; bit < length * 8; bit++) {
            frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_non_null(frame_reply_fault(frame, length, &there, &here, sizes[s], &number));
            frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_non_null(frame_reply_fault(frame, length - 1, &there, &here, sizes[s], &number));
    }
}

/* Bytes that are wrong, and a checksum that has been made right for them. */
static void content_is_compared(void **state)
{
    (void)state;
    uint8_t frame[FRAME_MAX];
    uint64_t number;
    const size_t length = frame_request(frame, &there, &here, 5, 100);
    frame[FRAME_HEADERS + 99] ^= 1;
    frame_wrap(frame, &there, &here, 100);
    assert_null(frame_udp_fault(frame, length, &there, &here, 100));
    assert_string_equal(frame_reply_fault(frame, length, &there, &here, 100, &number),
                        "its content");
}

static void arp_is_spoken(void **state)
{
    (void)state;
    uint8_t frame[FRAME_MAX];
    struct frame_peer peer = there;
    memset(peer.mac, 0, sizeof(peer.mac));
    const size_t length = frame_arp_request(frame, &here, &peer);
    assert_false(frame_arp_answer(frame, length, &here)); /* it is not for us */
    assert_false(frame_arp_learn(frame, length, &peer));
    assert_true(frame_arp_answer(frame, length, &there));
    assert_memory_equal(frame, here.mac, 6);
    assert_true(frame_arp_learn(frame, length, &peer));
    assert_memory_equal(peer.mac, there.mac, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(content_is_compared),
        cmocka_unit_test(arp_is_spoken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
