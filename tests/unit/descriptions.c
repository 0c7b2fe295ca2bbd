/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every description in tests/descriptions, checked against board.xml there, must give exactly the
 * messages of the file of the same name that ends in .expected (none at all, if that is empty).
 *
 *     SDDF_WRITE_EXPECTED=1 meson test descriptions     writes them anew; read the difference
 *
 * In the messages the folder of the programs, which are made for the occasion, is "PROGRAMS".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_maker.h"
#include "sddf/idle.h"
#include "sddf/net.h"
#include "sddf/serial.h"
#include "sddf/timer.h"
#include "system/model.h"
#include "system/system.h"

static char programs[] = "/tmp/sddf-descriptions-XXXXXX";

#define NET(role)                                                                                  \
    {                                                                                              \
        "sddf_net_config", sizeof(struct net_##role##_config)                                      \
    }
#define TIMER(role)                                                                                \
    {                                                                                              \
        "sddf_timer_config", sizeof(struct timer_##role##_config)                                  \
    }
#define SERIAL(role)                                                                               \
    {                                                                                              \
        "sddf_serial_config", sizeof(struct serial_##role##_config)                                \
    }
#define IDLE                                                                                       \
    {                                                                                              \
        "sddf_idle_config", sizeof(struct idle_config)                                             \
    }
#define NAME                                                                                       \
    {                                                                                              \
        "microkit_name", 64                                                                        \
    }

static const struct {
    const char *name;
    struct elf_order order;
} elfs[] = {
    {"client.elf", {EM_X86_64, ET_EXEC, {NAME, NET(client), TIMER(client), SERIAL(client)}}},
    {"net_client.elf", {EM_X86_64, ET_EXEC, {NAME, NET(client)}}},
    {"serial_client.elf", {EM_X86_64, ET_EXEC, {NAME, SERIAL(client)}}},
    {"idle_client.elf", {EM_X86_64, ET_EXEC, {NAME, IDLE}}},
    {"idle.elf", {EM_X86_64, ET_EXEC, {NAME, IDLE}}},
    {"plain.elf", {EM_X86_64, ET_EXEC, {NAME, {"word", 8}, {"small", 4}}}},
    {"old.elf", {EM_X86_64, ET_EXEC, {NAME, {"sddf_net_config", 24}}}},
    {"arm.elf", {EM_AARCH64, ET_EXEC, {NAME}}},
    {"pie.elf", {EM_X86_64, ET_DYN, {NAME}}},
    {"driver.elf", {EM_X86_64, ET_EXEC, {NAME, NET(driver)}}},
    {"timer.elf", {EM_X86_64, ET_EXEC, {NAME, TIMER(driver)}}},
    {"serial.elf", {EM_X86_64, ET_EXEC, {NAME, SERIAL(driver)}}},
    {"serial_virt_rx.elf", {EM_X86_64, ET_EXEC, {NAME, SERIAL(virt_rx)}}},
    {"serial_virt_tx.elf", {EM_X86_64, ET_EXEC, {NAME, SERIAL(virt_tx)}}},
    {"net_virt_rx.elf", {EM_X86_64, ET_EXEC, {NAME, NET(virt_rx)}}},
    {"net_virt_tx.elf", {EM_X86_64, ET_EXEC, {NAME, NET(virt_tx), TIMER(client)}}},
    {"net_copy.elf", {EM_X86_64, ET_EXEC, {NAME, NET(copy)}}},
    {"net_arp.elf", {EM_X86_64, ET_EXEC, {NAME, NET(arp)}}},
};
enum { elf_count = sizeof(elfs) / sizeof(elfs[0]) };

static int make_programs(void **state)
{
    (void)state;
    for (size_t i = 0; i < elf_count; i++) {
        char *path = model_format("%s/%s", programs, elfs[i].name);
        elf_make_file(path, &elfs[i].order);
        free(path);
    }
    char *path = model_format("%s/text.elf", programs);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (int i = 0; i < 100; i++) {
        fputs("This is no program.\n", out);
    }
    fclose(out);
    free(path);
    return 0;
}

static int remove_programs(void **state)
{
    (void)state;
    for (size_t i = 0; i < elf_count; i++) {
        char *path = model_format("%s/%s", programs, elfs[i].name);
        unlink(path);
        free(path);
    }
    char *path = model_format("%s/text.elf", programs);
    unlink(path);
    free(path);
    return rmdir(programs);
}

static void replace(char *text, const char *what, const char *with)
{
    for (char *at; (at = strstr(text, what)) != NULL;) {
        memcpy(at, with, strlen(with));
        memmove(at + strlen(with), at + strlen(what), strlen(at + strlen(what)) + 1);
    }
}

/* What "sddf check" would print. */
static char *messages_of(const char *path)
{
    struct system_errors errors = {0};
    struct board board;
    assert_true(board_parse("board.xml", &board, &errors));
    const char *const folders[] = {programs};
    struct system_search search = {folders, 1};
    struct system system;
    system_load(path, &system, &board, &search, &errors);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    system_errors_print(&errors, out);
    fclose(out);
    system_errors_free(&errors);
    system_free(&system);
    board_free(&board);
    replace(text, programs, "PROGRAMS");
    return text;
}

static void check_description(void **state)
{
    const char *path = *state;
    char *got = messages_of(path);
    char *expected_path = model_format("%.*s.expected", (int)(strlen(path) - 4), path);
    if (getenv("SDDF_WRITE_EXPECTED") != NULL) {
        FILE *out = fopen(expected_path, "w");
        assert_non_null(out);
        fputs(got, out);
        fclose(out);
    }
    char expected[16384] = "";
    FILE *in = fopen(expected_path, "r");
    if (in == NULL) {
        fail_msg("%s has no file of expected messages; it gives:\n%s", path, got);
    }
    size_t length = fread(expected, 1, sizeof(expected) - 1, in);
    fclose(in);
    expected[length] = '\0';
    if (strcmp(got, expected) != 0) {
        fail_msg("%s gives:\n%sand should give:\n%s", path, got, expected);
    }
    free(expected_path);
    free(got);
}

int main(void)
{
    glob_t found;
    if (chdir(DESCRIPTIONS) != 0 || mkdtemp(programs) == NULL ||
        glob("[0-9]*.xml", 0, NULL, &found) != 0) {
        perror("tests/descriptions");
        return 1;
    }
    struct CMUnitTest *tests = calloc(found.gl_pathc, sizeof(*tests));
    if (tests == NULL) {
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        tests[i] = (struct CMUnitTest){.name = found.gl_pathv[i],
                                       .test_func = check_description,
                                       .initial_state = found.gl_pathv[i]};
    }
    int failed = _cmocka_run_group_tests("descriptions", tests, found.gl_pathc, make_programs,
                                         remove_programs);
    free(tests);
    globfree(&found);
    return failed != 0;
}
