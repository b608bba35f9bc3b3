/* The words of a line. */
#ifndef GUILDFS_CLI_WORDS_H
#define GUILDFS_CLI_WORDS_H

#include <stddef.h>

#include "guildfs/error.h"

/*
 * Splits line in place at blanks. "..." and '...' hold blanks together; a backslash outside
 * '...' takes the next byte as it is. The newline at the end goes. -EINVAL: an open quote, or more
 * than size words.
 */
int cli_words_split(char *line, char **words, size_t size, size_t *count, struct gfs_error *err) GFS_MUST_CHECK;

#endif
