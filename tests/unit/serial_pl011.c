/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PL011 driver against a model of the device that is as strict as its manual (ARM DDI 0183G):
 * FIFOs 16 deep, interrupts that come once when a FIFO passes its trigger level, registers that may
 * be written only while it is off, a flag that says "busy" as long as there is anything to send. A
 * character written to a full FIFO fails the test.
 */
#include "serial_uart.h"

enum {
    DR = 0x00,
    FR = 0x18,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    ICR = 0x44,
};
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6 };
enum { TRIGGER = FIFO_DEPTH_MODEL / 2 };
enum { FE = 1 << 8, PE = 1 << 9, BE = 1 << 10, OE = 1 << 11 };

static struct {
    uint32_t lcr_h, cr, ifls, imsc, ris;
    struct fifo rx, tx;
    bool overrun;
    unsigned busy; /* reads of UARTFR until the character that leaves has left */
    bool drains;   /* the next one leaves then, if it may */
    char line[1 << 16];
    size_t length;
} uart;

static bool asserted(void)
{
    return (uart.ris & uart.imsc) != 0;
}

static void ris_follow_rx(void)
{
    if (uart.rx.count < TRIGGER) {
        uart.ris &= ~(uint32_t)INT_RX;
    }
    if (uart.rx.count == 0) {
        uart.ris &= ~(uint32_t)INT_RT;
    }
}

/* The line: so many characters leave; one arrives; nothing arrives for 32 bits' time. */
static void line_send(unsigned count)
{
    for (; count > 0 && uart.tx.count > 0; count--) {
        uart.line[uart.length++] = (char)fifo_take(&uart.tx);
        if (uart.tx.count == TRIGGER) {
            uart.ris |= INT_TX; /* once, as it passes the level */
        }
    }
    uart.line[uart.length] = '\0';
}

static bool sends(void)
{
    return (uart.cr & (1u << 8 | 1)) == (1u << 8 | 1); /* TXE, UARTEN */
}

/* Section 3.3.3, BUSY: "regardless of whether the UART is enabled or not". */
static bool is_busy(void)
{
    uart.busy -= uart.busy > 0;
    if (uart.busy == 0 && uart.drains && sends() && uart.tx.count > 0) {
        line_send(1);
        uart.busy = 3;
    }
    return uart.busy > 0 || (uart.drains && uart.tx.count > 0);
}

uint32_t sddf_device_read32(uintptr_t address)
{
    switch (address - REGISTERS) {
    case DR: {
        assert_true(uart.rx.count > 0);
        uint32_t value = fifo_take(&uart.rx);
        ris_follow_rx();
        return value;
    }
    case FR:
        return (is_busy() ? 1u << 3 : 0) | (uart.rx.count == 0 ? 1u << 4 : 0) |
               (uart.tx.count == FIFO_DEPTH_MODEL ? 1u << 5 : 0);
    default:
        fail_msg("register 0x%lx was read", (unsigned long)(address - REGISTERS));
        return 0;
    }
}

void sddf_device_write32(uintptr_t address, uint32_t value)
{
    bool on = (uart.cr & 1) != 0;
    switch (address - REGISTERS) {
    case DR:
        assert_true(sends());
        assert_true(fifo_put(&uart.tx, (uint16_t)value));
        break;
    case LCR_H:
        assert_true(!on && uart.busy == 0); /* section 3.3.7: only while the UART is off */
        uart.lcr_h = value;
        if ((value & 1u << 4) == 0) {
            uart.rx.count = uart.tx.count = 0;
        }
        break;
    case CR:
        uart.cr = value;
        break;
    case IFLS:
        assert_false(on);
        uart.ifls = value;
        break;
    case IMSC:
        uart.imsc = value;
        break;
    case ICR:
        uart.ris &= ~value;
        break;
    default:
        fail_msg("register 0x%lx was written", (unsigned long)(address - REGISTERS));
    }
}

uint8_t sddf_device_read8(uintptr_t address)
{
    fail_msg("a byte of register 0x%lx was read", (unsigned long)(address - REGISTERS));
    return 0;
}

void sddf_device_write8(uintptr_t address, uint8_t value)
{
    fail_msg("0x%x was written as a byte to register 0x%lx", value,
             (unsigned long)(address - REGISTERS));
}

static void line_receive(uint16_t value)
{
    if ((uart.cr & 1u << 9) == 0) {
        return;
    }
    if (uart.rx.count == FIFO_DEPTH_MODEL) {
        uart.overrun = true;
        return;
    }
    fifo_put(&uart.rx, (uint16_t)(value | (uart.overrun ? OE : 0)));
    uart.overrun = false;
    if (uart.rx.count >= TRIGGER) {
        uart.ris |= INT_RX;
    }
}

