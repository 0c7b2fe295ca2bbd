/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new process, from clone to the starter: its namespaces, its empty root, its user, and the
 * descriptors that the starter finds. Everything here runs before any of the PD's own code.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* The starter's ELF file, embedded. */
extern const unsigned char linux_starter_program[];
extern const size_t linux_starter_program_size;

#define NOBODY   65534
#define SOMEBODY 2 /* exit status of a probe: all else worked */
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* ---- in the new process ---------------------------------------------------------------------- */

/* Says why on the pipe to the loader. */
static _Noreturn void give_up(int complaint, const char *what)
{
    dprintf(complaint, "%s: %s", what, strerror(errno));
    _exit(1);
}

/* An empty file system that cannot be written, and nothing else to be seen. */
static void empty_root(int complaint)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        give_up(complaint, "cannot detach the mounts from the host's");
    if (mount("empty", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=4k,nr_inodes=2,mode=0555") != 0)
        give_up(complaint, "cannot mount an empty root");
    if (chdir("/proc") != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        give_up(complaint, "cannot change to the empty root");
}

/*
 * False if it stays who it is: in the container that this is there is no nobody (EINVAL), or root
 * has been left without the right to change (EPERM). What privileges it has go all the same.
 */
static bool become_nobody(int complaint, enum linux_sandbox sandbox)
{
    if (sandbox == LINUX_SANDBOX_NONE && geteuid() != 0)
        return true; /* no right to change anything, and no privileges to lose */
    for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
        continue;
    /* (Denied in a user namespace that was made without privileges; harmless.) */
    if (setgroups(0, NULL) != 0 && errno != EPERM)
        give_up(complaint, "cannot leave the groups");
    if (setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0)
        return true;
    if (errno != EINVAL && errno != EPERM)
        give_up(complaint, "cannot become nobody");
    return false;
}

static int move(int complaint, int fd, int above)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, above);
    if (moved < 0)
        give_up(complaint, "cannot pass on the descriptors");
    return moved;
}

/* 0: struct mk_start; 1 .. keep: the PD's own; then those that the starter maps. */
static void place_descriptors(int complaint, const struct linux_pd *pd, int starter)
{
    int count = 1 + pd->keep.count + (int)pd->map_count;
    int *from = calloc((size_t)count, sizeof *from);
    from[0] = pd->start;
    for (int i = 0; i < pd->keep.count; i++)
        from[1 + i] = pd->keep.fd[i];
    for (size_t i = 0; i < pd->map_count; i++)
        from[1 + pd->keep.count + (int)i] = pd->maps[i].fd;

    /* Out of the way first, so that none is overwritten before it is used. */
    int above = count + 2;
    for (int i = 0; i < count; i++)
        from[i] = move(complaint, from[i], above);
    starter = move(complaint, starter, above);
    complaint = move(complaint, complaint, above);
    for (int i = 0; i < count; i++)
        if (dup2(from[i], i) < 0)
            give_up(complaint, "cannot pass on the descriptors");

    if (pd->hosted)
        linux_debug_execute(pd, complaint);
    char *const arguments[] = {(char *)pd->system->name, NULL};
    char *const environment[] = {NULL};
    syscall(SYS_execveat, starter, "", arguments, environment, AT_EMPTY_PATH);
    give_up(complaint, "cannot execute the starter");
}

static _Noreturn void child(const struct linux_loader *loader, const struct linux_pd *pd, int go,
                            int complaint)
{
    char byte;
    /* Until the loader traces this process and has written its user map. */
    if (read(go, &byte, 1) != 1)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal = 1; signal < SIGRTMIN; signal++)
        (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    setsid(); /* a Ctrl-C at the terminal is the loader's */
    if (pd != NULL && pd->hosted)
        place_descriptors(complaint, pd, loader->starter); /* does not return */
    if (loader->sandbox != LINUX_SANDBOX_NONE)
        empty_root(complaint);
    bool nobody = become_nobody(complaint, loader->sandbox);
    if (pd != NULL)
        place_descriptors(complaint, pd, loader->starter);
    _exit(nobody ? 0 : SOMEBODY);
}

/* ---- in the loader --------------------------------------------------------------------------- */

static bool write_file(pid_t pid, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok;
}

static bool map_ids(pid_t pid, unsigned uid, unsigned gid)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%d %u 1", NOBODY, uid);
    snprintf(gids, sizeof gids, "%d %u 1", NOBODY, gid);
    return write_file(pid, "gid_map", gids) && write_file(pid, "uid_map", uids);
}

/* Inside it is nobody; outside it is nobody as well, or who has no right to that, itself. */
static bool map_user(pid_t pid)
{
    if (geteuid() == 0 && map_ids(pid, NOBODY, NOBODY))
        return true;
    /* Who has no privileges may map its group only if groups cannot be changed. */
    return write_file(pid, "setgroups", "deny") && map_ids(pid, geteuid(), getegid());
}

/*
 * A process that does what child() says. Returns its id, or -1 with errno; `*complaint` is the
 * reading end of the pipe on which it may say what went wrong.
 */
