/*
 * The directory of a share: made together with the share's row, and taken away again when the row
 * does not come to be.
 */
#ifndef GUILDFS_ADMIN_FOLDER_H
#define GUILDFS_ADMIN_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#include "guildfs/error.h"

struct gfs_folder {
    int parent_fd;           /* -1: none */
    char name[NAME_MAX + 1]; /* in the parent */
    bool made;               /* by us; else it was there */
};

/*
 * Makes node_path/path, 0700 and root's, and makes it durable. path has no "..", and leads
 * through existing directories, across no symlink and no mount point. When existing_ok, a
 * directory that is there already will do; else -EEXIST.
 * After 0 the caller ends with gfs_folder_keep() or gfs_folder_drop().
 */
int gfs_folder_make(const char *node_path, const char *path, bool existing_ok, struct gfs_folder *out,
                    struct gfs_error *err) GFS_MUST_CHECK;
void gfs_folder_keep(struct gfs_folder *folder);
void gfs_folder_drop(struct gfs_folder *folder);

#endif
