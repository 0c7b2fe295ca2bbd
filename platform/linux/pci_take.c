/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking PCI devices from the kernel's drivers, and giving them back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/linux/device.h"
#include "platform/linux/pci.h"
#include "platform/linux/pci_sysfs.h"

#define RECORD_VERSION "sddf-pci 1"

static bool put(const char *text, const char *format, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), format, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static void record_path(char *path, size_t size, const char *address)
{
    snprintf(path, size, LINUX_PCI_RECORDS "/%s", address);
}

/*
 * A record may be removed by its last holder between our opening and our locking it: then the lock
 * is of a file that nobody finds any more, and the next try makes a new one.
 */
int linux_pci_hold(const char *address, char **why)
{
    char path[64];
    record_path(path, sizeof(path), address);
    mkdir(LINUX_PCI_RECORDS, 0755);
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat ours, there;
        if (fd < 0) {
            linux_device_fail(why,
                              "cannot keep the record %s: %s (it takes root, or \"mkdir -m "
                              "1777 " LINUX_PCI_RECORDS "\" by root)",
                              path, strerror(errno));
            return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            close(fd);
            linux_device_fail(why, "another \"sddf run\" has it");
            return -1;
        }
        if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino) {
            return fd;
        }
        close(fd);
    }
    linux_device_fail(why, "cannot keep the record %s: others come and go too fast", path);
    return -1;
}

/* What it was before: its driver and its driver_override, a line each. */
static bool write_record(int record, const char *driver, const char *override)
{
    char text[256];
    int length = snprintf(text, sizeof(text), RECORD_VERSION "\n%s\n%s\n", driver, override);
    return ftruncate(record, 0) == 0 && pwrite(record, text, (size_t)length, 0) == length &&
           fsync(record) == 0;
}

static bool read_record(int record, char *driver, char *override, size_t size)
{
    char text[256] = {0};
    if (pread(record, text, sizeof(text) - 1, 0) <= 0) {
        return false;
    }
    char *rest = text;
    const char *version = strsep(&rest, "\n");
    const char *first = strsep(&rest, "\n");
    const char *second = strsep(&rest, "\n");
    if (second == NULL || strcmp(version, RECORD_VERSION) != 0 || strchr(first, '/') != NULL) {
        return false;
    }
    snprintf(driver, size, "%s", first);
    snprintf(override, size, "%s", second);
    return true;
}

bool linux_pci_take(const char *address, const char *way, int record, char **why)
{
    char driver[64];
    char override[64];
    char interface[32];
    linux_pci_driver(address, driver, sizeof(driver));
    if (strcmp(driver, way) == 0) {
        return true; /* and the record stays empty: there is nothing to give back */
    }
    linux_pci_read(address, "driver_override", override, sizeof(override));
    linux_pci_interface(address, interface, sizeof(interface));
    if (strcmp(override, "(null)") == 0) {
        override[0] = '\0';
    }
    /* The record first: whatever happens after it can be mended. */
    if (!write_record(record, driver, override)) {
        return linux_device_fail(why, "cannot write its record: %s", strerror(errno));
    }
    bool ok = put(way, LINUX_PCI_DEVICES "/%s/driver_override", address) &&
              (driver[0] == '\0' || put(address, LINUX_PCI_DEVICES "/%s/driver/unbind", address)) &&
              put(address, "%s", "/sys/bus/pci/drivers_probe");
    char now[64];
    if (!ok || !linux_pci_driver(address, now, sizeof(now)) || strcmp(now, way) != 0) {
        return linux_device_fail(why, "%s does not take it: %s", way,
                                 ok ? "see \"dmesg\"" : strerror(errno));
    }
    if (driver[0] != '\0') {
        fprintf(stderr, "sddf: %s is taken from the kernel's %s%s%s\n", address, driver,
                *interface == '\0' ? "" : ", where it was ", interface);
    }
    return true;
}

/* True if it is again what it was, or gone; a line if not. */
static bool restore(const char *address, const char *driver, const char *override)
{
    char now[64];
    bool bound = linux_pci_driver(address, now, sizeof(now));
    char line[72];
    snprintf(line, sizeof(line), "%s\n", override);
    put(line, LINUX_PCI_DEVICES "/%s/driver_override", address);
    if (bound && strcmp(now, driver) != 0) {
        put(address, LINUX_PCI_DEVICES "/%s/driver/unbind", address);
        bound = false;
    }
    if (!bound && driver[0] != '\0') {
        put(address, "/sys/bus/pci/drivers/%s/bind", driver);
    }
    char path[64];
    snprintf(path, sizeof(path), LINUX_PCI_DEVICES "/%s", address);
    linux_pci_driver(address, now, sizeof(now));
    if (access(path, F_OK) == 0 && strcmp(now, driver) != 0) {
        fprintf(stderr,
                "sddf: %s cannot be given back to the kernel's %s (\"echo %s > "
                "/sys/bus/pci/drivers/%s/bind\" says why)\n",
                address, driver, address, driver);
        return false;
    }
    return true;
}

void linux_pci_give_back(const char *address, int record)
{
    char driver[64];
    char override[64];
    char path[64];
    record_path(path, sizeof(path), address);
    /* Who cannot give it back leaves the record, for somebody who can. */
    if (!read_record(record, driver, override, sizeof(driver)) ||
        restore(address, driver, override)) {
        unlink(path);
    }
    close(record);
}

void linux_pci_mend(void)
{
    DIR *folder = opendir(LINUX_PCI_RECORDS);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *why = NULL;
        char driver[64];
        char override[64];
        if (strlen(entry->d_name) != LINUX_PCI_ADDRESS - 1) {
            continue;
        }
        int record = linux_pci_hold(entry->d_name, &why);
        free(why);
        if (record < 0) {
            continue; /* somebody has it, or it is not ours to mend */
        }
        if (read_record(record, driver, override, sizeof(driver))) {
            fprintf(stderr,
                    "sddf: an earlier \"sddf run\" was killed and left %s taken; it goes back to "
                    "%s%s\n",
                    entry->d_name, driver[0] == '\0' ? "nobody" : "the kernel's ", driver);
        }
        linux_pci_give_back(entry->d_name, record);
    }
    if (folder != NULL) {
        closedir(folder);
    }
}
