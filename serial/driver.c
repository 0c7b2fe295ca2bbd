/* SPDX-License-Identifier: BSD-2-Clause */
#include "driver.h"

#include <string.h>

#include "link.h"
#include "tally.h"

static struct link_in tx;
static struct link_out rx;
static struct tally tally;
static struct serial_stats *stats;

bool serial_driver_start(const struct serial_driver_config *config)
{
    memset(&tally, 0, sizeof(tally));
    if (!sddf_config_ok(&config->header, SDDF_ROLE_SERIAL_DRIVER, sizeof(*config)) ||
        config->device.irq_count != 1) {
        link_refuse("the header");
        return false;
    }
    if (!tally_page_ok(&config->stats, 0)) {
        link_refuse("the statistics region");
        return false;
    }
    stats = tally_page_start(&config->stats, SDDF_ROLE_SERIAL_DRIVER, 0);
    if (!link_in_tx(&tx, &config->tx) || !link_out_rx(&rx, &config->rx)) {
        link_refuse("a virtualiser's queue");
        return false;
    }
    return true;
}

void serial_driver_woken(void)
{
    tally_add(&tally, SERIAL_STAT_WAKEUPS, 1);
}

void serial_driver_begin(void)
{
    link_in_begin(&tx);
}

void serial_driver_received(uint8_t byte)
{
    uint32_t packed = rx.packed.count + 1u;
    if (packed < SERIAL_ENTRY_BYTES) {
        link_out_put(&rx, byte);
    } else {
        bool ok = link_out_put(&rx, byte);
        tally_add(&tally, ok ? SERIAL_STAT_RX_BYTES : SERIAL_STAT_DROP_FULL, packed);
    }
}

bool serial_driver_next(uint8_t *byte)
{
    for (;;) {
        switch (link_in_take(&tx, byte)) {
        case LINK_EMPTY:
            return false;
        case LINK_BYTE:
            tally_add(&tally, SERIAL_STAT_TX_BYTES, 1);
            return true;
        case LINK_SHOW: /* all is shown at once anyway */
            break;
        case LINK_REFUSED:
            tally_add(&tally, SERIAL_STAT_REFUSED_LENGTH, 1);
            break;
        }
    }
}

bool serial_driver_waits(void)
{
    return link_in_left(&tx);
}

bool serial_driver_end(bool full)
{
    uint32_t packed = rx.packed.count;
    if (packed > 0) {
        bool ok = link_out_close(&rx);
        tally_add(&tally, ok ? SERIAL_STAT_RX_BYTES : SERIAL_STAT_DROP_FULL, packed);
    }
    uint32_t signals = link_out_end(&rx);
    signals += link_in_end(&tx);
    if (signals > 0) {
        tally_add(&tally, SERIAL_STAT_SIGNALS, signals);
    }
    bool more = !full && link_in_more(&tx);
    tally_flush(&tally, stats, 0);
    return more;
}

void serial_driver_count(enum serial_stat stat, uint64_t n)
{
    tally_add(&tally, stat, n);
}
