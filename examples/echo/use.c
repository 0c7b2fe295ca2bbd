/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: ipbench's utilisation target. ipbench.h knows what is said; here are the connection, of
 * which there is one at a time, and the idle count (sddf/idle.h).
 *
 * Each reply goes into a segment of its own, and the next command is looked at when there is room
 * for its reply. After the last reply our half of the connection ends at once (the controller
 * waits for that), and what the peer still says is thrown away until its half ends too: with a
 * full close lwIP would answer it with a reset, which could overtake the result.
 */
#include "echo.h"
#include "ipbench.h"
#include "lwip/tcp.h"
#include "net_lwip.h"
#include "sddf/idle.h"

#define CONTROLLERS 4 /* the one that is served, and some that are being told so */
#define POLL_HALF_S 1
#define LINGER      60 /* polls: how long a peer may take to end its half after ours */

/* A controller that has gone without a word is noticed within some 20 s, and makes room. */
#define KEEP_IDLE_MS     10000
#define KEEP_INTERVAL_MS 2000
#define KEEP_TRIES       5

struct idle_config sddf_idle_config;

struct controller {
    struct tcp_pcb *pcb; /* NULL: the slot is free */
    struct ipbench talk;
    struct pbuf *pending; /* what it has said that was not looked at */
    struct idle_sample start;
    bool started; /* `start` is a sample */
    bool ended;   /* our half is */
    unsigned polls;
};

static struct controller controllers[CONTROLLERS];

static const struct idle_page *page(void)
{
    const struct idle_config *config = &sddf_idle_config;
    bool there = sddf_config_ok(&config->header, SDDF_ROLE_IDLE_CLIENT, sizeof(*config)) &&
                 config->page.vaddr != 0 && config->page.size >= sizeof(struct idle_page);
    return there ? (const struct idle_page *)(uintptr_t)config->page.vaddr : NULL;
}

static bool take_sample(struct idle_sample *sample)
{
    return page() != NULL && idle_read(page(), sample);
}

static void measure(struct controller *c, enum ipbench_event event)
{
    struct idle_sample end;
    if (event == IPBENCH_START) {
        c->started = take_sample(&c->start);
    } else if (event == IPBENCH_STOP) {
        const bool valid = c->started && take_sample(&end);
        const uint64_t total = valid ? end.total - c->start.total : 0;
        uint64_t idle = valid ? end.idle - c->start.idle : 0;
        if (valid && (end.idle < c->start.idle || idle > total)) {
            /* What samples were thought to go on like, they have not. */
            idle = end.idle < c->start.idle ? 0 : total;
        }
        ipbench_measured(&c->talk, valid, idle, total);
    }
}

static void drop_pending(struct controller *c)
{
    if (c->pending != NULL) {
        pbuf_free(c->pending);
        c->pending = NULL;
    }
}

/* True: there is none left to send. */
static bool send_reply(struct controller *c)
{
    if (c->talk.reply_length > 0) {
        if (c->talk.reply_length > tcp_sndbuf(c->pcb) ||
            tcp_write(c->pcb, c->talk.reply, (u16_t)c->talk.reply_length, TCP_WRITE_FLAG_COPY) !=
                ERR_OK) {
            return false; /* goes on with an acknowledgement, or when polled */
        }
        c->talk.reply_length = 0;
        tcp_output(c->pcb);
    }
    return true;
}

/* Looks at one line, or a part of one. */
static void take_line(struct controller *c)
{
    struct pbuf *p = c->pending;
    enum ipbench_event event = IPBENCH_NOTHING;
    size_t taken = p->len;
    if (p->len > 0) {
        taken = ipbench_take(&c->talk, p->payload, p->len, &event);
        measure(c, event);
    }
    tcp_recved(c->pcb, (u16_t)taken);
    if (taken < p->len) {
        pbuf_remove_header(p, taken);
        return;
    }
    c->pending = p->next;
    p->next = NULL;
    pbuf_free(p);
}

