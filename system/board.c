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
    {.name = "driver", .need = XML_REQUIRED},
    {.name = "kind", .need = XML_REQUIRED},
    {.name = "io_base"},
    {.name = "data"},
    {0},
};
static const struct xml_name device_children[] = {{.name = "region"}, {.name = "irq"}, {0}};
static const struct xml_spec device_spec = {device_attributes, device_children};

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
                         struct board_device *device)
{
    xml_verify(xml, node, &region_spec);
    struct board_region region = {.name = xml_string(xml, node, "name"),
                                  .perms = SYSTEM_READ | SYSTEM_WRITE};
    xml_perms(xml, node, &region.perms);
    if ((region.perms & SYSTEM_EXECUTE) != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "no program executes what a device has; perms are \"r\" or \"rw\"");
    }
    region.memory = !xml_number(xml, node, "phys_addr", 0, UINT64_C(1) << 52, &region.phys);
    if (region.memory && board->dma.size == 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "a region has a phys_addr, or is memory of a board with <dma>");
    }
    xml_number(xml, node, "size", 0x1000, UINT64_C(1) << 40, &region.size);
    if (region.phys % 0x1000 != 0 || region.size % 0x1000 != 0) {
        system_error(xml->errors, xml_place(xml, node),
                     "phys_addr and size of a region are multiples of 0x1000");
    }
    *(struct board_region *)model_append(&device->regions, &device->region_count, sizeof(region)) =
        region;
}

static void parse_irq(const struct xml_file *xml, xmlNodePtr node, struct board_device *device)
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
    *(struct board_irq *)model_append(&device->irqs, &device->irq_count, sizeof(irq)) = irq;
}

static void parse_device(const struct xml_file *xml, xmlNodePtr node, struct board *board)
{
    xml_verify(xml, node, &device_spec);
    struct board_device device = {
        .name = xml_string(xml, node, "name"),
        .class_ = xml_string(xml, node, "class"),
        .driver = xml_string(xml, node, "driver"),
        .kind = xml_string(xml, node, "kind"),
        .place = xml_place(xml, node),
    };
    xml_number(xml, node, "io_base", 0, UINT64_C(1) << 48, &device.io_base);
    xml_bool(xml, node, "data", &device.data);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "region", n)) != NULL;) {
        parse_region(xml, n, board, &device);
    }
    for (xmlNodePtr n = NULL; (n = xml_child(node, "irq", n)) != NULL;) {
        parse_irq(xml, n, &device);
    }
    if (device.region_count > SDDF_DEVICE_REGIONS || device.irq_count > SDDF_DEVICE_IRQS) {
        system_error(xml->errors, device.place, "a device has at most %d regions and %d interrupts",
                     SDDF_DEVICE_REGIONS, SDDF_DEVICE_IRQS);
    }
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

void board_free(struct board *board)
{
    for (size_t i = 0; i < board->device_count; i++) {
        struct board_device *device = &board->devices[i];
        for (size_t j = 0; j < device->region_count; j++) {
            free(device->regions[j].name);
        }
        free(device->regions);
        free(device->irqs);
        free(device->name);
        free(device->class_);
        free(device->driver);
        free(device->kind);
    }
    free(board->devices);
    free(board->name);
    free(board->arch);
    free(board->file);
    memset(board, 0, sizeof(*board));
}
