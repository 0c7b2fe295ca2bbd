/* SPDX-License-Identifier: BSD-2-Clause */
/* Carol of docs/description.md: when notified, she shows the note that is in the region then. */
#include <stddef.h>

#include <microkit.h>

#define NOTE 64 /* bytes of a line */

volatile const char *notes; /* set by the description */

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    for (size_t i = 0; i < NOTE && notes[i] != '\0'; i++) {
        microkit_dbg_putc(notes[i]);
    }
    microkit_dbg_puts("\n");
}
