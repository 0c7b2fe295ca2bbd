/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds the null echo (echo_null.bpf.c) on an interface until it is ended. The program hangs on a
 * BPF link, a descriptor: however this process ends, it is gone.
 *
 * usage: echo_null INTERFACE
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const unsigned char echo_null_program[];
extern const size_t echo_null_program_size;

int main(int argc, char **argv)
{
    int interface = argc == 2 ? (int)if_nametoindex(argv[1]) : 0;
    if (interface == 0) {
        fprintf(stderr, "usage: echo_null INTERFACE: returns UDP datagrams where they arrive\n");
        return 2;
    }
    struct bpf_object *object =
        bpf_object__open_mem(echo_null_program, echo_null_program_size, NULL);
    if (object == NULL || bpf_object__load(object) != 0) {
        fprintf(stderr, "echo_null: cannot load the program: %s\n", strerror(errno));
        return 1;
    }
    struct bpf_program *program = bpf_object__find_program_by_name(object, "echo_null");
    LIBBPF_OPTS(bpf_link_create_opts, how, .flags = XDP_FLAGS_DRV_MODE);
    if (bpf_link_create(bpf_program__fd(program), interface, BPF_XDP, &how) < 0) {
        fprintf(stderr, "echo_null: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (;;) {
        pause();
    }
}
