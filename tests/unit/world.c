#include "tests/unit/world.h"

#include <stdlib.h>

#include "core/authority/builder.h"

#define HAND_OVER(table, rows, count)                                                                                  \
    for (size_t i = 0; i < world->count && rc == 0; i++)                                                               \
    rc = sink->table(context, &world->rows[i])

int world_load(const struct world *world, const struct gfs_model_sink *sink, void *context) {
    int rc = 0;
    HAND_OVER(organization, organizations, organization_count);
    HAND_OVER(user, users, user_count);
    HAND_OVER(organization_member, organization_members, organization_member_count);
    HAND_OVER(group, groups, group_count);
    HAND_OVER(membership, memberships, membership_count);
    HAND_OVER(team, teams, team_count);
    HAND_OVER(team_member, team_members, team_member_count);
    HAND_OVER(project, projects, project_count);
    HAND_OVER(node, nodes, node_count);
    HAND_OVER(share, shares, share_count);
    HAND_OVER(grant, grants, grant_count);
    return rc;
}

int world_build(const struct world *world, struct gfs_snapshot **out) {
    struct gfs_builder *builder;
    int rc = gfs_builder_new(&builder);
    if (rc < 0)
        return rc;
    rc = world_load(world, &gfs_builder_sink, builder);
    if (rc == 0)
        rc = gfs_builder_finish(builder, 1, out);
    gfs_builder_free(builder);
    return rc;
}

static void check_room(size_t count) {
    if (count >= WORLD_ROWS)
        abort();
}

void world_organization(struct world *world, gfs_id id, const char *name) {
    check_room(world->organization_count);
    world->organizations[world->organization_count++] =
        (struct gfs_organization_row){.id = id, .uuid = "", .name = name};
}

void world_user(struct world *world, gfs_id id, const char *name) {
    check_room(world->user_count);
    world->users[world->user_count++] =
        (struct gfs_user_row){.id = id, .uuid = name, .name = name, .uid = GFS_NO_UID, .gid = GFS_NO_UID};
}

void world_group(struct world *world, gfs_id id, const char *name) {
    check_room(world->group_count);
    world->groups[world->group_count++] = (struct gfs_group_row){.id = id, .uuid = "", .name = name};
}

void world_member(struct world *world, gfs_id group, gfs_id user, enum gfs_role role, int64_t expires_ns) {
    check_room(world->membership_count);
    world->memberships[world->membership_count++] = (struct gfs_membership_row){
        .group = group, .user = user, .role = role, .status = GFS_ACCEPTED, .expires_ns = expires_ns};
}

struct gfs_share_row *world_share(struct world *world, gfs_id id, const char *name) {
    check_room(world->share_count);
    if (world->node_count == 0)
        world->nodes[world->node_count++] =
            (struct gfs_node_row){.id = 1, .uuid = "", .name = "default", .path = "/srv/store/data"};
    struct gfs_share_row *share = &world->shares[world->share_count++];
    *share = (struct gfs_share_row){.id = id, .node = 1, .uuid = "", .name = name, .title = "", .path = name};
    return share;
}

void world_grant(struct world *world, enum gfs_subject_kind subject_kind, gfs_id subject,
                 enum gfs_object_kind object_kind, gfs_id object, gfs_perms perms, int64_t expires_ns) {
    check_room(world->grant_count);
    world->grants[world->grant_count] = (struct gfs_grant_row){.id = (gfs_id)world->grant_count + 1,
                                                               .subject_kind = subject_kind,
                                                               .subject = subject,
                                                               .object_kind = object_kind,
                                                               .object = object,
                                                               .perms = perms,
                                                               .expires_ns = expires_ns};
    world->grant_count++;
}
