/*
 * A policy: what the store held at one generation, as arrays with integer indexes. It is
 * immutable once it is built, and counted: two snapshots that differ only in their moment (an
 * authorization ended between them) share one.
 *
 * Principals, whoever an authorization can be given to, are numbered in one row: users, groups,
 * teams, organizations, and everyone as the last. Objects, what one can be given on: shares,
 * then projects.
 *
 * Shares and projects are numbered parents before children. `position` is a numbering of the
 * same things in which a tree is a range: the tree below x is position[x] to position[x] +
 * size[x], so that an authorization on a share or a project reaches a range of shares.
 */
#ifndef GUILDFS_CORE_AUTHORITY_POLICY_H
#define GUILDFS_CORE_AUTHORITY_POLICY_H

#include <stdatomic.h>

#include "core/authority/arena.h"
#include "core/authority/list.h"
#include "core/authority/map.h"
#include "guildfs/snapshot.h"

struct gfs_named {
    gfs_id id;
    const char *name;
};

struct gfs_organization {
    gfs_id id;
    const char *name;
    uint32_t ceiling; /* its number among the ceilings; GFS_NONE: none */
    gfs_perms group_admin_capsule_perms;
    gfs_perms organization_admin_perms;
};

struct gfs_ceiling {
    uint32_t group; /* whose members are not cut; GFS_NONE: nobody is exempt */
    gfs_perms perms;
};

/* Where a share stands, by index; GFS_NONE where it stands nowhere. */
struct gfs_share_links {
    uint32_t parent, project, organization, group, owner;
};

struct gfs_membership { /* accepted ones only */
    uint32_t user;      /* the key */
    uint32_t group;
    int64_t expires_ns;
    enum gfs_role role;
};

struct gfs_organization_membership {
    uint32_t user; /* the key */
    uint32_t organization;
    int64_t expires_ns;
    bool admin;
};

struct gfs_grant {
    uint32_t principal; /* the key */
    uint32_t object;
    int64_t expires_ns;
    gfs_perms perms;
};

/* A tree as ranges; see above. */
struct gfs_ranges {
    uint32_t *position, *size;
};

struct gfs_policy {
    atomic_uint holders; /* snapshots that use it */
    struct gfs_arena strings;

    struct gfs_list organizations; /* struct gfs_organization */
    struct gfs_list users;         /* struct gfs_user */
    struct gfs_list groups;        /* struct gfs_group */
    struct gfs_list teams;         /* struct gfs_named */
    struct gfs_list projects;      /* struct gfs_named */
    struct gfs_list shares;        /* struct gfs_share */
    struct gfs_list links;         /* struct gfs_share_links, by the index of the share */
    struct gfs_list ceilings;      /* struct gfs_ceiling */

    struct gfs_map organization_by_id, user_by_id, group_by_id, team_by_id, project_by_id, share_by_id;
    struct gfs_map user_by_name, user_by_uuid, user_by_uid;

    struct gfs_index memberships;              /* struct gfs_membership, by user */
    struct gfs_index organization_memberships; /* struct gfs_organization_membership, by user */
    struct gfs_index grants;                   /* struct gfs_grant, by principal */
    struct gfs_fan teams_of;                   /* teams in which a principal is directly, by principal */
    struct gfs_fan owned;                      /* shares by the user who owns them */
    struct gfs_fan capsules;                   /* capsules by group */
    struct gfs_fan shares_of_organization;     /* shares by organization */
    struct gfs_fan ceilings_of_group;          /* ceilings by the group that is exempt */

    struct gfs_ranges share_ranges, project_ranges;
    uint32_t *share_order;        /* shares by position */
    struct gfs_fan project_order; /* shares by the position of their project */

    const struct gfs_user **user_order; /* users by id */

    uint32_t *nested_start; /* by share: where its nested shares begin in nested; one more at the end */
    const struct gfs_share **nested;
};

void gfs_policy_drop(struct gfs_policy *policy); /* frees it when nobody else holds it */
size_t gfs_policy_bytes(const struct gfs_policy *policy);

/* When the next membership or authorization after now_ns ends; GFS_NEVER. Looks at all of them. */
int64_t gfs_policy_next_end(const struct gfs_policy *policy, int64_t now_ns);

static inline const struct gfs_organization *gfs_policy_organization(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_organization *)policy->organizations.rows + i;
}
static inline const struct gfs_user *gfs_policy_user(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_user *)policy->users.rows + i;
}
static inline const struct gfs_group *gfs_policy_group(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_group *)policy->groups.rows + i;
}
static inline const struct gfs_named *gfs_policy_team(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_named *)policy->teams.rows + i;
}
static inline const struct gfs_named *gfs_policy_project(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_named *)policy->projects.rows + i;
}
static inline const struct gfs_share *gfs_policy_share(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_share *)policy->shares.rows + i;
}
static inline const struct gfs_share_links *gfs_policy_links(const struct gfs_policy *policy, uint32_t share) {
    return (const struct gfs_share_links *)policy->links.rows + share;
}
static inline const struct gfs_ceiling *gfs_policy_ceiling(const struct gfs_policy *policy, uint32_t i) {
    return (const struct gfs_ceiling *)policy->ceilings.rows + i;
}

/* The ceiling that a share's organization has, or GFS_NONE. */
static inline uint32_t gfs_policy_ceiling_of(const struct gfs_policy *policy, uint32_t share) {
    uint32_t organization = gfs_policy_links(policy, share)->organization;
    return organization == GFS_NONE ? GFS_NONE : gfs_policy_organization(policy, organization)->ceiling;
}

/* Principals. A user's number is the user's index. */
static inline uint32_t gfs_principal_group(const struct gfs_policy *policy, uint32_t group) {
    return (uint32_t)policy->users.count + group;
}
static inline uint32_t gfs_principal_team(const struct gfs_policy *policy, uint32_t team) {
    return gfs_principal_group(policy, (uint32_t)policy->groups.count) + team;
}
static inline uint32_t gfs_principal_organization(const struct gfs_policy *policy, uint32_t organization) {
    return gfs_principal_team(policy, (uint32_t)policy->teams.count) + organization;
}
static inline uint32_t gfs_principal_everyone(const struct gfs_policy *policy) {
    return gfs_principal_organization(policy, (uint32_t)policy->organizations.count);
}

#endif
