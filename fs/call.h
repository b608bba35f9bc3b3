/*
 * One request: what every operation has in hand. dispatch.c makes the call and the targets,
 * guard.c judges, and only then an operation (ops/) acts on the descriptors.
 */
#ifndef GUILDFS_FS_CALL_H
#define GUILDFS_FS_CALL_H

#define FUSE_USE_VERSION 317
#include <errno.h>
#include <fuse_lowlevel.h>

#include "fs/mount.h"
#include "fs/node.h"
#include "fs/opened.h"
#include "fs/view.h"
#include "guildfs/upload.h"

struct gfs_target;

/* What a request names, so that the audit can say it. Set by the dispatcher; borrowed. */
struct gfs_audit_names {
    const struct gfs_target *folder; /* `name` in it, or (NULL) nothing that has one; NULL: the item itself */
    const char *name;
    const struct gfs_target *item; /* a link's source */
    const struct gfs_target *new_folder;
    const char *new_name;
    bool replaces; /* something had the new name, and is gone */
};

struct gfs_call {
    fuse_req_t req;
    struct gfs_mount *mount;
    const struct gfs_snapshot *snapshot; /* entered; left by gfs_call_end() */
    int64_t now_ns;                      /* wall clock, read once */
    uint64_t changes;                    /* the mount's, when the request began */
    gfs_perms needed;                    /* by all that the guard has allowed so far */
    struct gfs_audit_names names;
    bool versioned; /* the kernel drops an outdated answer, see gfs_watch_attr_ns() */
};

/* A resolved object: a node, or a name in a folder that has no node yet. */
struct gfs_target {
    struct gfs_tree *tree;         /* whose share's rules hold */
    const struct gfs_share *share; /* in the call's snapshot */
    struct gfs_node *node;         /* NULL: reached by name only */
    struct gfs_backing *backing;   /* of the node, whose descriptor is borrowed; NULL: fd is our own */
    int fd;                        /* O_PATH; -1: there is no such item, or (looked) it is not open */
    bool looked;                   /* found by gfs_target_look(): opened only when something asks for it */
    struct gfs_backing_key key;    /* looked: what to open it by */
    struct stat st;
    struct gfs_facts facts;
    /* the upload record, read when a decision depends on it */
    bool upload_read, has_upload;
    bool looked_into; /* a folder: own_pending is known */
    struct gfs_upload upload;
    int64_t pending_until_ns; /* wall clock; 0: not the caller's own pending item */
};

/* An open file. Freed by RELEASE. Identity and rights are bound here, when the file is opened. */
struct gfs_handle {
    struct gfs_opened opened;
    struct gfs_node *node;
    int path_fd;    /* O_PATH, of the node's backing, which the handle has borrowed */
    _Atomic int fd; /* open with the access mode that was granted; -1: not needed so far, see gfs_handle_fd() */
    int flags;      /* of open(2) */
    bool reads, writes;
    bool direct;                       /* reads and writes bypass the pages of the view */
    bool no_flush;                     /* the kernel sends no FLUSH for it */
    _Atomic int64_t dated_ns;          /* when an upload record was last dated by it; 0: never */
    gfs_perms read_needs, write_needs; /* what the user must go on holding for READ and WRITE */
    bool may_grow;                     /* not over quota when it was opened */
};

/* target.c */
int gfs_target_node(struct gfs_call *call, struct gfs_node *node, struct gfs_target *out) GFS_MUST_CHECK;
int gfs_target_child(struct gfs_call *call, const struct gfs_target *folder, const char *name,
                     struct gfs_target *out) GFS_MUST_CHECK;
/* The same for whoever only shows it: it is not opened as long as nothing depends on more than stat
 * says. Not for what is to be changed. */
int gfs_target_look(struct gfs_call *call, const struct gfs_target *folder, const char *name,
                    struct gfs_target *out) GFS_MUST_CHECK;
/* The root of a share, where it shows in a view. */
int gfs_target_root(struct gfs_call *call, struct gfs_view *view, const struct gfs_place *place,
                    struct gfs_target *out) GFS_MUST_CHECK;
/* An item of a tree that has just been made, by descriptor, which the target owns from then on. */
int gfs_target_fd(struct gfs_call *call, struct gfs_tree *tree, int fd, struct gfs_target *out) GFS_MUST_CHECK;
void gfs_target_put(struct gfs_call *call, struct gfs_target *target);
/* Reads the upload record once and fills facts.own_pending of a file, facts.own_listed and
 * pending_until_ns: enough to judge what is done in a folder. */
