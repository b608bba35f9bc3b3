#include <errno.h>
#include <stdlib.h>

#include "core/authority/build.h"
#include "guildfs/clock.h"

static int build_ceilings(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    struct gfs_list pairs = {0};
    int rc = 0;
    for (uint32_t i = 0; i < policy->ceilings.count && rc == 0; i++) {
        gfs_id id = ((const gfs_id *)builder->ceiling_groups.rows)[i];
        struct gfs_pair pair = {.key = gfs_map_find(&policy->group_by_id, (uint64_t)id), .value = i};
        ((struct gfs_ceiling *)policy->ceilings.rows)[i].group = pair.key;
        if (pair.key != GFS_NONE)
            rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = gfs_fan_build(&policy->ceilings_of_group, &pairs, policy->groups.count);
    gfs_list_free(&pairs);
    return rc;
}

/* One of the numbers by which shares are sorted; GFS_NONE: not in the fan. */
typedef uint32_t share_key(const struct gfs_policy *policy, uint32_t share);

static uint32_t owner_of(const struct gfs_policy *policy, uint32_t share) {
    return gfs_policy_links(policy, share)->owner;
}

static uint32_t group_of_capsule(const struct gfs_policy *policy, uint32_t share) {
    return gfs_policy_share(policy, share)->kind == GFS_KIND_CAPSULE ? gfs_policy_links(policy, share)->group
                                                                     : GFS_NONE;
}

static uint32_t organization_of(const struct gfs_policy *policy, uint32_t share) {
    return gfs_policy_links(policy, share)->organization;
}

static uint32_t position_of_project(const struct gfs_policy *policy, uint32_t share) {
    uint32_t project = gfs_policy_links(policy, share)->project;
    return project == GFS_NONE ? GFS_NONE : policy->project_ranges.position[project];
}

static int build_share_fan(const struct gfs_policy *policy, share_key *key_of, size_t keys, struct gfs_fan *fan) {
    struct gfs_list pairs = {0};
    int rc = 0;
    for (uint32_t share = 0; share < policy->shares.count && rc == 0; share++) {
        struct gfs_pair pair = {.key = key_of(policy, share), .value = share};
        if (pair.key != GFS_NONE)
            rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = gfs_fan_build(fan, &pairs, keys);
    gfs_list_free(&pairs);
    return rc;
}

/*
 * Positions of a forest in which parents have smaller indexes than their children. Sizes are
 * summed upwards from the last index; then each node takes the next free position in its
 * parent's range. next[i] is where the next child of i goes, next[count] the next root.
 */
static int build_ranges(const struct gfs_list *list, struct gfs_ranges *ranges) {
    const uint32_t *parents = list->rows;
    size_t count = list->count;
    uint32_t *next = calloc(count + 1, sizeof *next);
    ranges->position = calloc(count + 1, sizeof *ranges->position);
    ranges->size = calloc(count + 1, sizeof *ranges->size);
    if (next == NULL || ranges->position == NULL || ranges->size == NULL) {
        free(next);
        return -ENOMEM;
    }
    for (size_t i = count; i-- > 0;) {
        ranges->size[i]++;
        if (parents[i] != GFS_NONE)
            ranges->size[parents[i]] += ranges->size[i];
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t parent = parents[i];
        uint32_t *slot = &next[parent == GFS_NONE ? count : parent];
        ranges->position[i] = *slot;
        *slot += ranges->size[i];
        next[i] = ranges->position[i] + 1;
    }
    free(next);
    return 0;
}

static int build_trees(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    size_t shares = policy->shares.count;
    int rc = build_ranges(&builder->parents_of_shares, &policy->share_ranges);
    if (rc == 0)
        rc = build_ranges(&builder->parents_of_projects, &policy->project_ranges);
    if (rc < 0)
        return rc;
    policy->share_order = malloc(shares * sizeof *policy->share_order + 1);
    if (policy->share_order == NULL)
        return -ENOMEM;
    for (uint32_t share = 0; share < shares; share++)
        policy->share_order[policy->share_ranges.position[share]] = share;
    return build_share_fan(policy, position_of_project, policy->projects.count, &policy->project_order);
}

/* Pointers to shares: only now, when the array moves no more. */
static int build_nested(struct gfs_policy *policy) {
    struct gfs_share *shares = policy->shares.rows;
    struct gfs_list pairs = {0};
    struct gfs_fan fan = {0};
    int rc = 0;
    for (uint32_t i = 0; i < policy->shares.count && rc == 0; i++) {
        struct gfs_pair pair = {.key = gfs_policy_links(policy, i)->parent, .value = i};
        if (pair.key == GFS_NONE)
            continue;
        shares[i].parent = &shares[pair.key];
        rc = gfs_list_add(&pairs, &pair, sizeof pair);
    }
    if (rc == 0)
        rc = gfs_fan_build(&fan, &pairs, policy->shares.count);
    gfs_list_free(&pairs);
    if (rc < 0)
        return rc;
    policy->nested = malloc(fan.count * sizeof *policy->nested + 1);
    if (policy->nested == NULL) {
        gfs_fan_free(&fan);
        return -ENOMEM;
    }
    for (size_t i = 0; i < fan.count; i++)
        policy->nested[i] = &shares[fan.values[i]];
    policy->nested_start = fan.start;
    free(fan.values);
    return 0;
}

static int compare_users(const void *a, const void *b) {
    const struct gfs_user *const *left = a, *const *right = b;
    return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

static int build_user_order(struct gfs_policy *policy) {
    const struct gfs_user *users = policy->users.rows;
    bool sorted = true;
    policy->user_order = malloc(policy->users.count * sizeof *policy->user_order + 1);
    if (policy->user_order == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < policy->users.count; i++) {
        policy->user_order[i] = &users[i];
        sorted = sorted && (i == 0 || users[i - 1].id < users[i].id);
    }
    if (!sorted)
        qsort(policy->user_order, policy->users.count, sizeof *policy->user_order, compare_users);
    return 0;
}

static void trim(struct gfs_policy *policy) {
    gfs_list_trim(&policy->users, sizeof(struct gfs_user));
    gfs_list_trim(&policy->groups, sizeof(struct gfs_group));
    gfs_list_trim(&policy->shares, sizeof(struct gfs_share));
    gfs_list_trim(&policy->links, sizeof(struct gfs_share_links));
}

int gfs_build_indexes(struct gfs_builder *builder) {
    struct gfs_policy *policy = builder->policy;
    size_t principals = (size_t)gfs_principal_everyone(policy) + 1;
    size_t users = policy->users.count;
    trim(policy);
    int rc = gfs_index_build(&policy->grants, &builder->grants, sizeof(struct gfs_grant), principals);
    if (rc == 0)
        rc = gfs_index_build(&policy->memberships, &builder->memberships, sizeof(struct gfs_membership), users);
    if (rc == 0)
        rc = gfs_index_build(&policy->organization_memberships, &builder->organization_memberships,
                             sizeof(struct gfs_organization_membership), users);
    if (rc == 0)
        rc = gfs_fan_build(&policy->teams_of, &builder->team_edges, principals);
    if (rc == 0)
        rc = build_ceilings(builder);
    if (rc == 0)
        rc = build_trees(builder);
    if (rc == 0)
        rc = build_share_fan(policy, owner_of, users, &policy->owned);
    if (rc == 0)
        rc = build_share_fan(policy, group_of_capsule, policy->groups.count, &policy->capsules);
    if (rc == 0)
        rc = build_share_fan(policy, organization_of, policy->organizations.count, &policy->shares_of_organization);
    if (rc == 0)
        rc = build_nested(policy);
    if (rc == 0)
        rc = build_user_order(policy);
    return rc;
}
