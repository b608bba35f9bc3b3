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
    atomic_uint holders; /* snapshots, rights and newer layers */
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
    struct gfs_family *family;
    /* The rest. */
    struct gfs_rights *older;
    atomic_uint holders; /* snapshots and newer rights: see gfs_rights_hold() */
    /* The latest policy for which these rights hold. It lives as long as any that came before it. */
    _Atomic(const struct gfs_policy *) policy;
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
    int64_t next_end_ns;               /* no membership or authorization ends between the two */
    struct gfs_snapshot *next_retired; /* the authority's, once it was swapped out */
    size_t user_count;                 /* indexes, as for the next two */
    size_t organization_count;
    _Atomic(struct gfs_rights *) *rights; /* by user: the newest first */
    _Atomic(struct gfs_layer *) *layers;  /* by organization; everyone's last */
    /* When it was made from another one by a delta: that one's serial number, and whom it touched. */
    uint64_t serial, made_from;
    uint64_t *touched; /* a bit per user; NULL: perhaps everybody */
};

/* Takes over the policy when it succeeds. 0 or -ENOMEM. */
int gfs_snapshot_new(struct gfs_policy *policy, uint64_t generation, int64_t loaded_ns,
                     struct gfs_snapshot **out) GFS_MUST_CHECK;

/* The same policy at a later moment, with the rights that hold then. 0 or -ENOMEM. */
int gfs_snapshot_dup(const struct gfs_snapshot *snapshot, int64_t now_ns, struct gfs_snapshot **out) GFS_MUST_CHECK;

/* Who and what a delta can have touched. */
struct gfs_touched {
    uint64_t *users;          /* a bit per user of the new policy */
    uint64_t *organizations;  /* a bit per organization of it, whose layers are made anew */
    bool everybody, everyone; /* all users; everyone's layer, and with it all layers */
};

/* A snapshot of a policy that was made from the one of `before`, with the rights of whom it did not
 * touch. Takes over the policy and touched->users when it succeeds. 0 or -ENOMEM. */
int gfs_snapshot_next(const struct gfs_snapshot *before, struct gfs_policy *policy, uint64_t generation,
                      struct gfs_touched *touched, int64_t loaded_ns, int64_t next_end_ns,
                      struct gfs_snapshot **out) GFS_MUST_CHECK;

/* So many bytes more were computed for them. */
void gfs_rights_computed(const struct gfs_rights *rights, size_t bytes);

/* End one hold. By the thread that frees snapshots. */
void gfs_rights_drop(struct gfs_rights *rights);
void gfs_layer_drop(struct gfs_family *family, struct gfs_layer *layer);

/* The layer of an organization, or of everyone (GFS_NONE), at that time. *out is NULL when it would be empty.
 * 0 or -ENOMEM. */
int gfs_layer_get(const struct gfs_snapshot *snapshot, uint32_t organization, int64_t now_ns,
                  const struct gfs_layer **out) GFS_MUST_CHECK;

/* What a slot of a shared table says for this user. */
static inline gfs_perms gfs_rights_slot(const struct gfs_rights *rights, const struct gfs_table_slot *slot) {
    if (slot->perms == slot->cut)
        return slot->perms;
    uint32_t ceiling = slot->ceiling;
    bool exempt = ceiling == GFS_NONE || (rights->exempt[ceiling / 64] >> (ceiling % 64) & 1) != 0;
    return exempt ? slot->perms : slot->cut;
}

struct gfs_places {
    struct gfs_arena names; /* the ones that are not the share's own */
    struct gfs_place *places;
    size_t count;
};
size_t gfs_places_bytes(const struct gfs_places *places);
void gfs_places_free(struct gfs_places *places);

#endif
