/* What is mounted where, from /proc/self/mountinfo (proc(5)): the one source that does not ask
 * the filesystem itself, which may be dead. */
#ifndef GUILDFS_FS_MOUNTINFO_H
#define GUILDFS_FS_MOUNTINFO_H

#include <stdio.h>

#include "guildfs/compiler.h"

struct gfs_mountinfo {
    unsigned major, minor; /* st_dev of what is in it */
    char type[64];         /* "fuse.guildfs"; cut when longer */
};

/* The uppermost mount on exactly this path, which must be absolute and resolved. -ENOENT: there
 * is none; -EIO and others: the list cannot be read. */
int gfs_mountinfo_find(const char *path, struct gfs_mountinfo *out) GFS_MUST_CHECK;

/* The mount with this number, in a list such as /proc/self/mountinfo. -ENOENT: there is none. */
int gfs_mountinfo_by_id(const char *list, int id, struct gfs_mountinfo *out) GFS_MUST_CHECK;

/* The same as the first, in a list that is open already. */
int gfs_mountinfo_search(FILE *list, const char *path, struct gfs_mountinfo *out) GFS_MUST_CHECK;

#endif
