/*
 * What a user holds.
 *
 * Rights are computed when a user first asks, hold for a window of time (from the last end of a
 * membership or authorization to the next), and are published by compare-and-swap at the head of
 * a list. Nothing is taken out of a list before the snapshot goes: whoever got an answer may keep
 * using it. The list is short: when something ends, the authority moves to a new snapshot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/snapshot.h"
#include "guildfs/clock.h"

/* ---- filling tables ---- */

struct filling {
    const struct gfs_policy *policy;
    struct gfs_table *table;
};

static int add_to_table(void *context, const struct gfs_reach *reach) {
    struct filling *filling = context;
    int rc = 0;
    for (size_t i = 0; i < reach->count && rc == 0; i++) {
        uint32_t share = reach->shares[i];
        rc = gfs_table_add(filling->table, gfs_policy_share(filling->policy, share)->id,
                           gfs_policy_ceiling_of(filling->policy, share), reach->perms);
    }
    return rc;
}

static gfs_perms effective(gfs_perms perms, gfs_perms ceiling) {
    const struct gfs_source source = {.perms = perms};
    return gfs_effective(&source, 1, ceiling, false);
}

static gfs_perms ceiling_perms(const struct gfs_policy *policy, uint32_t ceiling) {
    return ceiling == GFS_NONE ? GFS_ALL_PERMS : gfs_policy_ceiling(policy, ceiling)->perms;
}

static gfs_perms layer_perms(const struct gfs_layer *layer, gfs_id share, uint64_t hash) {
    const struct gfs_table_slot *slot = layer == NULL ? NULL : gfs_table_find(&layer->table, share, hash);
    return slot == NULL ? 0 : slot->perms;
}

void gfs_rights_computed(const struct gfs_rights *rights, size_t bytes) {
    atomic_fetch_add_explicit(&rights->family->bytes, bytes, memory_order_relaxed);
}

/* ---- layers ---- */

static size_t layer_bytes(const struct gfs_layer *layer) {
    return sizeof *layer + layer->table.capacity * sizeof *layer->table.slots;
}

static void free_layer(struct gfs_layer *layer) {
    gfs_table_free(&layer->table);
    free(layer);
}

void gfs_layer_drop(struct gfs_family *family, struct gfs_layer *layer) {
    while (layer != NULL && atomic_fetch_sub_explicit(&layer->holders, 1, memory_order_acq_rel) == 1) {
        struct gfs_layer *older = layer->older;
        atomic_fetch_sub_explicit(&family->bytes, layer_bytes(layer), memory_order_relaxed);
        free_layer(layer);
        layer = older;
    }
}

static int compute_layer(const struct gfs_snapshot *snapshot, uint32_t organization, int64_t now_ns,
                         struct gfs_layer **out) {
    const struct gfs_policy *policy = snapshot->policy;
    const struct gfs_layer *everyone = NULL;
    struct gfs_layer *layer = calloc(1, sizeof *layer);
    if (layer == NULL)
        return -ENOMEM;
    atomic_init(&layer->holders, 1);
    struct filling filling = {.policy = policy, .table = &layer->table};
    struct gfs_walk walk = {
        .policy = policy, .now_ns = now_ns, .reached = add_to_table, .context = &filling, .window = gfs_window_open()};
    int rc = 0;
    if (organization != GFS_NONE)
        rc = gfs_layer_get(snapshot, GFS_NONE, now_ns, &everyone);
    if (rc == 0)
        rc = organization == GFS_NONE ? gfs_walk_everyone(&walk) : gfs_walk_organization(&walk, organization);
    if (rc < 0) {
        free_layer(layer);
        return rc;
    }
    layer->window = walk.window;
    if (everyone != NULL)
        gfs_window_narrow(&layer->window, everyone->window);
    for (size_t i = 0; i < layer->table.capacity; i++) {
        struct gfs_table_slot *slot = &layer->table.slots[i];
        if (slot->share == 0)
            continue;
        slot->perms |= layer_perms(everyone, slot->share, gfs_table_hash(slot->share));
        slot->cut = effective(slot->perms, ceiling_perms(policy, slot->ceiling));
    }
    *out = layer;
    return 0;
}

static const struct gfs_layer *find_layer(struct gfs_layer *layer, int64_t now_ns) {
    while (layer != NULL && !gfs_window_holds(&layer->window, now_ns))
        layer = layer->older;
    return layer;
}

