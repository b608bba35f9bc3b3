/*
 * The policy changed. The snapshot has been swapped by now, so every new request is judged by the
 * new one; what is left is what the kernel answers by itself: names, attributes and pages from its
 * caches, and the data of files that pass through. Views and shares in which nothing changed are not
 * touched.
 *
 * In this order: names are forgotten, by the notifier; what is open is taken back; and when the
 * requests that began before the change have ended, what they left behind, and the many nodes that are only cached. All
 * but the first steps are the revoker's (revoke.h).
 */
#include "fs/change.h"

#include <stdlib.h>
#include <time.h>

#include "fs/notify.h"
#include "fs/opened.h"
#include "fs/revoke.h"
#include "guildfs/clock.h"

/* How long to wait for requests that began before: more than a disk takes, and less than a dead file
 * server. A request that takes longer looks at the policy again before it opens anything. */
static const int64_t DRAIN_NS = GFS_NS_PER_S / 10;

/* ---- which shares of which views ---- */

static bool share_differs(const struct gfs_share *a, const struct gfs_share *b) {
    return !a || !b || a->archived != b->archived || a->overwrite_upload != b->overwrite_upload ||
           a->grace_ns != b->grace_ns || a->quota_bytes != b->quota_bytes || a->unarchived_ns != b->unarchived_ns ||
           a->data_mode != b->data_mode || a->audit != b->audit;
}

/* What a user may do in a share, archived or not. */
static gfs_perms perms_on(const struct gfs_rights *rights, const struct gfs_share *share) {
    gfs_perms held = rights && share ? gfs_rights_on(rights, share->id) : 0;
    return share && share->archived ? held & (GFS_VIEW | GFS_DOWNLOAD) : held;
}

static void mark_tree(void *context, struct gfs_tree *tree) {
    struct gfs_change *change = context;
    gfs_id user = tree->view->user;
    const struct gfs_share *share_before = gfs_snapshot_share(change->before, tree->share);
    const struct gfs_share *share_after = gfs_snapshot_share(change->after, tree->share);
    const struct gfs_share *share = share_after ? share_after : share_before;
    gfs_perms held = perms_on(gfs_snapshot_rights(change->before, user, change->before_ns), share_before);
    gfs_perms holds = perms_on(gfs_snapshot_rights(change->after, user, change->now_ns), share_after);

    tree->lost = held & (gfs_perms)~holds;
    tree->changed = tree->changed || held != holds || share_differs(share_before, share_after);
    tree->kill = share && share->on_revoke == GFS_REVOKE_KILL;
    change->any_tree = change->any_tree || tree->changed;
    if (held)
        tree->held = held;
    change->view_differs = change->view_differs || (tree->held && holds && ((tree->held ^ holds) & GFS_VIEW));
    /* What an archive ends is pending no more by itself, see target.c. */
    if (share_after && !share_after->archived &&
        ((tree->lost & GFS_UPLOAD) || ((tree->lost & GFS_MAKE_FOLDER) && !(holds & GFS_UPLOAD))))
        gfs_view_raise_floor(change->mount, tree->view, share_after, change->now_ns);
}

static void mark_changed(void *context, struct gfs_tree *tree) {
    struct gfs_change *change = context;
    tree->changed = change->any_tree = true;
}

static void unmark(void *context, struct gfs_tree *tree) {
    (void)context;
    tree->changed = tree->kill = false;
    tree->lost = 0;
}

static void unmark_view(void *context, struct gfs_view *view) {
    gfs_view_visit_trees(context, view, unmark, NULL);
}

static void compare_view(void *context, struct gfs_view *view) {
    struct gfs_change *change = context;
    const struct gfs_user *user = gfs_snapshot_user(change->after, view->user);

    if (!gfs_snapshot_may_differ(change->before, change->after, view->user))
        return; /* most changes leave most views alone */
    if (user && gfs_view_set_owner(change->mount, view, user)) {
        const struct gfs_node *root = gfs_view_find_node(change->mount, view, GFS_NODE_VIEW, 0, 0, 0);
        if (root)
            gfs_notify_forget_node(change->mount, gfs_node_id(root));
        gfs_view_visit_trees(change->mount, view, mark_changed, change);
    }
    gfs_view_visit_trees(change->mount, view, mark_tree, change);
    gfs_change_names(change, view);
}

static void names_of_view(void *context, struct gfs_view *view) {
    const struct gfs_change *change = context;

    if (gfs_snapshot_may_differ(change->before, change->after, view->user))
        gfs_change_names(context, view);
}

/* ---- what is open ---- */

struct open_item {
    uint64_t device, inode, id;
    const struct gfs_node *node; /* may be gone */
};

struct open_items {
    struct open_item *list;
    size_t count, size;
    bool all; /* not only of trees that changed */
};

