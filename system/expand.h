/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps that the classes' expansions are made of; for expand*.c only. Everything made has the
 * place of the element that it is made for. Nothing fails here: what does not fit is found by the
 * checks that follow (a name that is taken, too many channels), or reported at once (no addresses
 * left), and the element is left out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "system/component.h"
#include "system/idle.h"
#include "system/image.h"
#include "system/network.h"
#include "system/serial.h"
#include "system/system.h"
#include "system/timer.h"
#include "sddf/config.h"

struct expand {
    struct system *system;
    const struct board *board;
    const struct system_search *search;
    struct system_errors *errors;
    uint64_t dma_used; /* bytes of the board's <dma> */
};

/* A PD of the framework's: program, priority unless overridden, a stack that its code is fit for.
 */
size_t expand_pd(struct expand *e, const char *name, const char *program, unsigned priority,
                 const struct system_component *override, struct system_place place);

/* `size` is rounded up to pages. */
size_t expand_region(struct expand *e, const char *name, uint64_t size, struct system_place place);

/* The size of a region that a device is to reach: the pages of such memory may be larger ones. */
uint64_t expand_dma_size(const struct expand *e, uint64_t size);

/*
 * Where there is no IOMMU: gives a region a physical address, from the board's <dma>, which is its
 * IO address too.
 */
uint64_t expand_dma(struct expand *e, size_t region);

/* Where a device reaches memory: at physical addresses, or at those of an IO space of its own. */
struct expand_io {
    size_t space;  /* in the system; SYSTEM_NONE: at physical addresses, of the board's <dma> */
    uint64_t next; /* the next IO address */
    bool guarded;  /* regions lie apart, so that who runs off one's end meets nothing */
};

/* Begins a device's IO space, unless the board's memory has physical addresses for that. */
struct expand_io expand_io_begin(struct expand *e, const struct board_device *device,
                                 struct system_place place);

/* Lets the device reach the region, with these rights where something checks them; the address. */
uint64_t expand_io(struct expand *e, struct expand_io *io, size_t region, unsigned perms);

/* Maps a region where there is room, and says where. */
struct sddf_region_config expand_map(struct expand *e, size_t pd, size_t region, unsigned perms);

struct expand_channel {
    uint8_t a, b; /* each side's number */
};

/* Between two PDs, with each one's lowest free numbers. */
struct expand_channel expand_channel(struct expand *e, size_t a, size_t b, bool a_calls,
                                     bool a_notifies, bool b_notifies, struct system_place place);

/* The device's regions and interrupts, given to its driver. `io` is NULL without memory of its own.
 */
void expand_device(struct expand *e, size_t pd, const struct board_device *device,
                   struct expand_io *io, struct sddf_device_config *config,
                   struct system_place place);

/* Configuration bytes over a symbol of the PD's program; the header is filled in. */
void expand_configure(struct expand *e, size_t pd, const char *symbol, enum sddf_role role,
                      void *config, size_t size);

void expand_network(struct expand *e, const struct system_network *network);
void expand_timer(struct expand *e, const struct system_timer *timer);
void expand_serial(struct expand *e, const struct system_serial *serial);
void expand_idle(struct expand *e, const struct system_idle *idle);

/* Makes a PD a client of the first timer, of which there is one; or of none, if it may do without.
 */
void expand_timer_client(struct expand *e, size_t pd, struct system_place place);
void expand_no_timer(struct expand *e, size_t pd);
