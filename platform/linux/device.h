/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of the Linux board: things of the kernel's (an AF_XDP socket, a TAP interface, a timerfd,
 * a terminal) made to look like hardware. The loader opens them before any PD starts; a device's
 * board regions become mappings of its descriptor, its interrupt the readability of a descriptor,
 * its doorbell one system call on one descriptor that the driver's filter lets through.
 *
 * One file per kind implements struct linux_device_kind; device.c finds the kind by the name in the
 * board file.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "system/system.h"

#define LINUX_DEVICE_REGIONS 8
#define LINUX_DEVICE_CALLS   8
#define LINUX_DEVICE_IRQS    4
#define LINUX_DEVICE_TEXT    256
#define LINUX_DEVICE_POLLS   3

/*
 * A memory region of the system: two descriptors of one sealed memfd. -1: the region is a device's.
 */
struct linux_memory {
    int rw;
    int ro;
    uint64_t size; /* rounded up to the page size that it got */
    uint64_t page_size;
};

/* What a board region of the device is to mmap: descriptor, offset, length. */
struct linux_resource {
    int fd;
    uint64_t offset;
    uint64_t size;
};

/* An interrupt of a device that has other ones than the readability of its descriptor. */
struct linux_irq {
    int fd;     /* whose readability it is; -1: the device has no such interrupt, it never comes */
    int unmask; /* an eventfd: written to on every acknowledgement; -1: none */
    bool counted; /* `fd` is an eventfd: it is read, and so emptied, when the interrupt comes */
};

/*
 * A system call that the driver may make on the device's descriptor (its first argument). Argument
 * i must equal value[i] where bit i of `checked` is set (bit 0 is the descriptor's and always so).
 */
struct linux_call {
    int number;
    unsigned checked;
    uint64_t value[6];
};

struct linux_device {
    const struct board_device *board;
    int fd; /* the one descriptor that the driver holds; its readability is the interrupt */
    struct linux_resource region[LINUX_DEVICE_REGIONS]; /* in the order of board->regions */
    struct linux_irq irq[LINUX_DEVICE_IRQS];            /* in the order of board->irqs */
    size_t irq_count;                                   /* 0: `fd` is the only one */
    struct linux_call call[LINUX_DEVICE_CALLS];
    size_t call_count;
    char text[LINUX_DEVICE_TEXT]; /* how it is driven: "veth0: native XDP, copy mode" */
    char interface[16];           /* network devices */
    bool native, zero_copy, need_wakeup;
    void *state; /* the kind's own */
};

/* What the command line says. */
struct linux_device_options {
    const char *netdev;          /* interface for ethernet0; NULL: none was named */
    const char *console;         /* the terminal that is serial0; NULL: standard input and output */
    bool allow_generic;          /* generic XDP where the interface has no native mode */
    bool take;                   /* PCI devices may be taken from the kernel's drivers */
    bool no_iommu;               /* --unsafe-no-iommu */
    const struct linux_dma *dma; /* then, without an IOMMU: what devices reach (dma.h); else NULL */
    bool verbose;
};

struct linux_device_kind {
    const char *name; /* struct board_device `kind` */
    /*
     * Opens the device. `memory` has an element per region of the system, in order. False with
     * `*why` set (to be freed): what is missing and how to mend it; nothing is left open then.
     */
    bool (*open)(struct linux_device *device, const struct system *system,
                 const struct linux_memory *memory, const struct linux_device_options *options,
                 char **why);
    /* After all PDs have ended. Idempotent; also called by the loader's clean-up after an error. */
    void (*close)(struct linux_device *device);
    /*
     * NULL, or what the loader does for the device while the system runs, without ever blocking:
     * poll says what to wait for (LINUX_DEVICE_POLLS elements, preset to nothing), serve is called
     * when some of it may have come.
     */
    void (*poll)(struct linux_device *device, struct pollfd *polled);
    void (*serve)(struct linux_device *device, const struct pollfd *polled);
};

extern const struct linux_device_kind linux_device_xdp;      /* "af_xdp" */
extern const struct linux_device_kind linux_device_tap;      /* "tap" */
extern const struct linux_device_kind linux_device_timerfd;  /* "timerfd" */
extern const struct linux_device_kind linux_device_terminal; /* "terminal" */
extern const struct linux_device_kind linux_device_idle;     /* "cpu_idle" */
extern const struct linux_device_kind linux_device_vfio;     /* "vfio" */
extern const struct linux_device_kind linux_device_uio;      /* "uio": a card without an IOMMU */

/*
 * May this process use AF_XDP at all? That takes privileges in the machine's first user namespace;
 * who has none uses the TAP board. False with `*why` set (to be freed).
 */
bool linux_device_xdp_permitted(char **why);

/* Does the system have anything of the device: a region, an interrupt, its IO address space? */
bool linux_device_used(const struct system *system, const struct board_device *device);

bool linux_device_open(const struct board_device *board, struct linux_device *device,
                       const struct system *system, const struct linux_memory *memory,
                       const struct linux_device_options *options, char **why);
void linux_device_close(struct linux_device *device);

/* As the kind's own; nothing happens for a kind that has none. */
void linux_device_poll(struct linux_device *device, struct pollfd *polled);
void linux_device_serve(struct linux_device *device, const struct pollfd *polled);

/*
 * write.c: `fd` once more, as an open file of the loader's own that never blocks; -1: it cannot be
 * had. And a write that does not wait for room, by either: at most PIPE_BUF bytes; -1 with EAGAIN.
 */
int linux_write_open(int fd);
ssize_t linux_write_now(int fd, const void *bytes, size_t size);

/*
 * device_link.c: listens to what becomes of interfaces; -1: it cannot. And, when that is readable:
 * says so if the interface of that index is gone, after which `*watch` is -1.
 */
int linux_link_watch(void);
void linux_link_serve(const struct linux_device *device, int *watch, unsigned index);

/* For the kinds: sets *why to what printf would print, and returns false. */
bool linux_device_fail(char **why, const char *format, ...) __attribute__((format(printf, 2, 3)));
