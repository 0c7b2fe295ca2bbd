/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs: are they there, are they fit for the board, do they have what is to be set. */
#include <stdlib.h>
#include <string.h>

#include "sddf/idle.h"
#include "sddf/net.h"
#include "sddf/serial.h"
#include "sddf/timer.h"
#include "system/check.h"
#include "system/idle.h"
#include "system/model.h"
#include "system/network.h"
#include "system/serial.h"
#include "system/timer.h"

typedef unsigned long long ull;

static void check_missing(const struct check *c, const struct system_pd *pd)
{
    if (pd->program[0] == '/' || c->search->count == 0) {
        system_error(c->errors, pd->place, "\"%s\": there is no program \"%s\"", pd->name,
                     pd->program);
        return;
    }
    char *folders = model_string("");
    for (size_t i = 0; i < c->search->count; i++) {
        char *longer = model_format("%s%s%s", folders, i == 0 ? "" : ", ", c->search->folders[i]);
        free(folders);
        folders = longer;
    }
    system_error(c->errors, pd->place,
                 "\"%s\": there is no program \"%s\" in %s; name its folder with --search-path",
                 pd->name, pd->program, folders);
    free(folders);
}

/* What a process on Linux is not given; on seL4 it is the program's own affair. */
static bool has_written_code(const struct image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        if ((image->segments[i].perms & SYSTEM_WRITE) != 0 &&
            (image->segments[i].perms & SYSTEM_EXECUTE) != 0) {
            return true;
        }
    }
    return false;
}

static void check_program(const struct check *c, size_t index)
{
    const struct system_pd *pd = &c->system->pds[index];
    if (pd->program == NULL) {
        return;
    }
    char *path = system_find_program(c->search, pd->program);
    if (path == NULL) {
        check_missing(c, pd);
        return;
    }
    struct image *image = &c->images[index];
    char *why = NULL;
    if (!image_load(path, image, &why)) {
        system_error(c->errors, pd->place, "\"%s\": program %s cannot be used: %s", pd->name, path,
                     why);
    } else if (c->board->arch != NULL && image->machine != image_machine(c->board->arch)) {
        system_error(c->errors, pd->place, "\"%s\": program %s is for %s, and board %s is %s",
                     pd->name, path, image_machine_name(image->machine), c->board->name,
                     c->board->arch);
    } else if (!c->board->microkit && has_written_code(image)) {
        system_error(c->errors, pd->place,
                     "\"%s\": program %s has a segment that is both written and executed; link it "
                     "with -z separate-code",
                     pd->name, path);
    }
    free(why);
    free(path);
}

/* ---- symbols ------------------------------------------------------------------------------- */

static void check_setvar(const struct check *c, size_t pd, const char *symbol,
                         struct system_place place)
{
    const struct image *image = &c->images[pd];
    uint64_t vaddr;
    uint64_t size;
    if (symbol == NULL || image->path == NULL) {
        return;
    }
    if (!image_symbol(image, symbol, &vaddr, &size)) {
        system_error(c->errors, place, "\"%s\": program %s has no symbol \"%s\" to be set",
                     c->system->pds[pd].name, image->path, symbol);
    } else if (size != 0 && size < 8) {
        system_error(c->errors, place,
                     "\"%s\": symbol \"%s\" has %llu bytes, and 8 are set; make it a seL4_Word",
                     c->system->pds[pd].name, symbol, (ull)size);
    }
}

/* ---- symbols that are set twice -------------------------------------------------------------- */

struct symbols {
    const struct check *c;
    size_t pd;
    struct symbol {
        const char *name;
        int line;
    } * list;
    size_t count;
};

static void note_symbol(struct symbols *symbols, const char *name, struct system_place place)
{
    if (name == NULL) {
        return;
    }
    for (size_t i = 0; i < symbols->count; i++) {
        if (strcmp(symbols->list[i].name, name) == 0) {
            system_error(symbols->c->errors, place,
                         "\"%s\": symbol \"%s\" is set twice (first in line %d); one of them "
                         "would be lost",
                         symbols->c->system->pds[symbols->pd].name, name, symbols->list[i].line);
            return;
        }
    }
    *(struct symbol *)model_append(&symbols->list, &symbols->count, sizeof(*symbols->list)) =
        (struct symbol){name, place.line};
}

static void check_symbols_once(const struct check *c, size_t index)
{
    const struct system *s = c->system;
    const struct system_pd *pd = &s->pds[index];
    struct symbols symbols = {.c = c, .pd = index};
    for (size_t i = 0; i < pd->map_count; i++) {
        note_symbol(&symbols, pd->maps[i].setvar_vaddr, pd->maps[i].place);
        note_symbol(&symbols, pd->maps[i].setvar_size, pd->maps[i].place);
    }
    for (size_t i = 0; i < pd->irq_count; i++) {
        note_symbol(&symbols, pd->irqs[i].setvar_id, pd->irqs[i].place);
    }
    for (size_t i = 0; i < pd->setvar_count; i++) {
        note_symbol(&symbols, pd->setvars[i].symbol, pd->setvars[i].place);
    }
    for (size_t i = 0; i < s->pd_count; i++) {
        if (s->pds[i].parent == index) {
            note_symbol(&symbols, s->pds[i].child_setvar_id, s->pds[i].place);
        }
    }
    for (size_t i = 0; i < s->channel_count; i++) {
        for (int side = 0; side < 2; side++) {
            if (s->channels[i].end[side].pd == index) {
                note_symbol(&symbols, s->channels[i].end[side].setvar_id,
                            s->channels[i].end[side].place);
            }
        }
    }
    free(symbols.list);
}

