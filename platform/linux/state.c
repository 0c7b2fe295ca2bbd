/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state file: what runs, where, and with which descriptors of the loader's one can look at it
 * from outside (/proc/LOADER/fd/N). Written when all PDs run and when one has died; renamed into
 * place, so that nobody reads half of it.
 */
#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static json_t *maps_of(const struct linux_loader *loader, const struct linux_pd *pd)
{
    json_t *maps = json_array();
    for (size_t i = 0; i < pd->system->map_count; i++) {
        const struct system_map *map = &pd->system->maps[i];
        const struct system_region *region = &loader->system->regions[map->region];
        uint64_t size = region->has_phys ? region->size : loader->memory[map->region].size;
        char perms[4] = "";
        snprintf(perms, sizeof perms, "%s%s%s", map->perms & SYSTEM_READ ? "r" : "",
                 map->perms & SYSTEM_WRITE ? "w" : "", map->perms & SYSTEM_EXECUTE ? "x" : "");
        json_array_append_new(maps, json_pack("{s:s, s:I, s:I, s:s}", "region", region->name,
                                              "vaddr", (json_int_t)map->vaddr, "size",
                                              (json_int_t)size, "perms", perms));
    }
    return maps;
}

static json_t *channels_of(const struct linux_loader *loader, const struct linux_pd *pd)
{
    json_t *channels = json_array();
    for (size_t i = 0; i < loader->system->channel_count; i++) {
        const struct system_end *end = loader->system->channels[i].end;
        for (int side = 0; side < 2; side++)
            if (end[side].pd == pd->index)
                json_array_append_new(channels, json_pack("{s:i, s:i}", "id", (int)end[side].id,
                                                          "peer", (int)end[!side].pd));
    }
    return channels;
}

static json_t *pds_of(const struct linux_loader *loader)
{
    json_t *pds = json_array();
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        const struct linux_pd *pd = &loader->pds[i];
        json_array_append_new(
            pds, json_pack("{s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:s, s:I, s:i, s:o, s:o}", "name",
                           pd->system->name, "index", (int)pd->index, "pid", (int)pd->pid,
                           "program", pd->path, "priority", (int)pd->system->priority,
                           "rt_priority", pd->rt_priority, "cpu", pd->cpu, "state",
                           pd->state == LINUX_PD_DEAD ? "dead" : "running", "cpu_ns",
                           (json_int_t)linux_process_cpu_ns(pd), "signal", pd->signal.ro,
                           "channels", channels_of(loader, pd), "maps", maps_of(loader, pd)));
    }
    return pds;
}

static json_t *io_address(const struct system *system, size_t region)
{
    for (size_t i = 0; i < system->io_space_count; i++)
        for (size_t j = 0; j < system->io_spaces[i].map_count; j++)
            if (system->io_spaces[i].maps[j].region == region)
                return json_integer((json_int_t)system->io_spaces[i].maps[j].iovaddr);
    return json_null();
}

static json_t *regions_of(const struct linux_loader *loader)
{
    json_t *regions = json_array();
    for (size_t i = 0; i < loader->system->region_count; i++) {
        const struct system_region *region = &loader->system->regions[i];
        json_array_append_new(regions,
                              json_pack("{s:s, s:I, s:i, s:o}", "name", region->name, "size",
                                        (json_int_t)region->size, "fd", loader->memory[i].rw,
                                        "io_address", io_address(loader->system, i)));
    }
    return regions;
}

static json_t *devices_of(const struct linux_loader *loader)
{
    json_t *devices = json_array();
    for (size_t i = 0; i < loader->device_count; i++) {
        const struct linux_device *device = &loader->devices[i];
        json_array_append_new(devices,
                              json_pack("{s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:b}", "name",
                                        device->board->name, "kind", device->board->kind,
                                        "interface", device->interface, "fd", device->fd, "text",
                                        device->text, "native", device->native, "zero_copy",
                                        device->zero_copy, "need_wakeup", device->need_wakeup));
    }
    return devices;
}

bool linux_state_write(const struct linux_loader *loader)
{
    const char *path = loader->options->state;
    char *beside;
    json_t *root = json_pack(
        "{s:i, s:i, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "version", 1, "loader", (int)getpid(),
        "board", loader->board->name, "system", loader->system->name, "scheduling",
        loader->realtime ? "SCHED_FIFO" : "SCHED_OTHER", "awake", loader->awake >= 0, "pds",
        pds_of(loader), "regions", regions_of(loader), "devices", devices_of(loader));
    if (root == NULL || asprintf(&beside, "%s.new", path) < 0) {
        linux_complain("cannot describe the system's state");
        return false;
    }
    bool ok = json_dump_file(root, beside, JSON_INDENT(1)) == 0 && rename(beside, path) == 0;
    if (!ok) {
        linux_complain("cannot write the state file %s: %s", path, strerror(errno));
        unlink(beside);
    }
    json_decref(root);
    free(beside);
    return ok;
}

/* Does this very program run under that number? */
static bool is_loader(pid_t pid)
{
    char path[64], its[PATH_MAX], own[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, its, sizeof its);
    return length > 0 && length == readlink("/proc/self/exe", own, sizeof own) &&
           memcmp(its, own, (size_t)length) == 0;
}

/* Told before anything is started that would have to be stopped again. */
static bool folder_is_writable(const char *path)
{
    char *copy = strdup(path);
    bool ok = copy != NULL && access(dirname(copy), W_OK) == 0;
    if (!ok)
        linux_complain(
            "--state %s: its folder cannot be written to: %s; name a file in one that can", path,
            strerror(errno));
    free(copy);
    return ok;
}

/*
 * What a killed loader left says nothing of this system, and an empty file nothing at all. Anything
 * else is somebody's, and not to be replaced.
 */
bool linux_state_claim(struct linux_loader *loader)
{
    const char *path = loader->options->state;
    struct stat status;
    if (path != NULL && !folder_is_writable(path))
        return false;
    if (path == NULL || (lstat(path, &status) != 0 && errno == ENOENT)) {
        loader->state_ours = path != NULL;
        return true;
    }
    json_t *before = json_load_file(path, 0, NULL);
    json_t *writer = json_object_get(before, "loader");
    bool is_state = json_is_integer(writer) && json_is_array(json_object_get(before, "pds"));
    pid_t pid = (pid_t)json_integer_value(writer);
    json_decref(before);
    if (is_state && is_loader(pid)) {
        linux_complain("--state %s belongs to a system that runs (process %d)", path, (int)pid);
    } else if (!is_state && !(S_ISREG(status.st_mode) && status.st_size == 0)) {
        linux_complain("--state %s is there and is no state file; name one that may be replaced",
                       path);
    } else {
        loader->state_ours = true;
        linux_state_remove(loader);
    }
    return loader->state_ours;
}

void linux_state_remove(const struct linux_loader *loader)
{
    if (loader->state_ours)
        unlink(loader->options->state);
}
