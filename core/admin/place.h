/* Where a new share lies: its node, its path there, and the share around it. */
#ifndef GUILDFS_ADMIN_PLACE_H
#define GUILDFS_ADMIN_PLACE_H

#include "core/store/share.h"
#include "core/store/tx.h"

/* Fills parent, node and path of the record. *path_text keeps the path's text alive, and belongs to the
 * caller (free). All run inside the transaction; adopting may add a node to it. */

/* On a node, by its name (NULL: the default one); the store chooses the path. */
int gfs_place_on_node(struct gfs_tx *tx, const char *node, struct gfs_share_record *record,
                      struct gfs_error *err) GFS_MUST_CHECK;

/* In another share, "SHARE/sub/path"; in the innermost one when shares are nested there. */
int gfs_place_in_share(struct gfs_tx *tx, const char *in, struct gfs_share_record *record, char **path_text,
                       struct gfs_error *err) GFS_MUST_CHECK;

/* Where an existing directory lies (adopt.c). in: the reference of the share around it, or NULL. */
int gfs_place_of_directory(struct gfs_tx *tx, const char *directory, const char *in, struct gfs_share_record *record,
                           char **path_text, struct gfs_error *err) GFS_MUST_CHECK;

/* What follows `folder` in path, when path is it ("") or lies below it; else NULL. Both without
 * a '/' at the end, but "/" itself. */
const char *gfs_path_below(const char *path, const char *folder);

#endif
