/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a notification there and back and a protected call cost between two protection domains, next
 * to what Linux has for two processes: eventfd, futex and pipe, all blocking. In turns, in one run,
 * with the same priorities, on one core and on two; and what looking about before sleeping (poll)
 * changes. Prints medians, and how
 * each compares with the fastest of Linux's three.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS   20000
#define TURNS    5
#define PRIORITY 10

#define RATIO_GOAL 1.15 /* of a round trip on one core to the fastest of Linux's */
#define AWAKE_GOAL 20   /* ns */

#define POLL 200 /* us that the PDs of the last two look about: more than a wake-up far away */

enum { EVENTFD, FUTEX, PIPE, NOTIFY, CALL, POLL_NOTIFY, POLL_CALL, AWAKE, COLUMNS };
static const char *const names[COLUMNS] = {"eventfd",         "futex",           "pipe",
                                           "microkit_notify", "microkit_ppcall", "notify, poll",
                                           "ppcall, poll",    "notify, awake"};
#define RAW 3

/* ---- two processes of Linux ------------------------------------------------------------------ */

struct link { /* there and back */
    int read[2], write[2];
    atomic_uint *word; /* two, far apart */
};

static void put(const struct link *link, int kind, int side)
{
    uint64_t one = 1;
    if (kind == FUTEX) {
        atomic_fetch_add(&link->word[64 * side], 1);
        syscall(SYS_futex, &link->word[64 * side], FUTEX_WAKE, 1, NULL, NULL, 0);
    } else if (write(link->write[side], &one, kind == PIPE ? 1 : 8) < 0) {
        _exit(1);
    }
}

static void take(const struct link *link, int kind, int side, unsigned seen)
{
    uint64_t count;
    if (kind == FUTEX) {
        while (atomic_load(&link->word[64 * !side]) == seen)
            syscall(SYS_futex, &link->word[64 * !side], FUTEX_WAIT, seen, NULL, NULL, 0);
    } else if (read(link->read[side], &count, kind == PIPE ? 1 : 8) < 0) {
        _exit(1);
    }
}

static void place(int cpu, int priority)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = priority});
}

static bool open_link(struct link *link, int kind)
{
    int a[2], b[2];
    link->word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kind == PIPE) {
        if (pipe(a) != 0 || pipe(b) != 0)
            return false;
    } else {
        a[0] = a[1] = eventfd(0, 0);
        b[0] = b[1] = eventfd(0, 0);
    }
    *link = (struct link){{b[0], a[0]}, {a[1], b[1]}, link->word};
    return link->word != MAP_FAILED;
}

static void close_link(const struct link *link)
{
    for (int i = 0; i < 2; i++) {
        close(link->read[i]);
        close(link->write[i]); /* (an eventfd is closed by now) */
    }
    munmap(link->word, 4096);
}

