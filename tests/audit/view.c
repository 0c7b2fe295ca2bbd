/* SPDX-License-Identifier: BSD-2-Clause */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/if_xdp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sddf/config.h"

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("audit: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

/* ---- the state file ------------------------------------------------------------------------ */

static json_t *member(json_t *object, const char *name, const char *where)
{
    json_t *value = json_object_get(object, name);
    if (value == NULL) {
        die("the state file has no \"%s\" in %s", name, where);
    }
    return value;
}

static char *text_of(json_t *object, const char *name, const char *where)
{
    const char *text = json_string_value(member(object, name, where));
    char *copy = strdup(text ? text : "");
    if (copy == NULL) {
        die("out of memory");
    }
    return copy;
}

static uint64_t number_of(json_t *object, const char *name, const char *where)
{
    return (uint64_t)json_integer_value(member(object, name, where));
}

/* ---- AF_XDP rings -------------------------------------------------------------------------- */

/*
 * The kernel lets a ring be mapped at any length up to its own, in pages. The longest that it
 * permits, less the offset of the entries, tells the ring's size, which is a power of two.
 */
static void map_ring(struct view_ring *ring, int fd, off_t where,
                     const struct xdp_ring_offset *offset, bool descriptors, const char *name)
{
    size_t entry = descriptors ? sizeof(struct xdp_desc) : sizeof(uint64_t);
    for (uint32_t size = 1u << 16; size >= 64; size /= 2) {
        size_t length = offset->desc + size * entry;
        void *base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, where);
        if (base == MAP_FAILED) {
            continue;
        }
        char *bytes = base;
        *ring = (struct view_ring){.name = name,
                                   .producer = (uint32_t *)(bytes + offset->producer),
                                   .consumer = (uint32_t *)(bytes + offset->consumer),
                                   .entries = bytes + offset->desc,
                                   .size = size,
                                   .descriptors = descriptors,
                                   .base = base,
                                   .length = length};
        return;
    }
    die("cannot map the %s ring: %s", name, strerror(errno));
}

static void read_device(struct view *view, struct view_device *device, json_t *item)
{
    device->name = text_of(item, "name", "a device");
    char *kind = text_of(item, "kind", device->name);
    device->has_rings = strcmp(kind, "af_xdp") == 0;
    free(kind);
    if (!device->has_rings) {
        return;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, view->inspect.loader, 0);
    int fd = pidfd < 0
                 ? -1
                 : (int)syscall(SYS_pidfd_getfd, pidfd, number_of(item, "fd", device->name), 0);
    if (fd < 0) {
        die("cannot get the socket of %s: %s", device->name, strerror(errno));
    }
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof(offsets);
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) < 0) {
        die("%s is no AF_XDP socket: %s", device->name, strerror(errno));
    }
    map_ring(&device->ring[VIEW_RX], fd, XDP_PGOFF_RX_RING, &offsets.rx, true, "rx");
    map_ring(&device->ring[VIEW_TX], fd, XDP_PGOFF_TX_RING, &offsets.tx, true, "tx");
    map_ring(&device->ring[VIEW_FILL], fd, (off_t)XDP_UMEM_PGOFF_FILL_RING, &offsets.fr, false,
             "fill");
    map_ring(&device->ring[VIEW_COMPLETION], fd, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr,
             false, "completion");
    close(fd);
    close(pidfd);
}

void view_open(struct view *view, const char *state)
{
    memset(view, 0, sizeof(*view));
    char *why = NULL;
    if (!inspect_open(&view->inspect, state, &why)) {
        die("%s", why != NULL ? why : "out of memory");
    }
    view->ours = allocate(view->inspect.pd_count, sizeof(*view->ours));
    json_t *root = json_load_file(state, 0, NULL);
    json_t *devices = member(root, "devices", "the root");
    view->device_count = json_array_size(devices);
    view->devices = allocate(view->device_count, sizeof(*view->devices));
    size_t i;
    json_t *item;
    json_array_foreach(devices, i, item)
    {
        read_device(view, &view->devices[i], item);
    }
    json_decref(root);
}

void view_close(struct view *view)
{
    for (size_t i = 0; i < view->device_count; i++) {
        for (int ring = 0; view->devices[i].has_rings && ring < VIEW_RINGS; ring++) {
            munmap(view->devices[i].ring[ring].base, view->devices[i].ring[ring].length);
        }
        free(view->devices[i].name);
    }
    free(view->devices);
    free(view->ours);
    inspect_close(&view->inspect);
    memset(view, 0, sizeof(*view));
}

