/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A system, as its description says it: protection domains, memory regions, mappings, channels,
 * interrupts (the Microkit's vocabulary), and before expansion the sDDF elements (networks,
 * timers). The steps, each in a file of its own:
 *
 *     system_parse   XML -> model, with the line of everything
 *     system_check   every rule; reports all mistakes, not the first
 *     system_expand  sDDF elements -> PDs, regions, maps, channels and configurations
 *     system_emit    model -> plain SDF
 *     system_draw    model -> Graphviz
 *
 * Strings and arrays belong to the system and go with system_free(). References between elements
 * are indices into the system's arrays, or SYSTEM_NONE.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SYSTEM_NONE    SIZE_MAX
#define SYSTEM_ID_NONE UINT32_MAX

#define SYSTEM_CHANNELS_MAX 62 /* channels and interrupts of one PD: ids 0 .. 61 */
#define SYSTEM_PDS_MAX      63
#define SYSTEM_POLL_MAX     1000000 /* us */
#define SYSTEM_RING_MAX     32768 /* entries of a hardware ring: what 16-bit indices can tell apart */
#define SYSTEM_NAME_MAX     63    /* characters of a PD's name (microkit_name has a NUL besides) */

/* Addresses that a map may use, and the part of them from which expansion takes its own. */
#define SYSTEM_VADDR_MIN    UINT64_C(0x10000)
#define SYSTEM_VADDR_MAX    UINT64_C(0x200000000000) /* above are the stack and the platform */
#define SYSTEM_EXPAND_VADDR UINT64_C(0x10000000)
#define SYSTEM_EXPAND_END   UINT64_C(0x80000000)

enum system_perm {
    SYSTEM_READ = 1,
    SYSTEM_WRITE = 2,
    SYSTEM_EXECUTE = 4,
};

/* Where something was written. `file` is the description's path as given on the command line. */
struct system_place {
    const char *file;
    int line; /* what expansion makes has the line of the element that it comes from */
};

struct system_region {
    char *name;
    uint64_t size;      /* bytes, a multiple of page_size */
    uint64_t page_size; /* 0x1000 or 0x200000 */
    bool has_page_size; /* the description says so */
    bool has_phys;
    uint64_t phys; /* on the board: registers, or a device's resource (struct board_region) */
    struct system_place place;
};

struct system_map {
    size_t region;
    uint64_t vaddr;
    unsigned perms; /* enum system_perm */
    bool cached;
    char *setvar_vaddr; /* symbol, or NULL */
    char *setvar_size;
    struct system_place place;
};

struct system_irq {
    uint64_t irq; /* the board's number */
    unsigned id;  /* channel; SYSTEM_ID_NONE if the description's was none */
    bool edge;
    char *setvar_id;
    struct system_place place;
};

/* symbol = region_paddr of a region. (Values that maps and channels set stand there.) */
struct system_setvar {
    char *symbol;
    size_t region;
    struct system_place place;
};

/* Bytes that go over a symbol of the program: a configuration. */
struct system_patch {
    char *symbol;
    void *bytes;
    size_t size;
};

struct system_pd {
    char *name;
    unsigned priority; /* 0..254, higher first */
    uint64_t budget;   /* us */
    uint64_t period;   /* us */
    bool passive;
    uint64_t stack_size;
    unsigned cpu;
    uint64_t poll; /* us that it looks about before it sleeps, at most; Linux only */
    bool shutdown; /* it may end the whole system; Linux only */
    char *program; /* program_image's path, as written; found with the search path */
    size_t parent; /* index of the parent PD, or SYSTEM_NONE */
    unsigned child_id;
    char *child_setvar_id;
    struct system_map *maps;
    size_t map_count;
    struct system_irq *irqs;
    size_t irq_count;
    struct system_setvar *setvars;
    size_t setvar_count;
    struct system_patch *patches;
    size_t patch_count;
    struct system_place place;
};

struct system_end {
    size_t pd;
    unsigned id;
    bool pp;     /* this end may call the other's protected procedure */
    bool notify; /* this end may notify the other; true by default */
    char *setvar_id;
    struct system_place place;
};

struct system_channel {
    struct system_end end[2];
    struct system_place place;
};

