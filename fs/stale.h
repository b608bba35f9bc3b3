/*
 * The directory to mount on. It must be an empty directory on which nothing is mounted, apart
 * from dead mounts of ours: what a daemon leaves behind that was killed answers ENOTCONN to
 * everything, until it is detached.
 */
#ifndef GUILDFS_FS_STALE_H
#define GUILDFS_FS_STALE_H

#include "guildfs/error.h"

#define GFS_MOUNT_TYPE "fuse.guildfs"

/*
 * Looks at the directory, detaches dead mounts of ours from it, and hands out its resolved path,
 * which the caller frees. What is held of a dead mount goes to crash, see crash.h. `store` is the store's resolved
 * path: neither may lie in the other. Errors: -ENOENT, -ENOTDIR, -ENOTEMPTY, -EBUSY, -ELOOP (one lies in the other),
 * -EACCES, -ETIMEDOUT (what is mounted there does not answer); err says which and what to do. Forks while it looks:
 * call it before there are threads.
 */
struct gfs_crash;
int gfs_mountpoint_prepare(const char *directory, const char *store, char **out, struct gfs_crash *crash,
                           struct gfs_error *err) GFS_MUST_CHECK;

#endif
