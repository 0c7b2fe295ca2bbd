/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Board files:
 *
 *     <board name="linux" arch="x86_64">
 *       <device name="ethernet0" class="network" driver="net_linux_xdp.elf" kind="af_xdp"
 *               io_base="0x0">
 *         <region name="rx_ring" phys_addr="0x1000000" size="0x11000"/>
 *         <irq number="1" trigger="level"/>
 *       </device>
 *     </board>
 *
 * or with a place for a PCI device, of which each kind that may be there has a <card>:
 *
 *       <device name="ethernet0" class="network" kind="vfio" io_base="0x100000000">
 *         <card pci="8086:10d3" driver="net_e1000e.elf">
 *           <region name="registers" bar="0" phys_addr="0x10000000" size="0x20000"/>
 *           <region name="rings" size="0x10000"/>
 *           <region name="config" phys_addr="0x10100000" size="0x1000" perms="r"/>
 *           <irq number="16" trigger="edge"/>
 *         </card>
 *       </device>
 *
 * or for the Microkit, with memory for devices that have no IOMMU:
 *
 *     <board name="qemu_virt_aarch64" arch="aarch64" platform="microkit">
 *       <dma phys_addr="0x80000000" size="0x10000000" coherent="true"/>
 *       <device name="ethernet0" class="network" driver="net_virtio.elf" kind="virtio_mmio">
 *         <region name="registers" phys_addr="0xa000000" size="0x1000"/>
 *         <region name="rings" size="0x10000"/>
 *         <irq number="48" trigger="edge"/>
 *       </device>
 *     </board>
 */
#include <stdlib.h>
#include <string.h>

#include "sddf/config.h"
#include "system/model.h"
#include "system/xml.h"

static const struct xml_name no_names[] = {{0}};

static const struct xml_name board_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    {.name = "arch", .need = XML_REQUIRED},
    {.name = "platform"},
    {0},
};
static const struct xml_name board_children[] = {{.name = "device"}, {.name = "dma"}, {0}};
static const struct xml_spec board_spec = {board_attributes, board_children};

static const struct xml_name device_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    {.name = "class", .need = XML_REQUIRED},
    {.name = "driver"},
    {.name = "kind", .need = XML_REQUIRED},
    {.name = "io_base"},
    {.name = "data"},
    {.name = "ring_size"},
    {.name = "pci"},
    {0},
};
static const struct xml_name device_children[] = {
    {.name = "region"}, {.name = "irq"}, {.name = "card"}, {0}};
static const struct xml_spec device_spec = {device_attributes, device_children};

static const struct xml_name card_attributes[] = {
    {.name = "pci", .need = XML_REQUIRED},
    {.name = "driver", .need = XML_REQUIRED},
    {.name = "interrupts"},
    {0},
};
static const struct xml_name card_children[] = {{.name = "region"}, {.name = "irq"}, {0}};
static const struct xml_spec card_spec = {card_attributes, card_children};

static const struct xml_name dma_attributes[] = {
    {.name = "phys_addr", .need = XML_REQUIRED},
    {.name = "size", .need = XML_REQUIRED},
    {.name = "coherent", .need = XML_REQUIRED},
    {0},
};
static const struct xml_spec dma_spec = {dma_attributes, no_names};

static const struct xml_name region_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    {.name = "phys_addr"},
    {.name = "size", .need = XML_REQUIRED},
    {.name = "perms"},
    {.name = "bar"},
    {0},
};
static const struct xml_spec region_spec = {region_attributes, no_names};

static const struct xml_name irq_attributes[] = {
    {.name = "number", .need = XML_REQUIRED},
    {.name = "trigger"},
    {0},
};
static const struct xml_spec irq_spec = {irq_attributes, no_names};

static void parse_platform(const struct xml_file *xml, xmlNodePtr root, struct board *board)
{
    char *platform = xml_string(xml, root, "platform");
    board->microkit = platform != NULL && strcmp(platform, "microkit") == 0;
    if (platform != NULL && !board->microkit && strcmp(platform, "linux") != 0) {
        system_error(xml->errors, xml_place(xml, root),
                     "platform=\"%s\" is neither \"linux\" nor \"microkit\"", platform);
    }
    free(platform);
}

static void parse_dma(const struct xml_file *xml, xmlNodePtr node, struct board_dma *dma)
{
    xml_verify(xml, node, &dma_spec);
    if (dma->size != 0) {
        system_error(xml->errors, xml_place(xml, node), "a second <dma>; a board has one");
    }
    xml_number(xml, node, "phys_addr", 0, UINT64_C(1) << 52, &dma->phys);
    xml_number(xml, node, "size", 0x1000, UINT64_C(1) << 40, &dma->size);
    xml_bool(xml, node, "coherent", &dma->coherent);
    if (dma->phys % 0x1000 != 0 || dma->size % 0x1000 != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "phys_addr and size of <dma> are multiples of 0x1000");
    }
}