/* What a device may reach: each region at an IO address. On Linux, AF_XDP's UMEM or an IOMMU. */
struct system_iomap {
    size_t region;
    uint64_t iovaddr;
    unsigned perms;
    struct system_place place;
};

struct system_io_space {
    char *name; /* the board's device */
    struct system_iomap *maps;
    size_t map_count;
    struct system_place place;
};

/*
 * What only the Microkit has (a virtual machine, a scheduling domain): nothing here looks into it,
 * but `sddf build` writes it as it stands, for releases that know it.
 */
enum system_owner { SYSTEM_OF_ALL, SYSTEM_OF_REGION, SYSTEM_OF_PD, SYSTEM_OF_MAP };

struct system_kept {
    enum system_owner owner;
    size_t index;    /* of the region; of the PD, also of a map's */
    size_t map;      /* of the map in its PD */
    bool element;    /* else an attribute */
    char *name;      /* "smc" */
    char *inside;    /* "protection_domain" */
    char *text;      /* ` smc="true"`, or all of the element; NULL: its file is not there */
    const char *why; /* it is not on Linux */
    unsigned since;  /* SYSTEM_SDF(...) */
    struct system_place place;
};

struct system_network; /* sDDF elements, only until expansion: system/network.h, system/timer.h */
struct system_timer;
struct system_serial; /* system/serial.h */
struct system_idle;   /* system/idle.h */

struct system {
    char *file; /* the description's path; what places point to */
    char *name; /* the description's file name without folder and ending */
    struct system_region *regions;
    size_t region_count;
    struct system_pd *pds;
    size_t pd_count;
    struct system_channel *channels;
    size_t channel_count;
    struct system_io_space *io_spaces;
    size_t io_space_count;
    struct system_kept *kept;
    size_t kept_count;
    struct system_network *networks;
    size_t network_count;
    struct system_timer *timers;
    size_t timer_count;
    struct system_serial *serials;
    size_t serial_count;
    struct system_idle *idles;
    size_t idle_count;
};

/* ---- boards -------------------------------------------------------------------------------- */

/*
 * A board file (platform/PLATFORM/boards/NAME.xml) lists the devices that a description may name.
 * On the Linux board a device's "physical" addresses are made up; they only say which resource of
 * which device a region stands for, so that plain SDF carries all that the loader must know.
 */
struct board_region {
    char *name; /* what the platform calls the resource: "rx_ring", "registers" ... */
    /*
     * Not of the device, but memory that it reaches: at an address from board.dma, or, of a card,
     * at an IO address of its space.
     */
    bool memory;
    unsigned bar; /* of a card: which BAR it is; BOARD_NO_BAR: none */
    uint64_t phys;
    uint64_t size;
    unsigned perms; /* enum system_perm: what a driver may have of it */
};

struct board_irq {
    uint64_t irq;
    bool edge;
};

#define BOARD_NO_BAR 6

/* How a PCI device interrupts: the best way that it has, and none that is better than it may. */
enum board_interrupts { BOARD_MSIX, BOARD_MSI, BOARD_INTX };

/*
 * PCI devices that can be plugged in at one place differ in what they have and who drives them. A
 * device of the board with cards has, at any time, what the chosen one has.
 */
struct board_card {
    char *pci; /* "8086:10d3", or several with blanks between */
    char *driver;
    struct board_region *regions;
    size_t region_count;
    struct board_irq *irqs;
    size_t irq_count;
    enum board_interrupts interrupts;
};

struct board_device {
    char *name;         /* "ethernet0" */
    char *class_;       /* "network", "timer", "serial", "idle" */
    char *driver;       /* the driver's program: "net_linux_xdp.elf"; of class "idle" also NULL */
    char *kind;         /* how the platform makes it: "af_xdp", "tap", "timerfd", "vfio" */
    bool data;          /* the driver must map packet data itself (TAP) */
    uint64_t io_base;   /* the first IO address that may be mapped for it */
    uint64_t ring_size; /* entries of each hardware ring at most; 0: it is none of ours to choose */
    struct board_region *regions;
    size_t region_count;
    struct board_irq *irqs;
    size_t irq_count;
    enum board_interrupts interrupts;
    char *pci; /* of one with cards: which PCI device it is (0000:00:03.0, 8086:10d3), or NULL */
    struct board_card *cards; /* at first the first one is chosen */
    size_t card_count;
    struct system_place place;
};