void gfs_target_read_upload(struct gfs_call *call, struct gfs_target *target);
/* And facts.own_pending of a folder, to judge what is done to it: reads all that is in it. */
void gfs_target_look_into(struct gfs_call *call, struct gfs_target *target);

/*
 * guard.c: where a decision is asked for. 0, or a negative errno. A denial is counted.
 */
int gfs_guard(struct gfs_call *call, struct gfs_target *target, enum gfs_op op) GFS_MUST_CHECK;
/* The same, and the permissions that were needed: to be kept in a handle. */
int gfs_guard_needed(struct gfs_call *call, struct gfs_target *target, enum gfs_op op,
                     gfs_perms *needed) GFS_MUST_CHECK;
/* Composite operations (add.h, rename.h): `taken` and `target` are what has the name, or NULL. */
int gfs_guard_add(struct gfs_call *call, struct gfs_target *folder, struct gfs_target *taken, enum gfs_op op,
                  bool exclusive) GFS_MUST_CHECK;
int gfs_guard_link(struct gfs_call *call, struct gfs_target *item, struct gfs_target *folder,
                   struct gfs_target *taken) GFS_MUST_CHECK;
int gfs_guard_rename(struct gfs_call *call, struct gfs_target *source, struct gfs_target *folder,
                     struct gfs_target *target, bool same_folder, bool no_replace, bool exchange) GFS_MUST_CHECK;
/* The rights that opening an existing file with these flags takes, O_TRUNC included. */
int gfs_guard_open(struct gfs_call *call, struct gfs_target *target, int flags, gfs_perms *read_needs,
                   gfs_perms *write_needs) GFS_MUST_CHECK;
/* Whether the mode bits shown could depend on the upload record, which has not been read yet. */
bool gfs_guard_bits_need_record(const struct gfs_target *target);
/* Whether a handle's right to read or write still holds: for READ, WRITE and the like. */
int gfs_guard_handle(struct gfs_call *call, const struct gfs_handle *handle, bool write) GFS_MUST_CHECK;
/* The same question, where a no refuses nothing. */
bool gfs_guard_handle_holds(struct gfs_call *call, const struct gfs_handle *handle, bool write) GFS_MUST_CHECK;

/* dispatch.c */
bool gfs_call_begin(struct gfs_call *call, fuse_req_t req); /* false: it has been answered */
/* The same for a request that is (door) about the door of poison.h, or on the way to it: what the
 * poisoner asks is answered also when the store is silent. Then call->snapshot is NULL. */
bool gfs_call_begin_door(struct gfs_call *call, fuse_req_t req, bool door);
void gfs_call_end(struct gfs_call *call);

/* attr.c: how an item shows. */
/* The number that an inode on the same filesystem as `on` has in views. */
ino_t gfs_attr_inode(const struct stat *on, ino_t inode);
void gfs_attr_show(struct gfs_call *call, struct gfs_target *target, struct stat *out);
/* How long the kernel may keep what it is told of the item, in seconds. */
double gfs_attr_timeout(struct gfs_call *call, struct gfs_target *target);
double gfs_entry_timeout(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target);
/* Of a name that is not there, or not for this user; folder is NULL for a virtual one. */
double gfs_absent_timeout(struct gfs_call *call, const struct gfs_target *folder, const char *name);
/* Fills an entry and takes a lookup for it. target->node is set. 0, or a negative errno. */
int gfs_attr_entry(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target,
                   struct fuse_entry_param *out) GFS_MUST_CHECK;

static inline struct gfs_handle *gfs_handle_of(const struct fuse_file_info *fi) {
    return fi ? (struct gfs_handle *)(uintptr_t)fi->fh : NULL;
}

/* A backing filesystem's ENOSYS would make the kernel never ask again, for anybody. */
static inline void gfs_reply_status(fuse_req_t req, int negative_errno) {
    fuse_reply_err(req, negative_errno == -ENOSYS ? EOPNOTSUPP : -negative_errno);
}

static inline void gfs_reply_error(struct gfs_call *call, int negative_errno) {
    gfs_reply_status(call->req, negative_errno);
}

#endif
