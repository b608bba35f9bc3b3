/*
 * Items where they lie: on a node's filesystem, below the root of a share. The daemon and the
 * command line reach them in the same way: by O_PATH descriptors, never through a symlink, never
 * out of the folder or across a mount point. All functions return 0 (or a count) or a negative
 * errno, and are thread-safe.
 */
#ifndef GUILDFS_ITEM_H
#define GUILDFS_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "guildfs/upload.h"

/* ---- opening ---- */

/*
 * Opens a path below the folder with the flags of open(2). The caller owns *fd. -EXDEV is turned
 * into -ENOENT: a mount point inside a share is not part of it. -ELOOP: a symlink on the way.
 */
int gfs_open_beneath(int folder_fd, const char *path, uint64_t flags, int *fd) GFS_MUST_CHECK;

/* The same for one component, O_PATH | O_NOFOLLOW: the item itself, also when it is a symlink. */
int gfs_open_child(int folder_fd, const char *name, int *fd) GFS_MUST_CHECK;

/*
 * What the same child is, without opening it: for whoever only shows it. -ENOENT as above;
 * -EOPNOTSUPP when it must be opened instead (a name that is no component, an old kernel).
 */
int gfs_stat_child(int folder_fd, const char *name, struct stat *out) GFS_MUST_CHECK;

/*
 * Opens the root of a share, O_PATH: the node's path, and `path` below that. -ENOENT too when it
 * is no folder or a symlink lies on the way below the node.
 */
int gfs_open_share(const char *node_path, const char *path, int *fd) GFS_MUST_CHECK;

/* ---- what Linux does not offer on an O_PATH descriptor, by way of /proc/self/fd ---- */

int gfs_path_reopen(int path_fd, int flags, int *fd) GFS_MUST_CHECK;
int gfs_path_chmod(int path_fd, mode_t mode) GFS_MUST_CHECK;
int gfs_path_utimens(int path_fd, const struct timespec times[2]) GFS_MUST_CHECK;
int gfs_path_truncate(int path_fd, off_t size) GFS_MUST_CHECK;
ssize_t gfs_path_getxattr(int path_fd, const char *name, void *value, size_t size) GFS_MUST_CHECK;
int gfs_path_setxattr(int path_fd, const char *name, const void *value, size_t size, int flags) GFS_MUST_CHECK;
int gfs_path_removexattr(int path_fd, const char *name) GFS_MUST_CHECK;
ssize_t gfs_path_listxattr(int path_fd, char *list, size_t size) GFS_MUST_CHECK;

/* ---- uploads ---- */

/* The upload record of an item: -ENODATA (none), -EINVAL (not understood). */
int gfs_upload_read(int fd, struct gfs_upload *out) GFS_MUST_CHECK;
int gfs_upload_write(int fd, const struct gfs_upload *upload) GFS_MUST_CHECK;

/*
 * The moment before which nothing that a user uploaded to a share is pending any more, kept in an
 * attribute of the share's root: the user's last loss of Upload. 0 when there was none. floor_ns
 * is the present: when the filesystem has no room for one more, one floor for everybody takes the
 * place of all (then what others have pending ends as well).
 */
int64_t gfs_floor_read(int root_fd, const char *user_uuid);
int gfs_floor_write(int root_fd, const char *user_uuid, int64_t floor_ns) GFS_MUST_CHECK;

/*
 * Whether all that is in a folder, at any depth, is pending and user_uuid's own: then the folder
 * is as new as it was empty. True for an empty one; false when it cannot be read, or holds more
 * than GFS_OWN_FOLDER_MAX items.
 */
enum { GFS_OWN_FOLDER_MAX = 16384 };
bool gfs_folder_is_own(int folder_fd, const char *user_uuid, int64_t grace_ns, int64_t floor_ns, int64_t now_ns);

#endif
