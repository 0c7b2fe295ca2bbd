/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Microkit's rules. Each function reports all that it finds; what was reported before (an
 * unknown reference, a number that is none) is passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "system/check.h"
#include "system/model.h"

typedef unsigned long long ull;

/* ---- memory regions ------------------------------------------------------------------------ */

static bool within(const struct system_region *region, uint64_t phys, uint64_t size)
{
    return region->phys >= phys && region->phys - phys < size &&
           region->size <= size - (region->phys - phys);
}

/* Physical addresses are those of the board's devices, or of memory that they reach. */
static void check_phys(const struct check *c, const struct system_region *region)
{
    if (region->phys % region->page_size != 0) {
        system_error(c->errors, region->place,
                     "phys_addr 0x%llx of \"%s\" is no multiple of its page size 0x%llx",
                     (ull)region->phys, region->name, (ull)region->page_size);
        return;
    }
    const struct board_dma *dma = &c->board->dma;
    if (within(region, dma->phys, dma->size)) {
        return;
    }
    for (size_t i = 0; i < c->board->device_count; i++) {
        const struct board_device *device = &c->board->devices[i];
        for (size_t j = 0; j < device->region_count; j++) {
            const struct board_region *r = &device->regions[j];
            if (!r->memory && within(region, r->phys, r->size)) {
                return;
            }
        }
    }
    char *list = model_string("");
    for (size_t i = 0; i < c->board->device_count; i++) {
        const struct board_device *device = &c->board->devices[i];
        for (size_t j = 0; j < device->region_count; j++) {
            const struct board_region *r = &device->regions[j];
            if (r->memory) {
                continue;
            }
            char *longer = model_format("%s%s %s %s at 0x%llx (0x%llx bytes)", list,
                                        *list == '\0' ? "; there are" : ",", device->name, r->name,
                                        (ull)r->phys, (ull)r->size);
            free(list);
            list = longer;
        }
    }
    system_error(c->errors, region->place, "no device of board %s has 0x%llx bytes at 0x%llx%s",
                 c->board->name, (ull)region->size, (ull)region->phys, list);
    free(list);
}

void check_regions(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->region_count; i++) {
        const struct system_region *a = &s->regions[i];
        if (a->size % a->page_size != 0) {
            system_error(c->errors, a->place,
                         "size 0x%llx of \"%s\" is no multiple of its page size; 0x%llx would be",
                         (ull)a->size, a->name, (ull)model_round_up(a->size, a->page_size));
        }
        if (a->has_phys) {
            check_phys(c, a);
        }
        for (size_t j = 0; j < i; j++) {
            const struct system_region *b = &s->regions[j];
            if (strcmp(a->name, b->name) == 0) {
                system_error(c->errors, a->place,
                             "a second memory region \"%s\" (the first is in line %d); give it "
                             "another name",
                             a->name, b->place.line);
            }
            if (a->has_phys && b->has_phys && a->phys < b->phys + b->size &&
                b->phys < a->phys + a->size) {
                system_error(c->errors, a->place,
                             "\"%s\" overlaps \"%s\" (line %d) in physical memory; one region may "
                             "be mapped by several protection domains",
                             a->name, b->name, b->place.line);
            }
        }
    }
}

/* ---- protection domains -------------------------------------------------------------------- */

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static void check_map_overlaps(const struct check *c, size_t pd, size_t index)
{
    const struct system_pd *self = &c->system->pds[pd];
    const struct system_map *map = &self->maps[index];
    const struct system_region *region = &c->system->regions[map->region];
    for (size_t i = 0; i < index; i++) {
        const struct system_map *other = &self->maps[i];
        if (other->region != SYSTEM_NONE && overlap(map->vaddr, region->size, other->vaddr,
                                                    c->system->regions[other->region].size)) {
            const struct system_region *first = &c->system->regions[other->region];
            system_error(c->errors, map->place,
                         "\"%s\" at 0x%llx overlaps \"%s\" (line %d), which ends at 0x%llx",
                         region->name, (ull)map->vaddr, first->name, other->place.line,
                         (ull)(other->vaddr + first->size));
        }
    }
    const struct image *image = &c->images[pd];
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segments[i];
        uint64_t start = segment->vaddr & ~UINT64_C(0xfff);
        uint64_t end = model_round_up(segment->vaddr + segment->size, 0x1000);
        if (overlap(map->vaddr, region->size, start, end - start)) {
            system_error(c->errors, map->place,
                         "\"%s\" at 0x%llx overlaps the program, which has 0x%llx to 0x%llx",
                         region->name, (ull)map->vaddr, (ull)start, (ull)end);
        }
    }
}

