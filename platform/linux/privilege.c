/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Once the system is up the loader needs next to nothing: its descriptors are open, and it traces
 * its PDs by the right that it had when it began to. What stays: to end a PD that is another user's
 * (CAP_KILL), to give PDs of one priority their turns (CAP_SYS_NICE), and, only if the state file
 * is in a folder that its user could not write to otherwise, to replace it (CAP_DAC_OVERRIDE).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* Could this user write there without any capability? Root owns what it has made. */
static bool ordinary_folder(const char *path)
{
    struct stat status;
    char *copy = strdup(path);
    bool found = copy != NULL && stat(dirname(copy), &status) == 0;
    free(copy);
    return found && ((status.st_uid == geteuid() && (status.st_mode & S_IWUSR) != 0) ||
                     ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0));
}

bool linux_privilege_drop(const struct linux_loader *loader)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2];
    uint32_t keep = 1u << CAP_KILL | 1u << CAP_SYS_NICE;
    if (loader->options->state != NULL && !ordinary_folder(loader->options->state))
        keep |= 1u << CAP_DAC_OVERRIDE;
    if (syscall(SYS_capget, &header, now) != 0) {
        linux_complain("cannot see this process's privileges: %s", strerror(errno));
        return false;
    }
    /* What it executes would have none either; it executes nothing. */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
        continue;
    for (int i = 0; i < 2; i++) {
        now[i].permitted &= i == 0 ? keep : 0;
        now[i].effective = now[i].permitted;
        now[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, now) == 0)
        return true;
    linux_complain("cannot give up privileges: %s", strerror(errno));
    return false;
}
