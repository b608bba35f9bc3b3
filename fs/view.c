#include "fs/view.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/share.h"
#include "guildfs/clock.h"
#include "guildfs/hash.h"
#include "guildfs/log.h"

enum { BUCKETS = 1024 };

struct gfs_views {
    pthread_mutex_t lock; /* of all that is below, and of the lists in the views */
    struct gfs_view *buckets[BUCKETS];
    uint64_t count;
    struct gfs_node top;
    struct gfs_node *root; /* node id 1; set once before the first request */
    struct timespec made;  /* the time that virtual folders show */
};

int gfs_views_new(struct gfs_views **out) {
    struct gfs_views *views = calloc(1, sizeof *views);
    if (!views)
        return -ENOMEM;
    pthread_mutex_init(&views->lock, NULL);
    views->top.kind = GFS_NODE_TOP;
    clock_gettime(CLOCK_REALTIME, &views->made);
    *out = views;
    return 0;
}

static void free_view(struct gfs_view *view) {
    for (struct gfs_node *node = view->nodes, *next; node; node = next) {
        next = node->next;
        free(node);
    }
    for (struct gfs_tree *tree = view->trees, *next; tree; tree = next) {
        next = tree->next;
        free(tree);
    }
    free(view);
}

void gfs_views_free(struct gfs_views *views) {
    if (!views)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct gfs_view *view = views->buckets[i], *next; view; view = next) {
            next = view->next;
            free_view(view);
        }
    pthread_mutex_destroy(&views->lock);
    free(views);
}

uint64_t gfs_views_count(struct gfs_mount *mount) {
    pthread_mutex_lock(&mount->views->lock);
    uint64_t count = mount->views->count;
    pthread_mutex_unlock(&mount->views->lock);
    return count;
}

struct gfs_node *gfs_node_of(struct gfs_mount *mount, uint64_t id) {
    return id == FUSE_ROOT_ID ? mount->views->root : (struct gfs_node *)(uintptr_t)id;
}

/* ---- nodes ---- */

static bool same_node(const struct gfs_node *a, const struct gfs_node *b) {
    return a->kind == b->kind && a->place == b->place && a->share_kind == b->share_kind && a->group == b->group;
}

/* With the lock held. */
static struct gfs_node *virtual_node(struct gfs_view *view, const struct gfs_node *wanted) {
    for (struct gfs_node *node = view->nodes; node; node = node->next)
        if (same_node(node, wanted))
            return node;
    struct gfs_node *node = malloc(sizeof *node);
    if (!node)
        return NULL;
    *node = *wanted;
    node->view = view;
    node->next = view->nodes;
    view->nodes = node;
    return node;
}

static struct gfs_node *get_virtual_node(struct gfs_mount *mount, struct gfs_view *view,
                                         const struct gfs_node *wanted) {
    pthread_mutex_lock(&mount->views->lock);
    struct gfs_node *node = virtual_node(view, wanted);
    pthread_mutex_unlock(&mount->views->lock);
    return node;
}

static void set_owner(const struct gfs_mount *mount, struct gfs_view *view, const struct gfs_user *user) {
    uint32_t uid = mount->options.uid != GFS_NO_UID ? mount->options.uid : user->uid;
    uint32_t gid = mount->options.gid != GFS_NO_UID ? mount->options.gid : user->gid;
    /* Without an account here nobody but root passes the gate. */
    atomic_store(&view->uid, uid != GFS_NO_UID ? uid : 0);
    atomic_store(&view->gid, gid != GFS_NO_UID ? gid : 0);
}

/* Not by what the view shows now: a lookup may have been faster, and told nobody. */
bool gfs_view_set_owner(struct gfs_mount *mount, struct gfs_view *view, const struct gfs_user *user) {
    set_owner(mount, view, user);
    uint32_t uid = atomic_load(&view->uid), gid = atomic_load(&view->gid);
    bool differs = view->told_uid != uid || view->told_gid != gid;
    view->told_uid = uid;
    view->told_gid = gid;
    return differs;
}

