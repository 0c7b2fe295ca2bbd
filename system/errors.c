/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "system/model.h"

void system_error(struct system_errors *errors, struct system_place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        text = model_string("out of memory");
    }
    va_end(arguments);
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
