/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one PD gets: its mappings, its descriptors, its boot page, and the exit page that leaves it
 * alone with them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define ADDRESSES       UINT64_C(0x7ffffffff000) /* where user addresses end */
#define HWCAP2_FSGSBASE 2

extern const unsigned char mk_exit_code[], mk_exit_code_end[];

static void add_map(struct linux_pd *pd, uint64_t vaddr, uint64_t size, int fd, uint64_t offset,
                    unsigned prot)
{
    pd->maps = reallocarray(pd->maps, pd->map_count + 1, sizeof *pd->maps);
    pd->maps[pd->map_count++] = (struct mk_map){vaddr, size, offset, fd, prot};
}

/* One of the platform's own pages, whose address is given as it is in confined PDs. */
static uint64_t at(const struct linux_pd *pd, uint64_t vaddr)
{
    return vaddr - MK_PRIVATE + pd->base;
}

static void add_page(struct linux_pd *pd, uint64_t vaddr, const struct linux_memory *memory,
                     bool write)
{
    add_map(pd, at(pd, vaddr), memory->size, write ? memory->rw : memory->ro, 0,
            write ? PROT_READ | PROT_WRITE : PROT_READ);
}

/* The number that the descriptor will have in the PD. */
static int keep(struct linux_pd *pd, int fd)
{
    for (int i = 0; i < pd->keep.count; i++)
        if (pd->keep.fd[i] == fd)
            return i + 1;
    pd->keep.fd[pd->keep.count++] = fd;
    return pd->keep.count;
}

static unsigned prot_of(unsigned perms)
{
    return (perms & SYSTEM_READ ? PROT_READ : 0) | (perms & SYSTEM_WRITE ? PROT_WRITE : 0) |
           (perms & SYSTEM_EXECUTE ? PROT_EXEC : 0);
}

static bool plan_image(struct linux_loader *loader, struct linux_pd *pd)
{
    const char *name = pd->system->name;
    char *why = NULL;
    pd->path = system_find_program(loader->search, pd->system->program);
    if (pd->path == NULL) {
        linux_complain("%s: program %s is in no folder of the search path", name,
                       pd->system->program);
        return false;
    }
    bool loaded = pd->hosted ? linux_debug_program(loader, pd, &why)
                             : image_load(pd->path, &pd->image, &why) &&
                                   image_configure(&pd->image, loader->system, pd->index,
                                                   linux_region_address, NULL, &why);
    if (!loaded) {
        linux_complain("%s: %s: %s", name, pd->path, why != NULL ? why : "cannot be loaded");
        free(why);
        return false;
    }
    if (pd->hosted)
        return true; /* the kernel maps the file */
    pd->segments = calloc(pd->image.segment_count + 1, sizeof *pd->segments);
    for (size_t i = 0; i < pd->image.segment_count; i++)
        pd->segments[i] = linux_no_memory;
    for (size_t i = 0; i < pd->image.segment_count; i++) {
        const struct image_segment *segment = &pd->image.segments[i];
        bool write = segment->perms & SYSTEM_WRITE;
        bool execute = segment->perms & SYSTEM_EXECUTE;
        if (segment->size == 0)
            continue;
        if (write && execute) {
            linux_complain("%s: %s has a segment that is both written and executed; link it with "
                           "-z separate-code",
                           name, pd->path);
            return false;
        }
        uint64_t pad = segment->vaddr % MK_PAGE;
        struct linux_memory *memory = &pd->segments[i];
        if (!linux_memory_open(memory, name, pad + segment->size, MK_PAGE, execute) ||
            !linux_memory_write(memory, pad, segment->bytes, segment->size))
            return false;
        if (!write)
            linux_memory_seal(memory);
        /* Nobody changes what is not written, so a copy for a debugger's breakpoints is as good. */
        unsigned own = pd->inspect == LINUX_DEBUG_GDB && !write ? MK_MAP_PRIVATE : 0;
        add_map(pd, segment->vaddr - pad, memory->size, write ? memory->rw : memory->ro, 0,
                prot_of(segment->perms | SYSTEM_READ) | own);
    }
    return true;
}

