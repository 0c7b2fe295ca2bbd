/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/image.h"
#include "system/model.h"

#define FILE_MAX     (UINT64_C(1) << 28)
#define SEGMENTS_MAX 64
#define PAGE         UINT64_C(0x1000)

/* ---- reading ------------------------------------------------------------------------------- */

static bool refuse(char **why, char *text)
{
    *why = text;
    return false;
}

static bool read_file(struct image *image, char **why)
{
    FILE *in = fopen(image->path, "rb");
    struct stat status;
    if (in == NULL || fstat(fileno(in), &status) != 0) {
        char *text = model_format("it cannot be read: %s", strerror(errno));
        if (in != NULL) {
            fclose(in);
        }
        return refuse(why, text);
    }
    if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr) ||
        (uint64_t)status.st_size > FILE_MAX) {
        fclose(in);
        return refuse(why, model_string("it is no ELF file"));
    }
    image->file_size = (size_t)status.st_size;
    image->file = malloc(image->file_size);
    bool whole =
        image->file != NULL && fread(image->file, 1, image->file_size, in) == image->file_size;
    fclose(in);
    return whole || refuse(why, model_string("it cannot be read whole"));
}

static bool check_header(Elf *elf, struct image *image, char **why)
{
    GElf_Ehdr header;
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == NULL) {
        return refuse(why, model_string("it is no ELF file"));
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return refuse(why, model_string("it is no 64-bit little-endian ELF file"));
    }
    image->machine = header.e_machine;
    if (image_machine_name(image->machine) == NULL) {
        return refuse(why, model_format("it is for machine %u, which is none of x86_64, aarch64 "
                                        "and riscv64",
                                        image->machine));
    }
    if (header.e_type == ET_DYN) {
        return refuse(why,
                      model_string("it is position-independent; link it with -no-pie -static"));
    }
    if (header.e_type != ET_EXEC) {
        return refuse(why, model_string("it is no linked program; link it with -static"));
    }
    image->entry = header.e_entry;
    return true;
}

static bool load_segment(struct image *image, const GElf_Phdr *header, uint64_t *memory, char **why)
{
    if (header->p_memsz == 0) {
        return true;
    }
    if (header->p_filesz > header->p_memsz || header->p_offset > image->file_size ||
        header->p_filesz > image->file_size - header->p_offset) {
        return refuse(why, model_string("it is cut off or corrupt: a segment goes beyond its end"));
    }
    if (header->p_vaddr < SYSTEM_VADDR_MIN || header->p_vaddr > SYSTEM_VADDR_MAX ||
        header->p_memsz > SYSTEM_VADDR_MAX - header->p_vaddr) {
        return refuse(why, model_format("a segment at 0x%llx lies outside 0x%llx to 0x%llx",
                                        (unsigned long long)header->p_vaddr,
                                        (unsigned long long)SYSTEM_VADDR_MIN,
                                        (unsigned long long)SYSTEM_VADDR_MAX));
    }
    if (header->p_memsz > IMAGE_MEMORY_MAX - *memory) {
        return refuse(why, model_format("its segments take more than 0x%llx bytes",
                                        (unsigned long long)IMAGE_MEMORY_MAX));
    }
    *memory += header->p_memsz;
    struct image_segment *segment =
        model_append(&image->segments, &image->segment_count, sizeof(*segment));
    segment->vaddr = header->p_vaddr;
    segment->size = header->p_memsz;
    segment->perms = (header->p_flags & PF_R ? SYSTEM_READ : 0) |
                     (header->p_flags & PF_W ? SYSTEM_READ | SYSTEM_WRITE : 0) |
                     (header->p_flags & PF_X ? SYSTEM_EXECUTE : 0);
    segment->bytes = calloc(1, header->p_memsz);
    if (segment->bytes == NULL) {
        return refuse(why, model_string("there is not enough memory for it"));
    }
    memcpy(segment->bytes, image->file + header->p_offset, header->p_filesz);
    return true;
}

static bool load_segments(Elf *elf, struct image *image, char **why)
{
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0 || count == 0 || count > SEGMENTS_MAX) {
        return refuse(why, model_string("it has no segments to load, or too many"));
    }
    uint64_t memory = 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) == NULL) {
            return refuse(why, model_string("it is cut off or corrupt: its program headers"));
        }
        if (!image->hosted && (header.p_type == PT_INTERP || header.p_type == PT_DYNAMIC)) {
            return refuse(why, model_string("it is dynamically linked; link it with -static"));
        }
        if (!image->hosted && header.p_type == PT_TLS) {
            return refuse(why,
                          model_string("it has thread-local variables, which a PD cannot have"));
        }
        if (header.p_type == PT_LOAD && !load_segment(image, &header, &memory, why)) {
            return false;
        }
    }
    return image->segment_count > 0 || refuse(why, model_string("it has no segments to load"));
}

