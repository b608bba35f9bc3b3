/* The folders that shares are, on their nodes. */
#ifndef GUILDFS_FS_SHARE_H
#define GUILDFS_FS_SHARE_H

#include <sys/stat.h>

#include "guildfs/snapshot.h"

/* Opens the share's root, O_PATH: gfs_open_share(). */
int gfs_share_open(const struct gfs_share *share, int *fd) GFS_MUST_CHECK;

/*
 * The share whose root the folder of st is, among those directly nested in `around`; or NULL. 0, or
 * a negative errno when that cannot be told now (-EMFILE ...): then the folder must not be taken
 * for one of `around`, whose rights may be wider.
 */
int gfs_share_nested_at(const struct gfs_snapshot *snapshot, const struct gfs_share *around, const struct stat *st,
                        const struct gfs_share **out) GFS_MUST_CHECK;

/*
 * Whether the folder of st is the root of a share nested in `around`, or holds one below it: such
 * a folder can be neither renamed nor removed, as if a filesystem were mounted there. True, too,
 * when it cannot be told.
 */
bool gfs_share_holds_nested(const struct gfs_snapshot *snapshot, const struct gfs_share *around, const struct stat *st);

#endif
