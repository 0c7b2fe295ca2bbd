/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a packet costs the virtualisers, by the number of clients: in instructions, counted one by
 * one, so that the answer is the same on every machine and however busy that is. The components run
 * in a child process, which is stepped through what is to be counted (ptrace).
 *
 *     SDDF_SCALE=all build/tests/unit/test_net_scale        prints the whole table
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_microkit.h"
#include "net_rig.h"
#include "sddf/timer.h"

extern struct net_virt_rx_config chain_virt_rx_config;
extern struct net_virt_tx_config scale_virt_tx_config;
void chain_virt_rx_init(void);
void chain_virt_rx_notified(microkit_channel ch);
void scale_virt_tx_init(void);
void scale_virt_tx_notified(microkit_channel ch);

enum { CH_DRIVER = 0, CH_FIRST = 1 };
enum { BUFFERS = 64, DMA_BUFFERS = 256, FRAMES = 8, ROUNDS = 1 };

static struct rig_peer driver;
static struct rig_peer peer[NET_CLIENTS_MAX];

uint64_t sddf_clock_now(void)
{
    return UINT64_C(1) << 40;
}

bool timer_init(void)
{
    return true;
}

enum timer_answer timer_set_at(uint32_t id, uint64_t deadline)
{
    (void)id;
    (void)deadline;
    return TIMER_OK;
}

/* ---- counting ------------------------------------------------------------------------------ */

/* In the child: what lies between is stepped through. */
static void count_begin(void)
{
    raise(SIGUSR1);
}

static void count_end(void)
{
    raise(SIGUSR2);
}

static int wait_stop(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Instructions between count_begin() and count_end(), all of them together, in a child. */
static uint64_t instructions(void (*work)(uint32_t clients, uint32_t spread), uint32_t clients,
                             uint32_t spread)
{
    fflush(NULL);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(2);
        }
        work(clients, spread);
        _exit(0);
    }
    uint64_t steps = 0;
    int status = wait_stop(child);
    bool counting = false;
    while (WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);
        counting = signal == SIGUSR1 || (counting && signal == SIGTRAP);
        steps += counting;
        bool ours = signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGTRAP;
        ptrace(counting ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, ours ? 0L : (long)signal);
        status = wait_stop(child);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return steps;
}

static void nothing(uint32_t clients, uint32_t spread)
{
    (void)clients;
    (void)spread;
    for (int round = 0; round < ROUNDS; round++) {
        count_begin();
        count_end();
    }
}

/* ---- the Tx virtualiser -------------------------------------------------------------------- */

static void mac_of(uint32_t client, uint8_t mac[6])
{
    const uint8_t own[6] = {0x52, 0x54, 0, 0, (uint8_t)(client * 7), (uint8_t)client};
    memcpy(mac, own, 6);
}

static void tx_start(uint32_t clients)
{
    struct net_virt_tx_config *config = &scale_virt_tx_config;
    *config = (struct net_virt_tx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_TX, sizeof(*config),
                   0},
        .driver = rig_pair(4096, 1024, CH_DRIVER),
        .stats = rig_stats(),
        .policy = NET_TX_SIGNALLED,
        .client_count = clients,
    };
    rig_attach(&driver, &config->driver.free, &config->driver.active);
    for (uint32_t i = 0; i < clients; i++) {
        struct net_virt_tx_client *client = &config->client[i];
        client->tx = rig_pair(BUFFERS, BUFFERS, (uint8_t)(CH_FIRST + i));
        client->data = rig_data(BUFFERS, (uint64_t)i * BUFFERS * NET_BUFFER_SIZE);
        client->buffer_count = BUFFERS;
        client->weight = 1;
        mac_of(i, client->mac);
        rig_attach(&peer[i], &client->tx.active, &client->tx.free);
    }
    scale_virt_tx_init();
}

/*
 * All clients are there. In turn, each sends `burst` frames and signals, FRAMES in
 * all; after each the driver returns what it has.
 */
static void tx_rounds(uint32_t clients, uint32_t burst)
{
    tx_start(clients);
    uint32_t sender = 0;
    for (int round = 0; round < ROUNDS + 2; round++) {
        for (uint32_t sent = 0; sent < FRAMES; sent += burst, sender = (sender + 1) % clients) {
            const uint8_t *data =
                (const uint8_t *)(uintptr_t)scale_virt_tx_config.client[sender].data.vaddr;
            for (uint32_t i = 0; i < burst; i++) {
                struct net_entry entry = rig_take(&peer[sender]);
                uint8_t mac[6];
                mac_of(sender, mac);
                rig_ethernet((uint8_t *)data + entry.address, rig_host, mac, 0x0800);
                rig_send_at(&peer[sender], entry.address, 1000);
            }
            if (round >= 2) {
                count_begin();
            }
            scale_virt_tx_notified((microkit_channel)(CH_FIRST + sender));
            if (round >= 2) {
                count_end();
            }
            while (rig_waiting(&driver) > 0) {
                rig_send_at(&driver, rig_take(&driver).address, 0);
            }
            sddf_queue_request_signal(&driver.in);
        }
    }
}

