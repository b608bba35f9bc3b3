/* The second half of the builder: from lists of rows to a policy. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "core/authority/build.h"

/* Hands memory over to the family. */
static int keep_block(struct gfs_builder *builder, void *block) {
    struct gfs_family *family = builder->policy->family;
    int rc = gfs_list_add(&family->blocks, &block, sizeof block);
    if (rc == 0)
        atomic_fetch_add_explicit(&family->bytes, malloc_usable_size(block), memory_order_relaxed);
    else
        free(block);
    return rc;
}

static int put_records(struct gfs_builder *builder, struct gfs_list *list, size_t size, struct gfs_vector *vector) {
    if (list->count == 0)
        return 0;
    gfs_list_trim(list, size);
    void *rows = list->rows;
    size_t count = list->count;
    *list = (struct gfs_list){0};
    int rc = keep_block(builder, rows);
    return rc == 0 ? gfs_vector_of_records(vector, &builder->step, rows, count, size) : rc;
}

/* Rows of lists, in place of the list that is taken: sorted by key, and by number under each key. */
static int put_rows(struct gfs_builder *builder, struct gfs_list *list, size_t size, size_t keys,
                    struct gfs_vector *vector) {
    struct gfs_index index;
    int rc = gfs_index_build(&index, list, size, keys);
    if (rc < 0)
        return rc;
    gfs_index_sort(&index, size);
    rc = keep_block(builder, index.rows);
    if (rc == 0)
        rc = gfs_vector_of_index(vector, &builder->step, &index, size);
    free(index.start);
    return rc;
}

static int put_pairs(struct gfs_builder *builder, struct gfs_list *pairs, size_t keys, struct gfs_vector *vector) {
    struct gfs_fan fan;
    int rc = gfs_fan_build(&fan, pairs, keys);
    if (rc < 0)
        return rc;
    rc = keep_block(builder, fan.values);
    if (rc == 0)
        rc = gfs_vector_of_fan(vector, &builder->step, &fan);
    free(fan.start);
    return rc;
}

