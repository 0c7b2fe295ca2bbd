/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "system/image.h"
#include "system/model.h"
#include "tool/tool.h"

/*
 * Devices' regions have the board's addresses. Those of ordinary memory are chosen when the system
 * starts, so a program cannot be given them beforehand; then setvars are left to who starts it.
 */
static uint64_t physical(const struct system *system, size_t region, void *context)
{
    (void)context;
    return system->regions[region].phys;
}

static bool write_program(struct tool_input *input, size_t index, const char *folder, char **why)
{
    struct system_pd *pd = &input->system.pds[index];
    char *from = system_find_program(&input->search, pd->program);
    char *to = model_format("%s/%s.elf", folder, pd->name);
    struct image image = {0};
    bool good = from != NULL && image_load(from, &image, why) &&
                image_configure(&image, &input->system, index, physical, NULL, why) &&
                image_write(&image, to, why);
    image_free(&image);
    free(from);
    free(to);
    if (good) {
        free(pd->program);
        pd->program = model_format("%s.elf", pd->name);
    }
    return good;
}

static bool write_description(struct tool_input *input, unsigned release, const char *folder,
                              char **why)
{
    char *path = model_format("%s/%s.system", folder, input->system.name);
    FILE *out = fopen(path, "w");
    bool good = out != NULL && system_emit_for(&input->system, release, out);
    if (out != NULL && fclose(out) != 0) {
        good = false;
    }
    if (!good) {
        *why = model_format("%s: cannot be written: %s", path, strerror(errno));
    }
    free(path);
    return good;
}

/* Which release the description is for: without an SDK, what every release can read. */
static unsigned choose_release(const struct tool_input *input, const struct tool_sdk *sdk)
{
    if (sdk->folder != NULL) {
        return sdk->release;
    }
    return input->board.microkit ? SYSTEM_SDF_OLDEST : SYSTEM_SDF_OURS;
}

/* Has some PD an interrupt of a network device? Then it is to be said which interface that is. */
static bool has_network(const struct tool_input *input)
{
    for (size_t d = 0; d < input->board.device_count; d++) {
        const struct board_device *device = &input->board.devices[d];
        for (size_t p = 0; p < input->system.pd_count; p++) {
            for (size_t i = 0; i < input->system.pds[p].irq_count; i++) {
                for (size_t j = 0; j < device->irq_count; j++) {
                    if (strcmp(device->class_, "network") == 0 &&
                        input->system.pds[p].irqs[i].irq == device->irqs[j].irq) {
                        return true;
                    }
                }
            }
        }
    }
    return false;
}

static void say_done(const struct tool_input *input, const struct tool_sdk *sdk, const char *folder)
{
    printf("%s/%s.system and %zu programs are written", folder, input->system.name,
           input->system.pd_count);
    if (sdk->folder != NULL) {
        printf(", and %s/loader.img is made of them\n", folder);
    } else if (input->board.microkit) {
        printf("; the Microkit's tool makes an image of them with\n"
               "  microkit %s/%s.system --search-path %s --board %s --config debug\n",
               folder, input->system.name, folder, input->board.name);
    } else {
        printf("; run them with\n  sddf run %s/%s.system -b %s --search-path %s%s\n", folder,
               input->system.name, input->board_name, folder,
               has_network(input) ? " --netdev IFACE" : "");
    }
}

static int build(struct tool_input *input, struct tool_sdk *sdk, const char *folder)
{
    char *why = NULL;
    bool good = sdk->folder == NULL || tool_sdk_open(sdk, input->board.name, &why);
    const unsigned release = choose_release(input, sdk);
    good = good && (!input->board.microkit || tool_sdk_check(release, &input->system, &why));
    if (good && mkdir(folder, 0777) != 0 && errno != EEXIST) {
        why = model_format("%s: cannot be made: %s", folder, strerror(errno));
        good = false;
    }
    for (size_t i = 0; i < input->system.pd_count && good; i++) {
        good = write_program(input, i, folder, &why);
    }
    good = good && write_description(input, release, folder, &why);
    if (good && sdk->folder != NULL) {
        good = tool_sdk_image(sdk, input->board.name, folder, input->system.name, &why);
    }
    if (!good) {
        fprintf(stderr, "sddf build: %s\n", why != NULL ? why : "a program has gone");
        free(why);
        return TOOL_MISTAKES;
    }
    say_done(input, sdk, folder);
    return TOOL_OK;
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"board", required_argument, NULL, 'b'},       {"output", required_argument, NULL, 'o'},
        {"search-path", required_argument, NULL, 's'}, {"sdk", required_argument, NULL, 'S'},
        {"config", required_argument, NULL, 'c'},      {0},
    };
    struct tool_input input = {.board_name = "linux"};
    struct tool_sdk sdk = {.config = "debug"};
    const char *folder = NULL;
    int status = TOOL_USAGE;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "b:o:", options, NULL)) != -1;) {
        if (option == 'b') {
            input.board_name = optarg;
        } else if (option == 'o') {
            folder = optarg;
        } else if (option == 's') {
            tool_add_folder(&input, optarg);
        } else if (option == 'S') {
            sdk.folder = optarg;
        } else if (option == 'c') {
            sdk.config = optarg;
        } else {
            tool_bad_option(self, argv);
            goto out;
        }
    }
    if (argc - optind != 1 || folder == NULL) {
        tool_usage(self, "give it one description, and the folder to write to with -o");
        goto out;
    }
    input.description = argv[optind];
    if (!tool_load_board(&input)) {
        status = TOOL_MISTAKES;
    } else if (sdk.folder != NULL && !input.board.microkit) {
        tool_usage(self, "board %s is not one of the Microkit's: leave --sdk out",
                   input.board.name);
    } else {
        status = tool_load(&input) ? build(&input, &sdk, folder) : TOOL_MISTAKES;
    }
out:
    tool_close(&input);
    return status;
}

const struct tool_command tool_build = {
    .name = "build",
    .summary = "write the plain description and the configured programs",
    .help = "sddf build DESCRIPTION -o FOLDER [OPTIONS]\n"
            "\n"
            "Expands a description to the Microkit's plain format, and gives every protection\n"
            "domain a copy of its program with its configuration written into it. FOLDER then\n"
            "has NAME.system and a PD.elf for each protection domain.\n"
            "\n"
            "  -o, --output FOLDER    made if it is not there\n"
            "  -b, --board BOARD      linux (the default), linux_tap, qemu_virt_aarch64,\n"
            "                         qemu_virt_riscv64, or a board file\n"
            "  --search-path FOLDER   look for programs here first; may be repeated\n"
            "  --sdk FOLDER           a Microkit SDK, whose tool makes FOLDER/loader.img; what is\n"
            "                         written is for its release, else for any from 2.0.1 on\n"
            "  --config CONFIG        the SDK's debug (the default), release or benchmark\n"
            "\n"
            "Example:\n"
            "\n"
            "  sddf build examples/echo/echo.xml -o out\n"
            "  sddf run out/echo.system --search-path out --netdev veth0\n",
    .run = run,
};
