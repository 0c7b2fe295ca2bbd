/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on its way to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* (cmocka.h needs those before it) */
#include <cmocka.h>

#include <string.h>

#include "platform/linux/internal.h"

static void becomes(const char *before, const char *after)
{
    char text[64];
    size_t size = strlen(before);
    memcpy(text, before, size + 1);
    linux_text_clean(text, size);
    assert_string_equal(text, after);
}

static void test_shown(void **state)
{
    (void)state;
    becomes("", "");
    becomes("a\tb\n~", "a\tb\n~");
    becomes("\u00a0 \u00fc \u20ac \U0001f600", "\u00a0 \u00fc \u20ac \U0001f600");
    becomes("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"); /* the last one */
}

static void test_replaced(void **state)
{
    (void)state;
    becomes("\x1b[2J\r\x7f", "?[2J??");
    becomes("\xc2\x9b"
            "2J\xc2\x80\xc2\x9f",
            "??2J????"); /* the same in one character */
    becomes("\x9b"
            "2J",
            "?2J");
    becomes("\xc0\x9b|\xc1\xbf|\xe0\x80\x9b|\xf0\x80\x80\x9b", "??|??|???|????");
    becomes("\xed\xa0\x80|\xf4\x90\x80\x80|\xf5|\xff", "???|????|?|?");
    becomes("\xe2\x82", "??");        /* cut off */
    becomes("\xe2\x82\x1b[", "???["); /* and followed by what must not hide in it */
    char zero[] = {'a', 0, 'b'};
    linux_text_clean(zero, sizeof(zero));
    assert_memory_equal(zero, "a?b", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
