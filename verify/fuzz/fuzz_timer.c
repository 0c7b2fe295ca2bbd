/* SPDX-License-Identifier: BSD-2-Clause */
/* A timer driver's part that is the same for every device, between its device and three clients. */
#define TIMER_CLIENTS_MAX 3

#include "core.h"

#include "timer/driver.c"
#include "timer/timeouts.c"

enum { CLIENTS = TIMER_CLIENTS_MAX, CHANNEL = 5, IRQ = 20 };

/* Nobody waits for that long; nor does the clock ever get there. */
#define FAR_AHEAD (UINT64_C(1) << 40)

/* More than one is late by: its gap, and everybody's shares. */
#define LATE_MAX (TIMER_GAP + (CLIENTS + 1) * TIMER_SHARE)

static uint64_t now;
static uint64_t device_at; /* the device goes off then; TIMEOUTS_NEVER */
static bool early;         /* ... or at any time */

/* What each client has asked for, and not been told. */
static struct {
    struct {
        uint64_t deadline, period;
    } timeout[TIMER_IDS];
    bool changed;       /* it may be told of one that it has taken back */
    uint64_t told;      /* so often */
    uint64_t told_last; /* and when */
} client[CLIENTS];
static uint64_t notifications;
static uint64_t began;

uint64_t sddf_clock_now(void)
{
    return now;
}

bool timer_device_init(const struct sddf_device_config *device)
{
    timer_device_stop();
    return device->region_count == 0;
}

void timer_device_set(uint64_t ahead)
{
    fuzz_check(ahead > 0, "the device is set to the past");
    device_at = ahead < TIMEOUTS_NEVER - now ? now + ahead : TIMEOUTS_NEVER;
}

void timer_device_stop(void)
{
    device_at = TIMEOUTS_NEVER;
}

void microkit_irq_ack(microkit_channel ch)
{
    fuzz_check(ch == IRQ, "another interrupt is acknowledged");
}

static void fuzz_neighbours_act(void)
{
}

/* Takes what is due, of those timeouts; false if nothing is. */
static bool due(uint32_t number)
{
    bool any = false;
    for (uint32_t id = 0; id < TIMER_IDS; id++) {
        uint64_t *deadline = &client[number].timeout[id].deadline;
        const uint64_t period = client[number].timeout[id].period;
        if (*deadline == TIMEOUTS_NEVER || *deadline > now) {
            continue;
        }
        any = true;
        const uint64_t ahead = period != 0 ? period - (now - *deadline) % period : TIMEOUTS_NEVER;
        *deadline = ahead < TIMEOUTS_NEVER - now ? now + ahead : TIMEOUTS_NEVER;
    }
    return any;
}

static void fuzz_notified(microkit_channel ch)
{
    fuzz_check(ch >= CHANNEL && ch < CHANNEL + CLIENTS, "a channel is made up");
    const uint32_t number = ch - CHANNEL;
    fuzz_check(due(number) || client[number].changed, "a client is notified too early");
    client[number].changed = false;
    client[number].told_last = now;
    client[number].told++;
    notifications++;
    fuzz_check(client[number].told <= (now - began) / TIMER_GAP + 2,
               "a client is notified more often than it may be");
    fuzz_check(notifications * TIMER_SHARE <= now - began + TIMER_BURST + LATE_MAX,
               "clients are notified more often than they may be");
}

/* ---- what must hold between two handlers --------------------------------------------------- */

static void check_heap(void)
{
    uint32_t pending = 0;
    fuzz_check(timeouts.count <= TIMEOUTS_SLOTS, "more are pending than there are");
    for (uint32_t place = 0; place < timeouts.count; place++) {
        const uint16_t slot = timeouts.heap[place];
        fuzz_check(slot < TIMEOUTS_SLOTS && timeouts.place[slot] == place + 1,
                   "a timeout is somewhere else");
        fuzz_check(place == 0 ||
                       timeouts.deadline[timeouts.heap[(place - 1) / 2]] <= timeouts.deadline[slot],
                   "timeouts are out of order");
    }
    for (uint32_t slot = 0; slot < TIMEOUTS_SLOTS; slot++) {
        pending += timeouts.place[slot] != 0;
    }
    fuzz_check(pending == timeouts.count, "a timeout is lost");
}

static void at_rest(void)
{
    fuzz_steps_left = UINT32_MAX;
    check_heap();
    uint64_t first = TIMEOUTS_NEVER;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (uint32_t id = 0; id < TIMER_IDS; id++) {
            const uint64_t deadline = client[i].timeout[id].deadline;
            first = deadline < first ? deadline : first;
        }
    }
    const uint64_t from = first > now ? first : now;
    fuzz_check(first == TIMEOUTS_NEVER || from > TIMEOUTS_NEVER - LATE_MAX ||
                   device_at <= from + LATE_MAX,
               "a timeout is due, and the device is not set to it");
}

static bool device_goes_off(void)
{
    return device_at < now + FAR_AHEAD;
}

/* ---- steps --------------------------------------------------------------------------------- */

