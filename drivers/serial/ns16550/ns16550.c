/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial driver for UARTs like National's 16550 with byte-wide registers that follow each other.
 * Sections are those of the PC16550D's datasheet (June 1995).
 *
 * The line's speed stays as the firmware has set it (the divisor latch): what the clock is, a
 * driver cannot find out. The rest is set up here.
 *
 * Interrupts are as in section 8.11. Received: when the FIFO has eight characters, or fewer for
 * four characters' time; both go when it has been read. Sent: when the FIFO has become empty, up to
 * sixteen go in; that interrupt is enabled only while there are bytes that found no room, and comes
 * at once if the FIFO is empty when it is enabled (8.4, bit 5).
 */
#include <stdbool.h>
#include <stdint.h>

#include "sddf/device.h"
#include "sddf/serial.h"

#include "driver.h"
#include "uart.h"

/* Section 8.0, table II, with the divisor latch access bit 0. */
enum reg {
    RBR = 0, /* read */
    THR = 0, /* write */
    IER = 1,
    IIR = 2, /* read */
    FCR = 2, /* write */
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    REGISTERS_SIZE = 8,
};

/* Section 8.7 */
#define IER_ERBFI 0x01 /* received data available, and the FIFO's timeout */
#define IER_ETBEI 0x02 /* transmitter holding register empty */

/* Section 8.5 */
#define FCR_ENABLE    0x01
#define FCR_CLEAR     0x06 /* both FIFOs */
#define FCR_TRIGGER_8 0x80

/* Section 8.1: 8 bits, no parity, 1 stop bit; no break, divisor latch closed */
#define LCR_8N1 0x03

/*
 * Section 8.8: DTR, RTS, OUT2. The last one lets the interrupt through to the controller on PC
 * boards; elsewhere it leads nowhere.
 */
#define MCR_READY 0x0b

/* Section 8.4 */
#define LSR_DR    0x01
#define LSR_OE    0x02
#define LSR_WRONG 0x1c /* PE, FE, BI: of the character at the FIFO's head */
#define LSR_THRE  0x20
#define LSR_TEMT  0x40 /* nothing is left to send */

#define FIFO_DEPTH 16

/* Reads of the FIFO in one pass: more than it holds, and some that come in meanwhile. */
#define RX_PASS 64

const uint64_t uart_registers_size = REGISTERS_SIZE;
const char uart_registers_name[] = "16550";

static uint8_t enabled; /* as IER has it */

static uint8_t reg_read(enum reg reg)
{
    return sddf_device_read8(uart_registers + reg);
}

static void reg_write(enum reg reg, uint8_t value)
{
    sddf_device_write8(uart_registers + reg, value);
}

static void enable(uint8_t wanted)
{
    if (wanted != enabled) {
        enabled = wanted;
        reg_write(IER, enabled);
    }
}

void uart_start(void)
{
    for (uint32_t i = 0; i < UART_START_READS && (reg_read(LSR) & LSR_TEMT) == 0; i++) {
    }
    reg_write(LCR, LCR_8N1); /* first: it closes the divisor latch, which lies over IER */
    reg_write(IER, 0);
    reg_write(FCR, FCR_ENABLE); /* the other bits count only if this one is set */
    reg_write(FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_8);
    reg_write(MCR, MCR_READY);
    /* What is left of the past: reading is what clears it (8.6, table IV). */
    reg_read(LSR);
    reg_read(RBR);
    reg_read(IIR);
    reg_read(MSR);
    enabled = 0;
    enable(IER_ERBFI);
}

/*
 * LSR's error bits go when it is read, so each reading is looked at once, and a character that they
 * condemn is taken out at once.
 */
static uint8_t status_read(void)
{
    uint8_t status = reg_read(LSR);
    if ((status & LSR_OE) != 0) {
        serial_driver_count(SERIAL_STAT_DEVICE_OVERRUNS, 1);
    }
    if ((status & LSR_DR) != 0 && (status & LSR_WRONG) != 0) {
        serial_driver_count(SERIAL_STAT_DEVICE_ERRORS, 1);
        reg_read(RBR);
    }
    return status;
}

/* What is left after RX_PASS keeps the interrupt asserted, and comes with the next one. */
void uart_take(void)
{
    reg_read(IIR); /* clears the transmitter's interrupt; the receiver's go with the reading */
    for (uint32_t i = 0; i < RX_PASS; i++) {
        uint8_t status = status_read();
        if ((status & LSR_DR) == 0) {
            return;
        }
        if ((status & LSR_WRONG) == 0) {
            serial_driver_received(reg_read(RBR));
        }
    }
}

/* True: the FIFO is not empty, and there is more. */
bool uart_give(void)
{
    uint8_t byte;
    while (serial_driver_waits()) {
        if ((status_read() & LSR_THRE) == 0) {
            return true;
        }
        /* Empty: room for a whole FIFO. (How full it is otherwise, nobody says.) */
        for (uint32_t i = 0; i < FIFO_DEPTH && serial_driver_next(&byte); i++) {
            reg_write(THR, byte);
        }
    }
    return false;
}

void uart_wait(bool full)
{
    enable(IER_ERBFI | (full ? IER_ETBEI : 0));
}
