/* Lookups of records in a snapshot. */
#include <string.h>

#include "core/authority/snapshot.h"
#include "guildfs/hash.h"

const struct gfs_user *gfs_snapshot_user(const struct gfs_snapshot *snapshot, gfs_id id) {
    return gfs_policy_user(snapshot->policy, gfs_policy_find_user(snapshot->policy, id));
}

const struct gfs_user *gfs_snapshot_user_by_name(const struct gfs_snapshot *snapshot, const char *name) {
    uint64_t key = gfs_hash64(name, strlen(name));
    size_t cursor = 0;
    for (;;) {
        uint32_t i = gfs_map_next(&snapshot->policy->user_by_name, key, &cursor);
        const struct gfs_user *user = gfs_policy_user(snapshot->policy, i);
        if (i == GFS_NONE || (user != NULL && strcmp(user->name, name) == 0))
            return user;
    }
}

const struct gfs_user *gfs_snapshot_user_by_uuid(const struct gfs_snapshot *snapshot, const char *uuid) {
    uint64_t key = gfs_hash64(uuid, strlen(uuid));
    size_t cursor = 0;
    for (;;) {
        uint32_t i = gfs_map_next(&snapshot->policy->user_by_uuid, key, &cursor);
        const struct gfs_user *user = gfs_policy_user(snapshot->policy, i);
        if (i == GFS_NONE || (user != NULL && strcmp(user->uuid, uuid) == 0))
            return user;
    }
}

const struct gfs_user *gfs_snapshot_user_by_uid(const struct gfs_snapshot *snapshot, uint32_t uid) {
    const struct gfs_user *found = NULL;
    size_t cursor = 0;
    uint32_t i;
    if (uid == GFS_NO_UID)
        return NULL;
    while ((i = gfs_map_next(&snapshot->policy->user_by_uid, uid, &cursor)) != GFS_NONE) {
        const struct gfs_user *user = gfs_policy_user(snapshot->policy, i);
        if (user == NULL || user->uid != uid)
            continue;
        /* Two users with one uid: nobody can say which of them asks, so neither does. */
        if (found != NULL)
            return NULL;
        found = user;
    }
    return found;
}

const struct gfs_group *gfs_snapshot_group(const struct gfs_snapshot *snapshot, gfs_id id) {
    return gfs_policy_group(snapshot->policy, gfs_policy_find_group(snapshot->policy, id));
}

const struct gfs_share *gfs_snapshot_share(const struct gfs_snapshot *snapshot, gfs_id id) {
    return gfs_policy_share(snapshot->policy, gfs_policy_find_share(snapshot->policy, id));
}

static uint32_t listed(const struct gfs_vector *list, size_t i) {
    struct gfs_cell cell = gfs_vector_at(list, 0);
    return i < cell.count ? ((const uint32_t *)cell.rows)[i] : GFS_NONE;
}

size_t gfs_snapshot_user_count(const struct gfs_snapshot *snapshot) {
    return gfs_vector_at(&snapshot->policy->user_list, 0).count;
}

const struct gfs_user *gfs_snapshot_user_at(const struct gfs_snapshot *snapshot, size_t i) {
    return gfs_policy_user(snapshot->policy, listed(&snapshot->policy->user_list, i));
}

size_t gfs_snapshot_share_count(const struct gfs_snapshot *snapshot) {
    return gfs_vector_at(&snapshot->policy->share_list, 0).count;
}

const struct gfs_share *gfs_snapshot_share_at(const struct gfs_snapshot *snapshot, size_t i) {
    return gfs_policy_share(snapshot->policy, listed(&snapshot->policy->share_list, i));
}

const struct gfs_share *const *gfs_snapshot_nested(const struct gfs_snapshot *snapshot, gfs_id share, size_t *count) {
    struct gfs_cell nested = {0};
    uint32_t i = gfs_policy_find_share(snapshot->policy, share);
    if (i != GFS_NONE)
        nested = gfs_vector_at(&snapshot->policy->nested, i);
    *count = nested.count;
    return nested.rows;
}
