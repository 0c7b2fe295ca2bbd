/* SPDX-License-Identifier: BSD-2-Clause */
/* A Microkit SDK: which release it is, and its tool, which makes a system's image. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/model.h"
#include "tool/tool.h"

extern char **environ;

/* The three numbers of a release. */
#define SDF_PARTS(release) (release) / 10000, (release) / 100 % 100, (release) % 100

static bool refuse(char **why, char *text)
{
    *why = text;
    return false;
}

static bool read_release(struct tool_sdk *sdk, char **why)
{
    char *path = model_format("%s/VERSION", sdk->folder);
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    FILE *in = fopen(path, "r");
    bool good = in != NULL && fscanf(in, "%4u.%2u.%2u", &major, &minor, &patch) == 3;
    if (in != NULL) {
        fclose(in);
    }
    sdk->release = SYSTEM_SDF(major, minor, patch);
    if (!good) {
        *why = model_format("%s says no release such as 2.0.1: is %s a Microkit SDK?", path,
                            sdk->folder);
    } else if (sdk->release < SYSTEM_SDF_OLDEST) {
        good = refuse(why, model_format("%s is the Microkit %u.%u.%u, and 2.0.1 is the oldest that "
                                        "will do",
                                        sdk->folder, major, minor, patch));
    }
    free(path);
    return good;
}

bool tool_sdk_open(struct tool_sdk *sdk, const char *board, char **why)
{
    if (!read_release(sdk, why)) {
        return false;
    }
    char *path = model_format("%s/board/%s/%s", sdk->folder, board, sdk->config);
    bool good = access(path, R_OK) == 0;
    if (!good) {
        *why = model_format("%s is not there: the SDK has no board %s with the configuration %s",
                            path, board, sdk->config);
    }
    free(path);
    return good;
}

/* What an SDK without these attributes would leave out is refused instead. */
bool tool_sdk_check(unsigned release, const struct system *system, char **why)
{
    for (size_t i = 0; i < system->pd_count && release < SYSTEM_SDF_CORES; i++) {
        if (system->pds[i].cpu != 0) {
            return refuse(why, model_format("%s is to run on cpu %u, and the Microkit before 2.1.0 "
                                            "has but one",
                                            system->pds[i].name, system->pds[i].cpu));
        }
    }
    for (size_t i = 0; i < system->kept_count; i++) {
        const struct system_kept *kept = &system->kept[i];
        if (release < kept->since) {
            return refuse(why, model_format("%s:%d: \"%s\" came with the Microkit %u.%u.%u, and "
                                            "what is written is for %u.%u.%u: give it a newer SDK "
                                            "(--sdk FOLDER)",
                                            kept->place.file, kept->place.line, kept->name,
                                            SDF_PARTS(kept->since), SDF_PARTS(release)));
        }
    }
    if (system->io_space_count > 0) {
        return refuse(why, model_format("device %s has an IO address space, which the Microkit has "
                                        "for x86_64 alone, from 2.3.0 on",
                                        system->io_spaces[0].name));
    }
    return true;
}

bool tool_sdk_image(const struct tool_sdk *sdk, const char *board, const char *folder,
                    const char *name, char **why)
{
    char *tool = model_format("%s/bin/microkit", sdk->folder);
    char *description = model_format("%s/%s.system", folder, name);
    char *image = model_format("%s/loader.img", folder);
    char *report = model_format("%s/report.txt", folder);
    char *const arguments[] = {tool,
                               description,
                               "--search-path",
                               (char *)folder,
                               "--board",
                               (char *)board,
                               "--config",
                               (char *)sdk->config,
                               "-o",
                               image,
                               "-r",
                               report,
                               NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    /* It has nothing to say but mistakes, and those it says on stderr. */
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid;
    int status = 0;
    int error = posix_spawn(&pid, tool, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (error == 0 && waitpid(pid, &status, 0) < 0) {
        error = errno == EINTR ? 0 : errno;
    }
    bool good = error == 0 && status == 0;
    if (error != 0) {
        *why = model_format("%s: cannot be started: %s", tool, strerror(error));
    } else if (!good) {
        *why = model_format("%s made no image of %s: see above", tool, description);
    }
    free(tool);
    free(description);
    free(image);
    free(report);
    return good;
}
