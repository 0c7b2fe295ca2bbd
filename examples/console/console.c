/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial client to talk to: shows what is typed, and repeats each line. A few words mean more:
 * "loud" prints a number of lines at once, "endless" a line without an end.
 */
#include <microkit.h>
#include <string.h>

#include "sddf/serial.h"

#define WORDS_MAX  80
#define LOUD_LINES 20
#define ENDLESS    3000

static char words[WORDS_MAX + 1];
static unsigned length;
static unsigned lines;

static void answer(void)
{
    lines++;
    if (strcmp(words, "loud") == 0) {
        for (unsigned i = 1; i <= LOUD_LINES; i++) {
            serial_printf("line %2u of %u, and nobody's words in between\n", i, LOUD_LINES);
        }
    } else if (strcmp(words, "endless") == 0) {
        for (unsigned i = 0; i < ENDLESS; i++) {
            serial_putc((char)('a' + i % 26));
        }
        serial_putc('\n');
    } else {
        serial_printf("line %u has %u characters: \"%s\"\n", lines, length, words);
    }
}

static void key(int c)
{
    if (c == '\r' || c == '\n') {
        serial_putc('\n');
        words[length] = '\0';
        answer();
        length = 0;
    } else if (c == '\b' || c == 0x7f) {
        if (length > 0) {
            length--;
            serial_puts("\b \b");
        }
    } else if (c >= ' ' && length < WORDS_MAX) {
        words[length++] = (char)c;
        serial_putc((char)c);
    }
}

static void keys_take(void)
{
    for (int c = serial_getc(); c >= 0; c = serial_getc()) {
        key(c);
    }
    serial_flush();
}

void init(void)
{
    length = lines = 0;
    if (!serial_init()) {
        return;
    }
    serial_printf("%s is up: say something\n", microkit_name);
    keys_take(); /* some may be there already, and asks to be notified */
}

void notified(microkit_channel ch)
{
    if (ch == serial_rx_channel()) {
        keys_take();
    }
}
