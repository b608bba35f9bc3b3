/*
 * The daemon's one piece of shared state. There is one struct gfs_mount per process; it is made
 * in main.c and handed to every callback as libfuse's userdata. Nothing in fs/ has file-scope
 * state besides it.
 *
 * Lock order (a thread that holds one may take only those below it):
 *   1. folder locks   names.c     a folder being changed; two are taken in the order of their numbers
 *   2. size locks     quota.c     one per file whose size changes, in shares with a quota; below
 *                                 them quota.c's own lock of its table
 *   3. lock table     ops/lock.c
 *   4. node stripes   stripe.h    the inode table, 64 stripes by (device, inode)
 *   5. view table     view.c
 *   6. notifier queue notify.c
 *   7. open files     opened.c
 *   8. audit queue    audit_queue.c
 *   9. the locks of poison.c, revoke.c, remnants.c and sweep.c, each by itself
 * None is held across a reply, a notification to the kernel, SQL or logging.
 * By themselves, with none of these inside: ops/dir.c's lock of an open folder (above 4), serve.c's,
 * ops/lock_wait.c's. main.c's change_lock is no lock of requests: it keeps the end of the daemon from
 * the change of a policy that is under way, notices and all.
 */
#ifndef GUILDFS_FS_MOUNT_H
#define GUILDFS_FS_MOUNT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "guildfs/authority.h"

struct fuse_session;
struct gfs_nodes;
struct gfs_views;
struct gfs_notifier;
struct gfs_locks;
struct gfs_quotas;
struct gfs_names;
struct gfs_opened_list;
struct gfs_audit;
struct gfs_poison;
struct gfs_revoker;
struct gfs_remnants;
struct gfs_watch;

/* auto: filesystems other than the root's */
enum gfs_watch_mode { GFS_WATCH_AUTO, GFS_WATCH_YES, GFS_WATCH_NO };

struct gfs_mount_options {
    char *store;       /* absolute path of the store's directory */
    char *mountpoint;  /* absolute, resolved */
    char *user;        /* name of the user whose view is the root; NULL: all views */
    uint32_t uid, gid; /* shown as owner in a single view; GFS_NO_UID: the user's own */
    int64_t attr_timeout_ns;
    int64_t entry_timeout_ns;
    /* where changes behind the mount are told of at once (watch.h) */
    int64_t watched_attr_ns, watched_file_attr_ns, watched_entry_ns;
    enum gfs_watch_mode watch;
    int64_t stale_limit_ns;
    int64_t audit_bytes; /* of a file of the audit log, before it is rotated */
    unsigned audit_keep; /* rotated files of it */
    bool foreground, debug, read_only;
    unsigned max_threads;
};

struct gfs_mount {
    struct gfs_mount_options options;
    struct fuse_session *session;
    dev_t device;       /* st_dev; once it is mounted */
    bool over_io_uring; /* asked of libfuse */
    struct gfs_authority *authority;
    struct gfs_nodes *nodes;
    struct gfs_views *views;
    struct gfs_notifier *notifier;
    struct gfs_locks *locks;
    struct gfs_quotas *quotas;
    struct gfs_names *names;
    struct gfs_opened_list *opened;
    struct gfs_audit *audit;
    struct gfs_poison *poison;
    struct gfs_revoker *revoker;
    struct gfs_remnants *remnants;
    struct gfs_watch *watch;
    gfs_id only_user;         /* the user of a single-view mount; 0: all views */
    _Atomic uint64_t changes; /* of attributes, of whatever file, that the views were told of */
    _Atomic uint64_t requests, denied, open_handles;
    /* data mode "fast", see passthrough.h */
    atomic_bool passthrough;            /* the connection has it */
    const char *_Atomic no_passthrough; /* why fast shares, or some of them, do without; NULL: none does */
    _Atomic unsigned hashing;           /* requests that read a whole file for its checksum */
};

/*
 * Makes and frees all tables (nodes, views, notifier, locks, quotas, names) of a mount whose
 * options and authority are set. state.c. After the session is mounted, with st_dev `device`,
 * gfs_mount_start() starts the threads that need it; gfs_mount_stop() ends them, and closes what is open. It is called
 * when no request is served any more, and before the session is destroyed.
 */
int gfs_mount_tables_new(struct gfs_mount *mount, struct gfs_error *err) GFS_MUST_CHECK;
int gfs_mount_start(struct gfs_mount *mount, dev_t device, struct gfs_error *err) GFS_MUST_CHECK;
void gfs_mount_stop(struct gfs_mount *mount);
void gfs_mount_tables_free(struct gfs_mount *mount);

/* What the authority calls after a swap; context is the struct gfs_mount. Never blocks for long. */
void gfs_mount_changed(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after);
/* Every request is refused from now on, for want of a policy: neither may the kernel answer by itself. change.c */
void gfs_mount_stale(struct gfs_mount *mount);

/* dispatch.c: the routing table for fuse_session_new(). */
extern const struct fuse_lowlevel_ops gfs_dispatch;

/* Counters of the tables, for `guildfs status`. */
struct gfs_mount_counts {
    uint64_t views, nodes, backings, descriptors, open_handles, requests, denied;
};
void gfs_mount_count(struct gfs_mount *mount, struct gfs_mount_counts *out);

#endif