static pid_t start(const struct linux_loader *loader, const struct linux_pd *pd, int *complaint)
{
    int go[2], say[2];
    if (pipe2(go, O_CLOEXEC) != 0)
        return -1;
    if (pipe2(say, O_CLOEXEC) != 0) {
        close(go[0]);
        close(go[1]);
        return -1;
    }
    struct clone_args args = {.exit_signal = SIGCHLD};
    bool confined = pd == NULL || !pd->hosted;
    if (confined && loader->sandbox != LINUX_SANDBOX_NONE)
        args.flags = NAMESPACES;
    if (confined && loader->sandbox == LINUX_SANDBOX_FULL)
        args.flags |= CLONE_NEWUSER;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        close(go[1]);
        child(loader, pd, go[0], say[1]);
    }
    int error = errno;
    close(go[0]);
    close(say[1]);
    bool ok = pid > 0;
    long seize = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD; /* (the second one for trace.c) */
    if (ok && pd != NULL && ptrace(PTRACE_SEIZE, pid, 0, seize) != 0)
        ok = false, error = errno;
    if (ok && confined && loader->sandbox == LINUX_SANDBOX_FULL && !map_user(pid))
        ok = false, error = errno;
    if (ok && write(go[1], "", 1) != 1)
        ok = false, error = errno;
    close(go[1]); /* without the byte the child ends by itself */
    if (!ok) {
        close(say[0]);
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, __WALL);
        }
        errno = error;
        return -1;
    }
    *complaint = say[0];
    return pid;
}

static bool probe(struct linux_loader *loader, enum linux_sandbox sandbox, char *why, size_t size)
{
    int complaint, status;
    loader->sandbox = sandbox;
    pid_t pid = start(loader, NULL, &complaint);
    if (pid < 0) {
        snprintf(why, size, "%s", strerror(errno));
        return false;
    }
    ssize_t length = read(complaint, why, size - 1);
    why[length > 0 ? length : 0] = '\0';
    close(complaint);
    if (waitpid(pid, &status, __WALL) != pid || !WIFEXITED(status))
        return false;
    if (WEXITSTATUS(status) == SOMEBODY)
        fprintf(stderr,
                "sddf: warning: there is no user nobody to become here, or no right to: the "
                "protection domains stay user %u, without its privileges, but its other processes "
                "are not kept from them\n",
                (unsigned)geteuid());
    return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SOMEBODY;
}

void linux_sandbox_probe(struct linux_loader *loader)
{
    char why[256], again[256];
    if (probe(loader, LINUX_SANDBOX_FULL, why, sizeof why))
        return;
    if (geteuid() == 0 && probe(loader, LINUX_SANDBOX_NAMESPACES, again, sizeof again)) {
        fprintf(stderr,
                "sddf: warning: user namespaces are not permitted here (%s): the "
                "protection domains run as nobody of the host, with namespaces of "
                "their own for all the rest\n",
                why);
        return;
    }
    fprintf(stderr,
            "sddf: warning: namespaces are not permitted here (%s): the protection domains "
            "share the host's files, network and process ids, and only their mappings, "
            "descriptors and the filter of system calls confine them\n",
            why);
    probe(loader, LINUX_SANDBOX_NONE, again, sizeof again); /* for what it warns of */
}

bool linux_starter_open(struct linux_loader *loader)
{
    struct linux_memory memory;
    if (!linux_memory_open(&memory, "starter", linux_starter_program_size, MK_PAGE, true) ||
        !linux_memory_write(&memory, 0, linux_starter_program, linux_starter_program_size))
        return false;
    /*
     * Who may execute a program and not read it is not dumpable from the first instruction on: as
     * nobody of the host, the new process shares its user with others, who could otherwise trace
     * it, or open its descriptors, until it has dropped that itself.
     */
    if (fchmod(memory.rw, 0111) != 0) {
        linux_complain("cannot make the starter unreadable: %s", strerror(errno));
        linux_memory_close(&memory);
        return false;
    }
    linux_memory_seal(&memory);
    loader->starter = memory.ro;
    memory.ro = -1;
    linux_memory_close(&memory);
    return true;
}

bool linux_process_start(struct linux_loader *loader, struct linux_pd *pd)
{
    pd->pid = start(loader, pd, &pd->complaint);
    if (pd->pid < 0) {
        linux_complain("%s: cannot start a process: %s", pd->system->name, strerror(errno));
        pd->complaint = -1;
        return false;
    }
    /* A hosted one is not waited for: a tool takes seconds to begin. */
    pd->state = pd->hosted ? LINUX_PD_HELD : LINUX_PD_STARTING;
    return true;
}

uint64_t linux_process_cpu_ns(const struct linux_pd *pd)
{
    clockid_t clock;
    struct timespec used;
    if (pd->state == LINUX_PD_NONE || pd->state == LINUX_PD_DEAD)
        return pd->cpu_ns;
    if (clock_getcpuclockid(pd->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}
