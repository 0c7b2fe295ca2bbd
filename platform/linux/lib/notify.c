/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notifications, interrupts and sleep. The protocol between sender and sleeper, with the reason why
 * no wake-up is lost, is at the top of abi.h.
 */
#include <microkit_linux.h>
#include <poll.h>
#include <sddf/clock.h>
#include <string.h>
#include <sys/syscall.h>

#include "pd.h"

void mk_no_channel(const char *call, microkit_channel ch, const char *what)
{
    char digits[11];
    char *digit = &digits[sizeof digits - 1];
    *digit = '\0';
    do {
        *--digit = (char)('0' + ch % 10);
        ch /= 10;
    } while (ch != 0);
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": ");
    microkit_dbg_puts(call);
    microkit_dbg_puts(": this protection domain has no channel ");
    microkit_dbg_puts(digit);
    microkit_dbg_puts(what);
    microkit_dbg_puts("\n");
}

static const struct mk_channel *channel_of(microkit_channel ch, uint32_t kind)
{
    if (ch >= MK_CHANNELS || mk_pd.boot->channel[ch].kind != kind)
        return NULL;
    return &mk_pd.boot->channel[ch];
}

void mk_ring(microkit_channel ch)
{
    const struct mk_channel *channel = &mk_pd.boot->channel[ch];
    const struct mk_signal_page *peer = (const void *)channel->peer_page;
    /* Between what was stored for the peer and the look at its sleep; pairs with mk_lie_down. */
    sddf_fence_seq_cst();
    uint32_t asleep = sddf_load_relaxed_u32(&peer->asleep.word);
    if ((asleep & 1) == 0 || asleep == mk_pd.rung[ch])
        return;
    mk_pd.rung[ch] = asleep;
    microkit_linux_syscall(SYS_write, channel->doorbell, (long)&mk_pd.boot->one,
                           sizeof mk_pd.boot->one, 0, 0, 0);
}

void microkit_notify(microkit_channel ch)
{
    const struct mk_channel *channel = channel_of(ch, MK_CHANNEL_NOTIFY);
    if (channel == NULL || (channel->flags & MK_CHANNEL_MAY_NOTIFY) == 0) {
        mk_no_channel("microkit_notify", ch, " to notify on");
        return;
    }
    /* Release: who sees the notification sees all that was stored before it. */
    sddf_store_release_u32(&mk_pd.own->sent[ch].word, ++mk_pd.sent[ch]);
    mk_ring(ch);
}

void microkit_irq_ack(microkit_channel ch)
{
    if (channel_of(ch, MK_CHANNEL_IRQ) == NULL) {
        mk_no_channel("microkit_irq_ack", ch, " that is an interrupt");
        return;
    }
    mk_pd.irqs_masked &= ~MK_BIT(ch);
    const struct mk_channel *channel = &mk_pd.boot->channel[ch];
    if (channel->doorbell >= 0)
        microkit_linux_syscall(SYS_write, channel->doorbell, (long)&mk_pd.boot->one,
                               sizeof mk_pd.boot->one, 0, 0, 0);
}

static void defer(unsigned what, microkit_channel ch)
{
    const bool same = mk_pd.deferred == what && mk_pd.deferred_channel == ch;
    if (mk_pd.deferred_this_wake && !same && (mk_pd.boot->flags & MK_BOOT_CHECKED)) {
        microkit_dbg_puts(microkit_name);
        microkit_dbg_puts(": deferred signal lost: the one on channel ");
        microkit_dbg_put32(mk_pd.deferred_channel);
        microkit_dbg_puts(" was replaced by a second one, on channel ");
        microkit_dbg_put32(ch);
        microkit_dbg_puts(", in the same wake-up\n");
    }
    mk_pd.deferred = what;
    mk_pd.deferred_channel = ch;
    mk_pd.deferred_this_wake = true;
}

void microkit_deferred_notify(microkit_channel ch)
{
    const struct mk_channel *channel = channel_of(ch, MK_CHANNEL_NOTIFY);
    if (channel == NULL || (channel->flags & MK_CHANNEL_MAY_NOTIFY) == 0)
        mk_no_channel("microkit_deferred_notify", ch, " to notify on");
    else
        defer(MK_DEFERRED_NOTIFY, ch);
}

void microkit_deferred_irq_ack(microkit_channel ch)
{
    if (channel_of(ch, MK_CHANNEL_IRQ) == NULL)
        mk_no_channel("microkit_deferred_irq_ack", ch, " that is an interrupt");
    else
        defer(MK_DEFERRED_ACK, ch);
}

void mk_gather(void)
{
    struct mk_pd *pd = &mk_pd;
    for (unsigned i = 0; i < pd->peers; i++) {
        /* Acquire: with the notification comes what its sender stored before it. */
        uint32_t word = sddf_load_acquire_u32(pd->peer_word[i]);
        if (word != pd->peer_seen[i]) { /* only "changed" counts: the word is the peer's */
            pd->peer_seen[i] = word;
            pd->pending |= MK_BIT(pd->peer_channel[i]);
        }
    }
}

void mk_lie_down(void)
{
    sddf_store_relaxed_u32(&mk_pd.own->asleep.word, ++mk_pd.asleep);
    /* Between the word and the last look at the peers; pairs with mk_ring. */
    sddf_fence_seq_cst();
}

