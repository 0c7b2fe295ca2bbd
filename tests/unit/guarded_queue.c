/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "guarded_queue.h"

#define CANARY 0xa5

enum { PRODUCER_RW, PRODUCER_RO, CONSUMER_RW, CONSUMER_RO };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_to_pages(size_t size)
{
    return (size + page_size() - 1) / page_size() * page_size();
}

/* Maps the region's pages with a page of nothing on both sides. */
static struct guarded_view view_make(int fd, size_t size, int protection,
                                     enum guarded_placement placement)
{
    size_t pages = round_to_pages(size);
    struct guarded_view view = {.reserved = pages + 2 * page_size()};
    view.base =
        mmap(NULL, view.reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(view.base != MAP_FAILED);
    char *first = (char *)view.base + page_size();
    assert_true(mmap(first, pages, protection, MAP_SHARED | MAP_FIXED, fd, 0) == first);
    view.region = placement == GUARDED_AT_START ? first : first + pages - size;
    return view;
}

static int region_make(size_t size)
{
    int fd = memfd_create("queue", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)round_to_pages(size)), 0);
    return fd;
}

static void fill_outside(const struct guarded_view *view, size_t size)
{
    char *first = (char *)view->base + page_size();
    memset(first, CANARY, view->reserved - 2 * page_size());
    memset(view->region, 0, size);
}

static void check_outside(const struct guarded_view *view, size_t size)
{
    const unsigned char *first = (const unsigned char *)view->base + page_size();
    const unsigned char *end = first + view->reserved - 2 * page_size();
    const unsigned char *region = view->region;
    for (const unsigned char *byte = first; byte < end; byte++) {
        if (byte < region || byte >= region + size) {
            assert_int_equal(*byte, CANARY);
        }
    }
}

void guarded_queue_make(struct guarded_queue *queue, uint32_t capacity, uint32_t words,
                        enum guarded_placement placement)
{
    memset(queue, 0, sizeof(*queue));
    queue->producer_size = sddf_queue_producer_size(capacity, words);
    queue->consumer_size = sddf_queue_consumer_size();

    int producer = region_make(queue->producer_size);
    int consumer = region_make(queue->consumer_size);
    struct guarded_view *views = queue->views;
    int rw = PROT_READ | PROT_WRITE;
    views[PRODUCER_RW] = view_make(producer, queue->producer_size, rw, placement);
    views[PRODUCER_RO] = view_make(producer, queue->producer_size, PROT_READ, placement);
    views[CONSUMER_RW] = view_make(consumer, queue->consumer_size, rw, placement);
    views[CONSUMER_RO] = view_make(consumer, queue->consumer_size, PROT_READ, placement);
    close(producer);
    close(consumer);

    fill_outside(&views[PRODUCER_RW], queue->producer_size);
    fill_outside(&views[CONSUMER_RW], queue->consumer_size);
    queue->producer = views[PRODUCER_RW].region;
    queue->producer_ro = views[PRODUCER_RO].region;
    queue->consumer = views[CONSUMER_RW].region;
    queue->consumer_ro = views[CONSUMER_RO].region;
}

static void view_unmake(struct guarded_view *view)
{
    if (view->base) {
        munmap(view->base, view->reserved);
        view->base = NULL;
    }
}

void guarded_queue_unmake(struct guarded_queue *queue)
{
    for (int i = 0; i < 4; i++) {
        view_unmake(&queue->views[i]);
    }
}

void guarded_queue_keep_producer(struct guarded_queue *queue)
{
    view_unmake(&queue->views[PRODUCER_RO]);
    view_unmake(&queue->views[CONSUMER_RW]);
}

void guarded_queue_keep_consumer(struct guarded_queue *queue)
{
    view_unmake(&queue->views[PRODUCER_RW]);
    view_unmake(&queue->views[CONSUMER_RO]);
}

void guarded_queue_start_at(struct guarded_queue *queue, uint32_t index)
{
    sddf_store_relaxed_u32(&queue->producer->tail, index);
    sddf_store_relaxed_u32(&queue->consumer->head, index);
    sddf_store_relaxed_u32(&queue->consumer->mark, index);
}

void guarded_queue_check(const struct guarded_queue *queue)
{
    check_outside(&queue->views[PRODUCER_RW], queue->producer_size);
    check_outside(&queue->views[CONSUMER_RW], queue->consumer_size);
}
