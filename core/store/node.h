/* Nodes: the directories that hold shares. */
#ifndef GUILDFS_CORE_STORE_NODE_H
#define GUILDFS_CORE_STORE_NODE_H

#include "core/store/tx.h"

#define GFS_DEFAULT_NODE 1 /* the id of "default", which is STORE/data; it cannot be removed */

struct gfs_node_record {
    gfs_id id;          /* given by the store */
    const char *uuid;   /* given by the store */
    const char *name;   /* unique */
    const char *path;   /* absolute, without "." and "..", no '/' at its end (but "/" itself); unique */
    int64_t created_ns; /* shown */
};

/* The path of the default node follows the store, and is not changed by _update. */
int gfs_store_node_add(struct gfs_tx *tx, const struct gfs_node_record *node, gfs_id *id, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_node_update(struct gfs_tx *tx, const struct gfs_node_record *node, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* -EPERM for the default node, -EBUSY while it holds shares. */
int gfs_store_node_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_node_load(struct gfs_store *store, const char *name, struct gfs_node_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_node_load_id(struct gfs_store *store, gfs_id id, struct gfs_node_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
int gfs_store_node_load_path(struct gfs_store *store, const char *path, struct gfs_node_record **out,
                             struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_node_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_node_record *node),
                        void *context, struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

#endif