/* What the board gives of a device's region. */
static void check_map_perms(const struct check *c, const struct system_map *map,
                            const struct system_region *region)
{
    for (size_t i = 0; i < c->board->device_count && region->has_phys; i++) {
        const struct board_device *device = &c->board->devices[i];
        for (size_t j = 0; j < device->region_count; j++) {
            const struct board_region *r = &device->regions[j];
            if (!r->memory && within(region, r->phys, r->size) && (map->perms & ~r->perms) != 0) {
                system_error(c->errors, map->place,
                             "\"%s\" is %s of device \"%s\", which can only be mapped with "
                             "perms=\"%s\"",
                             region->name, r->name, device->name,
                             (r->perms & SYSTEM_WRITE) != 0 ? "rw" : "r");
            }
        }
    }
}

static void check_map(const struct check *c, size_t pd, size_t index)
{
    const struct system_pd *self = &c->system->pds[pd];
    const struct system_map *map = &self->maps[index];
    if (map->region == SYSTEM_NONE) {
        return;
    }
    const struct system_region *region = &c->system->regions[map->region];
    if (map->vaddr % region->page_size != 0) {
        system_error(c->errors, map->place,
                     "vaddr 0x%llx is no multiple of the page size 0x%llx of \"%s\"",
                     (ull)map->vaddr, (ull)region->page_size, region->name);
    }
    uint64_t top = SYSTEM_VADDR_MAX;
    if (region->size > top || map->vaddr > top - region->size) {
        system_error(c->errors, map->place,
                     "\"%s\" at 0x%llx reaches above 0x%llx, where the stack is; choose a lower "
                     "vaddr",
                     region->name, (ull)map->vaddr, (ull)top);
        return;
    }
    check_map_perms(c, map, region);
    check_map_overlaps(c, pd, index);
}

static void check_irq_known(const struct check *c, const struct system_irq *irq)
{
    char *list = model_string("");
    bool known = false;
    for (size_t d = 0; d < c->board->device_count; d++) {
        const struct board_device *device = &c->board->devices[d];
        for (size_t n = 0; n < device->irq_count; n++) {
            known |= device->irqs[n].irq == irq->irq;
            char *longer = model_format("%s%s %llu (%s)", list, *list == '\0' ? "; there are" : ",",
                                        (ull)device->irqs[n].irq, device->name);
            free(list);
            list = longer;
        }
    }
    if (!known) {
        system_error(c->errors, irq->place, "board %s has no interrupt %llu%s", c->board->name,
                     (ull)irq->irq, list);
    }
    free(list);
}

static void check_irqs(const struct check *c, const struct system_pd *pd)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < pd->irq_count; i++) {
        const struct system_irq *irq = &pd->irqs[i];
        if (irq->irq == UINT64_MAX) {
            continue;
        }
        check_irq_known(c, irq);
        for (size_t p = 0; p < s->pd_count; p++) {
            for (size_t j = 0; j < s->pds[p].irq_count; j++) {
                const struct system_irq *other = &s->pds[p].irqs[j];
                if (other == irq) {
                    goto next; /* each two are compared once, by the later one */
                }
                if (other->irq == irq->irq) {
                    system_error(c->errors, irq->place,
                                 "interrupt %llu is already \"%s\"'s (line %d); an interrupt has "
                                 "one handler",
                                 (ull)irq->irq, s->pds[p].name, other->place.line);
                }
            }
        }
    next:;
    }
}

/* Channels, and interrupts, share one set of numbers. */
static void check_ids(const struct check *c, size_t pd)
{
    const struct system *s = c->system;
    struct system_place first[SYSTEM_CHANNELS_MAX] = {{0}};
    for (size_t i = 0; i < s->pds[pd].irq_count; i++) {
        const struct system_irq *irq = &s->pds[pd].irqs[i];
        if (irq->id < SYSTEM_CHANNELS_MAX) {
            if (first[irq->id].line > 0) {
                system_error(c->errors, irq->place,
                             "\"%s\" has two channels or interrupts with id %u (the first is in "
                             "line %d)",
                             s->pds[pd].name, irq->id, first[irq->id].line);
            } else {
                first[irq->id] = irq->place;
            }
        }
    }
    for (size_t i = 0; i < s->channel_count; i++) {
        const struct system_end *ends = s->channels[i].end;
        if (ends[0].pd == ends[1].pd) {
            continue; /* reported as such */
        }
        for (int side = 0; side < 2; side++) {
            const struct system_end *end = &ends[side];
            if (end->pd != pd || end->id >= SYSTEM_CHANNELS_MAX) {
                continue;
            }
            if (first[end->id].line > 0) {
                system_error(c->errors, end->place,
                             "\"%s\" has two channels or interrupts with id %u (the first is in "
                             "line %d)",
                             s->pds[pd].name, end->id, first[end->id].line);
            } else {
                first[end->id] = end->place;
            }
        }
    }
}