static bool plan_regions(struct linux_loader *loader, struct linux_pd *pd)
{
    for (size_t i = 0; i < pd->system->map_count; i++) {
        const struct system_map *map = &pd->system->maps[i];
        int fd = -1;
        uint64_t offset = 0, size = 0;
        const struct system_region *region = &loader->system->regions[map->region];
        if (map->perms & SYSTEM_EXECUTE && region->has_phys) {
            linux_complain("%s: mapping of region %s: a device's memory cannot be executed on "
                           "Linux",
                           pd->system->name, region->name);
            return false;
        }
        linux_region_backing(loader, map->region, map->perms & SYSTEM_WRITE, &fd, &offset, &size);
        add_map(pd, map->vaddr, size, fd, offset, prot_of(map->perms));
    }
    return true;
}

static bool plan_irqs(struct linux_loader *loader, struct linux_pd *pd)
{
    for (size_t i = 0; i < pd->system->irq_count; i++) {
        const struct system_irq *irq = &pd->system->irqs[i];
        struct linux_irq found;
        if (!linux_irq_find(loader, irq->irq, &found)) {
            linux_complain("%s: board %s has no interrupt %llu", pd->system->name,
                           loader->board->name, (unsigned long long)irq->irq);
            return false;
        }
        struct mk_channel *channel = &pd->page.channel[irq->id];
        channel->kind = MK_CHANNEL_IRQ;
        if (found.fd >= 0)
            channel->irq = keep(pd, found.fd);
        if (found.unmask >= 0)
            channel->doorbell = keep(pd, found.unmask);
        if (found.counted)
            channel->flags |= MK_CHANNEL_COUNTED;
    }
    return true;
}

static void plan_channel(struct linux_loader *loader, struct linux_pd *pd, size_t which, int side)
{
    const struct system_end *here = &loader->system->channels[which].end[side];
    const struct system_end *there = &loader->system->channels[which].end[!side];
    struct linux_pd *peer = &loader->pds[there->pd];
    struct mk_channel *channel = &pd->page.channel[here->id];
    uint64_t base = MK_CHANNEL_AT + here->id * (uint64_t)MK_CHANNEL_STEP;

    channel->kind = MK_CHANNEL_NOTIFY;
    channel->peer = (uint32_t)there->pd;
    channel->peer_id = there->id;
    channel->peer_page = at(pd, base + MK_PEER_PAGE);
    add_page(pd, base + MK_PEER_PAGE, &peer->signal, false);
    if (here->notify)
        channel->flags |= MK_CHANNEL_MAY_NOTIFY;
    /* To notify, to call, or to answer. */
    if (here->notify || here->pp || there->pp)
        channel->doorbell = keep(pd, peer->doorbell);
    if (here->pp) {
        const struct linux_calls *calls = &loader->calls[which][side];
        channel->call_out = at(pd, base + MK_CALL_OUT);
        channel->call_out_answer = at(pd, base + MK_CALL_OUT_ANSWER);
        add_page(pd, base + MK_CALL_OUT, &calls->request, true);
        add_page(pd, base + MK_CALL_OUT_ANSWER, &calls->answer, false);
    }
    if (there->pp) {
        const struct linux_calls *calls = &loader->calls[which][!side];
        channel->call_in = at(pd, base + MK_CALL_IN);
        channel->call_in_answer = at(pd, base + MK_CALL_IN_ANSWER);
        add_page(pd, base + MK_CALL_IN, &calls->request, false);
        add_page(pd, base + MK_CALL_IN_ANSWER, &calls->answer, true);
    }
}

/*
 * Who has children gets pages to say what is to be done with them, and to hear how they fail; and
 * so does, to say so, who may end the system.
 */
static bool plan_children(struct linux_loader *loader, struct linux_pd *pd)
{
    struct mk_boot *boot = &pd->page;
    boot->loader = -1;
    if (pd->system->shutdown)
        boot->flags |= MK_BOOT_MAY_END;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (loader->system->pds[i].parent == pd->index)
            boot->children |= UINT64_C(1) << loader->system->pds[i].child_id;
    if (boot->children == 0 && !pd->system->shutdown)
        return true;
    if (!linux_family_open(pd))
        return false;
    boot->loader = keep(pd, pd->family.doorbell);
    boot->orders = at(pd, MK_ORDERS_AT);
    boot->reports = at(pd, MK_REPORTS_AT);
    add_page(pd, MK_ORDERS_AT, &pd->family.order_memory, true);
    add_page(pd, MK_REPORTS_AT, &pd->family.report_memory, false);
    return true;
}

