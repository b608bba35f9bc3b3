#include "fs/dispatch.h"

#include <errno.h>
#include <string.h>

#include "fs/audit.h"
#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/passthrough.h"
#include "fs/poison.h"
#include "guildfs/clock.h"

bool gfs_call_begin_door(struct gfs_call *call, fuse_req_t req, bool door) {
    struct gfs_mount *mount = fuse_req_userdata(req);

    *call =
        (struct gfs_call){.req = req, .mount = mount, .now_ns = gfs_now_ns(), .changes = atomic_load(&mount->changes)};
    atomic_fetch_add_explicit(&mount->requests, 1, memory_order_relaxed);
    call->snapshot = gfs_authority_enter(mount->authority);
    if (call->snapshot || (door && gfs_poison_asks(mount, fuse_req_ctx(req))))
        return true;
    fuse_reply_err(req, EIO); /* the store has not answered for too long: nothing is allowed */
    return false;
}

bool gfs_call_begin(struct gfs_call *call, fuse_req_t req) {
    return gfs_call_begin_door(call, req, false);
}

void gfs_call_end(struct gfs_call *call) {
    gfs_authority_leave(call->mount->authority, call->snapshot);
    call->snapshot = NULL;
}

int gfs_resolve(struct gfs_call *call, fuse_ino_t id, struct gfs_target *out) {
    struct gfs_node *node = gfs_node_of(call->mount, id);
    return node->kind == GFS_NODE_ITEM ? gfs_target_node(call, node, out) : -EACCES;
}

/* ---- the connection ---- */

static void want(struct fuse_conn_info *conn, uint64_t capability, bool on) {
    if (on)
        fuse_set_feature_flag(conn, capability);
    else
        fuse_unset_feature_flag(conn, capability);
}

static void on_init(void *userdata, struct fuse_conn_info *conn) {
    /* Copying once is quicker than splicing, see docs/decisions. */
    want(conn, FUSE_CAP_SPLICE_READ, false);
    want(conn, FUSE_CAP_SPLICE_WRITE, false);
    want(conn, FUSE_CAP_SPLICE_MOVE, false);
    want(conn, FUSE_CAP_POSIX_LOCKS, true);
    want(conn, FUSE_CAP_FLOCK_LOCKS, true);
    want(conn, FUSE_CAP_ATOMIC_O_TRUNC, true);
    want(conn, FUSE_CAP_READDIRPLUS, true);
    want(conn, FUSE_CAP_READDIRPLUS_AUTO, false);
    /* Set-id bits are never shown and never stick, so that the kernel need not ask for
     * capabilities before each write. */
    want(conn, FUSE_CAP_HANDLE_KILLPRIV, false);
    want(conn, FUSE_CAP_HANDLE_KILLPRIV_V2, true);
    /* Changes made behind the mount drop the pages once the new times are seen. */
    want(conn, FUSE_CAP_AUTO_INVAL_DATA, true);
    want(conn, FUSE_CAP_CACHE_SYMLINKS, true);
    /* A write must be in the file when it returns, or other views would not see it. */
    want(conn, FUSE_CAP_WRITEBACK_CACHE, false);
    want(conn, FUSE_CAP_POSIX_ACL, false);
    want(conn, FUSE_CAP_DIRECT_IO_ALLOW_MMAP, true); /* appending handles, see ops/open.c */
    conn->max_write = 1 << 20;
    gfs_passthrough_init(userdata, conn);
}

/* ---- lookup and forget ---- */

/* Absent and hidden are the same answer, which the kernel may keep. */
static void reply_absent(struct gfs_call *call, const struct gfs_target *folder, const char *name) {
    struct fuse_entry_param entry = {.entry_timeout = gfs_absent_timeout(call, folder, name)};
    fuse_reply_entry(call->req, &entry);
}

static void reply_entry(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target) {
    struct fuse_entry_param entry;
    int rc = gfs_attr_entry(call, folder, target, &entry);

    if (rc)
        gfs_reply_error(call, rc);
    else if (fuse_reply_entry(call->req, &entry))
        gfs_node_forget(call->mount, target->node, 1);
}