/* One that terminals heed: of ASCII, or U+0080 to U+009F (the parser has seen to UTF-8). */
static bool has_control(const char *name)
{
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

static void check_pd_names(const struct check *c, size_t index)
{
    const struct system_pd *pd = &c->system->pds[index];
    if (strlen(pd->name) > SYSTEM_NAME_MAX) {
        system_error(c->errors, pd->place, "the name \"%.20s...\" is longer than %d characters",
                     pd->name, SYSTEM_NAME_MAX);
    }
    if (strchr(pd->name, '/') != NULL) {
        system_error(c->errors, pd->place,
                     "the name \"%s\" contains \"/\"; files are named after it", pd->name);
    }
    if (has_control(pd->name)) { /* not shown as it is, since it would do something there too */
        system_error(c->errors, pd->place,
                     "the name of a protection domain contains a control character; it stands "
                     "before each line that the protection domain prints");
    }
    for (size_t i = 0; i < index; i++) {
        const struct system_pd *other = &c->system->pds[i];
        if (strcmp(pd->name, other->name) == 0 && pd->name[0] != '(') {
            system_error(c->errors, pd->place,
                         "a second protection domain \"%s\" (the first is in line %d); give it "
                         "another name",
                         pd->name, other->place.line);
        }
        if (pd->parent != SYSTEM_NONE && pd->parent == other->parent &&
            pd->child_id != SYSTEM_ID_NONE && pd->child_id == other->child_id) {
            system_error(c->errors, pd->place,
                         "\"%s\" has two children with id %u (the first is in line %d)",
                         c->system->pds[pd->parent].name, pd->child_id, other->place.line);
        }
    }
}

void check_pds(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->pd_count; i++) {
        check_pd_names(c, i);
        for (size_t j = 0; j < s->pds[i].map_count; j++) {
            check_map(c, i, j);
        }
        check_irqs(c, &s->pds[i]);
        check_ids(c, i);
    }
}

/* ---- channels ------------------------------------------------------------------------------ */

static void check_calls(const struct check *c, const struct system_channel *channel)
{
    const struct system_end *ends = channel->end;
    if (ends[0].pp && ends[1].pp) {
        system_error(c->errors, channel->place,
                     "both ends have pp=\"true\"; only the one of lower priority may call");
        return;
    }
    for (int side = 0; side < 2; side++) {
        const struct system_pd *caller = &c->system->pds[ends[side].pd];
        const struct system_pd *callee = &c->system->pds[ends[!side].pd];
        if (ends[side].pp && caller->priority >= callee->priority) {
            system_error(c->errors, ends[side].place,
                         "\"%s\" (priority %u) calls \"%s\" (priority %u); a protected procedure "
                         "must have a strictly higher priority than its callers",
                         caller->name, caller->priority, callee->name, callee->priority);
        }
    }
}

/*
 * Protected procedures that call in a circle would wait for each other forever. `reach` is built
 * up channel by channel, so the one that closes a circle is found with its line.
 */
static void check_cycles(const struct check *c)
{
    const struct system *s = c->system;
    size_t n = s->pd_count;
    bool *reach = calloc(n * n + 1, sizeof(*reach));
    if (reach == NULL) {
        return;
    }
    for (size_t i = 0; i < s->channel_count; i++) {
        const struct system_end *ends = s->channels[i].end;
        if (ends[0].pd == SYSTEM_NONE || ends[1].pd == SYSTEM_NONE || ends[0].pp == ends[1].pp ||
            ends[0].pd == ends[1].pd) {
            continue;
        }
        size_t from = ends[ends[0].pp ? 0 : 1].pd;
        size_t to = ends[ends[0].pp ? 1 : 0].pd;
        if (reach[to * n + from]) {
            system_error(c->errors, s->channels[i].place,
                         "\"%s\" calling \"%s\" closes a circle of protected procedures, which "
                         "would wait for each other forever",
                         s->pds[from].name, s->pds[to].name);
            continue;
        }
        for (size_t a = 0; a < n; a++) {
            if (a != from && !reach[a * n + from]) {
                continue;
            }
            reach[a * n + to] = true;
            for (size_t b = 0; b < n; b++) {
                reach[a * n + b] |= reach[to * n + b];
            }
        }
    }
    free(reach);
}

