/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expansion: sDDF elements become plain SDF. expand_network.c and expand_timer.c say what a network
 * or a timer is made of; here is how a PD, region, map, channel or configuration is made.
 *
 * Addresses are given out from SYSTEM_EXPAND_VADDR up, around the PD's own maps and its program,
 * with an unmapped page behind each: who runs off the end of a queue meets a fault, not the next
 * queue.
 */
#include <stdlib.h>
#include <string.h>

#include "system/expand.h"
#include "system/model.h"

#define PAGE       UINT64_C(0x1000)
#define LARGE_PAGE UINT64_C(0x200000)
#define STACK_SIZE 0x10000 /* of every PD that is made here */

/*
 * us, of every PD that is made here and whose description says nothing else: enough for any load,
 * and a twentieth of the time for others if one of them should spin, whatever its priority.
 */
#define BUDGET 95000
#define PERIOD 100000

size_t expand_pd(struct expand *e, const char *name, const char *program, unsigned priority,
                 const struct system_component *override, struct system_place place)
{
    struct system *s = e->system;
    size_t index = s->pd_count;
    struct system_pd *pd = model_append(&s->pds, &s->pd_count, sizeof(*pd));
    pd->name = model_string(name);
    pd->program = model_string(program);
    pd->priority = override->has_priority ? (unsigned) override->priority : priority;
    bool chosen = override->has_budget || override->has_period;
    pd->budget = override->has_budget ? override->budget : chosen ? 1000 : BUDGET;
    pd->period = override->has_period ? override->period : chosen ? pd->budget : PERIOD;
    pd->cpu = override->has_cpu ? (unsigned) override->cpu : 0;
    pd->poll = override->has_poll ? override->poll : 0;
    pd->stack_size = STACK_SIZE;
    pd->parent = SYSTEM_NONE;
    pd->child_id = SYSTEM_ID_NONE;
    pd->place = place;
    return index;
}

size_t expand_region(struct expand *e, const char *name, uint64_t size, struct system_place place)
{
    struct system *s = e->system;
    size_t index = s->region_count;
    struct system_region *region = model_append(&s->regions, &s->region_count, sizeof(*region));
    region->name = model_string(name);
    region->size = model_round_up(size, PAGE);
    region->page_size = PAGE;
    region->place = place;
    return index;
}

/* Where large pages would fit, addresses allow them. The Microkit's tool then uses them. */
static uint64_t page_for(uint64_t size)
{
    return size % LARGE_PAGE == 0 ? LARGE_PAGE : PAGE;
}

uint64_t expand_dma_size(const struct expand *e, uint64_t size)
{
    const uint64_t page = e->board->dma.page;
    return page == 0 ? size : model_round_up(size, page);
}

uint64_t expand_dma(struct expand *e, size_t region)
{
    const struct board_dma *dma = &e->board->dma;
    struct system_region *r = &e->system->regions[region];
    uint64_t start = model_round_up(dma->phys + e->dma_used, page_for(r->size));
    if (start - dma->phys > dma->size || r->size > dma->size - (start - dma->phys)) {
        system_error(e->errors, r->place,
                     "the devices of board %s reach 0x%llx bytes of memory, and with \"%s\" it "
                     "would be more; use fewer or smaller queues",
                     e->board->name, (unsigned long long)dma->size, r->name);
        return 0;
    }
    e->dma_used = start + r->size - dma->phys;
    r->has_phys = true;
    r->phys = start;
    return start;
}

struct expand_io expand_io_begin(struct expand *e, const struct board_device *device,
                                 struct system_place place)
{
    struct expand_io io = {.space = SYSTEM_NONE};
    if (e->board->dma.size == 0) {
        struct system *s = e->system;
        io.space = s->io_space_count;
        io.next = device->io_base;
        io.guarded = device->card_count != 0;
        struct system_io_space *space =
            model_append(&s->io_spaces, &s->io_space_count, sizeof(*space));
        space->name = model_string(device->name);
        space->place = place;
    }
    return io;
}

uint64_t expand_io(struct expand *e, struct expand_io *io, size_t region, unsigned perms)
{
    struct system *s = e->system;
    if (io->space == SYSTEM_NONE) {
        return expand_dma(e, region);
    }
    struct system_io_space *space = &s->io_spaces[io->space];
    struct system_iomap *map = model_append(&space->maps, &space->map_count, sizeof(*map));
    map->region = region;
    map->iovaddr = io->next;
    map->perms = perms;
    map->place = s->regions[region].place;
    io->next += s->regions[region].size + (io->guarded ? PAGE : 0);
    return map->iovaddr;
}

/* ---- addresses ----------------------------------------------------------------------------- */