static bool check_layout(const struct image *image, char **why)
{
    bool entered = false;
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *a = &image->segments[i];
        entered |= (a->perms & SYSTEM_EXECUTE) != 0 && image->entry >= a->vaddr &&
                   image->entry - a->vaddr < a->size;
        for (size_t j = 0; j < i; j++) {
            const struct image_segment *b = &image->segments[j];
            uint64_t a_end = model_round_up(a->vaddr + a->size, PAGE);
            uint64_t b_end = model_round_up(b->vaddr + b->size, PAGE);
            if (a->vaddr / PAGE * PAGE < b_end && b->vaddr / PAGE * PAGE < a_end) {
                return refuse(why, model_format("two of its segments share the page at 0x%llx; "
                                                "link it with -z separate-code or a linker script",
                                                (unsigned long long)(a->vaddr / PAGE * PAGE)));
            }
        }
    }
    return entered || refuse(why, model_format("its entry point 0x%llx is in no executable segment",
                                               (unsigned long long)image->entry));
}

static bool load(const char *path, bool hosted, struct image *image, char **why)
{
    *image = (struct image){.path = model_string(path), .hosted = hosted};
    *why = NULL;
    elf_version(EV_CURRENT);
    bool good = read_file(image, why);
    if (good) {
        Elf *elf = elf_memory((char *)image->file, image->file_size);
        good = check_header(elf, image, why) && load_segments(elf, image, why) &&
               (hosted || check_layout(image, why));
        elf_end(elf);
    }
    if (!good) {
        image_free(image);
    }
    return good;
}

bool image_load(const char *path, struct image *image, char **why)
{
    return load(path, false, image, why);
}

bool image_load_hosted(const char *path, struct image *image, char **why)
{
    return load(path, true, image, why);
}

void image_free(struct image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        free(image->segments[i].bytes);
    }
    free(image->segments);
    free(image->file);
    free(image->path);
    memset(image, 0, sizeof(*image));
}

/* ---- machines ------------------------------------------------------------------------------ */

static const struct {
    const char *arch;
    unsigned machine;
} machines[] = {{"x86_64", EM_X86_64}, {"aarch64", EM_AARCH64}, {"riscv64", EM_RISCV}};

unsigned image_machine(const char *arch)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (strcmp(machines[i].arch, arch) == 0) {
            return machines[i].machine;
        }
    }
    return EM_NONE;
}

const char *image_machine_name(unsigned machine)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].machine == machine) {
            return machines[i].arch;
        }
    }
    return NULL;
}

/* ---- symbols ------------------------------------------------------------------------------- */

static bool find_symbol(Elf *elf, const char *symbol, uint64_t *vaddr, uint64_t *size)
{
    bool found = false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_SYMTAB) {
            continue;
        }
        Elf_Data *data = elf_getdata(section, NULL);
        size_t count = data == NULL ? 0 : data->d_size / sizeof(Elf64_Sym);
        for (size_t i = 0; i < count && i < INT32_MAX; i++) {
            GElf_Sym entry;
            if (gelf_getsym(data, (int)i, &entry) == NULL || entry.st_shndx == SHN_UNDEF) {
                continue;
            }
            const char *name = elf_strptr(elf, header.sh_link, entry.st_name);
            if (name == NULL || strcmp(name, symbol) != 0) {
                continue;
            }
            /* A static variable of that name will do, but a global one is what is meant. */
            bool global = GELF_ST_BIND(entry.st_info) != STB_LOCAL;
            if (!found || global) {
                *vaddr = entry.st_value;
                *size = entry.st_size;
                found = true;
            }
            if (global) {
                return true;
            }
        }
    }
    return found;
}

bool image_symbol(const struct image *image, const char *symbol, uint64_t *vaddr, uint64_t *size)
{
    Elf *elf = elf_memory((char *)image->file, image->file_size);
    bool found = elf != NULL && find_symbol(elf, symbol, vaddr, size);
    elf_end(elf);
    return found;
}

/*
 * The table is gone through once and only one name is looked up: a file may have as many symbols
 * at one address as it likes, and names as long. Nor is a table unpacked that is compressed.
 */
