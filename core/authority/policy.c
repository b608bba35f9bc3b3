#include "core/authority/policy.h"

#include <errno.h>
#include <stdlib.h>

size_t gfs_policy_vectors(struct gfs_policy *policy, struct gfs_vector *out[static GFS_POLICY_VECTORS]) {
    struct gfs_vector *const vectors[] = {
        &policy->organizations, &policy->users,
        &policy->groups,        &policy->teams,
        &policy->projects,      &policy->shares,
        &policy->ceilings,      &policy->memberships,
        &policy->grants[0],     &policy->grants[1],
        &policy->grants[2],     &policy->grants[3],
        &policy->grants[4],     &policy->organization_memberships,
        &policy->teams_of[0],   &policy->teams_of[1],
        &policy->teams_of[2],   &policy->owned,
        &policy->capsules,      &policy->shares_of_organization,
        &policy->projects_in,   &policy->shares_of_project,
        &policy->children,      &policy->ceilings_of_group,
        &policy->members,       &policy->organization_members,
        &policy->team_members,  &policy->nested,
        &policy->user_list,     &policy->share_list,
    };
    size_t count = sizeof vectors / sizeof vectors[0];
    _Static_assert(sizeof vectors / sizeof vectors[0] <= GFS_POLICY_VECTORS, "room for all");
    for (size_t i = 0; i < count; i++)
        out[i] = vectors[i];
    return count;
}

void gfs_policy_maps(struct gfs_policy *policy, struct gfs_map *out[static GFS_POLICY_MAPS]) {
    struct gfs_map *const maps[GFS_POLICY_MAPS] = {
        &policy->organization_by_id, &policy->user_by_id,    &policy->group_by_id,
        &policy->team_by_id,         &policy->project_by_id, &policy->share_by_id,
        &policy->user_by_name,       &policy->user_by_uuid,  &policy->user_by_uid};
    for (size_t i = 0; i < GFS_POLICY_MAPS; i++)
        out[i] = maps[i];
}

/* The last one of a family: nobody shares anything with it any more. */
static void free_last(struct gfs_policy *policy) {
    struct gfs_vector *vectors[GFS_POLICY_VECTORS];
    struct gfs_map *maps[GFS_POLICY_MAPS];
    struct gfs_family *family = policy->family;
    size_t count = gfs_policy_vectors(policy, vectors);
    for (size_t i = 0; i < count; i++)
        gfs_vector_free(vectors[i]);
    gfs_policy_maps(policy, maps);
    for (size_t i = 0; i < GFS_POLICY_MAPS; i++)
        gfs_map_free(maps[i]);
    gfs_list_free(&policy->garbage);
    free(policy);
    void *const *blocks = family->blocks.rows;
    for (size_t i = 0; i < family->blocks.count; i++)
        free(blocks[i]);
    gfs_list_free(&family->blocks);
    gfs_arena_free(&family->strings);
    free(family);
}

void gfs_policy_drop(struct gfs_policy *policy) {
    struct gfs_family *family = policy->family;
    if (atomic_fetch_sub_explicit(&policy->holders, 1, memory_order_acq_rel) > 1)
        return;
    while (atomic_load_explicit(&family->oldest->holders, memory_order_acquire) == 0) {
        struct gfs_policy *oldest = family->oldest;
        if (oldest->newer == NULL) {
            free_last(oldest);
            return;
        }
        family->oldest = oldest->newer;
        gfs_step_free_list(&oldest->garbage, &family->bytes);
        free(oldest);
    }
}

static void earlier(int64_t *next, int64_t end_ns, int64_t now_ns) {
    if (end_ns > now_ns && end_ns < *next)
        *next = end_ns;
}

int64_t gfs_policy_next_end(const struct gfs_policy *policy, int64_t now_ns) {
    int64_t next = INT64_MAX;
    for (uint32_t user = 0; user < policy->users.count; user++) {
        struct gfs_cell cell = gfs_vector_at(&policy->memberships, user);
        for (uint32_t i = 0; i < cell.count; i++)
            earlier(&next, ((const struct gfs_membership *)cell.rows)[i].expires_ns, now_ns);
        cell = gfs_vector_at(&policy->organization_memberships, user);
        for (uint32_t i = 0; i < cell.count; i++)
            earlier(&next, ((const struct gfs_organization_membership *)cell.rows)[i].expires_ns, now_ns);
    }
    for (unsigned kind = 0; kind < GFS_PRINCIPAL_KINDS; kind++) {
        for (uint32_t principal = 0; principal < policy->grants[kind].count; principal++) {
            struct gfs_cell cell = gfs_vector_at(&policy->grants[kind], principal);
            for (uint32_t i = 0; i < cell.count; i++)
                earlier(&next, ((const struct gfs_grant *)cell.rows)[i].expires_ns, now_ns);
        }
    }
    return next;
}

/* Every record begins with its id. */
static uint32_t find(const struct gfs_map *map, const struct gfs_vector *records, gfs_id id) {
    size_t cursor = 0;
    for (;;) {
        uint32_t i = id <= 0 ? GFS_NONE : gfs_map_next(map, (uint64_t)id, &cursor);
        const gfs_id *record = i == GFS_NONE ? NULL : gfs_vector_record(records, i);
        if (i == GFS_NONE || (record != NULL && *record == id))
            return i;
    }
}

uint32_t gfs_policy_find_organization(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->organization_by_id, &policy->organizations, id);
}

uint32_t gfs_policy_find_user(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->user_by_id, &policy->users, id);
}

uint32_t gfs_policy_find_group(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->group_by_id, &policy->groups, id);
}

uint32_t gfs_policy_find_team(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->team_by_id, &policy->teams, id);
}

uint32_t gfs_policy_find_project(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->project_by_id, &policy->projects, id);
}

uint32_t gfs_policy_find_share(const struct gfs_policy *policy, gfs_id id) {
    return find(&policy->share_by_id, &policy->shares, id);
}

int gfs_policy_put_nested(struct gfs_policy *policy, struct gfs_step *step, uint32_t share) {
    struct gfs_cell children = gfs_vector_at(&policy->children, share);
    struct gfs_cell cell = {.count = children.count, .loose = true};
    if (children.count == 0 && gfs_vector_at(&policy->nested, share).count == 0)
        return 0;
    const struct gfs_share **nested = gfs_step_allocate(step, children.count * sizeof *nested);
    if (nested == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < children.count; i++)
        nested[i] = gfs_policy_share(policy, ((const uint32_t *)children.rows)[i]);
    cell.rows = nested;
    return gfs_vector_put(&policy->nested, step, share, cell);
}
