/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The yardstick: the UDP echo that anybody would write on Linux. One socket, no option set, one
 * recvfrom and one sendto per datagram. Two services are two of these processes.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static char data[65536];

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    if (argc < 2 || argc > 3 || (argc == 3 && inet_aton(argv[2], &here.sin_addr) == 0)) {
        fprintf(stderr, "usage: echo_linux PORT [ADDRESS]: answers every UDP datagram\n");
        return 2;
    }
    here.sin_port = htons((uint16_t)atoi(argv[1]));

    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&here, sizeof(here)) != 0) {
        perror("echo_linux");
        return 1;
    }
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(s, data, sizeof(data), 0, (struct sockaddr *)&from, &size);
        if (n >= 0) {
            sendto(s, data, (size_t)n, 0, (struct sockaddr *)&from, size);
        }
    }
}
