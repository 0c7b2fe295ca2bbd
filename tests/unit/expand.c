/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a network with one static and one DHCP client becomes: everybody's rights to every region,
 * configurations that agree with the maps, and a plain description that means the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_maker.h"
#include "sddf/net.h"
#include "sddf/timer.h"
#include "system/model.h"
#include "system/system.h"

static char folder[] = "/tmp/sddf-expand-XXXXXX";

static const struct {
    const char *name;
    struct elf_order order;
} elfs[] = {
    {"client.elf",
     {EM_X86_64,
      ET_EXEC,
      {{"sddf_net_config", sizeof(struct net_client_config)},
       {"sddf_timer_config", sizeof(struct timer_client_config)}}}},
    {"net.elf", {EM_X86_64, ET_EXEC, {{"sddf_net_config", sizeof(struct net_client_config)}}}},
    {"driver.elf", {EM_X86_64, ET_EXEC, {{"sddf_net_config", sizeof(struct net_driver_config)}}}},
    {"timer.elf",
     {EM_X86_64, ET_EXEC, {{"sddf_timer_config", sizeof(struct timer_driver_config)}}}},
    {"net_virt_rx.elf",
     {EM_X86_64, ET_EXEC, {{"sddf_net_config", sizeof(struct net_virt_rx_config)}}}},
    {"net_virt_tx.elf",
     {EM_X86_64,
      ET_EXEC,
      {{"sddf_net_config", sizeof(struct net_virt_tx_config)},
       {"sddf_timer_config", sizeof(struct timer_client_config)}}}},
    {"net_copy.elf", {EM_X86_64, ET_EXEC, {{"sddf_net_config", sizeof(struct net_copy_config)}}}},
    {"net_arp.elf", {EM_X86_64, ET_EXEC, {{"sddf_net_config", sizeof(struct net_arp_config)}}}},
};
enum { elf_count = sizeof(elfs) / sizeof(elfs[0]) };

static const char description[] =
    "<system><protection_domain name=\"a\" priority=\"9\"><program_image path=\"net.elf\"/>"
    "<map mr=\"own\" vaddr=\"0x10000000\"/></protection_domain>"
    "<protection_domain name=\"b\" priority=\"9\"><program_image path=\"client.elf\"/>"
    "</protection_domain><memory_region name=\"own\" size=\"0x3000\"/>"
    "<channel><end pd=\"a\" id=\"0\"/><end pd=\"b\" id=\"1\"/></channel>"
    "<network device=\"%s\" rx_buffers=\"64\">"
    "<client pd=\"a\" mac=\"52:54:00:00:00:01\" ip=\"10.0.0.10/24\" rx=\"16\" tx=\"4\"/>"
    "<client pd=\"b\" mac=\"52:54:00:00:00:02\" ip=\"dhcp\" subnet=\"10.0.0.0/24\"/></network>"
    "<timer device=\"timer0\"><client pd=\"b\"/></timer></system>";

struct loaded {
    struct board board;
    struct system system;
};

static void load(struct loaded *l, const char *path)
{
    struct system_errors errors = {0};
    const char *const folders[] = {folder};
    struct system_search search = {folders, 1};
    bool good = board_parse(DESCRIPTIONS "/board.xml", &l->board, &errors) &&
                system_load(path, &l->system, &l->board, &search, &errors);
    system_errors_print(&errors, stderr);
    assert_true(good);
}

static void unload(struct loaded *l)
{
    system_free(&l->system);
    board_free(&l->board);
}

static void load_text(struct loaded *l, char *text)
{
    char *path = model_format("%s/net.xml", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    load(l, path);
    free(path);
    free(text);
}

static void load_network(struct loaded *l, const char *device)
{
    load_text(l, model_format(description, device));
}

static int make_programs(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < elf_count; i++) {
        char *path = model_format("%s/%s", folder, elfs[i].name);
        elf_make_file(path, &elfs[i].order);
        free(path);
    }
    return 0;
}