/* Who shares its CPU with all its peers would only keep them from doing what it waits for. */
static bool may_look_about(const struct linux_loader *loader, const struct linux_pd *pd)
{
    bool far = pd->system->irq_count > 0;
    for (size_t i = 0; i < loader->system->channel_count && !far; i++) {
        const struct system_end *end = loader->system->channels[i].end;
        for (int side = 0; side < 2; side++)
            far |= end[side].pd == pd->index &&
                   loader->system->pds[end[!side].pd].cpu != pd->system->cpu;
    }
    return far;
}

static bool plan_boot(struct linux_loader *loader, struct linux_pd *pd)
{
    struct mk_boot *boot = &pd->page;
    boot->magic = MK_BOOT_MAGIC;
    boot->version = MK_BOOT_VERSION;
    boot->pd = pd->index;
    boot->doorbell = keep(pd, pd->doorbell);
    boot->debug = keep(pd, pd->debug[1]);
    boot->flags = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE && !pd->hosted ? MK_BOOT_FSGSBASE : 0) |
                  (loader->options->checked ? MK_BOOT_CHECKED : 0);
    boot->one = 1;
    if (may_look_about(loader, pd))
        boot->poll_ns = (uint32_t)pd->system->poll * 1000;
    boot->signal_page = at(pd, MK_SIGNAL_AT);
    boot->system_page = at(pd, MK_SYSTEM_AT);
    strncpy(boot->name, pd->system->name, sizeof boot->name - 1);
    for (unsigned ch = 0; ch < MK_CHANNELS; ch++) {
        boot->channel[ch].doorbell = -1;
        boot->channel[ch].irq = -1;
    }
    for (size_t i = 0; i < loader->system->channel_count; i++)
        for (int side = 0; side < 2; side++)
            if (loader->system->channels[i].end[side].pd == pd->index)
                plan_channel(loader, pd, i, side);
    if (!plan_irqs(loader, pd) || !plan_children(loader, pd))
        return false;

    if (!linux_memory_open(&pd->boot, "boot", sizeof *boot, MK_PAGE, false) ||
        !linux_memory_write(&pd->boot, 0, boot, sizeof *boot))
        return false;
    linux_memory_seal(&pd->boot);
    add_page(pd, MK_BOOT_AT, &pd->boot, false);
    add_page(pd, MK_SYSTEM_AT, &loader->system_memory, false);
    add_page(pd, MK_SIGNAL_AT, &pd->signal, true);
    if (pd->hosted)
        return true; /* its stack is what its process has */
    if (!linux_memory_open(&pd->stack, "stack", pd->system->stack_size, MK_PAGE, false))
        return false;
    add_page(pd, MK_STACK_TOP - pd->stack.size, &pd->stack, true);
    return true;
}

static int by_address(const void *a, const void *b)
{
    uint64_t left = ((const struct mk_map *)a)->vaddr, right = ((const struct mk_map *)b)->vaddr;
    return left < right ? -1 : left > right;
}

