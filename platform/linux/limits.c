/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this process may have: descriptors, files, memory. What falls short is said in words and
 * before it hurts: of memory Linux promises more than there is, and ends a process when it is
 * touched.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"

#define SPARE UINT64_C(0x800000) /* bytes that others, and this process itself, are left */

static void raise_to_hard(int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(resource, &limit);
    }
}

void linux_limits_raise(void)
{
    raise_to_hard(RLIMIT_NOFILE); /* two a region and some twenty a PD: more than is usual */
    raise_to_hard(RLIMIT_FSIZE);
    signal(SIGXFSZ, SIG_IGN); /* regions are files, and too long a one is to be an error */
}

/* In all, and once more in the process of a PD, which has them twice while it sorts them. */
static uint64_t descriptors_wanted(const struct system *system)
{
    uint64_t most_maps = 0, wanted = 32 + 2 * system->region_count + 8 * system->channel_count;
    for (size_t i = 0; i < system->pd_count; i++)
        if (system->pds[i].map_count > most_maps)
            most_maps = system->pds[i].map_count;
    return wanted + 28 * system->pd_count + most_maps;
}

void linux_limits_explain(const struct linux_loader *loader)
{
    struct rlimit limit;
    uint64_t wanted = descriptors_wanted(loader->system);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < wanted)
        linux_complain("this process may have %llu descriptors at a time, and this system takes "
                       "some %llu: raise the limit (ulimit -Hn, or LimitNOFILE of systemd)",
                       (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The number behind `name` at the beginning of a line; UINT64_MAX if there is none. */
static uint64_t number_in(const char *path, const char *name)
{
    char line[256];
    unsigned long long value = UINT64_MAX;
    FILE *file = fopen(path, "re");
    size_t length = strlen(name);
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && sscanf(line + length, "%llu", &value) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return value;
}

/* What one group may have more; its cached files would make room. */
static uint64_t left_in(const char *folder, const char *limit, const char *usage,
                        const char *cached)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, limit);
    uint64_t most = number_in(path, ""); /* (of "max" there is no number) */
    snprintf(path, sizeof path, "%s/%s", folder, usage);
    uint64_t used = number_in(path, "");
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    uint64_t files = number_in(path, cached);
    if (most == UINT64_MAX || used == UINT64_MAX)
        return UINT64_MAX;
    used -= files < used ? files : 0;
    return used < most ? most - used : 0;
}

/* This process's group and all above it; `root` is where their hierarchy is mounted. */
static uint64_t left_below(const char *root, const char *group, bool first_version)
{
    char folder[384];
    uint64_t least = UINT64_MAX;
    snprintf(folder, sizeof folder, "%s%s", root, group);
    while (strlen(folder) >= strlen(root)) {
        uint64_t left = first_version
                            ? left_in(folder, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                      "total_inactive_file ")
                            : left_in(folder, "memory.max", "memory.current", "inactive_file ");
        least = left < least ? left : least;
        char *slash = strrchr(folder, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
    }
    return least;
}

static uint64_t left_in_groups(void)
{
    char line[320];
    uint64_t least = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) { /* NUMBER:CONTROLLERS:GROUP */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL)
            continue;
        *group++ = '\0';
        uint64_t left = UINT64_MAX;
        if (strcmp(controllers + 1, "memory") == 0)
            left = left_below("/sys/fs/cgroup/memory", group, true);
        else if (controllers[1] == '\0')
            left = left_below("/sys/fs/cgroup", group, false);
        least = left < least ? left : least;
    }
    if (file != NULL)
        fclose(file);
    return least;
}

bool linux_limits_memory(const char *name, uint64_t size)
{
    uint64_t machine = number_in("/proc/meminfo", "MemAvailable:");
    uint64_t groups = left_in_groups();
    machine = machine == UINT64_MAX ? machine : machine * 1024;
    uint64_t left = machine < groups ? machine : groups;
    if (left == UINT64_MAX || (size <= left && left - size >= SPARE))
        return true;
    linux_complain("%s takes %llu MiB of memory, and only %llu MiB are left %s", name,
                   (unsigned long long)(size >> 20), (unsigned long long)(left >> 20),
                   groups < machine ? "to this process's control group" : "on this machine");
    return false;
}