static int remove_programs(void **state)
{
    static const char *const others[] = {"net.xml", "plain.xml"};
    (void)state;
    for (size_t i = 0; i < elf_count + 2; i++) {
        char *path =
            model_format("%s/%s", folder, i < elf_count ? elfs[i].name : others[i - elf_count]);
        unlink(path);
        free(path);
    }
    return rmdir(folder);
}

/* "pd:rights pd:rights ..." of a region, in the order of PDs. */
static void rights(const struct system *s, const char *region, const char *expected)
{
    char text[512] = "";
    size_t index = model_region(s, region);
    assert_int_not_equal(index, SYSTEM_NONE);
    for (size_t p = 0; p < s->pd_count; p++) {
        for (size_t i = 0; i < s->pds[p].map_count; i++) {
            if (s->pds[p].maps[i].region == index) {
                const char *perms = s->pds[p].maps[i].perms == SYSTEM_READ ? "r" : "rw";
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%s",
                         *text == '\0' ? "" : " ", s->pds[p].name, perms);
            }
        }
    }
    if (strcmp(text, expected) != 0) {
        fail_msg("%s is mapped by \"%s\", not \"%s\"", region, text, expected);
    }
}

static void test_rights(void **state)
{
    (void)state;
    struct loaded l;
    load_network(&l, "ethernet0");
    const struct system *s = &l.system;
    rights(s, "ethernet0_rings", "ethernet0_driver:rw");
    rights(s, "ethernet0_layout", "ethernet0_driver:r");
    rights(s, "ethernet0_rx_dma",
           "ethernet0_virt_rx:r ethernet0_arp:r ethernet0_copy_a:r ethernet0_copy_b:r");
    rights(s, "ethernet0_a_rx_data", "a:rw ethernet0_copy_a:rw");
    rights(s, "ethernet0_b_rx_data", "b:rw ethernet0_copy_b:rw");
    rights(s, "ethernet0_a_tx_data", "a:rw ethernet0_virt_tx:r");
    rights(s, "ethernet0_b_tx_data", "b:rw ethernet0_virt_tx:r");
    rights(s, "ethernet0_arp_tx_data", "ethernet0_virt_tx:r ethernet0_arp:rw");
    rights(s, "ethernet0_driver_rx_free_producer", "ethernet0_driver:r ethernet0_virt_rx:rw");
    rights(s, "ethernet0_driver_rx_active_producer", "ethernet0_driver:rw ethernet0_virt_rx:r");
    rights(s, "ethernet0_driver_tx_active_consumer", "ethernet0_driver:rw ethernet0_virt_tx:r");
    rights(s, "ethernet0_copy_a_rx_active_producer", "ethernet0_virt_rx:rw ethernet0_copy_a:r");
    rights(s, "ethernet0_copy_a_rx_free_producer", "ethernet0_virt_rx:r ethernet0_copy_a:rw");
    rights(s, "ethernet0_a_rx_free_producer", "a:rw ethernet0_copy_a:r");
    rights(s, "ethernet0_a_tx_active_producer", "a:rw ethernet0_virt_tx:r");
    rights(s, "ethernet0_a_stats", "a:rw");
    rights(s, "ethernet0_virt_rx_stats", "ethernet0_virt_rx:rw");
    assert_int_equal(s->io_space_count, 1);
    assert_int_equal(s->io_spaces[0].map_count, 4);
    uint64_t next = 0;
    for (size_t i = 0; i < 4; i++) { /* side by side, received packets first */
        const struct system_iomap *map = &s->io_spaces[0].maps[i];
        assert_int_equal(map->iovaddr, next);
        assert_int_equal(map->perms, i == 0 ? SYSTEM_READ | SYSTEM_WRITE : SYSTEM_READ);
        next += s->regions[map->region].size;
    }
    unload(&l);
}

/* A device without DMA: its driver, and only it, maps packets besides. */
static void test_driver_with_data(void **state)
{
    (void)state;
    struct loaded l;
    load_network(&l, "ethernet1");
    rights(&l.system, "ethernet1_rx_dma",
           "ethernet1_driver:rw ethernet1_virt_rx:r ethernet1_arp:r ethernet1_copy_a:r "
           "ethernet1_copy_b:r");
    rights(&l.system, "ethernet1_a_tx_data", "a:rw ethernet1_driver:r ethernet1_virt_tx:r");
    rights(&l.system, "ethernet1_a_rx_data", "a:rw ethernet1_copy_a:rw");
    unload(&l);
}

