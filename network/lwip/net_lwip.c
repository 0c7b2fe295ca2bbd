/* SPDX-License-Identifier: BSD-2-Clause */
/* See net_lwip.h. */
#include "net_lwip.h"

#include "datagram.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/udp.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"

#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

#define TIMEOUT_ID     0     /* the one timeout that drives all of lwIP's */
#define CLAIM_AGAIN_MS 10000 /* after a refused address, before asking DHCP again */

/* One for each Rx buffer, at the same index: what lwIP knows of it while it is in use. */
static struct pbuf_custom rx_pbufs[NET_CLIENT_BUFFERS_MAX];

/* lwIP proper has run: see lwipopts.h. */
unsigned char net_lwip_entered;

static struct {
    bool running;
    pbuf_type rx_type;
    bool starved;   /* something could not be sent for want of a Tx buffer */
    bool due;       /* timeouts may be: they are to be looked at */
    uint64_t armed; /* the timer is set to this time; 0: to none */
    bool timer_gone;
    bool now_known;
    uint64_t now_ms;  /* in this pass, if now_known */
    uint32_t address; /* that `up` has been told of, and that is claimed if it must be */
    uint64_t random;
    uint64_t malformed; /* of lwIP's own counts, those that the statistics have */
    uint64_t no_memory;
    bool checksum_said;
    void (*up)(const char *address);
} stack;

static struct netif netif;

static void say(const char *what)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(what);
    microkit_dbg_puts("\n");
}

/* ---- what lwIP asks for -------------------------------------------------------------------- */

/*
 * One time for a pass: lwIP asks often, and its clock's steps are longer than most passes. Most
 * passes never ask.
 */
static uint64_t now_ms(void)
{
    if (!stack.now_known) {
        stack.now_known = true;
        stack.now_ms = sddf_clock_now() / SDDF_NS_PER_MS;
    }
    return stack.now_ms;
}

u32_t sys_now(void)
{
    return (u32_t)now_ms();
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/*
 * Hard to guess from the wire without knowing when this PD started, to the nanosecond; no more
 * than that, for there is no better source of randomness here.
 */
uint32_t net_lwip_random(void)
{
    stack.random += UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)mix(stack.random ^ sddf_clock_now());
}

/* RFC 6528: a clock of 4 us, and an offset for each connection that others cannot work out. */
u32_t net_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port)
{
    static uint64_t secret;
    if (secret == 0) {
        secret = (uint64_t)net_lwip_random() << 32 | net_lwip_random() | 1;
    }
    uint64_t addresses = (uint64_t)ip_2_ip4(local)->addr << 32 | ip_2_ip4(remote)->addr;
    uint64_t ports = (uint32_t)local_port << 16 | remote_port;
    uint64_t offset = mix(mix(secret ^ addresses) ^ ports);
    return (u32_t)(offset + sddf_clock_now() / (4 * SDDF_NS_PER_US));
}

/*
 * Asked for each part of a packet that is to wait for an answer to ARP: must it be copied? One in
 * an Rx buffer must. It is counted here, because lwIP copies it out of our sight.
 */
int net_lwip_queued(const struct pbuf *p)
{
    if (p->flags & PBUF_FLAG_IS_CUSTOM) {
        net_client_count(NET_STAT_TX_COPIED_BYTES, p->tot_len);
        return 1;
    }
    return p->type_internal & PBUF_TYPE_FLAG_DATA_VOLATILE;
}

/*
 * Before lwIP looks at an IPv4 packet. It would take a UDP datagram's length from the IP header,
 * and never compare it with the datagram's own. Not zero: the packet has been dropped here.
 */
