/* Lookups of records in a snapshot. */
#include <string.h>

#include "core/authority/snapshot.h"
#include "guildfs/hash.h"

const struct gfs_user *gfs_snapshot_user(const struct gfs_snapshot *snapshot, gfs_id id) {
    uint32_t i = gfs_map_find(&snapshot->policy->user_by_id, (uint64_t)id);
    return i == GFS_NONE ? NULL : gfs_policy_user(snapshot->policy, i);
}

const struct gfs_user *gfs_snapshot_user_by_name(const struct gfs_snapshot *snapshot, const char *name) {
    uint64_t key = gfs_hash64(name, strlen(name));
    size_t cursor = 0;
    for (;;) {
        uint32_t i = gfs_map_next(&snapshot->policy->user_by_name, key, &cursor);
        if (i == GFS_NONE)
            return NULL;
        const struct gfs_user *user = gfs_policy_user(snapshot->policy, i);
        if (strcmp(user->name, name) == 0)
            return user;
    }
}

const struct gfs_user *gfs_snapshot_user_by_uuid(const struct gfs_snapshot *snapshot, const char *uuid) {
    uint64_t key = gfs_hash64(uuid, strlen(uuid));
    size_t cursor = 0;
    for (;;) {
        uint32_t i = gfs_map_next(&snapshot->policy->user_by_uuid, key, &cursor);
        if (i == GFS_NONE)
            return NULL;
        const struct gfs_user *user = gfs_policy_user(snapshot->policy, i);
        if (strcmp(user->uuid, uuid) == 0)
            return user;
    }
}

const struct gfs_user *gfs_snapshot_user_by_uid(const struct gfs_snapshot *snapshot, uint32_t uid) {
    size_t cursor = 0;
    uint32_t i = uid == GFS_NO_UID ? GFS_NONE : gfs_map_next(&snapshot->policy->user_by_uid, uid, &cursor);
    /* Two users with one uid: nobody can say which of them asks, so neither does. */
    if (i == GFS_NONE || gfs_map_next(&snapshot->policy->user_by_uid, uid, &cursor) != GFS_NONE)
        return NULL;
    return gfs_policy_user(snapshot->policy, i);
}

const struct gfs_group *gfs_snapshot_group(const struct gfs_snapshot *snapshot, gfs_id id) {
    uint32_t i = gfs_map_find(&snapshot->policy->group_by_id, (uint64_t)id);
    return i == GFS_NONE ? NULL : gfs_policy_group(snapshot->policy, i);
}

const struct gfs_share *gfs_snapshot_share(const struct gfs_snapshot *snapshot, gfs_id id) {
    uint32_t i = gfs_map_find(&snapshot->policy->share_by_id, (uint64_t)id);
    return i == GFS_NONE ? NULL : gfs_policy_share(snapshot->policy, i);
}

size_t gfs_snapshot_user_count(const struct gfs_snapshot *snapshot) {
    return snapshot->policy->users.count;
}

const struct gfs_user *gfs_snapshot_user_at(const struct gfs_snapshot *snapshot, size_t i) {
    return i < snapshot->policy->users.count ? snapshot->policy->user_order[i] : NULL;
}

size_t gfs_snapshot_share_count(const struct gfs_snapshot *snapshot) {
    return snapshot->policy->shares.count;
}

const struct gfs_share *gfs_snapshot_share_at(const struct gfs_snapshot *snapshot, size_t i) {
    return i < snapshot->policy->shares.count ? gfs_policy_share(snapshot->policy, (uint32_t)i) : NULL;
}

const struct gfs_share *const *gfs_snapshot_nested(const struct gfs_snapshot *snapshot, gfs_id share, size_t *count) {
    const struct gfs_policy *policy = snapshot->policy;
    uint32_t i = gfs_map_find(&policy->share_by_id, (uint64_t)share);
    *count = i == GFS_NONE ? 0 : policy->nested_start[i + 1] - policy->nested_start[i];
    return i == GFS_NONE ? NULL : policy->nested + policy->nested_start[i];
}