/* The view of a user, made when there is none yet; NULL: out of memory. */
static struct gfs_view *get_view(struct gfs_mount *mount, const struct gfs_user *user) {
    struct gfs_views *views = mount->views;
    struct gfs_view **bucket = &views->buckets[(uint64_t)user->id % BUCKETS];

    pthread_mutex_lock(&views->lock);
    struct gfs_view *view = *bucket;
    while (view && view->user != user->id)
        view = view->next;
    if (!view && (view = calloc(1, sizeof *view))) {
        view->user = user->id;
        snprintf(view->uuid, sizeof view->uuid, "%s", user->uuid);
        view->next = *bucket;
        set_owner(mount, view, user);
        view->told_uid = atomic_load(&view->uid);
        view->told_gid = atomic_load(&view->gid);
        *bucket = view;
        views->count++;
    } else if (view) {
        set_owner(mount, view, user);
    }
    pthread_mutex_unlock(&views->lock);
    return view;
}

int gfs_views_set_root(struct gfs_mount *mount) {
    static const struct gfs_node view_root = {.kind = GFS_NODE_VIEW};

    if (!mount->only_user) {
        mount->views->root = &mount->views->top;
        mount->views->root->mount_root = true;
        return 0;
    }
    const struct gfs_snapshot *snapshot = gfs_authority_enter(mount->authority);
    const struct gfs_user *user = snapshot ? gfs_snapshot_user(snapshot, mount->only_user) : NULL;
    struct gfs_view *view = user ? get_view(mount, user) : NULL;
    struct gfs_node *node = view ? get_virtual_node(mount, view, &view_root) : NULL;
    gfs_authority_leave(mount->authority, snapshot);
    if (!node)
        return user ? -ENOMEM : -ENOENT;
    node->mount_root = true;
    mount->views->root = node;
    return 0;
}

/* ---- what a user holds, by place and kind ---- */

static const struct gfs_rights *rights_of(struct gfs_call *call, const struct gfs_view *view) {
    return gfs_snapshot_rights(call->snapshot, view->user, call->now_ns);
}

static bool in_place(const struct gfs_place *place, const struct gfs_node *folder) {
    return place->kind == folder->place && (place->group ? place->group->id : 0) == folder->group;
}

static bool any_of_kind(const struct gfs_rights *rights, const struct gfs_node *folder, enum gfs_kind kind) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);

    for (size_t i = 0; i < count; i++)
        if (in_place(&places[i], folder) && places[i].share->kind == kind)
            return true;
    return false;
}

static const struct gfs_group_of_user *find_group(const struct gfs_rights *rights, const char *name, gfs_id id) {
    size_t count = 0;
    const struct gfs_group_of_user *groups = gfs_rights_groups(rights, &count);

    for (size_t i = 0; i < count; i++)
        if (name ? !strcmp(groups[i].group->name, name) : groups[i].group->id == id)
            return &groups[i];
    return NULL;
}

/* A member sees the kinds that hold something; who looks after a group sees all of them. */
static bool kind_shows(const struct gfs_rights *rights, const struct gfs_node *place, enum gfs_kind kind) {
    if (any_of_kind(rights, place, kind))
        return true;
    if (place->place != GFS_PLACE_GROUP)
        return false;
    const struct gfs_group_of_user *group = find_group(rights, NULL, place->group);
    return group && group->role != GFS_ROLE_MEMBER;
}

/* ---- lookup ---- */

static int found_node(struct gfs_call *call, struct gfs_view *view, const struct gfs_node *wanted,
                      struct gfs_view_entry *out) {
    struct gfs_node *node = get_virtual_node(call->mount, view, wanted);
    if (!node)
        return -ENOMEM;
    *out = (struct gfs_view_entry){.node = node};
    return 0;
}

