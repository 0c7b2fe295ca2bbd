/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
static const char help[] =
    "usage: load [OPTIONS] ADDRESS:PORT[@RATE]...\n"
    "\n"
    "Offers UDP datagrams to echo services, all targets at once, checks every reply's content\n"
    "and says what came back, how fast, and how late.\n"
    "\n"
    "Two ways to offer, which answer two questions:\n"
    "  -w, --window N    closed loop: N datagrams on their way per target; one returns, the\n"
    "                    next leaves. Finds how much the service can do (default, N = 64).\n"
    "  -r, --rate N      open loop: N datagrams/s per target at fixed times, whether replies\n"
    "                    come or not. Shows the round trip at a load, and what overload does.\n"
    "                    Round trips count from the time at which the datagram was due.\n"
    "  ADDRESS:PORT@N    open loop at N datagrams/s for this target alone\n"
    "\n"
    "  -l, --size MIX    payload bytes, 8 to 1472 (default 1472); or several with weights,\n"
    "                    64:7,512:4,1472:1; or imix: frames of 64, 594 and 1518 bytes, 7:4:1\n"
    "  -T, --threads N   so many threads, each on a processor of its own (default 1); targets\n"
    "                    are shared out, and if there are fewer, several threads serve one\n"
    "  -s, --seconds S   how long to offer (default 2)\n"
    "  -t, --timeout S   a reply that takes longer is late, or lost if it never comes\n"
    "                    (default 1)\n"
    "  -p, --patience S  wait so long for each target's first answer (default 2)\n"
    "  -c, --check N     compare the whole content of every N-th reply; of the others, length\n"
    "                    and sequence number (default 1: all)\n"
    "  -f, --flood       open loop beyond what the service carries: send first, and read\n"
    "                    replies only when nothing is overdue. Replies are then a sample, and\n"
    "                    what was not read counts as lost; let the interface's counters tell\n"
    "                    the rate.\n"
    "  -j, --json FILE   write the result as JSON too; -: to stdout instead of the text\n"
    "      --progress    a line every 0.5 s on stderr (default if that is a terminal)\n"
    "      --quiet       no such line\n"
    "      --control FD  for scripts: write \"start\\n\" to FD and await a byte, then measure,\n"
    "                    then write \"stop\\n\"\n"
    "  -h, --help        this text\n"
    "\n"
    "The counts, per target:\n"
    "  sent = returned + wrong + late + lost. Wrong: other content than was sent. Late: after\n"
    "  the timeout. Lost: never. Besides: unknown: replies with a number that was never sent;\n"
    "  doubled: replies beyond the first; reordered: returned, but overtaken.\n"
    "\n"
    "  lag p99: how late datagrams left, 99th percentile. If it is large the generator, and\n"
    "  not the service, was the bottleneck, and a message says so: above 5 ms, or --lag MS.\n"
    "\n"
    "  corrected: in closed loop a stall of the service holds up the generator, which then\n"
    "  measures it once. Corrected round trips have those that an even load would have seen.\n"
    "\n"
    "Exit code: 0; 1 if a target did not answer or a reply was wrong or unknown; 2 after a\n"
    "mistake in the options.\n"
    "\n"
    "Examples:\n"
    "  load 10.0.0.10:7 10.0.0.11:7           how much do both carry?\n"
    "  load -r 20000 -s 5 10.0.0.10:7         round trip at 20,000 datagrams/s\n"
    "  load 10.0.0.10:7@9000 10.0.0.11:7@500  another rate for each\n";
/* clang-format on */

#define RATE_MIN     0.1
#define RATE_MAX     1e8
#define RATE_MISTAKE "the rate is 0.1 to 100000000 datagrams/s"

static _Noreturn void mistake(const char *what, const char *value)
{
    fprintf(stderr, "load: %s: %s; see load --help\n", value, what);
    exit(2);
}

static double number(const char *text, double least, double most, const char *what)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        mistake(what, text);
    }
    return value;
}

