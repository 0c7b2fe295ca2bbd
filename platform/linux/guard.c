/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform/linux/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "platform/linux/pci.h"

#define CARDS_MAX 16

struct cards {
    const char *address[CARDS_MAX];
    int record[CARDS_MAX];
    size_t count;
};

static void give_back(struct cards *cards)
{
    while (cards->count > 0) {
        cards->count--;
        linux_pci_give_back(cards->address[cards->count], cards->record[cards->count]);
    }
}

static bool take(struct cards *cards, const struct board_device *device,
                 const struct linux_device_options *options)
{
    char *why = NULL;
    int record = -1;
    bool ok = false;
    const char *way =
        strcmp(device->kind, linux_device_uio.name) == 0 ? LINUX_PCI_UNSAFE : LINUX_PCI_CONFINED;
    if (device->pci == NULL) {
        linux_device_fail(&why,
                          "which PCI device is it? Name it with --pci %s=0000:03:00.0 (\"lspci\" "
                          "lists them)",
                          device->name);
    } else if (cards->count == CARDS_MAX) {
        linux_device_fail(&why, "a system has at most %d PCI devices", CARDS_MAX);
    } else if (linux_pci_check(device->pci, way, options->take, &why)) {
        record = linux_pci_hold(device->pci, &why);
        ok = record >= 0;
    }
    if (ok) {
        cards->address[cards->count] = device->pci;
        cards->record[cards->count++] = record;
        ok = linux_pci_take(device->pci, way, record, &why);
    }
    if (!ok) {
        linux_complain("device %s%s%s: %s", device->name, device->pci != NULL ? ", " : "",
                       device->pci != NULL ? device->pci : "", why != NULL ? why : "out of memory");
        free(why);
    }
    return ok;
}

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

/*
 * Until the loader has ended, and then until all that it left has: what it traced dies with it, but
 * not at once, and a device in use cannot be given back. Returns the loader's status.
 */
static int wait_for(pid_t loader, const sigset_t *signals)
{
    int status = 0;
    for (bool there = true; there;) {
        siginfo_t info;
        int signal = sigwaitinfo(signals, &info);
        /* What a terminal sends has reached the loader already. */
        if (signal > 0 && signal != SIGCHLD && info.si_code <= 0) {
            kill(loader, signal);
        }
        int ended;
        for (pid_t pid; (pid = waitpid(-1, &ended, WNOHANG)) > 0;) {
            if (pid == loader) {
                there = false;
                status = ended;
            }
        }
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    linux_complain("the loader was killed by signal %d", WTERMSIG(status));
    return 1;
}

static _Noreturn void be_loader(struct cards *cards, pid_t parent, const sigset_t *old,
                                int (*run)(void *), void *context)
{
    int status = 1;
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    sigprocmask(SIG_SETMASK, old, NULL);
    /* The signal comes when the parent dies; if it died before that was asked for, it is missing.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent) {
        status = run(context);
    }
    if (getppid() != parent) {
        linux_complain("the process that was to give the devices back was killed");
        give_back(cards);
    }
    fflush(stdout);
    fflush(stderr);
    _exit(status);
}

static int guarded(struct cards *cards, int (*run)(void *), void *context)
{
    sigset_t signals, old;
    set_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, &old);
    signal(SIGTSTP, SIG_IGN);         /* the loader hears it */
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* for protection domains whose loader is gone */
    fflush(stdout);
    fflush(stderr);
    pid_t self = getpid();
    pid_t loader = fork();
    if (loader == 0) {
        be_loader(cards, self, &old, run, context);
    }
    int status = 1;
    if (loader < 0) {
        linux_complain("cannot make the loader's process: %s", strerror(errno));
    } else {
        status = wait_for(loader, &signals);
    }
    give_back(cards);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return status;
}

int linux_guard(const struct system *system, const struct board *board,
                const struct linux_device_options *options, int (*run)(void *context),
                void *context)
{
    struct cards cards = {.count = 0};
    bool any = false;
    bool ok = true;
    linux_pci_mend();
    for (size_t i = 0; i < board->device_count && ok; i++) {
        const struct board_device *device = &board->devices[i];
        if (device->card_count != 0 && linux_device_used(system, device)) {
            any = true;
            ok = take(&cards, device, options);
        }
    }
    if (!ok) {
        give_back(&cards);
        return 1;
    }
    return any ? guarded(&cards, run, context) : run(context);
}
