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
    GFS_STORE_READ,  /* administration that only reads, and the daemon */
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

#endif