static void parse_region(const struct xml_file *xml, xmlNodePtr node, const struct board *board,
                         struct board_card *card, bool is_card)
{
    xml_verify(xml, node, &region_spec);
    struct board_region region = {.name = xml_string(xml, node, "name"),
                                  .perms = SYSTEM_READ | SYSTEM_WRITE,
                                  .bar = BOARD_NO_BAR};
    xml_perms(xml, node, &region.perms);
    uint64_t bar = 0;
    if (xml_number(xml, node, "bar", 0, BOARD_NO_BAR - 1, &bar)) {
        region.bar = (unsigned)bar;
        if (!is_card) {
            system_error(xml->errors, xml_place(xml, node),
                         "only the regions of a <card> have a bar");
        }
    }
    if ((region.perms & SYSTEM_EXECUTE) != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "no program executes what a device has; perms are \"r\" or \"rw\"");
    }
    region.memory = !xml_number(xml, node, "phys_addr", 0, UINT64_C(1) << 52, &region.phys);
    if (region.memory && (region.bar != BOARD_NO_BAR || (board->dma.size == 0 && !is_card))) {
        system_error(xml->errors, xml_place(xml, node),
                     "a region has a phys_addr, or is memory of a board with <dma> or of a card");
    }
    xml_number(xml, node, "size", 0x1000, UINT64_C(1) << 40, &region.size);
    if (region.phys % 0x1000 != 0 || region.size % 0x1000 != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "phys_addr and size of a region are multiples of 0x1000");
    }
    *(struct board_region *)model_append(&card->regions, &card->region_count, sizeof(region)) =
        region;
}

static void parse_irq(const struct xml_file *xml, xmlNodePtr node, struct board_card *card)
{
    xml_verify(xml, node, &irq_spec);
    struct board_irq irq = {0};
    xml_number(xml, node, "number", 0, UINT32_MAX, &irq.irq);
    char *trigger = xml_string(xml, node, "trigger");
    irq.edge = trigger != NULL && strcmp(trigger, "edge") == 0;
    if (trigger != NULL && !irq.edge && strcmp(trigger, "level") != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "trigger=\"%s\" is neither \"level\" nor \"edge\"", trigger);
    }
    free(trigger);
    *(struct board_irq *)model_append(&card->irqs, &card->irq_count, sizeof(irq)) = irq;
}

/* What a card, or a device without cards, has. */
static void parse_card(const struct xml_file *xml, xmlNodePtr node, const struct board *board,
                       struct board_card *card, bool is_card)
{
    card->driver = xml_string(xml, node, "driver");
    for (xmlNodePtr n = NULL; (n = xml_child(node, "region", n)) != NULL;) {
        parse_region(xml, n, board, card, is_card);
    }
    for (xmlNodePtr n = NULL; (n = xml_child(node, "irq", n)) != NULL;) {
        parse_irq(xml, n, card);
    }
    if (card->region_count > SDDF_DEVICE_REGIONS || card->irq_count > SDDF_DEVICE_IRQS) {
        system_error(xml->errors, xml_place(xml, node),
                     "a device has at most %d regions and %d interrupts", SDDF_DEVICE_REGIONS,
                     SDDF_DEVICE_IRQS);
    }
}

static void choose(struct board_device *device, const struct board_card *card)
{
    device->driver = card->driver;
    device->regions = card->regions;
    device->region_count = card->region_count;
    device->irqs = card->irqs;
    device->irq_count = card->irq_count;
    device->interrupts = card->interrupts;
}

static void parse_interrupts(const struct xml_file *xml, xmlNodePtr node, struct board_card *card)
{
    static const char *const names[] = {"msi-x", "msi", "intx"};
    char *name = xml_string(xml, node, "interrupts");
    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            card->interrupts = (enum board_interrupts)i;
            free(name);
            return;
        }
    }
    if (name != NULL) {
        system_error(xml->errors, xml_place(xml, node),
                     "interrupts=\"%s\" is none of \"msi-x\", \"msi\" and \"intx\"", name);
    }
    free(name);
}

