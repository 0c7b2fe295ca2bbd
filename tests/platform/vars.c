/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what the description has set in it, that regions and its own data begin as zeroes, and
 * that it may use the whole of its stack.
 */
#include <microkit.h>

#define STACK 0x10000 /* the description's; all but a page of it is used here */

seL4_Word at, size, address, irq_id, end_id, child_id, unset; /* set, but for the last */
seL4_Word initialized = 17;
static unsigned char zeroes[100000];

static void print(const char *name, seL4_Word value)
{
    microkit_dbg_puts(name);
    microkit_dbg_put32((seL4_Uint32)value);
    microkit_dbg_puts("\n");
}

static unsigned long sum(const unsigned char *bytes, seL4_Word count)
{
    unsigned long total = 0;
    for (seL4_Word i = 0; i < count; i++)
        total += bytes[i];
    return total;
}

static unsigned use_stack(void)
{
    volatile unsigned char bytes[STACK - 0x1000];
    for (unsigned i = 0; i < sizeof bytes; i += 16)
        bytes[i] = 1;
    return bytes[0];
}

void init(void)
{
    print("at ", at);
    print("size ", size);
    print("address ", address);
    print("irq ", irq_id);
    print("end ", end_id);
    print("child ", child_id);
    print("unset ", unset);
    print("initialized ", initialized);
    print("region sum ", sum((const unsigned char *)at, size));
    print("data sum ", sum(zeroes, sizeof zeroes));
    print("stack ", use_stack());
    microkit_dbg_puts("put8 ");
    microkit_dbg_put8(255);
    microkit_dbg_putc('\n');
}

void notified(microkit_channel ch)
{
    (void)ch;
}
