/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every fuzz target with neighbours shares: shared memory with the component's rights, the
 * fuzzer's bytes, and the steps at which neighbours have their turn. Included once per target.
 *
 * Regions lie in one memfd that is mapped twice. In the component's mapping each region has the
 * rights that the page tables give it (what a neighbour writes is read-only), ends at a page's end,
 * and has nothing mapped around it, so an access that strays is a fault. The neighbours, which are
 * the harness, write through the other mapping.
 */
#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_PAGE  4096u
#define FUZZ_ARENA (512 * FUZZ_PAGE)

/*
 * Shared accesses of one handler since a neighbour last did anything: far more than any pass over
 * the small queues here takes.
 */
#define FUZZ_STEPS_MAX 20000

_Noreturn static inline void fuzz_fail(const char *what)
{
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static inline void fuzz_check(bool holds, const char *what)
{
    if (!holds) {
        fuzz_fail(what);
    }
}

/* ---- the fuzzer's bytes -------------------------------------------------------------------- */

static const uint8_t *fuzz_bytes;
static size_t fuzz_bytes_left;

static inline uint8_t fuzz_u8(void)
{
    if (fuzz_bytes_left == 0) {
        return 0;
    }
    fuzz_bytes_left--;
    return *fuzz_bytes++;
}

static inline uint16_t fuzz_u16(void)
{
    uint16_t low = fuzz_u8();
    return (uint16_t)(low | fuzz_u8() << 8);
}

static inline uint32_t fuzz_u32(void)
{
    uint32_t low = fuzz_u16();
    return low | (uint32_t)fuzz_u16() << 16;
}

static inline uint64_t fuzz_u64(void)
{
    uint64_t low = fuzz_u32();
    return low | (uint64_t)fuzz_u32() << 32;
}

/* ---- shared memory ------------------------------------------------------------------------- */

static uint8_t *fuzz_view;  /* the component's */
static uint8_t *fuzz_alias; /* the neighbours' */
static size_t fuzz_used;

/* Zeroed memory of the component's, which it may write or only read. */
static inline void *fuzz_region(size_t size, bool writable)
{
    if (fuzz_view == NULL) {
        int memory = memfd_create("fuzz", 0);
        fuzz_check(memory >= 0 && ftruncate(memory, FUZZ_ARENA) == 0, "no memory");
        fuzz_view = mmap(NULL, FUZZ_ARENA, PROT_NONE, MAP_SHARED, memory, 0);
        fuzz_alias = mmap(NULL, FUZZ_ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
        fuzz_check(fuzz_view != MAP_FAILED && fuzz_alias != MAP_FAILED, "no memory");
        close(memory);
    }
    size_t rounded = (size + 63) / 64 * 64;
    size_t pages = (rounded + FUZZ_PAGE - 1) / FUZZ_PAGE * FUZZ_PAGE;
    uint8_t *begin = fuzz_view + fuzz_used + FUZZ_PAGE;
    fuzz_used += pages + FUZZ_PAGE;
    fuzz_check(fuzz_used + FUZZ_PAGE <= FUZZ_ARENA, "the arena is too small");
    fuzz_check(mprotect(begin, pages, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0,
               "no rights");
    return begin + pages - rounded;
}

/* Where the neighbours see what the component sees there. */
static inline void *fuzz_theirs(const void *ours)
{
    return fuzz_alias + ((const uint8_t *)ours - fuzz_view);
}

/* ---- steps --------------------------------------------------------------------------------- */

uint32_t fuzz_steps_left = UINT32_MAX;
static bool fuzz_concurrent; /* the neighbours run while the component does */
static bool fuzz_turn_due;   /* when no steps are left, that is a turn's beginning */

/* One thing that some neighbour does, by the fuzzer's bytes. */
static void fuzz_neighbours_act(void);

/* Also the beginning of each handler. */
static inline void fuzz_steps_begin(void)
{
    /* Turns end with the bytes, so a handler has its whole number of steps after the last one. */
    fuzz_steps_left = FUZZ_STEPS_MAX;
    fuzz_turn_due = fuzz_concurrent && fuzz_bytes_left > 0;
    if (fuzz_turn_due) {
        fuzz_steps_left = 1 + fuzz_u8() % 64;
    }
}

void fuzz_step(void)
{
    fuzz_check(fuzz_turn_due, "a handler does not end");
    fuzz_neighbours_act();
    fuzz_steps_begin();
}

/* ---- the platform -------------------------------------------------------------------------- */

char microkit_name[MICROKIT_PD_NAME_LENGTH] = "fuzzed";

/* The component notifies. */
static void fuzz_notified(microkit_channel ch);
static uint64_t fuzz_registers[8];

void microkit_notify(microkit_channel ch)
{
    fuzz_notified(ch);
}

void microkit_deferred_notify(microkit_channel ch)
{
    fuzz_notified(ch); /* it goes out when the handler ends, which is when anybody asks */
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return fuzz_registers[mr % 8];
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    fuzz_registers[mr % 8] = value;
}

void microkit_dbg_putc(int c)
{
    (void)c;
}

void microkit_dbg_puts(const char *text)
{
    (void)text;
}

void microkit_dbg_put32(seL4_Uint32 value)
{
    (void)value;
}

/* One execution. */
static void fuzz_run(void);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_bytes = bytes;
    fuzz_bytes_left = size;
    fuzz_run();
    return 0;
}
