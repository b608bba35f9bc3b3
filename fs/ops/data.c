/*
 * Open files. In data mode "revocable" data goes through the kernel's cache of each view: a write
 * is in the backing file when it returns, and other views that may have pages of it are told before
 * the reply. In data mode "fast" the kernel reads and writes the backing file itself, whose pages
 * all views share; what comes here is OPEN, RELEASE, and what has no place in the kernel's
 * passthrough: fsync, fallocate, copy_file_range, lseek, locks.
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
#include "guildfs/clock.h"

static const struct gfs_share *share_of(struct gfs_call *call, const struct gfs_handle *handle) {
    return gfs_snapshot_share(call->snapshot, handle->node->tree->share);
}

void gfs_op_settle_upload(struct gfs_call *call, struct gfs_target *target) {
    gfs_target_read_upload(call, target);
    if (!target->has_upload || !target->upload.pending || target->pending_until_ns)
        return;
    target->upload.pending = false;
    if (gfs_upload_write(target->fd, &target->upload))
        return; /* it settles by itself when its time has come */
}

/* ---- opening ---- */

static int open_backing(struct gfs_call *call, struct gfs_target *target, int path_fd, int flags, int *fd) {
    struct gfs_quota_change change;
    int rc;

    if (!(flags & O_TRUNC))
        return gfs_path_reopen(path_fd, flags & (O_ACCMODE | O_SYNC | O_DSYNC), fd);
    gfs_quota_begin(call, target->share, target->node->backing, path_fd, &change);
    rc = gfs_path_reopen(path_fd, flags & (O_ACCMODE | O_SYNC | O_DSYNC), fd);
    if (!rc && (rc = gfs_path_truncate(path_fd, 0)))
        close(*fd);
    gfs_quota_end(&change);
    return rc;
}

/* What a writer gets loses its set-id bits, since the kernel leaves that to us: KILLPRIV_V2, and in
 * passthrough it writes with our rights. */
static int strip_set_id(const struct gfs_target *target) {
    mode_t mode = target->st.st_mode;
    return mode & (S_ISUID | S_ISGID) ? gfs_path_chmod(target->fd, mode & 0777) : 0;
}

/* The kernel may keep the pages that it has when the file is the same as when they were read. */
static bool same_version(struct gfs_node *node, int fd) {
    struct stat st;

    atomic_store(&node->pages, true); /* before the look: a change after it is told to us */
    if (fstat(fd, &st))
        return false;
    int64_t ctime_ns = st.st_ctim.tv_sec * GFS_NS_PER_S + st.st_ctim.tv_nsec;
    bool same = atomic_exchange(&node->pages_ctime_ns, ctime_ns) == ctime_ns;
    return (atomic_exchange(&node->pages_size, st.st_size) == st.st_size) && same;
}

/* Nothing can be held against the quota while the kernel writes by itself: so who could let the
 * file grow must not begin to. */
static int admit_fast_writer(const struct gfs_target *target, bool made) {
    return target->facts.over_quota && !made ? -EDQUOT : 0;
}

static int charge_fast_writer(struct gfs_call *call, const struct gfs_target *target, int flags, int fd) {
    struct stat st = target->st;

    if (flags & O_TRUNC)
        st.st_size = 0;
    return gfs_quota_opened(call->mount, target->tree->share, target->node->backing, fd, &st);
}

/* Passthrough: neither the pages that the kernel has nor bypassing them is our business. */
static int fill_fast_info(struct gfs_call *call, struct gfs_handle *handle, struct fuse_file_info *fi) {
    int rc = gfs_backing_passthrough(call->mount, handle->node->backing, &fi->backing_id);

    if (!rc)
        fi->fh = (uint64_t)(uintptr_t)handle;
    return rc;
}

static int fill_info(struct gfs_call *call, struct gfs_handle *handle, struct fuse_file_info *fi) {
    if (handle->node->fast)
        return fill_fast_info(call, handle, fi);
    /* The kernel appends at the end that it knows, which other views may have moved: so appending
     * handles bypass its pages, and the backing file finds the end. */
    fi->direct_io = (fi->flags & (O_APPEND | O_DIRECT)) != 0;
    fi->keep_cache = same_version(handle->node, handle->fd) && !(fi->flags & O_TRUNC);
    fi->fh = (uint64_t)(uintptr_t)handle;
    return 0;
}