static int build_ceilings(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    struct gfs_list pairs = {0};
    int rc = 0;
    for (uint32_t i = 0; i < builder->ceilings.count && rc == 0; i++) {
        gfs_id id = ((const gfs_id *)builder->ceiling_groups.rows)[i];
        struct gfs_pair pair = {.key = gfs_map_find(&policy->group_by_id, (uint64_t)id), .value = i};
        ((struct gfs_ceiling *)builder->ceilings.rows)[i].group = pair.key;
        if (pair.key != GFS_NONE)
            rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = put_pairs(builder, &pairs, policy->groups.count, &policy->ceilings_of_group);
    gfs_list_free(&pairs);
    return rc == 0 ? put_records(builder, &builder->ceilings, sizeof(struct gfs_ceiling), &policy->ceilings) : rc;
}

/* One of the numbers by which shares are sorted; GFS_NONE: not in the list. */
typedef uint32_t share_key(const struct gfs_share_record *record);

static uint32_t owner_of(const struct gfs_share_record *record) {
    return record->links.owner;
}

static uint32_t group_of_capsule(const struct gfs_share_record *record) {
    return record->share.kind == GFS_KIND_CAPSULE ? record->links.group : GFS_NONE;
}

static uint32_t organization_of(const struct gfs_share_record *record) {
    return record->links.organization;
}

static uint32_t project_of(const struct gfs_share_record *record) {
    return record->links.project;
}

static uint32_t parent_of(const struct gfs_share_record *record) {
    return record->links.parent;
}

static int build_shares_by(struct gfs_builder *builder, share_key *key_of, size_t keys, struct gfs_vector *vector) {
    struct gfs_list pairs = {0};
    int rc = 0;
    for (uint32_t share = 0; share < builder->policy->shares.count && rc == 0; share++) {
        struct gfs_pair pair = {.key = key_of(gfs_policy_share_record(builder->policy, share)), .value = share};
        if (pair.key != GFS_NONE)
            rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = put_pairs(builder, &pairs, keys, vector);
    gfs_list_free(&pairs);
    return rc;
}

/* Pointers to shares: only now, when the records move no more. */
static int build_nested(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    int rc = 0;
    for (uint32_t i = 0; i < policy->shares.count && rc == 0; i++) {
        struct gfs_share_record *record = (struct gfs_share_record *)(uintptr_t)gfs_policy_share_record(policy, i);
        if (record->links.parent != GFS_NONE)
            record->share.parent = gfs_policy_share(policy, record->links.parent);
        rc = gfs_policy_put_nested(policy, &builder->step, i);
    }
    return rc;
}

static int build_projects_in(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    struct gfs_list pairs = {0};
    int rc = 0;
    for (uint32_t i = 0; i < policy->projects.count && rc == 0; i++) {
        struct gfs_pair pair = {.key = gfs_policy_project(policy, i)->parent, .value = i};
        if (pair.key != GFS_NONE)
            rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = put_pairs(builder, &pairs, policy->projects.count, &policy->projects_in);
    gfs_list_free(&pairs);
    return rc;
}

/* ---- lists of users and shares ---- */

static gfs_id user_id(const struct gfs_policy *policy, uint32_t i) {
    const struct gfs_user *user = gfs_policy_user(policy, i);
    return user == NULL ? 0 : user->id;
}

static int compare_users(const void *a, const void *b, void *context) {
    const struct gfs_policy *policy = context;
    gfs_id left = user_id(policy, *(const uint32_t *)a);
    gfs_id right = user_id(policy, *(const uint32_t *)b);
    return (left > right) - (left < right);
}

static int build_list(struct gfs_builder *builder, size_t count, struct gfs_vector *vector, uint32_t **out) {
    uint32_t *list = gfs_step_allocate(&builder->step, count * sizeof *list);
    if (list == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        list[i] = i;
    *out = list;
    return gfs_vector_put(vector, &builder->step, 0,
                          (struct gfs_cell){.rows = list, .count = (uint32_t)count, .loose = true});
}

static int build_orders(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    uint32_t *list;
    int rc = build_list(builder, policy->shares.count, &policy->share_list, &list);
    if (rc == 0)
        rc = build_list(builder, policy->users.count, &policy->user_list, &list);
    if (rc < 0)
        return rc;
    bool sorted = true;
    for (uint32_t i = 1; i < policy->users.count && sorted; i++)
        sorted = user_id(policy, i - 1) < user_id(policy, i);
    if (!sorted)
        qsort_r(list, policy->users.count, sizeof *list, compare_users, policy);
    return 0;
}

/* ---- the other way round ---- */

/* Rows (key, number, ...) as pairs (number, key). */
static int build_reverse(struct gfs_builder *builder, const struct gfs_list *rows, size_t row_size, size_t keys,
                         struct gfs_vector *vector) {
    struct gfs_list pairs = {0};
    int rc = 0;
    for (size_t i = 0; i < rows->count && rc == 0; i++) {
        const uint32_t *row = (const uint32_t *)((const char *)rows->rows + i * row_size);
        struct gfs_pair pair = {.key = row[1], .value = row[0]};
        rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = put_pairs(builder, &pairs, keys, vector);
    gfs_list_free(&pairs);
    return rc;
}

static int build_teams_of(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    const size_t keys[] = {policy->users.count, policy->groups.count, policy->teams.count};
    struct gfs_list pairs[3] = {{0}};
    const struct gfs_pair *edges = builder->team_edges.rows;
    int rc = 0;
    for (size_t i = 0; i < builder->team_edges.count && rc == 0; i++) {
        struct gfs_pair pair = {.key = gfs_principal_index(edges[i].key), .value = edges[i].value};
        rc = gfs_list_add(&pairs[gfs_principal_kind(edges[i].key)], &pair, sizeof pair);
    }
    for (size_t kind = 0; kind < 3; kind++) {
        if (rc == 0)
            rc = put_pairs(builder, &pairs[kind], keys[kind], &policy->teams_of[kind]);
        gfs_list_free(&pairs[kind]);
    }
    return rc;
}

static int build_records(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    int rc = put_records(builder, &builder->organizations, sizeof(struct gfs_organization), &policy->organizations);
    if (rc == 0)
        rc = put_records(builder, &builder->users, sizeof(struct gfs_user), &policy->users);
    if (rc == 0)
        rc = put_records(builder, &builder->groups, sizeof(struct gfs_group), &policy->groups);
    if (rc == 0)
        rc = put_records(builder, &builder->teams, sizeof(struct gfs_named), &policy->teams);
    if (rc == 0)
        rc = put_records(builder, &builder->projects, sizeof(struct gfs_project), &policy->projects);
    if (rc == 0)
        rc = put_records(builder, &builder->shares, sizeof(struct gfs_share_record), &policy->shares);
    return rc;
}

static int build_people(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    size_t users = policy->users.count;
    int rc = build_reverse(builder, &builder->memberships, sizeof(struct gfs_membership), policy->groups.count,
                           &policy->members);
    if (rc == 0)
        rc = build_reverse(builder, &builder->organization_memberships, sizeof(struct gfs_organization_membership),
                           policy->organizations.count, &policy->organization_members);
    if (rc == 0)
        rc = build_reverse(builder, &builder->team_edges, sizeof(struct gfs_pair), policy->teams.count,
                           &policy->team_members);
    if (rc == 0)
        rc = put_rows(builder, &builder->memberships, sizeof(struct gfs_membership), users, &policy->memberships);
    if (rc == 0)
        rc = put_rows(builder, &builder->organization_memberships, sizeof(struct gfs_organization_membership), users,
                      &policy->organization_memberships);
    return rc == 0 ? build_teams_of(builder) : rc;
}

static int build_grants(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    const size_t keys[GFS_PRINCIPAL_KINDS] = {policy->users.count, policy->groups.count, policy->teams.count,
                                              policy->organizations.count, 1};
    int rc = 0;
    for (size_t kind = 0; kind < GFS_PRINCIPAL_KINDS && rc == 0; kind++)
        rc = put_rows(builder, &builder->grants[kind], sizeof(struct gfs_grant), keys[kind], &policy->grants[kind]);
    return rc;
}

static int build_things(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    int rc = build_shares_by(builder, owner_of, policy->users.count, &policy->owned);
    if (rc == 0)
        rc = build_shares_by(builder, group_of_capsule, policy->groups.count, &policy->capsules);
    if (rc == 0)
        rc = build_shares_by(builder, organization_of, policy->organizations.count, &policy->shares_of_organization);
    if (rc == 0)
        rc = build_shares_by(builder, project_of, policy->projects.count, &policy->shares_of_project);
    if (rc == 0)
        rc = build_shares_by(builder, parent_of, policy->shares.count, &policy->children);
    if (rc == 0)
        rc = build_projects_in(builder);
    return rc == 0 ? build_nested(builder) : rc;
}

static void count_bytes(struct gfs_policy *policy) {
    struct gfs_map *maps[GFS_POLICY_MAPS];
    size_t bytes = sizeof *policy + sizeof *policy->family + policy->family->strings.bytes;
    gfs_policy_maps(policy, maps);
    for (size_t i = 0; i < GFS_POLICY_MAPS; i++)
        bytes += gfs_map_bytes(maps[i]);
    atomic_fetch_add_explicit(&policy->family->bytes, bytes, memory_order_relaxed);
}

int gfs_build_policy(struct gfs_builder *builder) {
    int rc = build_records(builder);
    if (rc == 0)
        rc = build_ceilings(builder);
    if (rc == 0)
        rc = build_people(builder);
    if (rc == 0)
        rc = build_grants(builder);
    if (rc == 0)
        rc = build_things(builder);
    if (rc == 0)
        rc = build_orders(builder);
    if (rc == 0)
        count_bytes(builder->policy);
    return rc;
}
