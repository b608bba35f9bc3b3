/*
 * The model as rows: what the store reads and writes, and what a snapshot is built from. One
 * struct per table, in the store's own terms. Strings are borrowed from whoever hands the row
 * over, and valid until the next row. Ids are the store's integer keys: stable for ever, never
 * used again. A reference that is absent is 0. Times are nanoseconds since the epoch; an end
 * that never comes is GFS_NEVER.
 */
#ifndef GUILDFS_MODEL_H
#define GUILDFS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "guildfs/permission.h"

typedef int64_t gfs_id; /* > 0; 0 is "none" */

enum gfs_kind { GFS_KIND_FILES, GFS_KIND_VOLUME, GFS_KIND_DATABASE, GFS_KIND_IMAGE, GFS_KIND_CAPSULE, GFS_KIND_COUNT };

/* "files" "volume" "database" "image" "capsule"; and the folder a kind has in a view:
 * "files" "volumes" "databases" "images" "capsules". NULL for a number that is no kind. */
const char *gfs_kind_name(enum gfs_kind kind);
const char *gfs_kind_folder(enum gfs_kind kind);
int gfs_kind_parse(const char *name, enum gfs_kind *out, struct gfs_error *err) GFS_MUST_CHECK;

enum gfs_role { GFS_ROLE_MEMBER, GFS_ROLE_ADMIN, GFS_ROLE_OWNER };
enum gfs_membership_status { GFS_INVITED, GFS_ACCEPTED, GFS_DECLINED, GFS_WITHDRAWN };
enum gfs_subject_kind { GFS_SUBJECT_USER, GFS_SUBJECT_GROUP, GFS_SUBJECT_TEAM, GFS_SUBJECT_ORGANIZATION, GFS_SUBJECT_EVERYONE };
enum gfs_object_kind { GFS_OBJECT_SHARE, GFS_OBJECT_PROJECT };
enum gfs_data_mode { GFS_DATA_REVOCABLE, GFS_DATA_FAST };
/* What is done about programs that still hold what cannot be taken back from them (data mode fast). */
enum gfs_on_revoke { GFS_REVOKE_POISON, GFS_REVOKE_KILL };
enum gfs_share_state { GFS_SHARE_ACTIVE, GFS_SHARE_ARCHIVED };
enum gfs_share_audit { GFS_AUDIT_NONE, GFS_AUDIT_CHANGES, GFS_AUDIT_ALL }; /* "none" "changes" "all" */
const char *gfs_share_audit_name(enum gfs_share_audit audit); /* NULL for a number that is none */

#define GFS_NO_UID UINT32_MAX /* a user without an account on this host */

struct gfs_organization_row {
    gfs_id id;
    const char *uuid, *name;
    gfs_id ceiling_group;       /* members of it are not cut by the ceiling; 0: no ceiling */
    gfs_perms ceiling_perms;    /* what everyone else may hold at most */
    gfs_perms group_admin_capsule_perms; /* what a group's owner and admins hold on its capsules */
    gfs_perms organization_admin_perms;  /* what organization admins hold on all its shares */
};

struct gfs_user_row {
    gfs_id id;
    const char *uuid, *name;
    uint32_t uid, gid; /* GFS_NO_UID where there is none */
    bool suspended;
};

struct gfs_organization_member_row {
    gfs_id organization, user;
    bool admin;
    int64_t expires_ns;
};

struct gfs_group_row {
    gfs_id id, organization;
    const char *uuid, *name;
};

struct gfs_membership_row {
    gfs_id group, user;
    enum gfs_role role;
    enum gfs_membership_status status;
    int64_t expires_ns;
};

struct gfs_team_row {
    gfs_id id, organization;
    const char *uuid, *name;
};

/* Exactly one of group, user, nested is set. Teams may be nested; a cycle counts once. */
struct gfs_team_member_row {
    gfs_id team, group, user, nested;
};

struct gfs_project_row {
    gfs_id id, organization;
    gfs_id parent; /* a project inside a project */
    const char *uuid, *name;
};

struct gfs_node_row {
    gfs_id id;
    const char *uuid, *name;
    const char *path; /* absolute; the default node is STORE/data */
};

struct gfs_share_row {
    gfs_id id, organization;
    gfs_id group;   /* the group it belongs to */
    gfs_id project;
    gfs_id parent;  /* the share around it, whose node and path it is nested in */
    gfs_id owner;   /* user who holds all six */
    gfs_id node;
    const char *uuid, *name, *title;
    const char *path; /* relative to the node; no "..", no leading or trailing '/' */
    enum gfs_kind kind;
    enum gfs_share_state state;
    int64_t unarchived_ns;   /* when it last left the archive; what was pending before is not */
    int64_t grace_ns;        /* how long an upload stays pending after its last close */
    bool overwrite_upload;   /* option overwrite=upload */
    int64_t quota_bytes;     /* 0: none */
    enum gfs_data_mode data_mode;
    enum gfs_share_audit audit; /* what of it is logged, besides denials */
    enum gfs_on_revoke on_revoke;
    int64_t created_ns;
};

struct gfs_grant_row {
    gfs_id id;
    enum gfs_subject_kind subject_kind;
    gfs_id subject; /* 0 for everyone */
    enum gfs_object_kind object_kind;
    gfs_id object;
    gfs_perms perms;
    int64_t expires_ns;
};

/*
 * Receives every row that a snapshot needs, in this order of tables, parents before children
 * where a table refers to itself. A callback returns 0, or a negative errno that ends the load.
 */
struct gfs_model_sink {
    int (*organization)(void *context, const struct gfs_organization_row *row);
    int (*user)(void *context, const struct gfs_user_row *row);
    int (*organization_member)(void *context, const struct gfs_organization_member_row *row);
    int (*group)(void *context, const struct gfs_group_row *row);
    int (*membership)(void *context, const struct gfs_membership_row *row);
    int (*team)(void *context, const struct gfs_team_row *row);
    int (*team_member)(void *context, const struct gfs_team_member_row *row);
    int (*project)(void *context, const struct gfs_project_row *row);
    int (*node)(void *context, const struct gfs_node_row *row);
    int (*share)(void *context, const struct gfs_share_row *row);
    int (*grant)(void *context, const struct gfs_grant_row *row);
};

#endif
