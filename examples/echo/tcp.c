/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: echo and discard.
 *
 * What has been received and not yet been taken for sending stays `pending`, in the buffers that
 * it came in, and the peer's window stays closed by as much: so nothing is ever dropped, and a peer
 * that does not read its echo soon cannot send either.
 */
#include "echo.h"
#include "lwip/tcp.h"
#include "net_lwip.h"

#define CONNECTIONS  12 /* of echo; lwIP's pool has room for what these may have under way */
#define POLL_HALF_S  1
#define KEEP_IDLE_MS 60000 /* a silent peer is asked whether it is still there */

struct connection {
    struct tcp_pcb *pcb; /* NULL: the slot is free */
    struct pbuf *pending;
    bool finished; /* the peer has sent all it will */
};

static struct connection connections[CONNECTIONS];

static void drop_pending(struct connection *c)
{
    if (c->pending != NULL) {
        pbuf_free(c->pending);
        c->pending = NULL;
    }
}

/* Sends as much of what is pending as lwIP takes. */
static void send_pending(struct connection *c)
{
    while (c->pending != NULL) {
        struct pbuf *p = c->pending;
        u16_t n = p->len < tcp_sndbuf(c->pcb) ? p->len : (u16_t)tcp_sndbuf(c->pcb);
        if (n == 0 && p->len != 0) {
            break; /* goes on when the peer has acknowledged something */
        }
        if (n > 0 && tcp_write(c->pcb, p->payload, n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break; /* no memory: goes on with an acknowledgement, or when polled */
        }
        tcp_recved(c->pcb, n);
        if (n == p->len) {
            /* This part is done with: its buffer goes back to the copier. */
            c->pending = p->next;
            p->next = NULL;
            pbuf_free(p);
        } else {
            pbuf_remove_header(p, n);
        }
    }
    tcp_output(c->pcb);
}

static err_t echo_received(void *slot, struct tcp_pcb *pcb, struct pbuf *p, err_t err);
static err_t echo_sent(void *slot, struct tcp_pcb *pcb, u16_t length);
static err_t echo_polled(void *slot, struct tcp_pcb *pcb);
static void echo_lost(void *slot, err_t err);

static void attach(struct connection *c, struct tcp_pcb *pcb)
{
    tcp_arg(pcb, c);
    tcp_recv(pcb, echo_received);
    tcp_sent(pcb, echo_sent);
    tcp_err(pcb, echo_lost);
    tcp_poll(pcb, echo_polled, POLL_HALF_S);
}

/* Our side of the connection ends behind the last byte of echo; lwIP sees to the rest of it. */
static void close_when_done(struct connection *c)
{
    if (!c->finished || c->pending != NULL) {
        return;
    }
    struct tcp_pcb *pcb = c->pcb;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    if (tcp_close(pcb) == ERR_OK) {
        c->pcb = NULL;
    } else {
        attach(c, pcb); /* no memory for the FIN: the next poll tries again */
    }
}

static err_t go_on(struct connection *c)
{
    send_pending(c);
    close_when_done(c);
    return ERR_OK;
}

static err_t echo_received(void *slot, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct connection *c = slot;
    (void)pcb;
    if (p == NULL) {
        c->finished = true;
        return go_on(c);
    }
    if (err != ERR_OK) {
        pbuf_free(p);
        return ERR_OK;
    }
    if (c->pending != NULL && net_lwip_short_of_buffers()) {
        /* lwIP keeps this one and offers it again; until then it takes no more for this peer. */
        return ERR_MEM;
    }
    if (c->pending == NULL) {
        c->pending = p;
    } else {
        pbuf_cat(c->pending, p); /* at most a window's worth in all, which 16 bits can count */
    }
    return go_on(c);
}

static err_t echo_sent(void *slot, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    (void)length;
    return go_on(slot);
}

static err_t echo_polled(void *slot, struct tcp_pcb *pcb)
{
    (void)pcb;
    return go_on(slot);
}

/* The connection is gone, and lwIP's record of it too. */
static void echo_lost(void *slot, err_t err)
{
    struct connection *c = slot;
    (void)err;
    drop_pending(c);
    c->pcb = NULL;
}

static void keep_alive(struct tcp_pcb *pcb)
{
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = KEEP_IDLE_MS;
}

static err_t echo_accepted(void *unused, struct tcp_pcb *pcb, err_t err)
{
    (void)unused;
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        if (c->pcb == NULL) {
            *c = (struct connection){.pcb = pcb};
            attach(c, pcb);
            keep_alive(pcb);
            tcp_nagle_disable(pcb); /* an echo is not to wait for more to say */
            return ERR_OK;
        }
    }
    tcp_abort(pcb); /* a reset tells the peer at once that there is no room */
    return ERR_ABRT;
}

static err_t discard_received(void *unused, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)unused;
    (void)err;
    if (p == NULL) {
        if (tcp_close(pcb) == ERR_OK) {
            return ERR_OK;
        }
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t discard_accepted(void *unused, struct tcp_pcb *pcb, err_t err)
{
    (void)unused;
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    tcp_recv(pcb, discard_received);
    keep_alive(pcb);
    tcp_setprio(pcb, TCP_PRIO_MIN); /* the first to go when lwIP's connections are used up */
    return ERR_OK;
}

bool tcp_service_start(u16_t port, tcp_accept_fn with)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK) {
        return false;
    }
    pcb = tcp_listen(pcb);
    if (pcb == NULL) {
        return false;
    }
    tcp_accept(pcb, with);
    return true;
}

bool tcp_services_start(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = (struct connection){0};
    }
    return tcp_service_start(PORT_ECHO, echo_accepted) &&
           tcp_service_start(PORT_ECHO_TCP, echo_accepted) &&
           tcp_service_start(PORT_DISCARD, discard_accepted);
}
