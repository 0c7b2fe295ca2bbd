/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a processor has been idle, from the kernel's own account (proc(5), /proc/stat), which
 * has everything that runs on it: protection domains, the kernel's threads and interrupts, other
 * programs. Written to a page ten times a second, with the moment at which it was right, so that a
 * share that is worked out of two samples is exact but for the account's 10 ms.
 *
 * The processor is the first that this process may use, where protection domains run whose
 * description says nothing of `cpu`.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "platform/linux/device.h"
#include "platform/linux/internal.h"
#include "sddf/idle.h"

#define SAMPLE_NS 100000000

struct idle_device {
    struct linux_memory memory;
    struct idle_page *page;
    int account; /* /proc/stat */
    int timer;
    int cpu;
};

static struct idle_device idle = {.memory = {-1, -1, 0, 0}, .account = -1, .timer = -1};

/* The idle time and that in which it only waited for a disk. False: there is no such line. */
static bool read_account(uint64_t *idle_ns)
{
    static char text[1 << 16]; /* the processors' lines come first; what is behind may be cut off */
    char name[16];
    ssize_t length = pread(idle.account, text, sizeof(text) - 1, 0);
    if (length <= 0) {
        return false;
    }
    text[length] = '\0';
    snprintf(name, sizeof(name), "\ncpu%d ", idle.cpu);
    const char *line = strstr(text, name);
    unsigned long long ticks, waiting;
    if (line == NULL || sscanf(line, " cpu%*d %*u %*u %*u %llu %llu", &ticks, &waiting) != 2) {
        return false;
    }
    *idle_ns = (ticks + waiting) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

static bool take_sample(void)
{
    struct idle_sample sample;
    struct timespec now;
    if (!read_account(&sample.idle)) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    sample.total = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    idle_publish(idle.page, sample);
    return true;
}

static void idle_close(struct linux_device *device)
{
    (void)device;
    if (idle.page != NULL) {
        munmap(idle.page, idle.memory.size);
    }
    linux_memory_close(&idle.memory);
    if (idle.account >= 0) {
        close(idle.account);
    }
    if (idle.timer >= 0) {
        close(idle.timer);
    }
    idle = (struct idle_device){.memory = {-1, -1, 0, 0}, .account = -1, .timer = -1};
}

static bool idle_open_parts(void)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    if (sched_getaffinity(0, sizeof(usable), &usable) != 0) {
        return false;
    }
    while (idle.cpu < CPU_SETSIZE && !CPU_ISSET(idle.cpu, &usable)) {
        idle.cpu++;
    }
    const struct itimerspec often = {{0, SAMPLE_NS}, {0, SAMPLE_NS}};
    idle.account = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    idle.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (idle.account < 0 || idle.timer < 0 || timerfd_settime(idle.timer, 0, &often, NULL) != 0 ||
        !linux_memory_open(&idle.memory, "idle", sizeof(struct idle_page), MK_PAGE, false)) {
        return false;
    }
    void *page =
        mmap(NULL, idle.memory.size, PROT_READ | PROT_WRITE, MAP_SHARED, idle.memory.rw, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    idle.page = page;
    return true;
}

static bool idle_open(struct linux_device *device, const struct system *system,
                      const struct linux_memory *memory, const struct linux_device_options *options,
                      char **why)
{
    (void)system;
    (void)memory;
    (void)options;
    if (device->board->region_count != 1 || idle.page != NULL) {
        return linux_device_fail(why, "an idle count is one page, and there is one of it");
    }
    if (!idle_open_parts() || !take_sample()) {
        linux_device_fail(why, "the kernel's account of processors cannot be used: %s",
                          errno != 0 ? strerror(errno) : "/proc/stat has no such processor");
        idle_close(device);
        return false;
    }
    device->region[0] = (struct linux_resource){idle.memory.ro, 0, idle.memory.size};
    snprintf(device->text, sizeof(device->text), "%s: the kernel's account of cpu %d",
             device->board->name, idle.cpu);
    return true;
}

static void idle_poll(struct linux_device *device, struct pollfd *polled)
{
    (void)device;
    polled[0] = (struct pollfd){.fd = idle.timer, .events = POLLIN};
}

/* A sample that cannot be taken is left out: the last one says when it was right. */
static void idle_serve(struct linux_device *device, const struct pollfd *polled)
{
    (void)device;
    uint64_t times;
    if ((polled[0].revents & POLLIN) != 0 &&
        read(idle.timer, &times, sizeof(times)) == sizeof(times)) {
        take_sample();
    }
}

const struct linux_device_kind linux_device_idle = {
    .name = "cpu_idle",
    .open = idle_open,
    .close = idle_close,
    .poll = idle_poll,
    .serve = idle_serve,
};