static const void *config(const struct system *s, const char *pd, const char *symbol)
{
    size_t index = model_pd(s, pd);
    assert_int_not_equal(index, SYSTEM_NONE);
    for (size_t i = 0; i < s->pds[index].patch_count; i++) {
        if (strcmp(s->pds[index].patches[i].symbol, symbol) == 0) {
            return s->pds[index].patches[i].bytes;
        }
    }
    fail_msg("%s has no %s", pd, symbol);
    return NULL;
}

/* Where in this PD a region is, as the description says. */
static uint64_t where(const struct system *s, const char *pd, const char *region)
{
    const struct system_pd *self = &s->pds[model_pd(s, pd)];
    for (size_t i = 0; i < self->map_count; i++) {
        if (strcmp(s->regions[self->maps[i].region].name, region) == 0) {
            return self->maps[i].vaddr;
        }
    }
    fail_msg("%s does not map %s", pd, region);
    return 0;
}

static void test_configurations(void **state)
{
    (void)state;
    struct loaded l;
    load_network(&l, "ethernet0");
    const struct system *s = &l.system;
    const struct net_client_config *a = config(s, "a", "sddf_net_config");
    const struct net_client_config *b = config(s, "b", "sddf_net_config");
    const struct net_virt_rx_config *rx = config(s, "ethernet0_virt_rx", "sddf_net_config");
    const struct net_virt_tx_config *tx = config(s, "ethernet0_virt_tx", "sddf_net_config");
    const struct net_arp_config *arp = config(s, "ethernet0_arp", "sddf_net_config");
    const struct net_driver_config *driver = config(s, "ethernet0_driver", "sddf_net_config");

    assert_true(sddf_config_ok(&a->header, SDDF_ROLE_NET_CLIENT, sizeof(*a)));
    assert_int_equal(a->ipv4, htonl(0x0a00000a));
    assert_int_equal(a->prefix, 24);
    assert_int_equal(a->arp_channel, SDDF_NO_CHANNEL);
    assert_int_equal(a->rx.active.capacity, 16);
    assert_int_equal(a->tx.free.capacity, 4);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->rx_data.vaddr, where(s, "a", "ethernet0_a_rx_data"));
    assert_true(a->rx.free.producer >= 0x10003000); /* behind its own map */
    assert_int_equal(a->rx.free.producer, where(s, "a", "ethernet0_a_rx_free_producer"));
    assert_int_equal(a->tx.active.consumer, where(s, "a", "ethernet0_a_tx_active_consumer"));
    assert_true(a->rx.channel != 0 && a->tx.channel != 0); /* 0 is taken by hand */

    assert_int_equal(b->ipv4, 0);
    assert_int_equal(arp->client[1].ipv4, htonl(0x0a000000));
    assert_int_equal(arp->client[1].prefix, 24);
    assert_int_not_equal(b->arp_channel, SDDF_NO_CHANNEL);
    assert_int_equal(arp->client_count, 2);

    assert_int_equal(rx->client_count, 3);
    assert_int_equal(rx->client[0].kind, NET_RECEIVER_CLIENT);
    assert_int_equal(rx->client[1].kind, NET_RECEIVER_DHCP);
    assert_int_equal(rx->client[2].kind, NET_RECEIVER_ARP);
    assert_int_equal(rx->client[0].rx.active.capacity, 16);
    assert_int_equal(rx->client[0].rx.free.capacity, 64); /* whatever it holds, it can return */
    assert_int_equal(rx->buffer_count, 64);

    assert_int_equal(tx->client_count, 3);
    assert_int_equal(tx->client[0].ipv4, htonl(0x0a00000a));
    assert_int_equal(tx->client[1].ipv4, 0); /* claims one */
    assert_int_equal(tx->client[2].any_mac, 1);
    assert_int_equal(tx->client[0].data.io_address, s->io_spaces[0].maps[1].iovaddr);
    assert_int_equal(driver->data_count, 4);
    assert_int_equal(driver->data[0].vaddr, 0);
    assert_int_equal(driver->device.region_count, 2);

    const struct timer_client_config *timer = config(s, "b", "sddf_timer_config");
    assert_true(sddf_config_ok(&timer->header, SDDF_ROLE_TIMER_CLIENT, sizeof(*timer)));
    unload(&l);
}