static int found_user(struct gfs_call *call, const struct gfs_user *user, struct gfs_view_entry *out) {
    struct gfs_view *view = get_view(call->mount, user);
    return view ? found_node(call, view, &(struct gfs_node){.kind = GFS_NODE_VIEW}, out) : -ENOMEM;
}

static int found_place(struct gfs_call *call, struct gfs_view *view, enum gfs_place_kind place, gfs_id group,
                       struct gfs_view_entry *out) {
    return found_node(call, view, &(struct gfs_node){.kind = GFS_NODE_PLACE, .place = place, .group = group}, out);
}

static int found_kind(struct gfs_call *call, const struct gfs_node *place, enum gfs_kind kind,
                      struct gfs_view_entry *out) {
    const struct gfs_node wanted = {
        .kind = GFS_NODE_KIND, .place = place->place, .group = place->group, .share_kind = kind};
    return found_node(call, place->view, &wanted, out);
}

static int lookup_in_view(struct gfs_call *call, const struct gfs_rights *rights, struct gfs_node *folder,
                          const char *name, struct gfs_view_entry *out) {
    if (!strcmp(name, "my"))
        return found_place(call, folder->view, GFS_PLACE_MY, 0, out);
    if (!strcmp(name, "public"))
        return found_place(call, folder->view, GFS_PLACE_PUBLIC, 0, out);
    const struct gfs_group_of_user *group = find_group(rights, name, 0);
    return group ? found_place(call, folder->view, GFS_PLACE_GROUP, group->group->id, out) : -ENOENT;
}

static int lookup_in_place(struct gfs_call *call, const struct gfs_rights *rights, struct gfs_node *folder,
                           const char *name, struct gfs_view_entry *out) {
    for (enum gfs_kind kind = 0; kind < GFS_KIND_COUNT; kind++)
        if (!strcmp(name, gfs_kind_folder(kind)))
            return kind_shows(rights, folder, kind) ? found_kind(call, folder, kind, out) : -ENOENT;
    return -ENOENT;
}

static int lookup_in_kind(const struct gfs_rights *rights, const struct gfs_node *folder, const char *name,
                          struct gfs_view_entry *out) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);

    for (size_t i = 0; i < count; i++)
        if (in_place(&places[i], folder) && places[i].share->kind == folder->share_kind &&
            !strcmp(places[i].name, name)) {
            *out = (struct gfs_view_entry){.place = &places[i]};
            return 0;
        }
    return -ENOENT;
}

int gfs_view_lookup(struct gfs_call *call, struct gfs_node *folder, const char *name, struct gfs_view_entry *out) {
    if (folder->kind == GFS_NODE_TOP) {
        const struct gfs_user *user = gfs_snapshot_user_by_name(call->snapshot, name);
        return user ? found_user(call, user, out) : -ENOENT;
    }
    const struct gfs_rights *rights = folder->view ? rights_of(call, folder->view) : NULL;
    if (!rights)
        return -ENOENT;
    switch (folder->kind) {
    case GFS_NODE_VIEW:
        return lookup_in_view(call, rights, folder, name, out);
    case GFS_NODE_PLACE:
        return lookup_in_place(call, rights, folder, name, out);
    case GFS_NODE_KIND:
        return lookup_in_kind(rights, folder, name, out);
    case GFS_NODE_TOP:
    case GFS_NODE_DOOR:
    case GFS_NODE_ITEM:
        break;
    }
    return -ENOTDIR;
}

/* ---- listing ---- */

struct listing {
    gfs_view_visit *visit;
    void *context;
    size_t first, number;
};

/* False: enough. A name that is not shown for want of memory is not an end. */
static bool tell(struct listing *listing, const char *name, int rc, const struct gfs_view_entry *entry) {
    size_t number = listing->number++;
    return rc || number < listing->first || listing->visit(listing->context, name, entry, number);
}

