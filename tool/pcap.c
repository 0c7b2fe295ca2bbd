/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sddf pcap: the frames that a network's clients receive and send, as a pcapng file, read out of
 * the running system's memory. Nothing in the system takes part or waits.
 *
 * So nothing holds a frame for us, either: its buffer goes back, and is used again. What is copied
 * out in that moment would be half of one frame and half of another. Hence each frame is held back
 * for a while after it was copied, and written only if its buffer had not been taken for another
 * one by then:
 *
 *     active queue   entry k speaks of buffer b, which is copied
 *     free queue     entry j: b goes back; whoever fills buffers takes it when its head passes j
 *     later          that head has not passed j: b was not written to while it was copied
 *
 * Where that cannot be said, the frame is counted and left out.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "sddf/net.h"
#include "system/model.h"
#include "tool/inside.h"
#include "tool/pcapng.h"

#define EVERY_NS UINT64_C(50000)   /* between two looks */
#define HOLD_NS  UINT64_C(2000000) /* longer than any pass of a component's */
#define HELD     16384             /* frames at a time */

/* A queue, as somebody who is neither of its ends sees it. */
struct queue {
    const struct sddf_queue_producer_region *producer;
    const struct sddf_queue_consumer_region *consumer;
    uint32_t capacity;
    uint32_t seen; /* entries up to here have been looked at */
};

/* One direction of one client: where frames pass. */
struct point {
    struct queue active, free;
    const struct inspect_region *data;
    uint32_t interface;
    enum pcapng_direction direction;
    uint64_t *last; /* by buffer: number of the last frame in it, from 1; 0: none */
};

struct frame {
    uint64_t ns;  /* of the clock on the wall */
    uint64_t due; /* CLOCK_MONOTONIC */
    struct point *point;
    bool spoilt; /* its buffer has been used again, or may have been */
    bool returned;
    uint32_t returned_at; /* index in the free queue */
    uint32_t size;
    unsigned char bytes[NET_FRAME_MAX];
};

struct capture {
    struct inspect inspect;
    FILE *out;
    struct point *points;
    size_t point_count;
    char **interfaces; /* their names */
    size_t interface_count;
    struct frame *frames; /* a ring: numbers from `first` to `next` are held */
    uint64_t first, next; /* from 1 */
    uint64_t written, quick, strange;
};

/* ---- where to look ------------------------------------------------------------------------- */

static const struct inspect_region *find(const struct inspect *inspect, const char *base,
                                         const char *end)
{
    char *name = model_format("%s%s", base, end);
    const struct inspect_region *region = inspect_region(inspect, name);
    free(name);
    return region;
}

static bool find_queue(const struct inspect *inspect, const char *base, const char *which,
                       struct queue *queue)
{
    char *name = model_format("%s_%s", base, which);
    const struct inspect_region *producer = find(inspect, name, "_producer");
    const struct inspect_region *consumer = find(inspect, name, "_consumer");
    free(name);
    if (producer == NULL || consumer == NULL ||
        producer->size < sizeof(struct sddf_queue_producer_region) ||
        consumer->size < sddf_queue_consumer_size()) {
        return false;
    }
    *queue = (struct queue){.producer = producer->bytes, .consumer = consumer->bytes};
    queue->capacity = sddf_load_relaxed_u32(&queue->producer->header.capacity);
    queue->seen = sddf_load_acquire_u32(&queue->producer->tail);
    return sddf_queue_capacity_ok(queue->capacity) &&
           sddf_queue_producer_size(queue->capacity, net_queue_words) <= producer->size;
}

static bool add_point(struct capture *capture, const char *base, const char *way,
                      enum pcapng_direction direction)
{
    struct point point = {.interface = (uint32_t)capture->interface_count, .direction = direction};
    char *active = model_format("%s_active", way);
    char *free_ = model_format("%s_free", way);
    char *data = model_format("_%s_data", way);
    point.data = find(&capture->inspect, base, data);
    bool found = point.data != NULL && find_queue(&capture->inspect, base, active, &point.active) &&
                 find_queue(&capture->inspect, base, free_, &point.free);
    free(active);
    free(free_);
    free(data);
    if (found) {
        point.last = calloc(point.data->size / NET_BUFFER_SIZE + 1, sizeof(*point.last));
        *(struct point *)model_append(&capture->points, &capture->point_count, sizeof(point)) =
            point;
    }
    return found;
}

