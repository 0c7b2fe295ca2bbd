/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The auditor: freezes a running system from outside and recomputes, from the bytes of its regions
 * and the rings of its device, that every buffer of every data region is in exactly one place.
 *
 *     audit --state FILE [--saved FOLDER] [--wait MS] [--dead-may-hold] [--json]
 *
 * The places are the queues, [head, tail) of each, and the rings of an AF_XDP socket. At rest no PD
 * holds a buffer privately, so a buffer that is in none of these places is lost. Packets may still
 * be on their way when the auditor looks: it lets the system go on and looks again, until --wait
 * milliseconds have passed; only then it says what is wrong.
 *
 * A buffer with a received frame that several receivers are to see is in the queues of all of
 * them: that is one place, as long as it is in no other and at most once with each receiver.
 *
 * --saved keeps the PDs' configurations, so that a system whose PDs have died can be audited as
 * well. --dead-may-hold counts a missing buffer as held by the dead, if a dead PD could hold it.
 * Exit status: 0 all is accounted for, 1 it is not (a line for each buffer), 2 no audit possible.
 */
#include <getopt.h>
#include <linux/if_xdp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sddf/net.h"
#include "view.h"

#define SPOTS_MAX  1024
#define DATA_MAX   256
#define PLACES_MAX 8
#define LINES_MAX  40

/* A queue or a ring. Receiver: which of virt_rx's receivers shares DMA buffers there; 0: none. */
struct spot {
    char name[160];
    unsigned receiver;
    uint32_t entries;
};

struct place {
    uint16_t spot;
    uint32_t index;
};

/* A data region and, for each of its buffers, where it was seen. */
struct data {
    const struct inspect_region *region;
    uint64_t io_address;
    bool io;        /* a device reaches it, at io_address */
    bool dead_user; /* a dead PD could hold its buffers */
    uint32_t count;
    struct place (*places)[PLACES_MAX];
    uint8_t *seen;
};

struct audit {
    struct view view;
    const char *saved;
    bool dead_may_hold;
    struct data data[DATA_MAX];
    size_t data_count;
    struct spot spot[SPOTS_MAX];
    size_t spot_count;
    uint32_t held_by_dead;
    char *line[LINES_MAX];
    size_t line_count;
    size_t problems;
};

__attribute__((format(printf, 2, 3))) static void problem(struct audit *audit, const char *format,
                                                          ...)
{
    audit->problems++;
    if (audit->line_count == LINES_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&audit->line[audit->line_count], format, arguments) >= 0) {
        audit->line_count++;
    }
    va_end(arguments);
}

/* ---- places -------------------------------------------------------------------------------- */

static struct spot *new_spot(struct audit *audit, const char *name, unsigned receiver)
{
    if (audit->spot_count == SPOTS_MAX) {
        die("more than %d queues", SPOTS_MAX);
    }
    struct spot *spot = &audit->spot[audit->spot_count++];
    snprintf(spot->name, sizeof(spot->name), "%s", name);
    spot->receiver = receiver;
    spot->entries = 0;
    return spot;
}

static struct data *data_of(struct audit *audit, const struct inspect_region *region,
                            uint32_t count)
{
    for (size_t i = 0; i < audit->data_count; i++) {
        if (audit->data[i].region == region) {
            return &audit->data[i];
        }
    }
    if (audit->data_count == DATA_MAX) {
        die("more than %d data regions", DATA_MAX);
    }
    if ((uint64_t)count * NET_BUFFER_SIZE > region->size) {
        die("%s is too small for %u buffers", region->name, count);
    }
    struct data *data = &audit->data[audit->data_count++];
    *data = (struct data){.region = region, .count = count};
    data->places = calloc(count, sizeof(*data->places));
    data->seen = calloc(count, 1);
    if (data->places == NULL || data->seen == NULL) {
        die("out of memory");
    }
    return data;
}

