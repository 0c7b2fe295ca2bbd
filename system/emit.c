/* SPDX-License-Identifier: BSD-2-Clause */
/* Model -> plain SDF, for what was expanded; the configurations are in the programs by then. */
#include <stdio.h>

#include "system/system.h"

static void indent(FILE *out, int depth)
{
    fprintf(out, "%*s", depth * 2, "");
}

/* An attribute, with what XML would misread written as references. */
static void attribute(FILE *out, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    fprintf(out, " %s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '&' || *value == '<' || (unsigned char)*value < ' ') {
            fprintf(out, "&#%d;", *value);
        } else {
            fputc(*value, out);
        }
    }
    fputc('"', out);
}

static void number(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, " %s=\"%llu\"", name, (unsigned long long)value);
}

static void address(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, " %s=\"0x%llx\"", name, (unsigned long long)value);
}

static void perms(FILE *out, unsigned value)
{
    fprintf(out, " perms=\"%s%s%s\"", value & SYSTEM_READ ? "r" : "",
            value & SYSTEM_WRITE ? "w" : "", value & SYSTEM_EXECUTE ? "x" : "");
}

/* What was kept of this one: its attributes, or its elements. */
static void emit_kept(FILE *out, const struct system *system, enum system_owner owner, size_t index,
                      size_t map, bool elements, int depth)
{
    for (size_t i = 0; i < system->kept_count; i++) {
        const struct system_kept *kept = &system->kept[i];
        if (kept->owner != owner || kept->index != index || kept->map != map ||
            kept->element != elements) {
            continue;
        }
        if (elements) {
            indent(out, depth);
        }
        fprintf(out, "%s%s", kept->text, elements ? "\n" : "");
    }
}

static void emit_region(FILE *out, const struct system *system, size_t index)
{
    const struct system_region *region = &system->regions[index];
    fputs("  <memory_region", out);
    attribute(out, "name", region->name);
    address(out, "size", region->size);
    /* Else the Microkit's tool takes the largest pages that fit. */
    if (region->has_page_size || region->page_size != 0x1000) {
        address(out, "page_size", region->page_size);
    }
    if (region->has_phys) {
        address(out, "phys_addr", region->phys);
    }
    emit_kept(out, system, SYSTEM_OF_REGION, index, 0, false, 0);
    fputs("/>\n", out);
}

static void emit_map(FILE *out, const struct system *system, size_t pd, size_t index, int depth)
{
    const struct system_map *map = &system->pds[pd].maps[index];
    indent(out, depth);
    fputs("<map", out);
    attribute(out, "mr", system->regions[map->region].name);
    address(out, "vaddr", map->vaddr);
    perms(out, map->perms);
    if (!map->cached) {
        attribute(out, "cached", "false");
    }
    attribute(out, "setvar_vaddr", map->setvar_vaddr);
    attribute(out, "setvar_size", map->setvar_size);
    emit_kept(out, system, SYSTEM_OF_MAP, pd, index, false, 0);
    fputs("/>\n", out);
}

static void emit_irq(FILE *out, const struct system_irq *irq, int depth, bool newer)
{
    indent(out, depth);
    fputs("<irq", out);
    number(out, "irq", irq->irq);
    number(out, "id", irq->id);
    attribute(out, "trigger", irq->edge ? "edge" : "level");
    attribute(out, "setvar_id", newer ? irq->setvar_id : NULL);
    fputs("/>\n", out);
}

