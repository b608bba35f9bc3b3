/* Projects: shares administered together; their admins, and the groups available to them. */
#ifndef GUILDFS_CORE_STORE_PROJECT_H
#define GUILDFS_CORE_STORE_PROJECT_H

#include "core/store/tx.h"

struct gfs_project_record {
    gfs_id id; /* given by the store */
    gfs_id organization;
    gfs_id parent;           /* the project around it; 0: none */
    const char *uuid;        /* given by the store */
    const char *name;        /* unique in the store */
    const char *description; /* NULL: none */
    int64_t created_ns;      /* shown */
};

int gfs_store_project_add(struct gfs_tx *tx, const struct gfs_project_record *project, gfs_id *id,
                          struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
/* -EINVAL when it would stand inside itself. */
int gfs_store_project_update(struct gfs_tx *tx, const struct gfs_project_record *project, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* With admins, available groups and authorizations. -EBUSY while it holds shares or projects. */
int gfs_store_project_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_project_load(struct gfs_store *store, const char *name, struct gfs_project_record **out,
                           struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_project_load_id(struct gfs_store *store, gfs_id id, struct gfs_project_record **out,
                              struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_project_list(struct gfs_store *store,
                           int (*each)(void *context, const struct gfs_project_record *project), void *context,
                           struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/* ---- admins: users and groups ---- */

struct gfs_project_admin_record {
    gfs_id project;
    gfs_id user, group; /* exactly one is set */
    bool see_all_users, see_all_nodes;
    gfs_id granted_by;  /* 0: the system */
    int64_t created_ns; /* shown */
    const char *name;   /* shown: of the user or group */
};

/* Adds, or changes what is there. */
int gfs_store_project_admin_put(struct gfs_tx *tx, const struct gfs_project_admin_record *admin, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
int gfs_store_project_admin_remove(struct gfs_tx *tx, const struct gfs_project_admin_record *admin,
                                   struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;
int gfs_store_project_admin_list(struct gfs_store *store, gfs_id project,
                                 int (*each)(void *context, const struct gfs_project_admin_record *admin),
                                 void *context, struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;

/* ---- groups that the project's admins may authorize ---- */

int gfs_store_project_group_add(struct gfs_tx *tx, gfs_id project, gfs_id group, gfs_id granted_by,
                                struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_project_group_remove(struct gfs_tx *tx, gfs_id project, gfs_id group, struct gfs_error *err)
    GFS_NONNULL(1) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_project_group_list(struct gfs_store *store, gfs_id project,
                                 int (*each)(void *context, gfs_id group, const char *name), void *context,
                                 struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;

#endif
