#include "core/authority/walk.h"

#include <errno.h>
#include <stdlib.h>

static int give(struct gfs_walk *walk, struct gfs_reach reach) {
    return reach.count == 0 || reach.perms == 0 ? 0 : walk->reached(walk->context, &reach);
}

/* Appends what is nested in the shares from `first` on, which grows while it is walked. */
static int reach_nested(const struct gfs_policy *policy, size_t first, struct gfs_list *shares) {
    int rc = 0;
    for (size_t i = first; i < shares->count && rc == 0; i++) {
        struct gfs_cell children = gfs_vector_at(&policy->children, ((const uint32_t *)shares->rows)[i]);
        for (uint32_t c = 0; c < children.count && rc == 0; c++)
            rc = gfs_list_add(shares, (const uint32_t *)children.rows + c, sizeof(uint32_t));
    }
    return rc;
}

static int reach_project(const struct gfs_policy *policy, uint32_t project, struct gfs_list *shares) {
    struct gfs_list projects = {0};
    int rc = gfs_list_add(&projects, &project, sizeof project);
    for (size_t i = 0; i < projects.count && rc == 0; i++) { /* grows while it is walked */
        uint32_t number = ((const uint32_t *)projects.rows)[i];
        struct gfs_cell in = gfs_vector_at(&policy->projects_in, number);
        for (uint32_t p = 0; p < in.count && rc == 0; p++)
            rc = gfs_list_add(&projects, (const uint32_t *)in.rows + p, sizeof(uint32_t));
        in = gfs_vector_at(&policy->shares_of_project, number);
        for (uint32_t p = 0; p < in.count && rc == 0; p++)
            rc = gfs_list_add(shares, (const uint32_t *)in.rows + p, sizeof(uint32_t));
    }
    gfs_list_free(&projects);
    return rc;
}

int gfs_reach_object(const struct gfs_policy *policy, uint32_t object, struct gfs_list *shares) {
    uint32_t index = object >> 1;
    size_t first = shares->count;
    if (gfs_object_is_project(object))
        return gfs_policy_project(policy, index) == NULL ? 0 : reach_project(policy, index, shares);
    if (gfs_policy_share(policy, index) == NULL)
        return 0;
    int rc = gfs_list_add(shares, &index, sizeof index);
    return rc == 0 ? reach_nested(policy, first, shares) : rc;
}

static int walk_grants(struct gfs_walk *walk, enum gfs_subject_kind kind, uint32_t index, enum gfs_giver giver,
                       uint32_t who) {
    struct gfs_cell cell = gfs_policy_grants(walk->policy, kind, index);
    const struct gfs_grant *rows = cell.rows;
    int rc = 0;
    for (uint32_t i = 0; i < cell.count && rc == 0; i++) {
        if (!gfs_window_counts(&walk->window, rows[i].expires_ns, walk->now_ns))
            continue;
        walk->reach.count = 0;
        rc = gfs_reach_object(walk->policy, rows[i].object, &walk->reach);
        if (rc == 0)
            rc = give(walk, (struct gfs_reach){.giver = giver,
                                               .who = who,
                                               .object = rows[i].object,
                                               .perms = rows[i].perms,
                                               .shares = walk->reach.rows,
                                               .count = walk->reach.count});
    }
    return rc;
}

/* Teams still to be looked at, and which were found: each counts once, so that a cycle ends. */
struct teams {
    uint32_t *found;
    size_t count;
    uint64_t *seen; /* a bit per team */
};

static int teams_begin(const struct gfs_policy *policy, struct teams *teams) {
    size_t count = policy->teams.count;
    *teams = (struct teams){.found = malloc(count * sizeof *teams->found + 1),
                            .seen = calloc(count / 64 + 1, sizeof *teams->seen)};
    return teams->found == NULL || teams->seen == NULL ? -ENOMEM : 0;
}

static void teams_end(struct teams *teams) {
    free(teams->found);
    free(teams->seen);
}

static void teams_of(const struct gfs_policy *policy, struct teams *teams, enum gfs_subject_kind kind, uint32_t index) {
    struct gfs_cell cell = gfs_vector_at(&policy->teams_of[kind], index);
    for (uint32_t i = 0; i < cell.count; i++) {
        uint32_t team = ((const uint32_t *)cell.rows)[i];
        uint64_t bit = UINT64_C(1) << (team % 64);
        if ((teams->seen[team / 64] & bit) != 0 || gfs_policy_team(policy, team) == NULL)
            continue;
        teams->seen[team / 64] |= bit;
        teams->found[teams->count++] = team;
    }
}

static int walk_teams(struct gfs_walk *walk, struct teams *teams) {
    int rc = 0;
    for (size_t i = 0; i < teams->count && rc == 0; i++) { /* grows while it is walked */
        uint32_t team = teams->found[i];
        teams_of(walk->policy, teams, GFS_SUBJECT_TEAM, team);
        rc = walk_grants(walk, GFS_SUBJECT_TEAM, team, GFS_GIVER_TEAM, team);
    }
    return rc;
}