int net_lwip_check(struct pbuf *p, struct netif *from)
{
    (void)from;
    if (p->len < IP_HLEN) {
        return 0; /* lwIP drops and counts it, like everything else that is wrong with IP */
    }
    const struct ip_hdr *ip = p->payload;
    if ((IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0) {
        net_client_count(NET_STAT_DROP_STACK, 1); /* there is no reassembly: see lwipopts.h */
        pbuf_free(p);
        return 1;
    }
    uint16_t header = IPH_HL_BYTES(ip);
    uint16_t total = lwip_ntohs(IPH_LEN(ip));
    if (IPH_PROTO(ip) != IP_PROTO_UDP || p->len < header + UDP_HLEN) {
        return 0;
    }
    const struct udp_hdr *udp = (const struct udp_hdr *)((const uint8_t *)p->payload + header);
    if (header + lwip_ntohs(udp->len) != total) {
        net_client_count(NET_STAT_DROP_MALFORMED, 1);
        pbuf_free(p);
        return 1;
    }
    return 0;
}

/* ---- the interface ------------------------------------------------------------------------- */

/* lwIP has no more use for a received packet. */
static void rx_return(struct pbuf *p)
{
    client_return((uint32_t)((struct pbuf_custom *)p - rx_pbufs));
}

/* A received frame's bytes from `begin` on: pbuf_alloced_custom(), without the call. */
static inline struct pbuf *rx_pbuf(const struct net_frame *frame, uint16_t begin, uint16_t length)
{
    struct pbuf_custom *custom = &rx_pbufs[frame->buffer];
    *custom = (struct pbuf_custom){
        .pbuf = {.payload = frame->data + begin,
                 .tot_len = length,
                 .len = length,
                 .type_internal = (u8_t)stack.rx_type,
                 .flags = PBUF_FLAG_IS_CUSTOM,
                 .ref = 1,
                 .if_idx = NETIF_NO_INDEX},
        .custom_free_function = rx_return,
    };
    return &custom->pbuf;
}

static inline void rx_input(const struct net_frame *frame)
{
    /* All of lwIP's work on this packet's headers is done before input returns. */
    uint16_t checks = NETIF_CHECKSUM_ENABLE_ALL;
    if (frame->flags & NET_CSUM_VERIFIED) {
        checks &= ~(NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_TCP);
    }
    NETIF_SET_CHECKSUM_CTRL(&netif, checks);
    struct udp_pcb *pcb = datagram_receiver(frame, &netif);
    if (pcb != NULL) {
        struct pbuf *p = rx_pbuf(frame, DATAGRAM_PAYLOAD, datagram_payload());
        datagram_hand_over(pcb, p, frame, &netif);
        return;
    }
    struct pbuf *p = rx_pbuf(frame, 0, frame->length);
    if (netif.input(p, &netif) != ERR_OK) {
        pbuf_free(p);
    }
}

/* A Tx buffer; without one the frame is counted as lost, and a wake-up asked for. */
static inline uint8_t *tx_reserve(uint32_t *buffer)
{
    uint8_t *data = client_reserve(buffer);
    if (data == NULL) {
        client_count(NET_STAT_DROP_NO_BUFFER, 1);
        stack.starved = true;
    }
    return data;
}

bool net_lwip_reply(const struct pbuf *p)
{
    const struct datagram_headers *h = &datagram.headers;
    uint32_t buffer;
    if (p == NULL || p != datagram.p || p->len != datagram_payload()) {
        return false;
    }
    uint8_t *to = tx_reserve(&buffer);
    if (to == NULL) {
        return true; /* lost, as lwIP would lose it */
    }
    const uint16_t length = p->len;
    datagram_write_answer(to, h, datagram_answer_checksum(h, p->payload, length));
    client_copy(to + DATAGRAM_PAYLOAD, p->payload, length);
    client_count(NET_STAT_TX_COPIED_BYTES, DATAGRAM_PAYLOAD + (uint32_t)length);
    client_send(buffer, (uint16_t)(DATAGRAM_PAYLOAD + length), 0, 0, 0);
    return true;
}

/* lwIP sends a frame. It keeps the packet, and sends it again if it has to. */
static err_t tx_output(struct netif *to, struct pbuf *p)
{
    (void)to;
    if (p->tot_len < NET_FRAME_MIN || p->tot_len > NET_FRAME_MAX) {
        return ERR_BUF;
    }
    uint32_t buffer;
    uint8_t *data = tx_reserve(&buffer);
    if (data == NULL) {
        return ERR_MEM;
    }
    uint32_t length = 0;
    for (const struct pbuf *q = p; q != NULL; q = q->next) {
        if (q->len > p->tot_len - length) {
            client_unreserve(buffer);
            return ERR_BUF; /* its parts are longer than the whole */
        }
        memcpy(data + length, q->payload, q->len);
        length += q->len;
        if (q->tot_len == q->len) {
            break; /* the packet's last part; what follows in the chain is another packet */
        }
    }
    client_count(NET_STAT_TX_COPIED_BYTES, length);
    net_client_send(buffer, (uint16_t)length, 0, 0, 0);
    return ERR_OK;
}

static err_t interface_init(struct netif *interface)
{
    memcpy(interface->hwaddr, sddf_net_config.mac, ETH_HWADDR_LEN);
    interface->hwaddr_len = ETH_HWADDR_LEN;
    interface->name[0] = 's';
    interface->name[1] = 'd';
    interface->mtu = 1500;
    interface->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    interface->output = etharp_output;
    interface->linkoutput = tx_output;
    netif_set_hostname(interface, sddf_net_config.name);
    return ERR_OK;
}

/* ---- the address --------------------------------------------------------------------------- */

static bool claim(uint32_t address, uint32_t prefix)
{
    microkit_mr_set(0, address);
    microkit_mr_set(1, prefix);
    microkit_msginfo answer =
        microkit_ppcall(sddf_net_config.arp_channel, microkit_msginfo_new(NET_ARP_CLAIM, 2));
    return microkit_msginfo_get_label(answer) == NET_ARP_OK;
}

static void ask_dhcp(void *unused)
{
    (void)unused;
    if (dhcp_start(&netif) != ERR_OK) {
        sys_timeout(CLAIM_AGAIN_MS, ask_dhcp, NULL);
    }
}

/* DHCP gives an address and takes it away in lwIP's own time: this looks once per pass. */
static void follow_address(void)
{
    uint32_t address = netif_ip4_addr(&netif)->addr;
    if (address == stack.address) {
        return;
    }
    char text[IP4ADDR_STRLEN_MAX];
    if (sddf_net_config.ipv4 == 0 && sddf_net_config.arp_channel != SDDF_NO_CHANNEL) {
        if (stack.address != 0) {
            claim(0, 0);
        }
        uint32_t prefix = (uint32_t)__builtin_popcount(netif_ip4_netmask(&netif)->addr);
        if (address != 0 && !claim(address, prefix)) {
            net_client_count(NET_STAT_REFUSED_CLAIM, 1);
            ip4addr_ntoa_r(netif_ip4_addr(&netif), text, sizeof(text));
            microkit_dbg_puts(microkit_name);
            microkit_dbg_puts(": DHCP offers ");
            microkit_dbg_puts(text);
            microkit_dbg_puts(", which the ARP component does not grant: released\n");
            dhcp_release_and_stop(&netif);
            sys_timeout(CLAIM_AGAIN_MS, ask_dhcp, NULL);
            address = 0;
        }
    }
    stack.address = address;
    if (address != 0 && stack.up != NULL) {
        stack.up(ip4addr_ntoa_r(netif_ip4_addr(&netif), text, sizeof(text)));
    }
}

/* ---- passes -------------------------------------------------------------------------------- */

bool net_lwip_short_of_buffers(void)
{
    return net_client_held() > sddf_net_config.rx_buffer_count / 4 * 3;
}

/* What lwIP has counted since the last time, in the terms of our statistics. */
static void count_lwip(void)
{
    const struct stats_ *s = &lwip_stats;
    uint64_t malformed = (uint64_t)s->ip.err + s->ip.lenerr + s->ip.chkerr + s->udp.lenerr +
                         s->udp.chkerr + s->tcp.lenerr + s->tcp.chkerr + s->icmp.lenerr +
                         s->icmp.chkerr + s->etharp.proterr;
    uint64_t no_memory = (uint64_t)s->tcp.memerr + s->etharp.memerr + s->icmp.memerr;
    net_client_count(NET_STAT_DROP_MALFORMED, malformed - stack.malformed);
    net_client_count(NET_STAT_DROP_STACK, no_memory - stack.no_memory);
    stack.malformed = malformed;
    stack.no_memory = no_memory;
    if (!stack.checksum_said && s->udp.chkerr + s->tcp.chkerr != 0) {
        stack.checksum_said = true;
        say("a packet with a wrong UDP or TCP checksum was dropped. If all of them are: whoever "
            "sends leaves checksums to a device that does not fill them in. On Linux, with a veth "
            "pair, \"ethtool -K PEER tx off\" at the other end mends that");
    }
}

/*
 * Sees to it that the timer wakes us in time for lwIP's next timeout. A protected call is made only
 * if it would wake us too late; if too early, the wake-up finds nothing due and comes here again.
 */
static void arm_timer(void)
{
    uint32_t sleep = sys_timeouts_sleeptime();
    if (sleep == SYS_TIMEOUTS_SLEEPTIME_INFINITE || stack.timer_gone) {
        return;
    }
    uint64_t deadline = (now_ms() + sleep) * SDDF_NS_PER_MS;
    if (stack.armed != 0 && stack.armed <= deadline) {
        return;
    }
    if (timer_set_at(TIMEOUT_ID, deadline) != TIMER_OK) {
        stack.timer_gone = true;
        say("the timer driver refuses: timeouts are seen to only when packets come");
        return;
    }
    stack.armed = deadline;
}

/* What may be different after lwIP proper has run. */
static void look_after(void)
{
    /* Segments out of order wait for one that needs a buffer to come in. They can come again. */
    for (int i = 0; i < MEMP_NUM_TCP_PCB && net_lwip_short_of_buffers(); i++) {
        pbuf_free_ooseq();
    }
    follow_address();
    count_lwip();
    arm_timer();
    net_lwip_entered = 0;
}

/*
 * Takes no more frames than could be answered, one each: the rest wait where they are until there
 * are Tx buffers again, which come back from the device whatever becomes of those frames. What is
 * too much for this client is then dropped by the copier, before anybody has spent work on it.
 */
static inline void pass(void)
{
    stack.now_known = false;
    if (stack.due) {
        sys_check_timeouts();
    }
    if (stack.starved && net_client_can_send() != 0) {
        stack.starved = false;
        tcp_txnow(); /* UDP does not wait, and TCP need not wait for its timer */
    }
    const uint32_t answers = net_client_can_send();
    stack.starved |= answers == 0;
    struct net_frame frame;
    for (uint32_t budget = answers < NET_CLIENT_PASS ? answers : NET_CLIENT_PASS; budget > 0;
         budget--) {
        enum net_receive result = client_receive(&frame);
        if (result == NET_RECEIVE_EMPTY) {
            break;
        }
        if (result == NET_RECEIVE_FRAME) {
            rx_input(&frame);
        }
    }
    if (net_lwip_entered) {
        look_after();
    }
    net_client_flush();
}

/* Timeouts are looked at when the timer has gone off; and in a wake-up that goes on and on. */
static void wake_up(void)
{
    client_count(NET_STAT_WAKEUPS, 1);
    do {
        pass();
        stack.due = true;
    } while (!(stack.starved ? net_client_idle_until_send() : net_client_idle(false)));
    stack.due = stack.timer_gone;
}

bool net_lwip_notified(microkit_channel ch)
{
    if (!stack.running) {
        return true;
    }
    if (ch == timer_channel()) {
        if (timer_due() & 1u << TIMEOUT_ID) {
            stack.armed = 0;
            stack.due = true;
        }
    } else if (ch != sddf_net_config.rx.channel && ch != sddf_net_config.tx.channel) {
        return false;
    }
    wake_up();
    return true;
}

/* ---- start --------------------------------------------------------------------------------- */

bool net_lwip_init(void)
{
    memset(&stack, 0, sizeof(stack));
    if (!net_client_init()) {
        return false;
    }
    if (!timer_init()) {
        say("the timer client's configuration does not match this program");
        return false;
    }
    const struct net_client_config *config = &sddf_net_config;
    uint64_t mac = 0;
    memcpy(&mac, config->mac, sizeof(config->mac));
    stack.random = mix(mac) ^ sddf_clock_now();

    /*
     * lwIP prepends headers in place if it believes that payload and struct are one piece, with
     * the struct in front. They are not, but the comparison that it makes holds all the same where
     * the data region has the higher address; and a packet's old headers are always there.
     */
    bool above = config->rx_data.vaddr > (uintptr_t)&rx_pbufs[NET_CLIENT_BUFFERS_MAX];
    stack.rx_type = above ? PBUF_RAM : PBUF_REF;

    memset(&netif, 0, sizeof(netif));
    lwip_init();
    ip4_addr_t address = {config->ipv4};
    ip4_addr_t gateway = {config->gateway};
    ip4_addr_t netmask = {0};
    if (config->ipv4 != 0 && config->prefix > 0 && config->prefix <= 32) {
        netmask.addr = lwip_htonl(UINT32_MAX << (32 - config->prefix));
    }
    if (netif_add(&netif, &address, &netmask, &gateway, NULL, interface_init, netif_input) ==
        NULL) {
        say("lwIP refuses the interface");
        return false;
    }
    netif_set_default(&netif);
    return true;
}

void net_lwip_start(void (*up)(const char *address))
{
    stack.up = up;
    stack.running = true;
    netif_set_up(&netif);
    if (sddf_net_config.ipv4 == 0) {
        ask_dhcp(NULL);
    }
    wake_up();
}
