/*
 * The dispatcher, in three files by what a request is about: dispatch.c (the table, single items,
 * attributes), dispatch_names.c (names that come, go and change), dispatch_files.c (open files and
 * folders). Every callback resolves its objects, asks the guard, then acts.
 */
#ifndef GUILDFS_FS_DISPATCH_H
#define GUILDFS_FS_DISPATCH_H

#include "fs/call.h"

/* The item behind a node id; -EACCES for a virtual folder, in which nobody can change anything. */
int gfs_resolve(struct gfs_call *call, fuse_ino_t id, struct gfs_target *out) GFS_MUST_CHECK;

/* dispatch_files.c: before a reply that opens a file. When the policy was swapped while the request was served, the
 * handle is judged once more: what changed may have been dealt with by then. */
int gfs_recheck_handle(const struct gfs_call *call, const struct gfs_handle *handle) GFS_MUST_CHECK;

/* dispatch_names.c */
void gfs_on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void gfs_on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void gfs_on_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void gfs_on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void gfs_on_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi);
void gfs_on_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent, const char *name);
void gfs_on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void gfs_on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void gfs_on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                   unsigned flags);

/* dispatch_files.c */
void gfs_on_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void gfs_on_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi);
void gfs_on_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset,
                  struct fuse_file_info *fi);
void gfs_on_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void gfs_on_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void gfs_on_fsync(fuse_req_t req, fuse_ino_t id, int only_data, struct fuse_file_info *fi);
void gfs_on_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t length, struct fuse_file_info *fi);
void gfs_on_copy_file_range(fuse_req_t req, fuse_ino_t id_in, off_t offset_in, struct fuse_file_info *fi_in,
                            fuse_ino_t id_out, off_t offset_out, struct fuse_file_info *fi_out, size_t length,
                            int flags);
void gfs_on_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence, struct fuse_file_info *fi);
void gfs_on_getlk(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *lock);
void gfs_on_setlk(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *lock, int wait);
void gfs_on_flock(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, int operation);
void gfs_on_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void gfs_on_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi);
void gfs_on_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi);
void gfs_on_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void gfs_on_fsyncdir(fuse_req_t req, fuse_ino_t id, int only_data, struct fuse_file_info *fi);

#endif
