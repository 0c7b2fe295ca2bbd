/* SPDX-License-Identifier: BSD-2-Clause */
/* A system from its first descriptor to its last: what linux_run() does, in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "platform/linux/guard.h"

void linux_complain(const char *format, ...)
{
    va_list arguments;
    char text[1024] = "sddf: ";
    size_t prefix = strlen(text);
    va_start(arguments, format);
    vsnprintf(text + prefix, sizeof text - prefix - 1, format, arguments);
    va_end(arguments);
    size_t size = strlen(text);
    linux_text_clean(text, size); /* names of files and of functions are anybody's */
    text[size] = '\n';
    linux_output_complain(text, size + 1);
}

/* What a description may say and this platform does not do is refused by name. */
static bool supported(const struct system *system)
{
    bool ok = system->pd_count > 0;
    if (!ok)
        linux_complain("the system has no protection domain");
    if (system->pd_count > MK_PDS) {
        linux_complain("the system has %zu protection domains; at most %d are supported",
                       system->pd_count, MK_PDS);
        ok = false;
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct system_pd *pd = &system->pds[i];
        if (pd->parent != SYSTEM_NONE && pd->child_id >= MK_CHILDREN) {
            linux_complain("%s: a child's id is below %d", pd->name, MK_CHILDREN);
            ok = false;
        }
    }
    return ok;
}

static bool open_system_page(struct linux_loader *loader)
{
    if (!linux_memory_open(&loader->system_memory, "system", sizeof *loader->system_page, MK_PAGE,
                           false))
        return false;
    void *page = mmap(NULL, loader->system_memory.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                      loader->system_memory.rw, 0);
    if (page == MAP_FAILED) {
        linux_complain("cannot map the system page: %s", strerror(errno));
        return false;
    }
    loader->system_page = page;
    return true;
}

/* What others need of a PD before any PD can be planned. */
static bool open_pd(struct linux_loader *loader, size_t index)
{
    struct linux_pd *pd = &loader->pds[index];
    pd->doorbell = eventfd(0, EFD_CLOEXEC);
    if (pd->doorbell < 0 || pipe2(pd->debug, O_CLOEXEC | O_NONBLOCK) != 0) {
        linux_complain("%s: cannot make its doorbell and debug output: %s", pd->system->name,
                       strerror(errno));
        return false;
    }
    return linux_memory_open(&pd->signal, "signal", sizeof(struct mk_signal_page), MK_PAGE, false);
}

static bool open_calls(struct linux_loader *loader)
{
    for (size_t i = 0; i < loader->system->channel_count; i++)
        for (int side = 0; side < 2; side++) {
            struct linux_calls *calls = &loader->calls[i][side];
            if (loader->system->channels[i].end[side].pp &&
                (!linux_memory_open(&calls->request, "request", sizeof(struct mk_call_page),
                                    MK_PAGE, false) ||
                 !linux_memory_open(&calls->answer, "answer", sizeof(struct mk_call_page), MK_PAGE,
                                    false)))
                return false;
        }
    return true;
}

