/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at PCI devices: which there are, and what stands in the way of driving one. */
#include "platform/linux/pci.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "platform/linux/device.h"
#include "platform/linux/pci_sysfs.h"

#define CLASS_NETWORK 0x02
#define CLASS_BRIDGE  0x06

/* ---- sysfs --------------------------------------------------------------------------------- */

bool linux_pci_read(const char *address, const char *file, char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s/%s", address, file);
    FILE *in = fopen(path, "re");
    bool ok = in != NULL && fgets(text, (int)size, in) != NULL;
    if (in != NULL) {
        fclose(in);
    }
    text[ok ? strcspn(text, "\n") : 0] = '\0';
    return ok;
}

static bool link_name(const char *address, const char *link, char *name, size_t size)
{
    char path[128];
    char target[256];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s/%s", address, link);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    name[0] = '\0';
    if (length <= 0) {
        return false;
    }
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(name, size, "%s", slash != NULL ? slash + 1 : target);
    return true;
}

bool linux_pci_driver(const char *address, char *driver, size_t size)
{
    return link_name(address, "driver", driver, size);
}

static unsigned number_in(const char *address, const char *file)
{
    char text[32];
    return linux_pci_read(address, file, text, sizeof(text)) ? (unsigned)strtoul(text, NULL, 16)
                                                             : 0;
}

/* The next entry of a folder that is not hidden. */
static const char *next_name(DIR *folder)
{
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            return entry->d_name;
        }
    }
    return NULL;
}

static DIR *open_folder(const char *address, const char *folder)
{
    char path[128];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s/%s", address, folder);
    return opendir(path);
}

void linux_pci_interface(const char *address, char *name, size_t size)
{
    DIR *folder = open_folder(address, "net");
    const char *first = next_name(folder);
    snprintf(name, size, "%s", first != NULL ? first : "");
    if (folder != NULL) {
        closedir(folder);
    }
}

int linux_pci_group(const char *address)
{
    char name[32];
    return link_name(address, "iommu_group", name, sizeof(name)) ? atoi(name) : -1;
}

/* ---- finding ------------------------------------------------------------------------------- */

static bool is_address(const char *text)
{
    unsigned domain, bus, slot, function;
    int end = 0;
    return sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4 &&
           text[end] == '\0';
}

static int is_network_card(const struct dirent *entry)
{
    return number_in(entry->d_name, "class") >> 16 == CLASS_NETWORK;
}

/* "; of network cards there are 0000:00:03.0 (1af4:1041, eth0), ...": what it could have been. */
static char *those_there(void)
{
    char *list = strdup("");
    struct dirent **cards = NULL;
    int count = scandir(LINUX_PCI_DEVICES, &cards, is_network_card, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = cards[i]->d_name;
        char interface[32];
        char *longer = NULL;
        linux_pci_interface(name, interface, sizeof(interface));
        if (asprintf(&longer, "%s%s %s (%04x:%04x%s%s)", list,
                     *list == '\0' ? "; of network cards there are" : ",", name,
                     number_in(name, "vendor"), number_in(name, "device"),
                     *interface == '\0' ? "" : ", ", interface) >= 0) {
            free(list);
            list = longer;
        }
        free(cards[i]);
    }
    free(cards);
    return list;
}

