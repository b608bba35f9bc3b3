/*
 * Nodes: what the kernel calls inodes. A node id is the node's address; the root is FUSE_ROOT_ID.
 *
 * Who owns a node: the kernel, by its lookup count. A node lives while `lookups` > 0. A request
 * may use the nodes that it names without further ado, because the kernel keeps its reference
 * until the request is answered; after the reply the node may be gone. Its backing stays as long
 * as somebody has it pinned (gfs_backing_get), so that a target may be put after the reply. Every
 * reply that carries an entry (lookup, create, mkdir, readdirplus ...) adds one to the count before
 * it is sent, and takes it back when sending fails.
 *
 * The kernel's caches belong to nodes. So that nothing cached for one view shows in another, a
 * node belongs to one tree, and a tree to one view.
 */
#ifndef GUILDFS_FS_NODE_H
#define GUILDFS_FS_NODE_H

#include "fs/backing.h"
#include "guildfs/snapshot.h"

struct gfs_mount;
struct gfs_nodes;
struct gfs_view;

/* A share where it shows in a view: one view, one place, one share. Two places that show the same
 * share have two trees, since a folder can have one parent only in the kernel's name cache. */
struct gfs_tree {
    struct gfs_view *view;
    enum gfs_place_kind place;
    gfs_id group; /* of the place; 0 */
    gfs_id share;
    const struct gfs_tree *around; /* the tree in which a nested share shows; NULL */
    _Atomic int64_t floor_ns;      /* uploads closed before this are not pending: last loss of Upload */
    /* the refresher's own, see change.c */
    bool changed;
    bool kill; /* who holds on to something is killed */
    gfs_perms lost;
    gfs_perms held;        /* when something was held last: the kernel may have names in it from then */
    struct gfs_tree *next; /* in the view; under the view table's lock */
};

enum gfs_node_kind {
    GFS_NODE_TOP,   /* the mount's root: the views */
    GFS_NODE_VIEW,  /* a view's root: groups, my, public */
    GFS_NODE_PLACE, /* a group, or my, or public: folders of kinds */
    GFS_NODE_KIND,  /* a kind's folder: shares */
    GFS_NODE_ITEM,  /* the root of a share, or something in it */
    GFS_NODE_DOOR,  /* the daemon's own, see poison.h */
};

/* There may be millions: the order of the fields leaves no gaps. */
struct gfs_node {
    /* never changes */
    enum gfs_node_kind kind : 8;
    enum gfs_place_kind place : 8; /* PLACE, KIND */
    enum gfs_kind share_kind : 8;  /* KIND */
    bool mount_root;               /* node id 1 */
    bool share_root;
    bool fast; /* ITEM, a regular file: its opens pass through, see passthrough.h */
    /* under the node stripe */
    bool dead; /* ITEM: no lookup finds it any more, see gfs_node_kill() */
    /* without a lock */
    _Atomic bool pages;                         /* the kernel may hold some of the file's content in this view */
    _Atomic int64_t pages_ctime_ns, pages_size; /* the version of the file that these belong to */
    /* fast: what was needed for opening it, ever, since a mapping outlives its handle */
    _Atomic gfs_perms opened_needs;
    _Atomic bool asked; /* the kernel has asked for attributes by this node: it has the inode */
    /* never changes */
    bool folder;                 /* ITEM */
    gfs_id group;                /* PLACE, KIND: of GFS_PLACE_GROUP */
    struct gfs_view *view;       /* NULL for the top */
    struct gfs_tree *tree;       /* ITEM */
    struct gfs_backing *backing; /* ITEM */
    /* under the node stripe (ITEM) or the view table's lock (others) */
    struct gfs_node *next_of_backing;
    struct gfs_node *next; /* virtual nodes: in the view */
    uint64_t lookups;
    int64_t names_ns; /* of a folder: when a request that may let the kernel cache names in it began */
    bool names_long;  /* the folder has been watched at such a time, see watch.h */
    unsigned writers; /* handles of this node that are open for writing */
};

static inline uint64_t gfs_node_id(const struct gfs_node *node) {
    return node->mount_root ? 1 : (uint64_t)(uintptr_t)node;
}

int gfs_nodes_new(struct gfs_nodes **out) GFS_MUST_CHECK;
void gfs_nodes_free(struct gfs_nodes *nodes);

/*
 * The node of an item in a tree, found or made, with one lookup more. fd is an O_PATH descriptor
 * of the item; *fd is kept and set to -1 when the backing can use it, else it stays the caller's.
 * 0; 1 when the node had no lookup before, so that nobody could be told of a change of the item
 * since it was looked at; -ENOMEM, -EMFILE.
 *
 * The kernel does not mix opens that go through its cache with those that pass through, so the
 * mode belongs to the node: when that of the share changes, the next lookup gets another node, and
 * what is open stays as it is.
 */
