/* SPDX-License-Identifier: BSD-2-Clause */
#include "elf_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { symbols_max = 8, names_max = 512, text_offset = 0x1000 };

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr program[2];
    Elf64_Shdr section[4]; /* none, .bss, .symtab, .strtab */
    Elf64_Sym symbol[1 + symbols_max];
    char names[names_max];
};

static void must(bool good)
{
    if (!good) {
        fputs("elf_maker: out of memory or space\n", stderr);
        abort();
    }
}

unsigned char *elf_make(const struct elf_order *order, size_t *size)
{
    struct file f = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                               EV_CURRENT},
                   .e_type = order->type,
                   .e_machine = order->machine,
                   .e_version = EV_CURRENT,
                   .e_entry = ELF_TEXT,
                   .e_phoff = offsetof(struct file, program),
                   .e_shoff = offsetof(struct file, section),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2,
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 4},
    };
    size_t name = 1;
    uint64_t data = 0;
    size_t count = 0;
    for (; count < symbols_max && order->symbols[count].name != NULL; count++) {
        const struct elf_symbol *s = &order->symbols[count];
        size_t length = strlen(s->name) + 1;
        must(name + length <= sizeof(f.names));
        memcpy(f.names + name, s->name, length);
        f.symbol[1 + count] = (Elf64_Sym){.st_name = (Elf64_Word)name,
                                          .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                                          .st_shndx = 1,
                                          .st_value = ELF_DATA + data,
                                          .st_size = s->size};
        if ((s->size & ELF_FUNCTION) != 0) {
            f.symbol[1 + count].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
            f.symbol[1 + count].st_value = ELF_TEXT;
            f.symbol[1 + count].st_size = s->size & ~ELF_FUNCTION;
        }
        name += length;
        data += (s->size & ELF_FUNCTION) != 0 ? 0 : (s->size + 15) / 16 * 16;
    }
    f.program[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_X,
                                .p_offset = text_offset,
                                .p_vaddr = ELF_TEXT,
                                .p_filesz = 16,
                                .p_memsz = 16,
                                .p_align = 0x1000};
    f.program[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_W,
                                .p_offset = text_offset,
                                .p_vaddr = ELF_DATA,
                                .p_filesz = 0,
                                .p_memsz = data + 16,
                                .p_align = 0x1000};
    f.section[1] = (Elf64_Shdr){.sh_type = SHT_NOBITS,
                                .sh_flags = SHF_ALLOC | SHF_WRITE,
                                .sh_addr = ELF_DATA,
                                .sh_size = data + 16};
    f.section[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                .sh_offset = offsetof(struct file, symbol),
                                .sh_size = (1 + count) * sizeof(Elf64_Sym),
                                .sh_link = 3,
                                .sh_info = 1,
                                .sh_entsize = sizeof(Elf64_Sym),
                                .sh_addralign = 8};
    f.section[3] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct file, names), .sh_size = name};
    must(sizeof(f) <= text_offset);
    *size = text_offset + 16;
    unsigned char *bytes = calloc(1, *size);
    must(bytes != NULL);
    memcpy(bytes, &f, sizeof(f));
    memset(bytes + text_offset, 0x90, 16);
    return bytes;
}

void elf_make_file(const char *path, const struct elf_order *order)
{
    size_t size;
    unsigned char *bytes = elf_make(order, &size);
    FILE *out = fopen(path, "wb");
    must(out != NULL && fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
    free(bytes);
}
