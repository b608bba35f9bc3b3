/*
 * Open files and folders. Rights are judged when a file is opened and bound to the handle; later
 * requests on it only check that they still hold, since the kernel sends those with the identity
 * of whoever happens to cause them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/audit.h"
#include "fs/dispatch.h"
#include "fs/ops/ops.h"
#include "fs/poison.h"
#include "guildfs/clock.h"

int gfs_recheck_handle(const struct gfs_call *call, const struct gfs_handle *handle) {
    struct gfs_call now = *call;
    int rc = 0;

    now.snapshot = gfs_authority_enter(call->mount->authority);
    if (!now.snapshot)
        return -EIO;
    if (now.snapshot != call->snapshot) {
        now.now_ns = gfs_now_ns();
        rc = handle->reads ? gfs_guard_handle(&now, handle, false) : 0;
        if (!rc && handle->writes)
            rc = gfs_guard_handle(&now, handle, true);
    }
    gfs_authority_leave(call->mount->authority, now.snapshot);
    return rc;
}

void gfs_on_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target target;
    gfs_perms read_needs = 0, write_needs = 0;

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, id, &target);
    if (!rc) {
        rc = gfs_guard_open(&call, &target, fi->flags, &read_needs, &write_needs);
        /* A FIFO or socket that lies in an adopted folder is no file that can be opened here. */
        if (!rc && !S_ISREG(target.st.st_mode))
            rc = -EACCES;
        if (!rc)
            rc = gfs_op_open(&call, &target, fi, read_needs, write_needs, -1);
        if (!rc && (rc = gfs_recheck_handle(&call, gfs_handle_of(fi))))
            gfs_op_close(call.mount, gfs_handle_of(fi), 0);
        if (!rc)
            gfs_audit_opened(&call, &target, fi->flags, gfs_handle_of(fi)->path_fd);
        gfs_target_put(&call, &target);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    else if (fuse_reply_open(req, fi))
        gfs_op_close(call.mount, gfs_handle_of(fi), 0);
    gfs_call_end(&call);
}

/* The handle, when its right to read or write still holds; else the request has been answered. */
static struct gfs_handle *begin_handle(struct gfs_call *call, fuse_req_t req, struct fuse_file_info *fi, bool write) {
    struct gfs_handle *handle = gfs_handle_of(fi);

    if (!gfs_call_begin(call, req))
        return NULL;
    int rc = !handle                                     ? -EBADF
             : !(write ? handle->writes : handle->reads) ? -EBADF
                                                         : gfs_guard_handle(call, handle, write);
    if (!rc)
        return handle;
    gfs_reply_error(call, rc);
    gfs_call_end(call);
    return NULL;
}

void gfs_on_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_handle *handle = begin_handle(&call, req, fi, false);

    (void)id;
    if (!handle)
        return;
    gfs_op_read(&call, handle, size, offset);
    gfs_call_end(&call);
}

void gfs_on_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset,
                  struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_handle *handle = begin_handle(&call, req, fi, true);

    (void)id;
    if (!handle)
        return;
    /* Pages that the kernel writes back have their place already. */
    gfs_op_write(&call, handle, data, size, offset, (fi->flags & O_APPEND) && !fi->writepage, fi->writepage);
    gfs_call_end(&call);
}

/* Never refused, as RELEASE is not: close(2) would fail, and the locks would stay. Only a new time
 * for the upload needs the policy. */
void gfs_on_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    struct gfs_mount *mount = fuse_req_userdata(req);
    struct gfs_call call = {.req = req, .mount = mount, .now_ns = gfs_now_ns()};

    (void)id;
    call.snapshot = gfs_authority_enter(mount->authority);
    gfs_op_flush(&call, gfs_handle_of(fi), fi->lock_owner);
    gfs_call_end(&call);
}

/* Never refused, whatever the policy or the store: only the handle is needed. */
void gfs_on_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    (void)id;
    gfs_op_close(fuse_req_userdata(req), gfs_handle_of(fi), fi->lock_owner);
    fuse_reply_err(req, 0);
}

void gfs_on_fsync(fuse_req_t req, fuse_ino_t id, int only_data, struct fuse_file_info *fi) {
    struct gfs_handle *handle = gfs_handle_of(fi);

    int fd = -1;

    (void)id;
    int rc = gfs_handle_fd(handle, &fd);
    if (!rc && (only_data ? fdatasync(fd) : fsync(fd)))
        rc = -errno;
    gfs_reply_status(req, rc);
}

void gfs_on_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t length, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_handle *handle = begin_handle(&call, req, fi, true);

    (void)id;
    if (!handle)
        return;
    gfs_op_fallocate(&call, handle, mode, offset, length);
    gfs_call_end(&call);
}

void gfs_on_copy_file_range(fuse_req_t req, fuse_ino_t id_in, off_t offset_in, struct fuse_file_info *fi_in,
                            fuse_ino_t id_out, off_t offset_out, struct fuse_file_info *fi_out, size_t length,
                            int flags) {
    struct gfs_call call;
    struct gfs_handle *in = gfs_handle_of(fi_in), *out = gfs_handle_of(fi_out);

    (void)id_in, (void)id_out;
    if (!gfs_call_begin(&call, req))
        return;
    int rc = flags ? -EINVAL : in->reads && out->writes ? 0 : -EBADF;
    if (!rc)
        rc = gfs_guard_handle(&call, in, false);
    if (!rc)
        rc = gfs_guard_handle(&call, out, true);
    if (rc)
        gfs_reply_error(&call, rc);
    else
        gfs_op_copy_file_range(&call, in, offset_in, out, offset_out, length);
    gfs_call_end(&call);
}

