/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside libmicrokit.a: the state of this protection domain, and what the files of the library need
 * of each other. Nothing here is shared with another PD; what is shared is in abi.h.
 */
#pragma once

#include <microkit.h>

#include "platform/linux/abi.h"

/* Bit ch of a 64-bit mask stands for channel ch. */
#define MK_BIT(ch) (UINT64_C(1) << (ch))

struct mk_pd {
    const struct mk_boot *boot;
    struct mk_signal_page *own;
    const struct mk_system_page *system;

    uint32_t asleep;            /* as in the signal page */
    uint32_t sent[MK_CHANNELS]; /* as in the signal page, which is only written */
    uint32_t rung[MK_CHANNELS]; /* the peer's `asleep` for which its doorbell was last rung */

    /* Gathering: the peers' words, and what was last seen there. */
    unsigned peers;
    unsigned peer_channel[MK_CHANNELS];
    const sddf_atomic_u32 *peer_word[MK_CHANNELS];
    uint32_t peer_seen[MK_CHANNELS];
    uint64_t pending; /* notifications and interrupts that have come and are not yet delivered */

    uint64_t irqs;        /* channels that are interrupts */
    uint64_t irqs_masked; /* delivered and not yet acknowledged */
    uint64_t irq_after;   /* ns of sleep after which irq_after_channel comes anyway; 0: never */
    microkit_channel irq_after_channel;
    uint64_t poll_ns; /* to look about before the next sleep: adapts itself (notify.c) */

    /* Calls in: callers that were seen to wait are found by their sequence. */
    uint64_t callers;
    uint32_t served[MK_CHANNELS];
    unsigned last_served;
    uint32_t called[MK_CHANNELS]; /* calls out: sequence of the last request */

    enum { MK_DEFERRED_NONE, MK_DEFERRED_NOTIFY, MK_DEFERRED_ACK } deferred;
    microkit_channel deferred_channel;
    bool deferred_this_wake;
};

extern struct mk_pd mk_pd;

/* The event loop, from the attachment to the boot page on. */
_Noreturn void mk_main(const struct mk_boot *boot);

/* Without a starter: maps what it would have mapped, and returns the boot page. */
const struct mk_boot *mk_hosted(void);

/* Wakes the peer of this channel if it sleeps. What it is to find was stored before. */
void mk_ring(microkit_channel ch);

/* Looks for new notifications; they go to mk_pd.pending. */
void mk_gather(void);

/* Lies down until somebody rings, or, with `irqs`, until an interrupt comes. */
void mk_lie_down(void);
void mk_get_up(void);
void mk_wait(void);

/*
 * To look about for a while before sleeping, where the description asks for that (poll):
 *
 *     struct mk_look look = mk_look_begin();
 *     do
 *         if it is there: leave the loop
 *     while (mk_look_on(&look));
 *     sleep, if it is not there
 *     mk_look_end(&look);
 */
struct mk_look {
    uint64_t began, until; /* 0: it does not look about */
};
struct mk_look mk_look_begin(void);
bool mk_look_on(const struct mk_look *look);
void mk_look_end(const struct mk_look *look);
void mk_poll_irqs(bool wait);

/* A caller that waits, in turns; MK_CHANNELS if there is none. */
microkit_channel mk_next_call(void);
void mk_serve_call(microkit_channel ch);

/* A child's fault that is to be heard; MK_CHILDREN if there is none. */
microkit_child mk_next_fault(void);
void mk_serve_fault(microkit_child child);

/* Prints "NAME: CALL: this protection domain has no channel N to WHAT". */
void mk_no_channel(const char *call, microkit_channel ch, const char *what);