/* ns a round; 0: it could not be done. */
static double raw(int kind, const int *cpu)
{
    struct link link;
    struct timespec began, ended;
    if (!open_link(&link, kind))
        return 0;
    pid_t measuring = fork();
    if (measuring != 0) {
        int status = 1;
        waitpid(measuring, &status, 0);
        double *result = (double *)(link.word + 128);
        double ns = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? *result : 0;
        close_link(&link);
        return ns;
    }
    pid_t other = fork();
    if (other == 0) {
        place(cpu[1], PRIORITY + 1);
        for (unsigned i = 0; i < ROUNDS + 100; i++) {
            take(&link, kind, 1, i);
            put(&link, kind, 1);
        }
        _exit(0);
    }
    place(cpu[0], PRIORITY);
    for (unsigned i = 0; i < ROUNDS + 100; i++) {
        if (i == 100)
            clock_gettime(CLOCK_MONOTONIC, &began);
        put(&link, kind, 0);
        take(&link, kind, 0, i);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    *(double *)(link.word + 128) =
        ((double)(ended.tv_sec - began.tv_sec) * 1e9 + (double)(ended.tv_nsec - began.tv_nsec)) /
        ROUNDS;
    waitpid(other, NULL, 0);
    _exit(0);
}

/* ---- two protection domains ------------------------------------------------------------------ */

static int description(int server_cpu, int poll)
{
    int fd = memfd_create("ipc.xml", 0);
    dprintf(
        fd,
        "<system>"
        "<protection_domain name=\"client\" priority=\"10\" poll=\"%d\" stack_size=\"0x2000\">"
        "<program_image path=\"bench_ipc_client.elf\"/></protection_domain>"
        "<protection_domain name=\"low\" priority=\"5\" stack_size=\"0x2000\">"
        "<program_image path=\"bench_ipc_server.elf\"/></protection_domain>"
        "<protection_domain name=\"server\" priority=\"20\" cpu=\"%d\" poll=\"%d\" "
        "stack_size=\"0x2000\">"
        "<program_image path=\"bench_ipc_server.elf\"/></protection_domain>"
        "<channel><end pd=\"client\" id=\"1\" pp=\"true\"/><end pd=\"server\" id=\"1\"/></channel>"
        "<channel><end pd=\"client\" id=\"2\"/><end pd=\"low\" id=\"2\"/></channel></system>",
        poll, server_cpu, poll);
    return fd;
}

/* Runs the system until it has printed its three figures. */
static bool measure(const char *folder, int server_cpu, int poll, double *ns)
{
    char tool[PATH_MAX], programs[PATH_MAX], xml[32], line[256];
    int out[2], fd = description(server_cpu, poll), found = 0;
    snprintf(tool, sizeof tool, "%s/sddf", folder);
    snprintf(programs, sizeof programs, "%s/platform/linux", folder);
    snprintf(xml, sizeof xml, "/dev/fd/%d", fd);
    if (pipe(out) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        execl(tool, tool, "run", xml, "--search-path", programs, "--seconds", "30", (char *)NULL);
        fprintf(stderr, "ipc: %s: %s\n", tool, strerror(errno));
        _exit(127);
    }
    close(out[1]);
    FILE *lines = fdopen(out[0], "r");
    while (found < 3 && fgets(line, sizeof line, lines) != NULL) {
        double value;
        if (sscanf(line, "client | call %lf", &value) == 1)
            ns[poll > 0 ? POLL_CALL : CALL] = value / 1000, found++;
        else if (sscanf(line, "client | awake %lf", &value) == 1)
            ns[AWAKE] = value / 1000, found++;
        else if (sscanf(line, "client | notify %lf", &value) == 1)
            ns[poll > 0 ? POLL_NOTIFY : NOTIFY] = value / 1000, found++;
    }
    kill(pid, SIGINT);
    fclose(lines);
    close(fd);
    waitpid(pid, NULL, 0);
    return found == 3;
}

/* ---- the table ------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static bool table(const char *folder, const char *title, const int *cpu, int server_cpu, bool goals)
{
    double ns[COLUMNS][TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
        double now[COLUMNS] = {0};
        for (int kind = 0; kind < RAW; kind++)
            now[kind] = raw(kind, cpu);
        if (!measure(folder, server_cpu, POLL, now) || !measure(folder, server_cpu, 0, now)) {
            fprintf(stderr, "ipc: the system did not run to its end\n");
            return false;
        }
        for (int column = 0; column < COLUMNS; column++)
            ns[column][turn] = now[column];
    }
    double best = 0;
    for (int column = 0; column < COLUMNS; column++) {
        qsort(ns[column], TURNS, sizeof ns[column][0], ascending);
        double median = ns[column][TURNS / 2];
        if (column < RAW && (column == 0 || median < best))
            best = median;
    }
    printf("\n%-18s %18s %28s  %s\n", title, "round trip", "times Linux's fastest (=1.00)", "goal");
    for (int column = 0; column < AWAKE; column++) {
        double ratio = ns[column][TURNS / 2] / best;
        bool judged = goals && (column == NOTIFY || column == CALL);
        printf("  %-16s %15.0f ns %28.2f  %s\n", names[column], ns[column][TURNS / 2], ratio,
               !judged               ? ""
               : ratio <= RATIO_GOAL ? "at most 1.15: yes"
                                     : "at most 1.15: no");
    }
    printf("  %-16s %15.1f ns %28s  %s\n", names[AWAKE], ns[AWAKE][TURNS / 2],
           "(one way, no system call)",
           ns[AWAKE][TURNS / 2] < AWAKE_GOAL ? "below 20 ns: yes" : "below 20 ns: no");
    return true;
}

int main(void)
{
    char path[PATH_MAX] = "";
    cpu_set_t usable;
    int cpu[2], count = 0;
    if (readlink("/proc/self/exe", path, sizeof path - 1) <= 0)
        return 1;
    const char *folder = dirname(dirname(path));
    sched_getaffinity(0, sizeof usable, &usable);
    for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
        if (CPU_ISSET(i, &usable))
            cpu[count++] = i;
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) != 0) {
        printf("Real-time priorities are not permitted here: everything runs without.\n");
    }
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    printf(
        "Medians of %d turns of %d round trips each. The ratio is to the fastest of Linux's three "
        "(eventfd, futex,\npipe) on the same cores: 1.00 is as fast as that, 1.15 takes 15 %% "
        "longer.\n",
        TURNS, ROUNDS);
    if (!table(folder, "one core", (int[]){cpu[0], cpu[0]}, 0, true))
        return 1;
    if (count < 2) {
        printf("two cores: there is only one here\n");
        return 0;
    }
    return table(folder, "two cores", cpu, 1, false) ? 0 : 1;
}