static struct data *data_by_io(struct audit *audit, uint64_t address)
{
    for (size_t i = 0; i < audit->data_count; i++) {
        struct data *data = &audit->data[i];
        if (data->io && address - data->io_address < (uint64_t)data->count * NET_BUFFER_SIZE) {
            return data;
        }
    }
    return NULL;
}

/* An entry at `spot` names an address: in `data`, or, if that is NULL, in the device's space. */
static void see(struct audit *audit, struct spot *spot, uint32_t index, struct data *data,
                uint64_t address, uint32_t length)
{
    spot->entries++;
    uint64_t offset = address;
    if (data == NULL) {
        data = data_by_io(audit, address);
        offset = data != NULL ? address - data->io_address : 0;
    }
    if (data == NULL || offset / NET_BUFFER_SIZE >= data->count) {
        problem(audit, "stray: %s[%u] names address %#lx, which is in no buffer", spot->name, index,
                address);
        return;
    }
    if (offset % NET_BUFFER_SIZE + length > NET_BUFFER_SIZE) {
        problem(audit, "stray: %s[%u] crosses its buffer's end (%#lx, %u bytes)", spot->name, index,
                address, length);
    }
    uint64_t buffer = offset / NET_BUFFER_SIZE;
    if (data->seen[buffer] < PLACES_MAX) {
        data->places[buffer][data->seen[buffer]++] =
            (struct place){(uint16_t)(spot - audit->spot), index};
    }
}

/*
 * One queue, at the addresses at which `pd` sees it. The active ones carry lengths. With `data`
 * NULL the entries hold IO addresses.
 */
static void see_queue(struct audit *audit, const struct inspect_pd *pd,
                      const struct sddf_queue_config *queue, struct data *data, bool active,
                      unsigned receiver)
{
    const struct inspect_region *region = NULL;
    const struct sddf_queue_producer_region *producer =
        inspect_bytes(&audit->view.inspect, pd, queue->producer,
                      sddf_queue_producer_size(queue->capacity, net_queue_words), &region);
    const struct sddf_queue_consumer_region *consumer =
        inspect_bytes(&audit->view.inspect, pd, queue->consumer, sddf_queue_consumer_size(), NULL);
    if (producer == NULL || consumer == NULL) {
        die("%s's configuration names a queue at %#lx and %#lx, where it maps none", pd->name,
            queue->producer, queue->consumer);
    }
    /* The region's name says whose queue it is; its ending says nothing. */
    char name[160];
    snprintf(name, sizeof(name), "%s", region->name);
    char *ending = strstr(name, "_producer");
    if (ending != NULL) {
        *ending = '\0';
    }
    struct spot *spot = new_spot(audit, name, receiver);
    uint32_t head = sddf_load_relaxed_u32(&consumer->head);
    uint32_t tail = sddf_load_relaxed_u32(&producer->tail);
    if (tail - head > queue->capacity) {
        problem(audit, "corrupt: %s has head %u and tail %u, with room for %u", name, head, tail,
                queue->capacity);
        return;
    }
    for (uint32_t i = head; i != tail; i++) {
        struct net_entry entry;
        const sddf_atomic_u64 *slot =
            &producer->entries[(size_t)(i & (queue->capacity - 1)) * net_queue_words];
        uint64_t words[net_queue_words] = {sddf_load_relaxed_u64(&slot[0]),
                                           sddf_load_relaxed_u64(&slot[1])};
        memcpy(&entry, words, sizeof(entry));
        see(audit, spot, i, data, entry.address, active ? entry.length : 0);
    }
}

static void see_pair(struct audit *audit, const struct inspect_pd *pd,
                     const struct net_pair_config *pair, struct data *data, unsigned receiver)
{
    see_queue(audit, pd, &pair->free, data, false, receiver);
    see_queue(audit, pd, &pair->active, data, true, receiver);
}

