/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running system, seen from outside: its PDs, their channels and signal pages, and the bytes of
 * its regions. All of it comes from the state file that `sddf run --state` writes and from /proc,
 * mapped to be read only: nothing inside the system takes part, and nothing changes it. What is
 * read was written by PDs, so none of it is to be believed.
 *
 * It takes the rights of who started the system, or of root.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/linux/abi.h"

struct inspect_map {
    size_t region; /* index into regions */
    uint64_t vaddr;
    uint64_t size;
    bool write;
};

struct inspect_channel {
    unsigned id;
    size_t peer; /* index into pds */
};

struct inspect_pd {
    char *name;
    pid_t pid;
    bool dead; /* when the state file was written */
    unsigned priority;
    int cpu;
    const struct mk_signal_page *signal;
    struct inspect_map *maps;
    size_t map_count;
    struct inspect_channel *channels;
    size_t channel_count;
};

struct inspect_region {
    char *name;
    uint64_t size;
    const void *bytes; /* NULL: the region is no memory (a device's) */
};

struct inspect {
    char *path;
    char *system;
    pid_t loader;
    int pidfd; /* of the loader */
    struct inspect_pd *pds;
    size_t pd_count;
    struct inspect_region *regions;
    size_t region_count;
};

/* False with `*why` set, to be freed: "FILE: there is no such system any more", or the like. */
bool inspect_open(struct inspect *inspect, const char *state, char **why);
void inspect_close(struct inspect *inspect);

/* Has the system's loader ended? */
bool inspect_ended(const struct inspect *inspect);

/* NULL: there is no such region, or it is no memory. */
const struct inspect_region *inspect_region(const struct inspect *inspect, const char *name);

/* What the PD sees at vaddr, or NULL: `length` bytes that lie in one mapping of one region. */
const void *inspect_bytes(const struct inspect *inspect, const struct inspect_pd *pd,
                          uint64_t vaddr, uint64_t length, const struct inspect_region **region);
