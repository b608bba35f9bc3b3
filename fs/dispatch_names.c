/*
 * Names that come, go and change. Looking at a name, judging and acting happen under the lock of
 * its folder; the notices to other views and the reply come after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "fs/audit.h"
#include "fs/dispatch.h"
#include "fs/names.h"
#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/share.h"

/* What has the name, if anything; *found says whether. An error that is not absence is returned. */
static int find(struct gfs_call *call, const struct gfs_target *folder, const char *name, struct gfs_target *out,
                struct gfs_target **found) {
    int rc = gfs_target_child(call, folder, name, out);

    *found = rc ? NULL : out;
    return rc == -ENOENT ? 0 : rc;
}

static void reply_new(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *made) {
    struct fuse_entry_param entry;
    int rc = gfs_attr_entry(call, folder, made, &entry);

    if (rc)
        gfs_reply_error(call, rc);
    else if (fuse_reply_entry(call->req, &entry))
        gfs_node_forget(call->mount, made->node, 1);
}

/* ---- adding ---- */

static int make(struct gfs_call *call, struct gfs_target *folder, const struct gfs_new *new, enum gfs_op op,
                struct gfs_target *made) {
    struct gfs_target taken = {.fd = -1}, *found = NULL;
    int path_fd = -1;
    gfs_folder_looked_at(call->mount, folder->node, false);
    struct gfs_names_held held = gfs_names_lock(call->mount, &folder->st, NULL);
    int rc = find(call, folder, new->name, &taken, &found);

    if (!rc)
        rc = gfs_guard_add(call, folder, found, op, true);
    if (!rc)
        rc = gfs_op_make(call, folder, new, &path_fd, NULL);
    gfs_names_unlock(call->mount, held);
    gfs_target_put(call, &taken);
    if (rc)
        return rc;
    rc = gfs_target_fd(call, folder->tree, path_fd, made);
    if (rc)
        close(path_fd);
    return rc;
}

static void add(fuse_req_t req, fuse_ino_t parent, const struct gfs_new *new, enum gfs_op op) {
    struct gfs_call call;
    struct gfs_target folder, made = {.fd = -1};

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, parent, &folder);
    if (!rc) {
        call.names = (struct gfs_audit_names){.folder = &folder, .name = new->name};
        rc = make(&call, &folder, new, op, &made);
        if (!rc) {
            gfs_audit_done(&call, &made, op);
            gfs_notify_names(call.mount, folder.node, new->name, NULL);
            reply_new(&call, &folder, &made);
        }
        gfs_target_put(&call, &made);
        gfs_target_put(&call, &folder);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

void gfs_on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
    add(req, parent, &(struct gfs_new){.kind = GFS_NEW_FOLDER, .name = name, .mode = mode}, GFS_OP_MKDIR);
}

void gfs_on_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name) {
    add(req, parent, &(struct gfs_new){.kind = GFS_NEW_SYMLINK, .name = name, .link = link}, GFS_OP_SYMLINK);
}

/* Devices, FIFOs and sockets are nobody's to make: the guard refuses before anything is made. */
void gfs_on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device) {
    (void)device;
    add(req, parent, &(struct gfs_new){.kind = GFS_NEW_FILE, .name = name, .mode = mode, .flags = O_WRONLY},
        S_ISREG(mode) ? GFS_OP_CREATE : GFS_OP_MKNOD);
}

/* ---- creating and opening in one ---- */

static void reply_created(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target,
                          struct fuse_file_info *fi, gfs_perms read_needs, gfs_perms write_needs, int fd) {
    struct fuse_entry_param entry;
    int rc = gfs_attr_entry(call, folder, target, &entry);

    if (rc) {
        if (fd >= 0)
            close(fd);
        gfs_reply_error(call, rc);
        return;
    }
    rc = gfs_op_open(call, target, fi, read_needs, write_needs, fd);
    if (!rc && (rc = gfs_recheck_handle(call, gfs_handle_of(fi))))
        gfs_op_close(call->mount, gfs_handle_of(fi), 0);
    if (rc) {
        gfs_reply_error(call, rc);
        gfs_node_forget(call->mount, target->node, 1);
    } else if (fuse_reply_create(call->req, &entry, fi)) {
        gfs_op_close(call->mount, gfs_handle_of(fi), 0);
        gfs_node_forget(call->mount, target->node, 1);
    }
}

/* The name was free when the kernel looked, and is not any more: open what is there, as open(2)
 * without O_EXCL would. */
