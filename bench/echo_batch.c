/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux echo of somebody who knows that system calls cost: recvmmsg takes what is there, up to
 * a batch, and sendmmsg returns it. Otherwise as echo_linux.c.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 64
#define SIZE  2048

static char data[BATCH][SIZE];
static struct sockaddr_in from[BATCH];
static struct iovec part[BATCH];
static struct mmsghdr message[BATCH];

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    if (argc < 2 || argc > 3 || (argc == 3 && inet_aton(argv[2], &here.sin_addr) == 0)) {
        fprintf(stderr, "usage: echo_batch PORT [ADDRESS]: answers every UDP datagram\n");
        return 2;
    }
    here.sin_port = htons((uint16_t)atoi(argv[1]));

    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&here, sizeof(here)) != 0) {
        perror("echo_batch");
        return 1;
    }
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            part[i] = (struct iovec){.iov_base = data[i], .iov_len = SIZE};
            message[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                                 .msg_namelen = sizeof(from[i]),
                                                 .msg_iov = &part[i],
                                                 .msg_iovlen = 1};
        }
        int got = recvmmsg(s, message, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            part[i].iov_len = message[i].msg_len;
        }
        for (int sent = 0; sent < got;) {
            int n = sendmmsg(s, message + sent, (unsigned)(got - sent), 0);
            sent += n > 0 ? n : 1; /* what the kernel refuses is lost, as in any echo */
        }
    }
}
