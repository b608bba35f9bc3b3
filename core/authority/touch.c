/*
 * Whom a change touches. Said too broadly, somebody's rights are computed once more; said too
 * narrowly, somebody keeps what was taken away. So each of these looks at the old policy and at the
 * new one as far as it has come: a row that joins two things is in one of them while its change is
 * taken, and touches its user by itself.
 */
#include <errno.h>

#include "core/authority/change.h"

void gfs_touch_everybody(struct gfs_delta *delta) {
    delta->touched.everybody = delta->touched.everyone = true;
}

void gfs_touch_user(struct gfs_delta *delta, uint32_t user) {
    delta->touched.users[user / 64] |= UINT64_C(1) << (user % 64);
}

static void touch_users(struct gfs_delta *delta, struct gfs_cell users) {
    for (uint32_t i = 0; i < users.count; i++)
        gfs_touch_user(delta, ((const uint32_t *)users.rows)[i]);
}

void gfs_touch_group(struct gfs_delta *delta, uint32_t group) {
    touch_users(delta, gfs_vector_at(&delta->old->members, group));
    touch_users(delta, gfs_vector_at(&delta->policy->members, group));
}

static void touch_organization(struct gfs_delta *delta, uint32_t organization) {
    delta->touched.organizations[organization / 64] |= UINT64_C(1) << (organization % 64);
    touch_users(delta, gfs_vector_at(&delta->old->organization_members, organization));
    touch_users(delta, gfs_vector_at(&delta->policy->organization_members, organization));
}

/* ---- teams: users and groups in them, and in the teams nested in them ---- */

static bool listed(const struct gfs_list *list, uint32_t team) {
    for (size_t i = 0; i < list->count; i++) {
        if (((const uint32_t *)list->rows)[i] == team)
            return true;
    }
    return false;
}

static int touch_team_members(struct gfs_delta *delta, struct gfs_cell principals, struct gfs_list *teams) {
    int rc = 0;
    for (uint32_t i = 0; i < principals.count && rc == 0; i++) {
        uint32_t principal = ((const uint32_t *)principals.rows)[i], index = gfs_principal_index(principal);
        if (gfs_principal_kind(principal) == GFS_SUBJECT_USER)
            gfs_touch_user(delta, index);
        else if (gfs_principal_kind(principal) == GFS_SUBJECT_GROUP)
            gfs_touch_group(delta, index);
        else if (!listed(teams, index))
            rc = gfs_list_add(teams, &index, sizeof index);
    }
    return rc;
}

static int touch_team(struct gfs_delta *delta, uint32_t team) {
    struct gfs_list teams = {0};
    int rc = gfs_list_add(&teams, &team, sizeof team);
    for (size_t i = 0; i < teams.count && rc == 0; i++) { /* grows while it is walked */
        uint32_t number = ((const uint32_t *)teams.rows)[i];
        rc = touch_team_members(delta, gfs_vector_at(&delta->old->team_members, number), &teams);
        if (rc == 0)
            rc = touch_team_members(delta, gfs_vector_at(&delta->policy->team_members, number), &teams);
    }
    gfs_list_free(&teams);
    return rc;
}

int gfs_touch_principal(struct gfs_delta *delta, enum gfs_subject_kind kind, uint32_t index) {
    switch (kind) {
    case GFS_SUBJECT_USER:
        gfs_touch_user(delta, index);
        return 0;
    case GFS_SUBJECT_GROUP:
        gfs_touch_group(delta, index);
        return 0;
    case GFS_SUBJECT_TEAM:
        return touch_team(delta, index);
    case GFS_SUBJECT_ORGANIZATION:
        touch_organization(delta, index);
        return 0;
    case GFS_SUBJECT_EVERYONE:
        gfs_touch_everybody(delta);
        return 0;
    }
    return -ESTALE;
}

/* ---- shares ---- */

