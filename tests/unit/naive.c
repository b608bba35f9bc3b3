#include "tests/unit/naive.h"

static const struct gfs_share_row *find_share(const struct world *world, gfs_id id) {
    for (size_t i = 0; i < world->share_count; i++) {
        if (world->shares[i].id == id)
            return &world->shares[i];
    }
    return NULL;
}

static const struct gfs_organization_row *find_organization(const struct world *world, gfs_id id) {
    for (size_t i = 0; i < world->organization_count; i++) {
        if (world->organizations[i].id == id)
            return &world->organizations[i];
    }
    return NULL;
}

static gfs_id parent_project(const struct world *world, gfs_id id) {
    for (size_t i = 0; i < world->project_count; i++) {
        if (world->projects[i].id == id)
            return world->projects[i].parent;
    }
    return 0;
}

bool naive_in_group(const struct world *world, gfs_id user, gfs_id group, int64_t now_ns) {
    for (size_t i = 0; i < world->membership_count; i++) {
        const struct gfs_membership_row *row = &world->memberships[i];
        if (row->user == user && row->group == group && row->status == GFS_ACCEPTED && row->expires_ns > now_ns)
            return true;
    }
    return false;
}

static bool administers(const struct world *world, gfs_id user, gfs_id group, int64_t now_ns) {
    for (size_t i = 0; i < world->membership_count; i++) {
        const struct gfs_membership_row *row = &world->memberships[i];
        if (row->user == user && row->group == group && row->status == GFS_ACCEPTED && row->expires_ns > now_ns &&
            row->role != GFS_ROLE_MEMBER)
            return true;
    }
    return false;
}

static bool in_organization(const struct world *world, gfs_id user, gfs_id organization, bool as_admin,
                            int64_t now_ns) {
    for (size_t i = 0; i < world->organization_member_count; i++) {
        const struct gfs_organization_member_row *row = &world->organization_members[i];
        if (row->user == user && row->organization == organization && row->expires_ns > now_ns &&
            (row->admin || !as_admin))
            return true;
    }
    return false;
}

/* depth: more nesting than there are teams goes around in a circle. */
static bool in_team(const struct world *world, gfs_id user, gfs_id team, int64_t now_ns, size_t depth) {
    for (size_t i = 0; i < world->team_member_count; i++) {
        const struct gfs_team_member_row *row = &world->team_members[i];
        if (row->team != team)
            continue;
        if (row->user != 0 && row->user == user)
            return true;
        if (row->group != 0 && naive_in_group(world, user, row->group, now_ns))
            return true;
        if (row->nested != 0 && depth > 0 && in_team(world, user, row->nested, now_ns, depth - 1))
            return true;
    }
    return false;
}

static bool given_to(const struct world *world, const struct gfs_grant_row *grant, gfs_id user, int64_t now_ns) {
    switch (grant->subject_kind) {
    case GFS_SUBJECT_USER:
        return grant->subject == user;
    case GFS_SUBJECT_GROUP:
        return naive_in_group(world, user, grant->subject, now_ns);
    case GFS_SUBJECT_TEAM:
        return in_team(world, user, grant->subject, now_ns, world->team_count);
    case GFS_SUBJECT_ORGANIZATION:
        return in_organization(world, user, grant->subject, false, now_ns);
    case GFS_SUBJECT_EVERYONE:
        return true;
    }
    return false;
}

static bool given_on(const struct world *world, const struct gfs_grant_row *grant, const struct gfs_share_row *share) {
    if (grant->object_kind == GFS_OBJECT_SHARE) {
        for (; share != NULL; share = find_share(world, share->parent)) {
            if (share->id == grant->object)
                return true;
        }
        return false;
    }
    for (gfs_id project = share->project; project != 0; project = parent_project(world, project)) {
        if (project == grant->object)
            return true;
    }
    return false;
}