void mk_get_up(void)
{
    /*
     * No fence: a sender that still sees the old word rings once too often, or does not ring since
     * it rang already for this sleep; what it sent is found at the latest when this PD lies down
     * again and looks.
     */
    sddf_store_relaxed_u32(&mk_pd.own->asleep.word, ++mk_pd.asleep);
}

static void empty(int counter)
{
    uint64_t count;
    microkit_linux_syscall(SYS_read, counter, (long)&count, sizeof count, 0, 0, 0);
}

static void read_doorbell(void)
{
    empty(mk_pd.boot->doorbell);
}

/* Interrupts that are not masked go to pending; with `wait`, returns when one or a ring came. */
void mk_poll_irqs(bool wait)
{
    struct pollfd polled[1 + MK_CHANNELS];
    unsigned channel[1 + MK_CHANNELS];
    unsigned count = 0;
    polled[count++] = (struct pollfd){.fd = mk_pd.boot->doorbell, .events = POLLIN};
    for (uint64_t left = mk_pd.irqs & ~mk_pd.irqs_masked; left != 0; left &= left - 1) {
        channel[count] = (unsigned)__builtin_ctzll(left);
        polled[count] =
            (struct pollfd){.fd = mk_pd.boot->channel[channel[count]].irq, .events = POLLIN};
        count++;
    }
    uint64_t after = wait ? mk_pd.irq_after : 0;
    if (count == 1 && after == 0) {
        if (wait)
            read_doorbell();
        return;
    }
    struct timespec timeout = {(time_t)(after / 1000000000), (long)(after % 1000000000)};
    long ready = microkit_linux_syscall(SYS_ppoll, (long)polled, count,
                                        wait && after == 0 ? 0 : (long)&timeout, 0, 0, 0);
    if (wait)
        mk_pd.irq_after = 0; /* it was for this sleep */
    if (ready == 0 && after != 0)
        mk_pd.pending |= MK_BIT(mk_pd.irq_after_channel);
    if (ready <= 0)
        return;
    /* POLLERR and POLLHUP are interrupts as well: the driver finds out what its device has. */
    for (unsigned i = 1; i < count; i++) {
        if (polled[i].revents == 0)
            continue;
        mk_pd.pending |= MK_BIT(channel[i]);
        /* Before the driver looks at its device: what the device says after this comes again. */
        if (mk_pd.boot->channel[channel[i]].flags & MK_CHANNEL_COUNTED)
            empty(polled[i].fd);
    }
    /* Nobody else reads the doorbell, so this does not block. */
    if (polled[0].revents & POLLIN)
        read_doorbell();
}

/*
 * A PD that looks about is awake: who notifies it makes no system call, and neither does it. That
 * pays if what it waits for comes soon, from another processor. So it measures its waits, sleep
 * included: after one that was shorter than what it may look about, it looks about for longer next
 * time, after a longer one for half as long, and in the end not at all.
 */
#define LEAST_PART 16 /* of what the description permits; what is below that is not at all */

struct mk_look mk_look_begin(void)
{
    if (mk_pd.boot->poll_ns == 0)
        return (struct mk_look){0, 0};
    uint64_t now = sddf_clock_now();
    return (struct mk_look){now, now + mk_pd.poll_ns};
}

bool mk_look_on(const struct mk_look *look)
{
    if (look->until == look->began || sddf_clock_now() >= look->until)
        return false;
    __asm__ volatile("pause");
    return true;
}

void mk_look_end(const struct mk_look *look)
{
    uint64_t most = mk_pd.boot->poll_ns;
    if (most == 0)
        return;
    uint64_t waited = sddf_clock_now() - look->began;
    if (waited <= most) {
        uint64_t longer = mk_pd.poll_ns > waited ? 2 * mk_pd.poll_ns : 2 * waited;
        mk_pd.poll_ns = longer < most ? longer : most;
    } else {
        mk_pd.poll_ns = mk_pd.poll_ns / 2 >= most / LEAST_PART ? mk_pd.poll_ns / 2 : 0;
    }
}

static bool something_came(void)
{
    mk_gather();
    return mk_pd.pending != 0 || mk_next_call() != MK_CHANNELS || mk_next_fault() != MK_CHILDREN;
}

void mk_wait(void)
{
    struct mk_look look = mk_look_begin();
    bool came = false;
    while (mk_look_on(&look) && !came) {
        if (mk_pd.irqs != 0)
            mk_poll_irqs(false);
        came = something_came();
    }
    if (!came) {
        mk_lie_down();
        if (!something_came())
            mk_poll_irqs(true);
        mk_get_up();
        mk_gather();
    }
    mk_look_end(&look);
}

void microkit_linux_irq_after(microkit_channel ch, uint64_t ns)
{
    if (channel_of(ch, MK_CHANNEL_IRQ) == NULL) {
        mk_no_channel("microkit_linux_irq_after", ch, " that is an interrupt");
        return;
    }
    mk_pd.irq_after = ns;
    mk_pd.irq_after_channel = ch;
}

int microkit_linux_irq_fd(microkit_channel ch)
{
    const struct mk_channel *channel = channel_of(ch, MK_CHANNEL_IRQ);
    return channel == NULL ? -1 : channel->irq;
}

long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