static const char limited[] =
    "<system><protection_domain name=\"a\"><program_image path=\"client.elf\"/>"
    "</protection_domain>"
    "<network device=\"ethernet0\" policy=\"drr\">"
    "<client pd=\"a\" mac=\"52:54:00:00:00:01\" ip=\"10.0.0.10/24\" weight=\"7\"%s/></network>"
    "<timer device=\"timer0\"><client pd=\"a\"/></timer></system>";

/* A limit makes the Tx virtualiser a client of the timer; without one it is told that it is none.
 */
static void test_limit_takes_a_timer(void **state)
{
    (void)state;
    for (int limit = 0; limit < 2; limit++) {
        struct loaded l;
        load_text(&l, model_format(limited, limit ? " limit=\"100Mb/s\" window=\"2ms\"" : ""));
        const struct net_virt_tx_config *tx =
            config(&l.system, "ethernet0_virt_tx", "sddf_net_config");
        assert_int_equal(tx->policy, NET_TX_DRR);
        assert_int_equal(tx->client[0].weight, 7);
        assert_int_equal(tx->client[0].limit, limit ? 100000000 : 0);
        assert_int_equal(tx->client[0].window, limit ? 2000 : 0);
        assert_int_equal(tx->client[1].limit, 0); /* the ARP component */
        assert_int_equal(tx->client[1].weight, 1);
        const struct timer_client_config *timer =
            config(&l.system, "ethernet0_virt_tx", "sddf_timer_config");
        const struct timer_driver_config *driver =
            config(&l.system, "timer0_driver", "sddf_timer_config");
        assert_true(sddf_config_ok(&timer->header, SDDF_ROLE_TIMER_CLIENT, sizeof(*timer)));
        assert_int_equal(timer->channel != SDDF_NO_CHANNEL, limit);
        assert_int_equal(driver->client_count, 1 + limit);
        unload(&l);
    }
}

static const char less[] =
    "<system><protection_domain name=\"a\"><program_image path=\"net.elf\"/></protection_domain>"
    "<network device=\"%s\" rx_buffers=\"64\"%s>"
    "<client pd=\"a\" mac=\"52:54:00:00:00:01\" ip=\"10.0.0.10/24\" "
    "tx=\"4\"%s/></network></system>";

/* Without a copier the client has the DMA region; alone with the driver, IO addresses besides. */
static void test_less_isolation(void **state)
{
    (void)state;
    struct loaded l;
    load_text(&l, model_format(less, "ethernet0", "", " copy=\"false\""));
    const struct net_client_config *a = config(&l.system, "a", "sddf_net_config");
    const struct net_virt_rx_config *rx = config(&l.system, "ethernet0_virt_rx", "sddf_net_config");
    rights(&l.system, "ethernet0_rx_dma", "a:rw ethernet0_virt_rx:r ethernet0_arp:r");
    assert_int_equal(model_pd(&l.system, "ethernet0_copy_a"), SYSTEM_NONE);
    assert_int_equal(a->rx_buffer_count, 64);
    assert_int_equal(a->rx_data.vaddr, where(&l.system, "a", "ethernet0_rx_dma"));
    assert_int_equal(a->rx_data.io_address, 0);
    assert_int_equal(a->rx_lent, 1);
    assert_int_equal(a->tx_own, 0);
    assert_int_equal(a->rx.free.capacity, 64); /* whatever it holds, it can return */
    assert_int_equal(a->rx.active.capacity, 512);
    assert_int_equal(a->rx.active.producer,
                     where(&l.system, "a", "ethernet0_a_rx_active_producer"));
    assert_memory_equal(rx->client[0].mac, a->mac, 6);
    unload(&l);

    static const char *const devices[] = {"ethernet0", "ethernet1"};
    for (int data = 0; data < 2; data++) {
        load_text(&l, model_format(less, devices[data], " shared=\"false\"", ""));
        char *name = model_format("%s_driver", devices[data]);
        const struct net_driver_config *driver = config(&l.system, name, "sddf_net_config");
        a = config(&l.system, "a", "sddf_net_config");
        assert_int_equal(l.system.pd_count, 2);
        assert_int_equal(a->rx_lent, 0);
        assert_int_equal(a->tx_own, 1);
        assert_int_equal(a->ipv4, htonl(0x0a00000a));
        assert_int_equal(a->rx_data.io_address, driver->data[0].io_address);
        assert_int_equal(a->tx_data.io_address, driver->data[1].io_address);
        assert_int_equal(a->tx_data.io_address, 64 * NET_BUFFER_SIZE);
        assert_int_equal(driver->data_count, 2);
        assert_int_equal(driver->data[0].vaddr != 0, data);
        assert_int_equal(driver->data[1].vaddr != 0, data);
        assert_int_equal(a->tx.active.capacity, driver->tx.active.capacity);
        assert_int_equal(a->rx.channel != a->tx.channel, true);
        free(name);
        unload(&l);
    }
}