static int touch_holder(void *context, enum gfs_subject_kind kind, gfs_id subject) {
    static gfs_find *const finds[] = {gfs_policy_find_user, gfs_policy_find_group, gfs_policy_find_team,
                                      gfs_policy_find_organization};
    struct gfs_delta *delta = context;
    if (kind == GFS_SUBJECT_EVERYONE)
        return gfs_touch_principal(delta, kind, 0);
    uint32_t index = (unsigned)kind < 4 ? gfs_delta_find(delta, finds[kind], subject) : GFS_NONE;
    return index == GFS_NONE ? -ESTALE : gfs_touch_principal(delta, kind, index);
}

/* Roles that bring permissions: the owner and admins of a capsule's group, admins of the organization. */
static void touch_group_admins(struct gfs_delta *delta, const struct gfs_policy *policy, uint32_t group) {
    struct gfs_cell members = gfs_vector_at(&policy->members, group);
    for (uint32_t i = 0; i < members.count; i++) {
        uint32_t user = ((const uint32_t *)members.rows)[i];
        struct gfs_cell memberships = gfs_vector_at(&policy->memberships, user);
        for (uint32_t m = 0; m < memberships.count; m++) {
            const struct gfs_membership *membership = (const struct gfs_membership *)memberships.rows + m;
            if (membership->group == group && membership->role != GFS_ROLE_MEMBER)
                gfs_touch_user(delta, user);
        }
    }
}

static void touch_organization_admins(struct gfs_delta *delta, const struct gfs_policy *policy, uint32_t organization) {
    const struct gfs_organization *record = gfs_policy_organization(policy, organization);
    struct gfs_cell members = gfs_vector_at(&policy->organization_members, organization);
    if (record == NULL || record->organization_admin_perms == 0)
        return;
    for (uint32_t i = 0; i < members.count; i++) {
        uint32_t user = ((const uint32_t *)members.rows)[i];
        struct gfs_cell memberships = gfs_vector_at(&policy->organization_memberships, user);
        for (uint32_t m = 0; m < memberships.count; m++) {
            const struct gfs_organization_membership *membership =
                (const struct gfs_organization_membership *)memberships.rows + m;
            if (membership->organization == organization && membership->admin)
                gfs_touch_user(delta, user);
        }
    }
}

/* Authorizations on the share, the shares around it, its project and the projects around that: those
 * that there are now. One that came or went is in the feed, and touches whom it was given to. */
static int touch_holders(struct gfs_delta *delta, const struct gfs_policy *policy, uint32_t share) {
    const struct gfs_share_record *record = gfs_policy_share_record(policy, share);
    uint32_t project = record->links.project;
    int rc = 0;
    for (const struct gfs_share *around = &record->share; around != NULL && rc == 0; around = around->parent)
        rc = gfs_store_holders(delta->store, GFS_OBJECT_SHARE, around->id, touch_holder, delta);
    while (project != GFS_NONE && rc == 0) {
        const struct gfs_project *around = gfs_policy_project(policy, project);
        if (around == NULL)
            break;
        rc = gfs_store_holders(delta->store, GFS_OBJECT_PROJECT, around->id, touch_holder, delta);
        project = around->parent;
    }
    return rc;
}

static int touch_share_in(struct gfs_delta *delta, const struct gfs_policy *policy, uint32_t share) {
    const struct gfs_share_record *record = gfs_policy_share_record(policy, share);
    if (record == NULL)
        return 0;
    if (record->links.owner != GFS_NONE)
        gfs_touch_user(delta, record->links.owner);
    if (record->share.kind == GFS_KIND_CAPSULE && record->links.group != GFS_NONE)
        touch_group_admins(delta, policy, record->links.group);
    if (record->links.organization != GFS_NONE)
        touch_organization_admins(delta, policy, record->links.organization);
    return touch_holders(delta, policy, share);
}

int gfs_touch_share(struct gfs_delta *delta, uint32_t share) {
    int rc = touch_share_in(delta, delta->old, share);
    return rc == 0 ? touch_share_in(delta, delta->policy, share) : rc;
}