static void go_on(struct controller *c)
{
    while (send_reply(c) && c->pending != NULL && ipbench_open(&c->talk)) {
        take_line(c);
    }
    if (ipbench_open(&c->talk) || c->talk.reply_length > 0 || c->ended) {
        return;
    }
    if (c->pending != NULL) {
        tcp_recved(c->pcb, c->pending->tot_len); /* unread, it would make the end a reset */
        drop_pending(c);
    }
    c->ended = tcp_shutdown(c->pcb, 0, 1) == ERR_OK; /* no memory for the FIN: with the next poll */
    c->polls = 0;
}

static err_t received(void *slot, struct tcp_pcb *pcb, struct pbuf *p, err_t err);
static err_t sent(void *slot, struct tcp_pcb *pcb, u16_t length);
static err_t polled(void *slot, struct tcp_pcb *pcb);
static void lost(void *slot, err_t err);

static void attach(struct controller *c, struct tcp_pcb *pcb)
{
    tcp_arg(pcb, c);
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_err(pcb, lost);
    tcp_poll(pcb, polled, POLL_HALF_S);
}

/* Both halves are over, or to be: the slot is free, and lwIP sees to the rest. */
static err_t let_go(struct controller *c, bool in_order)
{
    struct tcp_pcb *pcb = c->pcb;
    drop_pending(c);
    c->pcb = NULL;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    if (in_order && tcp_close(pcb) == ERR_OK) {
        return ERR_OK;
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

static err_t received(void *slot, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct controller *c = slot;
    if (p == NULL) {
        return let_go(c, true); /* whoever hangs up hears no more */
    }
    if (err != ERR_OK || !ipbench_open(&c->talk)) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    if (c->pending != NULL && net_lwip_short_of_buffers()) {
        return ERR_MEM; /* lwIP keeps it and offers it again */
    }
    if (c->pending == NULL) {
        c->pending = p;
    } else {
        pbuf_cat(c->pending, p);
    }
    go_on(c);
    return ERR_OK;
}

static err_t sent(void *slot, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    (void)length;
    go_on(slot);
    return ERR_OK;
}

static err_t polled(void *slot, struct tcp_pcb *pcb)
{
    struct controller *c = slot;
    (void)pcb;
    go_on(c);
    if (c->ended && ++c->polls > LINGER) {
        return let_go(c, false);
    }
    return ERR_OK;
}

static void lost(void *slot, err_t err)
{
    struct controller *c = slot;
    (void)err;
    drop_pending(c);
    c->pcb = NULL;
}

/* Is somebody being served? Whose conversation has ended only has to hear the last of it. */
static bool busy(void)
{
    for (int i = 0; i < CONTROLLERS; i++) {
        if (controllers[i].pcb != NULL && ipbench_open(&controllers[i].talk)) {
            return true;
        }
    }
    return false;
}

static err_t accepted(void *unused, struct tcp_pcb *pcb, err_t err)
{
    (void)unused;
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    for (int i = 0; i < CONTROLLERS; i++) {
        struct controller *c = &controllers[i];
        if (c->pcb != NULL) {
            continue;
        }
        const bool taken = busy();
        *c = (struct controller){.pcb = pcb};
        if (taken) {
            ipbench_refuse(&c->talk);
        } else {
            ipbench_begin(&c->talk);
        }
        attach(c, pcb);
        ip_set_option(pcb, SOF_KEEPALIVE);
        pcb->keep_idle = KEEP_IDLE_MS;
        pcb->keep_intvl = KEEP_INTERVAL_MS;
        pcb->keep_cnt = KEEP_TRIES;
        tcp_nagle_disable(pcb); /* every reply in a segment of its own */
        go_on(c);
        return ERR_OK;
    }
    tcp_abort(pcb); /* a reset tells the peer at once that there is no room */
    return ERR_ABRT;
}

bool use_service_start(void)
{
    for (int i = 0; i < CONTROLLERS; i++) {
        controllers[i] = (struct controller){0};
    }
    return tcp_service_start(PORT_USE, accepted);
}
