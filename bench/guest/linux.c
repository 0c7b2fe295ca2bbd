/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of user space in the Linux machine that bench/insn compares with, static, as its /init: a UDP
 * echo, a process that counts what is left at idle priority, and one that answers for both on
 * STAMP_PORT. In the environment, which is the kernel's command line: BATCH=64 for recvmmsg and
 * sendmmsg of so many datagrams in place of recvfrom and sendto of one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNTER "cntvct_el0"
#include "counter.h"
#include "stamp.h"

#define PORT_ECHO 1235
#define BATCH_MAX 64
#define BYTES_MAX 2048

static volatile struct {
    uint64_t idle;
    uint64_t packets;
} * shared;

static _Noreturn void fail(const char *what)
{
    perror(what);
    for (;;) {
        pause(); /* the kernel must not lose its first process */
    }
}

static void load_module(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) {
        fail(path);
    }
    close(fd);
}

static void set_address(const char *address, const char *mask)
{
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {.ifr_name = "eth0"};
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    in->sin_family = AF_INET;
    inet_pton(AF_INET, address, &in->sin_addr);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
        fail("the interface's address");
    }
    inet_pton(AF_INET, mask, &in->sin_addr);
    ioctl(fd, SIOCSIFNETMASK, &request);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        fail("the interface");
    }
    close(fd);
}

static int listen_on(uint16_t port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int room = 4 << 20; /* for the largest window: nothing is to be lost */
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0) {
        fail("a socket");
    }
    return fd;
}

static void echo(int fd)
{
    static char bytes[BYTES_MAX];
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        const ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);
        if (n >= 0 && sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, size) == n) {
            shared->packets++;
        }
    }
}

static void echo_batches(int fd, unsigned batch)
{
    static char bytes[BATCH_MAX][BYTES_MAX];
    static struct sockaddr_in from[BATCH_MAX];
    static struct iovec parts[BATCH_MAX];
    static struct mmsghdr messages[BATCH_MAX];
    for (;;) {
        for (unsigned i = 0; i < batch; i++) {
            parts[i] = (struct iovec){bytes[i], BYTES_MAX};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                                  .msg_namelen = sizeof(from[i]),
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1};
        }
        const int n = recvmmsg(fd, messages, batch, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++) {
            parts[i].iov_len = messages[i].msg_len;
        }
        for (int sent = 0; sent < n;) {
            const int m = sendmmsg(fd, messages + sent, (unsigned)(n - sent), 0);
            if (m <= 0) {
                break;
            }
            sent += m;
            shared->packets += (uint64_t)m;
        }
    }
}

static void count_idle(void)
{
    const struct sched_param zero = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &zero) != 0) {
        fail("SCHED_IDLE");
    }
    uint64_t last = counter_now(), total = 0;
    for (;;) {
        const uint64_t now = counter_now();
        if (now - last <= COUNTER_UNDISTURBED) {
            total += now - last;
            shared->idle = total;
        }
        last = now;
    }
}

static void answer_stamps(int fd)
{
    uint64_t words[STAMP_BYTES / 8];
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        if (recvfrom(fd, words, sizeof(words), 0, (struct sockaddr *)&from, &size) != STAMP_BYTES) {
            continue;
        }
        words[STAMP_COUNTER] = counter_now();
        words[STAMP_FREQUENCY] = counter_frequency();
        words[STAMP_IDLE] = shared->idle;
        words[STAMP_PACKETS] = shared->packets;
        words[STAMP_ACCOUNTS] = 0;
        sendto(fd, words, sizeof(words), 0, (struct sockaddr *)&from, size);
    }
}

int main(void)
{
    const char *batch = getenv("BATCH");
    load_module("/failover.ko");
    load_module("/net_failover.ko");
    load_module("/virtio_mmio.ko");
    load_module("/virtio_net.ko");
    set_address("10.0.0.10", "255.255.255.0");
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail("a page");
    }
    const int echo_socket = listen_on(PORT_ECHO), stamp_socket = listen_on(STAMP_PORT);
    if (fork() == 0) {
        count_idle();
    }
    if (fork() == 0) {
        answer_stamps(stamp_socket);
    }
    puts("echo: ready");
    if (batch != NULL && atoi(batch) > 1 && atoi(batch) <= BATCH_MAX) {
        echo_batches(echo_socket, (unsigned)atoi(batch));
    }
    echo(echo_socket);
}
