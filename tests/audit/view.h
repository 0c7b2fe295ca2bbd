/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running system, seen from outside (platform/linux/inspect.h), and besides the rings of its
 * AF_XDP sockets, and the configurations that its PDs hold. Nothing inside the system takes part,
 * and nothing but the freezing changes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/linux/inspect.h"

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
    struct inspect inspect;
    bool *ours; /* by PD: we stopped it, so we let it go on */
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
bool view_config(const struct inspect_pd *pd, uint16_t role, void *config, uint32_t size,
                 const char *saved);

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