static void check_setvars(const struct check *c, size_t index)
{
    const struct system_pd *pd = &c->system->pds[index];
    check_symbols_once(c, index);
    for (size_t i = 0; i < pd->map_count; i++) {
        check_setvar(c, index, pd->maps[i].setvar_vaddr, pd->maps[i].place);
        check_setvar(c, index, pd->maps[i].setvar_size, pd->maps[i].place);
    }
    for (size_t i = 0; i < pd->irq_count; i++) {
        check_setvar(c, index, pd->irqs[i].setvar_id, pd->irqs[i].place);
    }
    for (size_t i = 0; i < pd->setvar_count; i++) {
        check_setvar(c, index, pd->setvars[i].symbol, pd->setvars[i].place);
    }
    if (pd->parent != SYSTEM_NONE) {
        check_setvar(c, pd->parent, pd->child_setvar_id, pd->place);
    }
}

/* A program's configuration symbol: is it there, and of the size that this tool writes? */
static void check_config(const struct check *c, size_t pd, const char *symbol, size_t size,
                         const char *library, struct system_place place)
{
    const struct image *image = pd == SYSTEM_NONE ? NULL : &c->images[pd];
    uint64_t vaddr;
    uint64_t has;
    if (image == NULL || image->path == NULL) {
        return;
    }
    if (!image_symbol(image, symbol, &vaddr, &has)) {
        system_error(c->errors, place, "\"%s\": program %s has no symbol \"%s\"; link it with %s",
                     c->system->pds[pd].name, image->path, symbol, library);
    } else if (has != size) {
        system_error(c->errors, place,
                     "\"%s\": in program %s, \"%s\" has %llu bytes, and this tool writes %zu; "
                     "build both from the same version",
                     c->system->pds[pd].name, image->path, symbol, (ull)has, size);
    }
}

static bool config_filled(const struct system_pd *pd, const char *symbol)
{
    for (size_t i = 0; i < pd->patch_count; i++) {
        if (strcmp(pd->patches[i].symbol, symbol) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * A program with a configuration that nobody fills in would only say that it does not match, and
 * stay stopped. (A serial configuration may be left out: programs then print in another way; so may
 * an idle count.)
 */
static void check_unfilled(const struct check *c, size_t pd, const char *symbol, const char *class_)
{
    const struct image *image = &c->images[pd];
    uint64_t vaddr, size;
    if (image->path == NULL || !image_symbol(image, symbol, &vaddr, &size) ||
        config_filled(&c->system->pds[pd], symbol)) {
        return;
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segments[i];
        uint64_t offset = vaddr - segment->vaddr;
        if (vaddr >= segment->vaddr && offset < segment->size && segment->bytes[offset] != 0) {
            return; /* a program that sddf build has configured */
        }
    }
    system_error(c->errors, c->system->pds[pd].place,
                 "\"%s\": program %s has \"%s\", and nothing fills it in; add <client pd=\"%s\" "
                 ".../> to a <%s>",
                 c->system->pds[pd].name, image->path, symbol, c->system->pds[pd].name, class_);
}

static void check_configs(const struct check *c)
{
    const struct system *s = c->system;
    bool expanded = s->network_count + s->timer_count + s->serial_count + s->idle_count == 0;
    for (size_t i = 0; expanded && i < s->pd_count; i++) {
        check_unfilled(c, i, "sddf_net_config", "network");
        check_unfilled(c, i, "sddf_timer_config", "timer");
    }
    for (size_t i = 0; i < s->network_count; i++) {
        for (size_t j = 0; j < s->networks[i].client_count; j++) {
            const struct network_client *client = &s->networks[i].clients[j];
            check_config(c, client->pd, "sddf_net_config", sizeof(struct net_client_config),
                         "the network class's client library", client->place);
        }
    }
    for (size_t i = 0; i < s->timer_count; i++) {
        for (size_t j = 0; j < s->timers[i].client_count; j++) {
            const struct timer_client *client = &s->timers[i].clients[j];
            check_config(c, client->pd, "sddf_timer_config", sizeof(struct timer_client_config),
                         "timer/client.c", client->place);
        }
    }
    for (size_t i = 0; i < s->serial_count; i++) {
        for (size_t j = 0; j < s->serials[i].client_count; j++) {
            const struct serial_client *client = &s->serials[i].clients[j];
            check_config(c, client->pd, "sddf_serial_config", sizeof(struct serial_client_config),
                         "serial/client.c and serial/format.c", client->place);
        }
    }
    for (size_t i = 0; i < s->idle_count; i++) {
        for (size_t j = 0; j < s->idles[i].client_count; j++) {
            const struct idle_client *client = &s->idles[i].clients[j];
            check_config(c, client->pd, "sddf_idle_config", sizeof(struct idle_config),
                         "what reads the idle count (sddf/idle.h)", client->place);
        }
    }
    for (size_t i = 0; i < s->pd_count; i++) { /* after expansion */
        for (size_t j = 0; j < s->pds[i].patch_count; j++) {
            const struct system_patch *patch = &s->pds[i].patches[j];
            check_config(c, i, patch->symbol, patch->size, "its class's library", s->pds[i].place);
        }
    }
}

void check_programs(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->pd_count; i++) {
        check_program(c, i);
    }
    for (size_t i = 0; i < s->pd_count; i++) {
        check_setvars(c, i);
    }
    for (size_t i = 0; i < s->channel_count; i++) {
        for (int side = 0; side < 2; side++) {
            const struct system_end *end = &s->channels[i].end[side];
            if (end->pd != SYSTEM_NONE) {
                check_setvar(c, end->pd, end->setvar_id, end->place);
            }
        }
    }
    check_configs(c);
}
