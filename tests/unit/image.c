/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs: read, set, written and read again; and files that are cut off, corrupt or worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "elf_maker.h"
#include "system/image.h"

/* Files in memory: thousands are written here. */
static char path[32];
static char written[32];

static const struct elf_order order = {
    EM_X86_64,
    ET_EXEC,
    {{"config", 32}, {"word", 8}, {"small", 4}, {"microkit_name", 64}, {"run", ELF_FUNCTION | 12}}};

static int make_files(void **state)
{
    (void)state;
    int in = memfd_create("image", MFD_CLOEXEC);
    int out = memfd_create("written", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
    snprintf(written, sizeof(written), "/proc/self/fd/%d", out);
    return in < 0 || out < 0 ? -1 : 0;
}

static void write_bytes(const unsigned char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static void refused(const struct elf_order *bad, const char *because)
{
    struct image image;
    char *why = NULL;
    elf_make_file(path, bad);
    assert_false(image_load(path, &image, &why));
    if (strstr(why, because) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", because, why);
    }
    assert_null(image.segments);
    free(why);
}

static void test_load(void **state)
{
    (void)state;
    struct image image;
    char *why = NULL;
    uint64_t vaddr;
    uint64_t size;
    elf_make_file(path, &order);
    assert_true(image_load(path, &image, &why));
    assert_int_equal(image.entry, ELF_TEXT);
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.segments[0].perms, SYSTEM_READ | SYSTEM_EXECUTE);
    assert_int_equal(image.segments[1].perms, SYSTEM_READ | SYSTEM_WRITE);
    assert_true(image_symbol(&image, "word", &vaddr, &size));
    assert_int_equal(vaddr, ELF_DATA + 32);
    assert_int_equal(size, 8);
    assert_false(image_symbol(&image, "wor", &vaddr, &size));
    assert_false(image_symbol(&image, "", &vaddr, &size));
    image_free(&image);
}

static void test_machines(void **state)
{
    (void)state;
    struct image image;
    char *why = NULL;
    struct elf_order other = order;
    other.machine = EM_AARCH64;
    elf_make_file(path, &other);
    assert_true(image_load(path, &image, &why));
    assert_string_equal(image_machine_name(image.machine), "aarch64");
    image_free(&image);
    other.machine = EM_RISCV;
    elf_make_file(path, &other);
    assert_true(image_load(path, &image, &why));
    assert_int_equal(image.machine, image_machine("riscv64"));
    image_free(&image);
    other.machine = EM_SPARC;
    refused(&other, "which is none of");
    other.machine = EM_X86_64;
    other.type = ET_DYN;
    refused(&other, "position-independent");
    other.type = ET_REL;
    refused(&other, "no linked program");
}

static void test_patch(void **state)
{
    (void)state;
    struct image image;
    char *why = NULL;
    unsigned char config[32];
    memset(config, 0x5a, sizeof(config));
    elf_make_file(path, &order);
    assert_true(image_load(path, &image, &why));
    assert_true(image_patch(&image, "config", config, sizeof(config), &why));
    assert_false(image_patch(&image, "config", config, 31, &why));
    assert_non_null(strstr(why, "different versions"));
    free(why);
    assert_false(image_patch(&image, "nothing", config, 1, &why));
    assert_non_null(strstr(why, "no symbol"));
    free(why);
    assert_true(image_set(&image, "word", 0x1122334455667788, &why));
    assert_false(image_set(&image, "small", 1, &why));
    assert_non_null(strstr(why, "4 bytes"));
    free(why);

    /* .bss that is no longer zero goes into the file, and comes back. */
    assert_true(image_write(&image, written, &why));
    struct image again;
    assert_true(image_load(written, &again, &why));
    assert_int_equal(again.segment_count, image.segment_count);
    for (size_t i = 0; i < image.segment_count; i++) {
        assert_int_equal(again.segments[i].vaddr, image.segments[i].vaddr);
        assert_int_equal(again.segments[i].size, image.segments[i].size);
        assert_memory_equal(again.segments[i].bytes, image.segments[i].bytes,
                            image.segments[i].size);
    }
    assert_memory_equal(again.segments[1].bytes, config, sizeof(config));
    image_free(&again);
    image_free(&image);
    assert_false(image_load("/nowhere/at.all", &image, &why));
    free(why);
}

static uint64_t phys(const struct system *system, size_t region, void *context)
{
    (void)system;
    (void)region;
    return *(uint64_t *)context;
}

static void test_configure(void **state)
{
    (void)state;
    struct system_patch patch = {
        .symbol = "config", .bytes = "0123456789abcdef0123456789abcdef", .size = 32};
    struct system_setvar setvar = {.symbol = "word", .region = 0};
    struct system_region region = {.name = "r", .size = 0x1000, .page_size = 0x1000};
    struct system_pd pd = {.name = "zoe",
                           .patches = &patch,
                           .patch_count = 1,
                           .setvars = &setvar,
                           .setvar_count = 1,
                           .parent = SYSTEM_NONE};
    struct system system = {.regions = &region, .region_count = 1, .pds = &pd, .pd_count = 1};
    struct image image;
    char *why = NULL;
    uint64_t address = 0xabc000;
    uint64_t vaddr;
    uint64_t size;
    elf_make_file(path, &order);
    assert_true(image_load(path, &image, &why));
    assert_true(image_configure(&image, &system, 0, phys, &address, &why));
    assert_memory_equal(image.segments[1].bytes, patch.bytes, 32);
    assert_memory_equal(image.segments[1].bytes + 32, &address, 8);
    assert_true(image_symbol(&image, "microkit_name", &vaddr, &size));
    assert_string_equal((char *)image.segments[1].bytes + (vaddr - ELF_DATA), "zoe");
    image_free(&image);
}

/* Loads, and if that goes well uses the image in every way. */
static void exercise(const unsigned char *bytes, size_t size)
{
    struct image image;
    char *why = NULL;
    write_bytes(bytes, size);
    if (!image_load(path, &image, &why)) {
        assert_non_null(why);
        free(why);
        return;
    }
    unsigned char config[32] = {1};
    if (!image_patch(&image, "config", config, sizeof(config), &why)) {
        free(why);
    }
    if (!image_set(&image, "word", 1, &why)) {
        free(why);
    }
    assert_true(image_write(&image, written, &why));
    char name[16];
    uint64_t offset;
    if (image_function_at(&image, ELF_TEXT + 3, name, sizeof(name), &offset)) {
        assert_true(strnlen(name, sizeof(name)) < sizeof(name));
    }
    image_free(&image);
}

/* An image of these bytes, which are none the loader looks at before the program faults. */
static bool function_in(unsigned char *bytes, size_t size, uint64_t vaddr, char *name,
                        size_t name_size, uint64_t *offset)
{
    const struct image image = {.file = bytes, .file_size = size};
    return image_function_at(&image, vaddr, name, name_size, offset);
}

static void test_function_at(void **state)
{
    (void)state;
    char name[16] = "";
    uint64_t offset;
    struct image image;
    char *why = NULL;
    elf_make_file(path, &order);
    assert_true(image_load(path, &image, &why));
    assert_true(image_function_at(&image, ELF_TEXT + 11, name, sizeof(name), &offset));
    assert_string_equal(name, "run");
    assert_int_equal(offset, 11);
    assert_true(image_function_at(&image, ELF_TEXT, name, 3, &offset));
    assert_string_equal(name, "ru");
    assert_false(image_function_at(&image, ELF_TEXT + 12, name, sizeof(name), &offset));
    assert_false(image_function_at(&image, ELF_TEXT - 1, name, sizeof(name), &offset));
    assert_false(image_function_at(&image, ELF_DATA, name, sizeof(name), &offset));
    image_free(&image);
    assert_false(image_function_at(&image, ELF_TEXT, name, sizeof(name), &offset));
}

/* Sums that wrap, names that do not end, tables that lie askew or are others. */
static void test_function_at_crafted(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      7,
                                      0x40,
                                      0x1000,
                                      UINT64_C(1) << 31,
                                      UINT64_MAX,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX - 7,
                                      -UINT64_C(0xfe00) * 64,
                                      -UINT64_C(0x40000000),
                                      (UINT64_C(1) << 30) + 48};
    size_t size;
    unsigned char *bytes = elf_make(&order, &size);
    Elf64_Ehdr header;
    memcpy(&header, bytes, sizeof(header));
    const size_t tables = header.e_shoff + 2 * sizeof(Elf64_Shdr); /* symbols and names */
    const struct {
        size_t at, size;
    } fields[] = {
        {offsetof(Elf64_Ehdr, e_shoff), 8},
        {offsetof(Elf64_Ehdr, e_shnum), 2},
        {offsetof(Elf64_Ehdr, e_shentsize), 2},
        {tables + offsetof(Elf64_Shdr, sh_offset), 8},
        {tables + offsetof(Elf64_Shdr, sh_size), 8},
        {tables + offsetof(Elf64_Shdr, sh_flags), 8},
        {tables + offsetof(Elf64_Shdr, sh_link), 4},
        {tables + offsetof(Elf64_Shdr, sh_entsize), 8},
        {tables + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_offset), 8},
        {tables + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size), 8},
        {tables + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_flags), 8},
        {tables + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_type), 4},
    };
    const size_t field_count = sizeof(fields) / sizeof(fields[0]);
    const size_t value_count = sizeof(values) / sizeof(values[0]);
    char name[256];
    uint64_t offset;
    /* Every two fields with every two values. */
    for (size_t i = 0; i < field_count * value_count; i++) {
        for (size_t j = 0; j < field_count * value_count; j++) {
            unsigned char *copy = malloc(size); /* exactly as long: a look beyond it is seen */
            assert_non_null(copy);
            memcpy(copy, bytes, size);
            memcpy(copy + fields[i / value_count].at, &values[i % value_count],
                   fields[i / value_count].size);
            memcpy(copy + fields[j / value_count].at, &values[j % value_count],
                   fields[j / value_count].size);
            memset(name, 0x55, sizeof(name));
            if (function_in(copy, size, ELF_TEXT + 3, name, sizeof(name), &offset)) {
                assert_true(strnlen(name, sizeof(name)) < sizeof(name));
            }
            free(copy);
        }
    }
    free(bytes);
}

static void test_cut_off(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = elf_make(&order, &size);
    for (size_t length = 0; length < size; length += length < 2048 ? 1 : 97) {
        exercise(bytes, length);
    }
    free(bytes);
}

/* Every byte of the headers, symbols and names, with values that hurt. */
static void test_corrupt(void **state)
{
    (void)state;
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    size_t size;
    unsigned char *bytes = elf_make(&order, &size);
    for (size_t at = 0; at < 1024; at++) {
        unsigned char before = bytes[at];
        for (size_t i = 0; i < sizeof(values); i++) {
            bytes[at] = values[i];
            exercise(bytes, size);
        }
        bytes[at] = before;
    }
    srand(1);
    for (int round = 0; round < 2000; round++) { /* several at once */
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        for (int i = 0; i < 6; i++) {
            copy[rand() % 1024] = (unsigned char)rand();
        }
        exercise(copy, size);
        free(copy);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_patch),       cmocka_unit_test(test_configure),
        cmocka_unit_test(test_cut_off),     cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_function_at), cmocka_unit_test(test_function_at_crafted),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
