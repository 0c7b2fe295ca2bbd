/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sddf top: what each protection domain of a running system does, in a table that is made anew
 * every second. Processor time is the scheduler's, wake-ups and notifications are the counters in
 * the signal pages, and packets those that the classes' components count in their statistics.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sddf/net.h"
#include "sddf/serial.h"
#include "tool/inside.h"

/* Statistics of a class: struct net_stats and struct serial_stats begin alike. */
static const struct class_stats {
    uint32_t magic;
    const char *const *names;
    size_t count;
    const char *rx, *tx;
} classes[] = {
    {NET_STATS_MAGIC, (const char *const[])NET_STAT_NAMES, NET_STAT_COUNT, "rx_packets",
     "tx_packets"},
    {SERIAL_STATS_MAGIC, (const char *const[])SERIAL_STAT_NAMES, SERIAL_STAT_COUNT, "rx_bytes",
     "tx_bytes"},
};

enum { CPU_NS, WAKES, NOTIFIES, RX, TX, DROPS, REFUSED, COLUMNS };
static const char *const titles[COLUMNS] = {"cpu %", "wake/s", "notify/s", "rx/s",
                                            "tx/s",  "drop/s", "refused/s"};

struct sample {
    uint64_t at; /* ns */
    char state;  /* as /proc has it; 0: it is gone */
    bool counts[COLUMNS];
    uint64_t value[COLUMNS];
};

/* ---- one look ------------------------------------------------------------------------------ */

static void read_process(pid_t pid, struct sample *sample)
{
    char path[64];
    char text[512] = "";
    unsigned long long used = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        const char *name_end = fgets(text, sizeof(text), file) != NULL ? strrchr(text, ')') : NULL;
        sample->state = name_end != NULL && name_end[1] == ' ' ? name_end[2] : 0;
        fclose(file);
    }
    snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    file = fopen(path, "re");
    if (file != NULL) {
        sample->counts[CPU_NS] = fscanf(file, "%llu", &used) == 1;
        fclose(file);
    }
    sample->value[CPU_NS] = used;
    if (sample->state == 'Z' || sample->state == 'X') {
        sample->state = 0;
    }
}

/* The words are 32 bits wide and run over: what is kept is the sum of their changes. */
static void read_signals(const struct mk_signal_page *page, uint32_t *seen, struct sample *sample)
{
    uint32_t asleep = sddf_load_relaxed_u32(&page->asleep.word);
    /* It counts how often the PD lay down and got up: the higher bits say how often it got up. */
    sample->value[WAKES] += (asleep / 2 - seen[0] / 2) & (UINT32_MAX / 2);
    seen[0] = asleep;
    for (size_t i = 0; i < MK_CHANNELS; i++) {
        uint32_t sent = sddf_load_relaxed_u32(&page->sent[i].word);
        sample->value[NOTIFIES] += sent - seen[1 + i];
        seen[1 + i] = sent;
    }
    sample->counts[WAKES] = sample->counts[NOTIFIES] = true;
}

static void add_stats(const struct inspect_region *region, struct sample *sample)
{
    const struct net_stats *stats = region->bytes;
    for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++) {
        const struct class_stats *class_ = &classes[c];
        if (region->size < sizeof(*stats) - sizeof(stats->row) + class_->count * sizeof(uint64_t) ||
            sddf_load_relaxed_u32(&stats->magic) != class_->magic) {
            continue;
        }
        for (size_t i = 0; i < class_->count; i++) {
            const char *name = class_->names[i];
            int column = strcmp(name, class_->rx) == 0       ? RX
                         : strcmp(name, class_->tx) == 0     ? TX
                         : strncmp(name, "drop_", 5) == 0    ? DROPS
                         : strncmp(name, "refused_", 8) == 0 ? REFUSED
                                                             : COLUMNS;
            if (column != COLUMNS) {
                sample->value[column] += sddf_load_relaxed_u64(&stats->row[0].count[i]);
                sample->counts[column] = true;
            }
        }
    }
}

/* The PD's own: what it may write, and what the tool calls such regions. */
static void read_stats(const struct inspect *inspect, const struct inspect_pd *pd,
                       struct sample *sample)
{
    static const char end[] = "_stats";
    for (size_t i = 0; i < pd->map_count; i++) {
        const struct inspect_region *region = &inspect->regions[pd->maps[i].region];
        size_t size = strlen(region->name);
        if (pd->maps[i].write && region->bytes != NULL && size >= sizeof(end) &&
            strcmp(region->name + size - (sizeof(end) - 1), end) == 0) {
            add_stats(region, sample);
        }
    }
}

static void look(const struct inspect *inspect, size_t pd, uint32_t *seen, struct sample *sample)
{
    const struct sample before = *sample;
    *sample = (struct sample){.at = inside_now()};
    sample->value[WAKES] = before.value[WAKES];
    sample->value[NOTIFIES] = before.value[NOTIFIES];
    read_process(inspect->pds[pd].pid, sample);
    read_signals(inspect->pds[pd].signal, seen, sample);
    read_stats(inspect, &inspect->pds[pd], sample);
}

/* ---- the table ----------------------------------------------------------------------------- */

static const char *state_name(char state)
{
    switch (state) {
    case 0:
        return "dead";
    case 'R':
        return "runs";
    case 't':
    case 'T':
        return "held"; /* its budget is used up, or its parent, or a debugger, has stopped it */
    default:
        return "sleeps";
    }
}

/* Lines that the terminal has for PDs; all of them if it is none. */
static size_t lines_for(size_t count)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 6 ||
        count + 3 <= size.ws_row) {
        return count;
    }
    return (size_t)size.ws_row - 4;
}

