/* SPDX-License-Identifier: BSD-2-Clause */
/* --pci: which PCI device stands at which of the board's places. */
#include <stdlib.h>
#include <string.h>

#include "platform/linux/pci.h"
#include "system/model.h"
#include "tool/tool.h"

void tool_add_card(struct tool_input *input, const char *what)
{
    *(const char **)model_append(&input->cards, &input->card_count, sizeof(char *)) = what;
}

/* "ethernet1=0000:03:00.0" is for that device, "0000:03:00.0" for the first one without. */
static struct board_device *place_of(struct board *board, const char **what)
{
    const char *equal = strchr(*what, '=');
    for (size_t i = 0; i < board->device_count; i++) {
        struct board_device *device = &board->devices[i];
        if (device->card_count == 0) {
            continue;
        }
        if (equal == NULL ? device->pci == NULL
                          : strlen(device->name) == (size_t)(equal - *what) &&
                                strncmp(device->name, *what, strlen(device->name)) == 0) {
            *what = equal == NULL ? *what : equal + 1;
            return device;
        }
    }
    return NULL;
}

/* What the board file or the command line says becomes an address, and its card is chosen. */
static bool resolve(const struct board *board, struct board_device *device)
{
    struct linux_pci found;
    char *why = NULL;
    if (!linux_pci_find(device->pci, &found, &why)) {
        fprintf(stderr, "sddf run: %s: %s\n", device->name, why != NULL ? why : "out of memory");
        free(why);
        return false;
    }
    if (!board_choose(device, found.vendor, found.number)) {
        fprintf(stderr, "sddf run: %s: board %s has no card for %s (%04x:%04x); it has",
                device->name, board->name, found.address, found.vendor, found.number);
        for (size_t i = 0; i < device->card_count; i++) {
            fprintf(stderr, "%s %s (%s)", i == 0 ? "" : ",", device->cards[i].pci,
                    device->cards[i].driver);
        }
        fputc('\n', stderr);
        return false;
    }
    free(device->pci);
    device->pci = model_string(found.address);
    return true;
}

bool tool_choose_cards(struct tool_input *input)
{
    for (size_t i = 0; i < input->card_count; i++) {
        const char *what = input->cards[i];
        struct board_device *device = place_of(&input->board, &what);
        if (device == NULL) {
            fprintf(stderr,
                    "sddf run: board %s has no place for --pci %s; linux_vfio has ethernet0 and "
                    "ethernet1\n",
                    input->board.name, input->cards[i]);
            return false;
        }
        free(device->pci);
        device->pci = model_string(what);
    }
    for (size_t i = 0; i < input->board.device_count; i++) {
        if (input->board.devices[i].pci != NULL &&
            !resolve(&input->board, &input->board.devices[i])) {
            return false;
        }
    }
    return true;
}