/* "10.0.0.10:7@20000": the rate, if there is one, off the address. */
static void take_target(struct load_options *o, const char *text)
{
    struct load_target *t = &o->target[o->targets++];
    const char *at = strchr(text, '@');
    size_t length = at != NULL ? (size_t)(at - text) : strlen(text);
    if (length >= sizeof(t->address)) {
        mistake("no target; write ADDRESS:PORT, say 10.0.0.10:7", text);
    }
    memcpy(t->address, text, length);
    t->rate = at != NULL ? number(at + 1, RATE_MIN, RATE_MAX, RATE_MISTAKE) : o->rate;
}

static void take_targets(struct load_options *o, int count, char **texts)
{
    if (count == 0) {
        mistake("name at least one target, say 10.0.0.10:7", "targets");
    }
    if (count > LOAD_TARGETS) {
        mistake("more targets than 64", texts[LOAD_TARGETS]);
    }
    for (int i = 0; i < count; i++) {
        take_target(o, texts[i]);
    }
}

void load_parse(struct load_options *o, int argc, char **argv)
{
    enum { PROGRESS = 256, QUIET, CONTROL, LAG };
    static const struct option longer[] = {
        {"window", required_argument, NULL, 'w'},  {"rate", required_argument, NULL, 'r'},
        {"size", required_argument, NULL, 'l'},    {"seconds", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"patience", required_argument, NULL, 'p'},
        {"check", required_argument, NULL, 'c'},   {"json", required_argument, NULL, 'j'},
        {"progress", no_argument, NULL, PROGRESS}, {"flood", no_argument, NULL, 'f'},
        {"threads", required_argument, NULL, 'T'}, {"lag", required_argument, NULL, LAG},
        {"quiet", no_argument, NULL, QUIET},       {"control", required_argument, NULL, CONTROL},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    *o = (struct load_options){.window = 64,
                               .threads = 1,
                               .lag_limit = 0.005,
                               .seconds = 2,
                               .timeout = 1,
                               .patience = 2,
                               .check_every = 1,
                               .progress = isatty(STDERR_FILENO) != 0,
                               .control = -1};
    mix_parse(&o->mix, "1472");
    for (int c; (c = getopt_long(argc, argv, "w:r:l:s:t:p:c:j:fT:h", longer, NULL)) != -1;) {
        switch (c) {
        case 'w':
            o->window = (unsigned)number(optarg, 1, 65536, "the window is 1 to 65536 datagrams");
            break;
        case 'r':
            o->rate = number(optarg, RATE_MIN, RATE_MAX, RATE_MISTAKE);
            break;
        case 'l':
            if (!mix_parse(&o->mix, optarg)) {
                mistake("no sizes: write 8 to 1472, or SIZE:WEIGHT,... with weights of 64 in "
                        "all, or imix",
                        optarg);
            }
            break;
        case 'T':
            o->threads = (unsigned)number(optarg, 1, LOAD_THREADS, "there are 1 to 16 threads");
            break;
        case LAG:
            o->lag_limit = number(optarg, 0.001, 1e6, "the lag is 0.001 to 1000000 ms") / 1e3;
            break;
        case 's':
            o->seconds = number(optarg, 0.01, 1e6, "the time is 0.01 to 1000000 seconds");
            break;
        case 't':
            o->timeout = number(optarg, 0.001, 60, "the timeout is 0.001 to 60 seconds");
            break;
        case 'p':
            o->patience = number(optarg, 0, 3600, "the patience is 0 to 3600 seconds");
            break;
        case 'c':
            o->check_every = (unsigned)number(optarg, 1, 1e9, "check every 1st to 1e9th reply");
            break;
        case 'j':
            o->json = optarg;
            break;
        case 'f':
            o->flood = true;
            break;
        case PROGRESS:
            o->progress = true;
            break;
        case QUIET:
            o->progress = false;
            break;
        case CONTROL:
            o->control = (int)number(optarg, 0, 1e6, "not a descriptor");
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            fputs("see load --help\n", stderr);
            exit(2);
        }
    }
    take_targets(o, argc - optind, argv + optind);
}
