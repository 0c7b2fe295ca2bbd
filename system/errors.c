/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "system/model.h"

/*
 * What a file says gets into messages, and those onto terminals: what these would heed (of ASCII,
 * or U+0080 to U+009F in UTF-8) becomes a space, and a message stays one line.
 */
static void remove_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f) {
            *at = ' ';
        } else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
            at[0] = at[1] = ' ';
        }
    }
}

void system_error(struct system_errors *errors, struct system_place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        text = model_string("out of memory");
    }
    va_end(arguments);
    remove_controls(text);
    struct system_error *error = model_append(&errors->list, &errors->count, sizeof(*error));
    /* A copy of the file's name: mistakes outlive the system that they are in. */
    error->place.file = model_string(place.file != NULL ? place.file : "sddf");
    error->place.line = place.line;
    error->text = text;
}

/* By file, then line, then text: the same mistakes always make the same output. */
static int compare(const void *a, const void *b)
{
    const struct system_error *left = a;
    const struct system_error *right = b;
    int files = strcmp(left->place.file, right->place.file);
    if (files != 0) {
        return files;
    }
    if (left->place.line != right->place.line) {
        return left->place.line < right->place.line ? -1 : 1;
    }
    return strcmp(left->text, right->text);
}

static void sort(const struct system_errors *errors)
{
    if (errors->count > 0) {
        qsort(errors->list, errors->count, sizeof(*errors->list), compare);
    }
}

size_t system_errors_count(const struct system_errors *errors)
{
    sort(errors);
    size_t count = 0;
    for (size_t i = 0; i < errors->count; i++) {
        count += i == 0 || compare(&errors->list[i], &errors->list[i - 1]) != 0;
    }
    return count;
}

void system_errors_print(const struct system_errors *errors, FILE *out)
{
    sort(errors);
    for (size_t i = 0; i < errors->count; i++) {
        const struct system_error *error = &errors->list[i];
        if (i > 0 && compare(error, &errors->list[i - 1]) == 0) {
            continue; /* found twice: before expansion and after it */
        }
        if (error->place.line > 0) {
            fprintf(out, "%s:%d: %s\n", error->place.file, error->place.line, error->text);
        } else {
            fprintf(out, "%s: %s\n", error->place.file, error->text);
        }
    }
}

void system_errors_free(struct system_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        free((char *)(uintptr_t)errors->list[i].place.file);
        free(errors->list[i].text);
    }
    free(errors->list);
    errors->list = NULL;
    errors->count = 0;
}