/* If [vaddr, vaddr + size) meets [start, end), moves it behind. */
static bool move_behind(uint64_t *vaddr, uint64_t size, uint64_t start, uint64_t end)
{
    if (*vaddr < end && start < *vaddr + size) {
        *vaddr = model_round_up(model_round_up(end, PAGE) + PAGE, page_for(size));
        return true;
    }
    return false;
}

static uint64_t free_vaddr(struct expand *e, size_t pd, const struct image *image, uint64_t size)
{
    const struct system_pd *self = &e->system->pds[pd];
    uint64_t vaddr = SYSTEM_EXPAND_VADDR;
    for (bool moved = true; moved && vaddr < SYSTEM_EXPAND_END;) {
        moved = false;
        for (size_t i = 0; i < self->map_count; i++) {
            const struct system_map *map = &self->maps[i];
            /* A page more on each side: the gaps. */
            moved |= move_behind(&vaddr, size, map->vaddr - PAGE,
                                 map->vaddr + e->system->regions[map->region].size);
        }
        for (size_t i = 0; i < image->segment_count; i++) {
            const struct image_segment *segment = &image->segments[i];
            moved |= move_behind(&vaddr, size, segment->vaddr / PAGE * PAGE - PAGE,
                                 segment->vaddr + segment->size);
        }
    }
    return vaddr;
}

struct sddf_region_config expand_map(struct expand *e, size_t pd, size_t region, unsigned perms)
{
    struct system *s = e->system;
    struct system_pd *self = &s->pds[pd];
    struct image image = {0}; /* stays empty if there is no such program, which the checks report */
    char *why = NULL;
    char *path = system_find_program(e->search, self->program);
    if (path != NULL && !image_load(path, &image, &why)) {
        free(why);
    }
    free(path);
    uint64_t size = s->regions[region].size;
    uint64_t vaddr = free_vaddr(e, pd, &image, size);
    image_free(&image);
    struct system_place place = s->regions[region].place;
    if (vaddr + size > SYSTEM_EXPAND_END) {
        system_error(e->errors, place,
                     "\"%s\" has no room for \"%s\" below 0x%llx; give it fewer or smaller queues",
                     self->name, s->regions[region].name, (unsigned long long)SYSTEM_EXPAND_END);
        return (struct sddf_region_config){0};
    }
    struct system_map *map = model_append(&self->maps, &self->map_count, sizeof(*map));
    map->region = region;
    map->vaddr = vaddr;
    map->perms = perms;
    map->cached = true;
    map->place = place;
    return (struct sddf_region_config){.vaddr = vaddr, .size = size};
}

/* ---- channels ------------------------------------------------------------------------------ */

/* The lowest number that neither a channel nor an interrupt of the PD has. */
static unsigned free_id(const struct system *s, size_t pd)
{
    bool taken[SYSTEM_CHANNELS_MAX] = {false};
    for (size_t i = 0; i < s->channel_count; i++) {
        for (int side = 0; side < 2; side++) {
            const struct system_end *end = &s->channels[i].end[side];
            if (end->pd == pd && end->id < SYSTEM_CHANNELS_MAX) {
                taken[end->id] = true;
            }
        }
    }
    for (size_t i = 0; i < s->pds[pd].irq_count; i++) {
        if (s->pds[pd].irqs[i].id < SYSTEM_CHANNELS_MAX) {
            taken[s->pds[pd].irqs[i].id] = true;
        }
    }
    unsigned id = 0;
    while (id < SYSTEM_CHANNELS_MAX && taken[id]) {
        id++;
    }
    return id < SYSTEM_CHANNELS_MAX ? id : SYSTEM_ID_NONE;
}

static unsigned new_id(struct expand *e, size_t pd, struct system_place place)
{
    unsigned id = free_id(e->system, pd);
    if (id == SYSTEM_ID_NONE) {
        system_error(e->errors, place,
                     "\"%s\" would have more than %d channels and interrupts; share out its "
                     "clients",
                     e->system->pds[pd].name, SYSTEM_CHANNELS_MAX);
    }
    return id;
}

struct expand_channel expand_channel(struct expand *e, size_t a, size_t b, bool a_calls,
                                     bool a_notifies, bool b_notifies, struct system_place place)
{
    struct system_channel channel = {
        .end = {{.pd = a,
                 .id = new_id(e, a, place),
                 .pp = a_calls,
                 .notify = a_notifies,
                 .place = place},
                {.pd = b, .id = new_id(e, b, place), .notify = b_notifies, .place = place}},
        .place = place,
    };
    struct system *s = e->system;
    if (channel.end[0].id != SYSTEM_ID_NONE && channel.end[1].id != SYSTEM_ID_NONE) {
        *(struct system_channel *)model_append(&s->channels, &s->channel_count, sizeof(channel)) =
            channel;
    }
    return (struct expand_channel){(uint8_t)channel.end[0].id, (uint8_t)channel.end[1].id};
}

