#include "core/authority/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/builder.h"
#include "guildfs/hash.h"
#include "guildfs/store.h"

void gfs_policy_drop(struct gfs_policy *policy) {
    if (atomic_fetch_sub_explicit(&policy->holders, 1, memory_order_acq_rel) > 1)
        return;
    struct gfs_list *const lists[] = {&policy->organizations, &policy->users,  &policy->groups, &policy->teams,
                                      &policy->projects,      &policy->shares, &policy->links,  &policy->ceilings};
    struct gfs_map *const maps[] = {&policy->organization_by_id, &policy->user_by_id,    &policy->group_by_id,
                                    &policy->team_by_id,         &policy->project_by_id, &policy->share_by_id,
                                    &policy->user_by_name,       &policy->user_by_uuid,  &policy->user_by_uid};
    struct gfs_index *const indexes[] = {&policy->memberships, &policy->organization_memberships, &policy->grants};
    struct gfs_fan *const fans[] = {&policy->teams_of,          &policy->owned,
                                    &policy->capsules,          &policy->shares_of_organization,
                                    &policy->ceilings_of_group, &policy->project_order};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        gfs_list_free(lists[i]);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        gfs_map_free(maps[i]);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++)
        gfs_index_free(indexes[i]);
    for (size_t i = 0; i < sizeof fans / sizeof fans[0]; i++)
        gfs_fan_free(fans[i]);
    free(policy->share_ranges.position);
    free(policy->share_ranges.size);
    free(policy->project_ranges.position);
    free(policy->project_ranges.size);
    free(policy->share_order);
    free(policy->user_order);
    free(policy->nested_start);
    free(policy->nested);
    gfs_arena_free(&policy->strings);
    free(policy);
}

size_t gfs_policy_bytes(const struct gfs_policy *policy) {
    const struct gfs_map *const maps[] = {&policy->organization_by_id, &policy->user_by_id,    &policy->group_by_id,
                                          &policy->team_by_id,         &policy->project_by_id, &policy->share_by_id,
                                          &policy->user_by_name,       &policy->user_by_uuid,  &policy->user_by_uid};
    const struct gfs_fan *const fans[] = {&policy->teams_of,          &policy->owned,
                                          &policy->capsules,          &policy->shares_of_organization,
                                          &policy->ceilings_of_group, &policy->project_order};
    size_t bytes = sizeof *policy + policy->strings.bytes;
    bytes += policy->organizations.capacity * sizeof(struct gfs_organization);
    bytes += policy->users.capacity * (sizeof(struct gfs_user) + sizeof *policy->user_order);
    bytes += policy->groups.capacity * sizeof(struct gfs_group);
    bytes += (policy->teams.capacity + policy->projects.capacity) * sizeof(struct gfs_named);
    bytes += policy->shares.capacity * sizeof(struct gfs_share);
    bytes += policy->links.capacity * sizeof(struct gfs_share_links);
    bytes += policy->ceilings.capacity * sizeof(struct gfs_ceiling);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        bytes += gfs_map_bytes(maps[i]);
    for (size_t i = 0; i < sizeof fans / sizeof fans[0]; i++)
        bytes += gfs_fan_bytes(fans[i]);
    bytes += gfs_index_bytes(&policy->memberships, sizeof(struct gfs_membership));
    bytes += gfs_index_bytes(&policy->organization_memberships, sizeof(struct gfs_organization_membership));
    bytes += gfs_index_bytes(&policy->grants, sizeof(struct gfs_grant));
    /* Per share: position, size, order, start of the nested ones and a pointer to it. */
    bytes += policy->shares.count * (4 * sizeof(uint32_t) + sizeof *policy->nested);
    bytes += policy->projects.count * 2 * sizeof(uint32_t);
    return bytes;
}

static void earlier(int64_t *next, int64_t end_ns, int64_t now_ns) {
    if (end_ns > now_ns && end_ns < *next)
        *next = end_ns;
}