static void see_ring(struct audit *audit, const struct view_device *device,
                     const struct view_ring *ring)
{
    char name[160];
    snprintf(name, sizeof(name), "%s's %s ring", device->name, ring->name);
    struct spot *spot = new_spot(audit, name, 0);
    uint32_t producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    uint32_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    if (producer - consumer > ring->size) {
        problem(audit, "corrupt: %s has consumer %u and producer %u, with room for %u", name,
                consumer, producer, ring->size);
        return;
    }
    for (uint32_t i = consumer; i != producer; i++) {
        uint32_t slot = i & (ring->size - 1);
        if (ring->descriptors) {
            const struct xdp_desc *descriptor = (const struct xdp_desc *)ring->entries + slot;
            see(audit, spot, i, NULL, descriptor->addr, descriptor->len);
        } else {
            see(audit, spot, i, NULL, ((const uint64_t *)ring->entries)[slot], 0);
        }
    }
}

/* ---- the account --------------------------------------------------------------------------- */

static const struct inspect_region *region_at(const struct audit *audit,
                                              const struct inspect_pd *pd,
                                              const struct sddf_region_config *config)
{
    const struct inspect_region *region = NULL;
    if (inspect_bytes(&audit->view.inspect, pd, config->vaddr, 1, &region) == NULL) {
        die("%s's configuration names a region at %#lx, where it maps none", pd->name,
            config->vaddr);
    }
    return region;
}

static void declare(struct audit *audit, const struct inspect_pd *pd,
                    const struct sddf_region_config *config, uint32_t count, bool io)
{
    struct data *data = data_of(audit, region_at(audit, pd, config), count);
    if (io) {
        data->io = true;
        data->io_address = config->io_address;
    }
    for (size_t i = 0; i < audit->view.inspect.pd_count; i++) {
        const struct inspect_pd *user = &audit->view.inspect.pds[i];
        for (size_t m = 0; user->dead && m < user->map_count; m++) {
            if (&audit->view.inspect.regions[user->maps[m].region] == data->region) {
                data->dead_user = true;
            }
        }
        /* A driver holds buffers without a mapping of them; so does virt_tx's neighbour. */
        if (user->dead && io && strstr(user->name, "_driver") != NULL) {
            data->dead_user = true;
        }
    }
}

/* The configurations of the three roles that, together, name every queue and data region. */
union config {
    struct net_virt_rx_config virt_rx;
    struct net_virt_tx_config virt_tx;
    struct net_copy_config copy;
};

struct member {
    const struct inspect_pd *pd;
    uint16_t role;
    union config config;
};

static size_t read_members(struct audit *audit, struct member *member)
{
    static const struct {
        uint16_t role;
        uint32_t size;
    } roles[] = {
        {SDDF_ROLE_NET_VIRT_RX, sizeof(struct net_virt_rx_config)},
        {SDDF_ROLE_NET_VIRT_TX, sizeof(struct net_virt_tx_config)},
        {SDDF_ROLE_NET_COPY, sizeof(struct net_copy_config)},
    };
    size_t count = 0;
    for (size_t i = 0; i < audit->view.inspect.pd_count; i++) {
        for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
            if (view_config(&audit->view.inspect.pds[i], roles[r].role, &member[count].config,
                            roles[r].size, audit->saved)) {
                member[count].pd = &audit->view.inspect.pds[i];
                member[count].role = roles[r].role;
                count++;
                break;
            }
        }
    }
    return count;
}

