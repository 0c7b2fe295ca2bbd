/* SPDX-License-Identifier: BSD-2-Clause */
/* Small ELF files to order, for tests of what reads them. */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_symbol {
    const char *name; /* a variable in .bss */
    uint64_t size;    /* with ELF_FUNCTION: a function at the beginning of the text */
};
#define ELF_FUNCTION (UINT64_C(1) << 63)

struct elf_order {
    uint16_t machine; /* EM_X86_64 ... */
    uint16_t type;    /* ET_EXEC ... */
    struct elf_symbol symbols[8];
};

/*
 * A program of two segments, text at ELF_TEXT and zeroed data at ELF_DATA, with a symbol table. The
 * bytes are to be freed.
 */
#define ELF_TEXT UINT64_C(0x200000)
#define ELF_DATA UINT64_C(0x300000)
unsigned char *elf_make(const struct elf_order *order, size_t *size);

/* The same, into a file. */
void elf_make_file(const char *path, const struct elf_order *order);
