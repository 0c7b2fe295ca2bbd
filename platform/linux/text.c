/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that is not the loader's own - what PDs print, names in program files - on its way to a
 * terminal, which must show it and do nothing else.
 */
#include "internal.h"

/* The bytes of the character that begins here; 0: it is none, or one that is not to be shown. */
static size_t shown(const unsigned char *text, size_t size)
{
    if (text[0] < 0x80)
        return (text[0] >= ' ' && text[0] != 0x7f) || text[0] == '\t' || text[0] == '\n';
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* U+0080 to U+009F: controls */
    if (text[0] < 0xc2 || text[0] > 0xf4 || length > size)
        return 0;
    uint32_t character = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    bool half = character >= 0xd800 && character < 0xe000; /* of a pair of UTF-16 */
    return character >= least[length] && character <= 0x10ffff && !half ? length : 0;
}

void linux_text_clean(char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = shown((const unsigned char *)text + i, size - i);
        if (length == 0)
            text[i] = '?';
        i += length == 0 ? 1 : length;
    }
}
