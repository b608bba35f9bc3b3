/*
 * How rows of the policy are read: the whole tables by load.c, single rows by feed.c. Each text takes
 * a condition and an order behind it. Internal to core/store.
 */
#ifndef GUILDFS_CORE_STORE_ROWS_H
#define GUILDFS_CORE_STORE_ROWS_H

#include "core/store/db.h"

#define GFS_ROW_ORGANIZATION                                                                                           \
    "SELECT o.id, o.uuid, o.name, p.ceiling_group_id, p.ceiling_perms, p.group_admin_capsule_perms, "                  \
    "p.organization_admin_perms FROM organizations o JOIN policies p ON p.organization_id = o.id "
#define GFS_ROW_USER "SELECT id, uuid, name, uid, gid, status FROM users "
/* The model has no inactive members: they count for nothing. */
#define GFS_ROW_ORGANIZATION_MEMBER                                                                                    \
    "SELECT organization_id, user_id, admin, expires_ns FROM (SELECT * FROM organization_members "                     \
    "WHERE status = 'active') "
#define GFS_ROW_GROUP "SELECT id, organization_id, uuid, name FROM groups "
#define GFS_ROW_MEMBERSHIP "SELECT group_id, user_id, role, status, expires_ns FROM memberships "
#define GFS_ROW_TEAM "SELECT id, organization_id, uuid, name FROM teams "
#define GFS_ROW_TEAM_MEMBER "SELECT team_id, group_id, user_id, nested_id FROM team_members "
#define GFS_ROW_PROJECT "SELECT id, organization_id, parent_id, uuid, name FROM projects "
#define GFS_ROW_NODE "SELECT id, uuid, name, iif(path LIKE '/%', path, rtrim(?1, '/') || '/' || path) FROM nodes "
#define GFS_ROW_SHARE                                                                                                  \
    "SELECT id, organization_id, group_id, project_id, parent_id, owner_id, node_id, uuid, name, title, "              \
    "path, kind, state, unarchived_ns, grace_ns, overwrite, quota_bytes, data_mode, on_revoke, created_ns, "           \
    "audit FROM shares "
#define GFS_ROW_GRANT "SELECT id, subject_kind, subject_id, object_kind, object_id, perms, expires_ns FROM grants "

void gfs_read_organization(struct gfs_statement *statement, struct gfs_organization_row *row);
void gfs_read_user(struct gfs_statement *statement, struct gfs_user_row *row);
void gfs_read_organization_member(struct gfs_statement *statement, struct gfs_organization_member_row *row);
void gfs_read_group(struct gfs_statement *statement, struct gfs_group_row *row);
void gfs_read_membership(struct gfs_statement *statement, struct gfs_membership_row *row);
void gfs_read_team(struct gfs_statement *statement, struct gfs_team_row *row);
void gfs_read_team_member(struct gfs_statement *statement, struct gfs_team_member_row *row);
void gfs_read_project(struct gfs_statement *statement, struct gfs_project_row *row);
void gfs_read_node(struct gfs_statement *statement, struct gfs_node_row *row);
void gfs_read_share(struct gfs_statement *statement, struct gfs_share_row *row);
void gfs_read_grant(struct gfs_statement *statement, struct gfs_grant_row *row);

#endif