/* ---- the Rx virtualiser -------------------------------------------------------------------- */

static void rx_start(uint32_t clients)
{
    struct net_virt_rx_config *config = &chain_virt_rx_config;
    *config = (struct net_virt_rx_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_NET_VIRT_RX, sizeof(*config),
                   0},
        .driver = rig_pair(DMA_BUFFERS, DMA_BUFFERS, CH_DRIVER),
        .data = rig_data(DMA_BUFFERS, 0),
        .stats = rig_stats(),
        .buffer_count = DMA_BUFFERS,
        .client_count = clients,
    };
    rig_attach(&driver, &config->driver.active, &config->driver.free);
    for (uint32_t i = 0; i < clients; i++) {
        struct net_virt_rx_client *client = &config->client[i];
        client->rx = rig_pair(DMA_BUFFERS, BUFFERS, (uint8_t)(CH_FIRST + i));
        mac_of(i, client->mac);
        rig_attach(&peer[i], &client->rx.free, &client->rx.active);
    }
    chain_virt_rx_init();
}

/* In turn, each client is sent `burst` frames, after each of which it returns what it has. */
static void rx_rounds(uint32_t clients, uint32_t burst)
{
    rx_start(clients);
    uint8_t *data = (uint8_t *)(uintptr_t)chain_virt_rx_config.data.vaddr;
    uint32_t receiver = 0;
    for (int round = 0; round < ROUNDS + 2; round++) {
        for (uint32_t sent = 0; sent < FRAMES; sent += burst, receiver = (receiver + 1) % clients) {
            for (uint32_t i = 0; i < burst; i++) {
                struct net_entry entry = rig_take(&driver);
                uint8_t mac[6];
                mac_of(receiver, mac);
                rig_ethernet(data + entry.address, mac, rig_host, 0x0800);
                rig_send_at(&driver, entry.address, 1000);
            }
            if (round >= 2) {
                count_begin();
            }
            chain_virt_rx_notified(CH_DRIVER);
            if (round >= 2) {
                count_end();
            }
            while (rig_waiting(&peer[receiver]) > 0) {
                rig_send_at(&peer[receiver], rig_take(&peer[receiver]).address, 0);
            }
            sddf_queue_request_signal(&peer[receiver].in); /* like everybody who sleeps */
        }
    }
}

/* ---- the tables ---------------------------------------------------------------------------- */

static void check_growth(const char *name, void (*rounds)(uint32_t clients, uint32_t burst))
{
    static const uint32_t all_counts[] = {1, 2, 4, 8, 16, 28, 61}, some_counts[] = {1, 61};
    static const uint32_t bursts[] = {1, 8, 2, 4};
    const bool all = getenv("SDDF_SCALE") != NULL;
    const uint32_t *counts = all ? all_counts : some_counts;
    for (size_t b = 0; b < (all ? 4 : 2); b++) {
        const uint32_t calls = ROUNDS * FRAMES / bursts[b];
        const double switches = (double)instructions(nothing, 0, 0) / ROUNDS * calls;
        double one = 0, largest = 0;
        char line[200] = "";
        for (size_t c = 0; c < (all ? 7 : 2); c++) {
            double cost =
                ((double)instructions(rounds, counts[c], bursts[b]) - switches) / (ROUNDS * FRAMES);
            one = c == 0 ? cost : one;
            snprintf(line + strlen(line), sizeof(line) - strlen(line), " %u: %.0f", counts[c],
                     cost);
            largest = cost > largest ? cost : largest;
        }
        print_message("%s, %u at a time, instructions per packet by clients:%s\n", name, bursts[b],
                      line);
        assert_true(largest <= 1.1 * one);
    }
}

static void test_virt_tx(void **state)
{
    (void)state;
    check_growth("virt_tx", tx_rounds);
}

static void test_virt_rx(void **state)
{
    (void)state;
    check_growth("virt_rx", rx_rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virt_tx),
        cmocka_unit_test(test_virt_rx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
