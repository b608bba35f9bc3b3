/*
 * Opening and closing files. What a handle needs of the backing file is its O_PATH descriptor, which
 * stays in the cache while the file is open. A descriptor to read and write by is opened when
 * something first needs one: never, as a rule, where data passes through the kernel or lies in its
 * pages. Writers get one at once, for open(2) must say what is wrong: in passthrough the kernel
 * turns whatever the backing file's open says into EIO.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/quota.h"
#include "guildfs/clock.h"

void gfs_op_settle_upload(struct gfs_call *call, struct gfs_target *target) {
    gfs_target_read_upload(call, target);
    if (!target->has_upload || !target->upload.pending || target->pending_until_ns)
        return;
    target->upload.pending = false;
    if (gfs_upload_write(target->fd, &target->upload))
        return;                                            /* it settles by itself when its time has come */
    gfs_notify_attributes(call->mount, &target->st, NULL); /* st_ctime, in the own view too */
}

/* ---- the descriptor ---- */

int gfs_handle_fd(struct gfs_handle *handle, int *fd) {
    int known = atomic_load_explicit(&handle->fd, memory_order_acquire);
    int fresh = -1;

    if (known < 0) {
        int rc = gfs_path_reopen(handle->path_fd, handle->flags & (O_ACCMODE | O_SYNC | O_DSYNC), &fresh);
        if (rc)
            return rc;
        if (atomic_compare_exchange_strong(&handle->fd, &known, fresh))
            known = fresh;
        else
            close(fresh); /* another request of the handle was faster */
    }
    *fd = known;
    return 0;
}

/* A handle that has borrowed the target's backing: what the target has of it becomes the handle's. */
static int new_handle(struct gfs_call *call, struct gfs_target *target, int flags, struct gfs_handle **out) {
    struct gfs_handle *handle = malloc(sizeof *handle);
    int access_mode = flags & O_ACCMODE;

    if (!handle)
        return -ENOMEM;
    *handle = (struct gfs_handle){
        .node = target->node,
        .path_fd = target->fd,
        .fd = -1,
        .flags = flags,
        .reads = access_mode != O_WRONLY,
        .writes = access_mode != O_RDONLY,
        .may_grow = !target->facts.over_quota,
    };
    int rc = target->backing ? 0 : gfs_backing_get(call->mount, target->node->backing, &handle->path_fd);
    if (rc) {
        free(handle);
        return rc;
    }
    if (target->backing)
        target->fd = -1;
    *out = handle;
    return 0;
}

static void free_handle(struct gfs_mount *mount, struct gfs_handle *handle) {
    int fd = atomic_load(&handle->fd);

    if (fd >= 0)
        close(fd);
    gfs_backing_put(mount, handle->node->backing);
    free(handle);
}

/* ---- opening ---- */

static bool is_fast_writer(const struct gfs_handle *handle) {
    return handle->node->fast && handle->writes;
}

static int admit(struct gfs_call *call, const struct gfs_target *target, int flags, bool made) {
    /* Nothing can be held against the quota while the kernel writes by itself: so who could let the
     * file grow must not begin to. */
    if (target->node->fast && (flags & O_ACCMODE) != O_RDONLY && target->facts.over_quota && !made)
        return -EDQUOT;
    return gfs_opened_admit(call->mount, target->node->view);
}

static int truncate_backing(struct gfs_call *call, const struct gfs_target *target, const struct gfs_handle *handle) {
    struct gfs_quota_change change;

    gfs_quota_begin(call, target->share, target->node->backing, handle->path_fd, &change);
    int rc = gfs_path_truncate(handle->path_fd, 0);
    gfs_quota_end(&change);
    return rc;
}

/* What a writer gets loses its set-id bits, since the kernel leaves that to us: KILLPRIV_V2, and in
 * passthrough it writes with our rights. */
static int strip_set_id(const struct gfs_target *target, const struct gfs_handle *handle) {
    mode_t mode = target->st.st_mode;
    return mode & (S_ISUID | S_ISGID) ? gfs_path_chmod(handle->path_fd, mode & 0777) : 0;
}

/* An existing file, before somebody writes it, or empties it. */
static int prepare_to_write(struct gfs_call *call, const struct gfs_target *target, struct gfs_handle *handle) {
    struct gfs_target item = *target;
    int fd;

    item.fd = handle->path_fd;
    gfs_op_settle_upload(call, &item);
    int rc = strip_set_id(target, handle);
    if (!rc && handle->writes)
        rc = gfs_handle_fd(handle, &fd);
    if (!rc && (handle->flags & O_TRUNC))
        rc = truncate_backing(call, target, handle);
    return rc;
}

/* The kernel will open the backing file with O_DIRECT, which some filesystems do not have. */
static int try_direct(const struct gfs_handle *handle) {
    int fd = -1;
    int rc = gfs_path_reopen(handle->path_fd, O_RDONLY | O_DIRECT, &fd);

    if (!rc)
        close(fd);
    return rc;
}

static int charge_fast_writer(struct gfs_call *call, const struct gfs_target *target, struct gfs_handle *handle) {
    struct stat st = target->st;

    if (handle->flags & O_TRUNC)
        st.st_size = 0;
    return gfs_quota_opened(call->mount, target->tree->share, target->node->backing, handle->path_fd, &st);
}

