#include "core/authority/builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/build.h"
#include "core/authority/snapshot.h"
#include "guildfs/clock.h"
#include "guildfs/hash.h"

enum table {
    TABLE_ORGANIZATION,
    TABLE_USER,
    TABLE_ORGANIZATION_MEMBER,
    TABLE_GROUP,
    TABLE_MEMBERSHIP,
    TABLE_TEAM,
    TABLE_TEAM_MEMBER,
    TABLE_PROJECT,
    TABLE_NODE,
    TABLE_SHARE,
    TABLE_GRANT,
};

static int bad_row(struct gfs_builder *builder, const char *format, ...) GFS_PRINTF(2, 3);

static int bad_row(struct gfs_builder *builder, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(builder->problem, sizeof builder->problem, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

/* Principals are numbered by what came before them, so the order of the tables is no formality. */
static int begin_row(struct gfs_builder *builder, enum table table) {
    if ((int)table < builder->table)
        return bad_row(builder, "rows of table %d came after rows of table %d", (int)table, builder->table);
    builder->table = (int)table;
    return 0;
}

/* Keeps a copy of *text in the policy and lets *text point there. */
static int keep(struct gfs_builder *builder, const char **text) {
    const char *copy = gfs_arena_string(&builder->policy->family->strings, *text);
    if (copy == NULL)
        return -ENOMEM;
    *text = copy;
    return 0;
}

/* Appends the row under its id. */
static int add(struct gfs_builder *builder, struct gfs_list *list, struct gfs_map *by_id, gfs_id id, const void *row,
               size_t row_size) {
    if (id <= 0 || gfs_map_find(by_id, (uint64_t)id) != GFS_NONE)
        return bad_row(builder, "the id %lld is no id, or stands twice in table %d", (long long)id, builder->table);
    int rc = gfs_map_add(by_id, (uint64_t)id, (uint32_t)list->count);
    return rc < 0 ? rc : gfs_list_add(list, row, row_size);
}

static uint32_t find(const struct gfs_map *by_id, gfs_id id) {
    return id == 0 ? GFS_NONE : gfs_map_find(by_id, (uint64_t)id);
}

static uint64_t text_key(const char *text) {
    return gfs_hash64(text, strlen(text));
}

static int take_organization(void *context, const struct gfs_organization_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    struct gfs_organization organization = {
        .id = row->id,
        .name = row->name,
        .ceiling = row->ceiling_group == 0 ? GFS_NONE : (uint32_t)builder->ceilings.count,
        .group_admin_capsule_perms = row->group_admin_capsule_perms & GFS_ALL_PERMS,
        .organization_admin_perms = row->organization_admin_perms & GFS_ALL_PERMS,
    };
    int rc = begin_row(builder, TABLE_ORGANIZATION);
    if (rc == 0 && row->ceiling_group != 0) {
        struct gfs_ceiling ceiling = {.group = GFS_NONE, .perms = row->ceiling_perms & GFS_ALL_PERMS};
        rc = gfs_list_add(&builder->ceilings, &ceiling, sizeof ceiling);
        if (rc == 0)
            rc = gfs_list_add(&builder->ceiling_groups, &row->ceiling_group, sizeof row->ceiling_group);
    }
    if (rc == 0)
        rc = keep(builder, &organization.name);
    if (rc == 0)
        rc = add(builder, &builder->organizations, &policy->organization_by_id, row->id, &organization,
                 sizeof organization);
    return rc;
}

static int take_user(void *context, const struct gfs_user_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    uint32_t index = (uint32_t)builder->users.count;
    struct gfs_user user = {.id = row->id,
                            .uuid = row->uuid,
                            .name = row->name,
                            .uid = row->uid,
                            .gid = row->gid,
                            .suspended = row->suspended};
    int rc = begin_row(builder, TABLE_USER);
    if (rc == 0)
        rc = keep(builder, &user.uuid);
    if (rc == 0)
        rc = keep(builder, &user.name);
    if (rc == 0)
        rc = add(builder, &builder->users, &policy->user_by_id, row->id, &user, sizeof user);
    if (rc == 0)
        rc = gfs_map_add(&policy->user_by_name, text_key(user.name), index);
    if (rc == 0)
        rc = gfs_map_add(&policy->user_by_uuid, text_key(user.uuid), index);
    if (rc == 0 && user.uid != GFS_NO_UID)
        rc = gfs_map_add(&policy->user_by_uid, user.uid, index);
    return rc;
}

static int take_organization_member(void *context, const struct gfs_organization_member_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    struct gfs_organization_membership membership = {.user = find(&policy->user_by_id, row->user),
                                                     .organization =
                                                         find(&policy->organization_by_id, row->organization),
                                                     .expires_ns = row->expires_ns,
                                                     .admin = row->admin};
    int rc = begin_row(builder, TABLE_ORGANIZATION_MEMBER);
    if (rc < 0 || membership.user == GFS_NONE || membership.organization == GFS_NONE)
        return rc;
    return gfs_list_add(&builder->organization_memberships, &membership, sizeof membership);
}

static int take_group(void *context, const struct gfs_group_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    struct gfs_group group = {.id = row->id, .organization = row->organization, .uuid = row->uuid, .name = row->name};
    int rc = begin_row(builder, TABLE_GROUP);
    if (rc == 0)
        rc = keep(builder, &group.uuid);
    if (rc == 0)
        rc = keep(builder, &group.name);
    if (rc == 0)
        rc = add(builder, &builder->groups, &policy->group_by_id, row->id, &group, sizeof group);
    return rc;
}

static int take_membership(void *context, const struct gfs_membership_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    struct gfs_membership membership = {.user = find(&policy->user_by_id, row->user),
                                        .group = find(&policy->group_by_id, row->group),
                                        .expires_ns = row->expires_ns,
                                        .role = row->role};
    int rc = begin_row(builder, TABLE_MEMBERSHIP);
    if (rc < 0 || row->status != GFS_ACCEPTED || membership.user == GFS_NONE || membership.group == GFS_NONE)
        return rc;
    return gfs_list_add(&builder->memberships, &membership, sizeof membership);
}

static int take_team(void *context, const struct gfs_team_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_named team = {.id = row->id, .name = row->name};
    int rc = begin_row(builder, TABLE_TEAM);
    if (rc == 0)
        rc = keep(builder, &team.name);
    if (rc == 0)
        rc = add(builder, &builder->teams, &builder->policy->team_by_id, row->id, &team, sizeof team);
    return rc;
}

static int take_team_member(void *context, const struct gfs_team_member_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    uint32_t user = find(&policy->user_by_id, row->user);
    uint32_t group = find(&policy->group_by_id, row->group);
    uint32_t nested = find(&policy->team_by_id, row->nested);
    struct gfs_pair edge = {.key = GFS_NONE, .value = find(&policy->team_by_id, row->team)};
    if (user != GFS_NONE)
        edge.key = gfs_principal(GFS_SUBJECT_USER, user);
    else if (group != GFS_NONE)
        edge.key = gfs_principal(GFS_SUBJECT_GROUP, group);
    else if (nested != GFS_NONE)
        edge.key = gfs_principal(GFS_SUBJECT_TEAM, nested);
    int rc = begin_row(builder, TABLE_TEAM_MEMBER);
    if (rc < 0 || edge.key == GFS_NONE || edge.value == GFS_NONE)
        return rc;
    return gfs_list_add(&builder->team_edges, &edge, sizeof edge);
}

static int take_project(void *context, const struct gfs_project_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    uint32_t parent = find(&policy->project_by_id, row->parent);
    struct gfs_project project = {.id = row->id, .name = row->name, .parent = parent};
    int rc = begin_row(builder, TABLE_PROJECT);
    if (rc == 0 && row->parent != 0 && parent == GFS_NONE)
        rc = bad_row(builder, "project %lld came before the project %lld around it", (long long)row->id,
                     (long long)row->parent);
    if (rc == 0)
        rc = keep(builder, &project.name);
    if (rc == 0)
        rc = add(builder, &builder->projects, &policy->project_by_id, row->id, &project, sizeof project);
    return rc;
}

static int take_node(void *context, const struct gfs_node_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_named node = {.id = row->id, .name = row->path};
    int rc = begin_row(builder, TABLE_NODE);
    if (rc == 0)
        rc = keep(builder, &node.name);
    if (rc == 0)
        rc = add(builder, &builder->nodes, &builder->node_by_id, row->id, &node, sizeof node);
    return rc;
}

/* A share without its node cannot be served; without its organization or the share around it, nobody
 * could say which ceiling cuts it. Without its group, project or owner it only gives less. */
static int check_share(struct gfs_builder *builder, const struct gfs_share_row *row,
                       const struct gfs_share_links *links, uint32_t node) {
    const char *missing = NULL;
    if (node == GFS_NONE)
        missing = "node";
    else if (row->organization != 0 && links->organization == GFS_NONE)
        missing = "organization";
    else if (row->parent != 0 && links->parent == GFS_NONE)
        missing = "share around it";
    else if (gfs_kind_name(row->kind) == NULL)
        missing = "kind";
    return missing == NULL ? 0
                           : bad_row(builder, "share %lld refers to a %s that does not exist or comes later",
                                     (long long)row->id, missing);
}

static int keep_share_texts(struct gfs_builder *builder, struct gfs_share *share) {
    const char **const texts[] = {&share->uuid, &share->name, &share->title, &share->path};
    int rc = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && rc == 0; i++)
        rc = keep(builder, texts[i]);
    return rc;
}

struct gfs_share gfs_share_of_row(const struct gfs_share_row *row, const char *node_path) {
    return (struct gfs_share){
        .id = row->id,
        .organization = row->organization,
        .group = row->group,
        .project = row->project,
        .owner = row->owner,
        .uuid = row->uuid,
        .name = row->name,
        .title = row->title,
        .node_path = node_path,
        .path = row->path,
        .kind = row->kind,
        .archived = row->state != GFS_SHARE_ACTIVE, /* a state that is not known lets nobody change anything */
        .overwrite_upload = row->overwrite_upload,
        .unarchived_ns = row->unarchived_ns,
        .grace_ns = row->grace_ns,
        .quota_bytes = row->quota_bytes,
        .created_ns = row->created_ns,
        .data_mode = row->data_mode,
        .audit = row->audit,
        .on_revoke = row->on_revoke,
    };
}

static int take_share(void *context, const struct gfs_share_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_policy *policy = builder->policy;
    struct gfs_share_links links = {.parent = find(&policy->share_by_id, row->parent),
                                    .project = find(&policy->project_by_id, row->project),
                                    .organization = find(&policy->organization_by_id, row->organization),
                                    .group = find(&policy->group_by_id, row->group),
                                    .owner = find(&policy->user_by_id, row->owner)};
    uint32_t node = find(&builder->node_by_id, row->node);
    int rc = begin_row(builder, TABLE_SHARE);
    if (rc == 0)
        rc = check_share(builder, row, &links, node);
    if (rc < 0)
        return rc;
    struct gfs_share_record record = {
        .share = gfs_share_of_row(row, ((const struct gfs_named *)builder->nodes.rows)[node].name), .links = links};
    rc = keep_share_texts(builder, &record.share);
    if (rc == 0)
        rc = add(builder, &builder->shares, &policy->share_by_id, row->id, &record, sizeof record);
    return rc;
}

/* The index of whom a grant is given to, or GFS_NONE. */
static uint32_t subject_of(const struct gfs_policy *policy, const struct gfs_grant_row *row) {
    switch (row->subject_kind) {
    case GFS_SUBJECT_USER:
        return find(&policy->user_by_id, row->subject);
    case GFS_SUBJECT_GROUP:
        return find(&policy->group_by_id, row->subject);
    case GFS_SUBJECT_TEAM:
        return find(&policy->team_by_id, row->subject);
    case GFS_SUBJECT_ORGANIZATION:
        return find(&policy->organization_by_id, row->subject);
    case GFS_SUBJECT_EVERYONE:
        return 0;
    }
    return GFS_NONE;
}

static uint32_t object_of(const struct gfs_policy *policy, const struct gfs_grant_row *row) {
    switch (row->object_kind) {
    case GFS_OBJECT_SHARE:
        return gfs_object(GFS_OBJECT_SHARE, find(&policy->share_by_id, row->object));
    case GFS_OBJECT_PROJECT:
        return gfs_object(GFS_OBJECT_PROJECT, find(&policy->project_by_id, row->object));
    }
    return GFS_NONE;
}

static int take_grant(void *context, const struct gfs_grant_row *row) {
    struct gfs_builder *builder = context;
    struct gfs_grant grant = {.principal = subject_of(builder->policy, row),
                              .object = object_of(builder->policy, row),
                              .expires_ns = row->expires_ns,
                              .perms = row->perms & GFS_ALL_PERMS};
    int rc = begin_row(builder, TABLE_GRANT);
    if (rc < 0 || grant.principal == GFS_NONE || grant.object == GFS_NONE || grant.perms == 0)
        return rc;
    return gfs_list_add(&builder->grants[row->subject_kind], &grant, sizeof grant);
}

const struct gfs_model_sink gfs_builder_sink = {
    .organization = take_organization,
    .user = take_user,
    .organization_member = take_organization_member,
    .group = take_group,
    .membership = take_membership,
    .team = take_team,
    .team_member = take_team_member,
    .project = take_project,
    .node = take_node,
    .share = take_share,
    .grant = take_grant,
};

int gfs_builder_new(struct gfs_builder **out) {
    struct gfs_builder *builder = calloc(1, sizeof *builder);
    struct gfs_policy *policy = calloc(1, sizeof *policy);
    struct gfs_family *family = calloc(1, sizeof *family);
    if (builder == NULL || policy == NULL || family == NULL) {
        free(builder);
        free(policy);
        free(family);
        return -ENOMEM;
    }
    atomic_init(&policy->holders, 1);
    policy->family = family;
    policy->version = family->steps = 1;
    family->oldest = policy;
    builder->policy = policy;
    builder->step = (struct gfs_step){.version = 1, .bytes = &family->bytes};
    *out = builder;
    return 0;
}

/* A policy that was not finished: what its step made is freed with the step. */
static void drop_unfinished(struct gfs_builder *builder) {
    struct gfs_vector *vectors[GFS_POLICY_VECTORS];
    size_t count = gfs_policy_vectors(builder->policy, vectors);
    gfs_step_free_list(&builder->step.made, builder->step.bytes);
    for (size_t i = 0; i < count; i++)
        *vectors[i] = (struct gfs_vector){0};
    gfs_policy_drop(builder->policy);
}

void gfs_builder_free(struct gfs_builder *builder) {
    if (builder == NULL)
        return;
    if (builder->policy != NULL)
        drop_unfinished(builder);
    else /* what the step itself made and replaced */
        gfs_step_free_list(&builder->step.garbage, builder->step.bytes);
    struct gfs_list *const lists[] = {
        &builder->organizations,  &builder->users,       &builder->groups,     &builder->teams,
        &builder->projects,       &builder->shares,      &builder->nodes,      &builder->ceilings,
        &builder->ceiling_groups, &builder->memberships, &builder->team_edges, &builder->organization_memberships,
        &builder->step.made,      &builder->step.garbage};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        gfs_list_free(lists[i]);
    for (size_t i = 0; i < GFS_PRINCIPAL_KINDS; i++)
        gfs_list_free(&builder->grants[i]);
    gfs_map_free(&builder->node_by_id);
    free(builder);
}

const char *gfs_builder_problem(const struct gfs_builder *builder) {
    return builder->problem;
}

int gfs_builder_finish(struct gfs_builder *builder, uint64_t generation, struct gfs_snapshot **out) {
    int rc = gfs_build_policy(builder);
    if (rc < 0)
        return rc;
    rc = gfs_snapshot_new(builder->policy, generation, gfs_now_ns(), out);
    if (rc == 0)
        builder->policy = NULL;
    return rc;
}