static unsigned device_rights(const struct system *s, const char *region)
{
    unsigned perms = 0;
    for (size_t i = 0; i < s->io_space_count; i++) {
        const struct system_io_space *space = &s->io_spaces[i];
        for (size_t j = 0; j < space->map_count; j++) {
            const struct system_iomap *map = &space->maps[j];
            perms |= strcmp(s->regions[map->region].name, region) == 0 ? map->perms : 0;
        }
    }
    return perms;
}

/* One set of buffers: the device writes to them and sends from them, and there are no others. */
static void test_in_place(void **state)
{
    (void)state;
    static const char in_place[] =
        "<system><protection_domain name=\"a\"><program_image path=\"net.elf\"/>"
        "</protection_domain><network device=\"ethernet0\" rx_buffers=\"64\" shared=\"false\">"
        "<client pd=\"a\" mac=\"52:54:00:00:00:01\" ip=\"10.0.0.10/24\"%s/></network></system>";
    for (int i = 0; i < 2; i++) {
        struct loaded l;
        load_text(&l, model_format(in_place, i ? " in_place=\"true\"" : ""));
        const struct net_client_config *a = config(&l.system, "a", "sddf_net_config");
        const struct net_driver_config *driver =
            config(&l.system, "ethernet0_driver", "sddf_net_config");
        assert_int_equal(a->tx_data.vaddr == a->rx_data.vaddr, i);
        assert_int_equal(driver->data[0].io_address == driver->data[1].io_address, i);
        assert_int_equal(a->tx_own, !i);
        assert_int_equal(driver->data_count, 2);
        if (i) {
            assert_int_equal(a->tx_buffer_count, 64);
            assert_int_equal(a->tx_data.io_address, a->rx_data.io_address);
            assert_int_equal(driver->data[1].size, driver->data[0].size);
            assert_int_equal(device_rights(&l.system, "ethernet0_rx_dma"),
                             SYSTEM_READ | SYSTEM_WRITE);
            assert_int_equal(model_region(&l.system, "ethernet0_a_tx_data"), SYSTEM_NONE);
        }
        unload(&l);
    }
}

static char *emitted(const struct system *system)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(system_emit(system, out));
    fclose(out);
    return text;
}