static void take_account(struct audit *audit, const struct member *member, size_t count)
{
    /* All data regions first: a driver's queue may hold buffers of any of them. */
    for (size_t i = 0; i < count; i++) {
        const union config *config = &member[i].config;
        if (member[i].role == SDDF_ROLE_NET_VIRT_RX) {
            declare(audit, member[i].pd, &config->virt_rx.data, config->virt_rx.buffer_count, true);
        } else if (member[i].role == SDDF_ROLE_NET_COPY) {
            declare(audit, member[i].pd, &config->copy.data, config->copy.buffer_count, false);
        }
        for (uint32_t c = 0;
             member[i].role == SDDF_ROLE_NET_VIRT_TX && c < config->virt_tx.client_count; c++) {
            const struct net_virt_tx_client *client = &config->virt_tx.client[c];
            declare(audit, member[i].pd, &client->data, client->buffer_count, true);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct inspect_pd *pd = member[i].pd;
        const union config *config = &member[i].config;
        if (member[i].role == SDDF_ROLE_NET_VIRT_RX) {
            struct data *dma = data_of(audit, region_at(audit, pd, &config->virt_rx.data), 0);
            see_pair(audit, pd, &config->virt_rx.driver, NULL, 0);
            for (uint32_t c = 0; c < config->virt_rx.client_count; c++) {
                see_pair(audit, pd, &config->virt_rx.client[c].rx, dma, c + 1);
            }
        } else if (member[i].role == SDDF_ROLE_NET_VIRT_TX) {
            see_pair(audit, pd, &config->virt_tx.driver, NULL, 0);
            for (uint32_t c = 0; c < config->virt_tx.client_count; c++) {
                const struct net_virt_tx_client *client = &config->virt_tx.client[c];
                see_pair(audit, pd, &client->tx,
                         data_of(audit, region_at(audit, pd, &client->data), 0), 0);
            }
        } else {
            see_pair(audit, pd, &config->copy.client,
                     data_of(audit, region_at(audit, pd, &config->copy.data), 0), 0);
        }
    }
    for (size_t i = 0; i < audit->view.device_count; i++) {
        const struct view_device *device = &audit->view.devices[i];
        for (int ring = 0; device->has_rings && ring < VIEW_RINGS; ring++) {
            see_ring(audit, device, &device->ring[ring]);
        }
    }
}

/* Is a buffer that was seen more than once merely on its way to several receivers? */
static bool shared_well(const struct audit *audit, const struct place *places, uint8_t seen)
{
    for (uint8_t a = 0; a < seen; a++) {
        unsigned receiver = audit->spot[places[a].spot].receiver;
        for (uint8_t b = 0; b < seen; b++) {
            if (receiver == 0 || (a != b && audit->spot[places[b].spot].receiver == receiver)) {
                return false;
            }
        }
    }
    return true;
}

static void judge(struct audit *audit)
{
    for (size_t d = 0; d < audit->data_count; d++) {
        struct data *data = &audit->data[d];
        for (uint32_t i = 0; i < data->count; i++) {
            const struct place *at = data->places[i];
            if (data->seen[i] == 0 && audit->dead_may_hold && data->dead_user) {
                audit->held_by_dead++;
            } else if (data->seen[i] == 0) {
                problem(audit, "lost: buffer %u of %s is nowhere", i, data->region->name);
            } else if (data->seen[i] > 1 && !shared_well(audit, at, data->seen[i])) {
                problem(audit, "doubled: buffer %u of %s is in %s[%u] and in %s[%u]", i,
                        data->region->name, audit->spot[at[0].spot].name, at[0].index,
                        audit->spot[at[1].spot].name, at[1].index);
            }
        }
    }
}

/* Rings move while the PDs are frozen, if packets arrive: then the account is worth nothing. */
static uint64_t ring_sum(const struct view *view)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->device_count; i++) {
        for (int ring = 0; view->devices[i].has_rings && ring < VIEW_RINGS; ring++) {
            sum =
                sum * 31 + __atomic_load_n(view->devices[i].ring[ring].producer, __ATOMIC_ACQUIRE);
            sum =
                sum * 31 + __atomic_load_n(view->devices[i].ring[ring].consumer, __ATOMIC_ACQUIRE);
        }
    }
    return sum;
}

static void reset(struct audit *audit)
{
    for (size_t i = 0; i < audit->data_count; i++) {
        free(audit->data[i].places);
        free(audit->data[i].seen);
    }
    for (size_t i = 0; i < audit->line_count; i++) {
        free(audit->line[i]);
    }
    audit->data_count = audit->spot_count = audit->line_count = 0;
    audit->problems = 0;
    audit->held_by_dead = 0;
}

