#include "core/authority/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/builder.h"
#include "guildfs/hash.h"
#include "guildfs/store.h"

static _Atomic uint64_t last_serial;

/* ---- making ---- */

static void free_parts(struct gfs_snapshot *snapshot) {
    free(snapshot->rights);
    free(snapshot->layers);
    free(snapshot->touched);
    free(snapshot);
}

static struct gfs_snapshot *allocate(const struct gfs_policy *policy, uint64_t generation, int64_t loaded_ns) {
    struct gfs_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    snapshot->user_count = policy->users.count;
    snapshot->organization_count = policy->organizations.count;
    snapshot->rights = calloc(snapshot->user_count + 1, sizeof *snapshot->rights);
    snapshot->layers = calloc(snapshot->organization_count + 1, sizeof *snapshot->layers);
    if (snapshot->rights == NULL || snapshot->layers == NULL) {
        free_parts(snapshot);
        return NULL;
    }
    snapshot->generation = generation;
    snapshot->loaded_ns = loaded_ns;
    snapshot->serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    return snapshot;
}

int gfs_snapshot_new(struct gfs_policy *policy, uint64_t generation, int64_t loaded_ns, struct gfs_snapshot **out) {
    struct gfs_snapshot *snapshot = allocate(policy, generation, loaded_ns);
    if (snapshot == NULL)
        return -ENOMEM;
    snapshot->policy = policy;
    snapshot->next_end_ns = gfs_policy_next_end(policy, loaded_ns);
    *out = snapshot;
    return 0;
}

/* ---- what is carried over ---- */

static bool bit(const uint64_t *bits, size_t i) {
    return bits != NULL && (bits[i / 64] >> (i % 64) & 1) != 0;
}

/*
 * The newest rights of each user whom nothing touched, when they hold at the new moment. Those with
 * older ones behind them are left out, so that the list of one user does not grow for ever.
 */
static void carry_rights(const struct gfs_snapshot *before, struct gfs_snapshot *after, const uint64_t *touched) {
    for (size_t i = 0; i < before->user_count; i++) {
        struct gfs_rights *rights = atomic_load_explicit(&before->rights[i], memory_order_acquire);
        if (rights == NULL || bit(touched, i) || rights->older != NULL ||
            !gfs_window_holds(&rights->window, after->loaded_ns))
            continue;
        atomic_fetch_add_explicit(&rights->holders, 1, memory_order_relaxed);
        atomic_store_explicit(&rights->policy, after->policy, memory_order_release);
        atomic_store_explicit(&after->rights[i], rights, memory_order_relaxed);
    }
}

static void carry_layer(const struct gfs_snapshot *before, size_t from, struct gfs_snapshot *after, size_t to) {
    struct gfs_layer *layer = atomic_load_explicit(&before->layers[from], memory_order_acquire);
    if (layer == NULL || layer->older != NULL || !gfs_window_holds(&layer->window, after->loaded_ns))
        return;
    atomic_fetch_add_explicit(&layer->holders, 1, memory_order_relaxed);
    atomic_store_explicit(&after->layers[to], layer, memory_order_relaxed);
}

static void carry_layers(const struct gfs_snapshot *before, struct gfs_snapshot *after, const uint64_t *touched) {
    for (size_t i = 0; i < before->organization_count; i++) {
        if (!bit(touched, i))
            carry_layer(before, i, after, i);
    }
    carry_layer(before, before->organization_count, after, after->organization_count);
}

int gfs_snapshot_dup(const struct gfs_snapshot *snapshot, int64_t now_ns, struct gfs_snapshot **out) {
    int rc = gfs_snapshot_new(snapshot->policy, snapshot->generation, now_ns, out);
    if (rc < 0)
        return rc;
    atomic_fetch_add_explicit(&snapshot->policy->holders, 1, memory_order_relaxed);
    carry_layers(snapshot, *out, NULL);
    carry_rights(snapshot, *out, NULL);
    return 0;
}

int gfs_snapshot_next(const struct gfs_snapshot *before, struct gfs_policy *policy, uint64_t generation,
                      struct gfs_touched *touched, int64_t loaded_ns, int64_t next_end_ns, struct gfs_snapshot **out) {
    struct gfs_snapshot *after = allocate(policy, generation, loaded_ns);
    if (after == NULL)
        return -ENOMEM;
    after->policy = policy;
    after->next_end_ns = next_end_ns;
    after->made_from = before->serial;
    if (!touched->everyone)
        carry_layers(before, after, touched->organizations);
    if (!touched->everybody) {
        carry_rights(before, after, touched->users);
        after->touched = touched->users;
        touched->users = NULL;
    }
    *out = after;
    return 0;
}

bool gfs_snapshot_may_differ(const struct gfs_snapshot *before, const struct gfs_snapshot *after, gfs_id user) {
    uint32_t i = gfs_map_find(&after->policy->user_by_id, (uint64_t)user);
    return after->made_from != before->serial || after->touched == NULL || i >= after->user_count ||
           bit(after->touched, i);
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
    for (size_t i = 0; i < snapshot->user_count; i++)
        gfs_rights_drop(atomic_load_explicit(&snapshot->rights[i], memory_order_acquire));
    for (size_t i = 0; i <= snapshot->organization_count; i++)
        gfs_layer_drop(snapshot->policy->family, atomic_load_explicit(&snapshot->layers[i], memory_order_acquire));
    gfs_policy_drop(snapshot->policy);
    free_parts(snapshot);
}

uint64_t gfs_snapshot_generation(const struct gfs_snapshot *snapshot) {
    return snapshot->generation;
}

int64_t gfs_snapshot_loaded_ns(const struct gfs_snapshot *snapshot) {
    return snapshot->loaded_ns;
}

size_t gfs_snapshot_memory(const struct gfs_snapshot *snapshot) {
    return sizeof *snapshot + (snapshot->user_count + 1) * sizeof *snapshot->rights +
           (snapshot->organization_count + 1) * sizeof *snapshot->layers +
           atomic_load_explicit(&snapshot->policy->family->bytes, memory_order_relaxed);
}