static bool find_function(Elf *elf, uint64_t vaddr, char *name, size_t size, uint64_t *offset)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header = {0};
    while ((section = elf_nextscn(elf, section)) != NULL &&
           (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_SYMTAB)) {
        continue;
    }
    GElf_Shdr names;
    Elf_Data *data = section == NULL || (header.sh_flags & SHF_COMPRESSED) != 0
                         ? NULL
                         : elf_getdata(section, NULL);
    if (data == NULL || gelf_getshdr(elf_getscn(elf, header.sh_link), &names) == NULL ||
        (names.sh_flags & SHF_COMPRESSED) != 0) {
        return false;
    }
    size_t count = data->d_size / sizeof(Elf64_Sym);
    GElf_Sym best = {0};
    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        GElf_Sym entry;
        if (gelf_getsym(data, (int)i, &entry) != NULL && GELF_ST_TYPE(entry.st_info) == STT_FUNC &&
            entry.st_value <= vaddr && vaddr - entry.st_value < entry.st_size) {
            best = entry;
        }
    }
    const char *found = best.st_size == 0 ? NULL : elf_strptr(elf, header.sh_link, best.st_name);
    if (found == NULL) {
        return false;
    }
    snprintf(name, size, "%.*s", (int)(size - 1), found);
    *offset = vaddr - best.st_value;
    return true;
}

bool image_function_at(const struct image *image, uint64_t vaddr, char *name, size_t size,
                       uint64_t *offset)
{
    Elf *elf = image->file == NULL ? NULL : elf_memory((char *)image->file, image->file_size);
    bool found = elf != NULL && find_function(elf, vaddr, name, size, offset);
    elf_end(elf);
    return found;
}

/* Where the bytes of an address are; NULL if they are not all in one segment. */
static unsigned char *bytes_at(const struct image *image, uint64_t vaddr, size_t size)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segments[i];
        if (vaddr >= segment->vaddr && vaddr - segment->vaddr <= segment->size &&
            size <= segment->size - (vaddr - segment->vaddr)) {
            return segment->bytes + (vaddr - segment->vaddr);
        }
    }
    return NULL;
}

static bool write_symbol(struct image *image, const char *symbol, uint64_t vaddr, const void *bytes,
                         size_t size, char **why)
{
    unsigned char *place = bytes_at(image, vaddr, size);
    if (place == NULL) {
        return refuse(why, model_format("its symbol \"%s\" lies in no segment", symbol));
    }
    memcpy(place, bytes, size);
    return true;
}

bool image_patch(struct image *image, const char *symbol, const void *bytes, size_t size,
                 char **why)
{
    uint64_t vaddr;
    uint64_t has;
    if (!image_symbol(image, symbol, &vaddr, &has)) {
        return refuse(why, model_format("it has no symbol \"%s\"", symbol));
    }
    /* (AddressSanitizer's guard behind a variable may count as a part of it.) */
    if (has != size && !(image->hosted && has > size)) {
        return refuse(why, model_format("its symbol \"%s\" has %llu bytes and should have %zu: "
                                        "program and tool are of different versions",
                                        symbol, (unsigned long long)has, size));
    }
    return write_symbol(image, symbol, vaddr, bytes, size, why);
}

bool image_set(struct image *image, const char *symbol, uint64_t value, char **why)
{
    uint64_t vaddr;
    uint64_t has;
    if (!image_symbol(image, symbol, &vaddr, &has)) {
        return refuse(why, model_format("it has no symbol \"%s\"", symbol));
    }
    if (has != 0 && has < sizeof(value)) { /* 0: assembly that gives no size */
        return refuse(why,
                      model_format("its symbol \"%s\" has %llu bytes; setvar writes 8, so make "
                                   "it a seL4_Word",
                                   symbol, (unsigned long long)has));
    }
    return write_symbol(image, symbol, vaddr, &value, sizeof(value), why);
}

/* ---- all of a PD ---------------------------------------------------------------------------- */

static bool set_optional(struct image *image, const char *symbol, uint64_t value, char **why)
{
    return symbol == NULL || image_set(image, symbol, value, why);
}

static bool configure_name(struct image *image, const char *name, char **why)
{
    uint64_t vaddr;
    uint64_t size;
    char bytes[SYSTEM_NAME_MAX + 1] = {0};
    if (!image_symbol(image, "microkit_name", &vaddr, &size)) {
        return true; /* a program that does not link the library has no use for its name */
    }
    if (size < sizeof(bytes)) {
        return refuse(why, model_format("its symbol \"microkit_name\" has %llu bytes, and should "
                                        "have %zu",
                                        (unsigned long long)size, sizeof(bytes)));
    }
    memcpy(bytes, name, strnlen(name, SYSTEM_NAME_MAX));
    return write_symbol(image, "microkit_name", vaddr, bytes, sizeof(bytes), why);
}

