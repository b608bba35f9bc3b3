/*
 * Builds a snapshot from rows. The rows may come from the store (gfs_snapshot_load) or from
 * anywhere else (tests).
 */
#ifndef GUILDFS_CORE_AUTHORITY_BUILDER_H
#define GUILDFS_CORE_AUTHORITY_BUILDER_H

#include "guildfs/model.h"
#include "guildfs/snapshot.h"

struct gfs_builder;

/* 0 or -ENOMEM. */
int gfs_builder_new(struct gfs_builder **out) GFS_MUST_CHECK;
void gfs_builder_free(struct gfs_builder *builder);

/*
 * Takes the rows; its context is the builder. Tables must come in the order of the sink. A row
 * that refers to something that does not exist is left out when it could only have given
 * somebody a permission, and ends the load with -EBADMSG when it limits what others give.
 */
extern const struct gfs_model_sink gfs_builder_sink;

/* The record of a row; its texts are borrowed. */
struct gfs_share gfs_share_of_row(const struct gfs_share_row *row, const char *node_path);

/* What was wrong with the row at which a callback failed; "" when it was no row's fault. */
const char *gfs_builder_problem(const struct gfs_builder *builder);

/* The snapshot, once; afterwards the builder is empty. 0, -ENOMEM or -EBADMSG. */
int gfs_builder_finish(struct gfs_builder *builder, uint64_t generation, struct gfs_snapshot **out) GFS_MUST_CHECK;

#endif