int gfs_layer_get(const struct gfs_snapshot *snapshot, uint32_t organization, int64_t now_ns,
                  const struct gfs_layer **out) {
    const struct gfs_policy *policy = snapshot->policy;
    uint32_t number = organization == GFS_NONE ? policy->organizations.count : organization;
    struct gfs_cell grants = organization == GFS_NONE ? gfs_policy_grants(policy, GFS_SUBJECT_EVERYONE, 0)
                                                      : gfs_policy_grants(policy, GFS_SUBJECT_ORGANIZATION, number);
    if (grants.count == 0) {
        *out = NULL;
        return 0;
    }
    struct gfs_layer *head = atomic_load_explicit(&snapshot->layers[number], memory_order_acquire);
    *out = find_layer(head, now_ns);
    if (*out != NULL)
        return 0;
    struct gfs_layer *made = NULL;
    int rc = compute_layer(snapshot, organization, now_ns, &made);
    if (rc < 0)
        return rc;
    for (;;) {
        made->older = head;
        if (atomic_compare_exchange_weak_explicit(&snapshot->layers[number], &head, made, memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
        const struct gfs_layer *theirs = find_layer(head, now_ns);
        if (theirs != NULL) { /* another thread was faster */
            free_layer(made);
            *out = theirs;
            return 0;
        }
    }
    atomic_fetch_add_explicit(&policy->family->bytes, layer_bytes(made), memory_order_relaxed);
    *out = made;
    return 0;
}

/* ---- rights ---- */

static size_t rights_bytes(const struct gfs_rights *rights) {
    return sizeof *rights + rights->own.capacity * sizeof *rights->own.slots +
           rights->group_count * sizeof *rights->groups;
}

static void free_rights(struct gfs_rights *rights) {
    struct gfs_places *places = atomic_load_explicit(&rights->places, memory_order_acquire);
    gfs_layer_drop(rights->family, (struct gfs_layer *)(uintptr_t)rights->organization);
    gfs_layer_drop(rights->family, (struct gfs_layer *)(uintptr_t)rights->everyone);
    atomic_fetch_sub_explicit(&rights->family->bytes, gfs_places_bytes(places), memory_order_relaxed);
    gfs_places_free(places);
    free(rights->groups);
    free(rights); /* with its own table, see pack_rights() */
}

void gfs_rights_drop(struct gfs_rights *rights) {
    while (rights != NULL && atomic_fetch_sub_explicit(&rights->holders, 1, memory_order_acq_rel) == 1) {
        struct gfs_rights *older = rights->older;
        atomic_fetch_sub_explicit(&rights->family->bytes, rights_bytes(rights), memory_order_relaxed);
        free_rights(rights);
        rights = older;
    }
}

static int compare_groups(const void *a, const void *b) {
    const struct gfs_group_of_user *left = a, *right = b;
    int order = strcmp(left->group->name, right->group->name);
    return order != 0 ? order : (left->group->id > right->group->id) - (left->group->id < right->group->id);
}

/* The active memberships: the list of groups, and the ceilings that do not cut this user. */
static int find_groups(struct gfs_rights *rights, const struct gfs_policy *policy, int64_t now_ns) {
    struct gfs_cell memberships = gfs_vector_at(&policy->memberships, rights->user);
    rights->groups = malloc(memberships.count * sizeof *rights->groups + 1);
    if (rights->groups == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < memberships.count; i++) {
        const struct gfs_membership *membership = (const struct gfs_membership *)memberships.rows + i;
        if (!gfs_window_counts(&rights->window, membership->expires_ns, now_ns))
            continue;
        rights->groups[rights->group_count++] =
            (struct gfs_group_of_user){.group = gfs_policy_group(policy, membership->group), .role = membership->role};
        struct gfs_cell ceilings = gfs_vector_at(&policy->ceilings_of_group, membership->group);
        for (uint32_t c = 0; c < ceilings.count; c++) {
            uint32_t ceiling = ((const uint32_t *)ceilings.rows)[c];
            rights->exempt[ceiling / 64] |= UINT64_C(1) << (ceiling % 64);
        }
    }
    qsort(rights->groups, rights->group_count, sizeof *rights->groups, compare_groups);
    return 0;
}

/* The organization whose layer saves most: the one with the most authorizations. */
static uint32_t largest_organization(const struct gfs_policy *policy, uint32_t user, int64_t now_ns) {
    struct gfs_cell memberships = gfs_vector_at(&policy->organization_memberships, user);
    uint32_t largest = GFS_NONE, most = 0;
    for (uint32_t i = 0; i < memberships.count; i++) {
        const struct gfs_organization_membership *membership =
            (const struct gfs_organization_membership *)memberships.rows + i;
        uint32_t count = gfs_policy_grants(policy, GFS_SUBJECT_ORGANIZATION, membership->organization).count;
        if (membership->expires_ns > now_ns && count > most) {
            most = count;
            largest = membership->organization;
        }
    }
    return largest;
}

/* A layer that the rights hold; dropped with them. */
static int hold_layer(struct gfs_rights *rights, const struct gfs_snapshot *snapshot, uint32_t organization,
                      int64_t now_ns, const struct gfs_layer **out) {
    int rc = gfs_layer_get(snapshot, organization, now_ns, out);
    if (rc < 0 || *out == NULL)
        return rc;
    /* The snapshot holds it too, so it is not just going. */
    atomic_fetch_add_explicit(&((struct gfs_layer *)(uintptr_t)*out)->holders, 1, memory_order_relaxed);
    gfs_window_narrow(&rights->window, (*out)->window);
    return 0;
}

static int find_layers(struct gfs_rights *rights, const struct gfs_snapshot *snapshot, uint32_t organization,
                       int64_t now_ns) {
    int rc = hold_layer(rights, snapshot, GFS_NONE, now_ns, &rights->everyone);
    if (rc == 0 && organization != GFS_NONE)
        rc = hold_layer(rights, snapshot, organization, now_ns, &rights->organization);
    return rc;
}

/* Makes each of the user's own slots the whole answer: with the layers below, and cut. */
static void finish_own(struct gfs_rights *rights, const struct gfs_policy *policy) {
    for (size_t i = 0; i < rights->own.capacity; i++) {
        struct gfs_table_slot *slot = &rights->own.slots[i];
        if (slot->share == 0)
            continue;
        uint64_t hash = gfs_table_hash(slot->share);
        slot->perms |= layer_perms(rights->organization, slot->share, hash);
        slot->perms |= layer_perms(rights->everyone, slot->share, hash);
        slot->cut = effective(slot->perms, ceiling_perms(policy, slot->ceiling));
        slot->perms = slot->cut = gfs_rights_slot(rights, slot);
    }
}

static int fill_rights(struct gfs_rights *rights, const struct gfs_snapshot *snapshot, int64_t now_ns) {
    const struct gfs_policy *policy = snapshot->policy;
    if (gfs_policy_user(policy, rights->user)->suspended)
        return 0; /* holds nothing, for as long as this snapshot counts */
    uint32_t organization = largest_organization(policy, rights->user, now_ns);
    int rc = find_groups(rights, policy, now_ns);
    if (rc == 0)
        rc = find_layers(rights, snapshot, organization, now_ns);
    if (rc < 0)
        return rc;
    struct filling filling = {.policy = policy, .table = &rights->own};
    struct gfs_walk walk = {.policy = policy,
                            .now_ns = now_ns,
                            .reached = add_to_table,
                            .context = &filling,
                            .window = rights->window,
                            .without_everyone = true,
                            .without_organization = organization};
    rc = gfs_walk_user(&walk, rights->user);
    rights->window = walk.window;
    if (rc == 0)
        finish_own(rights, policy);
    return rc;
}

/* A block for rights with `words` of ceilings and `slots` of a table behind them, zeroed. */
static struct gfs_rights *allocate_rights(size_t words, size_t slots) {
    size_t line = _Alignof(struct gfs_rights);
    size_t size = sizeof(struct gfs_rights) + words * sizeof(uint64_t) + slots * sizeof(struct gfs_table_slot);
    size = (size + line - 1) / line * line;
    struct gfs_rights *rights = aligned_alloc(line, size);
    if (rights != NULL)
        memset(rights, 0, size);
    return rights;
}

/* Moves the user's own table into the block of the rights: a decision touches one page, not two.
 * The table keeps its size from then on. */
static struct gfs_rights *pack_rights(const struct gfs_rights *loose, size_t words) {
    struct gfs_rights *packed = allocate_rights(words, loose->own.capacity);
    if (packed == NULL)
        return NULL;
    memcpy(packed, loose, sizeof *loose + words * sizeof loose->exempt[0]);
    packed->own.slots = (struct gfs_table_slot *)(packed->exempt + words);
    if (loose->own.capacity > 0)
        memcpy(packed->own.slots, loose->own.slots, loose->own.capacity * sizeof *loose->own.slots);
    return packed;
}

static struct gfs_rights *compute_rights(const struct gfs_snapshot *snapshot, uint32_t user, int64_t now_ns) {
    size_t words = (snapshot->policy->ceilings.count + 63) / 64;
    struct gfs_rights *packed = NULL, *loose = allocate_rights(words, 0);
    if (loose == NULL)
        return NULL;
    loose->family = snapshot->policy->family;
    atomic_init(&loose->policy, snapshot->policy);
    atomic_init(&loose->holders, 1);
    loose->window = gfs_window_open();
    loose->at_ns = now_ns;
    loose->user = user;
    if (fill_rights(loose, snapshot, now_ns) == 0)
        packed = pack_rights(loose, words);
    if (packed == NULL) {
        gfs_layer_drop(loose->family, (struct gfs_layer *)(uintptr_t)loose->organization);
        gfs_layer_drop(loose->family, (struct gfs_layer *)(uintptr_t)loose->everyone);
        free(loose->groups);
    }
    gfs_table_free(&loose->own);
    free(loose);
    return packed;
}

static const struct gfs_rights *find_rights(const struct gfs_rights *rights, int64_t now_ns) {
    while (rights != NULL && !gfs_window_holds(&rights->window, now_ns))
        rights = rights->older;
    return rights;
}

/* Not inlined: it is what happens once per user, next to a function that runs at every request. */
static __attribute__((noinline)) const struct gfs_rights *
make_rights(const struct gfs_snapshot *snapshot, uint32_t user, struct gfs_rights *head, int64_t now_ns) {
    struct gfs_rights *made = compute_rights(snapshot, user, now_ns);
    if (made == NULL)
        return NULL;
    for (;;) {
        made->older = head;
        if (atomic_compare_exchange_weak_explicit(&snapshot->rights[user], &head, made, memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
        const struct gfs_rights *theirs = find_rights(head, now_ns);
        if (theirs != NULL) { /* another thread was faster */
            free_rights(made);
            return theirs;
        }
    }
    gfs_rights_computed(made, rights_bytes(made));
    return made;
}

const struct gfs_rights *gfs_snapshot_rights(const struct gfs_snapshot *snapshot, gfs_id user, int64_t now_ns) {
    /* Users never go and no id is used again, so the map is right but for users of later snapshots. */
    uint32_t i = gfs_map_find(&snapshot->policy->user_by_id, (uint64_t)user);
    if (i >= snapshot->user_count)
        return NULL;
    struct gfs_rights *head = atomic_load_explicit(&snapshot->rights[i], memory_order_acquire);
    const struct gfs_rights *rights = find_rights(head, now_ns);
    return rights != NULL ? rights : make_rights(snapshot, i, head, now_ns);
}

int64_t gfs_rights_until(const struct gfs_rights *rights) {
    return rights == NULL ? 0 : rights->window.until_ns;
}

gfs_perms gfs_rights_on(const struct gfs_rights *rights, gfs_id share) {
    if (rights == NULL || share <= 0)
        return 0;
    uint64_t hash = gfs_table_hash(share);
    const struct gfs_table_slot *slot = gfs_table_find(&rights->own, share, hash);
    if (slot != NULL)
        return slot->perms;
    if (rights->organization != NULL)
        slot = gfs_table_find(&rights->organization->table, share, hash);
    if (slot == NULL && rights->everyone != NULL)
        slot = gfs_table_find(&rights->everyone->table, share, hash);
    return slot == NULL ? 0 : gfs_rights_slot(rights, slot);
}

const struct gfs_group_of_user *gfs_rights_groups(const struct gfs_rights *rights, size_t *count) {
    *count = rights == NULL ? 0 : rights->group_count;
    return rights == NULL ? NULL : rights->groups;
}