/*
 * The kernel may keep the pages that it has when the file is the same as when they were read. st
 * was looked at before the node was marked here. That does no harm: pages are read after this open
 * is answered, or were read after an earlier one, so the node was marked before they were, and who
 * changed the file since has told us. An older version that is noted costs pages, and keeps none.
 */
static bool same_version(struct gfs_node *node, const struct stat *st) {
    int64_t ctime_ns = st->st_ctim.tv_sec * GFS_NS_PER_S + st->st_ctim.tv_nsec;

    atomic_store(&node->pages, true);
    bool same = atomic_exchange(&node->pages_ctime_ns, ctime_ns) == ctime_ns;
    return (atomic_exchange(&node->pages_size, st->st_size) == st->st_size) && same;
}

/*
 * FLUSH, a message at every close(2), is of use to writers, whose upload it dates, and to POSIX
 * locks, which end with it. Readers do without until somebody locks the file by one of them; in a
 * share for databases none does. See docs/locks.md.
 */
static bool does_without_flush(const struct gfs_target *target, const struct gfs_handle *handle) {
    return !handle->writes && target->share->kind != GFS_KIND_DATABASE &&
           !atomic_load_explicit(&handle->node->backing->posix_locked, memory_order_relaxed);
}

/*
 * Which handles bypass the pages of their view. The kernel appends at the end that it knows, which
 * other views may have moved, so appending is left to the backing file. And a write through pages
 * holds them until it is answered, which waits until the other views have dropped theirs: two views
 * that write would wait for each other. So only one view at a time writes through pages.
 */
static bool is_direct(struct gfs_call *call, const struct gfs_handle *handle) {
    return (handle->flags & (O_APPEND | O_DIRECT)) ||
           (handle->writes && !gfs_node_attr_limit_ns(call->mount, handle->node));
}

static int fill_info(struct gfs_call *call, const struct gfs_target *target, struct gfs_handle *handle,
                     struct fuse_file_info *fi) {
    handle->no_flush = does_without_flush(target, handle);
    fi->noflush = handle->no_flush;
    fi->fh = (uint64_t)(uintptr_t)handle;
    /* Passthrough goes with no word about pages. */
    if (handle->node->fast) {
        atomic_fetch_or(&handle->node->opened_needs, handle->read_needs | handle->write_needs);
        return gfs_backing_passthrough(call->mount, handle->node->backing, &fi->backing_id);
    }
    handle->direct = is_direct(call, handle);
    fi->direct_io = handle->direct;
    fi->keep_cache = same_version(handle->node, &target->st) && !(fi->flags & O_TRUNC);
    return 0;
}

static void announce(struct gfs_call *call, const struct gfs_target *target, struct gfs_handle *handle, bool made) {
    struct gfs_node *node = handle->node;

    gfs_opened_add(call->mount, &handle->opened, node, false);
    atomic_fetch_add_explicit(&call->mount->open_handles, 1, memory_order_relaxed);
    if (handle->writes || (handle->flags & O_TRUNC))
        gfs_notify_attributes(call->mount, &target->st, node);
    if (!made && (handle->flags & O_TRUNC))
        gfs_notify_content(call->mount, node->backing, node, 0, 0);
}

int gfs_op_open(struct gfs_call *call, struct gfs_target *target, struct fuse_file_info *fi, gfs_perms read_needs,
                gfs_perms write_needs, int fd) {
    struct gfs_handle *handle = NULL;
    bool made = fd >= 0;
    int rc = admit(call, target, fi->flags, made);

    if (!rc)
        rc = new_handle(call, target, fi->flags, &handle);
    if (rc) {
        if (made)
            close(fd);
        return rc;
    }
    handle->fd = fd;
    handle->dated_ns = made ? call->now_ns : 0;
    handle->read_needs = read_needs;
    handle->write_needs = write_needs;
    if (!made && (handle->writes || (fi->flags & O_TRUNC)))
        rc = prepare_to_write(call, target, handle);
    if (!rc && (fi->flags & O_DIRECT) && handle->node->fast)
        rc = try_direct(handle);
    if (handle->writes) /* before fill_info(): of two views that open at once, one at least sees the other */
        gfs_node_add_writer(call->mount, handle->node, 1);
    if (!rc)
        rc = fill_info(call, target, handle, fi);
    if (!rc && is_fast_writer(handle))
        rc = charge_fast_writer(call, target, handle);
    if (rc && handle->writes)
        gfs_node_add_writer(call->mount, handle->node, -1);
    if (rc) {
        free_handle(call->mount, handle);
        return rc;
    }
    announce(call, target, handle, made);
    return 0;
}

/* ---- closing ---- */

static void end_writing(struct gfs_mount *mount, struct gfs_handle *handle) {
    struct gfs_node *node = handle->node;
    const struct stat file = {.st_dev = node->backing->device, .st_ino = node->backing->inode};

    if (node->fast)
        gfs_quota_closed(mount, node->tree->share, node->backing, handle->path_fd);
    gfs_node_add_writer(mount, node, -1);
    gfs_notify_attributes(mount, &file, node);
    /* Nodes from before the share became fast still have pages, and were told of no write. */
    if (node->fast)
        gfs_notify_content(mount, node->backing, node, 0, 0);
}

void gfs_op_close(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t lock_owner) {
    gfs_opened_remove(mount, &handle->opened);
    gfs_locks_release(mount, handle, lock_owner);
    if (handle->writes)
        end_writing(mount, handle);
    free_handle(mount, handle);
    atomic_fetch_sub_explicit(&mount->open_handles, 1, memory_order_relaxed);
}
