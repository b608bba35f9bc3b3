/* Walking a share's directory tree to find its regular files. */
#ifndef GUILDFS_FS_COUNT_WALK_H
#define GUILDFS_FS_COUNT_WALK_H

#include <stdatomic.h>
#include <stddef.h>

#include "fs/count.h"

struct gfs_count_walk {
    int root_fd;                    /* may be O_PATH */
    const struct gfs_file_id *skip; /* folders that are not entered: nested shares */
    size_t skip_count;
    const atomic_bool *stop; /* ends the walk when it becomes true */
    void (*found)(void *context, struct gfs_file_id file, int64_t size);
    void *context;
};

/*
 * Calls found() for every regular file; for one with several names, as often. Follows no symlink
 * and crosses no mount point. What goes away while it walks is passed over; a folder that cannot
 * be read is left out, and *unread counts them. 0, -EINTR when it was stopped, -ENOMEM.
 */
int gfs_count_walk(const struct gfs_count_walk *walk, size_t *unread) GFS_MUST_CHECK;

#endif