static int list_top(struct gfs_call *call, uint32_t uid, struct listing *listing) {
    struct gfs_view_entry entry;

    if (uid != 0) {
        const struct gfs_user *own = gfs_snapshot_user_by_uid(call->snapshot, uid);
        if (own)
            tell(listing, own->name, found_user(call, own, &entry), &entry);
        return 0;
    }
    for (size_t i = listing->first; i < gfs_snapshot_user_count(call->snapshot); i++) {
        const struct gfs_user *user = gfs_snapshot_user_at(call->snapshot, i);
        listing->number = i;
        if (!tell(listing, user->name, found_user(call, user, &entry), &entry))
            break;
    }
    return 0;
}

static int list_view(struct gfs_call *call, const struct gfs_rights *rights, struct gfs_node *folder,
                     struct listing *listing) {
    struct gfs_view_entry entry;
    size_t count = 0;
    const struct gfs_group_of_user *groups = gfs_rights_groups(rights, &count);

    for (size_t i = 0; i < count; i++)
        if (!tell(listing, groups[i].group->name,
                  found_place(call, folder->view, GFS_PLACE_GROUP, groups[i].group->id, &entry), &entry))
            return 0;
    if (tell(listing, "my", found_place(call, folder->view, GFS_PLACE_MY, 0, &entry), &entry))
        tell(listing, "public", found_place(call, folder->view, GFS_PLACE_PUBLIC, 0, &entry), &entry);
    return 0;
}

static int list_place(struct gfs_call *call, const struct gfs_rights *rights, struct gfs_node *folder,
                      struct listing *listing) {
    struct gfs_view_entry entry;

    for (enum gfs_kind kind = 0; kind < GFS_KIND_COUNT; kind++)
        if (kind_shows(rights, folder, kind) &&
            !tell(listing, gfs_kind_folder(kind), found_kind(call, folder, kind, &entry), &entry))
            break;
    return 0;
}

static int list_kind(const struct gfs_rights *rights, const struct gfs_node *folder, struct listing *listing) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);

    for (size_t i = 0; i < count; i++) {
        const struct gfs_view_entry entry = {.place = &places[i]};
        if (in_place(&places[i], folder) && places[i].share->kind == folder->share_kind &&
            !tell(listing, places[i].name, 0, &entry))
            break;
    }
    return 0;
}

int gfs_view_list(struct gfs_call *call, struct gfs_node *folder, uint32_t uid, size_t first, gfs_view_visit *visit,
                  void *context) {
    struct listing listing = {.visit = visit, .context = context, .first = first};

    if (folder->kind == GFS_NODE_TOP)
        return list_top(call, uid, &listing);
    const struct gfs_rights *rights = folder->view ? rights_of(call, folder->view) : NULL;
    if (!rights)
        return 0;
    switch (folder->kind) {
    case GFS_NODE_VIEW:
        return list_view(call, rights, folder, &listing);
    case GFS_NODE_PLACE:
        return list_place(call, rights, folder, &listing);
    case GFS_NODE_KIND:
        return list_kind(rights, folder, &listing);
    case GFS_NODE_TOP:
    case GFS_NODE_DOOR:
    case GFS_NODE_ITEM:
        break;
    }
    return -ENOTDIR;
}

/* ---- stat ---- */

static mode_t virtual_mode(const struct gfs_node *node) {
    switch (node->kind) {
    case GFS_NODE_TOP:
        return 0755;
    case GFS_NODE_VIEW:
        return 0700; /* the gate: nobody else passes it */
    case GFS_NODE_DOOR:
        return 0700;
    case GFS_NODE_PLACE:
    case GFS_NODE_KIND:
    case GFS_NODE_ITEM:
        break;
    }
    return 0500;
}