/* How many devices have these numbers, and the first one's address. */
static unsigned find_numbers(unsigned vendor, unsigned number, char *address)
{
    unsigned count = 0;
    DIR *folder = opendir(LINUX_PCI_DEVICES);
    for (const char *name; (name = next_name(folder)) != NULL;) {
        if (is_address(name) && number_in(name, "vendor") == vendor &&
            number_in(name, "device") == number && count++ == 0) {
            memcpy(address, name, LINUX_PCI_ADDRESS);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

bool linux_pci_find(const char *what, struct linux_pci *found, char **why)
{
    unsigned vendor, number;
    char full[32];
    char path[128];
    int end = 0;
    snprintf(full, sizeof(full), is_address(what) ? "%s" : "0000:%s", what);
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s", full);
    unsigned count = 0;
    if (is_address(full)) {
        count = access(path, F_OK) == 0 ? 1 : 0;
        memcpy(found->address, full, sizeof(found->address)); /* an address has that length */
    } else if (sscanf(what, "%4x:%4x%n", &vendor, &number, &end) == 2 && what[end] == '\0') {
        count = find_numbers(vendor, number, found->address);
    } else {
        return linux_device_fail(why,
                                 "\"%s\" names no PCI device; write its address (0000:03:00.0) or "
                                 "its vendor and device (8086:10d3), as \"lspci -nn\" has them",
                                 what);
    }
    if (count != 1) {
        char *list = those_there();
        linux_device_fail(why, "there %s PCI device %s%s%s",
                          count == 0 ? "is no" : "is more than one", what,
                          count == 0 ? "" : "; name one by its address", list != NULL ? list : "");
        free(list);
        return false;
    }
    found->vendor = number_in(found->address, "vendor");
    found->number = number_in(found->address, "device");
    return true;
}

/* ---- checking ------------------------------------------------------------------------------ */

/* Whoever is in the same group reaches the same memory. Bridges do not by themselves. */
static bool check_group(const char *address, int group, char **why)
{
    bool ok = true;
    DIR *folder = open_folder(address, "iommu_group/devices");
    for (const char *name; ok && (name = next_name(folder)) != NULL;) {
        char driver[64];
        if (strcmp(name, address) == 0 || number_in(name, "class") >> 16 == CLASS_BRIDGE ||
            !linux_pci_driver(name, driver, sizeof(driver)) || strcmp(driver, "vfio-pci") == 0 ||
            strcmp(driver, "pci-stub") == 0) {
            continue;
        }
        ok = linux_device_fail(
            why,
            "the IOMMU cannot tell it from %s, which %s drives: both are in IOMMU group %d. Put "
            "the "
            "card into another slot, or take %s from its driver as well (\"echo %s > "
            "/sys/bus/pci/devices/%s/driver/unbind\")",
            name, driver, group, name, name, name);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return ok;
}

/* Is the kernel's part of the way there, and may this process give it the device? */
static bool check_way(const char *address, const char *driver, char **why)
{
    char path[96];
    snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
    if (access(path, F_OK) != 0) {
        return linux_device_fail(why, "Linux has %s not loaded: \"modprobe %s\"", driver, driver);
    }
    snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
    if (access(path, W_OK) != 0) {
        return linux_device_fail(why,
                                 "giving it to %s takes root. Let root do it once, and its "
                                 "group be yours: \"driverctl set-override %s %s\" and \"chown "
                                 "$USER /dev/vfio/GROUP\"",
                                 driver, address, driver);
    }
    return true;
}

static bool check_driver(const char *address, const char *way, bool take, char **why)
{
    char driver[64];
    char interface[32];
    bool has = linux_pci_driver(address, driver, sizeof(driver));
    if (has && strcmp(driver, way) == 0) {
        return true;
    }
    if (has && !take) {
        linux_pci_interface(address, interface, sizeof(interface));
        return linux_device_fail(why,
                                 "it is driven by the kernel's %s%s%s; --take takes it from there, "
                                 "and gives it back at the end",
                                 driver, *interface == '\0' ? "" : " as ", interface);
    }
    return check_way(address, way, why);
}

bool linux_pci_check(const char *address, const char *way, bool take, char **why)
{
    if (strcmp(way, LINUX_PCI_UNSAFE) == 0) {
        return check_driver(address, way, take, why);
    }
    int group = linux_pci_group(address);
    if (group < 0) {
        return linux_device_fail(
            why, "no IOMMU stands between it and memory, so it could reach all of it. Turn VT-d or "
                 "AMD-Vi on in the firmware's settings, and start Linux with intel_iommu=on on "
                 "Intel's processors (\"dmesg | grep -e DMAR -e AMD-Vi\" says what it found)");
    }
    if (access("/dev/vfio/vfio", F_OK) != 0) {
        return linux_device_fail(why, "there is no /dev/vfio/vfio: \"modprobe vfio-pci\"");
    }
    return check_group(address, group, why) && check_driver(address, way, take, why);
}