int64_t gfs_policy_next_end(const struct gfs_policy *policy, int64_t now_ns) {
    int64_t next = INT64_MAX;
    const struct gfs_membership *memberships = policy->memberships.rows;
    for (size_t i = 0; i < policy->memberships.count; i++)
        earlier(&next, memberships[i].expires_ns, now_ns);
    const struct gfs_organization_membership *organization_memberships = policy->organization_memberships.rows;
    for (size_t i = 0; i < policy->organization_memberships.count; i++)
        earlier(&next, organization_memberships[i].expires_ns, now_ns);
    const struct gfs_grant *grants = policy->grants.rows;
    for (size_t i = 0; i < policy->grants.count; i++)
        earlier(&next, grants[i].expires_ns, now_ns);
    return next;
}

int gfs_snapshot_new(struct gfs_policy *policy, uint64_t generation, int64_t loaded_ns, struct gfs_snapshot **out) {
    struct gfs_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return -ENOMEM;
    snapshot->rights = calloc(policy->users.count + 1, sizeof *snapshot->rights);
    snapshot->layers = calloc(policy->organizations.count + 1, sizeof *snapshot->layers);
    if (snapshot->rights == NULL || snapshot->layers == NULL) {
        free(snapshot->rights);
        free(snapshot->layers);
        free(snapshot);
        return -ENOMEM;
    }
    snapshot->policy = policy;
    snapshot->generation = generation;
    snapshot->loaded_ns = loaded_ns;
    *out = snapshot;
    return 0;
}

int gfs_snapshot_dup(const struct gfs_snapshot *snapshot, int64_t now_ns, struct gfs_snapshot **out) {
    int rc = gfs_snapshot_new(snapshot->policy, snapshot->generation, now_ns, out);
    if (rc == 0)
        atomic_fetch_add_explicit(&snapshot->policy->holders, 1, memory_order_relaxed);
    return rc;
}

int gfs_snapshot_load(struct gfs_store *store, struct gfs_snapshot **out, struct gfs_error *err) {
    struct gfs_builder *builder;
    uint64_t generation = 0;
    if (gfs_builder_new(&builder) < 0)
        return gfs_error_set(err, ENOMEM, "no memory to load the policy");
    int rc = gfs_store_load(store, &gfs_builder_sink, builder, &generation, err);
    if (rc < 0 && gfs_builder_problem(builder)[0] != '\0')
        rc = gfs_error_set(err, EBADMSG, "the store does not fit together: %s", gfs_builder_problem(builder));
    if (rc == 0) {
        rc = gfs_builder_finish(builder, generation, out);
        if (rc < 0)
            gfs_error_set(err, -rc, "no memory for the policy at generation %llu", (unsigned long long)generation);
    }
    gfs_builder_free(builder);
    return rc;
}

void gfs_snapshot_free(struct gfs_snapshot *snapshot) {
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < snapshot->policy->users.count; i++) {
        struct gfs_rights *rights = atomic_load_explicit(&snapshot->rights[i], memory_order_acquire);
        while (rights != NULL) {
            struct gfs_rights *older = rights->older;
            gfs_rights_free(rights);
            rights = older;
        }
    }
    for (size_t i = 0; i <= snapshot->policy->organizations.count; i++) {
        struct gfs_layer *layer = atomic_load_explicit(&snapshot->layers[i], memory_order_acquire);
        while (layer != NULL) {
            struct gfs_layer *older = layer->older;
            gfs_layer_free(layer);
            layer = older;
        }
    }
    free(snapshot->rights);
    free(snapshot->layers);
    gfs_policy_drop(snapshot->policy);
    free(snapshot);
}

uint64_t gfs_snapshot_generation(const struct gfs_snapshot *snapshot) {
    return snapshot->generation;
}

int64_t gfs_snapshot_loaded_ns(const struct gfs_snapshot *snapshot) {
    return snapshot->loaded_ns;
}

int64_t gfs_snapshot_next_end(const struct gfs_snapshot *snapshot, int64_t now_ns) {
    return gfs_policy_next_end(snapshot->policy, now_ns);
}

size_t gfs_snapshot_memory(const struct gfs_snapshot *snapshot) {
    const struct gfs_policy *policy = snapshot->policy;
    return sizeof *snapshot + gfs_policy_bytes(policy) + (policy->users.count + 1) * sizeof *snapshot->rights +
           (policy->organizations.count + 1) * sizeof *snapshot->layers +
           atomic_load_explicit(&snapshot->computed_bytes, memory_order_relaxed);
}