static void interrupt(void)
{
    device_at = TIMEOUTS_NEVER;
    fuzz_steps_begin();
    notified(IRQ);
    at_rest();
}

static uint64_t some_time(void)
{
    uint8_t kind = fuzz_u8();
    if (kind < 128) {
        return now + (uint64_t)fuzz_u16() * (1u << kind % 8);
    }
    return kind < 160   ? now - (uint64_t)fuzz_u16() * (1u << kind % 8)
           : kind < 240 ? now + TIMER_GAP + kind
                        : fuzz_u64() | (kind % 2 == 0 ? 0 : UINT64_MAX - 1000);
}

/* Any label, any words; what was accepted is remembered. */
static void call(uint8_t act)
{
    const uint32_t ch = CHANNEL + act % (CLIENTS + 1); /* one is nobody's */
    const uint8_t what = fuzz_u8();
    const uint64_t label = what < 160 ? TIMER_CALL_SET : what < 220 ? TIMER_CALL_CANCEL : what % 8;
    const seL4_Uint16 words = what % 16 == 15 ? what / 16 % 4 : 3;
    uint64_t id = fuzz_u8();
    id = id < 224 ? id % TIMER_IDS : id == 224 ? fuzz_u64() : id;
    const uint64_t deadline = some_time();
    const uint8_t kind = fuzz_u8();
    const uint64_t period = kind < 128   ? 0
                            : kind < 240 ? TIMER_PERIOD_MIN + fuzz_u16() * 8u - kind % 4 / 3
                                         : fuzz_u64();
    fuzz_registers[0] = id;
    fuzz_registers[1] = deadline;
    fuzz_registers[2] = period;
    fuzz_steps_begin();
    /* The model first, for it may be notified from within: as if it were accepted. */
    const bool ours = ch < CHANNEL + CLIENTS && id < TIMER_IDS;
    const bool set = label == TIMER_CALL_SET && words >= 3;
    const bool cancel = label == TIMER_CALL_CANCEL && words >= 1;
    const bool good = ours && (cancel || (set && (period == 0 || period >= TIMER_PERIOD_MIN)));
    if (good) {
        const uint32_t number = ch - CHANNEL;
        client[number].changed |= client[number].timeout[id].deadline != TIMEOUTS_NEVER;
        client[number].timeout[id].deadline = set ? deadline : TIMEOUTS_NEVER;
        client[number].timeout[id].period = period;
    }
    const microkit_msginfo answer = protected(ch, microkit_msginfo_new(label, words));
    fuzz_check((microkit_msginfo_get_label(answer) == TIMER_OK) == good, "the answer is wrong");
    at_rest();
}

static void live(void)
{
    uint8_t act = fuzz_u8();
    if (act < 128) {
        call(act);
    } else if (act < 160) {
        now += (uint64_t)fuzz_u16() << act % 8;
    } else if (act < 224) {
        now = device_goes_off() && device_at > now ? device_at + act % 32 * 16 : now;
        if (device_at <= now) {
            interrupt();
        }
    } else if (act < 240 || early) {
        if (early || device_at <= now) {
            interrupt(); /* a device that errs goes off when it likes */
        }
    } else {
        notified(act - 224); /* from who has nothing to say */
        at_rest();
    }
    /* No device is late for long. */
    while (device_at < now && now - device_at > 32 * TIMER_GAP) {
        interrupt();
    }
}

/* ---- an execution -------------------------------------------------------------------------- */

static void reset(bool from_the_start)
{
    memset(client, 0, sizeof(client));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (uint32_t id = 0; id < TIMER_IDS; id++) {
            client[i].timeout[id].deadline = TIMEOUTS_NEVER;
        }
    }
    now = began = from_the_start ? 0 : UINT64_C(1) << 50;
    notifications = 0;
    device_at = TIMEOUTS_NEVER;
}

static void fuzz_run(void)
{
    struct timer_driver_config *c = &sddf_timer_config;
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    *c = (struct timer_driver_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_DRIVER, sizeof(*c), 0},
        .device = {.irq_count = 1, .irq = {IRQ}},
        .client_count = CLIENTS,
    };
    for (uint32_t i = 0; i < CLIENTS; i++) {
        c->client[i] = (uint8_t)(CHANNEL + i);
    }
    reset((mode & 1) != 0);
    early = (mode & 2) != 0;
    switch (more) {
    case 255:
        c->header.size--;
        break;
    case 254:
        c->client_count = CLIENTS + 1;
        break;
    case 253:
        c->device.irq_count = 0;
        break;
    case 252:
        c->device.region_count = 1;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    if (more >= 252) {
        fuzz_check(!running, "it runs with a bad configuration");
        notified(IRQ);
        const microkit_msginfo answer = protected(CHANNEL, microkit_msginfo_new(TIMER_CALL_SET, 3));
        fuzz_check(microkit_msginfo_get_label(answer) == TIMER_BAD_CALL, "it answers");
        return;
    }
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        live();
    }
    /* Everybody is told at last, as long as there is time. */
    for (uint32_t i = 0; i < 64 && device_goes_off(); i++) {
        now = device_at > now ? device_at : now;
        interrupt();
    }
}
