/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that PDs map: sealed memfds, with a descriptor that writes and one that only reads. */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#define HUGE_PAGE UINT64_C(0x200000)

const struct linux_memory linux_no_memory = {-1, -1, 0, 0};

static int make(const char *name, unsigned flags, bool executable)
{
    int fd = memfd_create(name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create(name, flags);
    return fd;
}

#define LARGE UINT64_C(0x10000) /* what is smaller is not worth the question */

static bool give_size(int fd, uint64_t size)
{
    /* fallocate: what is not there is missed now and not when a PD touches it. */
    return ftruncate(fd, (off_t)size) == 0 && fallocate(fd, 0, 0, (off_t)size) == 0;
}

static bool open_pages(struct linux_memory *memory, const char *name, uint64_t size,
                       uint64_t page_size, unsigned flags, bool executable)
{
    size = (size + page_size - 1) / page_size * page_size;
    memory->rw = make(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags, executable);
    if (memory->rw < 0)
        return false;
    if (!give_size(memory->rw, size) ||
        fcntl(memory->rw, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        int error = errno;
        close(memory->rw);
        memory->rw = -1;
        errno = error;
        return false;
    }
    memory->size = size;
    memory->page_size = page_size;
    return true;
}

bool linux_memory_open(struct linux_memory *memory, const char *name, uint64_t size,
                       uint64_t page_size, bool executable)
{
    *memory = linux_no_memory;
    bool huge = page_size == HUGE_PAGE;
    if (size >= LARGE && !linux_limits_memory(name, size))
        return false;
    if (huge && open_pages(memory, name, size, HUGE_PAGE, MFD_HUGETLB | MFD_HUGE_2MB, executable)) {
        /* It is there in huge pages. */
    } else {
        if (huge)
            fprintf(stderr,
                    "sddf: region %s: no huge pages are free (%s), it gets pages of 4 KiB; "
                    "reserve some in /proc/sys/vm/nr_hugepages\n",
                    name, strerror(errno));
        if (!open_pages(memory, name, size, MK_PAGE, 0, executable)) {
            linux_complain("cannot make %llu bytes of memory for %s: %s", (unsigned long long)size,
                           name, strerror(errno));
            return false;
        }
    }
    /* Opened anew and not duplicated, so that it has rights of its own. */
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory->rw);
    memory->ro = open(path, O_RDONLY | O_CLOEXEC);
    if (memory->ro < 0) {
        linux_complain("cannot open %s for reading only (is /proc mounted?): %s", path,
                       strerror(errno));
        linux_memory_close(memory);
        return false;
    }
    return true;
}

bool linux_memory_write(const struct linux_memory *memory, uint64_t at, const void *bytes,
                        size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t written = pwrite(memory->rw, from, size, (off_t)at);
        if (written <= 0) {
            linux_complain("cannot write to a PD's memory: %s", strerror(errno));
            return false;
        }
        from += written;
        at += (uint64_t)written;
        size -= (size_t)written;
    }
    return true;
}

void linux_memory_seal(const struct linux_memory *memory)
{
    fcntl(memory->rw, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL);
}

void linux_memory_close(struct linux_memory *memory)
{
    if (memory->rw >= 0)
        close(memory->rw);
    if (memory->ro >= 0)
        close(memory->ro);
    *memory = linux_no_memory;
}
