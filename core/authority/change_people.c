/* The rows of a delta about people: organizations, users, groups, teams and who is in them. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/authority/change.h"
#include "guildfs/hash.h"

static uint64_t text_key(const char *text) {
    return gfs_hash64(text, strlen(text));
}

static int put_record(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t i, const void *record, size_t size,
                      const size_t *texts, size_t text_count) {
    const void *copy = gfs_delta_record(delta, record, size, texts, text_count);
    if (copy == NULL)
        return -ENOMEM;
    return gfs_vector_put(vector, &delta->step, i, (struct gfs_cell){.rows = copy, .count = 1, .loose = true});
}

/* ---- organizations ---- */

/* The number of the organization's ceiling: the one it had, or a new one. */
static int change_ceiling(struct gfs_delta *delta, const struct gfs_organization_row *row, uint32_t had,
                          uint32_t *number) {
    const struct gfs_pending_ceiling pending = {.number = had != GFS_NONE ? had : delta->policy->ceilings.count,
                                                .perms = row->ceiling_perms & GFS_ALL_PERMS,
                                                .group = row->ceiling_group};
    const struct gfs_ceiling *old = had == GFS_NONE ? NULL : gfs_policy_ceiling(delta->policy, had);
    int rc = 0;
    *number = GFS_NONE;
    if (old != NULL && old->group != GFS_NONE)
        rc = gfs_delta_number(delta, &delta->policy->ceilings_of_group, old->group, had, false);
    if (rc < 0 || row->ceiling_group == 0)
        return rc;
    *number = pending.number;
    /* Takes the number; the record follows when all groups are known. */
    rc = gfs_vector_put(&delta->policy->ceilings, &delta->step, pending.number, (struct gfs_cell){0});
    return rc == 0 ? gfs_list_add(&delta->ceilings, &pending, sizeof pending) : rc;
}

static int put_organization(struct gfs_delta *delta, uint32_t i, uint32_t ceiling,
                            const struct gfs_organization_row *row) {
    static const size_t texts[] = {offsetof(struct gfs_organization, name)};
    const struct gfs_organization record = {
        .id = row->id,
        .name = row->name,
        .ceiling = ceiling,
        .group_admin_capsule_perms = row->group_admin_capsule_perms & GFS_ALL_PERMS,
        .organization_admin_perms = row->organization_admin_perms & GFS_ALL_PERMS,
    };
    return put_record(delta, &delta->policy->organizations, i, &record, sizeof record, texts, 1);
}

int gfs_change_organization(void *context, gfs_id id, const struct gfs_organization_row *row) {
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t i = gfs_policy_find_organization(policy, id), ceiling = GFS_NONE;
    if (row == NULL) {
        if (i == GFS_NONE)
            return 0;
        int rc = gfs_touch_principal(delta, GFS_SUBJECT_ORGANIZATION, i);
        return rc == 0 ? gfs_delta_gone(delta, &policy->organizations, i) : rc;
    }
    bool fresh = i == GFS_NONE;
    if (fresh)
        i = policy->organizations.count;
    else /* its switches, of which each may reach whoever holds anything in it */
        gfs_touch_everybody(delta);
    int rc = change_ceiling(delta, row, fresh ? GFS_NONE : gfs_policy_organization(policy, i)->ceiling, &ceiling);
    if (rc == 0)
        rc = put_organization(delta, i, ceiling, row);
    return rc == 0 && fresh ? gfs_delta_map(delta, &policy->organization_by_id, (uint64_t)id, i) : rc;
}

int gfs_change_organization_member(void *context, const struct gfs_organization_member_row *row, bool there) {
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t user = gfs_delta_find(delta, gfs_policy_find_user, row->user);
    uint32_t organization = gfs_delta_find(delta, gfs_policy_find_organization, row->organization);
    const struct gfs_organization_membership membership = {
        .user = user, .organization = organization, .expires_ns = row->expires_ns, .admin = row->admin};
    if (user == GFS_NONE || organization == GFS_NONE)
        return there ? -ESTALE : 0;
    gfs_touch_user(delta, user);
    gfs_delta_ends(delta, there ? row->expires_ns : GFS_NEVER);
    int rc = gfs_delta_number(delta, &policy->organization_members, organization, user, there);
    if (rc < 0)
        return rc;
    size_t offset = offsetof(struct gfs_organization_membership, organization);
    return there ? gfs_vector_row_put(&policy->organization_memberships, &delta->step, user, &membership,
                                      sizeof membership, offset)
                 : gfs_vector_row_remove(&policy->organization_memberships, &delta->step, user, organization,
                                         sizeof membership, offset);
}

/* ---- users ---- */

static int map_user(struct gfs_delta *delta, const struct gfs_user_row *row, uint32_t i) {
    struct gfs_policy *policy = delta->policy;
    int rc = gfs_delta_map(delta, &policy->user_by_id, (uint64_t)row->id, i);
    if (rc == 0)
        rc = gfs_delta_map(delta, &policy->user_by_name, text_key(row->name), i);
    if (rc == 0)
        rc = gfs_delta_map(delta, &policy->user_by_uuid, text_key(row->uuid), i);
    if (rc == 0 && row->uid != GFS_NO_UID)
        rc = gfs_delta_map(delta, &policy->user_by_uid, row->uid, i);
    return rc;
}

