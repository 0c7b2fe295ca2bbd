/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of one PD (README.md has the table). Everything else is a fault, which the
 * loader reports with the call's name.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

_Static_assert(sizeof(struct sock_filter) == 8, "plan.c counts on it");

/* Argument `index` of the call is `value`. */
static struct scmp_arg_cmp is(unsigned index, uint64_t value)
{
    return (struct scmp_arg_cmp){index, SCMP_CMP_EQ, value, 0};
}

static int allow(scmp_filter_ctx filter, int number, unsigned count,
                 const struct scmp_arg_cmp *arguments)
{
    return seccomp_rule_add_exact_array(filter, SCMP_ACT_ALLOW, number, count, arguments);
}

static int allow_doorbells(scmp_filter_ctx filter, const struct linux_pd *pd)
{
    const struct mk_boot *boot = &pd->page;
    uint64_t one = MK_BOOT_AT + offsetof(struct mk_boot, one);
    int error =
        allow(filter, SCMP_SYS(read), 1, (struct scmp_arg_cmp[]){is(0, (uint64_t)boot->doorbell)});
    if (error == 0 && boot->loader >= 0)
        error = allow(filter, SCMP_SYS(write), 3,
                      (struct scmp_arg_cmp[]){is(0, (uint64_t)boot->loader), is(1, one),
                                              is(2, sizeof boot->one)});
    uint64_t allowed = 0; /* bit: descriptor - 1; several channels may lead to one peer */
    for (unsigned ch = 0; ch < MK_CHANNELS && error == 0; ch++) {
        int doorbell = boot->channel[ch].doorbell;
        if ((boot->channel[ch].flags & MK_CHANNEL_COUNTED) != 0)
            error = allow(filter, SCMP_SYS(read), 1,
                          (struct scmp_arg_cmp[]){is(0, (uint64_t)boot->channel[ch].irq)});
        if (doorbell < 0 || (allowed >> (doorbell - 1) & 1) != 0)
            continue;
        allowed |= UINT64_C(1) << (doorbell - 1);
        error = allow(filter, SCMP_SYS(write), 3,
                      (struct scmp_arg_cmp[]){is(0, (uint64_t)doorbell), is(1, one),
                                              is(2, sizeof boot->one)});
    }
    return error;
}

static int allow_device(scmp_filter_ctx filter, const struct linux_device *device, int descriptor)
{
    int error = 0;
    for (size_t i = 0; i < device->call_count && error == 0; i++) {
        const struct linux_call *call = &device->call[i];
        struct scmp_arg_cmp arguments[6];
        unsigned count = 0;
        arguments[count++] = is(0, (uint64_t)descriptor);
        for (unsigned a = 1; a < 6; a++)
            if (call->checked & 1u << a)
                arguments[count++] = is(a, call->value[a]);
        error = allow(filter, call->number, count, arguments);
    }
    return error;
}

static int allow_devices(scmp_filter_ctx filter, struct linux_loader *loader,
                         const struct linux_pd *pd)
{
    int error = 0;
    for (size_t i = 0; i < loader->device_count && error == 0; i++)
        for (int kept = 0; kept < pd->keep.count && error == 0; kept++)
            if (pd->keep.fd[kept] == loader->devices[i].fd)
                error = allow_device(filter, &loader->devices[i], kept + 1);
    /* To wait for interrupts. Without a signal mask; what it polls are its own descriptors. */
    if (error == 0 && pd->system->irq_count > 0)
        error = allow(filter, SCMP_SYS(ppoll), 1, (struct scmp_arg_cmp[]){is(3, 0)});
    return error;
}

static int allow_rest(scmp_filter_ctx filter, const struct linux_loader *loader,
                      const struct linux_pd *pd)
{
    int error =
        allow(filter, SCMP_SYS(write), 1, (struct scmp_arg_cmp[]){is(0, (uint64_t)pd->page.debug)});
    if (error == 0 && loader->system_page->clock.mult == 0)
        error = allow(filter, SCMP_SYS(clock_gettime), 1,
                      (struct scmp_arg_cmp[]){is(0, CLOCK_MONOTONIC)});
    return error;
}

static int export(scmp_filter_ctx filter, struct linux_pd *pd)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = seccomp_export_bpf(filter, fd);
    struct stat status;
    if (error == 0 && fstat(fd, &status) == 0) {
        pd->filter = malloc((size_t)status.st_size);
        pd->filter_length = (size_t)status.st_size / sizeof(struct sock_filter);
        if (pread(fd, pd->filter, (size_t)status.st_size, 0) != status.st_size)
            error = -EIO;
    }
    close(fd);
    return error;
}

bool linux_filter_build(struct linux_loader *loader, struct linux_pd *pd)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int error = filter == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
    /* The calls of the event loop are looked for first. */
    if (error == 0)
        error = seccomp_syscall_priority(filter, SCMP_SYS(write), 255);
    if (error == 0)
        error = seccomp_syscall_priority(filter, SCMP_SYS(read), 254);
    if (error == 0)
        error = allow_doorbells(filter, pd);
    if (error == 0)
        error = allow_devices(filter, loader, pd);
    if (error == 0)
        error = allow_rest(filter, loader, pd);
    if (error == 0)
        error = export(filter, pd);
    if (filter != NULL)
        seccomp_release(filter);
    if (error != 0)
        linux_complain("%s: cannot build the filter of system calls: %s", pd->system->name,
                       strerror(-error));
    return error == 0;
}
