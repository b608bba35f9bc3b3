#include "core/authority/walk.h"

#include <errno.h>
#include <stdlib.h>

static int give(struct gfs_walk *walk, struct gfs_reach reach) {
    return reach.count == 0 || reach.perms == 0 ? 0 : walk->reached(walk->context, &reach);
}

/* A share and what is nested in it; or the shares of a project and of the projects in it. */
static void reach_object(const struct gfs_policy *policy, uint32_t object, struct gfs_reach *reach) {
    reach->object = object;
    if (object < policy->shares.count) {
        reach->shares = policy->share_order + policy->share_ranges.position[object];
        reach->count = policy->share_ranges.size[object];
        return;
    }
    uint32_t project = object - (uint32_t)policy->shares.count;
    uint32_t first = policy->project_ranges.position[project];
    const uint32_t *start = policy->project_order.start;
    reach->shares = policy->project_order.values + start[first];
    reach->count = start[first + policy->project_ranges.size[project]] - start[first];
}

static int walk_grants(struct gfs_walk *walk, uint32_t principal, enum gfs_giver giver, uint32_t who) {
    const struct gfs_index *grants = &walk->policy->grants;
    const struct gfs_grant *rows = grants->rows;
    int rc = 0;
    for (uint32_t i = grants->start[principal]; i < grants->start[principal + 1] && rc == 0; i++) {
        if (!gfs_window_counts(&walk->window, rows[i].expires_ns, walk->now_ns))
            continue;
        struct gfs_reach reach = {.giver = giver, .who = who, .perms = rows[i].perms};
        reach_object(walk->policy, rows[i].object, &reach);
        rc = give(walk, reach);
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

static void teams_of(const struct gfs_policy *policy, struct teams *teams, uint32_t principal) {
    const struct gfs_fan *fan = &policy->teams_of;
    for (uint32_t i = fan->start[principal]; i < fan->start[principal + 1]; i++) {
        uint32_t team = fan->values[i];
        uint64_t bit = UINT64_C(1) << (team % 64);
        if ((teams->seen[team / 64] & bit) != 0)
            continue;
        teams->seen[team / 64] |= bit;
        teams->found[teams->count++] = team;
    }
}

static int walk_teams(struct gfs_walk *walk, struct teams *teams) {
    int rc = 0;
    for (size_t i = 0; i < teams->count && rc == 0; i++) { /* grows while it is walked */
        uint32_t team = teams->found[i];
        teams_of(walk->policy, teams, gfs_principal_team(walk->policy, team));
        rc = walk_grants(walk, gfs_principal_team(walk->policy, team), GFS_GIVER_TEAM, team);
    }
    return rc;
}

/* Each capsule by itself: the organization that the capsule is in says what the role gives. */
static int walk_capsules(struct gfs_walk *walk, uint32_t group) {
    const struct gfs_policy *policy = walk->policy;
    int rc = 0;
    for (uint32_t i = policy->capsules.start[group]; i < policy->capsules.start[group + 1] && rc == 0; i++) {
        const uint32_t *share = &policy->capsules.values[i];
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
    const struct gfs_index *memberships = &walk->policy->memberships;
    int rc = 0;
    for (uint32_t i = memberships->start[user]; i < memberships->start[user + 1] && rc == 0; i++) {
        const struct gfs_membership *membership = (const struct gfs_membership *)memberships->rows + i;
        if (!gfs_window_counts(&walk->window, membership->expires_ns, walk->now_ns))
            continue;
        uint32_t principal = gfs_principal_group(walk->policy, membership->group);
        teams_of(walk->policy, teams, principal);
        rc = walk_grants(walk, principal, GFS_GIVER_GROUP, membership->group);
        if (rc == 0 && (membership->role == GFS_ROLE_OWNER || membership->role == GFS_ROLE_ADMIN))
            rc = walk_capsules(walk, membership->group);
    }
    return rc;
}

static int walk_organizations(struct gfs_walk *walk, uint32_t user) {
    const struct gfs_policy *policy = walk->policy;
    const struct gfs_index *memberships = &policy->organization_memberships;
    int rc = 0;
    for (uint32_t i = memberships->start[user]; i < memberships->start[user + 1] && rc == 0; i++) {
        const struct gfs_organization_membership *membership =
            (const struct gfs_organization_membership *)memberships->rows + i;
        if (!gfs_window_counts(&walk->window, membership->expires_ns, walk->now_ns))
            continue;
        uint32_t organization = membership->organization;
        if (organization != walk->without_organization)
            rc = gfs_walk_organization(walk, organization);
        const uint32_t *start = policy->shares_of_organization.start;
        if (rc == 0 && membership->admin)
            rc = give(walk, (struct gfs_reach){
                                .giver = GFS_GIVER_ORGANIZATION_ADMIN,
                                .who = organization,
                                .object = GFS_NONE,
                                .perms = gfs_policy_organization(policy, organization)->organization_admin_perms,
                                .shares = policy->shares_of_organization.values + start[organization],
                                .count = start[organization + 1] - start[organization],
                            });
    }
    return rc;
}

int gfs_walk_organization(struct gfs_walk *walk, uint32_t organization) {
    return walk_grants(walk, gfs_principal_organization(walk->policy, organization), GFS_GIVER_ORGANIZATION,
                       organization);
}

int gfs_walk_everyone(struct gfs_walk *walk) {
    return walk_grants(walk, gfs_principal_everyone(walk->policy), GFS_GIVER_EVERYONE, GFS_NONE);
}

int gfs_walk_user(struct gfs_walk *walk, uint32_t user) {
    const struct gfs_fan *owned = &walk->policy->owned;
    struct teams teams;
    int rc = teams_begin(walk->policy, &teams);
    if (rc == 0)
        rc = give(walk, (struct gfs_reach){.giver = GFS_GIVER_OWNER,
                                           .who = GFS_NONE,
                                           .object = GFS_NONE,
                                           .perms = GFS_ALL_PERMS,
                                           .shares = owned->values + owned->start[user],
                                           .count = owned->start[user + 1] - owned->start[user]});
    if (rc == 0)
        rc = walk_grants(walk, user, GFS_GIVER_USER, GFS_NONE);
    if (rc == 0) {
        teams_of(walk->policy, &teams, user);
        rc = walk_groups(walk, user, &teams);
    }
    if (rc == 0)
        rc = walk_teams(walk, &teams);
    if (rc == 0)
        rc = walk_organizations(walk, user);
    if (rc == 0 && !walk->without_everyone)
        rc = gfs_walk_everyone(walk);
    teams_end(&teams);
    return rc;
}
