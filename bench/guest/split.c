/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's translator that counts the instructions which the guest executes, apart for
 * each page of code. What page is whose the reader finds out: programs at equal virtual addresses
 * lie in different memory, and of each page some instructions are noted to tell them by. The host
 * reads the file at any time. A block that an exception leaves early counts whole.
 *
 *     qemu-system-aarch64 -plugin split.so,to=FILE ...
 *
 * What is used of the interface (QEMU's "TCG Plugins" documentation, version 1) is declared here:
 * Debian has no header for it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*translated)(uint64_t id, struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t number);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation, void *word,
                                              uint64_t value);
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

enum { PAGE = 4096, PAGES = 2048, SAMPLES = 12 };

/* The file's layout; insn.py reads it. Words in the host's byte order. */
struct page {
    uint64_t virtual; /* 0: this one and those behind it are not used */
    uint64_t host;    /* where the emulator has it, to tell pages of one virtual address apart */
    uint64_t count;
    uint64_t samples;
    struct {
        uint32_t offset, word;
    } sample[SAMPLES];
};

static struct page *pages;

static struct page *page_of(uint64_t virtual, uint64_t host)
{
    for (unsigned i = 0; i < PAGES; i++) {
        if (pages[i].virtual == 0) {
            pages[i].host = host;
            pages[i].virtual = virtual;
        }
        if (pages[i].virtual == virtual && pages[i].host == host) {
            return &pages[i];
        }
    }
    return &pages[PAGES]; /* one for all that there is no room for, which the reader reports */
}

static void on_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const uint64_t host = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(first);
    struct page *page = page_of(address / PAGE * PAGE, host / PAGE * PAGE);
    if (page->samples < SAMPLES) {
        page->sample[page->samples].offset = (uint32_t)(address % PAGE);
        memcpy(&page->sample[page->samples].word, qemu_plugin_insn_data(first), 4);
        page->samples++;
    }
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &page->count,
                                             qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    const size_t size = (PAGES + 1) * sizeof(struct page);
    if (argc != 1 || strncmp(argv[0], "to=", 3) != 0) {
        fputs("split: the argument is to=FILE\n", stderr);
        return 1;
    }
    const int fd = open(argv[0] + 3, O_RDWR);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        perror(argv[0]);
        return 1;
    }
    close(fd);
    pages = memory;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
