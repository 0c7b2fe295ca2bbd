/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's translator that counts the instructions which the guest executes: in the
 * first word of a file those of its kernel, in the second all others. The host reads the file at
 * any time. A processor that sleeps executes none. A block that an exception leaves early counts
 * whole.
 *
 *     qemu-system-x86_64 -plugin count.so,to=FILE ...
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
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*translated)(uint64_t id, struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation, void *word,
                                              uint64_t value);
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

/* The upper half of the address space is the kernel's. */
#define KERNEL (UINT64_C(1) << 63)

static uint64_t *counters;

static void on_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    uint64_t *counter = &counters[qemu_plugin_tb_vaddr(tb) >= KERNEL ? 0 : 1];
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, counter,
                                             qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "to=", 3) != 0) {
        fputs("count: the argument is to=FILE\n", stderr);
        return 1;
    }
    const int fd = open(argv[0] + 3, O_RDWR);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        perror(argv[0]);
        return 1;
    }
    close(fd);
    counters = page;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
