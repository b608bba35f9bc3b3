/* The guildfs mounts that this process sees, from /proc/self/mountinfo (proc(5)). */
#ifndef GUILDFS_CLI_MOUNTS_H
#define GUILDFS_CLI_MOUNTS_H

#include <limits.h>
#include <stddef.h>

#include "guildfs/error.h"

struct cli_mount {
    char mountpoint[PATH_MAX];
    char device[32]; /* "0:57" */
};

/* Calls back for each mount of a whole filesystem of type fuse.guildfs, until one returns other
 * than 0, which is returned. Bind mounts of a part of one are left out. */
int cli_mounts_each(int (*each)(void *context, const struct cli_mount *mount), void *context, struct gfs_error *err);

/* The mount on directory, which need not be resolved, and may be a mount whose daemon is dead.
 * -ENOENT when there is none. When several are stacked, the uppermost. */
int cli_mounts_find(const char *directory, struct cli_mount *out, struct gfs_error *err) GFS_MUST_CHECK;

#endif