static bool chosen(const char *base, const char *const *pds, size_t pd_count)
{
    size_t length = strlen(base);
    for (size_t i = 0; i < pd_count; i++) {
        size_t size = strlen(pds[i]);
        if (strcmp(base, pds[i]) == 0 || (length > size && base[length - size - 1] == '_' &&
                                          strcmp(base + length - size, pds[i]) == 0)) {
            return true;
        }
    }
    return pd_count == 0;
}

static void add_interface(const struct tool_command *self, struct capture *capture,
                          const char *base)
{
    static const char shares[] = "_arp"; /* the DMA region's buffers, to receive */
    size_t length = strlen(base);
    bool in = add_point(capture, base, "rx", PCAPNG_INBOUND);
    bool out = add_point(capture, base, "tx", PCAPNG_OUTBOUND);
    if (in || out) {
        *(char **)model_append(&capture->interfaces, &capture->interface_count, sizeof(char *)) =
            model_string(base);
    }
    if (!out || (!in && (length < sizeof(shares) ||
                         strcmp(base + length - (sizeof(shares) - 1), shares) != 0))) {
        fprintf(stderr,
                "sddf %s: what %s %s lies in buffers that cannot be followed; it is left out\n",
                self->name, base, in ? "sends" : "receives");
    }
}

/* Each region NAME_tx_data belongs to somebody who sends. False: there is nobody. */
static bool find_points(const struct tool_command *self, struct capture *capture,
                        const char *const *pds, size_t pd_count)
{
    static const char end[] = "_tx_data";
    for (size_t i = 0; i < capture->inspect.region_count; i++) {
        char *base = model_string(capture->inspect.regions[i].name);
        size_t length = strlen(base);
        if (length >= sizeof(end) && strcmp(base + length - (sizeof(end) - 1), end) == 0) {
            base[length - (sizeof(end) - 1)] = '\0';
            if (chosen(base, pds, pd_count)) {
                add_interface(self, capture, base);
            }
        }
        free(base);
    }
    if (capture->point_count == 0) {
        fprintf(stderr, "sddf %s: the system has no such client of a network\n", self->name);
    }
    return capture->point_count > 0;
}

/* ---- frames -------------------------------------------------------------------------------- */

static struct net_entry entry_at(const struct queue *queue, uint32_t index)
{
    const sddf_atomic_u64 *slot =
        &queue->producer->entries[(index & (queue->capacity - 1)) * net_queue_words];
    uint64_t words[net_queue_words];
    struct net_entry entry;
    for (size_t i = 0; i < net_queue_words; i++) {
        words[i] = sddf_load_relaxed_u64(&slot[i]);
    }
    memcpy(&entry, words, sizeof(entry));
    return entry;
}

/*
 * What was read out of the slot was entry `index` and not a later one: the consumer has it still,
 * or the producer is far from coming round to it.
 */
static bool still_there(const struct queue *queue, uint32_t index)
{
    /* What was read before is not read after these. */
    sddf_fence_seq_cst();
    uint32_t head = sddf_load_relaxed_u32(&queue->consumer->head);
    uint32_t tail = sddf_load_relaxed_u32(&queue->producer->tail);
    return (int32_t)(head - index) <= 0 || tail - index <= queue->capacity / 2;
}

static bool possible(const struct point *point, const struct net_entry *entry)
{
    return entry->length >= NET_FRAME_MIN && entry->length <= NET_FRAME_MAX &&
           entry->address < point->data->size &&
           entry->address % NET_BUFFER_SIZE + entry->length <= NET_BUFFER_SIZE &&
           entry->length <= point->data->size - entry->address;
}

static struct frame *frame_of(struct capture *capture, uint64_t number)
{
    return &capture->frames[number % HELD];
}

static bool held(const struct capture *capture, uint64_t number)
{
    return number != 0 && number >= capture->first;
}