static void line_rests(void)
{
    if (uart.rx.count > 0) {
        uart.ris |= INT_RT;
    }
}

/* As long as the interrupt is asserted, and it must not be for ever. */
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
    uart.cr = 1 | 1 << 8; /* as the firmware may have left it */
    uart.busy = 5;
    uart.ris = 0x7ff;
    fifo_put(&uart.rx, 'x');
    for (const char *c = "firmware"; *c != '\0'; c++) {
        fifo_put(&uart.tx, (uint16_t)*c);
    }
    uart.drains = true;
    uart_configure();
    init();
    assert_string_equal(uart.line, "firmware"); /* its last word is not cut */
    uart.length = 0;
    uart.drains = false;
    return 0;
}

static void starts_in_order(void **state)
{
    (void)state;
    assert_int_equal(uart.cr, 0xf01);              /* on, both ways; RTS, DTR */
    assert_int_equal(uart.lcr_h, 3 << 5 | 1 << 4); /* 8 bits, FIFOs on; no parity, one stop bit */
    assert_int_equal(uart.ifls, 2 << 3 | 2);
    assert_int_equal(uart.imsc, INT_RX | INT_RT);
    assert_int_equal(uart.ris, 0);
    assert_string_equal(rig_text(&reader), "");
}

static void starts_although_the_line_stays_busy(void **state)
{
    (void)state;
    memset(&uart, 0, sizeof(uart));
    uart.busy = 1000000; /* it reads so often, and then goes on: the assertion of LCR_H holds */
    uart_configure();
    init();
    assert_int_equal(uart.imsc, INT_RX | INT_RT);
}

/* Off, with something in its FIFO: that would be "busy" for ever, and is flushed. */
static void starts_although_nothing_leaves(void **state)
{
    (void)state;
    memset(&uart, 0, sizeof(uart));
    fifo_put(&uart.tx, 'x');
    uart.drains = true;
    uart_configure();
    init();
    assert_int_equal(uart.tx.count, 0);
    assert_int_equal(uart.imsc, INT_RX | INT_RT);
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
    assert_int_equal(uart.imsc, INT_RX | INT_RT | INT_TX);
    unsigned woken = 0;
    while (uart.length < 300) {
        line_send(1);
        if (asserted()) {
            fake_microkit_wake(IRQ);
            assert_false(asserted());
            woken++;
        }
        assert_true(uart.tx.count > 0 || uart.length == 300); /* the line never rests */
    }
    assert_string_equal(uart.line, text);
    assert_in_range(woken, 300 / FIFO_DEPTH_MODEL, 300 / TRIGGER + 1);
    assert_int_equal(uart.imsc, INT_RX | INT_RT); /* nothing more to send: no interrupt for it */
    assert_int_equal(uart_stat(SERIAL_STAT_TX_BYTES), 300);
}

static void sends_what_fits_without_an_interrupt(void **state)
{
    (void)state;
    rig_send_text(&writer, "sixteen letters.");
    fake_microkit_wake(CH_VIRT_TX);
    assert_int_equal(uart.tx.count, 16);
    assert_int_equal(uart.imsc, INT_RX | INT_RT);
    line_send(16);
    assert_false(asserted());
}

/* The level is passed while the driver is busy with input: the interrupt must not be lost. */
static void an_interrupt_of_another_kind_loses_none(void **state)
{
    (void)state;
    rig_send_text(&writer, "a text of more than sixteen letters, to be sent on and on");
    fake_microkit_wake(CH_VIRT_TX);
    for (unsigned i = 0; i < 40 && uart.tx.count > 0; i++) {
        line_send(i % 12);
        line_receive('k');
        line_rests();
        fake_microkit_wake(IRQ);
    }
    line_send(16);
    interrupts();
    line_send(16);
    assert_string_equal(uart.line, "a text of more than sixteen letters, to be sent on and on");
}

static void receives_single_keys_and_bursts(void **state)
{
    (void)state;
    line_receive('k');
    assert_false(asserted());
    line_rests();
    assert_true(asserted());
    interrupts();
    assert_string_equal(rig_text(&reader), "k");
    assert_int_equal(fake_microkit_signals(CH_VIRT_RX), 1);
    for (unsigned i = 0; i < FIFO_DEPTH_MODEL; i++) {
        line_receive((uint16_t)('a' + i));
    }
    interrupts();
    assert_string_equal(rig_text(&reader), "abcdefghijklmnop");
    assert_int_equal(uart_stat(SERIAL_STAT_RX_BYTES), 17);
}

