/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives a fuzz target without libFuzzer: each execution takes an input of the corpora, or two, and
 * changes it at random. Nothing is measured, so many times as many executions fit into an hour; the
 * corpora, which libFuzzer has found by coverage, are what makes them reach everything.
 *
 *     storm EXECUTIONS SEED FINDING FOLDER...
 *
 * Whatever ends the target ends this; the input that did it is in the file FINDING then.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define INPUT_MAX  512
#define INPUTS_MAX 65536

/*
 * No execution takes a thousandth of that, except one that hangs. Of the processor's time: on a
 * busy machine others may take as long as they like.
 */
#define HANG_SECONDS 60
#define HANG_LOOK    65536 /* executions between two windings of that clock */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* However the target ends, it is by this signal. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=0";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

struct input {
    uint32_t size;
    uint8_t bytes[INPUT_MAX];
};

static struct input *inputs[INPUTS_MAX];
static uint32_t input_count;
static struct input now;
static const char *finding;

static uint64_t executed;
static uint64_t state;

/* xorshift64*: its high half. */
static uint32_t chance(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * below >> 32);
}

static void save(int number)
{
    dprintf(STDERR_FILENO, "%sstorm: %llu executions\n",
            number == SIGPROF ? "fuzz: an execution does not end\n" : "",
            (unsigned long long)executed);
    int file = open(finding, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || write(file, now.bytes, now.size) != (ssize_t)now.size) {
        _exit(3);
    }
    _exit(1);
}

static void load(const char *folder)
{
    DIR *files = opendir(folder);
    struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL && input_count < INPUTS_MAX) {
        int file = openat(dirfd(files), entry->d_name, O_RDONLY);
        struct input *input = calloc(1, sizeof(*input));
        ssize_t size = file < 0 || input == NULL ? -1 : read(file, input->bytes, INPUT_MAX);
        if (size > 0) {
            input->size = (uint32_t)size;
            inputs[input_count++] = input;
        } else {
            free(input);
        }
        close(file);
    }
    if (files != NULL) {
        closedir(files);
    }
}

/* How another goes on, from here. */
static void go_on_as_another(uint32_t at)
{
    const struct input *other = inputs[chance(input_count)];
    const uint32_t from = chance(other->size);
    const uint32_t left = other->size - from;
    const uint32_t count = at + left > INPUT_MAX ? INPUT_MAX - at : left;
    memcpy(now.bytes + at, other->bytes + from, count);
    now.size = at + count;
}

/* One small change. */
static void change(void)
{
    uint32_t at = chance(now.size + 1);
    uint32_t from = chance(now.size + 1);
    uint32_t count = 1 + chance(16);
    switch (chance(8)) {
    case 0: /* a bit */
        now.bytes[at % INPUT_MAX] ^= (uint8_t)(1u << chance(8));
        break;
    case 1: /* a byte */
        now.bytes[at % INPUT_MAX] = (uint8_t)chance(256);
        break;
    case 2: /* somewhat more or less */
        now.bytes[at % INPUT_MAX] += (uint8_t)(chance(33) - 16);
        break;
    case 3: /* new bytes in between */
        count = now.size + count > INPUT_MAX ? INPUT_MAX - now.size : count;
        memmove(now.bytes + at + count, now.bytes + at, now.size - at);
        for (uint32_t i = 0; i < count; i++) {
            now.bytes[at + i] = (uint8_t)chance(256);
        }
        now.size += count;
        break;
    case 4: /* some less */
        count = at + count > now.size ? now.size - at : count;
        memmove(now.bytes + at, now.bytes + at + count, now.size - at - count);
        now.size -= count;
        break;
    case 5: /* the same again somewhere else */
        count = (at > from ? at : from) + count > now.size ? 0 : count;
        memmove(now.bytes + at, now.bytes + from, count);
        break;
    default:
        go_on_as_another(at);
    }
}

/* The corpora's inputs are short, for libFuzzer prefers those: half of these are not. */
static void prepare(void)
{
    now = *inputs[chance(input_count)];
    for (uint32_t longer = chance(2) * chance(INPUT_MAX); now.size < longer;) {
        go_on_as_another(now.size);
    }
    for (uint32_t changes = 1 + chance(8); changes > 0; changes--) {
        change();
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s EXECUTIONS SEED FINDING FOLDER...\n", argv[0]);
        return 2;
    }
    const uint64_t executions = strtoull(argv[1], NULL, 10);
    uint64_t bytes = 0;
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    finding = argv[3];
    for (int i = 4; i < argc; i++) {
        load(argv[i]);
    }
    if (input_count == 0) {
        inputs[input_count++] = calloc(1, sizeof(struct input));
        inputs[0]->size = INPUT_MAX;
    }
    signal(SIGABRT, save);
    signal(SIGPROF, save);
    while (executed < executions) {
        if (executed++ % HANG_LOOK == 0) {
            const struct itimerval clock = {.it_value.tv_sec = HANG_SECONDS};
            setitimer(ITIMER_PROF, &clock, NULL);
        }
        prepare();
        bytes += now.size;
        LLVMFuzzerTestOneInput(now.bytes, now.size);
    }
    printf("storm: %llu executions, from %u inputs, of %.0f bytes each\n",
           (unsigned long long)executed, input_count, (double)bytes / (double)executed);
    return 0;
}