static void print_row(const struct inspect_pd *pd, const struct sample *before,
                      const struct sample *now, const char *end)
{
    double seconds = (double)(now->at - before->at) / 1e9;
    printf("%-24.24s %-6s %4u %3d", pd->name, state_name(now->state), pd->priority, pd->cpu);
    for (int c = 0; c < COLUMNS; c++) {
        double rate = (double)(now->value[c] - before->value[c]) / seconds;
        int width = (int)strlen(titles[c]) > 8 ? (int)strlen(titles[c]) : 8;
        if (!now->counts[c] || !before->counts[c]) {
            printf(" %*s", width, "-");
        } else if (c == CPU_NS) {
            printf(" %*.1f", width, rate / 1e7);
        } else {
            printf(" %*.0f", width, rate);
        }
    }
    printf("%s\n", end);
}

static void print_table(const struct inspect *inspect, const struct sample *before,
                        const struct sample *now, bool live)
{
    const char *end = live ? "\033[K" : ""; /* clears the rest of the line */
    size_t shown = live ? lines_for(inspect->pd_count) : inspect->pd_count;
    printf("%s%s: loader %d, %zu protection domains%s\n", live ? "\033[H" : "", inspect->system,
           (int)inspect->loader, inspect->pd_count, end);
    printf("%-24s %-6s %4s %3s", "protection domain", "state", "prio", "cpu");
    for (int c = 0; c < COLUMNS; c++) {
        printf(" %8s", titles[c]);
    }
    printf("%s\n", end);
    for (size_t i = 0; i < shown; i++) {
        print_row(&inspect->pds[i], &before[i], &now[i], end);
    }
    if (shown < inspect->pd_count) {
        printf("... and %zu more, for which this terminal has no lines%s\n",
               inspect->pd_count - shown, end);
    }
    printf("%s", live ? "\033[J" : "\n");
    fflush(stdout);
}

/* ---- the command --------------------------------------------------------------------------- */

static void watch(const struct inspect *inspect, double interval, unsigned long tables)
{
    bool live = isatty(STDOUT_FILENO) && tables == 0;
    struct sample *before = calloc(inspect->pd_count + 1, sizeof(*before));
    struct sample *now = calloc(inspect->pd_count + 1, sizeof(*now));
    uint32_t(*seen)[1 + MK_CHANNELS] = calloc(inspect->pd_count + 1, sizeof(*seen));
    if (live) {
        printf("\033[?25l\033[H\033[J"); /* no cursor, an empty screen */
    }
    for (unsigned long table = 0; inside_goes_on(inspect); table++) {
        memcpy(before, now, inspect->pd_count * sizeof(*before));
        for (size_t i = 0; i < inspect->pd_count; i++) {
            look(inspect, i, seen[i], &now[i]);
        }
        if (table > 0) {
            print_table(inspect, before, now, live);
        }
        if (table > 0 && table == tables) {
            break;
        }
        inside_pause((uint64_t)(interval * 1e9));
    }
    if (live) {
        printf("\033[?25h");
    }
    if (inspect_ended(inspect)) {
        printf("the system has ended\n");
    }
    fflush(stdout);
    free(before);
    free(now);
    free(seen);
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"interval", required_argument, NULL, 'i'},
        {"count", required_argument, NULL, 'n'},
        {0},
    };
    double interval = 1;
    unsigned long tables = 0;
    char *end = NULL;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "i:n:", options, NULL)) != -1;) {
        switch (option) {
        case 'i':
            if (!inside_seconds(self, "--interval", optarg, 0.1, 3600, &interval)) {
                return TOOL_USAGE;
            }
            break;
        case 'n':
            tables = strtoul(optarg, &end, 10);
            if (optarg[0] < '1' || optarg[0] > '9' || *end != '\0') {
                return tool_usage(self, "--count %s is no number of tables", optarg);
            }
            break;
        default:
            tool_bad_option(self, argv);
            return TOOL_USAGE;
        }
    }
    struct inspect inspect;
    int status = inside_open(self, argc, argv, &inspect);
    if (status == TOOL_OK) {
        inside_begin(0);
        watch(&inspect, interval, tables);
        inspect_close(&inspect);
    }
    return status;
}

const struct tool_command tool_top = {
    .name = "top",
    .summary = "show what each protection domain of a running system does",
    .help =
        "sddf top STATE [OPTIONS]\n"
        "\n"
        "Shows a table of a system that was started with \"sddf run --state STATE\": one line for\n"
        "each protection domain, made anew every second until Ctrl-C, or the system's end. On a\n"
        "terminal it stays in place; otherwise one table follows the other. It reads counters "
        "that\n"
        "are there anyway, so the system does not notice. It takes the user who started the\n"
        "system, or root.\n"
        "\n"
        "  -i, --interval S   seconds between two tables, 0.1 to 3600 (1)\n"
        "  -n, --count N      end after N tables, printed one after the other\n"
        "\n"
        "  state     runs; sleeps; held: its budget is used up, or its parent or a debugger has\n"
        "            stopped it; dead\n"
        "  prio cpu  of the description; and the machine's number of the processor\n"
        "  cpu %     of one processor\n"
        "  wake/s    how often it was asleep and was woken\n"
        "  notify/s  notifications that it sent\n"
        "  rx/s tx/s frames that it passed on, in a network; bytes, on a serial line\n"
        "  drop/s    of these, what was lost since somebody had no room for it\n"
        "  refused/s what it refused of its neighbours, since it was not in order\n"
        "\n"
        "Exit status: 0, also if the system has ended; 1 if it could not be looked at; 2 if the\n"
        "command line makes no sense.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  sddf run examples/echo/echo.xml --netdev veth0 --state /run/echo.json &\n"
        "  sddf top /run/echo.json\n"
        "  sddf top -n 1 /run/echo.json\n",
    .run = run,
};
