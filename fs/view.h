/*
 * Views: what one user sees. A view is made when it is first looked up and kept until the daemon
 * ends, and so are its virtual nodes (top, view, place, kind) and its trees: there are few of
 * them, and the kernel's references need not be counted.
 *
 *     top        the users' views
 *     view       groups, my, public
 *     place      folders of kinds
 *     kind       shares
 *
 * What is in them is read from the snapshot at each request; only the nodes are kept.
 */
#ifndef GUILDFS_FS_VIEW_H
#define GUILDFS_FS_VIEW_H

#include "fs/node.h"

struct gfs_call;
struct gfs_views;

struct gfs_view {
    gfs_id user;
    char uuid[37];
    _Atomic uint64_t opened;   /* files and folders that are open */
    _Atomic uint32_t uid, gid; /* shown as the owner of everything in it */
    /* the refresher's own once the view is made: the owner as of the last change of the policy */
    uint32_t told_uid, told_gid;
    struct gfs_node *nodes; /* its virtual nodes; under the view table's lock */
    struct gfs_tree *trees;
    struct gfs_view *next;
    /* under the notifier's lock: notices to this view that are not done, and since when (monotonic)
     * one of them is being told, of names and of pages; 0: none is */
    unsigned notices;
    unsigned waiting; /* requests of this view that wait for notices of names to others */
    int64_t told_since_ns[2];
    _Atomic bool lost;             /* a notice to this view was dropped, see watch.h */
    _Atomic int64_t late_until_ns; /* until then nobody waits until the kernel knows a new node, see notify.c */
    _Atomic unsigned hashing;      /* requests that hash a file's content, see ops/xattr.c */
};

int gfs_views_new(struct gfs_views **out) GFS_MUST_CHECK;
void gfs_views_free(struct gfs_views *views);
uint64_t gfs_views_count(struct gfs_mount *mount);

/* Makes the node with id 1: the top, or the view of the mount's only user. Once, at the start. */
int gfs_views_set_root(struct gfs_mount *mount) GFS_MUST_CHECK;

/* The node behind an id of the kernel's. */
struct gfs_node *gfs_node_of(struct gfs_mount *mount, uint64_t id);

/* What a name in a virtual folder is: another virtual node, or a share. */
struct gfs_view_entry {
    struct gfs_node *node;         /* NULL: a share */
    const struct gfs_place *place; /* of the share, lent by the snapshot */
};
/* 0; -ENOENT; -ENOMEM. */
int gfs_view_lookup(struct gfs_call *call, struct gfs_node *folder, const char *name,
                    struct gfs_view_entry *out) GFS_MUST_CHECK;

/*
 * Hands the names of a virtual folder to visit, from number `first` on (counted from 0), until it
 * returns false. The top shows a caller with `uid` the own view, and root all.
 */
typedef bool gfs_view_visit(void *context, const char *name, const struct gfs_view_entry *entry, size_t number);
int gfs_view_list(struct gfs_call *call, struct gfs_node *folder, uint32_t uid, size_t first, gfs_view_visit *visit,
                  void *context) GFS_MUST_CHECK;

/* stat of a virtual node. */
void gfs_view_stat(struct gfs_call *call, const struct gfs_node *node, struct stat *out);

/*
 * The tree of a share in a place of a view, or (around set) of a share nested in that tree. root_fd
 * is a descriptor of the share's root, from which the tree's floor is read when it is made.
 */
struct gfs_tree *gfs_tree_get(struct gfs_call *call, struct gfs_view *view, enum gfs_place_kind place, gfs_id group,
                              const struct gfs_share *share, const struct gfs_tree *around, int root_fd);

/*
 * The moment before which nothing that the view's user uploaded to the share is pending any more:
 * raised when the user loses Upload, kept in an attribute of the share's root so that a restart
 * does not forget it.
 */
void gfs_view_raise_floor(struct gfs_mount *mount, struct gfs_view *view, const struct gfs_share *share,
                          int64_t now_ns);

/* The virtual node of a view, when it has been looked up before; else NULL. */
struct gfs_node *gfs_view_find_node(struct gfs_mount *mount, struct gfs_view *view, enum gfs_node_kind kind,
                                    enum gfs_place_kind place, gfs_id group, enum gfs_kind share_kind);
/* Calls visit for every tree of a view, which are never freed; holds no lock meanwhile. */
void gfs_view_visit_trees(struct gfs_mount *mount, struct gfs_view *view,
                          void (*visit)(void *context, struct gfs_tree *tree), void *context);
/* For the refresher: takes over the account of the view's user. True when it is another one than last time. */
bool gfs_view_set_owner(struct gfs_mount *mount, struct gfs_view *view, const struct gfs_user *user);

/* Calls visit for every view; may take long, holds no lock meanwhile (views are never freed). */
void gfs_views_visit(struct gfs_mount *mount, void (*visit)(void *context, struct gfs_view *view), void *context);

#endif