/* Some returns were missed: of any of its buffers. */
static void spoil_all(struct capture *capture, const struct point *point)
{
    for (uint64_t number = capture->first; number < capture->next; number++) {
        frame_of(capture, number)->spoilt |= frame_of(capture, number)->point == point;
    }
}

static void take_frame(struct capture *capture, struct point *point, uint32_t index, uint64_t ns)
{
    struct net_entry entry = entry_at(&point->active, index);
    if (capture->next - capture->first == HELD || !still_there(&point->active, index)) {
        capture->quick++;
        return;
    }
    if (!possible(point, &entry)) {
        capture->strange++;
        return;
    }
    uint64_t *last = &point->last[entry.address / NET_BUFFER_SIZE];
    if (held(capture, *last)) { /* the one before, which went by between two looks */
        frame_of(capture, *last)->spoilt = true;
    }
    *last = capture->next++;
    struct frame *frame = frame_of(capture, *last);
    frame->ns = ns;
    frame->point = point;
    frame->spoilt = frame->returned = false;
    frame->size = entry.length;
    memcpy(frame->bytes, (const char *)point->data->bytes + entry.address, entry.length);
    frame->due = inside_now() + HOLD_NS;
}

static void take_return(struct capture *capture, struct point *point, uint32_t index)
{
    uint64_t address = entry_at(&point->free, index).address;
    if (!still_there(&point->free, index)) {
        spoil_all(capture, point);
        return;
    }
    uint64_t number = address < point->data->size ? point->last[address / NET_BUFFER_SIZE] : 0;
    if (held(capture, number) && !frame_of(capture, number)->returned) {
        frame_of(capture, number)->returned = true;
        frame_of(capture, number)->returned_at = index;
    }
}

/* How many entries have come that can be read; and how many were written over before that. */
static uint32_t new_entries(struct queue *queue, uint64_t *missed)
{
    /* Acquire: the entries before the tail, and what they speak of, were written before it. */
    uint32_t tail = sddf_load_acquire_u32(&queue->producer->tail);
    uint32_t count = tail - queue->seen;
    if (count > queue->capacity) {
        *missed += count - queue->capacity;
        queue->seen = tail - queue->capacity;
        count = queue->capacity;
    }
    return count;
}

static void look(struct capture *capture, struct point *point)
{
    struct timespec wall;
    uint64_t missed = 0;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t ns = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
    for (uint32_t left = new_entries(&point->active, &capture->quick); left > 0; left--) {
        take_frame(capture, point, point->active.seen++, ns);
    }
    /* After the frames: a buffer that comes back was in one of those seen by now. */
    for (uint32_t left = new_entries(&point->free, &missed); left > 0; left--) {
        take_return(capture, point, point->free.seen++);
    }
    if (missed > 0) {
        spoil_all(capture, point);
    }
}

/* Writes those that are certain by now, and leaves out those that are not. */
static void settle(struct capture *capture)
{
    for (uint64_t now = inside_now(); capture->first < capture->next; capture->first++) {
        const struct frame *frame = frame_of(capture, capture->first);
        const struct point *point = frame->point;
        if (frame->due > now) {
            return;
        }
        uint32_t head = sddf_load_acquire_u32(&point->free.consumer->head);
        if (frame->spoilt || (frame->returned && (int32_t)(head - frame->returned_at) > 0)) {
            capture->quick++;
            continue;
        }
        pcapng_packet(capture->out, point->interface, frame->ns, point->direction, frame->bytes,
                      frame->size);
        capture->written++;
    }
}

static void follow(struct capture *capture)
{
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    while (inside_goes_on(&capture->inspect) && !ferror(capture->out)) {
        for (size_t i = 0; i < capture->point_count; i++) {
            look(capture, &capture->points[i]);
        }
        settle(capture);
        inside_pause(EVERY_NS);
        if (capture->first == capture->next) {
            fflush(capture->out); /* somebody may be watching */
        }
    }
    for (uint64_t end = inside_now() + HOLD_NS; inside_now() < end;) {
        nanosleep(&(struct timespec){.tv_nsec = HOLD_NS / 4}, NULL);
    }
    settle(capture);
}

