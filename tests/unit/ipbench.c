/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to ipbench's controller, byte for byte, however its commands come in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipbench.h"

#define IDLE  123456
#define TOTAL 7890123

/* All that it answers to `length` bytes, fed in pieces of at most `piece`. */
struct answers {
    char text[1 << 16];
    size_t length;
    unsigned starts, stops;
};

static void take_reply(struct ipbench *t, struct answers *a)
{
    assert_true(t->reply_length <= sizeof(t->reply));
    assert_true(a->length + t->reply_length < sizeof(a->text));
    memcpy(&a->text[a->length], t->reply, t->reply_length);
    a->length += t->reply_length;
    t->reply_length = 0;
}

static void feed(struct ipbench *t, const char *bytes, size_t length, size_t piece,
                 struct answers *a)
{
    while (length > 0 && ipbench_open(t)) {
        enum ipbench_event event;
        /* On the heap, and no longer than it is: what reads on behind it is found out. */
        size_t part = length < piece ? length : piece;
        char *copy = malloc(part);
        memcpy(copy, bytes, part);
        size_t taken = ipbench_take(t, copy, part, &event);
        free(copy);
        assert_in_range(taken, 1, part);
        if (event == IPBENCH_START) {
            a->starts++;
            assert_int_equal(t->reply_length, 0);
        } else if (event == IPBENCH_STOP) {
            a->stops++;
            ipbench_measured(t, true, IDLE, TOTAL);
        }
        take_reply(t, a);
        bytes += taken;
        length -= taken;
    }
}

static const char conversation[] = "HELLO\nLOAD cpu_target_lukem\nSETUP args::\"\"\nSTART\nSTOP\n";
static const char whole_answer[] = "100 IPBENCH V1.0\n200 OK (Ready to go)\n200 OK\n200 OK\n"
                                   "220 VALID DATA (Data to follow)\nContent-length: 16\n"
                                   ",123456,7890123";

static void test_conversation_in_pieces(void **state)
{
    (void)state;
    static struct answers a;
    for (size_t piece = 1; piece < sizeof(conversation); piece++) {
        struct ipbench t;
        a = (struct answers){0};
        ipbench_begin(&t);
        take_reply(&t, &a);
        feed(&t, conversation, sizeof(conversation) - 1, piece, &a);
        /* With the zero that ends the payload. */
        assert_int_equal(a.length, sizeof(whole_answer));
        assert_memory_equal(a.text, whole_answer, sizeof(whole_answer));
        assert_int_equal(a.starts, 1);
        assert_int_equal(a.stops, 1);
        assert_false(ipbench_open(&t));
    }
}

static void expect(const char *commands, const char *wanted)
{
    static struct answers a;
    struct ipbench t;
    a = (struct answers){0};
    ipbench_begin(&t);
    t.reply_length = 0;
    feed(&t, commands, strlen(commands), strlen(commands), &a);
    a.text[a.length] = '\0';
    assert_string_equal(a.text, wanted);
}

#define READY    "HELLO\n"
#define LOADED   READY "LOAD cpu_target_lukem\n"
#define SET_UP   LOADED "SETUP args::\"\"\n"
#define RUNNING  SET_UP "START\n"
#define READY_A  "200 OK (Ready to go)\n"
#define LOADED_A READY_A "200 OK\n"
#define SET_UP_A LOADED_A "200 OK\n"

static void test_every_command_in_every_state(void **state)
{
    (void)state;
    static const struct {
        const char *before, *answers, *name;
        unsigned number;
    } states[] = {{"", "", "CONNECTED", 0},
                  {READY, READY_A, "READY", 1},
                  {LOADED, LOADED_A, "LOADED", 2},
                  {SET_UP, SET_UP_A, "SET UP", 3},
                  {RUNNING, SET_UP_A, "RUNNING", 4}};
    static const struct {
        const char *text, *answer;
        unsigned from; /* the first state that takes it */
    } commands[] = {{"HELLO\n", READY_A, 0},
                    {"LOAD cpu_target_lukem\n", "200 OK\n", 1},
                    {"SETUP args::\"\"\n", "200 OK\n", 2},
                    {"START\n", "", 3}};
    char said[1024], wanted[1024];
    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        for (size_t c = 0; c < sizeof(commands) / sizeof(commands[0]); c++) {
            const char *answer = states[s].number == 4 ? "421 already running\n"
                                 : states[s].number < commands[c].from
                                     ? "400 bad command (not now)\n"
                                     : commands[c].answer;
            snprintf(said, sizeof(said), "%s%s", states[s].before, commands[c].text);
            snprintf(wanted, sizeof(wanted), "%s%s", states[s].answers, answer);
            expect(said, wanted);
        }
        snprintf(said, sizeof(said), "%sSTATUS\nHELP\nNONSENSE\nQUIT\nSTATUS\n", states[s].before);
        snprintf(wanted, sizeof(wanted), "%s200 %s\n%s%s", states[s].answers, states[s].name,
                 "200 HELLO LOAD SETUP START STOP STATUS HELP QUIT\n", "400 bad command\n");
        expect(said, wanted); /* and nothing behind QUIT */
        snprintf(said, sizeof(said), "%sSTOP\nSTATUS\n", states[s].before);
        if (states[s].number != 4) {
            snprintf(wanted, sizeof(wanted), "%s222 NO DATA\n", states[s].answers);
            expect(said, wanted);
        }
    }
}

