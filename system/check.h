/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks, by what they look at; for check*.c only. */
#pragma once

#include "system/image.h"
#include "system/system.h"

struct check {
    const struct system *system;
    const struct board *board;
    const struct system_search *search;
    struct system_errors *errors;
    /* One per PD; with path NULL where there is no good program, which is reported then. */
    struct image *images;
};

void check_regions(const struct check *c);
void check_pds(const struct check *c);
void check_channels(const struct check *c);
void check_io_spaces(const struct check *c);
void check_programs(const struct check *c); /* fills images: comes first */
void check_networks(const struct check *c);
void check_timers(const struct check *c);
void check_serials(const struct check *c);
void check_idles(const struct check *c);

void check_kept(const struct check *c);

/* The board's device of that name and class, or NULL with the mistake reported. */
const struct board_device *check_device(const struct check *c, const char *name, const char *class_,
                                        struct system_place place);

/* What a network says of parts that it does without (check_left_out.c). */
struct system_network;
void check_left_out(const struct check *c, const struct system_network *network);
