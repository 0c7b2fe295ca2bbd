/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define FREE_PAGES     "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define PAGEMAP_NUMBER ((UINT64_C(1) << 55) - 1)

const struct linux_dma linux_no_dma = {.rw = -1, .ro = -1};

static uint64_t free_pages(void)
{
    unsigned long long count = 0;
    FILE *in = fopen(FREE_PAGES, "re");
    if (in != NULL) {
        if (fscanf(in, "%llu", &count) != 1) {
            count = 0;
        }
        fclose(in);
    }
    return count;
}

/*
 * Page by page, from the last to the first or the other way round: how many could be had. The
 * kernel hands free huge pages out in the order in which they lie, and mostly from above.
 */
static uint64_t fill(int fd, uint64_t pages, bool downwards)
{
    uint64_t got = 0;
    for (; got < pages; got++) {
        uint64_t page = downwards ? pages - 1 - got : got;
        if (fallocate(fd, 0, (off_t)(page * LINUX_DMA_PAGE), (off_t)LINUX_DMA_PAGE) != 0) {
            break;
        }
    }
    return got;
}

/* Where a page that is mapped here really is; 0: nobody says. */
static uint64_t physical(int pagemap, const volatile unsigned char *here)
{
    uint64_t entry = 0;
    (void)*here; /* then it is in the page table */
    off_t at = (off_t)((uintptr_t)here / MK_PAGE * sizeof(entry));
    if (pread(pagemap, &entry, sizeof(entry), at) != (ssize_t)sizeof(entry)) {
        return 0;
    }
    return (entry & PAGEMAP_NUMBER) * MK_PAGE;
}

/* The longest run of the memfd's pages whose addresses follow each other. */
static void find_run(struct linux_dma *dma, int pagemap, const unsigned char *here, uint64_t first,
                     uint64_t count)
{
    uint64_t start = 0, start_phys = 0, size = 0;
    for (uint64_t i = first; i < first + count; i++) {
        uint64_t phys = physical(pagemap, here + i * LINUX_DMA_PAGE);
        if (phys == 0 || size == 0 || phys != start_phys + size) {
            start = i * LINUX_DMA_PAGE;
            start_phys = phys;
            size = 0;
        }
        size += phys == 0 ? 0 : LINUX_DMA_PAGE;
        if (size > dma->size) {
            dma->offset = start;
            dma->phys = start_phys;
            dma->size = size;
        }
    }
}

/* All of the memfd but this stretch goes back. */
static void keep_only(const struct linux_dma *dma, uint64_t end)
{
    const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const uint64_t behind = dma->offset + dma->size;
    if (dma->offset != 0) {
        fallocate(dma->rw, punch, 0, (off_t)dma->offset);
    }
    if (behind < end) {
        fallocate(dma->rw, punch, (off_t)behind, (off_t)(end - behind));
    }
}

static bool open_way(struct linux_dma *dma, uint64_t pages, bool downwards, int pagemap, char **why)
{
    const size_t size = (size_t)(pages * LINUX_DMA_PAGE);
    *dma = linux_no_dma;
    dma->rw = memfd_create("dma", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
    void *here = MAP_FAILED;
    if (dma->rw >= 0 && ftruncate(dma->rw, (off_t)size) == 0) {
        here = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, dma->rw, 0);
    }
    if (here == MAP_FAILED) {
        return linux_device_fail(why, "cannot have huge pages: %s", strerror(errno));
    }
    uint64_t got = fill(dma->rw, pages, downwards);
    find_run(dma, pagemap, here, downwards ? pages - got : 0, got);
    munmap(here, size);
    keep_only(dma, size);
    return true;
}

bool linux_dma_open(struct linux_dma *dma, uint64_t most, char **why)
{
    uint64_t pages = free_pages();
    *dma = linux_no_dma;
    if (pages == 0) {
        return linux_device_fail(why, "the card needs huge pages, and none are free: \"echo 64 > "
                                      "/proc/sys/vm/nr_hugepages\"");
    }
    pages = pages < most / LINUX_DMA_PAGE ? pages : most / LINUX_DMA_PAGE;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) {
        return linux_device_fail(why, "cannot open /proc/self/pagemap: %s", strerror(errno));
    }
    bool ok = open_way(dma, pages, true, pagemap, why);
    if (ok && dma->size < pages * LINUX_DMA_PAGE) {
        struct linux_dma other;
        const struct linux_dma first = *dma;
        char *ignored = NULL;
        if (open_way(&other, pages, false, pagemap, &ignored) && other.size > first.size) {
            *dma = other;
            other = first;
        }
        free(ignored);
        linux_dma_close(&other);
    }
    close(pagemap);
    if (ok && dma->size == 0) {
        ok = linux_device_fail(why, "the physical addresses of memory are root's to see "
                                    "(CAP_SYS_ADMIN)");
    }
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dma->rw);
    if (ok && (dma->ro = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        ok = linux_device_fail(why, "cannot open %s for reading only: %s", path, strerror(errno));
    }
    if (!ok) {
        linux_dma_close(dma);
    }
    return ok;
}

bool linux_dma_has(const struct linux_dma *dma, const struct system_region *region,
                   uint64_t *offset)
{
    if (dma == NULL || dma->size == 0 || !region->has_phys || region->phys < dma->phys ||
        region->phys - dma->phys >= dma->size) {
        return false;
    }
    *offset = dma->offset + (region->phys - dma->phys);
    return true;
}

void linux_dma_trim(struct linux_dma *dma, const struct system *system)
{
    const uint64_t end = dma->offset + dma->size;
    uint64_t used = 0;
    for (size_t i = 0; i < system->region_count; i++) {
        uint64_t offset;
        if (linux_dma_has(dma, &system->regions[i], &offset) &&
            offset - dma->offset + system->regions[i].size > used) {
            used = offset - dma->offset + system->regions[i].size;
        }
    }
    dma->size = used;
    keep_only(dma, end);
}

void linux_dma_close(struct linux_dma *dma)
{
    if (dma->rw >= 0) {
        close(dma->rw);
    }
    if (dma->ro >= 0) {
        close(dma->ro);
    }
    *dma = linux_no_dma;
}
