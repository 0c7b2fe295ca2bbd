/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect.h"

static bool fail(char **why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(char **why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(why, format, arguments) < 0)
        *why = NULL;
    va_end(arguments);
    return false;
}

/* ---- the state file ------------------------------------------------------------------------ */

static uint64_t number_of(json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static char *text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return strdup(text != NULL ? text : "?");
}

static size_t region_by_name(const struct inspect *inspect, const char *name)
{
    for (size_t i = 0; i < inspect->region_count; i++)
        if (name != NULL && strcmp(inspect->regions[i].name, name) == 0)
            return i;
    return inspect->region_count;
}

/* What the loader has under this number, to be read. */
static bool map_memory(const struct inspect *inspect, uint64_t fd, uint64_t size, const char *what,
                       const void **bytes, char **why)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", inspect->loader, (int)fd);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(why, "%s: cannot open %s of the running system: %s%s", inspect->path, what,
                    strerror(errno),
                    errno == EACCES ? " (it takes the user who started it, or root)" : "");
    bool ok = fstat(file, &status) == 0 && (uint64_t)status.st_size >= size && size > 0;
    void *at = ok ? mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    if (at == MAP_FAILED)
        return fail(why, "%s: %s of the running system is not what this file says", inspect->path,
                    what);
    *bytes = at;
    return true;
}

static bool read_region(const struct inspect *inspect, struct inspect_region *region, json_t *item,
                        char **why)
{
    json_t *fd = json_object_get(item, "fd");
    region->name = text_of(item, "name");
    region->size = number_of(item, "size");
    if (!json_is_integer(fd) || json_integer_value(fd) < 0)
        return true;
    return map_memory(inspect, (uint64_t)json_integer_value(fd), region->size, region->name,
                      &region->bytes, why);
}

static bool read_pd(struct inspect *inspect, struct inspect_pd *pd, json_t *item, char **why)
{
    json_t *maps = json_object_get(item, "maps"), *entry;
    size_t i;
    const char *state = json_string_value(json_object_get(item, "state"));
    pd->name = text_of(item, "name");
    pd->pid = (pid_t)number_of(item, "pid");
    pd->dead = state != NULL && strcmp(state, "dead") == 0;
    pd->priority = (unsigned)number_of(item, "priority");
    pd->cpu = (int)number_of(item, "cpu");
    pd->maps = calloc(json_array_size(maps) + 1, sizeof *pd->maps);
    json_array_foreach(maps, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "region"));
        const char *perms = json_string_value(json_object_get(entry, "perms"));
        size_t region = region_by_name(inspect, name);
        if (region == inspect->region_count)
            return fail(why, "%s: %s maps a region that is not listed", inspect->path, pd->name);
        pd->maps[pd->map_count++] =
            (struct inspect_map){region, number_of(entry, "vaddr"), number_of(entry, "size"),
                                 perms != NULL && strchr(perms, 'w') != NULL};
    }
    const void *signal;
    if (!map_memory(inspect, number_of(item, "signal"), sizeof *pd->signal, pd->name, &signal, why))
        return false;
    pd->signal = signal;
    return true;
}

/* When all PDs are known. */
static void read_channels(struct inspect *inspect, struct inspect_pd *pd, json_t *item)
{
    json_t *channels = json_object_get(item, "channels"), *entry;
    size_t i;
    pd->channels = calloc(json_array_size(channels) + 1, sizeof *pd->channels);
    json_array_foreach(channels, i, entry)
    {
        struct inspect_channel channel = {(unsigned)number_of(entry, "id"),
                                          (size_t)number_of(entry, "peer")};
        if (channel.id < MK_CHANNELS && channel.peer < inspect->pd_count)
            pd->channels[pd->channel_count++] = channel;
    }
}