static int open_taken(struct gfs_call *call, struct gfs_target *folder, struct gfs_target *taken,
                      struct fuse_file_info *fi) {
    gfs_perms read_needs = 0, write_needs = 0;
    int rc = S_ISREG(taken->st.st_mode) ? gfs_guard_open(call, taken, fi->flags, &read_needs, &write_needs) : -EEXIST;

    if (!rc) {
        gfs_audit_opened(call, taken, fi->flags, taken->fd);
        reply_created(call, folder, taken, fi, read_needs, write_needs, -1);
    }
    return rc;
}

static int create(struct gfs_call *call, struct gfs_target *folder, const char *name, mode_t mode,
                  struct fuse_file_info *fi) {
    const struct gfs_new new = {.kind = GFS_NEW_FILE, .name = name, .mode = mode, .flags = fi->flags};
    const bool exclusive = fi->flags & O_EXCL;
    struct gfs_target taken = {.fd = -1}, *found = NULL, made = {.fd = -1};
    int path_fd = -1, fd = -1;
    gfs_folder_looked_at(call->mount, folder->node, false);
    struct gfs_names_held held = gfs_names_lock(call->mount, &folder->st, NULL);
    int rc = find(call, folder, name, &taken, &found);
    bool opens = !rc && found && !exclusive && gfs_guard(call, found, GFS_OP_STAT) == 0;

    if (!rc && !opens)
        rc = gfs_guard_add(call, folder, found, GFS_OP_CREATE, exclusive);
    if (!rc && !opens)
        rc = gfs_op_make(call, folder, &new, &path_fd, &fd);
    gfs_names_unlock(call->mount, held);
    if (!rc && opens) {
        rc = open_taken(call, folder, found, fi);
    } else if (!rc) {
        rc = gfs_target_fd(call, folder->tree, path_fd, &made);
        if (rc) {
            close(path_fd);
            close(fd);
        } else {
            gfs_audit_done(call, &made, GFS_OP_CREATE);
            gfs_notify_names(call->mount, folder->node, name, NULL);
            /* Whoever made it may read back what was written. */
            reply_created(call, folder, &made, fi, GFS_UPLOAD, GFS_UPLOAD, fd);
        }
    }
    gfs_target_put(call, &made);
    gfs_target_put(call, &taken);
    return rc;
}

void gfs_on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target folder;

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, parent, &folder);
    if (!rc) {
        call.names = (struct gfs_audit_names){.folder = &folder, .name = name};
        rc = create(&call, &folder, name, mode, fi);
        gfs_target_put(&call, &folder);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

static int tmpfile_in(struct gfs_call *call, struct gfs_target *folder, mode_t mode, struct fuse_file_info *fi) {
    const struct gfs_new new = {.kind = GFS_NEW_FILE, .mode = mode, .flags = fi->flags};
    struct gfs_target made = {.fd = -1};
    int path_fd = -1, fd = -1;
    call->names = (struct gfs_audit_names){.folder = folder};
    int rc = gfs_guard_add(call, folder, NULL, GFS_OP_TMPFILE, true);

    if (!rc)
        rc = gfs_op_make(call, folder, &new, &path_fd, &fd);
    if (rc)
        return rc;
    rc = gfs_target_fd(call, folder->tree, path_fd, &made);
    if (rc) {
        close(path_fd);
        close(fd);
        return rc;
    }
    const struct stat st = made.st;
    int keep = fcntl(path_fd, F_DUPFD_CLOEXEC, 0);
    struct fuse_entry_param entry;
    rc = gfs_attr_entry(call, folder, &made, &entry);
    if (!rc && keep >= 0)
        gfs_node_unlinked(call->mount, &st, keep);
    if (keep >= 0)
        close(keep);
    if (rc) {
        close(fd);
        gfs_target_put(call, &made);
        return rc;
    }
    rc = gfs_op_open(call, &made, fi, GFS_UPLOAD, GFS_UPLOAD, fd);
    if (!rc && (rc = gfs_recheck_handle(call, gfs_handle_of(fi))))
        gfs_op_close(call->mount, gfs_handle_of(fi), 0);
    if (!rc)
        gfs_audit_done(call, &made, GFS_OP_TMPFILE);
    if (rc) {
        gfs_node_forget(call->mount, made.node, 1);
    } else if (fuse_reply_create(call->req, &entry, fi)) {
        gfs_op_close(call->mount, gfs_handle_of(fi), 0);
        gfs_node_forget(call->mount, made.node, 1);
    }
    gfs_target_put(call, &made);
    return rc;
}

void gfs_on_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi) {
    struct gfs_call call;
    struct gfs_target folder;

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, parent, &folder);
    if (!rc) {
        rc = tmpfile_in(&call, &folder, mode, fi);
        gfs_target_put(&call, &folder);
    }
    if (rc)
        gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

