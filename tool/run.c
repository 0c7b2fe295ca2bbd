/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "platform/linux/loader.h"
#include "platform/linux/unsafe.h"
#include "tool/tool.h"

/* ---- AF_XDP or TAP ------------------------------------------------------------------------- */

static uint64_t effective_capabilities(void)
{
    unsigned long long bits = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "CapEff: %llx", &bits) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return bits;
}

/* In a user namespace of its own a process has every capability, and may load no XDP program. */
static bool whole_machine(void)
{
    unsigned long long inside = 1;
    unsigned long long outside = 1;
    unsigned long long count = 0;
    FILE *map = fopen("/proc/self/uid_map", "r");
    bool read = map != NULL && fscanf(map, "%llu %llu %llu", &inside, &outside, &count) == 3;
    if (map != NULL) {
        fclose(map);
    }
    return read && inside == 0 && outside == 0 && count >= UINT32_MAX;
}

static bool may_use_xdp(void)
{
    uint64_t has = effective_capabilities();
    bool admin = (has >> CAP_SYS_ADMIN & 1) != 0;
    bool net = (has >> CAP_NET_ADMIN & 1) != 0 && (has >> CAP_NET_RAW & 1) != 0;
    return net && (admin || (has >> CAP_BPF & 1) != 0) && whole_machine();
}

/* Does a PD have an interrupt of a device of this class that is the kernel's, not a card? */
static bool uses(const struct system *system, const struct board *board, const char *class_)
{
    for (size_t d = 0; d < board->device_count; d++) {
        const struct board_device *device = &board->devices[d];
        if (strcmp(device->class_, class_) != 0 || device->card_count != 0) {
            continue;
        }
        for (size_t p = 0; p < system->pd_count; p++) {
            for (size_t i = 0; i < system->pds[p].irq_count; i++) {
                for (size_t j = 0; j < device->irq_count; j++) {
                    if (system->pds[p].irqs[i].irq == device->irqs[j].irq) {
                        return true;
                    }
                }
            }
        }
    }
    return false;
}

/* ---- the command --------------------------------------------------------------------------- */

/* As asked for: cards that no IOMMU confines. */
static bool go_unsafe(struct tool_input *input, struct linux_options *options,
                      struct linux_dma *dma)
{
    char *why = NULL;
    if (!linux_unsafe_begin(&input->board, dma, &why)) {
        fprintf(stderr, "sddf run: --unsafe-no-iommu: %s\n", why != NULL ? why : "out of memory");
        free(why);
        return false;
    }
    options->device.dma = dma;
    return true;
}

static int start(const struct tool_command *self, struct tool_input *input,
                 struct linux_options *options, bool chosen, struct linux_dma *dma)
{
    if (!tool_load_board(input)) {
        return TOOL_MISTAKES;
    }
    if (input->board.microkit) {
        return tool_usage(self,
                          "board %s is one of the Microkit's: \"sddf build --sdk\" makes an "
                          "image for it",
                          input->board.name);
    }
    if (!tool_choose_cards(input) ||
        (options->device.no_iommu && !go_unsafe(input, options, dma)) || !tool_load(input)) {
        return TOOL_MISTAKES;
    }
    linux_dma_trim(dma, &input->system);
    if (uses(&input->system, &input->board, "network")) {
        if (options->device.netdev == NULL) {
            return tool_usage(self, "the system has a network; name the interface that it is to "
                                    "drive with --netdev IFACE");
        }
        if (!chosen) {
            fprintf(stderr, "sddf run: without the privilege for AF_XDP (CAP_NET_ADMIN, "
                            "CAP_NET_RAW and CAP_BPF), the network is a TAP interface\n");
        }
    }
    system_adopt(&input->system, &input->search);
    return linux_run(&input->system, &input->board, &input->search, options);
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"board", required_argument, NULL, 'b'},
        {"search-path", required_argument, NULL, 's'},
        {"netdev", required_argument, NULL, 'n'},
        {"pci", required_argument, NULL, 'p'},
        {"take", no_argument, NULL, 'T'},
        {"unsafe-no-iommu", no_argument, NULL, 'U'},
        {"console", required_argument, NULL, 'o'},
        {"state", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 'c'},
        {"generic", no_argument, NULL, 'g'},
        {"no-realtime", no_argument, NULL, 'r'},
        {"awake", no_argument, NULL, 'a'},
        {"checked", no_argument, NULL, 'd'},
        {"gdb", required_argument, NULL, 1000 + LINUX_DEBUG_GDB},
        {"strace", required_argument, NULL, 1000 + LINUX_DEBUG_STRACE},
        {"valgrind", required_argument, NULL, 1000 + LINUX_DEBUG_VALGRIND},
        {"asan", required_argument, NULL, 1000 + LINUX_DEBUG_ASAN},
        {"core", required_argument, NULL, 'k'},
        {"verbose", no_argument, NULL, 'v'},
        {0},
    };
    struct tool_input input = {0};
    struct linux_options how = {.realtime = true};
    struct linux_dma dma = linux_no_dma;
    int status = TOOL_USAGE;
    char *end = NULL;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "b:v", options, NULL)) != -1;) {
        switch (option) {
        case 'b':
            input.board_name = optarg;
            break;
        case 's':
            tool_add_folder(&input, optarg);
            break;
        case 'n':
            how.device.netdev = optarg;
            break;
        case 'p':
            tool_add_card(&input, optarg);
            break;
        case 'T':
            how.device.take = true;
            break;
        case 'U':
            how.device.no_iommu = true;
            break;
        case 'o':
            how.device.console = optarg;
            break;
        case 't':
            how.state = optarg;
            break;
        case 'c': {
            unsigned long seconds = strtoul(optarg, &end, 10);
            if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || seconds == 0 ||
                seconds > 1000000000) {
                tool_usage(self, "--seconds %s is no number of seconds", optarg);
                goto out;
            }
            how.seconds = (unsigned)seconds;
            break;
        }
        case 'g':
            how.device.allow_generic = true;
            break;
        case 'r':
            how.realtime = false;
            break;
        case 'a':
            how.awake = true;
            break;
        case 'd':
            how.checked = true;
            break;
        case 'v':
            how.verbose = how.device.verbose = true;
            break;
        case 'k':
            how.core = optarg;
            break;
        case 1000 + LINUX_DEBUG_GDB:
        case 1000 + LINUX_DEBUG_STRACE:
        case 1000 + LINUX_DEBUG_VALGRIND:
        case 1000 + LINUX_DEBUG_ASAN:
            if (how.debug_count == LINUX_DEBUG_MAX) {
                tool_usage(self, "at most %d protection domains can be looked into at a time",
                           LINUX_DEBUG_MAX);
                goto out;
            }
            how.debug[how.debug_count++] =
                (struct linux_debug){(enum linux_debug_kind)(option - 1000), optarg};
            break;
        default:
            tool_bad_option(self, argv);
            goto out;
        }
    }
    if (argc - optind != 1) {
        tool_usage(self, "give it one description");
        goto out;
    }
    input.description = argv[optind];
    bool chosen = input.board_name != NULL || may_use_xdp();
    if (input.board_name == NULL && input.card_count != 0) {
        input.board_name = "linux_vfio";
    } else if (input.board_name == NULL) {
        input.board_name = chosen ? "linux" : "linux_tap";
    }
    status = start(self, &input, &how, chosen, &dma);
