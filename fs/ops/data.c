/*
 * What is in open files. In data mode "revocable" data goes through the kernel's cache of each
 * view: a write is in the backing file when it returns, and other views that may have pages of it
 * are told before the reply. In data mode "fast" the kernel reads and writes the backing file
 * itself, whose pages all views share; of the operations below only those come that its passthrough
 * does not have: fallocate and copy_file_range.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/quota.h"

static const struct gfs_share *share_of(struct gfs_call *call, const struct gfs_handle *handle) {
    return gfs_snapshot_share(call->snapshot, handle->node->tree->share);
}

void gfs_op_read(struct gfs_call *call, struct gfs_handle *handle, size_t size, off_t offset) {
    char *buffer = malloc(size ? size : 1);
    size_t done = 0;
    int fd = -1;
    int error = buffer ? -gfs_handle_fd(handle, &fd) : ENOMEM;

    while (!error && done < size) {
        ssize_t length = pread(fd, buffer + done, size - done, offset + (off_t)done);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            error = errno;
        if (length <= 0)
            break;
        done += (size_t)length;
    }
    if (error && !done)
        gfs_reply_error(call, -error);
    else
        fuse_reply_buf(call->req, buffer, done);
    free(buffer);
}

/* Writes all, or up to the first failure: then what was written counts. */
static ssize_t write_all(int fd, const char *data, size_t size, off_t offset, bool append) {
    size_t done = 0;

    while (done < size) {
        char *rest;
        memcpy(&rest, &(const char *){data + done}, sizeof rest); /* iovec knows no const */
        const struct iovec part = {.iov_base = rest, .iov_len = size - done};
        ssize_t length = pwritev2(fd, &part, 1, offset + (off_t)done, append ? RWF_APPEND : 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return done ? (ssize_t)done : -errno;
        done += (size_t)length;
    }
    return (ssize_t)done;
}

/* How much may be written at the offset before the quota ends it. -EDQUOT: nothing. */
static ssize_t within_quota(const struct gfs_quota_change *change, const struct gfs_handle *handle, off_t offset,
                            size_t size) {
    int64_t limit = gfs_quota_limit(change, handle);

    if (offset + (int64_t)size <= limit || !size)
        return (ssize_t)size;
    return offset < limit ? limit - offset : -EDQUOT;
}

void gfs_op_write(struct gfs_call *call, struct gfs_handle *handle, const char *data, size_t size, off_t offset,
                  bool append, bool writeback) {
    struct gfs_node *node = handle->node;
    struct gfs_quota_change change;
    const bool in_pages = writeback || !handle->direct;
    int fd = -1;
    int rc = gfs_handle_fd(handle, &fd);

    if (rc) {
        gfs_reply_error(call, rc);
        return;
    }
    gfs_quota_begin(call, share_of(call, handle), node->backing, fd, &change);
    off_t end = append && change.share ? change.size_before : offset;
    ssize_t length = within_quota(&change, handle, end, size);
    if (length > 0)
        length = write_all(fd, data, (size_t)length, offset, append);
    gfs_quota_end(&change);
    if (length < 0) {
        gfs_reply_error(call, (int)length);
        return;
    }
    gfs_notify_content(call->mount, node->backing, in_pages ? node : NULL, append ? 0 : offset, append ? 0 : length);
    fuse_reply_write(call->req, (size_t)length);
}

/* Before which nothing is pending any more. */
static int64_t floor_of(struct gfs_call *call, const struct gfs_handle *handle) {
    int64_t floor = atomic_load(&handle->node->tree->floor_ns);
    int64_t unarchived = share_of(call, handle)->unarchived_ns;
    return unarchived > floor ? unarchived : floor;
}

/* A thousandth of the grace period is not worth writing the record again: most files are closed
 * right after they were made. */
static bool was_just_dated(struct gfs_call *call, const struct gfs_handle *handle) {
    int64_t since_ns = call->now_ns - handle->dated_ns;
    return since_ns >= 0 && since_ns < share_of(call, handle)->grace_ns / 1000;
}

/* close(2) of the uploader starts the time for which the upload stays pending anew; not when that
 * has ended meanwhile, because the right was lost or the share archived. */
static void touch_upload(struct gfs_call *call, struct gfs_handle *handle) {
    const char *uuid = handle->node->view->uuid;
    struct gfs_upload upload;

    if (!gfs_guard_handle_holds(call, handle, true) || was_just_dated(call, handle) ||
        gfs_upload_read(handle->path_fd, &upload) ||
        !gfs_upload_pending_until(&upload, uuid, 0, floor_of(call, handle), true))
        return;
    upload.closed_ns = call->now_ns;
    if (gfs_upload_write(handle->path_fd, &upload))
        return; /* it then counts from an earlier moment */
    handle->dated_ns = call->now_ns;
    const struct stat file = {.st_dev = handle->node->backing->device, .st_ino = handle->node->backing->inode};
    gfs_notify_attributes(call->mount, &file, NULL); /* st_ctime, which the own view has cached */
}

void gfs_op_flush(struct gfs_call *call, struct gfs_handle *handle, uint64_t lock_owner) {
    if (handle->writes && call->snapshot)
        touch_upload(call, handle);
    gfs_locks_flush(call->mount, handle, lock_owner);
    fuse_reply_err(call->req, 0);
}

void gfs_op_fallocate(struct gfs_call *call, struct gfs_handle *handle, int mode, off_t offset, off_t length) {
    struct gfs_node *node = handle->node;
    struct gfs_quota_change change;
    int fd = -1;
    int rc = gfs_handle_fd(handle, &fd);

    if (rc) {
        gfs_reply_error(call, rc);
        return;
    }
    gfs_quota_begin(call, share_of(call, handle), node->backing, fd, &change);
    /* Room reserved behind the end does not show in the size, but takes the disk all the same. */
    if (!(mode & FALLOC_FL_PUNCH_HOLE) && offset + length > gfs_quota_limit(&change, handle))
        rc = -EDQUOT;
    else if (fallocate(fd, mode, offset, length))
        rc = -errno;
    gfs_quota_end(&change);
    if (!rc)
        gfs_notify_content(call->mount, node->backing, node, 0, 0);
    gfs_reply_error(call, rc);
}

void gfs_op_copy_file_range(struct gfs_call *call, struct gfs_handle *in, off_t offset_in, struct gfs_handle *out,
                            off_t offset_out, size_t length) {
    struct gfs_node *node = out->node;
    struct gfs_quota_change change;
    int from = -1, fd = -1;
    int rc = gfs_handle_fd(in, &from);

    if (!rc)
        rc = gfs_handle_fd(out, &fd);
    if (rc) {
        gfs_reply_error(call, rc);
        return;
    }
    gfs_quota_begin(call, share_of(call, out), node->backing, fd, &change);
    ssize_t copied = within_quota(&change, out, offset_out, length);
    off_t to = offset_out;
    if (copied > 0) {
        copied = copy_file_range(from, &offset_in, fd, &to, (size_t)copied, 0);
        if (copied < 0)
            copied = -errno;
    }
    gfs_quota_end(&change);
    if (copied < 0) {
        gfs_reply_error(call, (int)copied);
        return;
    }
    gfs_notify_content(call->mount, node->backing, node, offset_out, copied);
    fuse_reply_write(call->req, (size_t)copied);
}
