/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are no descriptions, or mean harm: each gives a message, quickly, and nothing else.
 * The sanitizers of the test builds are half of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "system/model.h"
#include "system/system.h"

static char path[] = "/tmp/sddf-hostile-XXXXXX.xml";

static int make_file(void **state)
{
    (void)state;
    int file = mkstemps(path, 4);
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* All steps on these bytes, with an empty board. The messages, to be freed. */
static char *messages_for(const char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);

    struct board board = {.name = model_string("none"), .arch = model_string("x86_64")};
    struct system_search search = {NULL, 0};
    struct system_errors errors = {0};
    struct system system;
    bool good = system_load(path, &system, &board, &search, &errors);
    assert_int_equal(good, errors.count == 0);
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    assert_non_null(memory);
    system_errors_print(&errors, memory);
    fclose(memory);
    system_errors_free(&errors);
    system_free(&system);
    board_free(&board);
    return text;
}

static void refused(const char *bytes, const char *because)
{
    char *messages = messages_for(bytes, strlen(bytes));
    if (strstr(messages, because) == NULL) {
        fail_msg("expected \"%s\" in:\n%s", because, messages);
    }
    free(messages);
}

static char *repeated(const char *before, const char *piece, size_t times, const char *after)
{
    size_t length = strlen(piece);
    size_t start = strlen(before);
    char *text = malloc(start + length * times + strlen(after) + 1);
    assert_non_null(text);
    memcpy(text, before, start);
    for (size_t i = 0; i < times; i++) {
        memcpy(text + start + i * length, piece, length);
    }
    strcpy(text + start + length * times, after);
    return text;
}

static void test_no_file(void **state)
{
    (void)state;
    struct system_errors errors = {0};
    struct system system;
    assert_false(system_parse("/nowhere/at/all.xml", &system, &errors));
    assert_int_equal(errors.count, 1);
    system_errors_free(&errors);
    system_free(&system);
    assert_false(system_parse("/tmp", &system, &errors));
    assert_int_equal(errors.count, 1);
    system_errors_free(&errors);
    system_free(&system);
}

static void test_empty(void **state)
{
    (void)state;
    refused("", "is empty");
    refused("   \n\n ", "not well-formed");
}

/* Names reach messages, and messages reach terminals. */
static void test_control_characters_stay_out_of_messages(void **state)
{
    (void)state;
    const char *description =
        "<system>\n<protection_domain name=\"a&#9;b&#10;c&#x7f;d&#x9b;2J\">"
        "<program_image path=\"e&#10;f.elf\"/></protection_domain>\n</system>";
    char *messages = messages_for(description, strlen(description));
    assert_non_null(strstr(messages, "\"a b c d  2J\""));
    assert_non_null(strstr(messages, "e f.elf"));
    assert_null(strstr(messages, "\xc2"));
    for (const char *c = messages; *c != '\0'; c++) {
        assert_true(*c == '\n' || ((unsigned char)*c >= ' ' && *c != 0x7f));
    }
    free(messages);
}

static void test_binary(void **state)
{
    (void)state;
    char bytes[4096];
    srand(1);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)rand();
        }
        bytes[0] = round % 2 == 0 ? '<' : bytes[0];
        char *messages = messages_for(bytes, sizeof(bytes));
        assert_true(strlen(messages) > 0);
        for (const char *c = messages; *c != '\0'; c++) {
            assert_true(*c == '\n' || (unsigned char)*c >= ' ');
        }
        free(messages);
    }
}

static void test_deep_nesting(void **state)
{
    (void)state;
    char *text = repeated("<system>", "<protection_domain name=\"p\">", 50000, "");
    refused(text, "not well-formed");
    free(text);
}

static void test_nesting_within_limits(void **state)
{
    (void)state;
    char *open = repeated("<system>", "<protection_domain name=\"p\" id=\"1\">", 200, "");
    char *text = repeated(open, "</protection_domain>", 200, "</system>");
    refused(text, "there can be 63"); /* and nothing else is compared */
    free(open);
    free(text);
}

