# SPDX-License-Identifier: BSD-2-Clause
"""Mistakes by one, each of which must leave a goal unproved.

(what, unit, functions to prove, file, what stands there, what is put in its place)
"""

SEEDED = (
    ("clamp one late", "queue", ["sddf_queue_producer_refresh"], "include/sddf/queue.h",
     "    if (tail - head > q->capacity) {\n        head = tail - q->capacity;",
     "    if (tail - head > q->capacity + 1) {\n        head = tail - q->capacity;"),
    ("one slot too many", "queue", ["net_queue_enqueue"], "include/sddf/queue_type.h",
     "if (tail - q->head >= q->capacity &&", "if (tail - q->head > q->capacity &&"),
    ("debt paid a window early", "limit", ["tx_limit_later"], "network/tx_limit.h",
     "if (windows > due) {", "if (windows >= due) {"),
    ("window entered one late", "limit", ["tx_limit_advance"], "network/tx_limit.h",
     "now - limit->begin < limit->window) {", "now - limit->begin <= limit->window) {"),
    ("turn without an entry", "policies", ["tx_round_robin_turn"], "network/tx_round_robin.h",
     "    p->turn = bits_next(p->awake, p->turn);\n        p->left = TX_ROUND_ROBIN_ENTRIES;",
     "    p->turn = bits_next(p->awake, p->turn);\n        p->left = 0;"),
    ("one place too many", "policies", ["tx_signalled_wake"], "network/tx_signalled.h",
     "p->count < TX_SIGNALLED_PLACES) {", "p->count <= TX_SIGNALLED_PLACES) {"),
    ("turn without credit", "policies", ["tx_drr_turn"], "network/tx_drr.h",
     "p->credit[p->turn] <= 0) {", "p->credit[p->turn] < 0) {"),
    ("a byte behind the frame", "helpers", ["frame_copy"], "network/frame.h",
     "        uint32_t last = length - 64;", "        uint32_t last = length - 63;"),
    ("one buffer too many", "helpers", ["buffers_find"], "network/buffers.h",
     "return buffer < buffer_count ?", "return buffer <= buffer_count ?"),
    ("the next owner's frame", "tx_check", ["mac_table_find"], "network/mac_table.h",
     "(table->slot[at] / MAC_TABLE_MACS) - 1;", "(table->slot[at] / MAC_TABLE_MACS);"),
    ("a byte behind the checksum", "tx_check", ["tx_check_entry"], "network/tx_check.h",
     "entry->csum_offset + 2 > entry->length", "entry->csum_offset + 1 > entry->length"),
    ("one range too many", "tx_check", ["tx_ranges_find"], "network/tx_ranges.h",
     "    while (at < ranges->count &&", "    while (at <= ranges->count &&"),
    ("a place too far", "virt_rx", ["buffer_reclaim"], "network/virt_rx.h",
     "    spare[spare_count++] = buffer;", "    spare[++spare_count] = buffer;"),
    ("a buffer that is on its way", "copy", ["client_holds"], "network/copy.c",
     "return sent_as[buffer] + waiting <= sent;", "return sent_as[buffer] + waiting <= sent + 1;"),
    ("one entry too many", "AF_XDP ring", ["ring_pending"], "drivers/network/linux_xdp/ring.h",
     "    if (pending > r->count) {", "    if (pending > r->count + 1) {"),
    ("no descriptor left free", "e1000e ring", ["descriptors_space"],
     "drivers/network/e1000e/descriptors.h", "r->size != 0 ? r->size - 1 -",
     "r->size != 0 ? r->size -"),
)