/* Everything is "not there", so that closing finds what is. */
static void prepare(struct linux_loader *loader)
{
    loader->system_memory = linux_no_memory;
    loader->starter = loader->core = loader->awake = -1;
    loader->signals = -1;
    loader->replenished = loader->keepers_end = -1;
    pthread_mutex_init(&loader->reaping, NULL);
    loader->pds = calloc(loader->system->pd_count + 1, sizeof *loader->pds);
    loader->calls = calloc(loader->system->channel_count + 1, sizeof *loader->calls);
    for (size_t i = 0; i < loader->system->channel_count; i++)
        for (int side = 0; side < 2; side++)
            loader->calls[i][side] = (struct linux_calls){linux_no_memory, linux_no_memory};
    for (size_t i = 0; i < loader->system->pd_count; i++) {
        struct linux_pd *pd = &loader->pds[i];
        pd->system = &loader->system->pds[i];
        pd->index = (uint32_t)i;
        pd->base = MK_PRIVATE;
        pd->family.order_memory = pd->family.report_memory = linux_no_memory;
        pd->family.doorbell = pd->budget.pidfd = -1;
        pd->signal = pd->stack = pd->boot = pd->exit = linux_no_memory;
        pd->doorbell = pd->debug[0] = pd->debug[1] = pd->start = pd->complaint = -1;
    }
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_pd(struct linux_pd *pd)
{
    if (pd->segments != NULL)
        for (size_t i = 0; i < pd->image.segment_count; i++)
            linux_memory_close(&pd->segments[i]);
    free(pd->segments);
    image_free(&pd->image);
    linux_memory_close(&pd->signal);
    linux_memory_close(&pd->stack);
    linux_memory_close(&pd->boot);
    linux_memory_close(&pd->exit);
    close_fd(pd->doorbell);
    close_fd(pd->debug[0]);
    close_fd(pd->debug[1]);
    close_fd(pd->start);
    close_fd(pd->complaint);
    close_fd(pd->budget.pidfd);
    linux_family_close(pd);
    linux_debug_close(pd);
    free(pd->maps);
    free(pd->filter);
    free(pd->path);
}

static void close_all(struct linux_loader *loader)
{
    linux_supervise_end(loader);
    close_fd(loader->core);
    linux_schedule_restore(loader);
    close_fd(loader->awake);
    linux_resources_close(loader);
    for (size_t i = 0; i < loader->system->pd_count; i++)
        close_pd(&loader->pds[i]);
    for (size_t i = 0; i < loader->system->channel_count; i++)
        for (int side = 0; side < 2; side++) {
            linux_memory_close(&loader->calls[i][side].request);
            linux_memory_close(&loader->calls[i][side].answer);
        }
    if (loader->system_page != NULL)
        munmap(loader->system_page, loader->system_memory.size);
    linux_memory_close(&loader->system_memory);
    close_fd(loader->starter);
    free(loader->pds);
    free(loader->calls);
}

static bool plan(struct linux_loader *loader)
{
    if (!linux_debug_plan(loader) || !linux_core_begin(loader) || !open_system_page(loader) ||
        !open_calls(loader))
        return false;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (!open_pd(loader, i))
            return false;
    linux_clock_end(loader, &loader->system_page->clock); /* filters depend on it */
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (!linux_plan(loader, &loader->pds[i]))
            return false;
    return linux_schedule_plan(loader);
}

static bool start(struct linux_loader *loader)
{
    linux_sandbox_probe(loader);
    linux_output_begin();
    if (!linux_starter_open(loader))
        return false;
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (!linux_process_start(loader, &loader->pds[i]))
            return false;
    return linux_supervise_hold(loader) && linux_schedule_apply(loader) &&
           linux_privilege_drop(loader) && linux_budget_begin(loader) &&
           linux_supervise_go(loader) &&
           (loader->options->state == NULL || linux_state_write(loader));
}

static int run(void *context)
{
    struct linux_loader *loader = context;
    if (!linux_state_claim(loader))
        return 1;
    linux_limits_raise();
    linux_clock_begin(loader);
    prepare(loader);
    int status = 1;
    bool started = linux_supervise_begin(loader) && linux_resources_open(loader) && plan(loader) &&
                   start(loader);
    if (started)
        status = linux_supervise(loader) ? loader->status : 1;
    else
        linux_limits_explain(loader);
    close_all(loader);
    linux_state_remove(loader);
    linux_output_end();
    linux_supervise_release(loader); /* not before: a second Ctrl-C must not stop the clean-up */
    return status;
}

int linux_run(const struct system *expanded, const struct board *board,
              const struct system_search *search, const struct linux_options *options)
{
    struct linux_loader loader = {
        .system = expanded, .board = board, .search = search, .options = options};
    if (!supported(expanded))
        return 1;
    return linux_guard(expanded, board, &options->device, run, &loader);
}
