/*
 * Names of users, groups, teams, projects, organizations and shares: the one place where they
 * are validated. (Names of files inside a share are the backing filesystem's business.)
 */
#ifndef GUILDFS_NAME_H
#define GUILDFS_NAME_H

#include "guildfs/error.h"

#define GFS_NAME_MAX 255 /* bytes, without the NUL */

/*
 * 0 when name is valid UTF-8 (no overlong form, no surrogate), 1 to 255 bytes, without '/',
 * without control characters (C0, DEL, C1, and the line and paragraph separators U+2028 and
 * U+2029), not "." or "..", and not reserved ("my", "public", and whatever begins with ".guildfs").
 * Else -EINVAL, and err says which rule the name breaks. `what` is the noun for the message
 * ("group name").
 */
int gfs_name_check(const char *what, const char *name, struct gfs_error *err) GFS_MUST_CHECK;

#endif
