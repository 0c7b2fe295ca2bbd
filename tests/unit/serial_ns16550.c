/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550 driver against a model of the device that is as strict as the PC16550D's datasheet: two
 * registers behind the divisor latch, status that goes when it is read, FIFOs that take 16
 * characters when the transmitter is empty. A character that would be lost fails the test.
 */
#include "serial_uart.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR };
enum {
    DLAB = 0x80,
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 0x10,
    LSR_THRE = 0x20
};
enum { TRIGGER = 8 };

static struct {
    uint8_t ier, fcr, lcr, mcr, divisor[2];
    struct fifo rx, tx; /* rx: the character, and its error bits of LSR above it */
    bool overrun, timeout;
    unsigned wrong_at; /* before this reading of LSR from now, a wrong character arrives */
    unsigned drains;   /* readings of LSR in which the line sends a character */
    bool thre; /* the transmitter's interrupt is pending: went empty, and IIR was not read since */
    char line[1 << 16];
    size_t length;
} uart;

static bool rx_pending(void)
{
    return (uart.ier & 1) != 0 && (uart.rx.count >= TRIGGER || (uart.timeout && uart.rx.count > 0));
}

static bool tx_pending(void)
{
    return (uart.ier & 2) != 0 && uart.thre;
}

static bool asserted(void)
{
    return (uart.mcr & 8) != 0 && (rx_pending() || tx_pending());
}

static void line_send(unsigned count)
{
    for (; count > 0 && uart.tx.count > 0; count--) {
        uart.line[uart.length++] = (char)fifo_take(&uart.tx);
        uart.thre = uart.tx.count == 0;
    }
    uart.line[uart.length] = '\0';
}

uint8_t sddf_device_read8(uintptr_t address)
{
    uint8_t value;
    switch (address - REGISTERS) {
    case RBR_THR:
        assert_true((uart.lcr & DLAB) == 0);
        uart.timeout = false;
        return uart.rx.count > 0 ? (uint8_t)fifo_take(&uart.rx) : 0;
    case IIR_FCR:
        if (rx_pending()) {
            return uart.rx.count >= TRIGGER ? 0xc4 : 0xcc;
        }
        value = tx_pending() ? 0xc2 : 0xc1;
        if (value == 0xc2) {
            uart.thre = false;
        }
        return value;
    case LSR:
        if (uart.wrong_at > 0 && --uart.wrong_at == 0) {
            fifo_put(&uart.rx, 'w' | LSR_FE << 8);
        }
        value = uart.tx.count == 0 ? 0x60 : 0;
        if (uart.drains > 0) {
            uart.drains--;
            line_send(1);
        }
        value |= uart.overrun ? LSR_OE : 0;
        uart.overrun = false;
        if (uart.rx.count > 0) {
            value |= LSR_DR | (uint8_t)(uart.rx.slot[0] >> 8);
            uart.rx.slot[0] &= 0xff; /* reading the status is what clears it */
        }
        return value;
    case MSR:
        return 0;
    default:
        fail_msg("register %lu was read", (unsigned long)(address - REGISTERS));
        return 0;
    }
}

void sddf_device_write8(uintptr_t address, uint8_t value)
{
    uint8_t before = uart.ier;
    switch (address - REGISTERS) {
    case RBR_THR:
        if ((uart.lcr & DLAB) != 0) {
            uart.divisor[0] = value;
            break;
        }
        assert_true(fifo_put(&uart.tx, value));
        uart.thre = false;
        break;
    case IER:
        if ((uart.lcr & DLAB) != 0) {
            uart.divisor[1] = value;
            break;
        }
        assert_true(value < 0x10);
        uart.ier = value;
        if ((value & 2) != 0 && (before & 2) == 0 && uart.tx.count == 0) {
            uart.thre = true; /* enabled while empty: at once */
        }
        break;
    case IIR_FCR:
        assert_true((uart.fcr & 1) != 0 || value == 1); /* the others count only then */
        uart.fcr = value;
        if ((value & 2) != 0) {
            uart.rx.count = 0;
        }
        if ((value & 4) != 0) {
            uart.tx.count = 0;
        }
        break;
    case LCR:
        uart.lcr = value;
        break;
    case MCR:
        uart.mcr = value;
        break;
    default:
        fail_msg("register %lu was written", (unsigned long)(address - REGISTERS));
    }
}

