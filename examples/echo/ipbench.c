/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipbench.h"

#include <string.h>

#define TARGET "cpu_target_lukem" /* the one that can be loaded */

static void add(struct ipbench *t, const char *text)
{
    const uint32_t length = (uint32_t)strlen(text);
    if (length <= IPBENCH_REPLY_MAX - t->reply_length) {
        memcpy(&t->reply[t->reply_length], text, length);
        t->reply_length += length;
    }
}

static void reply(struct ipbench *t, const char *text)
{
    t->reply_length = 0;
    add(t, text);
}

static void forget_line(struct ipbench *t)
{
    t->length = 0;
    t->overlong = false;
}

void ipbench_begin(struct ipbench *t)
{
    t->state = IPBENCH_CONNECTED;
    forget_line(t);
    reply(t, "100 IPBENCH V1.0\n");
}

void ipbench_refuse(struct ipbench *t)
{
    t->state = IPBENCH_ENDED;
    forget_line(t);
    reply(t, "421 already running\n");
}

/* ---- commands ------------------------------------------------------------------------------ */

/*
 * Each may come in the states from `from` to `to`, and leads to `next`. Those before RUNNING may
 * be said again: a controller that begins anew on the same connection is none the worse for it.
 */
static const struct command {
    const char *name;
    enum ipbench_state from, to, next;
    bool argument; /* it must have one */
    const char *reply;
} commands[] = {
    {"HELLO", IPBENCH_CONNECTED, IPBENCH_SET_UP, IPBENCH_READY, false, "200 OK (Ready to go)\n"},
    {"LOAD", IPBENCH_READY, IPBENCH_SET_UP, IPBENCH_LOADED, true, "200 OK\n"},
    {"SETUP", IPBENCH_LOADED, IPBENCH_SET_UP, IPBENCH_SET_UP, true, "200 OK\n"},
    {"START", IPBENCH_SET_UP, IPBENCH_SET_UP, IPBENCH_RUNNING, false, ""},
};

static const char *const state_names[] = {
    [IPBENCH_CONNECTED] = "200 CONNECTED\n", [IPBENCH_READY] = "200 READY\n",
    [IPBENCH_LOADED] = "200 LOADED\n",       [IPBENCH_SET_UP] = "200 SET UP\n",
    [IPBENCH_RUNNING] = "200 RUNNING\n",     [IPBENCH_ENDED] = "200 ENDED\n",
};

/* What follows the command's name and a space; NULL: it is another command. */
static const char *argument_of(const char *line, const char *name)
{
    const size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || (line[length] != '\0' && line[length] != ' ')) {
        return NULL;
    }
    const char *argument = line + length;
    while (*argument == ' ') {
        argument++;
    }
    return argument;
}

/* Is it this command, without an argument? */
static bool is(const char *line, const char *name)
{
    const char *argument = argument_of(line, name);
    return argument != NULL && *argument == '\0';
}

static void obey(struct ipbench *t, const struct command *c, const char *argument,
                 enum ipbench_event *event)
{
    if (t->state == IPBENCH_RUNNING) {
        reply(t, "421 already running\n");
    } else if (t->state < c->from || t->state > c->to) {
        reply(t, "400 bad command (not now)\n");
    } else if (c->argument != (*argument != '\0')) {
        reply(t, "400 bad command (argument)\n");
    } else if (c->next == IPBENCH_LOADED && strcmp(argument, TARGET) != 0) {
        reply(t, "451 there is only " TARGET "\n");
    } else {
        t->state = c->next;
        reply(t, c->reply);
        *event = c->next == IPBENCH_RUNNING ? IPBENCH_START : IPBENCH_NOTHING;
    }
}

/* `line` is a string: whoever puts a zero into it has ended the command there. */
static void command(struct ipbench *t, const char *line, enum ipbench_event *event)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const char *argument = argument_of(line, commands[i].name);
        if (argument != NULL) {
            obey(t, &commands[i], argument, event);
            return;
        }
    }
    if (is(line, "STOP")) {
        if (t->state == IPBENCH_RUNNING) {
            *event = IPBENCH_STOP;
        } else {
            ipbench_measured(t, false, 0, 0);
        }
    } else if (is(line, "QUIT")) {
        t->state = IPBENCH_ENDED;
    } else if (is(line, "HELP")) {
        reply(t, "200 HELLO LOAD SETUP START STOP STATUS HELP QUIT\n");
    } else if (is(line, "STATUS")) {
        reply(t, state_names[t->state]);
    } else {
        reply(t, "400 bad command\n");
    }
}

size_t ipbench_take(struct ipbench *t, const char *bytes, size_t length, enum ipbench_event *event)
{
    *event = IPBENCH_NOTHING;
    t->reply_length = 0;
    const char *newline = memchr(bytes, '\n', length);
    const size_t taken = newline == NULL ? length : (size_t)(newline - bytes) + 1;
    const size_t part = newline == NULL ? taken : taken - 1;
    if (part >= IPBENCH_LINE_MAX - t->length) { /* its end, a zero, has to have room too */
        t->overlong = true;
    }
    if (!t->overlong) {
        memcpy(&t->line[t->length], bytes, part);
        t->length += (uint32_t)part;
    }
    if (newline == NULL) {
        return taken;
    }
    if (t->overlong) {
        reply(t, "400 bad command (too long)\n");
    } else {
        if (t->length > 0 && t->line[t->length - 1] == '\r') {
            t->length--;
        }
        t->line[t->length] = '\0';
        if (memchr(t->line, '\0', t->length) != NULL) {
            reply(t, "400 bad command\n");
        } else {
            command(t, t->line, event);
        }
    }
    forget_line(t);
    return taken;
}

/* ---- results ------------------------------------------------------------------------------- */

#define DIGITS_MAX 20 /* of 64 bits */

/* `text` has room for DIGITS_MAX digits and a zero; returns where the number begins. */
static const char *decimal(uint64_t number, char text[DIGITS_MAX + 1])
{
    char *at = &text[DIGITS_MAX];
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return at;
}

void ipbench_measured(struct ipbench *t, bool valid, uint64_t idle, uint64_t total)
{
    char idle_text[DIGITS_MAX + 1], total_text[DIGITS_MAX + 1], length_text[DIGITS_MAX + 1];
    t->state = IPBENCH_ENDED;
    if (!valid) {
        reply(t, "222 NO DATA\n");
        return;
    }
    if (total == 0 || idle > total) {
        reply(t, "221 INVALID DATA\n");
        return;
    }
    const char *idle_digits = decimal(idle, idle_text);
    const char *total_digits = decimal(total, total_text);
    /* Two commas and the zero at the end count too. */
    const uint64_t length = strlen(idle_digits) + strlen(total_digits) + 3;
    reply(t, "220 VALID DATA (Data to follow)\nContent-length: ");
    add(t, decimal(length, length_text));
    add(t, "\n,");
    add(t, idle_digits);
    add(t, ",");
    add(t, total_digits);
    t->reply[t->reply_length++] = '\0';
}
_Static_assert(sizeof("220 VALID DATA (Data to follow)\nContent-length: 43\n,,") + 2 * DIGITS_MAX <=
                   IPBENCH_REPLY_MAX,
               "the longest reply fits");
