/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PDs that somebody wants to look into (docs/linux-platform.md says what each way costs).
 *
 *   gdb       The PD is as confined as ever, and held before its first instruction; the loader lets
 *             go of it, since a process has one tracer, and says which command attaches a debugger.
 *   strace    The loader, its tracer, prints its system calls: trace.c.
 *   valgrind  Valgrind cannot live in the sandbox: it opens files, maps memory, makes threads. So
 *             the PD is "hosted": an ordinary process of the user's, whose program maps the regions
 *             by itself (lib/hosted.c). Valgrind wants addresses of its own, so the platform's
 *             pages move; the program's own and those of regions stay.
 *   asan      The same with a build that has AddressSanitizer in it, found in a folder asan/ beside
 *             the program's.
 *
 * All but strace's PDs have no budget, and their parents cannot restart or stop them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "internal.h"

/* Below what Valgrind 3.19 gives its clients, far above what descriptions use. */
#define VALGRIND_PRIVATE UINT64_C(0x060000000000)

static const char *const options[] = {
    [LINUX_DEBUG_GDB] = "--gdb",
    [LINUX_DEBUG_STRACE] = "--strace",
    [LINUX_DEBUG_VALGRIND] = "--valgrind",
    [LINUX_DEBUG_ASAN] = "--asan",
};

static struct linux_pd *find(struct linux_loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->system->pd_count; i++)
        if (strcmp(loader->pds[i].system->name, name) == 0)
            return &loader->pds[i];
    return NULL;
}

static bool plan(struct linux_loader *loader, const struct linux_debug *wanted)
{
    const char *option = options[wanted->kind];
    struct linux_pd *pd = find(loader, wanted->pd);
    if (pd == NULL) {
        linux_complain("%s %s: there is no such protection domain; \"sddf graph\" shows those that "
                       "there are",
                       option, wanted->pd);
        return false;
    }
    if (pd->inspect != LINUX_DEBUG_NONE) {
        linux_complain("%s %s: it is to be run with %s already, and one process takes one of them",
                       option, wanted->pd, options[pd->inspect]);
        return false;
    }
    pd->inspect = wanted->kind;
    pd->hosted = wanted->kind == LINUX_DEBUG_VALGRIND || wanted->kind == LINUX_DEBUG_ASAN;
    if (wanted->kind == LINUX_DEBUG_VALGRIND)
        pd->base = VALGRIND_PRIVATE;
    if (pd->hosted)
        fprintf(stderr,
                "sddf: warning: %s runs under %s without confinement, budget and stack size: it "
                "may do what you may\n",
                pd->system->name,
                wanted->kind == LINUX_DEBUG_VALGRIND ? "Valgrind" : "AddressSanitizer");
    return true;
}

bool linux_debug_plan(struct linux_loader *loader)
{
    for (size_t i = 0; i < loader->options->debug_count; i++)
        if (!plan(loader, &loader->options->debug[i]))
            return false;
    return true;
}

/* ---- hosted programs ------------------------------------------------------------------------- */

static bool refuse(char **why, const char *text)
{
    *why = strdup(text);
    return false;
}

/* asan/NAME beside where the program itself is. */
static char *sanitized(const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - path);
    char *beside = NULL;
    if (asprintf(&beside, "%.*sasan/%s", folder, path, path + folder) < 0)
        return NULL;
    return beside;
}

static char *valgrind(void)
{
    static const char *const places[] = {"/usr/bin/valgrind", "/usr/local/bin/valgrind"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], X_OK) == 0)
            return strdup(places[i]);
    return NULL;
}

/* What to execute. What the tool has to say goes to the PD's debug output, descriptor 2. */
static bool choose_command(struct linux_pd *pd, char **why)
{
    pd->arguments = calloc(8, sizeof *pd->arguments);
    size_t count = 0;
    if (pd->inspect == LINUX_DEBUG_VALGRIND) {
        char *tool = valgrind();
        if (tool == NULL)
            return refuse(why, "there is no valgrind; Debian's package of that name has it");
        pd->arguments[count++] = tool;
        pd->arguments[count++] = strdup("--quiet");
        pd->arguments[count++] = strdup("--vgdb=no"); /* (it would leave pipes in /tmp) */
        pd->arguments[count++] = strdup("--log-fd=2");
        pd->arguments[count++] = strdup("--error-exitcode=0");
    }
    pd->arguments[count] = strdup(pd->path);
    return true;
}