/* One look: true if every buffer is accounted for. */
static bool look(struct audit *audit)
{
    static struct member member[512];
    const char *culprit;
    reset(audit);
    bool frozen = view_freeze(&audit->view, &culprit);
    if (!frozen) {
        problem(audit, "%s does not stop", culprit);
    } else {
        uint64_t before = ring_sum(&audit->view);
        size_t count = read_members(audit, member);
        take_account(audit, member, count);
        if (audit->data_count == 0) {
            problem(audit, "no PD has a configuration that names a data region");
        }
        judge(audit);
        if (before != ring_sum(&audit->view)) {
            problem(audit, "packets arrive while the system is frozen");
        }
    }
    view_thaw(&audit->view);
    return audit->problems == 0;
}

/* However this program ends, the system goes on. */
static struct view *frozen_view;

static void thaw_at_exit(void)
{
    view_thaw(frozen_view);
}

/* ---- reporting ----------------------------------------------------------------------------- */

static uint32_t buffers(const struct audit *audit)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < audit->data_count; i++) {
        sum += audit->data[i].count;
    }
    return sum;
}

static void report_text(const struct audit *audit)
{
    for (size_t i = 0; i < audit->line_count; i++) {
        puts(audit->line[i]);
    }
    if (audit->problems > audit->line_count) {
        printf("... and %zu more\n", audit->problems - audit->line_count);
    }
    for (size_t i = 0; i < audit->spot_count; i++) {
        if (audit->spot[i].entries != 0) {
            printf("%6u  %s\n", audit->spot[i].entries, audit->spot[i].name);
        }
    }
    printf("%u buffers in %zu regions, %u held by the dead: %s\n", buffers(audit),
           audit->data_count, audit->held_by_dead, audit->problems ? "WRONG" : "all accounted for");
}

/* Names come from the description's checker: letters, digits and underscores. */
static void report_json(const struct audit *audit)
{
    printf("{\"problems\":%zu,\"buffers\":%u,\"held_by_dead\":%u,\"lines\":[", audit->problems,
           buffers(audit), audit->held_by_dead);
    for (size_t i = 0; i < audit->line_count; i++) {
        printf("%s\"%s\"", i ? "," : "", audit->line[i]);
    }
    printf("],\"places\":{");
    for (size_t i = 0; i < audit->spot_count; i++) {
        printf("%s\"%s\":%u", i ? "," : "", audit->spot[i].name, audit->spot[i].entries);
    }
    puts("}}");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"state", required_argument, NULL, 's'}, {"saved", required_argument, NULL, 'd'},
        {"wait", required_argument, NULL, 'w'},  {"dead-may-hold", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},        {0}};
    static struct audit audit;
    const char *state = NULL;
    long wait_ms = 3000;
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            state = optarg;
            break;
        case 'd':
            audit.saved = optarg;
            break;
        case 'w':
            wait_ms = strtol(optarg, NULL, 10);
            break;
        case 'h':
            audit.dead_may_hold = true;
            break;
        case 'j':
            json = true;
            break;
        default:
            return 2;
        }
    }
    if (state == NULL || optind != argc) {
        die("usage: audit --state FILE [--saved FOLDER] [--wait MS] [--dead-may-hold] [--json]");
    }
    view_open(&audit.view, state);
    frozen_view = &audit.view;
    atexit(thaw_at_exit);
    struct timespec now, pause = {.tv_nsec = 20 * 1000000};
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + wait_ms;
    bool ok = look(&audit);
    while (!ok && (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 < end) {
        nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec < 200 * 1000000 ? pause.tv_nsec * 2 : pause.tv_nsec;
        ok = look(&audit);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    if (json) {
        report_json(&audit);
    } else {
        report_text(&audit);
    }
    reset(&audit);
    view_thaw(&audit.view);
    view_close(&audit.view);
    return ok ? 0 : 1;
}