static void collect_open(void *context, const struct gfs_node *node) {
    struct open_items *items = context;

    if (node->kind != GFS_NODE_ITEM || !(items->all || node->tree->changed))
        return;
    if (items->count == items->size) {
        size_t size = items->size ? items->size * 2 : 64;
        struct open_item *list = realloc(items->list, size * sizeof *list);
        if (!list)
            return; /* it is dealt with among the rest */
        items->list = list;
        items->size = size;
    }
    items->list[items->count++] = (struct open_item){
        .device = node->backing->device, .inode = node->backing->inode, .id = gfs_node_id(node), .node = node};
}

static int by_id(const void *a, const void *b) {
    const struct open_item *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* With the stripe locked. Of a file that passes through, every descriptor ends: which of them has the
 * right that was lost is not told apart, and what is mapped outlives its handle. */
static void doom(void *context, struct gfs_node *node) {
    if (node->fast && (atomic_load(&node->opened_needs) & node->tree->lost))
        gfs_doom(context, node, node->tree->kill);
}

static void forget_open(struct gfs_mount *mount, const struct open_items *items) {
    for (size_t i = 0; i < items->count; i++)
        if (i == 0 || items->list[i].id != items->list[i - 1].id)
            gfs_notify_forget_node(mount, items->list[i].id);
}

static void take_back_open(struct gfs_change *change) {
    struct open_items items = {0};
    struct gfs_doomed_list doomed = {0};

    gfs_opened_visit(change->mount, collect_open, &items);
    if (items.count)
        qsort(items.list, items.count, sizeof *items.list, by_id);
    for (size_t i = 0; i < items.count; i++)
        gfs_node_visit(change->mount, items.list[i].device, items.list[i].inode, items.list[i].node, doom, &doomed);
    gfs_revoke_open(change->mount, &doomed);
    free(doomed.list);
    forget_open(change->mount, &items);
    free(items.list);
}

/* Mappings, above all. Files that pass through are gfs_revoke_stale()'s. */
void gfs_mount_stale(struct gfs_mount *mount) {
    struct open_items items = {.all = true};

    gfs_notify_all_names(mount);
    gfs_opened_visit(mount, collect_open, &items);
    if (items.count)
        qsort(items.list, items.count, sizeof *items.list, by_id);
    forget_open(mount, &items);
    free(items.list);
}

/* ---- what requests of before left behind, and the rest ---- */

/* False: none was there. */
static bool await_requests(const struct gfs_snapshot *before) {
    const struct timespec pause = {.tv_nsec = 100000};
    int64_t deadline_ns = gfs_monotonic_ns() + DRAIN_NS;
    bool any = false;

    while (gfs_authority_in_use(before) && gfs_monotonic_ns() < deadline_ns) {
        any = true;
        nanosleep(&pause, NULL);
    }
    return any;
}

struct rest {
    uint64_t *ids; /* folders first: every way through the share goes by the attributes of one */
    size_t count, folders, size;
    struct gfs_doomed_list doomed;
};

static bool make_room(struct rest *rest) {
    if (rest->count < rest->size)
        return true;
    size_t size = rest->size ? rest->size * 2 : 1024;
    uint64_t *ids = realloc(rest->ids, size * sizeof *ids);
    if (!ids)
        return false;
    rest->ids = ids;
    rest->size = size;
    return true;
}

static void collect(void *context, struct gfs_node *node) {
    struct rest *rest = context;

    if (!node->tree->changed)
        return;
    doom(&rest->doomed, node);
    if (!make_room(rest))
        return; /* the timeouts of the caches remain */
    size_t at = rest->count++;
    if (node->folder) {
        rest->ids[at] = rest->ids[rest->folders];
        at = rest->folders++;
    }
    rest->ids[at] = gfs_node_id(node);
}

void gfs_mount_changed(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after) {
    struct gfs_change change = {.mount = context,
                                .before = before,
                                .after = after,
                                .before_ns = gfs_snapshot_loaded_ns(before),
                                .now_ns = gfs_now_ns(),
                                .notices = gfs_notices_begin()};
    struct rest rest = {0};

    gfs_views_visit(change.mount, compare_view, &change);
    if (change.any_tree)
        take_back_open(&change);
    /* Names inside shares, which may be kept for an hour; where View is as it was they are right. */
    if (change.view_differs || gfs_change_of_nesting(&change))
        gfs_notify_all_names(change.mount);
    if (await_requests(before))
        gfs_views_visit(change.mount, names_of_view, &change); /* they may have looked some up */
    gfs_notices_end(change.mount, change.notices);
    if (change.any_tree)
        gfs_nodes_visit(change.mount, collect, &rest);
    gfs_revoke_rest(change.mount, gfs_snapshot_generation(after), &rest.doomed, rest.ids, rest.count);
    gfs_views_visit(change.mount, unmark_view, change.mount);
}