/* ---- rights that a handle may bring along, or its user have otherwise ---- */

static int guard_handle_or_item(struct gfs_call *call, struct gfs_handle *handle, bool write, enum gfs_op op) {
    struct gfs_target target;

    if (!handle)
        return -EBADF;
    if ((write ? handle->writes : handle->reads) && gfs_guard_handle_holds(call, handle, write))
        return 0;
    int rc = gfs_target_node(call, handle->node, &target);
    if (rc)
        return rc;
    rc = gfs_guard(call, &target, op);
    gfs_target_put(call, &target);
    return rc;
}

void gfs_on_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_handle *handle = gfs_handle_of(fi);

    (void)id;
    if (!gfs_call_begin(&call, req))
        return;
    int fd = -1;
    int rc = guard_handle_or_item(&call, handle, false, GFS_OP_OPEN_READ);
    if (!rc)
        rc = gfs_handle_fd(handle, &fd);
    off_t found = rc ? 0 : lseek(fd, offset, whence);
    if (rc)
        gfs_reply_error(&call, rc);
    else if (found < 0)
        gfs_reply_error(&call, -errno);
    else
        fuse_reply_lseek(req, found);
    gfs_call_end(&call);
}

static int guard_lock(struct gfs_call *call, struct gfs_handle *handle, bool exclusive) {
    return guard_handle_or_item(call, handle, exclusive, exclusive ? GFS_OP_LOCK_EXCLUSIVE : GFS_OP_LOCK_SHARED);
}

void gfs_on_getlk(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *lock) {
    struct gfs_call call;

    (void)id;
    if (!gfs_call_begin(&call, req))
        return;
    int rc = guard_lock(&call, gfs_handle_of(fi), lock->l_type == F_WRLCK);
    if (rc)
        gfs_reply_error(&call, rc);
    else
        gfs_op_getlk(&call, gfs_handle_of(fi), fi->lock_owner, lock);
    gfs_call_end(&call);
}

void gfs_on_setlk(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *lock, int wait) {
    struct gfs_call call;

    (void)id;
    if (!gfs_call_begin(&call, req))
        return;
    int rc = lock->l_type == F_UNLCK ? 0 : guard_lock(&call, gfs_handle_of(fi), lock->l_type == F_WRLCK);
    if (rc)
        gfs_reply_error(&call, rc);
    else
        gfs_op_setlk(&call, gfs_handle_of(fi), fi->lock_owner, lock, wait);
    gfs_call_end(&call);
}

void gfs_on_flock(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, int operation) {
    struct gfs_call call;
    int kind = operation & ~LOCK_NB;

    (void)id;
    if (!gfs_call_begin(&call, req))
        return;
    int rc = kind == LOCK_UN ? 0 : guard_lock(&call, gfs_handle_of(fi), kind == LOCK_EX);
    if (rc)
        gfs_reply_error(&call, rc);
    else
        gfs_op_flock(&call, gfs_handle_of(fi), fi->lock_owner, operation);
    gfs_call_end(&call);
}

/* ---- folders ---- */

static struct gfs_folder_handle *folder_handle_of(const struct fuse_file_info *fi) {
    return (struct gfs_folder_handle *)(uintptr_t)fi->fh;
}

void gfs_on_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target folder = {.fd = -1};

    struct gfs_node *node = gfs_node_of(fuse_req_userdata(req), id);
    if (!gfs_call_begin_door(&call, req, node->kind == GFS_NODE_DOOR))
        return;
    bool item = node->kind == GFS_NODE_ITEM;
    int rc = item ? gfs_target_node(&call, node, &folder) : 0;
    if (!rc && item)
        rc = gfs_guard(&call, &folder, GFS_OP_LIST);
    if (!rc)
        rc = gfs_op_opendir(&call, node, item ? &folder : NULL, fi);
    gfs_target_put(&call, &folder);
    if (rc)
        gfs_reply_error(&call, rc);
    else if (fuse_reply_open(req, fi))
        gfs_op_releasedir(call.mount, folder_handle_of(fi));
    gfs_call_end(&call);
}

static void list(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi, bool plus) {
    struct gfs_call call;
    struct gfs_target folder = {.fd = -1};

    struct gfs_node *node = gfs_node_of(fuse_req_userdata(req), id);
    if (!gfs_call_begin_door(&call, req, node->kind == GFS_NODE_DOOR))
        return;
    call.versioned = true;
    bool item = node->kind == GFS_NODE_ITEM;
    int rc = item ? gfs_target_node(&call, node, &folder) : 0;
    if (!rc && item)
        rc = gfs_guard(&call, &folder, GFS_OP_LIST);
    if (!rc && item && plus)
        gfs_folder_looked_at(call.mount, node, false);
    if (rc)
        gfs_reply_error(&call, rc);
    else if (node->kind == GFS_NODE_DOOR)
        gfs_poison_list(&call, plus ? size : 0, offset);
    else
        gfs_op_readdir(&call, folder_handle_of(fi), item ? &folder : NULL, size, offset, plus);
    gfs_target_put(&call, &folder);
    gfs_call_end(&call);
}

void gfs_on_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi) {
    list(req, id, size, offset, fi, false);
}

void gfs_on_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi) {
    list(req, id, size, offset, fi, true);
}

void gfs_on_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi) {
    (void)id;
    gfs_op_releasedir(fuse_req_userdata(req), folder_handle_of(fi));
    fuse_reply_err(req, 0);
}

void gfs_on_fsyncdir(fuse_req_t req, fuse_ino_t id, int only_data, struct fuse_file_info *fi) {
    (void)id;
    int rc = gfs_op_fsyncdir(folder_handle_of(fi), only_data);
    gfs_reply_status(req, rc);
}