static void lookup_item(struct gfs_call *call, struct gfs_node *parent, const char *name) {
    struct gfs_target folder, child = {.fd = -1};
    int rc = gfs_target_node(call, parent, &folder);

    if (rc) {
        gfs_reply_error(call, rc);
        return;
    }
    gfs_folder_looked_at(call->mount, parent, false);
    rc = gfs_target_look(call, &folder, name, &child);
    if (!rc)
        rc = gfs_guard(call, &child, GFS_OP_STAT);
    if (rc == -ENOENT)
        reply_absent(call, &folder, name);
    else if (rc)
        gfs_reply_error(call, rc);
    else
        reply_entry(call, &folder, &child);
    gfs_target_put(call, &child);
    gfs_target_put(call, &folder);
}

static void lookup_share(struct gfs_call *call, struct gfs_node *parent, const struct gfs_place *place) {
    struct gfs_target root = {.fd = -1};
    int rc = gfs_target_root(call, parent->view, place, &root);

    if (!rc)
        rc = gfs_guard(call, &root, GFS_OP_STAT);
    if (rc == -ENOENT)
        reply_absent(call, NULL, NULL);
    else if (rc)
        gfs_reply_error(call, rc);
    else
        reply_entry(call, NULL, &root);
    gfs_target_put(call, &root);
}

static double virtual_timeout(const struct gfs_call *call) {
    return (double)call->mount->options.attr_timeout_ns / 1e9;
}

static void reply_virtual(struct gfs_call *call, struct gfs_node *node, double timeout) {
    struct fuse_entry_param entry = {
        .ino = gfs_node_id(node), .generation = 1, .attr_timeout = timeout, .entry_timeout = timeout};
    gfs_view_stat(call, node, &entry.attr);
    fuse_reply_entry(call->req, &entry);
}

static void lookup_virtual(struct gfs_call *call, struct gfs_node *parent, const char *name) {
    struct gfs_view_entry found;
    int rc = gfs_view_lookup(call, parent, name, &found);

    if (rc == -ENOENT) {
        reply_absent(call, NULL, NULL);
    } else if (rc) {
        gfs_reply_error(call, rc);
    } else if (found.place) {
        lookup_share(call, parent, found.place);
    } else {
        reply_virtual(call, found.node, virtual_timeout(call));
    }
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent_id, const char *name) {
    struct gfs_call call;

    struct gfs_mount *mount = fuse_req_userdata(req);
    struct gfs_node *parent = gfs_node_of(mount, parent_id);
    struct gfs_node *door = gfs_poison_find_door(mount, parent, name, fuse_req_ctx(req));
    if (!gfs_call_begin_door(&call, req, door != NULL))
        return;
    call.versioned = true;
    if (door)
        reply_virtual(&call, door, 0);
    else if (parent->kind == GFS_NODE_ITEM)
        lookup_item(&call, parent, name);
    else
        lookup_virtual(&call, parent, name);
    gfs_call_end(&call);
}

