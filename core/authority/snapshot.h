/* The inside of a snapshot: a policy, a moment, and what was computed from them so far. */
#ifndef GUILDFS_CORE_AUTHORITY_SNAPSHOT_H
#define GUILDFS_CORE_AUTHORITY_SNAPSHOT_H

#include "core/authority/policy.h"
#include "core/authority/table.h"
#include "core/authority/walk.h"

/*
 * What everyone, or one organization and everyone, give: computed once for all users, because
 * such an authorization may reach every user on every share. The layer of an organization holds
 * only the shares that the organization reaches, with what everyone has there added.
 */
struct gfs_layer {
    struct gfs_layer *older;
    struct gfs_window window;
    struct gfs_table table;
};

/*
 * A user's rights are three tables, looked at in this order; the first that has the share
 * answers. Each holds all that the ones after it would have said. Only the first is the user's
 * own, and already cut; the others are shared and keep both answers, cut and not.
 */
struct gfs_rights {
    /* What a decision looks at, in one cache line. */
    _Alignas(64) struct gfs_window window;
    struct gfs_table own;
    const struct gfs_layer *organization, *everyone; /* NULL: gives nothing */
    const struct gfs_snapshot *snapshot;
    /* The rest. */
    struct gfs_rights *older;
    int64_t at_ns; /* some moment in the window */
    uint32_t user;
    struct gfs_group_of_user *groups; /* sorted by name */
    size_t group_count;
    _Atomic(struct gfs_places *) places; /* made when somebody asks for them */
    /* A bit per ceiling that does not cut this user; behind them the slots of `own`. */
    uint64_t exempt[];
};

struct gfs_snapshot {
    struct gfs_policy *policy;
    uint64_t generation;
    int64_t loaded_ns;                 /* wall clock; the moment that the snapshot stands for */
    struct gfs_snapshot *next_retired; /* the authority's, once it was swapped out */
    atomic_size_t computed_bytes;
    _Atomic(struct gfs_rights *) *rights; /* by user: the newest first */
    _Atomic(struct gfs_layer *) *layers;  /* by organization; everyone's last */
};

/* Takes over the policy when it succeeds. 0 or -ENOMEM. */
int gfs_snapshot_new(struct gfs_policy *policy, uint64_t generation, int64_t loaded_ns,
                     struct gfs_snapshot **out) GFS_MUST_CHECK;

/* The same policy at a later moment. 0 or -ENOMEM. */
int gfs_snapshot_dup(const struct gfs_snapshot *snapshot, int64_t now_ns, struct gfs_snapshot **out) GFS_MUST_CHECK;

/* When the next membership or authorization ends, of anybody's; GFS_NEVER. Looks at all of them. */
int64_t gfs_snapshot_next_end(const struct gfs_snapshot *snapshot, int64_t now_ns);

/* So many bytes more were computed and published. */
void gfs_snapshot_computed(const struct gfs_snapshot *snapshot, size_t bytes);

void gfs_rights_free(struct gfs_rights *rights);
void gfs_layer_free(struct gfs_layer *layer);

/* The layer of an organization, or of everyone (GFS_NONE), at that time. *out is NULL when it would be empty.
 * 0 or -ENOMEM. */
int gfs_layer_get(const struct gfs_snapshot *snapshot, uint32_t organization, int64_t now_ns,
                  const struct gfs_layer **out) GFS_MUST_CHECK;

/* What a slot of a shared table says for this user. */
static inline gfs_perms gfs_rights_slot(const struct gfs_rights *rights, const struct gfs_table_slot *slot) {
    if (slot->perms == slot->cut)
        return slot->perms;
    uint32_t ceiling = gfs_policy_ceiling_of(rights->snapshot->policy, slot->index);
    bool exempt = ceiling == GFS_NONE || (rights->exempt[ceiling / 64] >> (ceiling % 64) & 1) != 0;
    return exempt ? slot->perms : slot->cut;
}

struct gfs_places {
    struct gfs_arena names; /* the ones that are not the share's own */
    struct gfs_place *places;
    size_t count;
};
void gfs_places_free(struct gfs_places *places);

#endif