static void parse_cards(const struct xml_file *xml, xmlNodePtr node, const struct board *board,
                        struct board_device *device)
{
    for (xmlNodePtr n = NULL; (n = xml_child(node, "card", n)) != NULL;) {
        xml_verify(xml, n, &card_spec);
        struct board_card *card = model_append(&device->cards, &device->card_count, sizeof(*card));
        card->pci = xml_string(xml, n, "pci");
        parse_interrupts(xml, n, card);
        parse_card(xml, n, board, card, true);
    }
    struct board_card own = {0};
    parse_card(xml, node, board, &own, false);
    bool has_own = own.driver != NULL || own.region_count != 0 || own.irq_count != 0;
    /* The platform itself may keep an idle count: then there is one page, and nobody to drive it.
     */
    bool kept = device->class_ != NULL && strcmp(device->class_, "idle") == 0 &&
                own.region_count == 1 && own.irq_count == 0;
    bool driven = own.driver != NULL || kept;
    if (device->card_count == 0 ? !driven || device->pci != NULL : has_own) {
        system_error(xml->errors, device->place,
                     "a device has a driver and no pci, or it has cards and these have all else");
    }
    if (device->card_count == 0 || has_own) {
        choose(device, &own);
    } else {
        choose(device, &device->cards[0]);
    }
}

static void parse_device(const struct xml_file *xml, xmlNodePtr node, struct board *board)
{
    xml_verify(xml, node, &device_spec);
    struct board_device device = {
        .name = xml_string(xml, node, "name"),
        .class_ = xml_string(xml, node, "class"),
        .kind = xml_string(xml, node, "kind"),
        .pci = xml_string(xml, node, "pci"),
        .place = xml_place(xml, node),
    };
    xml_number(xml, node, "io_base", 0, UINT64_C(1) << 48, &device.io_base);
    xml_bool(xml, node, "data", &device.data);
    xml_power_of_two(xml, node, "ring_size", SYSTEM_RING_MAX, &device.ring_size);
    parse_cards(xml, node, board, &device);
    if (device.name != NULL && board_device(board, device.name) != NULL) {
        system_error(xml->errors, device.place, "a second device \"%s\"; give it another name",
                     device.name);
    }
    *(struct board_device *)model_append(&board->devices, &board->device_count, sizeof(device)) =
        device;
}

bool board_parse(const char *path, struct board *board, struct system_errors *errors)
{
    size_t before = errors->count;
    *board = (struct board){.file = model_string(path)};
    struct xml_file xml;
    if (xml_open(&xml, board->file, "board", errors)) {
        xmlNodePtr root = xml_root(&xml);
        xml_verify(&xml, root, &board_spec);
        board->name = xml_string(&xml, root, "name");
        board->arch = xml_string(&xml, root, "arch");
        parse_platform(&xml, root, board);
        for (xmlNodePtr n = NULL; (n = xml_child(root, "dma", n)) != NULL;) {
            parse_dma(&xml, n, &board->dma);
        }
        if (board->dma.size != 0 && !board->dma.coherent && board->arch != NULL &&
            strcmp(board->arch, "aarch64") != 0) {
            system_error(xml.errors, xml_place(&xml, root),
                         "caches are maintained on aarch64 alone; on %s, <dma> must be coherent",
                         board->arch);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "device", n)) != NULL;) {
            parse_device(&xml, n, board);
        }
    }
    xml_close(&xml);
    return errors->count == before;
}

const struct board_device *board_device(const struct board *board, const char *name)
{
    for (size_t i = 0; i < board->device_count; i++) {
        if (board->devices[i].name != NULL && strcmp(board->devices[i].name, name) == 0) {
            return &board->devices[i];
        }
    }
    return NULL;
}

bool board_choose(struct board_device *device, unsigned vendor, unsigned number)
{
    char id[16];
    snprintf(id, sizeof(id), "%04x:%04x", vendor, number);
    for (size_t i = 0; i < device->card_count; i++) {
        if (device->cards[i].pci != NULL && strstr(device->cards[i].pci, id) != NULL) {
            choose(device, &device->cards[i]);
            return true;
        }
    }
    return false;
}

static void free_card(struct board_card *card)
{
    for (size_t j = 0; j < card->region_count; j++) {
        free(card->regions[j].name);
    }
    free(card->regions);
    free(card->irqs);
    free(card->driver);
    free(card->pci);
}

void board_free(struct board *board)
{
    for (size_t i = 0; i < board->device_count; i++) {
        struct board_device *device = &board->devices[i];
        bool borrowed = false;
        for (size_t j = 0; j < device->card_count; j++) {
            borrowed |= device->regions == device->cards[j].regions &&
                        device->driver == device->cards[j].driver;
            free_card(&device->cards[j]);
        }
        if (!borrowed) {
            free_card(&(struct board_card){.driver = device->driver,
                                           .regions = device->regions,
                                           .region_count = device->region_count,
                                           .irqs = device->irqs,
                                           .irq_count = device->irq_count});
        }
        free(device->cards);
        free(device->name);
        free(device->class_);
        free(device->kind);
        free(device->pci);
    }
    free(board->devices);
    free(board->name);
    free(board->arch);
    free(board->file);
    memset(board, 0, sizeof(*board));
}
