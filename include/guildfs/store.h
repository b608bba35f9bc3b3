/*
 * The store: a directory with the database guildfs.db and the default node data/. This header is
 * what everybody needs; what administration writes stands in core/store/ headers.
 * A struct gfs_store belongs to one thread at a time.
 */
#ifndef GUILDFS_STORE_H
#define GUILDFS_STORE_H

#include "guildfs/error.h"
#include "guildfs/model.h"

struct gfs_store;

enum gfs_store_mode {
    GFS_STORE_READ, /* administration that only reads, and the daemon */
    GFS_STORE_WRITE,
};

/*
 * Makes a new store in directory (created 0700 when it is missing; an existing one must be
 * empty): database 0600, data/ 0700, the organization "default", the node "default". Nothing is
 * left behind when it fails. -EEXIST when there is a store already, -ENOTEMPTY.
 */
int gfs_store_init(const char *directory, struct gfs_error *err) GFS_MUST_CHECK;

/*
 * Opens one. Waits up to timeout_ms for a lock that another process holds. Errors: -ENOENT (no
 * store there), -EACCES, -EBADMSG (not a Guildfs database, or corrupt), -EPROTONOSUPPORT (a newer
 * schema), -EBUSY (locked by another process), -EIO. err says which and what to do.
 */
int gfs_store_open(const char *directory, enum gfs_store_mode mode, int timeout_ms, struct gfs_store **out,
                   struct gfs_error *err) GFS_MUST_CHECK;
void gfs_store_close(struct gfs_store *store);
static inline void gfs_store_closep(struct gfs_store **store) {
    gfs_store_close(*store);
}

/* Absolute path of the store's directory, resolved at open. Borrowed until close. */
const char *gfs_store_path(const struct gfs_store *store) GFS_NONNULL(1);

/* The number of the policy's state. Cheap: one indexed read. Errors as for open. */
int gfs_store_generation(struct gfs_store *store, uint64_t *out, struct gfs_error *err) GFS_MUST_CHECK;

/* Hands every row to sink, in one read transaction, with the generation it belongs to. */
int gfs_store_load(struct gfs_store *store, const struct gfs_model_sink *sink, void *context, uint64_t *generation,
                   struct gfs_error *err) GFS_MUST_CHECK;

/* More changed rows than this are not handed over: reading everything is not much slower. */
#define GFS_MOST_CHANGES 20000

/*
 * Receives the rows of the policy that changed, as they stand now: row is NULL, or `there` false with
 * only the key set, when it is gone. Tables come in the order of gfs_model_sink, rows in that of
 * their ids. A project that is not new may be unknown all the same: what stands in a cycle was never
 * loaded. A callback may call gfs_store_holders(). It returns 0, or a negative errno that ends
 * the load.
 */
struct gfs_change_sink {
    int (*organization)(void *context, gfs_id id, const struct gfs_organization_row *row);
    int (*user)(void *context, gfs_id id, const struct gfs_user_row *row);
    int (*organization_member)(void *context, const struct gfs_organization_member_row *row, bool there);
    int (*group)(void *context, gfs_id id, const struct gfs_group_row *row);
    int (*membership)(void *context, const struct gfs_membership_row *row, bool there);
    int (*team)(void *context, gfs_id id, const struct gfs_team_row *row);
    int (*team_member)(void *context, const struct gfs_team_member_row *row, bool there);
    int (*project)(void *context, gfs_id id, const struct gfs_project_row *row, bool added);
    int (*share)(void *context, gfs_id id, const struct gfs_share_row *row, const char *node_path);
    int (*grant)(void *context, const struct gfs_grant_row *row, bool there);
};

/*
 * What changed after the generation `since`, in one read transaction, with the generation that it
 * leads to. -ESTALE when only a whole load can tell: the feed does not reach back so far or has a gap,
 * the generation went back, too many rows changed, or one of a kind that is not known here.
 * Other errors as for open.
 */
int gfs_store_load_changes(struct gfs_store *store, uint64_t since, const struct gfs_change_sink *sink, void *context,
                           uint64_t *generation, struct gfs_error *err) GFS_MUST_CHECK;

/* Whom something is authorized to, expired authorizations included. each() returns not 0 to end it. */
int gfs_store_holders(struct gfs_store *store, enum gfs_object_kind kind, gfs_id object,
                      int (*each)(void *context, enum gfs_subject_kind kind, gfs_id subject),
                      void *context) GFS_MUST_CHECK;

#endif
