/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running system, seen from outside: its PDs, the bytes of its regions, the rings of its AF_XDP
 * sockets, and the configurations that its PDs hold. All of it comes from the state file that
 * `sddf run --state` writes and from /proc; nothing inside the system takes part, and nothing but
 * the freezing changes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct view_map {
    size_t region; /* index into view.regions */
    uint64_t vaddr;
    uint64_t size;
};

struct view_pd {
    char *name;
    pid_t pid;
    bool dead;
    bool ours; /* we stopped it, so we let it go on */
    struct view_map *maps;
    size_t map_count;
};

struct view_region {
    char *name;
    uint64_t size;
    const void *bytes; /* NULL: the region is no memory (a device's) */
};

/* One ring of an AF_XDP socket, as its user sees it. Descriptors or bare addresses. */
struct view_ring {
    const char *name;
    const uint32_t *producer, *consumer;
    const void *entries;
    uint32_t size;
    bool descriptors; /* struct xdp_desc; otherwise 64-bit addresses */
    void *base;
    size_t length;
};

enum { VIEW_RX, VIEW_TX, VIEW_FILL, VIEW_COMPLETION, VIEW_RINGS };

struct view_device {
    char *name;
    bool has_rings;
    struct view_ring ring[VIEW_RINGS];
};

struct view {
    pid_t loader;
    struct view_pd *pds;
    size_t pd_count;
    struct view_region *regions;
    size_t region_count;
    struct view_device *devices;
    size_t device_count;
};

/* Ends the program with a message and status 2 when the state file cannot be understood. */
void view_open(struct view *view, const char *state);
void view_close(struct view *view);

/*
 * Stops every PD that lives and waits until the kernel says that each is stopped; false, with the
 * name of a PD that would not stop, after two seconds. view_thaw() lets those go on that ran.
 */
bool view_freeze(struct view *view, const char **culprit);
void view_thaw(struct view *view);

/*
 * Copies the PD's configuration of this role and size out of its memory: the one place in its
 * program that begins with the header of exactly such a configuration. If the PD is dead, takes
 * what was `saved` in that folder when it lived (NULL: no folder). False: there is none.
 */
bool view_config(const struct view *view, const struct view_pd *pd, uint16_t role, void *config,
                 uint32_t size, const char *saved);

/* What the PD sees at vaddr, or NULL: `length` bytes that lie in one mapping of one region. */
const void *view_bytes(const struct view *view, const struct view_pd *pd, uint64_t vaddr,
                       uint64_t length, const struct view_region **region);

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
