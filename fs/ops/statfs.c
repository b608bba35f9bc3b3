/*
 * statfs: how much room there is. In a share with a quota, the quota and what is left of it, so
 * that df and file managers show what a person can use; elsewhere the backing filesystem's
 * numbers.
 *
 * FUSE has no field for mount flags: that a share is archived cannot show as ST_RDONLY.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "fs/ops/ops.h"
#include "fs/quota.h"

enum { QUOTA_BLOCK_BYTES = 4096, LONGEST_NAME = 255 };

static void reply_statfs(struct gfs_call *call, struct statvfs *st) {
    st->f_namemax = LONGEST_NAME; /* the names of a view are ours, whatever the backing allows below it */
    fuse_reply_statfs(call->req, st);
}

/* ENOSYS would tell the kernel never to ask again. */
static int negative_errno(int error) {
    return error == ENOSYS ? -EOPNOTSUPP : -error;
}

/*
 * f_bfree is what the quota leaves, so that "used" in df is what counts against the quota.
 * f_bavail is what can be had: when the disk has less than the quota leaves, the disk decides.
 */
static void show_quota(struct statvfs *st, int64_t quota_bytes, int64_t used_bytes) {
    uint64_t available_bytes;
    int64_t left_bytes = quota_bytes > used_bytes ? quota_bytes - used_bytes : 0;

    if (__builtin_mul_overflow((uint64_t)st->f_bavail, (uint64_t)st->f_frsize, &available_bytes))
        available_bytes = UINT64_MAX;
    if (available_bytes > (uint64_t)left_bytes)
        available_bytes = (uint64_t)left_bytes;
    st->f_bsize = QUOTA_BLOCK_BYTES;
    st->f_frsize = QUOTA_BLOCK_BYTES;
    st->f_blocks = (fsblkcnt_t)quota_bytes / QUOTA_BLOCK_BYTES;
    st->f_bfree = (fsblkcnt_t)left_bytes / QUOTA_BLOCK_BYTES;
    st->f_bavail = available_bytes / QUOTA_BLOCK_BYTES;
}

void gfs_op_statfs(struct gfs_call *call, struct gfs_target *target) {
    struct statvfs st;

    if (fstatvfs(target->fd, &st) != 0) {
        gfs_reply_error(call, negative_errno(errno));
        return;
    }
    if (target->share->quota_bytes > 0)
        show_quota(&st, target->share->quota_bytes, gfs_quota_used(call->mount, target->share));
    reply_statfs(call, &st);
}

void gfs_op_statfs_virtual_node(struct gfs_call *call, struct gfs_node *node) {
    char path[PATH_MAX];
    struct statvfs st;

    (void)node; /* all folders of all views stand on the store */
    int length = snprintf(path, sizeof(path), "%s/data", call->mount->options.store);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        gfs_reply_error(call, -ENAMETOOLONG);
        return;
    }
    if (statvfs(path, &st) != 0) {
        gfs_reply_error(call, negative_errno(errno));
        return;
    }
    reply_statfs(call, &st);
}