struct gfs_node_wanted {
    const struct stat *st; /* of the item */
    bool share_root;
    bool fast;                         /* the share is: a regular file's opens pass through, where that works */
    int root_fd;                       /* any descriptor of the share's root, to open the filesystem's handles by */
    const struct gfs_backing_key *key; /* of the item, when it is known already; then *fd may be -1 */
};
int gfs_node_enter(struct gfs_mount *mount, struct gfs_tree *tree, const struct gfs_node_wanted *wanted, int *fd,
                   struct gfs_node **out) GFS_MUST_CHECK;

/*
 * From now on no lookup finds the node, and the item gets another one. What is open stays as it
 * is. With the stripe locked, so to be called in a gfs_nodes_visit(). The node has one lookup more,
 * so that it stays until the caller gives that back by gfs_node_forget().
 */
void gfs_node_kill(struct gfs_node *node);

/* One lookup more. */
void gfs_node_take(struct gfs_mount *mount, struct gfs_node *node);
/* Takes back lookups; frees the node when none is left. Virtual nodes stay. */
void gfs_node_forget(struct gfs_mount *mount, struct gfs_node *node, uint64_t lookups);

/* Calls visit, with the stripe locked, when the node of that file is still there. */
void gfs_node_visit(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *wanted,
                    void (*visit)(void *context, struct gfs_node *node), void *context);

/* Counts handles that are open for writing. */
void gfs_node_add_writer(struct gfs_mount *mount, struct gfs_node *node, int difference);
/*
 * How long the kernel may rely on size and times of the node's file, INT64_MAX when nothing limits
 * it. 0 while another node has writers. A writable mapping of a file that passes through outlives
 * its handle and changes the times without a message: a second, for good.
 */
int64_t gfs_node_attr_limit_ns(struct gfs_mount *mount, const struct gfs_node *node);
/* Whether a view has the file open for writing through any of its nodes. */
bool gfs_view_writes(struct gfs_mount *mount, const struct gfs_view *view, const struct stat *st);

/*
 * The file of st lost its last name: whatever node it has keeps a descriptor from now on, since
 * nothing could open it again. fd is an O_PATH descriptor of it, duplicated when needed.
 */
void gfs_node_unlinked(struct gfs_mount *mount, const struct stat *st, int fd);
/* A file without a name got its first one: its descriptor is one of the cache again. */
void gfs_node_named(struct gfs_mount *mount, const struct stat *st, int fd);

/* The tree's node of the file of st, only to be told from others: it may be gone by now. NULL: none. */
const struct gfs_node *gfs_node_in(struct gfs_mount *mount, const struct gfs_tree *tree, const struct stat *st);

/* The other nodes of the same file: at most `size` are written, the number that there are is
 * returned. only_pages: only those for which the kernel may hold pages. */
struct gfs_sibling {
    uint64_t id;
    struct gfs_view *view;
    bool has_names; /* of a folder: the kernel may have names in it cached */
};
size_t gfs_node_siblings(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *except,
                         bool only_pages, struct gfs_sibling *siblings, size_t size);

/* Calls visit for every node of items, under the lock of its stripe: it must not block. */
void gfs_nodes_visit(struct gfs_mount *mount, void (*visit)(void *context, struct gfs_node *node), void *context);
void gfs_nodes_count(struct gfs_mount *mount, uint64_t *nodes, uint64_t *backings, uint64_t *descriptors);

/*
 * Names in the folder change, by this view. When two views have changed names in it within two
 * seconds the folder is hot: for a while its names are not cached by anyone.
 */
void gfs_folder_changed(struct gfs_mount *mount, struct gfs_backing *folder, const struct gfs_view *by);

/*
 * Names that the kernel caches. Before a request looks at the backing folder to answer with names,
 * or moves one into it (even_hot: a name that moves takes its timeout along), it says so: either it
 * then sees what another view changes, or that view sees that this one is to be told. For how long
 * an answer may be kept: nothing in a hot folder.
 */
void gfs_folder_looked_at(struct gfs_mount *mount, struct gfs_node *folder, bool even_hot);
int64_t gfs_folder_names_left_ns(struct gfs_mount *mount, const struct gfs_node *folder);
/* No view has names cached any more from requests that began before. */
void gfs_folder_forgotten(struct gfs_mount *mount, const struct gfs_backing *folder, int64_t before_ns);

#endif
