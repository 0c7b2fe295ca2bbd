/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct linux_device_kind *const kinds[] = {
    &linux_device_xdp,  &linux_device_tap,  &linux_device_timerfd, &linux_device_terminal,
    &linux_device_idle, &linux_device_vfio, &linux_device_uio,
};

bool linux_device_fail(char **why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(why, format, arguments) < 0) {
        *why = NULL; /* out of memory: the caller says what it can */
    }
    va_end(arguments);
    return false;
}

static const struct linux_device_kind *kind_of(const struct board_device *board)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, board->kind) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

bool linux_device_open(const struct board_device *board, struct linux_device *device,
                       const struct system *system, const struct linux_memory *memory,
                       const struct linux_device_options *options, char **why)
{
    *device = (struct linux_device){.board = board, .fd = -1};
    for (size_t i = 0; i < LINUX_DEVICE_REGIONS; i++) {
        device->region[i].fd = -1;
    }
    *why = NULL;
    const struct linux_device_kind *kind = kind_of(board);
    if (kind == NULL) {
        return linux_device_fail(why,
                                 "the board's device %s is of kind \"%s\", which is none of "
                                 "af_xdp, tap, timerfd, terminal, cpu_idle, vfio",
                                 board->name, board->kind);
    }
    if (board->region_count > LINUX_DEVICE_REGIONS || board->irq_count > LINUX_DEVICE_IRQS) {
        return linux_device_fail(
            why,
            "the board's device %s has %zu regions and %zu interrupts; %d and %d "
            "are possible",
            board->name, board->region_count, board->irq_count, LINUX_DEVICE_REGIONS,
            LINUX_DEVICE_IRQS);
    }
    return kind->open(device, system, memory, options, why);
}

void linux_device_close(struct linux_device *device)
{
    const struct linux_device_kind *kind = device->board != NULL ? kind_of(device->board) : NULL;
    if (kind != NULL) {
        kind->close(device);
    }
}

void linux_device_poll(struct linux_device *device, struct pollfd *polled)
{
    for (size_t i = 0; i < LINUX_DEVICE_POLLS; i++) {
        polled[i] = (struct pollfd){.fd = -1};
    }
    const struct linux_device_kind *kind = kind_of(device->board);
    if (kind->poll != NULL) {
        kind->poll(device, polled);
    }
}

void linux_device_serve(struct linux_device *device, const struct pollfd *polled)
{
    const struct linux_device_kind *kind = kind_of(device->board);
    if (kind->serve != NULL) {
        kind->serve(device, polled);
    }
}
