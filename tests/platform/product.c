/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the kernel what a filter of system calls says of every number and every descriptor. The
 * filter, one struct sock_filter after another on standard input, is installed as it is but for its
 * verdicts: what it lets through returns one error and what it refuses another, so nothing is done
 * and nothing ends. Prints what it lets through: "ARGUMENTS NUMBER DESCRIPTOR", and how much it
 * asked.
 *
 * An ordinary program: with a fault for each refusal, as protection domains have it (prober.c),
 * this would take twenty minutes.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define ALLOWED     111
#define REFUSED     112
#define NUMBERS     1024
#define DESCRIPTORS 1024
#define MOST        65536

/* These two pass every filter: what becomes of them prober.c tries. */
#define URETPROBE 335
#define UPROBE    336

/* Every number is tried above each of these; the second is where the calls of x32 begin. */
static const long bases[] = {0, 0x40000000, 0x80000000, 0xfffffc00};

/* And after all descriptors these, of which the kernel might take the lower half for one. */
static const long odd[] = {-1, -100, (1L << 32) + 1, (1L << 32) + 2, 1L << 31, INT64_MIN + 1};

static const struct {
    const char *name;
    long b, c, others;
} sets[] = {
    {"zeroes", 0, 0, 0},
    {"one", (long)&BOOT->one, sizeof BOOT->one, 0},
    {"ones", -1, -1, -1},
};

/* Shared with the process that asks, which can say nothing once it has the filter. */
static struct answer {
    unsigned long asked, count;
    int ended;
    struct {
        unsigned set;
        long number, descriptor;
    } found[MOST];
} * answer;

static struct sock_fprog read_filter(void)
{
    static struct sock_filter filter[BPF_MAXINSNS];
    size_t length = fread(filter, sizeof filter[0], BPF_MAXINSNS, stdin);
    for (size_t i = 0; i < length; i++)
        if (BPF_CLASS(filter[i].code) == BPF_RET)
            filter[i].k =
                SECCOMP_RET_ERRNO | (filter[i].k == SECCOMP_RET_ALLOW ? ALLOWED : REFUSED);
    return (struct sock_fprog){(unsigned short)length, filter};
}

static void ask(unsigned set, long number, long descriptor)
{
    long others = sets[set].others;
    if (number == URETPROBE || number == UPROBE)
        return;
    long result = call(number, descriptor, sets[set].b, sets[set].c, others, others, others);
    answer->asked++;
    if (result == -REFUSED)
        return;
    if (result != -ALLOWED || answer->count == MOST)
        __builtin_trap();
    answer->found[answer->count].set = set;
    answer->found[answer->count].number = number;
    answer->found[answer->count++].descriptor = descriptor;
}

static _Noreturn void ask_all(struct sock_fprog program)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0, 0) != 0)
        __builtin_trap();
    for (unsigned set = 0; set < sizeof sets / sizeof sets[0]; set++)
        for (size_t base = 0; base < sizeof bases / sizeof bases[0]; base++)
            for (long number = bases[base]; number < bases[base] + NUMBERS; number++) {
                for (long descriptor = 0; descriptor < DESCRIPTORS; descriptor++)
                    ask(set, number, descriptor);
                for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
                    ask(set, number, odd[i]);
            }
    answer->ended = 1;
    for (;;)
        __builtin_trap(); /* it cannot even exit */
}

int main(void)
{
    struct sock_fprog program = read_filter();
    answer = mmap(NULL, sizeof *answer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (program.len == 0 || answer == MAP_FAILED) {
        fprintf(stderr, "product: give it a filter on standard input\n");
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0)
        ask_all(program);
    waitpid(pid, NULL, 0);
    for (unsigned long i = 0; i < answer->count; i++)
        printf("%s %ld %ld\n", sets[answer->found[i].set].name, answer->found[i].number,
               answer->found[i].descriptor);
    printf("asked %lu\n", answer->asked);
    return answer->ended ? 0 : 1;
}
