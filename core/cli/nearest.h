/* The word that was probably meant. */
#ifndef GUILDFS_CLI_NEAREST_H
#define GUILDFS_CLI_NEAREST_H

#include <stddef.h>

struct cli_nearest {
    const char *word, *best; /* best: NULL while nothing came near enough */
    size_t distance;
};

struct cli_nearest cli_nearest_begin(const char *word);
void cli_nearest_offer(struct cli_nearest *nearest, const char *candidate);

#endif