uint32_t sddf_device_read32(uintptr_t address)
{
    fail_msg("register %lu was read as a word", (unsigned long)(address - REGISTERS));
    return 0;
}

void sddf_device_write32(uintptr_t address, uint32_t value)
{
    fail_msg("0x%x was written as a word to register %lu", value,
             (unsigned long)(address - REGISTERS));
}

static void line_receive(uint8_t value, uint8_t errors)
{
    if (!fifo_put(&uart.rx, (uint16_t)(value | errors << 8))) {
        uart.overrun = true;
    }
}

static void line_rests(void)
{
    uart.timeout = uart.rx.count > 0;
}

static void interrupts(void)
{
    for (unsigned i = 0; asserted(); i++) {
        assert_true(i < 10);
        fake_microkit_wake(IRQ);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&uart, 0, sizeof(uart));
    uart.lcr = DLAB; /* as the firmware may have left it */
    uart.ier = 0xf;
    uart.divisor[0] = 1;
    fifo_put(&uart.rx, 'x');
    for (const char *c = "firmware"; *c != '\0'; c++) {
        fifo_put(&uart.tx, (uint16_t)*c);
    }
    uart.drains = 8;
    uart_configure();
    init();
    assert_string_equal(uart.line, "firmware"); /* its last word is not cut */
    uart.length = 0;
    return 0;
}

static void starts_in_order(void **state)
{
    (void)state;
    assert_int_equal(uart.lcr, 3);
    assert_int_equal(uart.ier, 1);
    assert_int_equal(uart.fcr & 0xc1, 0x81); /* on, trigger at 8 */
    assert_int_equal(uart.mcr & 8, 8);
    assert_int_equal(uart.divisor[0], 1); /* the speed is the firmware's */
    assert_int_equal(uart.divisor[1], 0);
    assert_string_equal(rig_text(&reader), "");
}

static void sends_more_than_a_fifo(void **state)
{
    (void)state;
    char text[301];
    for (unsigned i = 0; i < 300; i++) {
        text[i] = (char)('!' + i % 90);
    }
    text[300] = '\0';
    rig_send_text(&writer, text);
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart.tx.count, FIFO_DEPTH_MODEL);
    assert_int_equal(uart.ier, 3);
    unsigned woken = 0;
    while (uart.length < 300) {
        line_send(1);
        if (asserted()) {
            fake_microkit_wake(IRQ);
            assert_false(asserted());
            woken++;
        }
    }
    assert_string_equal(uart.line, text);
    assert_int_equal(woken, 300 / FIFO_DEPTH_MODEL);
    assert_int_equal(uart.ier, 1); /* nothing more to send: no interrupt for it */
}

static void sends_what_fits_without_an_interrupt(void **state)
{
    (void)state;
    rig_send_text(&writer, "sixteen letters.");
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart.tx.count, 16);
    assert_int_equal(uart.ier, 1);
    line_send(16);
    assert_false(asserted());
}

static void waits_while_the_fifo_is_not_empty(void **state)
{
    (void)state;
    rig_send_text(&writer, "one");
    fake_microkit_wake(CH_VIRT_TX);
    rig_send_text(&writer, "two");
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart.tx.count, 3);
    assert_int_equal(uart.ier, 3);
    line_send(3);
    assert_true(asserted());
    interrupts();
    line_send(3);
    assert_string_equal(uart.line, "onetwo");
    assert_int_equal(uart.ier, 1);
}

static void an_interrupt_of_another_kind_loses_none(void **state)
{
    (void)state;
    rig_send_text(&writer, "a text of more than sixteen letters, to be sent on and on");
    fake_microkit_wake(CH_VIRT_TX);
    for (unsigned i = 0; i < 40; i++) {
        line_send(i % 12);
        line_receive('k', 0);
        line_rests();
        interrupts();
    }
    line_send(16);
    interrupts();
    line_send(16);
    assert_string_equal(uart.line, "a text of more than sixteen letters, to be sent on and on");
}