static bool read_state(struct inspect *inspect, json_t *root, char **why)
{
    json_t *regions = json_object_get(root, "regions"), *pds = json_object_get(root, "pds"), *item;
    size_t i;
    if (number_of(root, "version") != 1 || !json_is_array(regions) || !json_is_array(pds))
        return fail(why, "%s: this is no state file of a running system (sddf run --state)",
                    inspect->path);
    inspect->system = text_of(root, "system");
    inspect->loader = (pid_t)number_of(root, "loader");
    inspect->pidfd = (int)syscall(SYS_pidfd_open, inspect->loader, 0);
    if (inspect->pidfd < 0)
        return fail(why, "%s: the system that wrote it runs no more", inspect->path);
    inspect->regions = calloc(json_array_size(regions) + 1, sizeof *inspect->regions);
    inspect->pds = calloc(json_array_size(pds) + 1, sizeof *inspect->pds);
    json_array_foreach(regions, i, item)
    {
        inspect->region_count++;
        if (!read_region(inspect, &inspect->regions[i], item, why))
            return false;
    }
    json_array_foreach(pds, i, item)
    {
        inspect->pd_count++;
        if (!read_pd(inspect, &inspect->pds[i], item, why))
            return false;
    }
    json_array_foreach(pds, i, item)
    {
        read_channels(inspect, &inspect->pds[i], item);
    }
    return true;
}

bool inspect_open(struct inspect *inspect, const char *state, char **why)
{
    json_error_t error;
    *inspect = (struct inspect){.pidfd = -1, .path = strdup(state)};
    json_t *root = json_load_file(state, 0, &error);
    bool ok = root != NULL     ? read_state(inspect, root, why)
              : error.line < 0 ? fail(why, "%s: %s", state, strerror(errno))
                               : fail(why, "%s:%d: this is no state file (sddf run --state): %s",
                                      state, error.line, error.text);
    json_decref(root);
    if (!ok)
        inspect_close(inspect);
    return ok;
}

void inspect_close(struct inspect *inspect)
{
    for (size_t i = 0; i < inspect->region_count; i++) {
        if (inspect->regions[i].bytes != NULL)
            munmap((void *)(uintptr_t)inspect->regions[i].bytes, inspect->regions[i].size);
        free(inspect->regions[i].name);
    }
    for (size_t i = 0; i < inspect->pd_count; i++) {
        struct inspect_pd *pd = &inspect->pds[i];
        if (pd->signal != NULL)
            munmap((void *)(uintptr_t)pd->signal, sizeof *pd->signal);
        free(pd->name);
        free(pd->maps);
        free(pd->channels);
    }
    if (inspect->pidfd >= 0)
        close(inspect->pidfd);
    free(inspect->regions);
    free(inspect->pds);
    free(inspect->system);
    free(inspect->path);
    *inspect = (struct inspect){.pidfd = -1};
}

/* ---- what is there ------------------------------------------------------------------------- */

bool inspect_ended(const struct inspect *inspect)
{
    struct pollfd polled = {.fd = inspect->pidfd, .events = POLLIN};
    return poll(&polled, 1, 0) != 0;
}

const struct inspect_region *inspect_region(const struct inspect *inspect, const char *name)
{
    size_t i = region_by_name(inspect, name);
    return i == inspect->region_count || inspect->regions[i].bytes == NULL ? NULL
                                                                           : &inspect->regions[i];
}

const void *inspect_bytes(const struct inspect *inspect, const struct inspect_pd *pd,
                          uint64_t vaddr, uint64_t length, const struct inspect_region **region)
{
    for (size_t i = 0; i < pd->map_count; i++) {
        const struct inspect_map *map = &pd->maps[i];
        uint64_t offset = vaddr - map->vaddr;
        if (vaddr < map->vaddr || offset >= map->size || length > map->size - offset)
            continue;
        const struct inspect_region *at = &inspect->regions[map->region];
        if (region != NULL)
            *region = at;
        return at->bytes == NULL || offset + length > at->size ? NULL
                                                               : (const char *)at->bytes + offset;
    }
    return NULL;
}