void check_channels(const struct check *c)
{
    for (size_t i = 0; i < c->system->channel_count; i++) {
        const struct system_channel *channel = &c->system->channels[i];
        if (channel->end[0].pd == SYSTEM_NONE || channel->end[1].pd == SYSTEM_NONE) {
            continue;
        }
        if (channel->end[0].pd == channel->end[1].pd) {
            system_error(c->errors, channel->place,
                         "the channel joins \"%s\" to itself; it must join two protection domains",
                         c->system->pds[channel->end[0].pd].name);
            continue;
        }
        check_calls(c, channel);
    }
    check_cycles(c);
}

/* ---- IO address spaces --------------------------------------------------------------------- */

static void check_iomap(const struct check *c, const struct system_io_space *space, size_t index)
{
    const struct system_iomap *map = &space->maps[index];
    if (map->region == SYSTEM_NONE) {
        return;
    }
    const struct system_region *region = &c->system->regions[map->region];
    if (map->iovaddr % region->page_size != 0) {
        system_error(c->errors, map->place,
                     "iovaddr 0x%llx is no multiple of the page size 0x%llx of \"%s\"",
                     (ull)map->iovaddr, (ull)region->page_size, region->name);
    }
    if ((map->perms & SYSTEM_EXECUTE) != 0) {
        system_error(c->errors, map->place,
                     "a device executes nothing; perms are \"r\", \"w\" or \"rw\"");
    }
    if (region->has_phys) {
        system_error(c->errors, map->place,
                     "\"%s\" is a device's own; what a device reaches is memory", region->name);
    }
    for (size_t i = 0; i < index; i++) {
        const struct system_iomap *other = &space->maps[i];
        if (other->region != SYSTEM_NONE && overlap(map->iovaddr, region->size, other->iovaddr,
                                                    c->system->regions[other->region].size)) {
            system_error(c->errors, map->place,
                         "\"%s\" at IO address 0x%llx overlaps \"%s\" (line %d), which ends at "
                         "0x%llx",
                         region->name, (ull)map->iovaddr, c->system->regions[other->region].name,
                         other->place.line,
                         (ull)(other->iovaddr + c->system->regions[other->region].size));
        }
    }
}

void check_io_spaces(const struct check *c)
{
    const struct system *s = c->system;
    for (size_t i = 0; i < s->io_space_count; i++) {
        const struct system_io_space *space = &s->io_spaces[i];
        if (space->name == NULL) {
            continue;
        }
        check_device(c, space->name, NULL, space->place);
        for (size_t j = 0; j < i; j++) {
            if (s->io_spaces[j].name != NULL && strcmp(s->io_spaces[j].name, space->name) == 0) {
                system_error(c->errors, space->place,
                             "a second IO address space of \"%s\" (the first is in line %d); write "
                             "all its maps into one",
                             space->name, s->io_spaces[j].place.line);
            }
        }
        for (size_t j = 0; j < space->map_count; j++) {
            check_iomap(c, space, j);
        }
    }
}

/* ---- all ----------------------------------------------------------------------------------- */

bool system_check(const struct system *system, const struct board *board,
                  const struct system_search *search, struct system_errors *errors)
{
    size_t before = errors->count;
    /* And nothing more of it: all else is compared with all else, and grows with the square. */
    if (system->pd_count > SYSTEM_PDS_MAX) {
        system_error(errors, system->pds[SYSTEM_PDS_MAX].place,
                     "the system has %zu protection domains; there can be %d", system->pd_count,
                     SYSTEM_PDS_MAX);
        return false;
    }
    struct check c = {system, board, search, errors,
                      calloc(system->pd_count + 1, sizeof(struct image))};
    if (c.images == NULL) {
        system_error(errors, (struct system_place){system->file, 0}, "out of memory");
        return false;
    }
    if (system->pd_count == 0 && errors->count == 0) {
        system_error(errors, (struct system_place){system->file, 0},
                     "the system has no protection domain; it needs at least one");
    }
    check_programs(&c);
    check_regions(&c);
    check_pds(&c);
    check_channels(&c);
    check_io_spaces(&c);
    check_kept(&c);
    check_networks(&c);
    check_timers(&c);
    check_serials(&c);
    check_idles(&c);
    for (size_t i = 0; i < system->pd_count; i++) {
        image_free(&c.images[i]);
    }
    free(c.images);
    return errors->count == before;
}