static void receives_single_keys_and_bursts(void **state)
{
    (void)state;
    line_receive('k', 0);
    assert_false(asserted());
    line_rests();
    assert_true(asserted());
    interrupts();
    assert_string_equal(rig_text(&reader), "k");
    for (unsigned i = 0; i < FIFO_DEPTH_MODEL; i++) {
        line_receive((uint8_t)('a' + i), 0);
    }
    interrupts();
    assert_string_equal(rig_text(&reader), "abcdefghijklmnop");
}

static void counts_overruns_and_errors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FIFO_DEPTH_MODEL + 3; i++) {
        line_receive((uint8_t)('a' + i), 0);
    }
    interrupts();
    line_receive('f', LSR_FE);
    line_receive('p', LSR_PE);
    line_receive('g', 0);
    line_receive(0, LSR_BI | LSR_FE);
    line_rests();
    interrupts();
    assert_string_equal(rig_text(&reader), "abcdefghijklmnopg");
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_OVERRUNS), 1);
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_ERRORS), 3);
}

/* A wrong character comes in while the driver looks at the status for the sake of sending. */
static void an_error_is_not_forgotten_while_sending(void **state)
{
    (void)state;
    rig_send_text(&writer, "text");
    uart.wrong_at = 2; /* the first look is for input, the second for room */
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart.wrong_at, 0);
    line_receive('g', 0);
    line_rests();
    interrupts();
    assert_string_equal(rig_text(&reader), "g");
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_ERRORS), 1);
}

static void survives_hostile_virtualisers(void **state)
{
    (void)state;
    uint64_t random = 48;
    for (unsigned round = 0; round < 20000; round++) {
        sddf_store_relaxed_u64(&writer.active.own->entries[rig_random(&random) % RIG_CAPACITY],
                               rig_random(&random));
        rig_garble_tail(&writer.active, &random);
        rig_garble_head(&writer.free, &random);
        rig_garble_head(&reader.active, &random);
        line_receive((uint8_t)rig_random(&random), (uint8_t)(rig_random(&random) & 0x1c));
        line_rests();
        line_send(rig_random(&random) % 20);
        uart.length = 0;
        fake_microkit_wake(rig_random(&random) % 2 ? IRQ : CH_VIRT_TX);
    }
    assert_true(uart_stat(SERIAL_STAT_REFUSED_LENGTH) > 0);
}

static void does_not_start_with_another_configuration(void **state)
{
    (void)state;
    struct serial_driver_config good = sddf_serial_config;
    for (unsigned wrong = 0; wrong < 4; wrong++) {
        sddf_serial_config = good;
        switch (wrong) {
        case 0:
            sddf_serial_config.header.magic = 0;
            break;
        case 1:
            sddf_serial_config.device.region_count = 0;
            break;
        case 2:
            sddf_serial_config.device.region[0].size = 4;
            break;
        case 3:
            sddf_serial_config.tx.channel = SDDF_NO_CHANNEL;
            break;
        }
        fake_microkit_reset();
        memset(&uart, 0, sizeof(uart));
        init();
        assert_true(strlen(fake_microkit_output()) > 0);
        assert_int_equal(uart.mcr, 0); /* not touched */
        fake_microkit_wake(CH_VIRT_TX);
        assert_int_equal(uart.tx.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_in_order, setup),
        cmocka_unit_test_setup(sends_more_than_a_fifo, setup),
        cmocka_unit_test_setup(sends_what_fits_without_an_interrupt, setup),
        cmocka_unit_test_setup(waits_while_the_fifo_is_not_empty, setup),
        cmocka_unit_test_setup(an_interrupt_of_another_kind_loses_none, setup),
        cmocka_unit_test_setup(receives_single_keys_and_bursts, setup),
        cmocka_unit_test_setup(counts_overruns_and_errors, setup),
        cmocka_unit_test_setup(an_error_is_not_forgotten_while_sending, setup),
        cmocka_unit_test_setup(survives_hostile_virtualisers, setup),
        cmocka_unit_test_setup(does_not_start_with_another_configuration, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
