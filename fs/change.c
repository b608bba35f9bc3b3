/*
 * The policy changed. The snapshot has been swapped by now, so every new request is judged by the
 * new one; what is left is what the kernel answers from its caches: names, attributes and pages of
 * what a view lost or gained. Views and shares in which nothing changed are not touched.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/call.h"
#include "fs/notify.h"
#include "guildfs/clock.h"

struct change {
    struct gfs_mount *mount;
    const struct gfs_snapshot *before, *after;
    int64_t before_ns, now_ns; /* at which each of the two is asked: what has ended between them counts as lost */
    struct gfs_notices *notices; /* of names */
    bool any_tree;
};

/* ---- names in virtual folders ---- */

static void forget_in(struct change *change, const struct gfs_node *folder, const char *name) {
    if (folder)
        gfs_notify_forget_name(change->mount, change->notices, folder, name);
}

static gfs_id group_of(const struct gfs_place *place) {
    return place->group ? place->group->id : 0;
}

/* A share came, went, or shows its content now and did not before. The share's name, and the
 * folder of its kind, which may have come or gone with it. */
static void forget_place(struct change *change, struct gfs_view *view, const struct gfs_place *place) {
    struct gfs_mount *mount = change->mount;
    enum gfs_kind kind = place->share->kind;

    forget_in(change, gfs_view_find_node(mount, view, GFS_NODE_KIND, place->kind, group_of(place), kind), place->name);
    forget_in(change, gfs_view_find_node(mount, view, GFS_NODE_PLACE, place->kind, group_of(place), 0),
              gfs_kind_folder(kind));
}

static bool same_place(const struct gfs_place *a, const struct gfs_place *b) {
    return a->kind == b->kind && group_of(a) == group_of(b) && a->share->id == b->share->id &&
           !strcmp(a->name, b->name);
}

/* Both lists have one order, so that what did not change is mostly found at the hint. */
static bool has_place(const struct gfs_rights *rights, const struct gfs_place *place, size_t *hint) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);

    for (size_t n = 0; n < count; n++) {
        size_t i = (*hint + n) % count;
        if (same_place(&places[i], place)) {
            *hint = i + 1;
            return true;
        }
    }
    return false;
}

/* The files in it get other nodes, see node.h. */
static bool mode_differs(const struct change *change, gfs_id share) {
    const struct gfs_share *before = gfs_snapshot_share(change->before, share);
    const struct gfs_share *after = gfs_snapshot_share(change->after, share);
    return before && after && before->data_mode != after->data_mode;
}

static void compare_places(struct change *change, struct gfs_view *view, const struct gfs_rights *mine,
                           const struct gfs_rights *other) {
    size_t count = 0, hint = 0;
    const struct gfs_place *places = gfs_rights_places(mine, &count);

    for (size_t i = 0; i < count; i++) {
        gfs_id share = places[i].share->id;
        gfs_perms differs = gfs_rights_on(mine, share) ^ gfs_rights_on(other, share);
        if ((differs & GFS_VIEW) || mode_differs(change, share) || !has_place(other, &places[i], &hint))
            forget_place(change, view, &places[i]);
    }
}

static void compare_groups(struct change *change, struct gfs_view *view, const struct gfs_rights *mine,
                           const struct gfs_rights *other) {
    const struct gfs_node *root = gfs_view_find_node(change->mount, view, GFS_NODE_VIEW, 0, 0, 0);
    size_t count = 0, others = 0;
    const struct gfs_group_of_user *groups = gfs_rights_groups(mine, &count);
    const struct gfs_group_of_user *other_groups = gfs_rights_groups(other, &others);

    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < others && (other_groups[j].group->id != groups[i].group->id ||
                              strcmp(other_groups[j].group->name, groups[i].group->name) != 0 ||
                              other_groups[j].role != groups[i].role))
            j++;
        if (j == others)
            forget_in(change, root, groups[i].group->name);
    }
}

/* ---- what is in shares ---- */

