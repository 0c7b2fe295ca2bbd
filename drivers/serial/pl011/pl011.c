/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial driver for ARM's PrimeCell UART, PL011. Sections are those of its Technical Reference
 * Manual, ARM DDI 0183G.
 *
 * The line's speed stays as the firmware has set it (UARTIBRD, UARTFBRD): what UARTCLK is, a driver
 * cannot find out. The rest is set up here.
 *
 * Both FIFOs work with interrupts. Received: UARTRXINTR (section 2.8.2) when the FIFO is half full,
 * UARTRTINTR (2.8.4) when fewer have lain there for 32 bits' time; both go when the FIFO has been
 * read, and so are never cleared by hand, or what is left would wait for the next character. Sent:
 * UARTTXINTR (2.8.3) comes when the FIFO drains past its trigger level, once, so it is cleared
 * before the FIFO is filled, and unmasked only while there are bytes that found no room.
 */
#include <stdbool.h>
#include <stdint.h>

#include "sddf/device.h"
#include "sddf/serial.h"

#include "driver.h"
#include "uart.h"

/* Section 3.2, table 3-1. */
enum reg {
    UARTDR = 0x000,
    UARTFR = 0x018,
    UARTLCR_H = 0x02c,
    UARTCR = 0x030,
    UARTIFLS = 0x034,
    UARTIMSC = 0x038,
    UARTICR = 0x044,
    REGISTERS_SIZE = 0x1000,
};

#define DR_DATA  0xffu
#define DR_WRONG (1u << 8 | 1u << 9 | 1u << 10) /* FE, PE, BE: section 3.3.1 */
#define DR_OE    (1u << 11)

#define FR_BUSY (1u << 3) /* section 3.3.3 */
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)

#define LCR_H_FEN    (1u << 4) /* section 3.3.7 */
#define LCR_H_WLEN_8 (3u << 5)

#define CR_UARTEN (1u << 0) /* section 3.3.8 */
#define CR_TXE    (1u << 8)
#define CR_RXE    (1u << 9)
#define CR_READY  (3u << 10) /* DTR, RTS: whoever wants to be asked may send */

#define IFLS_HALF (2u << 3 | 2u << 0) /* both FIFOs: section 3.3.9 */

#define INT_RX  (1u << 4) /* sections 3.3.10 to 3.3.13 */
#define INT_TX  (1u << 5)
#define INT_RT  (1u << 6)
#define INT_ALL 0x7ffu

/* Reads of the FIFO in one pass: more than the deepest one holds (32 characters). */
#define RX_PASS 64

const uint64_t uart_registers_size = REGISTERS_SIZE;
const char uart_registers_name[] = "PL011";

static uint32_t mask; /* as UARTIMSC has it */

static uint32_t reg_read(enum reg reg)
{
    return sddf_device_read32(uart_registers + reg);
}

static void reg_write(enum reg reg, uint32_t value)
{
    sddf_device_write32(uart_registers + reg, value);
}

static void mask_set(uint32_t wanted)
{
    if (wanted != mask) {
        mask = wanted;
        reg_write(UARTIMSC, mask);
    }
}

/*
 * Section 3.3.8: disable, let the character out, flush the FIFO, and only then program. But BUSY
 * stays as long as there is anything in the FIFO, which leaves only while the UART is on (3.3.3):
 * so all that was to be sent goes out first. (No flag shows that a character is coming in.)
 */
void uart_start(void)
{
    reg_write(UARTIMSC, 0);
    for (uint32_t i = 0; i < UART_START_READS && (reg_read(UARTFR) & FR_BUSY) != 0; i++) {
    }
    reg_write(UARTCR, 0);
    reg_write(UARTLCR_H, 0); /* FEN 0: the FIFOs are emptied */
    reg_write(UARTICR, INT_ALL);
    reg_write(UARTIFLS, IFLS_HALF);
    reg_write(UARTLCR_H, LCR_H_WLEN_8 | LCR_H_FEN); /* 8 bits, no parity, 1 stop bit */
    reg_write(UARTCR, CR_UARTEN | CR_TXE | CR_RXE | CR_READY);
    mask = 0;
    mask_set(INT_RX | INT_RT);
}

/* What is left after RX_PASS keeps the interrupt asserted, and comes with the next one. */
void uart_take(void)
{
    for (uint32_t i = 0; i < RX_PASS && (reg_read(UARTFR) & FR_RXFE) == 0; i++) {
        uint32_t data = reg_read(UARTDR);
        if ((data & DR_OE) != 0) {
            serial_driver_count(SERIAL_STAT_DEVICE_OVERRUNS, 1); /* this character is good */
        }
        if ((data & DR_WRONG) != 0) {
            serial_driver_count(SERIAL_STAT_DEVICE_ERRORS, 1);
        } else {
            serial_driver_received((uint8_t)(data & DR_DATA));
        }
    }
}

/* True: the FIFO is full, and there is more. */
bool uart_give(void)
{
    reg_write(UARTICR, INT_TX);
    for (;;) {
        uint8_t byte;
        if ((reg_read(UARTFR) & FR_TXFF) != 0) {
            return serial_driver_waits();
        }
        if (!serial_driver_next(&byte)) {
            return false;
        }
        reg_write(UARTDR, byte);
    }
}

void uart_wait(bool full)
{
    mask_set(INT_RX | INT_RT | (full ? INT_TX : 0));
}