/* In the list of users, which is sorted by id: indexes are in that order, or a whole load makes them so. */
static int list_user(struct gfs_delta *delta, gfs_id id, uint32_t i) {
    struct gfs_vector *list = &delta->policy->user_list;
    struct gfs_cell cell = gfs_vector_at(list, 0);
    const uint32_t *users = cell.rows;
    if (cell.count > 0) {
        const struct gfs_user *last = gfs_policy_user(delta->policy, users[cell.count - 1]);
        if (last == NULL || last->id >= id || users[cell.count - 1] >= i)
            return -ESTALE;
    }
    return gfs_delta_number(delta, list, 0, i, true);
}

int gfs_change_user(void *context, gfs_id id, const struct gfs_user_row *row) {
    static const size_t texts[] = {offsetof(struct gfs_user, uuid), offsetof(struct gfs_user, name)};
    struct gfs_delta *delta = context;
    uint32_t i = gfs_policy_find_user(delta->policy, id);
    if (row == NULL)
        return i == GFS_NONE ? 0 : -ESTALE; /* users never go */
    const struct gfs_user user = {
        .id = id, .uuid = row->uuid, .name = row->name, .uid = row->uid, .gid = row->gid, .suspended = row->suspended};
    int rc = 0;
    if (i == GFS_NONE) {
        i = delta->policy->users.count;
        rc = list_user(delta, id, i);
    }
    if (rc < 0)
        return rc;
    gfs_touch_user(delta, i);
    rc = put_record(delta, &delta->policy->users, i, &user, sizeof user, texts, 2);
    return rc == 0 ? map_user(delta, row, i) : rc;
}

/* ---- groups ---- */

int gfs_change_group(void *context, gfs_id id, const struct gfs_group_row *row) {
    static const size_t texts[] = {offsetof(struct gfs_group, uuid), offsetof(struct gfs_group, name)};
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t i = gfs_policy_find_group(policy, id);
    if (i != GFS_NONE)
        gfs_touch_group(delta, i);
    if (row == NULL)
        return i == GFS_NONE ? 0 : gfs_delta_gone(delta, &policy->groups, i);
    const struct gfs_group group = {.id = id, .organization = row->organization, .uuid = row->uuid, .name = row->name};
    bool fresh = i == GFS_NONE;
    if (fresh)
        i = policy->groups.count;
    int rc = put_record(delta, &policy->groups, i, &group, sizeof group, texts, 2);
    return rc == 0 && fresh ? gfs_delta_map(delta, &policy->group_by_id, (uint64_t)id, i) : rc;
}

int gfs_change_membership(void *context, const struct gfs_membership_row *row, bool there) {
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t user = gfs_delta_find(delta, gfs_policy_find_user, row->user);
    uint32_t group = gfs_delta_find(delta, gfs_policy_find_group, row->group);
    const struct gfs_membership membership = {
        .user = user, .group = group, .expires_ns = row->expires_ns, .role = row->role};
    if (user == GFS_NONE || group == GFS_NONE)
        return there ? -ESTALE : 0;
    bool counts = there && row->status == GFS_ACCEPTED;
    gfs_touch_user(delta, user);
    gfs_delta_ends(delta, counts ? row->expires_ns : GFS_NEVER);
    int rc = gfs_delta_number(delta, &policy->members, group, user, counts);
    if (rc < 0)
        return rc;
    size_t offset = offsetof(struct gfs_membership, group);
    return counts ? gfs_vector_row_put(&policy->memberships, &delta->step, user, &membership, sizeof membership, offset)
                  : gfs_vector_row_remove(&policy->memberships, &delta->step, user, group, sizeof membership, offset);
}

/* ---- teams ---- */

int gfs_change_team(void *context, gfs_id id, const struct gfs_team_row *row) {
    static const size_t texts[] = {offsetof(struct gfs_named, name)};
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t i = gfs_policy_find_team(policy, id);
    if (row == NULL) {
        if (i == GFS_NONE)
            return 0;
        int rc = gfs_touch_principal(delta, GFS_SUBJECT_TEAM, i);
        return rc == 0 ? gfs_delta_gone(delta, &policy->teams, i) : rc;
    }
    const struct gfs_named team = {.id = id, .name = row->name};
    bool fresh = i == GFS_NONE;
    if (fresh)
        i = policy->teams.count;
    int rc = put_record(delta, &policy->teams, i, &team, sizeof team, texts, 1);
    return rc == 0 && fresh ? gfs_delta_map(delta, &policy->team_by_id, (uint64_t)id, i) : rc;
}

int gfs_change_team_member(void *context, const struct gfs_team_member_row *row, bool there) {
    struct gfs_delta *delta = context;
    uint32_t team = gfs_delta_find(delta, gfs_policy_find_team, row->team), index;
    enum gfs_subject_kind kind = GFS_SUBJECT_USER;
    if (row->user != 0) {
        index = gfs_delta_find(delta, gfs_policy_find_user, row->user);
    } else if (row->group != 0) {
        kind = GFS_SUBJECT_GROUP;
        index = gfs_delta_find(delta, gfs_policy_find_group, row->group);
    } else {
        kind = GFS_SUBJECT_TEAM;
        index = gfs_delta_find(delta, gfs_policy_find_team, row->nested);
    }
    if (team == GFS_NONE || index == GFS_NONE)
        return there ? -ESTALE : 0;
    int rc = gfs_touch_principal(delta, kind, index);
    if (rc == 0)
        rc = gfs_delta_number(delta, &delta->policy->teams_of[kind], index, team, there);
    if (rc == 0)
        rc = gfs_delta_number(delta, &delta->policy->team_members, team, gfs_principal(kind, index), there);
    return rc;
}
