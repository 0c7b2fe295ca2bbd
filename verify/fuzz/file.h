/* SPDX-License-Identifier: BSD-2-Clause */
/* The fuzzer's bytes as a file, for what reads files. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Its path; the same each time. */
static inline const char *fuzz_file(const uint8_t *bytes, size_t size)
{
    static char path[64];
    static int memory = -1;
    if (memory < 0) {
        memory = memfd_create("fuzz", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
    }
    if (memory < 0 || ftruncate(memory, 0) != 0 ||
        pwrite(memory, bytes, size, 0) != (ssize_t)size) {
        abort();
    }
    return path;
}