static void test_lines(void **state)
{
    (void)state;
    char said[600], wanted[600];
    expect("HELLO\r\n", READY_A);
    expect("HELLO  \n", READY_A);
    expect("HELLO you\n", "400 bad command (argument)\n");
    expect(READY "LOAD\n", READY_A "400 bad command (argument)\n");
    expect(READY "LOAD latency\n", READY_A "451 there is only cpu_target_lukem\n");
    expect(READY "LOAD cpu_target_lukem2\n", READY_A "451 there is only cpu_target_lukem\n");
    expect("\nHELLO\n", "400 bad command\n" READY_A);
    expect("hello\n", "400 bad command\n");
    expect("HELL\n", "400 bad command\n");
    expect("HELLOO\n", "400 bad command\n");
    expect("STOPPED\n", "400 bad command\n");
    expect("HELLO", "");
    for (size_t length = 100; length < 400; length++) {
        memset(said, 'x', length);
        strcpy(&said[length], "\nHELLO\n");
        snprintf(wanted, sizeof(wanted), "400 bad command%s\n%s",
                 length < IPBENCH_LINE_MAX ? "" : " (too long)", READY_A);
        expect(said, wanted);
    }
    /* A zero does not hide what follows it. */
    static struct answers a;
    struct ipbench t;
    ipbench_begin(&t);
    feed(&t, "HELLO\0x\n", 8, 8, &a);
    assert_memory_equal(a.text, "400 bad command\n", a.length);
}

static void measured(bool valid, uint64_t idle, uint64_t total, const char *wanted, size_t length)
{
    struct ipbench t;
    ipbench_begin(&t);
    ipbench_measured(&t, valid, idle, total);
    assert_int_equal(t.reply_length, length);
    assert_memory_equal(t.reply, wanted, length);
    assert_false(ipbench_open(&t));
}

#define MEASURED(valid, idle, total, wanted)                                                       \
    measured(valid, idle, total, wanted, sizeof(wanted) - 1)

static void test_results(void **state)
{
    (void)state;
    MEASURED(true, 0, 1, "220 VALID DATA (Data to follow)\nContent-length: 5\n,0,1\0");
    MEASURED(true, 10, 10, "220 VALID DATA (Data to follow)\nContent-length: 7\n,10,10\0");
    MEASURED(true, UINT64_MAX, UINT64_MAX,
             "220 VALID DATA (Data to follow)\nContent-length: 43\n"
             ",18446744073709551615,18446744073709551615\0");
    MEASURED(true, 2, 1, "221 INVALID DATA\n");
    MEASURED(true, 0, 0, "221 INVALID DATA\n");
    MEASURED(false, 0, 0, "222 NO DATA\n");
}

static void test_refused(void **state)
{
    (void)state;
    struct ipbench t;
    ipbench_refuse(&t);
    assert_memory_equal(t.reply, "421 already running\n", t.reply_length);
    assert_false(ipbench_open(&t));
}

/*
 * Anything at all, in pieces of any size: what it keeps stays within its bounds, every whole line
 * has at most one reply, which is a line, and one that is no command is refused.
 */
static void test_anything(void **state)
{
    (void)state;
    static const char *const words[] = {
        "HELLO", "LOAD", "SETUP", "START", "STATUS",           "HELP",
        " ",     "\n",   "\r\n",  "\n",    "cpu_target_lukem", "args::",
        "\"\"",  "x",    "STOP",  "QUIT"};
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        static struct answers a;
        char text[600];
        size_t length = 0;
        struct ipbench t;
        a = (struct answers){0};
        ipbench_begin(&t);
        t.reply_length = 0;
        while (length < 400) {
            random = random * 1664525 + 1013904223;
            if (random >> 30 == 0) {
                text[length++] = (char)(random >> 8);
            } else {
                /* STOP and QUIT, which end it, are the rare ones. */
                size_t word = (random >> 10) % (random >> 26 == 17 ? 16 : 14);
                memcpy(&text[length], words[word], strlen(words[word]));
                length += strlen(words[word]);
            }
        }
        random = random * 1664525 + 1013904223;
        feed(&t, text, length, 1 + (random >> 8) % 50, &a);
        size_t lines = 0, answers = 0;
        for (size_t i = 0; i < length; i++) {
            lines += text[i] == '\n';
        }
        for (size_t i = 0; i < a.length; i++) {
            answers += a.text[i] == '\n';
        }
        assert_true(answers <= lines + a.stops); /* (a result has two) */
        assert_true(t.length < IPBENCH_LINE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation_in_pieces),
        cmocka_unit_test(test_every_command_in_every_state),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