static void on_forget(fuse_req_t req, fuse_ino_t id, uint64_t lookups) {
    struct gfs_mount *mount = fuse_req_userdata(req);
    gfs_node_forget(mount, gfs_node_of(mount, id), lookups);
    fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets) {
    struct gfs_mount *mount = fuse_req_userdata(req);
    for (size_t i = 0; i < count; i++)
        gfs_node_forget(mount, gfs_node_of(mount, forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

/* ---- attributes ---- */

static void reply_attributes(struct gfs_call *call, struct gfs_target *target) {
    struct stat st;
    gfs_attr_show(call, target, &st);
    fuse_reply_attr(call->req, &st, gfs_attr_timeout(call, target));
}

static void on_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target target;

    (void)fi;
    struct gfs_node *node = gfs_node_of(fuse_req_userdata(req), id);
    if (!gfs_call_begin_door(&call, req, node->mount_root || node->kind == GFS_NODE_DOOR))
        return;
    if (node->kind != GFS_NODE_ITEM) {
        struct stat st;
        gfs_view_stat(&call, node, &st);
        fuse_reply_attr(req, &st, virtual_timeout(&call));
        gfs_call_end(&call);
        return;
    }
    call.versioned = true;
    atomic_store(&node->asked, true);
    int rc = gfs_target_node(&call, node, &target);
    if (!rc) {
        rc = gfs_guard(&call, &target, GFS_OP_STAT);
        if (!rc)
            reply_attributes(&call, &target);
        gfs_target_put(&call, &target);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

/* Which rights a SETATTR takes. A file that is open for writing has its right to be cut bound to
 * the handle, like WRITE. */
static int guard_setattr(struct gfs_call *call, struct gfs_target *target, const struct stat *wanted, int valid,
                         const struct gfs_handle *handle) {
    const struct gfs_view *view = target->tree->view;
    int rc = gfs_guard(call, target, GFS_OP_STAT);

    if (!rc && (((valid & FUSE_SET_ATTR_UID) && wanted->st_uid != atomic_load(&view->uid)) ||
                ((valid & FUSE_SET_ATTR_GID) && wanted->st_gid != atomic_load(&view->gid))))
        rc = gfs_guard(call, target, GFS_OP_CHOWN);
    if (!rc && (valid & FUSE_SET_ATTR_SIZE))
        rc = handle && handle->writes ? gfs_guard_handle(call, handle, true) : gfs_guard(call, target, GFS_OP_TRUNCATE);
    if (!rc && (valid & FUSE_SET_ATTR_MODE))
        rc = gfs_guard(call, target, GFS_OP_CHMOD);
    if (!rc && (valid & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)))
        rc = gfs_guard(call, target, GFS_OP_UTIMENS);
    return rc;
}

static void on_setattr(fuse_req_t req, fuse_ino_t id, struct stat *wanted, int valid, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target target;
    struct gfs_handle *handle = gfs_handle_of(fi);

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, id, &target);
    if (!rc) {
        rc = guard_setattr(&call, &target, wanted, valid, handle);
        if (!rc)
            rc = gfs_op_setattr(&call, &target, wanted, valid, handle);
        if (!rc && !(handle && (valid & FUSE_SET_ATTR_SIZE)))
            gfs_audit_changed(&call, &target, valid);
        if (!rc)
            reply_attributes(&call, &target);
        gfs_target_put(&call, &target);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

/* ---- operations on one item that need one right, and answer by themselves ---- */

/* The item, judged; false when the request has been answered with an error. */
static bool begin_item(struct gfs_call *call, fuse_req_t req, fuse_ino_t id, enum gfs_op op,
                       struct gfs_target *target) {
    if (!gfs_call_begin(call, req))
        return false;
    int rc = gfs_resolve(call, id, target);
    if (!rc) {
        rc = gfs_guard(call, target, op);
        if (!rc)
            return true;
        gfs_target_put(call, target);
    }
    gfs_reply_error(call, rc);
    gfs_call_end(call);
    return false;
}

static void end_item(struct gfs_call *call, struct gfs_target *target) {
    gfs_target_put(call, target);
    gfs_call_end(call);
}

static void on_readlink(fuse_req_t req, fuse_ino_t id) {
    struct gfs_call call;
    struct gfs_target target;

    if (!begin_item(&call, req, id, GFS_OP_READLINK, &target))
        return;
    gfs_op_readlink(&call, &target);
    end_item(&call, &target);
}

static bool is_virtual(fuse_req_t req, fuse_ino_t id) {
    return gfs_node_of(fuse_req_userdata(req), id)->kind != GFS_NODE_ITEM;
}

static void on_statfs(fuse_req_t req, fuse_ino_t id) {
    struct gfs_call call;
    struct gfs_target target;

    if (is_virtual(req, id)) {
        if (!gfs_call_begin(&call, req))
            return;
        gfs_op_statfs_virtual_node(&call, gfs_node_of(call.mount, id));
        gfs_call_end(&call);
        return;
    }
    if (!begin_item(&call, req, id, GFS_OP_STATFS, &target))
        return;
    gfs_op_statfs(&call, &target);
    end_item(&call, &target);
}

static enum gfs_op getxattr_op(const char *name) {
    if (gfs_xattr_class(name) == GFS_XATTR_STORED)
        return GFS_OP_GETXATTR;
    return gfs_xattr_reads_content(name) ? GFS_OP_OPEN_READ : GFS_OP_STAT;
}

static void on_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size) {
    struct gfs_call call;
    struct gfs_target target;

    /* The kernel asks for security.capability before it first writes to a file. There is none, ever. */
    if (!strncmp(name, "security.", 9)) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    if (is_virtual(req, id)) {
        if (!gfs_call_begin(&call, req))
            return;
        gfs_op_getxattr_virtual_node(&call, gfs_node_of(call.mount, id), name, size);
        gfs_call_end(&call);
        return;
    }
    if (!begin_item(&call, req, id, getxattr_op(name), &target))
        return;
    gfs_op_getxattr(&call, &target, name, size);
    end_item(&call, &target);
}

static void on_listxattr(fuse_req_t req, fuse_ino_t id, size_t size) {
    struct gfs_call call;
    struct gfs_target target;

    if (is_virtual(req, id)) {
        if (size)
            fuse_reply_buf(req, NULL, 0);
        else
            fuse_reply_xattr(req, 0);
        return;
    }
    if (!begin_item(&call, req, id, GFS_OP_LISTXATTR, &target))
        return;
    gfs_op_listxattr(&call, &target, size);
    end_item(&call, &target);
}

/* Names that cannot be set are refused by the operation, with the errno for that. */
static enum gfs_op changexattr_op(const char *name, enum gfs_op op) {
    return gfs_xattr_class(name) == GFS_XATTR_STORED ? op : GFS_OP_STAT;
}

static void on_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t size, int flags) {
    struct gfs_call call;
    struct gfs_target target;

    if (!begin_item(&call, req, id, changexattr_op(name, GFS_OP_SETXATTR), &target))
        return;
    gfs_audit_done(&call, &target, changexattr_op(name, GFS_OP_SETXATTR));
    gfs_op_setxattr(&call, &target, name, value, size, flags);
    end_item(&call, &target);
}

static void on_removexattr(fuse_req_t req, fuse_ino_t id, const char *name) {
    struct gfs_call call;
    struct gfs_target target;

    if (!begin_item(&call, req, id, changexattr_op(name, GFS_OP_REMOVEXATTR), &target))
        return;
    gfs_audit_done(&call, &target, changexattr_op(name, GFS_OP_REMOVEXATTR));
    gfs_op_removexattr(&call, &target, name);
    end_item(&call, &target);
}

static void on_ioctl(fuse_req_t req, fuse_ino_t id, unsigned command, void *argument, struct fuse_file_info *fi,
                     unsigned flags, const void *in, size_t in_size, size_t out_size) {
    (void)id, (void)command, (void)argument, (void)fi, (void)flags, (void)in, (void)in_size, (void)out_size;
    fuse_reply_err(req, ENOTTY);
}

/* Every member of the struct stands here; tests/lint holds the list against libfuse's header. */
const struct fuse_lowlevel_ops gfs_dispatch = {
    .init = on_init,
    .destroy = NULL, /* main.c ends what it started */
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .readlink = on_readlink,
    .mknod = gfs_on_mknod,
    .mkdir = gfs_on_mkdir,
    .unlink = gfs_on_unlink,
    .rmdir = gfs_on_rmdir,
    .symlink = gfs_on_symlink,
    .rename = gfs_on_rename,
    .link = gfs_on_link,
    .open = gfs_on_open,
    .read = gfs_on_read,
    .write = gfs_on_write,
    .write_buf = NULL, /* instead of write: only of use with splice */
    .flush = gfs_on_flush,
    .release = gfs_on_release,
    .fsync = gfs_on_fsync,
    .opendir = gfs_on_opendir,
    .readdir = gfs_on_readdir,
    .readdirplus = gfs_on_readdirplus,
    .releasedir = gfs_on_releasedir,
    .fsyncdir = gfs_on_fsyncdir,
    .statfs = on_statfs,
    .setxattr = on_setxattr,
    .getxattr = on_getxattr,
    .listxattr = on_listxattr,
    .removexattr = on_removexattr,
    .access = NULL, /* default_permissions: the kernel answers from the mode bits */
    .create = gfs_on_create,
    .tmpfile = gfs_on_tmpfile,
    .getlk = gfs_on_getlk,
    .setlk = gfs_on_setlk,
    .flock = gfs_on_flock,
    .bmap = NULL, /* block devices only */
    .ioctl = on_ioctl,
    .poll = NULL,           /* regular files are always ready */
    .retrieve_reply = NULL, /* nothing is retrieved from the kernel's cache */
    .fallocate = gfs_on_fallocate,
    .copy_file_range = gfs_on_copy_file_range,
    .lseek = gfs_on_lseek,
    /* .statx (libfuse 3.18): absent; the kernel then asks by getattr */
};
