/* A small world of rows, in memory: what the store would hand over. */
#ifndef GUILDFS_TESTS_UNIT_WORLD_H
#define GUILDFS_TESTS_UNIT_WORLD_H

#include "guildfs/clock.h"
#include "guildfs/model.h"
#include "guildfs/snapshot.h"

#define WORLD_ROWS 32

struct world {
    struct gfs_organization_row organizations[WORLD_ROWS];
    struct gfs_user_row users[WORLD_ROWS];
    struct gfs_organization_member_row organization_members[WORLD_ROWS];
    struct gfs_group_row groups[WORLD_ROWS];
    struct gfs_membership_row memberships[WORLD_ROWS];
    struct gfs_team_row teams[WORLD_ROWS];
    struct gfs_team_member_row team_members[WORLD_ROWS];
    struct gfs_project_row projects[WORLD_ROWS];
    struct gfs_node_row nodes[WORLD_ROWS];
    struct gfs_share_row shares[WORLD_ROWS];
    struct gfs_grant_row grants[WORLD_ROWS];
    size_t organization_count, user_count, organization_member_count, group_count, membership_count, team_count,
        team_member_count, project_count, node_count, share_count, grant_count;
};

/* Hands all rows to the sink. 0, or what a callback returned. */
int world_load(const struct world *world, const struct gfs_model_sink *sink, void *context);

/* A snapshot of it at generation 1; 0 or a negative errno. */
int world_build(const struct world *world, struct gfs_snapshot **out);

/* Rows with usual values, appended; all strings are borrowed. */
void world_organization(struct world *world, gfs_id id, const char *name);
void world_user(struct world *world, gfs_id id, const char *name);
void world_group(struct world *world, gfs_id id, const char *name);
void world_member(struct world *world, gfs_id group, gfs_id user, enum gfs_role role, int64_t expires_ns);
struct gfs_share_row *world_share(struct world *world, gfs_id id, const char *name); /* node 1, kind files */
void world_grant(struct world *world, enum gfs_subject_kind subject_kind, gfs_id subject,
                 enum gfs_object_kind object_kind, gfs_id object, gfs_perms perms, int64_t expires_ns);

#endif