/*
 * Where devices reach memory at its physical address, as no IOMMU is between: the part of memory
 * that what they reach is taken from, so that these addresses are known beforehand. Size 0: the
 * devices have IO addresses of their own.
 */
struct board_dma {
    uint64_t phys;
    uint64_t size;
    uint64_t page; /* what they reach is in whole pages of this size; 0: of 4 KiB */
    bool coherent; /* devices see what the caches have */
};

struct board {
    char *file;
    char *name;    /* "linux" */
    char *arch;    /* "x86_64" */
    bool microkit; /* platform="microkit": systems are for the Microkit's tool, not for here */
    struct board_dma dma;
    struct board_device *devices;
    size_t device_count;
};

/* ---- errors -------------------------------------------------------------------------------- */

/*
 * Mistakes are collected, each as "file:line: what is wrong, what would be right", and printed once
 * each, in the order of files and lines. Functions below return true if they added none.
 */
struct system_errors {
    struct system_error {
        struct system_place place;
        char *text;
    } * list;
    size_t count;
};

void system_error(struct system_errors *errors, struct system_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t system_errors_count(const struct system_errors *errors); /* different ones */
void system_errors_print(const struct system_errors *errors, FILE *out);
void system_errors_free(struct system_errors *errors);

/* ---- the steps ----------------------------------------------------------------------------- */

/*
 * Parsing goes on after a mistake, and leaves what it could not make sense of out (references are
 * SYSTEM_NONE), so that the checks may follow and find the rest. Free the result in any case.
 */
bool board_parse(const char *path, struct board *board, struct system_errors *errors);
void board_free(struct board *board);

/*
 * Gives a device of the board what the card of that vendor and device number has. False: none of
 * its cards is meant for it.
 */
bool board_choose(struct board_device *device, unsigned vendor, unsigned number);

/* The device of that name, or NULL. */
const struct board_device *board_device(const struct board *board, const char *name);

/* Where programs are looked for: folders, tried in order. */
struct system_search {
    const char *const *folders;
    size_t count;
};

/* The path of the program, to be freed, or NULL if no folder has it. */
char *system_find_program(const struct system_search *search, const char *program);

bool system_parse(const char *path, struct system *system, struct system_errors *errors);

/* Holds before expansion and after it: then the generated parts are checked by the same rules. */
bool system_check(const struct system *system, const struct board *board,
                  const struct system_search *search, struct system_errors *errors);

/* Only for a system that system_check() found nothing wrong with. */
bool system_expand(struct system *system, const struct board *board,
                   const struct system_search *search, struct system_errors *errors);

/* Parse, check, expand and check again: a system that can be built or run. */
bool system_load(const char *path, struct system *system, const struct board *board,
                 const struct system_search *search, struct system_errors *errors);

/* Takes in the configurations that the programs of a plain description have in them already. */
void system_adopt(struct system *system, const struct system_search *search);

/*
 * Releases of the Microkit, as numbers that can be compared: what came when is written for releases
 * whose tool knows it.
 */
#define SYSTEM_SDF(major, minor, patch) ((unsigned)((major)*10000 + (minor)*100 + (patch)))
#define SYSTEM_SDF_OLDEST               SYSTEM_SDF(2, 0, 1)
#define SYSTEM_SDF_CORES                SYSTEM_SDF(2, 1, 0) /* cpu, setvar_id */
#define SYSTEM_SDF_PREFILL              SYSTEM_SDF(2, 2, 0) /* prefill_path */
#define SYSTEM_SDF_NEWER                SYSTEM_SDF(2, 3, 0) /* domains, cspace, fpu */
#define SYSTEM_SDF_OURS                 UINT_MAX /* what `sddf run` reads: poll, shutdown */

/* All of the system, as `sddf run` reads it. False if `out` could not be written. */
bool system_emit(const struct system *system, FILE *out);

/* For the Microkit's tool of this release; the configurations are in the programs. */
bool system_emit_for(const struct system *system, unsigned release, FILE *out);
bool system_draw(const struct system *system, const struct board *board, FILE *dot);
void system_free(struct system *system);
