/* Organizations, their policy (policy.h), members and capabilities. */
#ifndef GUILDFS_CORE_STORE_ORGANIZATION_H
#define GUILDFS_CORE_STORE_ORGANIZATION_H

#include "core/store/tx.h"

#define GFS_DEFAULT_ORGANIZATION 1 /* the id of the one that every store has; it cannot be removed */

struct gfs_organization_record {
    gfs_id id;               /* given by the store */
    const char *uuid;        /* given by the store */
    const char *name;        /* unique */
    const char *description; /* NULL: none */
    enum gfs_plan plan;
    int64_t seats;      /* members that take one, at most; 0: any number */
    int64_t created_ns; /* shown */
};

/* A new organization has the default policy and no members. */
int gfs_store_organization_add(struct gfs_tx *tx, const struct gfs_organization_record *organization, gfs_id *id,
                               struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_organization_update(struct gfs_tx *tx, const struct gfs_organization_record *organization,
                                  struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* With its built-in groups and memberships. -EPERM for the default one; -EBUSY while it has other
 * groups, teams, projects or shares. */
int gfs_store_organization_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;

int gfs_store_organization_load(struct gfs_store *store, const char *name, struct gfs_organization_record **out,
                                struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_organization_load_id(struct gfs_store *store, gfs_id id, struct gfs_organization_record **out,
                                   struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_organization_list(struct gfs_store *store,
                                int (*each)(void *context, const struct gfs_organization_record *organization),
                                void *context, struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/* ---- members ---- */

struct gfs_organization_member_record {
    gfs_id organization, user;
    bool admin;
    bool active;                               /* false: kept on the books, counts for nothing */
    int64_t expires_ns;                        /* GFS_NEVER */
    int64_t created_ns;                        /* shown */
    const char *organization_name, *user_name; /* shown */
};

/* Adds, or changes what is there. The last organization admin stays: -EPERM. */
int gfs_store_organization_member_put(struct gfs_tx *tx, const struct gfs_organization_member_record *member,
                                      struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* With the memberships in the organization's groups. -ENOENT, -EPERM as above. */
int gfs_store_organization_member_remove(struct gfs_tx *tx, gfs_id organization, gfs_id user, struct gfs_error *err)
    GFS_NONNULL(1) GFS_MUST_CHECK;
/* Makes `to` (a member) an admin and `from` none, where the policy allows only one. */
int gfs_store_organization_admin_replace(struct gfs_tx *tx, gfs_id organization, gfs_id from, gfs_id to,
                                         struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_organization_member_load(struct gfs_store *store, gfs_id organization, gfs_id user,
                                       struct gfs_organization_member_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 4) GFS_MUST_CHECK;
/* Of one organization, or of one user; 0 means any. Sorted by organization and user name. */
int gfs_store_organization_member_list(struct gfs_store *store, gfs_id organization, gfs_id user,
                                       int (*each)(void *context, const struct gfs_organization_member_record *member),
                                       void *context, struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;

#endif