out:
    linux_dma_close(&dma);
    tool_close(&input);
    return status;
}

const struct tool_command tool_run = {
    .name = "run",
    .summary = "run a system on this machine",
    .help =
        "sddf run DESCRIPTION [OPTIONS]\n"
        "\n"
        "Runs the system here: each protection domain is a process with the memory and the\n"
        "channels of the description and nothing else. Ctrl-C shuts it down.\n"
        "\n"
        "  --netdev IFACE         the interface that is the system's network device\n"
        "  --console TTY          the terminal that is the system's serial device, if it has\n"
        "                         one. By default standard input and output, which need not\n"
        "                         be a terminal\n"
        "  --pci DEVICE           the PCI device that is the system's network device, driven\n"
        "                         directly: 0000:03:00.0 or 8086:10d3. For the second one\n"
        "                         again; for a certain one ethernet1=0000:03:00.0\n"
        "  --take                 PCI devices may be taken from the kernel's drivers, which\n"
        "                         get them back at the end\n"
        "  --unsafe-no-iommu      drive them also where no IOMMU confines them: then whoever\n"
        "                         has the device has the machine (docs/pci.md)\n"
        "  -b, --board BOARD      linux (AF_XDP), linux_tap, linux_vfio (PCI), or a board\n"
        "                         file. By default linux_vfio with --pci; else AF_XDP if this\n"
        "                         process may use it, else TAP\n"
        "  --search-path FOLDER   look for programs here first; may be repeated\n"
        "  --seconds N            shut down after N seconds\n"
        "  --state FILE           write the running system's particulars there, as JSON\n"
        "  --generic              accept an interface that has only generic XDP (slow)\n"
        "  --no-realtime          ordinary scheduling, even where real time is permitted\n"
        "  --awake                keep the processors from sleeping when idle: answers come\n"
        "                         sooner, and idle processors are busy (root)\n"
        "  --checked              report deferred signals that were lost to a second one\n"
        "  -v, --verbose          say what is being done\n"
        "\n"
        "To look into a protection domain (docs/linux-platform.md says what each way costs):\n"
        "\n"
        "  --gdb PD               hold it before its first instruction for a debugger\n"
        "  --strace PD            print its system calls\n"
        "  --valgrind PD          run it under Valgrind, without confinement\n"
        "  --asan PD              run its build with AddressSanitizer (\"ninja -C build asan\"),\n"
        "                         without confinement\n"
        "  --core FOLDER          write a core file of each that faults: FOLDER/PD.core\n"
        "\n"
        "Exit status: 0 after an orderly end, also if protection domains failed on the way\n"
        "(which is reported), as long as one was left; 1 if the system could not be started\n"
        "or none was left; 2 if the command line makes no sense.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  sddf run examples/echo/echo.xml --netdev veth0\n"
        "  sddf run examples/echo/echo.xml --pci 0000:03:00.0 --take\n"
        "  taskset -c 1 sddf run examples/echo/echo.xml --netdev veth0 --seconds 10\n",
    .run = run,
};