/* The exit page is a mapping too; its size depends on how many mappings and how long a filter. */
static bool plan_exit(struct linux_pd *pd)
{
    size_t gap_space = (pd->map_count + 2) * sizeof(struct mk_gap);
    size_t filter_at = MK_EXIT_DATA + sizeof(struct mk_exit) + gap_space;
    size_t size = filter_at + pd->filter_length * 8;
    unsigned char *bytes = calloc(1, size);
    struct mk_exit *exit = (struct mk_exit *)(bytes + MK_EXIT_DATA);

    if (!linux_memory_open(&pd->exit, "exit", size, MK_PAGE, true)) {
        free(bytes);
        return false;
    }
    add_map(pd, MK_EXIT_AT, pd->exit.size, pd->exit.ro, 0, PROT_READ | PROT_EXEC);
    qsort(pd->maps, pd->map_count, sizeof *pd->maps, by_address);

    memcpy(bytes, mk_exit_code, (size_t)(mk_exit_code_end - mk_exit_code));
    exit->entry = pd->image.entry;
    /* As after a call: the ABI wants the stack pointer 8 below a multiple of 16. */
    exit->stack = MK_STACK_TOP - 8;
    exit->boot = MK_BOOT_AT;
    exit->filter_length = pd->filter_length;
    exit->filter = MK_EXIT_AT + filter_at;
    memcpy(bytes + filter_at, pd->filter, pd->filter_length * 8);

    bool ok = true;
    uint64_t at = 0;
    for (size_t i = 0; i < pd->map_count && ok; i++) {
        const struct mk_map *map = &pd->maps[i];
        if (map->vaddr < at || map->vaddr + map->size > MK_PRIVATE + 0x80000000) {
            linux_complain("%s: the mapping at 0x%llx overlaps another or lies at or above 0x%llx, "
                           "where the platform's own begin",
                           pd->system->name, (unsigned long long)map->vaddr,
                           (unsigned long long)MK_PRIVATE);
            ok = false;
        }
        if (map->vaddr > at)
            exit->gap[exit->gaps++] = (struct mk_gap){at, map->vaddr - at};
        at = map->vaddr + map->size;
    }
    exit->gap[exit->gaps++] = (struct mk_gap){at, ADDRESSES - at};
    ok = ok && linux_memory_write(&pd->exit, 0, bytes, size);
    linux_memory_seal(&pd->exit);
    free(bytes);
    return ok;
}

/* What the description sets in a program that the kernel loads: a list, and then the bytes. */
static void put_patches(const struct linux_pd *pd, struct mk_start *start, size_t at)
{
    struct mk_patch *patch = (struct mk_patch *)((char *)start + at);
    start->patches = at;
    start->patch_count = pd->patch_count;
    at += pd->patch_count * sizeof *patch;
    for (size_t i = 0; i < pd->patch_count; i++) {
        const struct image_patch *from = &pd->patches[i];
        patch[i] = (struct mk_patch){from->vaddr, from->size, at};
        memcpy((char *)start + at, from->bytes, from->size);
        at += from->size;
    }
}

/* The starter's list: descriptors in it are numbers in the new process, behind those kept. */
static bool plan_start(struct linux_pd *pd)
{
    size_t patches = sizeof(struct mk_start) + pd->map_count * sizeof(struct mk_map);
    size_t size = patches + pd->patch_count * sizeof(struct mk_patch);
    for (size_t i = 0; i < pd->patch_count; i++)
        size += pd->patches[i].size;
    struct mk_start *start = calloc(1, size);
    struct linux_memory memory = linux_no_memory;
    start->magic = MK_START_MAGIC;
    start->map_count = (uint32_t)pd->map_count;
    start->keep = (uint32_t)pd->keep.count;
    /*
     * A root loader runs its PDs as nobody, and other processes of nobody have no business in them.
     * Without privileges they are its user's, who may look at them.
     */
    start->dumpable = geteuid() != 0;
    strncpy(start->name, pd->system->name, sizeof start->name - 1);
    memcpy(start->map, pd->maps, pd->map_count * sizeof *pd->maps);
    for (size_t i = 0; i < pd->map_count; i++)
        start->map[i].fd = 1 + pd->keep.count + (int)i;
    start->boot = at(pd, MK_BOOT_AT);
    put_patches(pd, start, patches);

    bool ok = linux_memory_open(&memory, "start", size, MK_PAGE, false) &&
              linux_memory_write(&memory, 0, start, size);
    free(start);
    if (ok) {
        linux_memory_seal(&memory);
        pd->start = memory.ro;
        memory.ro = -1;
    }
    linux_memory_close(&memory);
    return ok;
}

bool linux_plan(struct linux_loader *loader, struct linux_pd *pd)
{
    return plan_image(loader, pd) && plan_regions(loader, pd) && plan_boot(loader, pd) &&
           (pd->hosted || (linux_filter_build(loader, pd) && plan_exit(pd))) && plan_start(pd);
}
