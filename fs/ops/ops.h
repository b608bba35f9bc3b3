/*
 * The operations. Each is called by dispatch.c after the guard has allowed it, acts on the
 * targets' descriptors, and answers the request exactly once. None asks about permission.
 */
#ifndef GUILDFS_FS_OPS_H
#define GUILDFS_FS_OPS_H

#include "fs/call.h"

/* attr.c */
int gfs_op_setattr(struct gfs_call *call, struct gfs_target *target, const struct stat *wanted, int valid,
                   struct gfs_handle *handle) GFS_MUST_CHECK; /* target->st is read anew; no reply */
void gfs_op_readlink(struct gfs_call *call, struct gfs_target *target);

/* entry.c: names. The caller holds the folder's lock (names.h); none of them replies. */
enum gfs_new_kind { GFS_NEW_FILE, GFS_NEW_FOLDER, GFS_NEW_SYMLINK };
struct gfs_new {
    enum gfs_new_kind kind;
    const char *name; /* NULL: a file without a name (O_TMPFILE) */
    const char *link; /* what a symlink says */
    mode_t mode;
    int flags; /* of open(2), for a file */
};
/* Makes an item with an upload record of the view's user. *path_fd is O_PATH; *fd, when it is
 * asked for, is the file open with the flags. */
int gfs_op_make(struct gfs_call *call, const struct gfs_target *folder, const struct gfs_new *new, int *path_fd, int *fd)
    GFS_MUST_CHECK;
int gfs_op_link(struct gfs_call *call, struct gfs_target *item, const struct gfs_target *folder, const char *name)
    GFS_MUST_CHECK;
int gfs_op_remove(struct gfs_call *call, const struct gfs_target *folder, const char *name,
                  const struct gfs_target *item) GFS_MUST_CHECK;

/* rename.c. target may be NULL. save: the source is a pending file of one's own, see rename.h. */
int gfs_op_rename(struct gfs_call *call, const struct gfs_target *source_folder, const char *name,
                  struct gfs_target *source, const struct gfs_target *folder, const char *new_name,
                  const struct gfs_target *target, unsigned flags, bool save) GFS_MUST_CHECK;

/* open.c: files that are opened and closed. */
/* Opens what was granted, and makes the handle; fi is filled. fd >= 0: the file is open already,
 * and the handle's from now on, also when this fails. No reply. */
int gfs_op_open(struct gfs_call *call, struct gfs_target *target, struct fuse_file_info *fi, gfs_perms read_needs,
                gfs_perms write_needs, int fd) GFS_MUST_CHECK;
/* Undoes gfs_op_open() when the reply could not be sent; and RELEASE. Frees the handle. */
void gfs_op_close(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t lock_owner);
/* The handle's descriptor of the backing file, opened now if it has not been needed before. */
int gfs_handle_fd(struct gfs_handle *handle, int *fd) GFS_MUST_CHECK;
/* A file is changed that is not the user's own pending upload: if it is another's, or if its time
 * was over, it is settled now. */
void gfs_op_settle_upload(struct gfs_call *call, struct gfs_target *target);

/* data.c: what is in open files. */
void gfs_op_read(struct gfs_call *call, struct gfs_handle *handle, size_t size, off_t offset);
/* writeback: pages that the kernel writes back. */
void gfs_op_write(struct gfs_call *call, struct gfs_handle *handle, const char *data, size_t size, off_t offset,
                  bool append, bool writeback);
/* The call may have no snapshot, when the store cannot be read. */
void gfs_op_flush(struct gfs_call *call, struct gfs_handle *handle, uint64_t lock_owner);
void gfs_op_fallocate(struct gfs_call *call, struct gfs_handle *handle, int mode, off_t offset, off_t length);
void gfs_op_copy_file_range(struct gfs_call *call, struct gfs_handle *in, off_t offset_in, struct gfs_handle *out,
                            off_t offset_out, size_t length);

/* dir.c: open folders. */
struct gfs_folder_handle;
int gfs_op_opendir(struct gfs_call *call, struct gfs_node *node, const struct gfs_target *folder,
                   struct fuse_file_info *fi) GFS_MUST_CHECK; /* folder NULL: a virtual one */
/* target is NULL for a virtual folder. Replies. */
void gfs_op_readdir(struct gfs_call *call, struct gfs_folder_handle *handle, struct gfs_target *target, size_t size,
                    off_t offset, bool plus);
void gfs_op_releasedir(struct gfs_mount *mount, struct gfs_folder_handle *handle);
int gfs_op_fsyncdir(struct gfs_folder_handle *handle, bool only_data) GFS_MUST_CHECK;

/* xattr.c. dispatch.c has sorted the names by gfs_xattr_class() and asked the guard. */
enum gfs_xattr_class {
    GFS_XATTR_VIRTUAL,     /* user.guildfs.*: computed here, read-only */
    GFS_XATTR_STORED,      /* user.*: kept on the backing file */
    GFS_XATTR_UNSUPPORTED, /* system., security., trusted., anything else */
};
enum gfs_xattr_class gfs_xattr_class(const char *name);
/* Whether a virtual attribute tells of content (user.guildfs.xxh3), and so needs Download. */
bool gfs_xattr_reads_content(const char *name);
void gfs_op_getxattr(struct gfs_call *call, struct gfs_target *target, const char *name, size_t size);
void gfs_op_listxattr(struct gfs_call *call, struct gfs_target *target, size_t size);
void gfs_op_setxattr(struct gfs_call *call, struct gfs_target *target, const char *name, const char *value, size_t size,
                     int flags);
void gfs_op_removexattr(struct gfs_call *call, struct gfs_target *target, const char *name);
/* A virtual attribute of a folder of the view that belongs to no share (view root, group ...). */
void gfs_op_getxattr_virtual_node(struct gfs_call *call, struct gfs_node *node, const char *name, size_t size);

/* lock.c. The guard has judged the kind of lock; unlocking is always allowed. */
void gfs_op_getlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, struct flock *lock);
void gfs_op_setlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, const struct flock *lock, bool wait);
void gfs_op_flock(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, int operation);
/* At FLUSH: the POSIX locks of this owner go. At RELEASE: its flock and OFD locks go. No reply. */
void gfs_locks_flush(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t owner);
void gfs_locks_release(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t owner);
int gfs_locks_new(struct gfs_locks **out) GFS_MUST_CHECK;
/* Ends blocked waiters with EINTR; a lock that would have to wait is refused from now on. Must
 * come before the session is destroyed, because the waiters answer. Bounded. */
void gfs_locks_stop(struct gfs_locks *locks);
void gfs_locks_free(struct gfs_locks *locks); /* stops first */

/* statfs.c */
void gfs_op_statfs(struct gfs_call *call, struct gfs_target *target);
void gfs_op_statfs_virtual_node(struct gfs_call *call, struct gfs_node *node);

#endif