bool linux_debug_program(struct linux_loader *loader, struct linux_pd *pd, char **why)
{
    if (pd->inspect == LINUX_DEBUG_ASAN) {
        char *beside = sanitized(pd->path);
        free(pd->path);
        pd->path = beside;
        if (access(beside, X_OK) != 0)
            return refuse(why, "there is no such build; \"ninja -C build asan\" makes those of the "
                               "programs here");
    }
    struct image before;
    if (!image_load_hosted(pd->path, &pd->image, why) || !image_load_hosted(pd->path, &before, why))
        return false;
    uint64_t vaddr, size;
    bool ok = image_symbol(&pd->image, "mk_hosted", &vaddr, &size) ||
              refuse(why, "it does not link libmicrokit.a, and only such a program can run there");
    ok = ok &&
         image_configure(&pd->image, loader->system, pd->index, linux_region_address, NULL, why);
    ok = ok && image_changes(&pd->image, &before, &pd->patches, &pd->patch_count, why);
    image_free(&before);
    return ok && choose_command(pd, why);
}

void linux_debug_close(struct linux_pd *pd)
{
    for (size_t i = 0; pd->arguments != NULL && pd->arguments[i] != NULL; i++)
        free(pd->arguments[i]);
    free(pd->arguments);
    free(pd->patches);
    pd->arguments = NULL;
    pd->patches = NULL;
}

/* In the new process, with its descriptors in place. */
_Noreturn void linux_debug_execute(const struct linux_pd *pd, int complaint)
{
    /* Leaks are none where nothing is allocated; looking for them would take a tracer. */
    char *const environment[] = {"ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:exitcode=99",
                                 "PATH=/usr/bin:/bin", NULL};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    execve(pd->arguments[0], pd->arguments, environment);
    dprintf(complaint, "cannot execute %s: %s", pd->arguments[0], strerror(errno));
    _exit(1);
}

/* ---- a debugger -------------------------------------------------------------------------------*/

bool linux_debug_released(const struct linux_pd *pd)
{
    return pd->inspect == LINUX_DEBUG_GDB && pd->state >= LINUX_PD_RUNNING;
}

bool linux_debug_aloof(const struct linux_pd *pd)
{
    return pd->hosted || pd->inspect == LINUX_DEBUG_GDB;
}

/*
 * A PD is not dumpable (process.c), so only who has CAP_SYS_PTRACE over it may attach: root, or who
 * owns its user namespace, if it has one.
 */
static const char *missing(const struct linux_loader *loader)
{
    return loader->sandbox != LINUX_SANDBOX_NONE
               ? ""
               : "\n(As user namespaces are not permitted here, a debugger needs CAP_SYS_PTRACE: "
                 "attach it as root. --strace and --core need nothing.)";
}

bool linux_debug_release(const struct linux_loader *loader, struct linux_pd *pd)
{
    /* It stays stopped, as by a user's SIGSTOP: whoever attaches finds it at the exit page's end.
     */
    if (ptrace(PTRACE_DETACH, pd->pid, 0, SIGSTOP) != 0)
        return false;
    /* Going on is what it is to do once it is attached to, also when gdb goes again. */
    linux_complain("%s: process %d waits for a debugger, before its first instruction. Attach one "
                   "with\n  gdb -q -ex 'set sysroot' -ex 'handle SIGSTOP SIGCONT nostop noprint "
                   "nopass' -ex 'shell kill -CONT %d' -ex 'tbreak init' -ex continue %s %d\n"
                   "or let it go with\n  kill -CONT %d%s",
                   pd->system->name, (int)pd->pid, (int)pd->pid, pd->path, (int)pd->pid,
                   (int)pd->pid, missing(loader));
    return true;
}
