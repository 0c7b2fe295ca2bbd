/* SPDX-License-Identifier: BSD-2-Clause */
/* A description: parsed, checked and expanded for a board that has nothing. */
#include "file.h"
#include "system/model.h"
#include "system/system.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct board board = {.name = model_string("none"), .arch = model_string("x86_64")};
    struct system_search search = {NULL, 0};
    struct system_errors errors = {0};
    struct system system;
    const bool good = system_load(fuzz_file(bytes, size), &system, &board, &search, &errors);
    if (good != (errors.count == 0)) {
        abort();
    }
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        abort();
    }
    system_errors_print(&errors, out);
    fclose(out);
    /* A message is lines of text, whatever the description holds. */
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\n' && ((unsigned char)text[i] < ' ' || text[i] == 0x7f)) {
            fwrite(text, 1, length, stderr);
            abort();
        }
    }
    free(text);
    system_errors_free(&errors);
    system_free(&system);
    board_free(&board);
    return 0;
}