/* The plain description is a description, and says the same. */
static void test_plain(void **state)
{
    (void)state;
    struct loaded first;
    struct system second;
    struct system_errors errors = {0};
    load_network(&first, "ethernet0");
    char *text = emitted(&first.system);
    char *path = model_format("%s/plain.xml", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    /* Parsed only: to be good, it needs the programs that sddf build configures. */
    assert_true(system_parse(path, &second, &errors));
    char *again = emitted(&second);
    assert_string_equal(text, again);
    free(again);
    free(text);
    free(path);
    system_free(&second);
    unload(&first);
}

/* Without an IOMMU, in large pages: what a device reaches has some of its own, one after another.
 */
static void test_large_dma(void **state)
{
    (void)state;
    static const char *const reached[] = {"ethernet0_rx_dma", "ethernet0_a_tx_data",
                                          "ethernet0_b_tx_data", "ethernet0_arp_tx_data"};
    const uint64_t page = 0x200000;
    struct loaded l;
    struct system_errors errors = {0};
    const char *const folders[] = {folder};
    struct system_search search = {folders, 1};
    char *path = model_format("%s/net.xml", folder);
    load_network(&l, "ethernet0"); /* (which leaves the description there) */
    system_free(&l.system);
    l.board.dma =
        (struct board_dma){.phys = 0x40000000, .size = 4 * page, .page = page, .coherent = true};
    assert_true(system_load(path, &l.system, &l.board, &search, &errors));
    assert_int_equal(l.system.io_space_count, 0);
    uint64_t seen = 0;
    for (size_t i = 0; i < sizeof(reached) / sizeof(reached[0]); i++) {
        const size_t region = model_region(&l.system, reached[i]);
        const struct system_region *r = &l.system.regions[region];
        assert_true(r->has_phys && r->size == page && r->phys % page == 0);
        assert_true(r->phys >= 0x40000000 && r->phys - 0x40000000 < 4 * page);
        seen |= 1u << (r->phys - 0x40000000) / page;
        for (size_t p = 0; p < l.system.pd_count; p++) {
            for (size_t m = 0; m < l.system.pds[p].map_count; m++) {
                const struct system_map *map = &l.system.pds[p].maps[m];
                assert_true(map->region != region || map->vaddr % page == 0);
            }
        }
    }
    assert_int_equal(seen, 15);
    system_free(&l.system);

    /* And one less is too little. */
    l.board.dma.size = 3 * page;
    assert_false(system_load(path, &l.system, &l.board, &search, &errors));
    assert_non_null(strstr(errors.list[0].text, "reach 0x600000 bytes of memory"));
    system_errors_free(&errors);
    unload(&l);
    free(path);
}

/* A board whose only device has a card, with this for its interrupts. */
static bool parse_card(const char *interrupts, struct board *board, struct system_errors *errors)
{
    char *path = model_format("%s/board.xml", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out,
            "<board name=\"b\" arch=\"x86_64\"><device name=\"ethernet0\" class=\"network\" "
            "kind=\"vfio\"><card pci=\"8086:10d3\" driver=\"driver.elf\" %s><irq number=\"1\" "
            "trigger=\"edge\"/></card></device></board>",
            interrupts);
    fclose(out);
    *errors = (struct system_errors){0};
    bool good = board_parse(path, board, errors);
    remove(path);
    free(path);
    return good;
}

static void test_interrupts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum board_interrupts kind;
    } kinds[] = {{"", BOARD_MSIX},
                 {"interrupts=\"msi-x\"", BOARD_MSIX},
                 {"interrupts=\"msi\"", BOARD_MSI},
                 {"interrupts=\"intx\"", BOARD_INTX}};
    struct board board;
    struct system_errors errors;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        assert_true(parse_card(kinds[i].text, &board, &errors));
        assert_int_equal(board.devices[0].interrupts, kinds[i].kind);
        assert_true(board_choose(&board.devices[0], 0x8086, 0x10d3));
        assert_int_equal(board.devices[0].interrupts, kinds[i].kind);
        board_free(&board);
    }
    assert_false(parse_card("interrupts=\"smoke\"", &board, &errors));
    assert_non_null(strstr(errors.list[0].text,
                           "interrupts=\"smoke\" is none of \"msi-x\", \"msi\" and \"intx\""));
    system_errors_free(&errors);
    board_free(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_dma),      cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_rights),         cmocka_unit_test(test_driver_with_data),
        cmocka_unit_test(test_configurations), cmocka_unit_test(test_limit_takes_a_timer),
        cmocka_unit_test(test_less_isolation), cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, make_programs, remove_programs);
}