static gfs_perms by_grants(const struct world *world, gfs_id user, const struct gfs_share_row *share, bool everyone,
                           bool others, int64_t now_ns) {
    gfs_perms perms = 0;
    for (size_t i = 0; i < world->grant_count; i++) {
        const struct gfs_grant_row *grant = &world->grants[i];
        bool wanted = grant->subject_kind == GFS_SUBJECT_EVERYONE ? everyone : others;
        if (wanted && grant->expires_ns > now_ns && given_to(world, grant, user, now_ns) &&
            given_on(world, grant, share))
            perms |= grant->perms;
    }
    return perms;
}

static gfs_perms by_roles(const struct world *world, gfs_id user, const struct gfs_share_row *share, int64_t now_ns) {
    const struct gfs_organization_row *organization = find_organization(world, share->organization);
    gfs_perms perms = 0;
    if (share->owner == user)
        perms |= GFS_ALL_PERMS;
    if (organization == NULL)
        return perms;
    if (share->kind == GFS_KIND_CAPSULE && share->group != 0 && administers(world, user, share->group, now_ns))
        perms |= organization->group_admin_capsule_perms;
    if (in_organization(world, user, organization->id, true, now_ns))
        perms |= organization->organization_admin_perms;
    return perms;
}

gfs_perms naive_effective(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                          int64_t now_ns) {
    const struct gfs_organization_row *organization = find_organization(world, share->organization);
    gfs_perms perms = 0;
    if (user->suspended)
        return 0;
    perms |= by_grants(world, user->id, share, true, true, now_ns);
    perms |= by_roles(world, user->id, share, now_ns);
    if (organization != NULL && organization->ceiling_group != 0 &&
        !naive_in_group(world, user->id, organization->ceiling_group, now_ns))
        perms &= organization->ceiling_perms;
    return perms;
}

static bool seen(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                 int64_t now_ns) {
    gfs_perms perms = naive_effective(world, user, share, now_ns);
    if (share->state == GFS_SHARE_ARCHIVED)
        return (perms & GFS_VIEW) != 0;
    return (perms & GFS_VIEW) != 0 || (perms & GFS_UPLOAD) != 0 || (perms & GFS_MAKE_FOLDER) != 0;
}

/* The user is in the group, and the share belongs to it or is authorized to it. */
static bool of_group(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                     gfs_id group, int64_t now_ns) {
    if (!naive_in_group(world, user->id, group, now_ns))
        return false;
    if (share->group == group)
        return true;
    for (size_t i = 0; i < world->grant_count; i++) {
        const struct gfs_grant_row *grant = &world->grants[i];
        if (grant->subject_kind == GFS_SUBJECT_GROUP && grant->subject == group && grant->perms != 0 &&
            grant->expires_ns > now_ns && given_on(world, grant, share))
            return true;
    }
    return false;
}

static bool shows_in_group(const struct world *world, const struct gfs_user_row *user,
                           const struct gfs_share_row *share, gfs_id group, int64_t now_ns) {
    if (share == NULL || !seen(world, user, share, now_ns))
        return false;
    return of_group(world, user, share, group, now_ns) ||
           shows_in_group(world, user, find_share(world, share->parent), group, now_ns);
}

bool naive_placed(const struct world *world, const struct gfs_user_row *user, const struct gfs_share_row *share,
                  enum gfs_place_kind kind, gfs_id group, int64_t now_ns) {
    const struct gfs_share_row *around = find_share(world, share->parent);
    if (!seen(world, user, share, now_ns))
        return false;
    if (kind == GFS_PLACE_GROUP)
        return of_group(world, user, share, group, now_ns) && !shows_in_group(world, user, around, group, now_ns);
    for (size_t i = 0; i < world->group_count; i++) {
        if (of_group(world, user, share, world->groups[i].id, now_ns))
            return false;
    }
    if (around != NULL && seen(world, user, around, now_ns))
        return false;
    bool by_others =
        by_grants(world, user->id, share, false, true, now_ns) != 0 || by_roles(world, user->id, share, now_ns) != 0;
    return kind == (by_others ? GFS_PLACE_MY : GFS_PLACE_PUBLIC);
}