int gfs_op_open(struct gfs_call *call, struct gfs_target *target, struct fuse_file_info *fi, gfs_perms read_needs,
                gfs_perms write_needs, int fd) {
    struct gfs_node *node = target->node;
    struct gfs_handle *handle = calloc(1, sizeof *handle);
    int access_mode = fi->flags & O_ACCMODE;
    bool made = fd >= 0;
    int path_fd = -1;
    bool fast_writer = node->fast && access_mode != O_RDONLY;
    int rc = handle ? gfs_opened_admit(call->mount, node->view) : -ENOMEM;

    if (!rc && fast_writer)
        rc = admit_fast_writer(target, made);
    if (!rc)
        rc = gfs_backing_get(call->mount, node->backing, &path_fd);
    if (rc) {
        if (made)
            close(fd);
        free(handle);
        return rc;
    }
    *handle = (struct gfs_handle){
        .node = node,
        .reads = access_mode != O_WRONLY,
        .writes = access_mode != O_RDONLY,
        .read_needs = read_needs,
        .write_needs = write_needs,
        .may_grow = !target->facts.over_quota,
    };
    if (!made && (handle->writes || (fi->flags & O_TRUNC))) {
        struct gfs_target item = *target;
        item.fd = path_fd;
        gfs_op_settle_upload(call, &item);
        rc = strip_set_id(&item);
    }
    if (!rc && !made)
        rc = open_backing(call, target, path_fd, fi->flags, &fd);
    handle->fd = fd;
    if (!rc)
        rc = fill_info(call, handle, fi);
    if (!rc && fast_writer)
        rc = charge_fast_writer(call, target, fi->flags, fd);
    if (rc && fd >= 0)
        close(fd);
    if (rc) {
        gfs_backing_put(call->mount, node->backing);
        free(handle);
        return rc;
    }
    gfs_opened_add(call->mount, &handle->opened, node->view, false);
    atomic_fetch_add_explicit(&call->mount->open_handles, 1, memory_order_relaxed);
    if (handle->writes)
        gfs_node_add_writer(call->mount, node, 1);
    if (handle->writes || (fi->flags & O_TRUNC))
        gfs_notify_attributes(call->mount, &target->st, node);
    if (!made && (fi->flags & O_TRUNC))
        gfs_notify_content(call->mount, node->backing, node, 0, 0);
    return 0;
}

void gfs_op_close(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t lock_owner) {
    struct gfs_backing *backing = handle->node->backing;

    gfs_opened_remove(mount, &handle->opened);
    gfs_locks_release(mount, handle, lock_owner);
    if (handle->writes) {
        struct stat st;
        bool known = !fstat(handle->fd, &st);
        if (handle->node->fast)
            gfs_quota_closed(mount, handle->node->tree->share, backing, handle->fd);
        gfs_node_add_writer(mount, handle->node, -1);
        if (known)
            gfs_notify_attributes(mount, &st, handle->node);
    }
    close(handle->fd);
    gfs_backing_put(mount, backing);
    atomic_fetch_sub_explicit(&mount->open_handles, 1, memory_order_relaxed);
    free(handle);
}

/* ---- reading and writing ---- */

void gfs_op_read(struct gfs_call *call, struct gfs_handle *handle, size_t size, off_t offset) {
    char *buffer = malloc(size ? size : 1);
    size_t done = 0;
    int error = buffer ? 0 : ENOMEM;

    while (!error && done < size) {
        ssize_t length = pread(handle->fd, buffer + done, size - done, offset + (off_t)done);
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
                  bool append) {
    struct gfs_node *node = handle->node;
    struct gfs_quota_change change;

    gfs_quota_begin(call, share_of(call, handle), node->backing, handle->fd, &change);
    off_t end = append && change.share ? change.size_before : offset;
    ssize_t length = within_quota(&change, handle, end, size);
    if (length > 0)
        length = write_all(handle->fd, data, (size_t)length, offset, append);
    gfs_quota_end(&change);
    if (length < 0) {
        gfs_reply_error(call, (int)length);
        return;
    }
    gfs_notify_content(call->mount, node->backing, node, append ? 0 : offset, append ? 0 : length);
    fuse_reply_write(call->req, (size_t)length);
}

/* Before which nothing is pending any more. */
static int64_t floor_of(struct gfs_call *call, const struct gfs_handle *handle) {
    int64_t floor = atomic_load(&handle->node->tree->floor_ns);
    int64_t unarchived = share_of(call, handle)->unarchived_ns;
    return unarchived > floor ? unarchived : floor;
}

/* close(2) of the uploader starts the time for which the upload stays pending anew; not when that
 * has ended meanwhile, because the right was lost or the share archived. */
static void touch_upload(struct gfs_call *call, const struct gfs_handle *handle) {
    const char *uuid = handle->node->view->uuid;
    struct gfs_upload upload;

    if (!gfs_guard_handle_holds(call, handle, true) || gfs_upload_read(handle->fd, &upload) ||
        !gfs_upload_pending_until(&upload, uuid, 0, floor_of(call, handle), true))
        return;
    upload.closed_ns = call->now_ns;
    if (gfs_upload_write(handle->fd, &upload))
        return; /* it then counts from an earlier moment */
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
    int rc = 0;

    gfs_quota_begin(call, share_of(call, handle), node->backing, handle->fd, &change);
    /* Room reserved behind the end does not show in the size, but takes the disk all the same. */
    if (!(mode & FALLOC_FL_PUNCH_HOLE) && offset + length > gfs_quota_limit(&change, handle))
        rc = -EDQUOT;
    else if (fallocate(handle->fd, mode, offset, length))
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

    gfs_quota_begin(call, share_of(call, out), node->backing, out->fd, &change);
    ssize_t copied = within_quota(&change, out, offset_out, length);
    off_t to = offset_out;
    if (copied > 0) {
        copied = copy_file_range(in->fd, &offset_in, out->fd, &to, (size_t)copied, 0);
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
