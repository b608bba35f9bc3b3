/*
 * Quotas of shares. Usage is the sum of the sizes (st_size) of a share's regular files, a file
 * with several links counted once, files in nested shares not counted. It is counted once, by a
 * thread in the background when the share is first asked for, and kept by differences from then
 * on. Shares without a quota cost nothing.
 */
#ifndef GUILDFS_FS_QUOTA_H
#define GUILDFS_FS_QUOTA_H

#include "fs/call.h"

int gfs_quotas_new(struct gfs_quotas **out) GFS_MUST_CHECK;
void gfs_quotas_free(struct gfs_quotas *quotas);

/* Whether the share has a quota and its usage has reached it. Starts the first count. Never
 * blocks; while the count is not done, only what has been added since counts. */
bool gfs_quota_exceeded(struct gfs_mount *mount, const struct gfs_share *share);

/* Bytes in use, for statfs. */
int64_t gfs_quota_used(struct gfs_mount *mount, const struct gfs_share *share);

/*
 * Around everything that may change a file's size in a share with a quota (write, truncate,
 * fallocate, copy_file_range): begin locks the file's size (bounded: one syscall at a time is
 * done under it) and remembers it; end charges the difference. fd may be O_PATH. Both do nothing
 * in a share without a quota.
 */
struct gfs_quota_change {
    struct gfs_mount *mount;
    const struct gfs_share *share; /* NULL: no quota */
    int fd;
    int64_t size_before;
    void *lock;
    /* quota.c's own */
    void *usage;
    struct gfs_written *written; /* data mode fast: it may have grown by itself; NULL: it has not */
    int64_t charged;             /* the size that the usage has of it */
    uint64_t count;              /* number of the count that was told of this change; 0: none was running */
};
void gfs_quota_begin(struct gfs_call *call, const struct gfs_share *share, const struct gfs_backing *backing, int fd,
                     struct gfs_quota_change *change);
void gfs_quota_end(struct gfs_quota_change *change);
/* The size that `handle` may write up to: INT64_MAX, or the present size when it may not grow.
 * handle NULL (truncate by name): it may grow while the share is below its quota. */
int64_t gfs_quota_limit(const struct gfs_quota_change *change, const struct gfs_handle *handle);

/*
 * Data mode fast: a handle that writes came and went. In between the file's size changes without a
 * word; what that adds to the usage is taken at these two, at every change by gfs_quota_begin(),
 * and exact when the last writer has gone. Without a quota only the file is remembered, since the
 * share may get one meanwhile. st: of the file, from when nobody had it open like this. -ENOMEM.
 */
int gfs_quota_opened(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd,
                     const struct stat *st) GFS_MUST_CHECK;
void gfs_quota_closed(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd);
/* Charges by how much the file's size differs from what is charged. */
void gfs_quota_compare(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd);

/* A file's last name went (unlink, rename over): its size is given back. st from before. */
void gfs_quota_removed(struct gfs_mount *mount, const struct gfs_share *share, const struct stat *st);
/* A file that had no name (O_TMPFILE) got its first one (link): it counts from now on. st from
 * after. While a file has no name, changes of its size are not charged. */
void gfs_quota_named(struct gfs_mount *mount, const struct gfs_share *share, const struct stat *st);

#endif
