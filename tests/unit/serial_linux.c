/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal's driver, with the test as the descriptor that it reads and writes. */
#include "serial_uart.h"

#include <errno.h>
#include <sys/syscall.h>

#include <microkit_linux.h>

enum { FD = 3 };

static char input[4096], output[1 << 16];
static size_t input_length, output_length;
static size_t room;    /* bytes that the descriptor takes */
static size_t at_once; /* ... by one call */
static long fails;     /* what calls answer, if not 0 */
static uint64_t after;
static unsigned writes;

int microkit_linux_irq_fd(microkit_channel ch)
{
    return ch == IRQ ? FD : -1;
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    assert_int_equal(ch, IRQ);
    after = ns;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    assert_true(a == FD && d == 0 && e == 0 && f == 0);
    assert_true(c > 0);
    size_t count = (size_t)c;
    if (fails != 0) {
        return fails;
    }
    if (number == SYS_read) {
        if (input_length == 0) {
            return -EAGAIN;
        }
        count = count < input_length ? count : input_length;
        memcpy((void *)b, input, count);
        memmove(input, input + count, input_length - count);
        input_length -= count;
        return (long)count;
    }
    assert_true(number == SYS_write);
    writes++;
    if (room == 0) {
        return -EAGAIN;
    }
    count = count < at_once ? count : at_once;
    count = count < room ? count : room;
    assert_true(output_length + count < sizeof(output));
    memcpy(output + output_length, (const void *)b, count);
    output_length += count;
    output[output_length] = '\0';
    room -= count;
    return (long)count;
}

static int setup(void **state)
{
    (void)state;
    input_length = output_length = 0;
    output[0] = '\0';
    room = at_once = 1 << 15;
    fails = 0;
    writes = 0;
    after = 1;
    uart_configure();
    init();
    assert_int_equal(after, 0);
    return 0;
}

static void type(const char *text)
{
    memcpy(input + input_length, text, strlen(text));
    input_length += strlen(text);
    fake_microkit_wake(IRQ);
}

static void reads_and_writes(void **state)
{
    (void)state;
    type("typed");
    assert_string_equal(rig_text(&reader), "typed");
    rig_send_text(&writer, "alice | a line\nbob | another\n");
    fake_microkit_wake(CH_VIRT_TX);
    assert_string_equal(output, "alice | a line\nbob | another\n");
    assert_int_equal(writes, 1); /* lines leave together */
    assert_int_equal(after, 0);
}

static void waits_for_room(void **state)
{
    (void)state;
    char text[600];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('!' + i % 90);
    }
    text[sizeof(text) - 1] = '\0';
    room = 100;
    at_once = 40;
    rig_send_text(&writer, text);
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(output_length, 100);
    assert_true(after > 0);
    type("meanwhile");
    assert_string_equal(rig_text(&reader), "meanwhile");
    assert_true(after > 0);
    room = 1000;
    fake_microkit_wake(IRQ);
    assert_string_equal(output, text);
    assert_int_equal(after, 0);
}

static void a_descriptor_that_fails_is_counted(void **state)
{
    (void)state;
    fails = -EPIPE;
    rig_send_text(&writer, "into the void");
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_ERRORS), 2); /* a read and a write */
    assert_int_equal(after, 0);
    fails = 0;
    rig_send_text(&writer, "there again");
    fake_microkit_wake(CH_VIRT_TX);
    assert_string_equal(output, "there again");
}

static void an_end_of_input_is_no_input(void **state)
{
    (void)state;
    fails = 0;
    input_length = 0;
    fake_microkit_wake(IRQ);
    assert_string_equal(rig_text(&reader), "");
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_ERRORS), 0);
}

static void survives_hostile_virtualisers(void **state)
{
    (void)state;
    uint64_t random = 49;
    for (unsigned round = 0; round < 5000; round++) {
        sddf_store_relaxed_u64(&writer.active.own->entries[rig_random(&random) % RIG_CAPACITY],
                               rig_random(&random));
        rig_garble_tail(&writer.active, &random);
        rig_garble_head(&writer.free, &random);
        rig_garble_head(&reader.active, &random);
        output_length = 0;
        room = rig_random(&random) % 2000;
        type("k");
    }
    assert_true(uart_stat(SERIAL_STAT_REFUSED_LENGTH) > 0);
}

static void does_not_start_without_its_descriptor(void **state)
{
    (void)state;
    sddf_serial_config.device.irq[0] = IRQ + 1;
    fake_microkit_reset();
    init();
    assert_true(strlen(fake_microkit_output()) > 0);
    rig_send_text(&writer, "x");
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(output_length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_and_writes, setup),
        cmocka_unit_test_setup(waits_for_room, setup),
        cmocka_unit_test_setup(a_descriptor_that_fails_is_counted, setup),
        cmocka_unit_test_setup(an_end_of_input_is_no_input, setup),
        cmocka_unit_test_setup(survives_hostile_virtualisers, setup),
        cmocka_unit_test_setup(does_not_start_without_its_descriptor, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
