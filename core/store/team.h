/* Teams: groups, users and other teams taken together. */
#ifndef GUILDFS_CORE_STORE_TEAM_H
#define GUILDFS_CORE_STORE_TEAM_H

#include "core/store/tx.h"

struct gfs_team_record {
    gfs_id id; /* given by the store */
    gfs_id organization;
    const char *uuid;        /* given by the store */
    const char *name;        /* unique in the store */
    const char *description; /* NULL: none */
    int64_t created_ns;      /* shown */
};

int gfs_store_team_add(struct gfs_tx *tx, const struct gfs_team_record *team, gfs_id *id, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_team_update(struct gfs_tx *tx, const struct gfs_team_record *team, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* With its members and authorizations. */
int gfs_store_team_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_team_load(struct gfs_store *store, const char *name, struct gfs_team_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_team_load_id(struct gfs_store *store, gfs_id id, struct gfs_team_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_team_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_team_record *team),
                        void *context, struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/* Exactly one of group, user and nested is set, as in struct gfs_team_member_row. -EEXIST. */
int gfs_store_team_member_add(struct gfs_tx *tx, const struct gfs_team_member_row *member, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
int gfs_store_team_member_remove(struct gfs_tx *tx, const struct gfs_team_member_row *member, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* kind is "group", "user" or "team"; sorted by it and the name. */
int gfs_store_team_member_list(struct gfs_store *store, gfs_id team,
                               int (*each)(void *context, const struct gfs_team_member_row *member, const char *kind,
                                           const char *name),
                               void *context, struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;

#endif
