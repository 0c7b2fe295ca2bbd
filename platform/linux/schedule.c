/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Microkit's priorities, ranked: the lowest that occurs becomes real-time priority 2, the next
 * one 3 and so on, and the loader stands above all. PDs that share a priority take turns
 * (budget.c). All of it is set from outside; a PD could not change it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "internal.h"

static bool plan_cpu(struct linux_pd *pd, const cpu_set_t *usable)
{
    unsigned left = pd->system->cpu;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, usable) && left-- == 0) {
            pd->cpu = cpu;
            return true;
        }
    linux_complain("%s: cpu %u was asked for, but this process may use %d; see taskset",
                   pd->system->name, pd->system->cpu, CPU_COUNT(usable));
    return false;
}

bool linux_schedule_plan(struct linux_loader *loader)
{
    cpu_set_t usable;
    CPU_ZERO(&usable);
    sched_getaffinity(0, sizeof usable, &usable);
    bool occurs[256] = {false};
    for (size_t i = 0; i < loader->system->pd_count; i++)
        occurs[loader->system->pds[i].priority & 255] = true;
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        unsigned priority = pd->system->priority & 255;
        pd->rt_priority = 1; /* (1 itself is nobody's: see budget.c, next_turn) */
        for (unsigned p = 0; p <= priority; p++)
            pd->rt_priority += occurs[p];
        if (!plan_cpu(pd, &usable))
            return false;
    }
    return true;
}

static int set(pid_t pid, int priority)
{
    struct sched_param parameter = {.sched_priority = priority};
    return sched_setscheduler(pid, SCHED_FIFO, &parameter);
}

static int highest(const struct linux_loader *loader)
{
    int highest = 0;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (loader->pds[i].rt_priority > highest)
            highest = loader->pds[i].rt_priority;
    return highest;
}

/*
 * Documentation/power/pm_qos_interface.rst: nobody is to wait for a processor to wake up, at all.
 * An idle one then looks about instead of sleeping, and who wakes a task on it needs no interrupt.
 * It holds as long as the file is open, so it goes with this process, however that ends.
 */
static void keep_awake(struct linux_loader *loader)
{
    const int32_t microseconds = 0;
    loader->awake = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (loader->awake >= 0 &&
        write(loader->awake, &microseconds, sizeof microseconds) == sizeof microseconds)
        return;
    fprintf(
        stderr,
        "sddf: warning: the processors cannot be kept awake: /dev/cpu_dma_latency: %s (it takes "
        "root, or an owner of the file)\n",
        strerror(errno));
    if (loader->awake >= 0)
        close(loader->awake);
    loader->awake = -1;
}

bool linux_schedule_apply(struct linux_loader *loader)
{
    if (loader->options->awake)
        keep_awake(loader);
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        cpu_set_t cpu;
        CPU_ZERO(&cpu);
        CPU_SET(loader->pds[i].cpu, &cpu);
        if (sched_setaffinity(loader->pds[i].pid, sizeof cpu, &cpu) != 0) {
            linux_complain("%s: cannot be bound to cpu %d: %s", loader->pds[i].system->name,
                           loader->pds[i].cpu, strerror(errno));
            return false;
        }
    }
    loader->realtime = false;
    if (loader->options->realtime) {
        /* The loader first: where that is not permitted, nothing below it is. */
        if (set(0, highest(loader) + 1) == 0) {
            loader->restore_scheduler = true;
            loader->realtime = true;
            for (size_t i = 0; i < loader->system->pd_count && loader->realtime; i++)
                loader->realtime = set(loader->pds[i].pid, loader->pds[i].rt_priority) == 0;
        }
        if (!loader->realtime) {
            int error = errno;
            linux_schedule_restore(loader);
            for (size_t i = 0; i < loader->system->pd_count; i++)
                sched_setscheduler(loader->pds[i].pid, SCHED_OTHER, &(struct sched_param){0});
            fprintf(stderr,
                    "sddf: warning: real-time priorities are not permitted here (%s): the "
                    "protection domains' priorities have no effect, and a busy one may delay "
                    "those above it (root, or a limit 'rtprio' of %d, would change that)\n",
                    strerror(error), highest(loader) + 1);
        }
    }
    if (!loader->realtime)
        for (size_t i = 0; i < loader->system->pd_count; i++)
            loader->pds[i].rt_priority = 0;
    return true;
}

void linux_schedule_restore(struct linux_loader *loader)
{
    if (loader->restore_scheduler)
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    loader->restore_scheduler = false;
}