/* ---- links ---- */

/* A file without a name (O_TMPFILE) that gets its first one is an upload that ends, not a link. */
static int guard_link(struct gfs_call *call, struct gfs_target *item, struct gfs_target *folder,
                      struct gfs_target *taken) {
    if (item->st.st_nlink == 0) {
        gfs_target_read_upload(call, item);
        if (item->pending_until_ns)
            return gfs_guard_add(call, folder, taken, GFS_OP_TMPFILE, true);
    }
    return gfs_guard_link(call, item, folder, taken);
}

static int link_in(struct gfs_call *call, struct gfs_target *item, struct gfs_target *folder, const char *name) {
    struct gfs_target taken = {.fd = -1}, *found = NULL;
    gfs_folder_looked_at(call->mount, folder->node, false);
    struct gfs_names_held held = gfs_names_lock(call->mount, &folder->st, NULL);
    int rc = find(call, folder, name, &taken, &found);

    if (!rc)
        rc = guard_link(call, item, folder, found);
    if (!rc)
        rc = gfs_op_link(call, item, folder, name);
    gfs_names_unlock(call->mount, held);
    gfs_target_put(call, &taken);
    return rc;
}

void gfs_on_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent, const char *name) {
    struct gfs_call call;
    struct gfs_target item = {.fd = -1}, folder = {.fd = -1};

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, id, &item);
    if (!rc)
        rc = gfs_resolve(&call, new_parent, &folder);
    const bool named = !rc && item.st.st_nlink; /* else it gets its first name */
    call.names = named ? (struct gfs_audit_names){.item = &item, .new_folder = &folder, .new_name = name}
                       : (struct gfs_audit_names){.folder = &folder, .name = name};
    /* Two places that show one share are two trees as well: a name in one must not get a node of the
     * other, and what is between groups is a copy. */
    if (rc == -EACCES || (!rc && item.tree != folder.tree))
        rc = -EXDEV;
    if (!rc)
        rc = link_in(&call, &item, &folder, name);
    if (rc) {
        gfs_reply_error(&call, rc);
    } else {
        gfs_audit_done(&call, &item, named ? GFS_OP_LINK : GFS_OP_TMPFILE);
        gfs_notify_names(call.mount, folder.node, name, NULL);
        gfs_notify_attributes(call.mount, &item.st, item.node);
        reply_new(&call, &folder, &item);
    }
    gfs_target_put(&call, &folder);
    gfs_target_put(&call, &item);
    gfs_call_end(&call);
}

/* ---- removing ---- */

/* The root of a share, and what holds one below it, stays where it is, like a mount point. */
static bool is_mount_point(const struct gfs_call *call, const struct gfs_target *folder,
                           const struct gfs_target *item) {
    return item->facts.folder &&
           (item->facts.share_root || gfs_share_holds_nested(call->snapshot, folder->share, &item->st));
}

/* One name less, or another one: the kernel knows what that does to the inode of the own view. */
static void notify_others(struct gfs_call *call, const struct gfs_target *item) {
    gfs_notify_attributes(call->mount, &item->st, gfs_node_in(call->mount, item->tree, &item->st));
}

static int remove_from(struct gfs_call *call, struct gfs_target *folder, const char *name, enum gfs_op op) {
    struct gfs_target item = {.fd = -1};
    struct gfs_names_held held = gfs_names_lock(call->mount, &folder->st, NULL);
    int rc = gfs_target_child(call, folder, name, &item);

    if (!rc)
        rc = gfs_guard(call, &item, op);
    if (!rc && item.facts.folder != (op == GFS_OP_RMDIR))
        rc = item.facts.folder ? -EISDIR : -ENOTDIR;
    if (!rc && is_mount_point(call, folder, &item))
        rc = -EBUSY;
    if (!rc)
        rc = gfs_op_remove(call, folder, name, &item);
    gfs_names_unlock(call->mount, held);
    if (!rc) {
        gfs_audit_done(call, &item, op);
        notify_others(call, &item);
    }
    gfs_target_put(call, &item);
    return rc;
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, enum gfs_op op) {
    struct gfs_call call;
    struct gfs_target folder;

    if (!gfs_call_begin(&call, req))
        return;
    int rc = gfs_resolve(&call, parent, &folder);
    if (!rc) {
        call.names = (struct gfs_audit_names){.folder = &folder, .name = name};
        rc = remove_from(&call, &folder, name, op);
        if (!rc)
            gfs_notify_names(call.mount, folder.node, name, NULL);
        gfs_target_put(&call, &folder);
    }
    gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}

