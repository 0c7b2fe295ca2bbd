/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PD's program: a static, non-relocatable ELF file read into memory (libelf), where symbols can
 * be written over before it is emitted or started.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/system.h"

/*
 * One PT_LOAD header, with its zeroes written out: bytes[0..size) stand at vaddr. (Programs keep
 * the variables that setvar sets in .bss as often as not, so there must be bytes to set.)
 */
struct image_segment {
    uint64_t vaddr;
    uint64_t size;
    unsigned perms; /* enum system_perm */
    unsigned char *bytes;
};

struct image {
    char *path;
    unsigned char *file; /* as read: headers and symbols */
    size_t file_size;
    uint64_t entry;
    unsigned machine; /* EM_X86_64, EM_AARCH64 or EM_RISCV */
    bool hosted;      /* read by image_load_hosted */
    struct image_segment *segments;
    size_t segment_count;
};

#define IMAGE_MEMORY_MAX (UINT64_C(1) << 28) /* bytes of all segments together */

/*
 * Reads and checks an ELF file. False with `*why` set (to be freed): what is wrong with it, and the
 * image empty. The file may be anything: no offset or size in it is believed.
 */
bool image_load(const char *path, struct image *image, char **why);

/*
 * The same, of a program that is for the kernel to load and may therefore be dynamically linked
 * (but not position-independent): what is set in it is set by the program itself, from
 * image_changes().
 */
bool image_load_hosted(const char *path, struct image *image, char **why);

/* The symbol's address and size. False if the program has no such symbol. */
bool image_symbol(const struct image *image, const char *symbol, uint64_t *vaddr, uint64_t *size);

/*
 * The function that an address lies in: the beginning of its name, in `size` bytes at most (the
 * ending zero among them), and how far into it the address is. False if none is found. A name may
 * hold any bytes but zeroes.
 */
bool image_function_at(const struct image *image, uint64_t vaddr, char *name, size_t size,
                       uint64_t *offset);

/*
 * Writes bytes over a symbol of exactly that size in a writable or readable segment. False with
 * `*why` set: no such symbol, or its size differs (program and tool are of different versions).
 */
bool image_patch(struct image *image, const char *symbol, const void *bytes, size_t size,
                 char **why);

/* Writes a 64-bit value, as setvar does. False with `*why` set: no such symbol, or it is smaller.
 */
bool image_set(struct image *image, const char *symbol, uint64_t value, char **why);

/*
 * All that a PD of the expanded system needs: configurations, setvars, microkit_name. `phys` gives
 * the physical (or pseudo-physical) address of a region for region_paddr.
 */
bool image_configure(struct image *image, const struct system *system, size_t pd,
                     uint64_t (*phys)(const struct system *system, size_t region, void *context),
                     void *context, char **why);

/*
 * What has been written over `image` since it was as in `before`, another load of the same file, in
 * pieces; `bytes` point into `image`. False with `*why` set: some of it is where a running program
 * cannot write. The array is to be freed.
 */
struct image_patch {
    uint64_t vaddr;
    uint64_t size;
    const unsigned char *bytes;
};
bool image_changes(const struct image *image, const struct image *before,
                   struct image_patch **patches, size_t *count, char **why);

/* An ELF file again, with what was patched: for the Microkit's tool, or to be run later. */
bool image_write(const struct image *image, const char *path, char **why);
void image_free(struct image *image);

/* The machine of a board's arch; 0 for one that is not known here. And its name, for messages. */
unsigned image_machine(const char *arch);
const char *image_machine_name(unsigned machine);
