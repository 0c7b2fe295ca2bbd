/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/model.h"
#include "system/network.h"
#include "system/idle.h"
#include "system/serial.h"
#include "system/timer.h"

static void *model_must(void *memory)
{
    if (memory == NULL) {
        fputs("sddf: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *model_append(void *array, size_t *count, size_t size)
{
    /* The caller's pointer has a type of its own; its bytes go through memcpy, not through void **.
     */
    char *base;
    memcpy(&base, array, sizeof(base));
    if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: full */
        size_t room = *count == 0 ? 1 : *count * 2;
        base = model_must(reallocarray(base, room, size));
        memcpy(array, &base, sizeof(base));
    }
    return memset(base + (*count)++ * size, 0, size);
}

char *model_string(const char *text)
{
    return model_must(strdup(text));
}

char *model_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
    }
    va_end(arguments);
    return model_must(text);
}

size_t model_pd(const struct system *system, const char *name)
{
    for (size_t i = 0; i < system->pd_count; i++) {
        if (system->pds[i].name != NULL && strcmp(system->pds[i].name, name) == 0) {
            return i;
        }
    }
    return SYSTEM_NONE;
}

size_t model_region(const struct system *system, const char *name)
{
    for (size_t i = 0; i < system->region_count; i++) {
        if (system->regions[i].name != NULL && strcmp(system->regions[i].name, name) == 0) {
            return i;
        }
    }
    return SYSTEM_NONE;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { longest = 63 };
    size_t rows = strlen(a);
    size_t columns = strlen(b);
    if (rows > longest || columns > longest) {
        return SIZE_MAX;
    }
    size_t before[longest + 1]; /* the row before the last, for swaps */
    size_t last[longest + 1];
    size_t row[longest + 1];
    for (size_t j = 0; j <= columns; j++) {
        before[j] = last[j] = j;
    }
    for (size_t i = 1; i <= rows; i++) {
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            row[j] = best;
        }
        memcpy(before, last, sizeof(before));
        memcpy(last, row, sizeof(last));
    }
    return last[columns];
}

const char *model_nearest(const char *name, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t length = strlen(name);
    size_t least = length / 3 + 1; /* farther away it is another word, not a slip */
    for (size_t i = 0; i < count && length >= 3; i++) {
        if (strncmp(candidates[i], name, length) == 0) {
            return candidates[i]; /* an abbreviation */
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, candidates[i]);
        if (distance < least || (distance == least && nearest == NULL)) {
            least = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

char *model_suggest(const char *name, const char *const *candidates, size_t count,
                    const char *plural)
{
    const char *nearest = model_nearest(name, candidates, count);
    if (nearest != NULL) {
        return model_format("did you mean \"%s\"?", nearest);
    }
    if (count == 0) {
        return model_format("there are no %s", plural);
    }
    enum { most = 16 };
    char *text = model_format("the %s are", plural);
    for (size_t i = 0; i < count && i < most; i++) {
        char *longer = model_format("%s%s \"%s\"", text, i == 0 ? "" : ",", candidates[i]);
        free(text);
        text = longer;
    }
    if (count > most) {
        char *longer = model_format("%s and %zu more", text, count - most);
        free(text);
        text = longer;
    }
    return text;
}

static void pd_free(struct system_pd *pd)
{
    free(pd->name);
    free(pd->program);
    free(pd->child_setvar_id);
    for (size_t i = 0; i < pd->map_count; i++) {
        free(pd->maps[i].setvar_vaddr);
        free(pd->maps[i].setvar_size);
    }
    free(pd->maps);
    for (size_t i = 0; i < pd->irq_count; i++) {
        free(pd->irqs[i].setvar_id);
    }
    free(pd->irqs);
    for (size_t i = 0; i < pd->setvar_count; i++) {
        free(pd->setvars[i].symbol);
    }
    free(pd->setvars);
    for (size_t i = 0; i < pd->patch_count; i++) {
        free(pd->patches[i].symbol);
        free(pd->patches[i].bytes);
    }
    free(pd->patches);
}

void model_free_serial(struct system_serial *serial)
{
    for (size_t i = 0; i < serial->client_count; i++) {
        free(serial->clients[i].name);
    }
    free(serial->clients);
    free(serial->device);
}

void system_free(struct system *system)
{
    for (size_t i = 0; i < system->region_count; i++) {
        free(system->regions[i].name);
    }
    free(system->regions);
    for (size_t i = 0; i < system->pd_count; i++) {
        pd_free(&system->pds[i]);
    }
    free(system->pds);
    for (size_t i = 0; i < system->channel_count; i++) {
        free(system->channels[i].end[0].setvar_id);
        free(system->channels[i].end[1].setvar_id);
    }
    free(system->channels);
    for (size_t i = 0; i < system->io_space_count; i++) {
        free(system->io_spaces[i].name);
        free(system->io_spaces[i].maps);
    }
    free(system->io_spaces);
    for (size_t i = 0; i < system->kept_count; i++) {
        free(system->kept[i].name);
        free(system->kept[i].inside);
        free(system->kept[i].text);
    }
    free(system->kept);
    for (size_t i = 0; i < system->network_count; i++) {
        free(system->networks[i].device);
        free(system->networks[i].clients);
    }
    free(system->networks);
    for (size_t i = 0; i < system->timer_count; i++) {
        free(system->timers[i].device);
        free(system->timers[i].clients);
    }
    free(system->timers);
    for (size_t i = 0; i < system->serial_count; i++) {
        model_free_serial(&system->serials[i]);
    }
    free(system->serials);
    for (size_t i = 0; i < system->idle_count; i++) {
        free(system->idles[i].device);
        free(system->idles[i].clients);
    }
    free(system->idles);
    free(system->name);
    free(system->file);
    memset(system, 0, sizeof(*system));
}