void gfs_view_stat(struct gfs_call *call, const struct gfs_node *node, struct stat *out) {
    const struct timespec made = call->mount->views->made;

    *out = (struct stat){
        .st_ino = node->mount_root ? 1 : gfs_hash_pair((uintptr_t)node, 1) | (1ULL << 63),
        .st_mode = S_IFDIR | virtual_mode(node),
        .st_nlink = 2,
        .st_uid = node->view ? atomic_load(&node->view->uid) : 0,
        .st_gid = node->view ? atomic_load(&node->view->gid) : 0,
        .st_blksize = 4096,
        .st_atim = made,
        .st_mtim = made,
        .st_ctim = made,
    };
}

/* ---- trees ---- */

/* With the lock held. */
static struct gfs_tree *find_tree(const struct gfs_view *view, const struct gfs_tree *wanted) {
    struct gfs_tree *tree = view->trees;
    while (tree && (tree->place != wanted->place || tree->group != wanted->group || tree->share != wanted->share ||
                    tree->around != wanted->around))
        tree = tree->next;
    return tree;
}

struct gfs_tree *gfs_tree_get(struct gfs_call *call, struct gfs_view *view, enum gfs_place_kind place, gfs_id group,
                              const struct gfs_share *share, const struct gfs_tree *around, int root_fd) {
    pthread_mutex_t *lock = &call->mount->views->lock;
    const struct gfs_tree wanted = {.view = view, .place = place, .group = group, .share = share->id, .around = around};

    pthread_mutex_lock(lock);
    struct gfs_tree *tree = find_tree(view, &wanted);
    pthread_mutex_unlock(lock);
    if (tree)
        return tree;
    struct gfs_tree *made = malloc(sizeof *made);
    if (!made)
        return NULL;
    *made = wanted;
    made->floor_ns = gfs_floor_read(root_fd, view->uuid);
    pthread_mutex_lock(lock);
    tree = find_tree(view, &wanted);
    if (!tree) {
        made->next = view->trees;
        view->trees = tree = made;
        made = NULL;
    }
    pthread_mutex_unlock(lock);
    free(made);
    return tree;
}

void gfs_view_raise_floor(struct gfs_mount *mount, struct gfs_view *view, const struct gfs_share *share,
                          int64_t now_ns) {
    int fd = -1;

    pthread_mutex_lock(&mount->views->lock);
    for (struct gfs_tree *tree = view->trees; tree; tree = tree->next)
        if (tree->share == share->id)
            atomic_store(&tree->floor_ns, now_ns);
    pthread_mutex_unlock(&mount->views->lock);
    int rc = gfs_share_open(share, &fd);
    if (!rc) {
        rc = gfs_floor_write(fd, view->uuid, now_ns);
        close(fd);
    }
    if (rc)
        gfs_log(GFS_LOG_WARNING, "floor-not-kept", "share=%s user=%s errno=%d", share->name, view->uuid, -rc);
}

void gfs_views_visit(struct gfs_mount *mount, void (*visit)(void *context, struct gfs_view *view), void *context) {
    for (size_t i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&mount->views->lock);
        struct gfs_view *view = mount->views->buckets[i];
        pthread_mutex_unlock(&mount->views->lock);
        for (; view; view = view->next)
            visit(context, view);
    }
}

struct gfs_node *gfs_view_find_node(struct gfs_mount *mount, struct gfs_view *view, enum gfs_node_kind kind,
                                    enum gfs_place_kind place, gfs_id group, enum gfs_kind share_kind) {
    const struct gfs_node wanted = {.kind = kind, .place = place, .group = group, .share_kind = share_kind};

    pthread_mutex_lock(&mount->views->lock);
    struct gfs_node *node = view->nodes;
    while (node && !same_node(node, &wanted))
        node = node->next;
    pthread_mutex_unlock(&mount->views->lock);
    return node;
}

void gfs_view_visit_trees(struct gfs_mount *mount, struct gfs_view *view,
                          void (*visit)(void *context, struct gfs_tree *tree), void *context) {
    pthread_mutex_lock(&mount->views->lock);
    struct gfs_tree *tree = view->trees;
    pthread_mutex_unlock(&mount->views->lock);
    for (; tree; tree = tree->next)
        visit(context, tree);
}