static void test_billion_laughs(void **state)
{
    (void)state;
    struct timespec start;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    refused("<!DOCTYPE system [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
            "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">"
            "<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;\">"
            "<!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h \"&g;&g;&g;&g;&g;&g;&g;&g;\">"
            "]><system>&h;</system>",
            "no DOCTYPE");
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - start.tv_sec < 2);
}

static void test_entities(void **state)
{
    (void)state;
    refused("<!DOCTYPE system [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><system>&a;</system>",
            "no DOCTYPE");
    refused("<system>&a;</system>", "not well-formed");
    /* Those of XML itself are no entities that anyone declared. */
    refused("<system>&#60;&amp;</system>", "contains text");
}

static void test_huge_numbers(void **state)
{
    (void)state;
    char *digits =
        repeated("<system><memory_region name=\"m\" size=\"0x", "f", 100000, "\"/></system>");
    refused(digits, "is out of range");
    free(digits);
    refused("<system><memory_region name=\"m\" size=\"99999999999999999999GiB\"/></system>",
            "is no number");
    refused("<system><memory_region name=\"m\" size=\"17592186044416M\"/></system>",
            "is no number");
    refused("<system><memory_region name=\"m\" size=\"0x\"/></system>", "is no number");
    refused("<system><memory_region name=\"m\" size=\"1_\"/></system>", "is no number");
}

static void test_addresses_wrap(void **state)
{
    (void)state;
    refused("<system><memory_region name=\"m\" size=\"0x400000000000\"/>"
            "<protection_domain name=\"p\"><program_image path=\"x\"/>"
            "<map mr=\"m\" vaddr=\"0x1ffffffff000\"/></protection_domain></system>",
            "reaches above");
}

static void test_long_names(void **state)
{
    (void)state;
    char *text = repeated("<system><protection_domain name=\"", "n", 1000000,
                          "\"><program_image path=\"x\"/></protection_domain></system>");
    refused(text, "is longer than 63 characters");
    free(text);
    text = repeated("<system><", "e", 40000, "/></system>");
    refused(text, "has no element");
    free(text);
}

static void test_many_elements(void **state)
{
    (void)state;
    char *text = repeated("<system>", "<channel/>\n", 20000, "</system>");
    refused(text, "lacks an element <end>");
    free(text);
}

static void test_too_long(void **state)
{
    (void)state;
    char *text = repeated("<system>", "<channel/>", 500000, "</system>");
    refused(text, "is longer than");
    free(text);
}

/* A good description with each byte in turn replaced: whatever comes of it, it is not a crash. */
static void test_mutations(void **state)
{
    (void)state;
    static const char good[] =
        "<system>\n <memory_region name=\"m\" size=\"0x1000\"/>\n"
        " <protection_domain name=\"p\" priority=\"3\"><program_image path=\"x.elf\"/>\n"
        "  <map mr=\"m\" vaddr=\"0x10000000\" perms=\"rw\"/><irq irq=\"1\" id=\"0\"/>\n"
        " </protection_domain>\n"
        " <network device=\"e\"><client pd=\"p\" mac=\"52:54:00:00:00:01\" ip=\"10.0.0.1/24\"/>"
        "</network>\n <!-- > --><timer device=\"t\"><client pd=\"p\"/></timer>\n</system>\n";
    static const char bytes[] = {'<', '>', '"', '0', '\0', (char)0xff};
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        char text[sizeof(good)];
        memcpy(text, good, sizeof(good));
        text[i] = bytes[i % sizeof(bytes)];
        free(messages_for(text, sizeof(good) - 1));
        free(messages_for(text, i)); /* and cut off there */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_control_characters_stay_out_of_messages),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_nesting_within_limits),
        cmocka_unit_test(test_billion_laughs),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_huge_numbers),
        cmocka_unit_test(test_addresses_wrap),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
