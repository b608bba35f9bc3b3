/* Identifiers: UUID version 7 (RFC 9562), so that they sort by time of creation. */
#ifndef GUILDFS_UUID_H
#define GUILDFS_UUID_H

#include <stdbool.h>

#include "guildfs/compiler.h"

#define GFS_UUID_SIZE 37 /* 36 characters and a NUL */

/* Writes a new one. 0, or the negative errno of getrandom(2). */
int gfs_uuid_new(char uuid[static GFS_UUID_SIZE]) GFS_MUST_CHECK;

/* Whether text is a UUID in its canonical lower-case form. */
bool gfs_uuid_valid(const char *text);

#endif