static bool share_differs(const struct gfs_share *a, const struct gfs_share *b) {
    return !a || !b || a->archived != b->archived || a->overwrite_upload != b->overwrite_upload ||
           a->grace_ns != b->grace_ns || a->quota_bytes != b->quota_bytes || a->unarchived_ns != b->unarchived_ns ||
           a->data_mode != b->data_mode || a->audit != b->audit;
}

static void compare_tree(void *context, struct gfs_tree *tree) {
    struct change *change = context;
    gfs_id user = tree->view->user;
    const struct gfs_share *share_before = gfs_snapshot_share(change->before, tree->share);
    const struct gfs_share *share_after = gfs_snapshot_share(change->after, tree->share);
    const struct gfs_rights *before = gfs_snapshot_rights(change->before, user, change->before_ns);
    const struct gfs_rights *after = gfs_snapshot_rights(change->after, user, change->now_ns);
    gfs_perms held = before ? gfs_rights_on(before, tree->share) : 0;
    gfs_perms holds = after ? gfs_rights_on(after, tree->share) : 0;
    gfs_perms lost = held & (gfs_perms)~holds;

    tree->changed = tree->changed || held != holds || share_differs(share_before, share_after);
    change->any_tree = change->any_tree || tree->changed;
    if (share_after && ((lost & GFS_UPLOAD) || ((lost & GFS_MAKE_FOLDER) && !(holds & GFS_UPLOAD))))
        gfs_view_raise_floor(change->mount, tree->view, share_after, change->now_ns);
}

static void mark_tree(void *context, struct gfs_tree *tree) {
    struct change *change = context;
    tree->changed = change->any_tree = true;
}

static void compare_view(void *context, struct gfs_view *view) {
    struct change *change = context;
    const struct gfs_rights *before = gfs_snapshot_rights(change->before, view->user, change->before_ns);
    const struct gfs_rights *after = gfs_snapshot_rights(change->after, view->user, change->now_ns);
    const struct gfs_user *user = gfs_snapshot_user(change->after, view->user);

    if (user && gfs_view_set_owner(change->mount, view, user)) {
        const struct gfs_node *root = gfs_view_find_node(change->mount, view, GFS_NODE_VIEW, 0, 0, 0);
        if (root)
            gfs_notify_forget_node(change->mount, gfs_node_id(root));
        gfs_view_visit_trees(change->mount, view, mark_tree, change);
    }
    gfs_view_visit_trees(change->mount, view, compare_tree, change);
    if (!before || !after)
        return; /* the user went: all rights are gone, and the trees have been marked */
    compare_groups(change, view, before, after);
    compare_groups(change, view, after, before);
    compare_places(change, view, before, after);
    compare_places(change, view, after, before);
}

/* ---- nodes of changed trees ---- */

struct ids {
    uint64_t *list;
    size_t count, size;
};

static void collect(void *context, struct gfs_node *node) {
    struct ids *ids = context;

    if (!node->tree->changed)
        return;
    if (ids->count == ids->size) {
        size_t size = ids->size ? ids->size * 2 : 1024;
        uint64_t *list = realloc(ids->list, size * sizeof *list);
        if (!list)
            return; /* the timeouts of the caches remain */
        ids->list = list;
        ids->size = size;
    }
    ids->list[ids->count++] = gfs_node_id(node);
}

static void unmark(void *context, struct gfs_tree *tree) {
    (void)context;
    tree->changed = false;
}

static void unmark_view(void *context, struct gfs_view *view) {
    gfs_view_visit_trees(context, view, unmark, NULL);
}

void gfs_mount_changed(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after) {
    struct change change = {.mount = context,
                            .before = before,
                            .after = after,
                            .before_ns = gfs_snapshot_loaded_ns(before),
                            .now_ns = gfs_now_ns(),
                            .notices = gfs_notices_begin()};
    struct ids ids = {0};

    gfs_views_visit(change.mount, compare_view, &change);
    gfs_notices_end(change.mount, change.notices);
    if (!change.any_tree)
        return;
    gfs_nodes_visit(change.mount, collect, &ids);
    for (size_t i = 0; i < ids.count; i++)
        gfs_notify_forget_node(change.mount, ids.list[i]);
    free(ids.list);
    gfs_views_visit(change.mount, unmark_view, change.mount);
}