/* ---- devices and configurations ------------------------------------------------------------ */

void expand_device(struct expand *e, size_t pd, const struct board_device *device,
                   struct expand_io *io, struct sddf_device_config *config,
                   struct system_place place)
{
    struct system *s = e->system;
    config->region_count = (uint32_t)device->region_count;
    config->irq_count = (uint32_t)device->irq_count;
    for (size_t i = 0; i < device->irq_count; i++) {
        unsigned id = new_id(e, pd, place);
        struct system_pd *self = &s->pds[pd];
        struct system_irq *irq = model_append(&self->irqs, &self->irq_count, sizeof(*irq));
        irq->irq = device->irqs[i].irq;
        irq->id = id;
        irq->edge = device->irqs[i].edge;
        irq->place = place;
        config->irq[i] = (uint8_t)id;
    }
    for (size_t i = 0; i < device->region_count; i++) {
        char *name = model_format("%s_%s", device->name, device->regions[i].name);
        uint64_t size = device->regions[i].size;
        size_t region = expand_region(
            e, name, device->regions[i].memory ? expand_dma_size(e, size) : size, place);
        free(name);
        bool cached =
            device->regions[i].memory && (e->board->dma.coherent || e->board->dma.size == 0);
        uint64_t io_address = 0;
        if (device->regions[i].memory) {
            io_address = io != NULL ? expand_io(e, io, region, SYSTEM_READ | SYSTEM_WRITE)
                                    : expand_dma(e, region);
        } else {
            s->regions[region].has_phys = true;
            s->regions[region].phys = device->regions[i].phys;
        }
        size_t before = s->pds[pd].map_count;
        config->region[i] = expand_map(e, pd, region, device->regions[i].perms);
        config->region[i].io_address = io_address;
        for (size_t j = before; j < s->pds[pd].map_count; j++) {
            s->pds[pd].maps[j].cached = cached;
        }
    }
}

void expand_configure(struct expand *e, size_t pd, const char *symbol, enum sddf_role role,
                      void *config, size_t size)
{
    struct sddf_config_header header = {
        .magic = SDDF_CONFIG_MAGIC,
        .version = SDDF_CONFIG_VERSION,
        .role = (uint16_t)role,
        .size = (uint32_t)size,
    };
    struct system_pd *self = &e->system->pds[pd];
    struct system_patch *patch = model_append(&self->patches, &self->patch_count, sizeof(*patch));
    patch->symbol = model_string(symbol);
    patch->size = size;
    patch->bytes = malloc(size);
    if (patch->bytes == NULL) {
        patch->size = 0;
        system_error(e->errors, self->place, "out of memory");
        return;
    }
    memcpy(patch->bytes, config, size);
    memcpy(patch->bytes, &header, sizeof(header)); /* every configuration begins with it */
}

bool system_expand(struct system *system, const struct board *board,
                   const struct system_search *search, struct system_errors *errors)
{
    size_t before = errors->count;
    struct expand e = {system, board, search, errors, 0};
    for (size_t i = 0; i < system->network_count; i++) {
        expand_network(&e, &system->networks[i]);
    }
    /* Behind the networks, which may have made more clients of a timer. */
    for (size_t i = 0; i < system->timer_count; i++) {
        expand_timer(&e, &system->timers[i]);
    }
    for (size_t i = 0; i < system->serial_count; i++) {
        expand_serial(&e, &system->serials[i]);
    }
    for (size_t i = 0; i < system->idle_count; i++) {
        expand_idle(&e, &system->idles[i]);
    }
    /* What they said is in the model now. */
    for (size_t i = 0; i < system->timer_count; i++) {
        free(system->timers[i].device);
        free(system->timers[i].clients);
    }
    system->timer_count = 0;
    for (size_t i = 0; i < system->serial_count; i++) {
        model_free_serial(&system->serials[i]);
    }
    system->serial_count = 0;
    for (size_t i = 0; i < system->idle_count; i++) {
        free(system->idles[i].device);
        free(system->idles[i].clients);
    }
    system->idle_count = 0;
    for (size_t i = 0; i < system->network_count; i++) {
        free(system->networks[i].device);
        free(system->networks[i].clients);
    }
    system->network_count = 0;
    return errors->count == before;
}

bool system_load(const char *path, struct system *system, const struct board *board,
                 const struct system_search *search, struct system_errors *errors)
{
    size_t before = errors->count;
    system_parse(path, system, errors);
    system_check(system, board, search, errors);
    if (errors->count == before && system_expand(system, board, search, errors)) {
        system_check(system, board, search, errors);
    }
    return errors->count == before;
}
