/* Names in virtual folders, and of shares inside shares, see change.h. */
#include <string.h>

#include "fs/change.h"
#include "fs/notify.h"

static void forget_in(struct gfs_change *change, const struct gfs_node *folder, const char *name, bool below) {
    if (folder)
        gfs_notify_forget_name(change->mount, change->notices, folder, name, below);
}

static gfs_id group_of(const struct gfs_place *place) {
    return place->group ? place->group->id : 0;
}

/* A share came, went, or shows its content now and did not before. The share's name, and the
 * folder of its kind, which may have come or gone with it. below: what is in it has other nodes now. */
static void forget_place(struct gfs_change *change, struct gfs_view *view, const struct gfs_place *place, bool below) {
    struct gfs_mount *mount = change->mount;
    enum gfs_kind kind = place->share->kind;

    forget_in(change, gfs_view_find_node(mount, view, GFS_NODE_KIND, place->kind, group_of(place), kind), place->name,
              below);
    forget_in(change, gfs_view_find_node(mount, view, GFS_NODE_PLACE, place->kind, group_of(place), 0),
              gfs_kind_folder(kind), false);
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
static bool mode_differs(const struct gfs_change *change, gfs_id share) {
    const struct gfs_share *before = gfs_snapshot_share(change->before, share);
    const struct gfs_share *after = gfs_snapshot_share(change->after, share);
    return before && after && before->data_mode != after->data_mode;
}

static void compare_places(struct gfs_change *change, struct gfs_view *view, const struct gfs_rights *mine,
                           const struct gfs_rights *other) {
    size_t count = 0, hint = 0;
    const struct gfs_place *places = gfs_rights_places(mine, &count);

    for (size_t i = 0; i < count; i++) {
        gfs_id share = places[i].share->id;
        gfs_perms differs = gfs_rights_on(mine, share) ^ gfs_rights_on(other, share);
        bool other_mode = mode_differs(change, share);
        if ((differs & GFS_VIEW) || other_mode || !has_place(other, &places[i], &hint))
            forget_place(change, view, &places[i], other_mode);
    }
}

static void compare_groups(struct gfs_change *change, struct gfs_view *view, const struct gfs_rights *mine,
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
            forget_in(change, root, groups[i].group->name, false);
    }
}

void gfs_change_names(struct gfs_change *change, struct gfs_view *view) {
    const struct gfs_rights *before = gfs_snapshot_rights(change->before, view->user, change->before_ns);
    const struct gfs_rights *after = gfs_snapshot_rights(change->after, view->user, change->now_ns);

    compare_groups(change, view, before, after);
    compare_groups(change, view, after, before);
    compare_places(change, view, before, after);
    compare_places(change, view, after, before);
}

/* ---- shares in shares ---- */

static bool same_nesting(const struct gfs_share *a, const struct gfs_share *b) {
    return b && b->parent && a->parent->id == b->parent->id && !strcmp(a->path, b->path) &&
           !strcmp(a->node_path, b->node_path) && a->data_mode == b->data_mode;
}

static bool has_other_nesting(const struct gfs_snapshot *mine, const struct gfs_snapshot *other) {
    size_t count = gfs_snapshot_share_count(mine);

    for (size_t i = 0; i < count; i++) {
        const struct gfs_share *share = gfs_snapshot_share_at(mine, i);
        if (share->parent && !same_nesting(share, gfs_snapshot_share(other, share->id)))
            return true;
    }
    return false;
}

bool gfs_change_of_nesting(const struct gfs_change *change) {
    return has_other_nesting(change->before, change->after) || has_other_nesting(change->after, change->before);
}