static void emit_pd(FILE *out, const struct system *system, size_t index, int depth,
                    unsigned release)
{
    const bool newer = release >= SYSTEM_SDF_CORES;
    const struct system_pd *pd = &system->pds[index];
    indent(out, depth);
    fputs("<protection_domain", out);
    attribute(out, "name", pd->name);
    number(out, "priority", pd->priority);
    if (pd->budget != 1000 || pd->period != pd->budget) {
        number(out, "budget", pd->budget);
        number(out, "period", pd->period);
    }
    if (pd->passive) {
        attribute(out, "passive", "true");
    }
    address(out, "stack_size", pd->stack_size);
    if (pd->cpu != 0 && newer) {
        number(out, "cpu", pd->cpu);
    }
    if (pd->poll != 0 && release == SYSTEM_SDF_OURS) {
        number(out, "poll", pd->poll);
    }
    if (pd->shutdown && release == SYSTEM_SDF_OURS) {
        attribute(out, "shutdown", "true");
    }
    if (pd->parent != SYSTEM_NONE) {
        number(out, "id", pd->child_id);
        attribute(out, "setvar_id", newer ? pd->child_setvar_id : NULL);
    }
    emit_kept(out, system, SYSTEM_OF_PD, index, 0, false, 0);
    fputs(">\n", out);
    indent(out, depth + 1);
    fputs("<program_image", out);
    attribute(out, "path", pd->program);
    fputs("/>\n", out);
    for (size_t i = 0; i < pd->map_count; i++) {
        emit_map(out, system, index, i, depth + 1);
    }
    for (size_t i = 0; i < pd->irq_count; i++) {
        emit_irq(out, &pd->irqs[i], depth + 1, newer);
    }
    for (size_t i = 0; i < pd->setvar_count; i++) {
        indent(out, depth + 1);
        fputs("<setvar", out);
        attribute(out, "symbol", pd->setvars[i].symbol);
        attribute(out, "region_paddr", system->regions[pd->setvars[i].region].name);
        fputs("/>\n", out);
    }
    emit_kept(out, system, SYSTEM_OF_PD, index, 0, true, depth + 1);
    for (size_t i = index + 1; i < system->pd_count; i++) {
        if (system->pds[i].parent == index) {
            emit_pd(out, system, i, depth + 1, release);
        }
    }
    indent(out, depth);
    fputs("</protection_domain>\n", out);
}

static void emit_channel(FILE *out, const struct system *system,
                         const struct system_channel *channel, bool newer)
{
    fputs("  <channel>\n", out);
    for (int side = 0; side < 2; side++) {
        const struct system_end *end = &channel->end[side];
        fputs("    <end", out);
        attribute(out, "pd", system->pds[end->pd].name);
        number(out, "id", end->id);
        attribute(out, "pp", end->pp ? "true" : NULL);
        attribute(out, "notify", end->notify ? NULL : "false");
        attribute(out, "setvar_id", newer ? end->setvar_id : NULL);
        fputs("/>\n", out);
    }
    fputs("  </channel>\n", out);
}

static void emit_io_space(FILE *out, const struct system *system,
                          const struct system_io_space *space)
{
    fputs("  <io_address_space", out);
    attribute(out, "name", space->name);
    fputs(">\n", out);
    for (size_t i = 0; i < space->map_count; i++) {
        fputs("    <iomap", out);
        attribute(out, "mr", system->regions[space->maps[i].region].name);
        address(out, "iovaddr", space->maps[i].iovaddr);
        perms(out, space->maps[i].perms);
        fputs("/>\n", out);
    }
    fputs("  </io_address_space>\n", out);
}

bool system_emit(const struct system *system, FILE *out)
{
    return system_emit_for(system, SYSTEM_SDF_OURS, out);
}

bool system_emit_for(const struct system *system, unsigned release, FILE *out)
{
    const bool newer = release >= SYSTEM_SDF_CORES;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<system>\n", out);
    /* First: the Microkit 2.3.0 wants to know of domains before it reads of who is in them. */
    emit_kept(out, system, SYSTEM_OF_ALL, 0, 0, true, 1);
    for (size_t i = 0; i < system->region_count; i++) {
        emit_region(out, system, i);
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        if (system->pds[i].parent == SYSTEM_NONE) {
            emit_pd(out, system, i, 1, release);
        }
    }
    for (size_t i = 0; i < system->channel_count; i++) {
        emit_channel(out, system, &system->channels[i], newer);
    }
    for (size_t i = 0; i < system->io_space_count && release >= SYSTEM_SDF_NEWER; i++) {
        emit_io_space(out, system, &system->io_spaces[i]);
    }
    fputs("</system>\n", out);
    return fflush(out) == 0 && !ferror(out);
}
