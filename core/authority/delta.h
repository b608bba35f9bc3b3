/*
 * The next snapshot from what changed: a step from one policy to the next, and the rights of whom it
 * cannot have touched.
 */
#ifndef GUILDFS_CORE_AUTHORITY_DELTA_H
#define GUILDFS_CORE_AUTHORITY_DELTA_H

#include "guildfs/error.h"
#include "guildfs/snapshot.h"
#include "guildfs/store.h"

/*
 * Reads what the store changed since the snapshot, which must be the newest of its policies, and
 * stand for now_ns (nothing ended between its moment and now_ns). -ESTALE when a whole load must do
 * it. After any failure `before` is as good as it was, but only a whole load can follow it.
 */
int gfs_snapshot_load_changes(struct gfs_store *store, const struct gfs_snapshot *before, int64_t now_ns,
                              struct gfs_snapshot **out, struct gfs_error *err) GFS_MUST_CHECK;

#endif