static bool configure_channels(struct image *image, const struct system *system, size_t pd,
                               char **why)
{
    for (size_t i = 0; i < system->channel_count; i++) {
        for (int side = 0; side < 2; side++) {
            const struct system_end *end = &system->channels[i].end[side];
            if (end->pd == pd && !set_optional(image, end->setvar_id, end->id, why)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct system_pd *child = &system->pds[i];
        if (child->parent == pd &&
            !set_optional(image, child->child_setvar_id, child->child_id, why)) {
            return false;
        }
    }
    return true;
}

bool image_configure(struct image *image, const struct system *system, size_t pd,
                     uint64_t (*phys)(const struct system *system, size_t region, void *context),
                     void *context, char **why)
{
    const struct system_pd *self = &system->pds[pd];
    if (!configure_name(image, self->name, why) || !configure_channels(image, system, pd, why)) {
        return false;
    }
    for (size_t i = 0; i < self->patch_count; i++) {
        const struct system_patch *patch = &self->patches[i];
        if (!image_patch(image, patch->symbol, patch->bytes, patch->size, why)) {
            return false;
        }
    }
    for (size_t i = 0; i < self->map_count; i++) {
        const struct system_map *map = &self->maps[i];
        if (!set_optional(image, map->setvar_vaddr, map->vaddr, why) ||
            !set_optional(image, map->setvar_size, system->regions[map->region].size, why)) {
            return false;
        }
    }
    for (size_t i = 0; i < self->irq_count; i++) {
        if (!set_optional(image, self->irqs[i].setvar_id, self->irqs[i].id, why)) {
            return false;
        }
    }
    for (size_t i = 0; i < self->setvar_count; i++) {
        const struct system_setvar *setvar = &self->setvars[i];
        if (!image_set(image, setvar->symbol, phys(system, setvar->region, context), why)) {
            return false;
        }
    }
    return true;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Bytes of a segment that the file must hold: what it held, and what is no longer zero behind it.
 */
static uint64_t bytes_to_write(const struct image_segment *segment, uint64_t in_file)
{
    uint64_t size = segment->size;
    while (size > in_file && segment->bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

/*
 * The file as it was read, with each segment's bytes in place. A segment whose .bss was written to
 * no longer fits where it was: it goes to the end of the file, at an offset that agrees with its
 * address. Sections stay as they were; whoever loads a program looks at segments.
 */
bool image_write(const struct image *image, const char *path, char **why)
{
    size_t room = image->file_size;
    for (size_t i = 0; i < image->segment_count; i++) {
        room += image->segments[i].size + 2 * PAGE;
    }
    unsigned char *bytes = calloc(1, room);
    if (bytes == NULL) {
        return refuse(why, model_format("%s: there is not enough memory to write it", path));
    }
    memcpy(bytes, image->file, image->file_size);
    Elf64_Ehdr header;
    memcpy(&header, bytes, sizeof(header));
    size_t end = image->file_size;
    size_t next = 0;
    for (size_t i = 0; i < header.e_phnum && next < image->segment_count; i++) {
        unsigned char *place = bytes + header.e_phoff + i * sizeof(Elf64_Phdr);
        Elf64_Phdr program;
        memcpy(&program, place, sizeof(program));
        if (program.p_type != PT_LOAD || program.p_memsz == 0) {
            continue;
        }
        const struct image_segment *segment = &image->segments[next++];
        uint64_t size = bytes_to_write(segment, program.p_filesz);
        if (size > program.p_filesz) {
            end = model_round_up(end, PAGE) + segment->vaddr % PAGE;
            program.p_offset = end;
            program.p_filesz = size;
            end += size;
            if (program.p_align > PAGE) {
                program.p_align = PAGE; /* all that the new offset promises */
            }
            memcpy(place, &program, sizeof(program));
        }
        memcpy(bytes + program.p_offset, segment->bytes, size);
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    bool good = file >= 0;
    for (size_t written = 0; good && written < end;) {
        ssize_t n = write(file, bytes + written, end - written);
        good = n > 0;
        written += good ? (size_t)n : 0;
    }
    int error = errno;
    if (file >= 0 && close(file) != 0) {
        good = false;
        error = errno;
    }
    free(bytes);
    return good || refuse(why, model_format("%s: cannot be written: %s", path, strerror(error)));
}