/* ---- the command --------------------------------------------------------------------------- */

static int report(const struct tool_command *self, struct capture *capture, const char *path)
{
    bool good = !ferror(capture->out);
    good = (capture->out == stdout ? fflush(stdout) : fclose(capture->out)) == 0 && good;
    fprintf(stderr, "sddf %s: %llu frames written, %llu left out that were too quick\n", self->name,
            (unsigned long long)capture->written, (unsigned long long)capture->quick);
    if (capture->strange > 0) {
        fprintf(stderr, "sddf %s: %llu entries of queues were no frames\n", self->name,
                (unsigned long long)capture->strange);
    }
    if (!good) {
        fprintf(stderr, "sddf %s: %s cannot be written\n", self->name,
                path != NULL ? path : "standard output");
    }
    return good ? TOOL_OK : TOOL_MISTAKES;
}

static int capture_system(const struct tool_command *self, struct capture *capture,
                          const struct inside_order *order)
{
    if (!find_points(self, capture, order->pds, order->pd_count)) {
        return TOOL_MISTAKES;
    }
    capture->out = order->path != NULL ? fopen(order->path, "we") : stdout;
    if (capture->out == NULL) {
        fprintf(stderr, "sddf %s: %s cannot be written: %s\n", self->name, order->path,
                strerror(errno));
        return TOOL_MISTAKES;
    }
    capture->frames = calloc(HELD, sizeof(*capture->frames));
    capture->first = capture->next = 1;
    pcapng_begin(capture->out, "sddf pcap");
    for (size_t i = 0; i < capture->interface_count; i++) {
        pcapng_interface(capture->out, capture->interfaces[i], NET_FRAME_MAX);
    }
    fflush(capture->out);
    inside_begin(order->seconds);
    follow(capture);
    return report(self, capture, order->path);
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {INSIDE_OPTIONS, {0}};
    struct inside_order order = {0};
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (!inside_option(self, option, argv, &order)) {
            return TOOL_USAGE;
        }
    }
    if (order.path == NULL && isatty(STDOUT_FILENO)) {
        return tool_usage(self,
                          "a terminal cannot show frames; name a file with -o, or pipe it on");
    }
    struct capture capture = {0};
    int status = inside_open(self, argc, argv, &capture.inspect);
    if (status == TOOL_OK) {
        status = capture_system(self, &capture, &order);
        for (size_t i = 0; i < capture.point_count; i++) {
            free(capture.points[i].last);
        }
        for (size_t i = 0; i < capture.interface_count; i++) {
            free(capture.interfaces[i]);
        }
        free(capture.interfaces);
        free(capture.points);
        free(capture.frames);
        inspect_close(&capture.inspect);
    }
    return status;
}

const struct tool_command tool_pcap = {
    .name = "pcap",
    .summary = "write what the clients of a running system receive and send, as pcapng",
    .help =
        "sddf pcap STATE [OPTIONS]\n"
        "\n"
        "Writes the frames that each client of a network receives and sends, and what ARP sends "
        "for\n"
        "them, of a system that was started with \"sddf run --state STATE\", until Ctrl-C or the\n"
        "system's end: a pcapng file, with an interface for each client, for Wireshark or "
        "tcpdump.\n"
        "It reads the system's memory and does not hold it up. So a frame whose buffer is used\n"
        "again before it can be read for certain is left out, and counted: at some ten thousand\n"
        "frames a second of one client none is, at hundreds of thousands many are. Times are "
        "those\n"
        "of the look that found a frame, some 0.1 ms late. It takes the user who started the\n"
        "system, or root.\n"
        "\n"
        "  -o, --output FILE  write there, not to standard output\n"
        "  --seconds S        end after so many seconds\n"
        "  --pd NAME          only this client's; may be repeated\n"
        "\n"
        "Exit status: 0, also if the system has ended; 1 if it could not be looked at, or not be\n"
        "written; 2 if the command line makes no sense.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  sddf pcap /run/echo.json -o echo.pcapng\n"
        "  sddf pcap /run/echo.json --pd alice | wireshark -k -i -\n",
    .run = run,
};