void gfs_on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name) {
    remove_name(req, parent, name, GFS_OP_UNLINK);
}

void gfs_on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name) {
    remove_name(req, parent, name, GFS_OP_RMDIR);
}

/* ---- renaming ---- */

struct rename {
    struct gfs_target from, to; /* the folders */
    const char *name, *new_name;
    unsigned flags;
    bool same_folder;
};

static int judge_rename(struct gfs_call *call, struct rename *rename, struct gfs_target *source,
                        struct gfs_target *target) {
    int rc = gfs_guard_rename(call, source, &rename->to, target, rename->same_folder, rename->flags & RENAME_NOREPLACE,
                              rename->flags & RENAME_EXCHANGE);

    if (!rc && (is_mount_point(call, &rename->from, source) || (target && is_mount_point(call, &rename->to, target))))
        rc = -EBUSY;
    return rc;
}

static int rename_item(struct gfs_call *call, struct rename *rename) {
    struct gfs_target source = {.fd = -1}, target = {.fd = -1}, *found = NULL, *replaced = NULL;
    struct gfs_names_held held =
        gfs_names_lock(call->mount, &rename->from.st, rename->same_folder ? NULL : &rename->to.st);
    int rc = find(call, &rename->from, rename->name, &source, &found);

    if (!rc)
        rc = find(call, &rename->to, rename->new_name, &target, &replaced);
    if (!rc)
        rc = judge_rename(call, rename, found, replaced);
    bool save = !source.facts.folder && gfs_own_pending(&source.facts);
    if (!rc)
        rc = gfs_op_rename(call, &rename->from, rename->name, found, &rename->to, rename->new_name, replaced,
                           rename->flags, save);
    gfs_names_unlock(call->mount, held);
    if (!rc) {
        call->names.replaces = replaced && !(rename->flags & RENAME_EXCHANGE);
        gfs_audit_done(call, &source, rename->flags & RENAME_EXCHANGE ? GFS_OP_EXCHANGE : GFS_OP_RENAME);
        if (save && replaced)
            gfs_notify_attributes(call->mount, &source.st, NULL); /* it has taken over mode and times */
        else
            notify_others(call, &source);
        if (replaced)
            notify_others(call, &target);
    }
    gfs_target_put(call, &source);
    gfs_target_put(call, &target);
    return rc;
}

static void notify_rename(struct gfs_call *call, const struct rename *rename) {
    if (rename->same_folder) {
        gfs_notify_names(call->mount, rename->from.node, rename->name, rename->new_name);
        return;
    }
    gfs_notify_names(call->mount, rename->from.node, rename->name, NULL);
    gfs_notify_names(call->mount, rename->to.node, rename->new_name, NULL);
}

static bool one_is_virtual(struct gfs_mount *mount, fuse_ino_t a, fuse_ino_t b) {
    return (gfs_node_of(mount, a)->kind == GFS_NODE_ITEM) != (gfs_node_of(mount, b)->kind == GFS_NODE_ITEM);
}

void gfs_on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                   unsigned flags) {
    struct gfs_call call;
    struct rename rename = {.from.fd = -1, .to.fd = -1, .name = name, .new_name = new_name, .flags = flags};

    if (!gfs_call_begin(&call, req))
        return;
    int rc = flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ? -EINVAL
             : one_is_virtual(call.mount, parent, new_parent)        ? -EXDEV
                                                                     : gfs_resolve(&call, parent, &rename.from);
    if (!rc)
        rc = gfs_resolve(&call, new_parent, &rename.to);
    call.names =
        (struct gfs_audit_names){.folder = &rename.from, .name = name, .new_folder = &rename.to, .new_name = new_name};
    if (!rc && rename.from.tree != rename.to.tree)
        rc = -EXDEV; /* see gfs_on_link() */
    if (!rc) {
        rename.same_folder =
            rename.from.st.st_dev == rename.to.st.st_dev && rename.from.st.st_ino == rename.to.st.st_ino;
        gfs_folder_looked_at(call.mount, rename.from.node, true); /* an exchange moves both ways */
        gfs_folder_looked_at(call.mount, rename.to.node, true);
        rc = rename_item(&call, &rename);
    }
    if (!rc)
        notify_rename(&call, &rename);
    gfs_target_put(&call, &rename.from);
    gfs_target_put(&call, &rename.to);
    gfs_reply_error(&call, rc);
    gfs_call_end(&call);
}
