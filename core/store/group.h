/* Groups and their memberships. */
#ifndef GUILDFS_CORE_STORE_GROUP_H
#define GUILDFS_CORE_STORE_GROUP_H

#include "core/store/tx.h"

enum gfs_group_kind { GFS_GROUP_NORMAL, GFS_GROUP_PUBLIC, GFS_GROUP_BUILTIN }; /* "normal" "public" "builtin" */
/* What a member may do in the organization at large: "none" "contribute" "manage". */
enum gfs_group_level { GFS_LEVEL_NONE, GFS_LEVEL_CONTRIBUTE, GFS_LEVEL_MANAGE };
/* Which built-in group it is: "all-users" "curators" "all-members" "authors" "organization-admins". */
enum gfs_builtin {
    GFS_BUILTIN_NONE,
    GFS_BUILTIN_ALL_USERS, /* every user of the store is in it */
    GFS_BUILTIN_CURATORS,
    GFS_BUILTIN_ALL_MEMBERS, /* every member of the organization is in it; leaving it is leaving both */
    GFS_BUILTIN_AUTHORS,
    GFS_BUILTIN_ORGANIZATION_ADMINS, /* exactly the organization's admins are in it */
};

struct gfs_group_record {
    gfs_id id; /* given by the store */
    gfs_id organization;
    const char *uuid; /* given by the store */
    const char *name; /* unique in the store */
    enum gfs_group_kind kind;
    enum gfs_builtin builtin;
    enum gfs_group_level level;
    gfs_id owner;            /* 0: none. Changed by gfs_store_group_set_owner(), not by _update */
    const char *label;       /* what it stands for: a department, a project; NULL: nothing */
    const char *description; /* NULL: none */
    bool discoverable;       /* who is no member may see that it exists */
    enum gfs_identity_source source;
    const char *external_id;       /* the identity provider's id; NULL: none */
    int64_t created_ns;            /* shown */
    int64_t updated_ns;            /* shown */
    const char *organization_name; /* shown */
    const char *owner_name;        /* shown; NULL: none */
};

/* Adds the group, with its owner as its first member. What is built in, and where a group belongs, stays so for ever.
 */
int gfs_store_group_add(struct gfs_tx *tx, const struct gfs_group_record *group, gfs_id *id, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_group_update(struct gfs_tx *tx, const struct gfs_group_record *group, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* With memberships, invitations and authorizations. -EPERM when built in, -EBUSY while it holds shares. */
int gfs_store_group_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;
/* Gives the group to another; the former owner becomes an admin of it. 0 takes the ownership away. */
int gfs_store_group_set_owner(struct gfs_tx *tx, gfs_id group, gfs_id user, struct gfs_error *err)
    GFS_NONNULL(1) GFS_MUST_CHECK;

int gfs_store_group_load(struct gfs_store *store, const char *name, struct gfs_group_record **out,
                         struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_group_load_id(struct gfs_store *store, gfs_id id, struct gfs_group_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/* Sorted by name. */
int gfs_store_group_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_group_record *group),
                         void *context, struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/* ---- memberships ---- */

struct gfs_membership_record {
    gfs_id group, user;
    enum gfs_role role;
    enum gfs_membership_status status;
    int64_t expires_ns;                                   /* GFS_NEVER */
    gfs_id invited_by;                                    /* 0: nobody */
    int64_t created_ns;                                   /* shown */
    int64_t updated_ns;                                   /* shown */
    const char *group_name, *user_name, *invited_by_name; /* shown; the last one may be NULL */
};

/* Adds, or changes what is there. The role owner gives the group to the user, as
 * gfs_store_group_set_owner() does. An owner's membership can change in no other way: -EPERM. */
int gfs_store_membership_put(struct gfs_tx *tx, const struct gfs_membership_record *membership, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* -ENOENT when there is none; -EPERM for the owner. */
int gfs_store_membership_remove(struct gfs_tx *tx, gfs_id group, gfs_id user, struct gfs_error *err)
    GFS_NONNULL(1) GFS_MUST_CHECK;
int gfs_store_membership_load(struct gfs_store *store, gfs_id group, gfs_id user, struct gfs_membership_record **out,
                              struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;
/* Of one group, or of one user; 0 means any. Sorted by group and user name. */
int gfs_store_membership_list(struct gfs_store *store, gfs_id group, gfs_id user,
                              int (*each)(void *context, const struct gfs_membership_record *membership), void *context,
                              struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;

#endif
