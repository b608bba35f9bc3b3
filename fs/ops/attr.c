#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/quota.h"

/* By the handle where there is one: the file may have no name any more. */
static int resize(struct gfs_call *call, struct gfs_target *target, off_t size, struct gfs_handle *handle) {
    struct gfs_quota_change change;
    int fd = -1;
    int rc = handle ? gfs_handle_fd(handle, &fd) : 0;

    if (rc)
        return rc;
    if (!handle)
        gfs_op_settle_upload(call, target);
    gfs_quota_begin(call, target->share, target->backing, target->fd, &change);
    if (size > gfs_quota_limit(&change, handle))
        rc = -EDQUOT;
    else if (handle)
        rc = ftruncate(fd, size) ? -errno : 0;
    else
        rc = gfs_path_truncate(target->fd, size);
    gfs_quota_end(&change);
    if (!rc)
        gfs_notify_content(call->mount, target->backing, target->node, 0, 0);
    return rc;
}

static struct timespec wanted_time(int valid, int set, int now, struct timespec time) {
    if (valid & now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return valid & set ? time : (struct timespec){.tv_nsec = UTIME_OMIT};
}

int gfs_op_setattr(struct gfs_call *call, struct gfs_target *target, const struct stat *wanted, int valid,
                   struct gfs_handle *handle) {
    int rc = 0;

    if (valid & FUSE_SET_ATTR_SIZE)
        rc = resize(call, target, wanted->st_size, handle && handle->writes ? handle : NULL);
    /* Set-id and sticky bits never stick. */
    if (!rc && (valid & FUSE_SET_ATTR_MODE))
        rc = gfs_path_chmod(target->fd, wanted->st_mode & 0777);
    if (!rc && (valid & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))) {
        const struct timespec times[2] = {
            wanted_time(valid, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, wanted->st_atim),
            wanted_time(valid, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, wanted->st_mtim),
        };
        rc = gfs_path_utimens(target->fd, times);
    }
    if (!rc && fstatat(target->fd, "", &target->st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        rc = -errno;
    if (!rc)
        gfs_notify_attributes(call->mount, &target->st, target->node);
    return rc;
}

void gfs_op_readlink(struct gfs_call *call, struct gfs_target *target) {
    char link[PATH_MAX + 1];
    ssize_t length = readlinkat(target->fd, "", link, sizeof link - 1);

    if (length < 0) {
        gfs_reply_error(call, errno == ENOENT ? -EINVAL : -errno); /* ENOENT: it is no symlink */
        return;
    }
    link[length] = '\0';
    fuse_reply_readlink(call->req, link);
}