static void counts_overruns_and_errors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FIFO_DEPTH_MODEL + 3; i++) {
        line_receive((uint16_t)('a' + i));
    }
    interrupts();
    line_receive('!'); /* carries the news */
    line_receive('f' | FE);
    line_receive('p' | PE);
    line_receive(BE);
    line_receive('g');
    line_rests();
    interrupts();
    assert_string_equal(rig_text(&reader), "abcdefghijklmnop!g");
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_OVERRUNS), 1);
    assert_int_equal(uart_stat(SERIAL_STAT_DEVICE_ERRORS), 3);
}

/* virt_rx does not take: input is lost and counted, and the interrupt does not stay asserted. */
static void a_full_queue_loses_input(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned j = 0; j < 10; j++) {
            line_receive('x');
        }
        line_rests();
        interrupts();
    }
    uint64_t lost = uart_stat(SERIAL_STAT_DROP_FULL);
    assert_true(lost > 0);
    assert_int_equal(uart_stat(SERIAL_STAT_RX_BYTES) + lost, 1000);
    assert_int_equal(strlen(rig_text(&reader)), uart_stat(SERIAL_STAT_RX_BYTES));
}

static void survives_hostile_virtualisers(void **state)
{
    (void)state;
    uint64_t random = 47;
    for (unsigned round = 0; round < 20000; round++) {
        sddf_store_relaxed_u64(&writer.active.own->entries[rig_random(&random) % RIG_CAPACITY],
                               rig_random(&random));
        rig_garble_tail(&writer.active, &random);
        rig_garble_head(&writer.free, &random);
        rig_garble_head(&reader.active, &random);
        line_receive((uint16_t)(rig_random(&random) % 4096));
        line_send(rig_random(&random) % 16);
        uart.length = 0;
        fake_microkit_wake(rig_random(&random) % 2 ? IRQ : CH_VIRT_TX);
    }
    assert_true(uart_stat(SERIAL_STAT_REFUSED_LENGTH) > 0);
}

static void restarts(void **state)
{
    (void)state;
    rig_send_text(&writer, "more than sixteen letters, of which some are sent");
    fake_microkit_wake(CH_VIRT_TX);
    fake_microkit_signals(CH_VIRT_TX);
    rig_send_text(&writer, " and then these");
    uart.drains = true; /* the sixteen that it had given to the device */
    init();
    assert_memory_equal(uart.line, "more than sixtee", 16);
    uart.drains = false;
    for (unsigned i = 0; i < 10; i++) {
        line_send(16);
        interrupts();
    }
    assert_non_null(strstr(uart.line, " and then these"));
}

static void does_not_start_with_another_configuration(void **state)
{
    (void)state;
    struct serial_driver_config good = sddf_serial_config;
    for (unsigned wrong = 0; wrong < 5; wrong++) {
        sddf_serial_config = good;
        switch (wrong) {
        case 0:
            sddf_serial_config.header.magic = 0;
            break;
        case 1:
            sddf_serial_config.device.region_count = 0;
            break;
        case 2:
            sddf_serial_config.device.region[0].size = 0x20;
            break;
        case 3:
            sddf_serial_config.device.irq_count = 0;
            break;
        case 4:
            sddf_serial_config.rx.active.consumer = 0;
            break;
        }
        fake_microkit_reset();
        memset(&uart, 0, sizeof(uart));
        init();
        assert_true(strlen(fake_microkit_output()) > 0);
        assert_int_equal(uart.cr, 0); /* not touched */
        fake_microkit_wake(CH_VIRT_TX);
        assert_int_equal(uart.tx.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_in_order, setup),
        cmocka_unit_test_setup(starts_although_the_line_stays_busy, setup),
        cmocka_unit_test_setup(starts_although_nothing_leaves, setup),
        cmocka_unit_test_setup(sends_more_than_a_fifo, setup),
        cmocka_unit_test_setup(sends_what_fits_without_an_interrupt, setup),
        cmocka_unit_test_setup(an_interrupt_of_another_kind_loses_none, setup),
        cmocka_unit_test_setup(receives_single_keys_and_bursts, setup),
        cmocka_unit_test_setup(counts_overruns_and_errors, setup),
        cmocka_unit_test_setup(a_full_queue_loses_input, setup),
        cmocka_unit_test_setup(survives_hostile_virtualisers, setup),
        cmocka_unit_test_setup(restarts, setup),
        cmocka_unit_test_setup(does_not_start_with_another_configuration, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