/* Each capsule by itself: the organization that the capsule is in says what the role gives. */
static int walk_capsules(struct gfs_walk *walk, uint32_t group) {
    const struct gfs_policy *policy = walk->policy;
    int rc = 0;
    struct gfs_cell capsules = gfs_vector_at(&policy->capsules, group);
    for (uint32_t i = 0; i < capsules.count && rc == 0; i++) {
        const uint32_t *share = (const uint32_t *)capsules.rows + i;
        uint32_t organization = gfs_policy_links(policy, *share)->organization;
        if (organization == GFS_NONE)
            continue;
        rc = give(walk, (struct gfs_reach){
                            .giver = GFS_GIVER_GROUP_ADMIN,
                            .who = group,
                            .object = GFS_NONE,
                            .perms = gfs_policy_organization(policy, organization)->group_admin_capsule_perms,
                            .shares = share,
                            .count = 1,
                        });
    }
    return rc;
}

static int walk_groups(struct gfs_walk *walk, uint32_t user, struct teams *teams) {
    struct gfs_cell memberships = gfs_vector_at(&walk->policy->memberships, user);
    int rc = 0;
    for (uint32_t i = 0; i < memberships.count && rc == 0; i++) {
        const struct gfs_membership *membership = (const struct gfs_membership *)memberships.rows + i;
        if (!gfs_window_counts(&walk->window, membership->expires_ns, walk->now_ns))
            continue;
        teams_of(walk->policy, teams, GFS_SUBJECT_GROUP, membership->group);
        rc = walk_grants(walk, GFS_SUBJECT_GROUP, membership->group, GFS_GIVER_GROUP, membership->group);
        if (rc == 0 && (membership->role == GFS_ROLE_OWNER || membership->role == GFS_ROLE_ADMIN))
            rc = walk_capsules(walk, membership->group);
    }
    return rc;
}

static int walk_organizations(struct gfs_walk *walk, uint32_t user) {
    const struct gfs_policy *policy = walk->policy;
    struct gfs_cell memberships = gfs_vector_at(&policy->organization_memberships, user);
    int rc = 0;
    for (uint32_t i = 0; i < memberships.count && rc == 0; i++) {
        const struct gfs_organization_membership *membership =
            (const struct gfs_organization_membership *)memberships.rows + i;
        if (!gfs_window_counts(&walk->window, membership->expires_ns, walk->now_ns))
            continue;
        uint32_t organization = membership->organization;
        if (organization != walk->without_organization)
            rc = walk_grants(walk, GFS_SUBJECT_ORGANIZATION, organization, GFS_GIVER_ORGANIZATION, organization);
        struct gfs_cell shares = gfs_vector_at(&policy->shares_of_organization, organization);
        if (rc == 0 && membership->admin)
            rc = give(walk, (struct gfs_reach){
                                .giver = GFS_GIVER_ORGANIZATION_ADMIN,
                                .who = organization,
                                .object = GFS_NONE,
                                .perms = gfs_policy_organization(policy, organization)->organization_admin_perms,
                                .shares = shares.rows,
                                .count = shares.count,
                            });
    }
    return rc;
}

static int walk_everyone(struct gfs_walk *walk) {
    return walk_grants(walk, GFS_SUBJECT_EVERYONE, 0, GFS_GIVER_EVERYONE, GFS_NONE);
}

int gfs_walk_organization(struct gfs_walk *walk, uint32_t organization) {
    int rc = walk_grants(walk, GFS_SUBJECT_ORGANIZATION, organization, GFS_GIVER_ORGANIZATION, organization);
    gfs_list_free(&walk->reach);
    return rc;
}

int gfs_walk_everyone(struct gfs_walk *walk) {
    int rc = walk_everyone(walk);
    gfs_list_free(&walk->reach);
    return rc;
}

int gfs_walk_user(struct gfs_walk *walk, uint32_t user) {
    struct gfs_cell owned = gfs_vector_at(&walk->policy->owned, user);
    struct teams teams;
    int rc = teams_begin(walk->policy, &teams);
    if (rc == 0)
        rc = give(walk, (struct gfs_reach){.giver = GFS_GIVER_OWNER,
                                           .who = GFS_NONE,
                                           .object = GFS_NONE,
                                           .perms = GFS_ALL_PERMS,
                                           .shares = owned.rows,
                                           .count = owned.count});
    if (rc == 0)
        rc = walk_grants(walk, GFS_SUBJECT_USER, user, GFS_GIVER_USER, GFS_NONE);
    if (rc == 0) {
        teams_of(walk->policy, &teams, GFS_SUBJECT_USER, user);
        rc = walk_groups(walk, user, &teams);
    }
    if (rc == 0)
        rc = walk_teams(walk, &teams);
    if (rc == 0)
        rc = walk_organizations(walk, user);
    if (rc == 0 && !walk->without_everyone)
        rc = walk_everyone(walk);
    teams_end(&teams);
    gfs_list_free(&walk->reach);
    return rc;
}
