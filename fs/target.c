/*
 * Targets: from what the kernel names (a node, or a name in a folder) to a descriptor and the
 * facts that the decision needs. Whatever a decision is made on is read from the descriptor that
 * is then acted on, never from a path that could lead elsewhere by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/quota.h"
#include "fs/share.h"

static int stat_fd(int fd, struct stat *st) {
    return fstatat(fd, "", st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int fill(struct gfs_call *call, struct gfs_tree *tree, bool share_root, struct gfs_target *target) {
    const struct gfs_share *share = gfs_snapshot_share(call->snapshot, tree->share);
    const struct gfs_rights *rights = gfs_snapshot_rights(call->snapshot, tree->view->user, call->now_ns);

    if (!share || !rights)
        return -ENOENT;
    target->tree = tree;
    target->share = share;
    target->facts = (struct gfs_facts){
        .effective = gfs_rights_on(rights, share->id),
        .archived = share->archived,
        .overwrite_upload = share->overwrite_upload,
        .over_quota = share->quota_bytes > 0 && gfs_quota_exceeded(call->mount, share),
        .share_root = share_root,
        .folder = S_ISDIR(target->st.st_mode),
    };
    return 0;
}

int gfs_target_node(struct gfs_call *call, struct gfs_node *node, struct gfs_target *out) {
    struct gfs_target target = {.node = node, .backing = node->backing, .fd = -1};
    int rc = gfs_backing_get(call->mount, node->backing, &target.fd);
    if (rc)
        return rc;
    rc = stat_fd(target.fd, &target.st);
    if (!rc)
        rc = fill(call, node->tree, node->share_root, &target);
    if (rc) {
        gfs_backing_put(call->mount, node->backing);
        return rc;
    }
    *out = target;
    return 0;
}

/* In which tree a child lies: the folder's, or that of a share nested there. */
static int tree_of_child(struct gfs_call *call, const struct gfs_target *folder, int fd, const struct stat *st,
                         struct gfs_tree **tree, bool *share_root) {
    const struct gfs_tree *around = folder->tree;
    const struct gfs_share *nested = NULL;
    int rc = S_ISDIR(st->st_mode) ? gfs_share_nested_at(call->snapshot, folder->share, st, &nested) : 0;

    if (rc)
        return rc;
    *share_root = nested != NULL;
    *tree = nested ? gfs_tree_get(call, around->view, around->place, around->group, nested, around, fd) : folder->tree;
    return *tree ? 0 : -ENOMEM;
}

int gfs_target_child(struct gfs_call *call, const struct gfs_target *folder, const char *name, struct gfs_target *out) {
    struct gfs_target target = {.fd = -1};
    bool share_root = false;
    int rc = gfs_open_child(folder->fd, name, &target.fd);
    if (rc)
        return rc;
    struct gfs_tree *tree = NULL;
    rc = stat_fd(target.fd, &target.st);
    if (!rc)
        rc = tree_of_child(call, folder, target.fd, &target.st, &tree, &share_root);
    if (!rc)
        rc = fill(call, tree, share_root, &target);
    if (rc) {
        close(target.fd);
        return rc;
    }
    *out = target;
    return 0;
}

/* A nested share's tree wants a descriptor of its root. */
static bool may_be_nested(const struct gfs_call *call, const struct gfs_target *folder, const struct stat *st) {
    size_t count = 0;

    if (!S_ISDIR(st->st_mode))
        return false;
    gfs_snapshot_nested(call->snapshot, folder->share->id, &count);
    return count > 0;
}

int gfs_target_look(struct gfs_call *call, const struct gfs_target *folder, const char *name, struct gfs_target *out) {
    struct gfs_target target = {.fd = -1, .looked = true};
    bool fast = folder->share->data_mode == GFS_DATA_FAST;
    int rc = gfs_backing_look(call->mount, folder->fd, name, fast, &target.st, &target.key);

    if (rc == -EOPNOTSUPP || (!rc && may_be_nested(call, folder, &target.st)))
        return gfs_target_child(call, folder, name, out);
    if (!rc)
        rc = fill(call, folder->tree, false, &target);
    if (!rc)
        *out = target;
    return rc;
}

int gfs_target_root(struct gfs_call *call, struct gfs_view *view, const struct gfs_place *place,
                    struct gfs_target *out) {
    struct gfs_target target = {.fd = -1};
    int rc = gfs_share_open(place->share, &target.fd);
    if (rc)
        return rc;
    rc = stat_fd(target.fd, &target.st);
    struct gfs_tree *tree =
        rc ? NULL
           : gfs_tree_get(call, view, place->kind, place->group ? place->group->id : 0, place->share, NULL, target.fd);
    if (!rc)
        rc = tree ? fill(call, tree, true, &target) : -ENOMEM;
    if (rc) {
        close(target.fd);
        return rc;
    }
    *out = target;
    return 0;
}

int gfs_target_fd(struct gfs_call *call, struct gfs_tree *tree, int fd, struct gfs_target *out) {
    struct gfs_target target = {.fd = fd};
    int rc = stat_fd(fd, &target.st);
    if (!rc)
        rc = fill(call, tree, false, &target);
    if (!rc)
        *out = target;
    return rc;
}

void gfs_target_put(struct gfs_call *call, struct gfs_target *target) {
    if (target->fd < 0)
        return;
    if (target->backing)
        gfs_backing_put(call->mount, target->backing);
    else
        close(target->fd);
    target->fd = -1;
}

/* ---- uploads ---- */

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t floor_of(const struct gfs_target *target) {
    return later(target->share->unarchived_ns, atomic_load(&target->tree->floor_ns));
}

void gfs_target_read_upload(struct gfs_call *call, struct gfs_target *target) {
    if (target->upload_read || (target->fd < 0 && !target->looked))
        return;
    const struct gfs_view *view = target->tree->view;
    target->upload_read = true;
    /* The record only ever adds rights, so what cannot be opened is treated as one without. */
    if (target->fd < 0 && gfs_backing_open(call->mount, &target->key, &target->fd))
        return;
    target->has_upload = gfs_upload_read(target->fd, &target->upload) == 0;
    if (!target->has_upload || target->facts.share_root || strcmp(target->upload.uploader, view->uuid) != 0)
        return;
    bool holds_open = !target->facts.folder && gfs_view_writes(call->mount, view, &target->st);
    int64_t until =
        gfs_upload_pending_until(&target->upload, view->uuid, target->share->grace_ns, floor_of(target), holds_open);
    bool pending = until > call->now_ns;
    target->pending_until_ns = pending ? until : 0;
    target->facts.own_listed = pending && target->facts.folder;
    target->facts.own_pending = pending && !target->facts.folder;
}

void gfs_target_look_into(struct gfs_call *call, struct gfs_target *target) {
    const struct gfs_view *view = target->tree->view;

    gfs_target_read_upload(call, target);
    if (target->looked_into || !target->facts.own_listed)
        return;
    target->looked_into = true;
    target->facts.own_pending =
        gfs_folder_is_own(target->fd, view->uuid, target->share->grace_ns, floor_of(target), call->now_ns);
}