/* ---- freezing ------------------------------------------------------------------------------ */

/* The letter of /proc/PID/stat: 'T' stopped, 't' stopped with a tracer, 'Z' dead; 0: no process. */
static char process_state(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : 0;
}

static bool stopped(char state)
{
    return state == 'T' || state == 't';
}

static bool gone(char state)
{
    return state == 0 || state == 'Z' || state == 'X' || state == 'x';
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/*
 * A PD has the loader for a tracer, so a stop goes through the loader: the PD is 't' first because
 * the signal is being delivered, then because it has stopped. Between the two it executes nothing.
 * Only a loader that swallowed the signal would let it run again; hence the second look.
 */
bool view_freeze(struct view *view, const char **culprit)
{
    for (size_t i = 0; i < view->inspect.pd_count; i++) {
        struct inspect_pd *pd = &view->inspect.pds[i];
        char state = process_state(pd->pid);
        pd->dead = gone(state);
        view->ours[i] = !pd->dead && !stopped(state);
        if (view->ours[i] && kill(pd->pid, SIGSTOP) < 0) {
            pd->dead = true;
            view->ours[i] = false;
        }
    }
    int looks = 0;
    for (int tries = 0; tries < 1000; tries++) {
        *culprit = NULL;
        for (size_t i = 0; i < view->inspect.pd_count; i++) {
            if (!view->inspect.pds[i].dead && !stopped(process_state(view->inspect.pds[i].pid))) {
                *culprit = view->inspect.pds[i].name;
            }
        }
        looks = *culprit == NULL ? looks + 1 : 0;
        if (looks == 2) {
            return true;
        }
        pause_ms(2);
    }
    if (*culprit == NULL) {
        *culprit = "a PD";
    }
    return false;
}

void view_thaw(struct view *view)
{
    for (size_t i = 0; i < view->inspect.pd_count; i++) {
        if (view->ours[i]) {
            kill(view->inspect.pds[i].pid, SIGCONT);
            view->ours[i] = false;
        }
    }
}

/* ---- what a PD holds ----------------------------------------------------------------------- */

/* Finds the header in [start, end) of the process and reads the configuration behind it. */
static int scan(int memory, uint64_t start, uint64_t end, const struct sddf_config_header *wanted,
                void *config)
{
    int found = 0;
    unsigned char *bytes = allocate(end - start, 1);
    ssize_t length = pread(memory, bytes, end - start, (off_t)start);
    for (ssize_t at = 0; at + (ssize_t)wanted->size <= length; at += 8) {
        if (memcmp(bytes + at, wanted, offsetof(struct sddf_config_header, reserved)) == 0) {
            memcpy(config, bytes + at, wanted->size);
            found++;
        }
    }
    free(bytes);
    return found;
}

static bool config_from_memory(const struct inspect_pd *pd, uint16_t role, void *config,
                               uint32_t size)
{
    const struct sddf_config_header wanted = {
        .magic = SDDF_CONFIG_MAGIC, .version = SDDF_CONFIG_VERSION, .role = role, .size = size};
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/maps", pd->pid);
    FILE *maps = fopen(path, "re");
    snprintf(path, sizeof(path), "/proc/%d/mem", pd->pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    int found = 0;
    char line[512];
    while (maps != NULL && memory >= 0 && fgets(line, sizeof(line), maps) != NULL) {
        uint64_t start, end;
        /* The program lies below all generated addresses. */
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && end <= 0x10000000 && end > start) {
            found += scan(memory, start, end, &wanted, config);
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    if (memory >= 0) {
        close(memory);
    }
    if (found > 1) {
        die("%s has %d configurations of role %u", pd->name, found, role);
    }
    return found == 1;
}

bool view_config(const struct inspect_pd *pd, uint16_t role, void *config, uint32_t size,
                 const char *saved)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.%u", saved ? saved : "", pd->name, role);
    if (!pd->dead && config_from_memory(pd, role, config, size)) {
        FILE *file = saved != NULL ? fopen(path, "we") : NULL;
        if (file != NULL) {
            fwrite(config, size, 1, file);
            fclose(file);
        }
        return true;
    }
    FILE *file = pd->dead && saved != NULL ? fopen(path, "re") : NULL;
    bool ok = file != NULL && fread(config, size, 1, file) == 1;
    if (file != NULL) {
        fclose(file);
    }
    return ok;
}
