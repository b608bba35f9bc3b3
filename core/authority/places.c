/*
 * Where shares show in a user's view. The rules:
 *
 * - A share that the user sees is a candidate for each of the user's groups that it belongs to or
 *   is authorized to (itself, by a share around it, or by its project). A nested share is left
 *   out where the share around it shows: there it is found inside that one.
 * - One that is a candidate for no group shows under public when nothing but authorizations of
 *   everyone brings it, else under my; and not at all when the share around it is seen, because
 *   whatever is seen shows somewhere.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/snapshot.h"
#include "guildfs/hash.h"

#define NAME_BYTES 255u /* the longest name of a directory entry */

struct placing {
    const struct gfs_policy *policy;
    const struct gfs_rights *rights;
    struct gfs_list candidates; /* struct gfs_pair: share, group; sorted */
    struct gfs_list places;     /* struct gfs_place */
};

static bool visible(const struct placing *placing, uint32_t share) {
    const struct gfs_share *record = gfs_policy_share(placing->policy, share);
    gfs_perms perms = gfs_rights_on(placing->rights, record->id);
    return (perms & (record->archived ? GFS_VIEW : GFS_VIEW | GFS_UPLOAD | GFS_MAKE_FOLDER)) != 0;
}

/* ---- candidates ---- */

static int compare_pairs(const void *a, const void *b) {
    const struct gfs_pair *left = a, *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (left->value > right->value) - (left->value < right->value);
}

static int add_authorized(void *context, const struct gfs_reach *reach) {
    struct placing *placing = context;
    int rc = 0;
    if (reach->giver != GFS_GIVER_GROUP)
        return 0;
    for (size_t i = 0; i < reach->count && rc == 0; i++) {
        struct gfs_pair pair = {.key = reach->shares[i], .value = reach->who};
        rc = gfs_list_add(&placing->candidates, &pair, sizeof pair);
    }
    return rc;
}

static bool in_group(const struct placing *placing, uint32_t group) {
    const struct gfs_group *record = gfs_policy_group(placing->policy, group);
    for (size_t i = 0; i < placing->rights->group_count; i++) {
        if (placing->rights->groups[i].group == record)
            return true;
    }
    return false;
}

/* The pair for the group that the share belongs to, when the user is in it. */
static int add_home(struct placing *placing, uint32_t share) {
    struct gfs_pair pair = {.key = share, .value = gfs_policy_links(placing->policy, share)->group};
    if (pair.value == GFS_NONE || !in_group(placing, pair.value))
        return 0;
    return gfs_list_add(&placing->candidates, &pair, sizeof pair);
}

/* Calls for each share in a table that no table before it has. */
static int each_share(struct placing *placing, const struct gfs_table *table, const struct gfs_table *before[static 2],
                      int (*visit)(struct placing *, uint32_t share)) {
    int rc = 0;
    for (size_t i = 0; i < table->capacity && rc == 0; i++) {
        const struct gfs_table_slot *slot = &table->slots[i];
        if (slot->share == 0)
            continue;
        uint64_t hash = gfs_table_hash(slot->share);
        bool seen = false;
        for (size_t b = 0; b < 2; b++)
            seen = seen || (before[b] != NULL && gfs_table_find(before[b], slot->share, hash) != NULL);
        uint32_t share = seen ? GFS_NONE : gfs_policy_find_share(placing->policy, slot->share);
        if (share != GFS_NONE && visible(placing, share))
            rc = visit(placing, share);
    }
    return rc;
}

static int each_visible(struct placing *placing, int (*visit)(struct placing *, uint32_t share)) {
    const struct gfs_rights *rights = placing->rights;
    const struct gfs_table *organization = rights->organization == NULL ? NULL : &rights->organization->table;
    const struct gfs_table *before[2] = {NULL, NULL};
    int rc = each_share(placing, &rights->own, before, visit);
    before[0] = &rights->own;
    if (rc == 0 && organization != NULL)
        rc = each_share(placing, organization, before, visit);
    before[1] = organization;
    if (rc == 0 && rights->everyone != NULL)
        rc = each_share(placing, &rights->everyone->table, before, visit);
    return rc;
}

static int find_candidates(struct placing *placing) {
    struct gfs_walk walk = {.policy = placing->policy,
                            .now_ns = placing->rights->at_ns,
                            .reached = add_authorized,
                            .context = placing,
                            .window = gfs_window_open(),
                            .without_everyone = true,
                            .without_organization = GFS_NONE};
    int rc = gfs_walk_user(&walk, placing->rights->user);
    if (rc == 0)
        rc = each_visible(placing, add_home);
    if (rc == 0 && placing->candidates.count > 1)
        qsort(placing->candidates.rows, placing->candidates.count, sizeof(struct gfs_pair), compare_pairs);
    return rc;
}

/* The first candidate of that share or a later one. */
static size_t first_candidate(const struct placing *placing, struct gfs_pair wanted) {
    const struct gfs_pair *pairs = placing->candidates.rows;
    size_t low = 0, high = placing->candidates.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_pairs(&pairs[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_candidate(const struct placing *placing, uint32_t share, uint32_t group) {
    const struct gfs_pair *pairs = placing->candidates.rows;
    size_t i = first_candidate(placing, (struct gfs_pair){.key = share, .value = group});
    return i < placing->candidates.count && pairs[i].key == share && pairs[i].value == group;
}

/* ---- places ---- */

/* Whether a share shows in a group: by itself, or inside one that does. */
static bool shows_in(const struct placing *placing, uint32_t share, uint32_t group) {
    for (; share != GFS_NONE && visible(placing, share); share = gfs_policy_links(placing->policy, share)->parent) {
        if (is_candidate(placing, share, group))
            return true;
    }
    return false;
}

static int add_place(struct placing *placing, enum gfs_place_kind kind, uint32_t group, uint32_t share) {
    const struct gfs_share *record = gfs_policy_share(placing->policy, share);
    struct gfs_place place = {.kind = kind,
                              .group = group == GFS_NONE ? NULL : gfs_policy_group(placing->policy, group),
                              .share = record,
                              .name = record->name};
    return gfs_list_add(&placing->places, &place, sizeof place);
}

static int place_outside_groups(struct placing *placing, uint32_t share) {
    const struct gfs_rights *rights = placing->rights;
    uint32_t parent = gfs_policy_links(placing->policy, share)->parent;
    if (parent != GFS_NONE && visible(placing, parent))
        return 0;
    gfs_id id = gfs_policy_share(placing->policy, share)->id;
    uint64_t hash = gfs_table_hash(id);
    bool by_others = gfs_table_find(&rights->own, id, hash) != NULL ||
                     (rights->organization != NULL && gfs_table_find(&rights->organization->table, id, hash) != NULL);
    return add_place(placing, by_others ? GFS_PLACE_MY : GFS_PLACE_PUBLIC, GFS_NONE, share);
}

static int place_share(struct placing *placing, uint32_t share) {
    const struct gfs_pair *pairs = placing->candidates.rows;
    size_t i = first_candidate(placing, (struct gfs_pair){.key = share});
    if (i == placing->candidates.count || pairs[i].key != share)
        return place_outside_groups(placing, share);
    uint32_t parent = gfs_policy_links(placing->policy, share)->parent;
    int rc = 0;
    for (size_t first = i; i < placing->candidates.count && pairs[i].key == share && rc == 0; i++) {
        bool again = i > first && pairs[i].value == pairs[i - 1].value;
        if (!again && !shows_in(placing, parent, pairs[i].value))
            rc = add_place(placing, GFS_PLACE_GROUP, pairs[i].value, share);
    }
    return rc;
}

/* ---- order and names ---- */

static int compare_folders(const struct gfs_place *left, const struct gfs_place *right) {
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->group != right->group) {
        int order = strcmp(left->group->name, right->group->name);
        return order != 0 ? order : (left->group->id < right->group->id ? -1 : 1);
    }
    if (left->share->kind != right->share->kind)
        return left->share->kind < right->share->kind ? -1 : 1;
    return 0;
}

static int compare_by_id(const void *a, const void *b) {
    const struct gfs_place *left = a, *right = b;
    int order = compare_folders(left, right);
    return order != 0 ? order : (left->share->id > right->share->id) - (left->share->id < right->share->id);
}

static int compare_by_name(const void *a, const void *b) {
    const struct gfs_place *left = a, *right = b;
    int order = compare_folders(left, right);
    return order != 0 ? order : strcmp(left->name, right->name);
}

/* "name~suffix"; the name is cut, at a whole UTF-8 character, when that would be too long. */
static const char *suffixed(struct gfs_arena *names, const char *name, const char *suffix) {
    char text[NAME_BYTES + 1];
    size_t length = strlen(name), room = NAME_BYTES - strlen(suffix) - 1;
    if (length > room) {
        length = room;
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--;
    }
    snprintf(text, sizeof text, "%.*s~%s", (int)length, name, suffix);
    return gfs_arena_string(names, text);
}

static bool taken(const struct gfs_map *map, const struct gfs_place *places, const char *name) {
    uint64_t key = gfs_hash64(name, strlen(name));
    size_t cursor = 0;
    for (;;) {
        uint32_t i = gfs_map_next(map, key, &cursor);
        if (i == GFS_NONE)
            return false;
        if (strcmp(places[i].name, name) == 0)
            return true;
    }
}

/* Names one place so that no older share of its folder has the name. A short suffix that somebody
 * took on purpose is answered by the whole UUID. */
static int name_place(struct gfs_arena *names, struct gfs_map *map, struct gfs_place *places, uint32_t i) {
    struct gfs_place *place = &places[i];
    const char *name = place->share->name, *uuid = place->share->uuid;
    size_t length = strlen(uuid);
    if (taken(map, places, name))
        name = suffixed(names, place->share->name, length > 8 ? uuid + length - 8 : uuid);
    if (name != NULL && taken(map, places, name))
        name = suffixed(names, place->share->name, uuid);
    if (name == NULL)
        return -ENOMEM;
    place->name = name;
    return gfs_map_add(map, gfs_hash64(name, strlen(name)), i);
}

static int name_places(struct placing *placing, struct gfs_arena *names) {
    struct gfs_place *places = placing->places.rows;
    struct gfs_map map = {0};
    int rc = 0;
    if (placing->places.count == 0)
        return 0;
    qsort(places, placing->places.count, sizeof *places, compare_by_id);
    for (uint32_t i = 0; i < placing->places.count && rc == 0; i++) {
        if (i > 0 && compare_folders(&places[i - 1], &places[i]) != 0)
            gfs_map_free(&map);
        rc = name_place(names, &map, places, i);
    }
    gfs_map_free(&map);
    qsort(places, placing->places.count, sizeof *places, compare_by_name);
    return rc;
}

/* ---- publishing ---- */

size_t gfs_places_bytes(const struct gfs_places *places) {
    return places == NULL ? 0 : sizeof *places + places->count * sizeof *places->places + places->names.bytes;
}

void gfs_places_free(struct gfs_places *places) {
    if (places == NULL)
        return;
    gfs_arena_free(&places->names);
    free(places->places);
    free(places);
}

static struct gfs_places *compute_places(const struct gfs_rights *rights) {
    const struct gfs_policy *policy = atomic_load_explicit(&rights->policy, memory_order_acquire);
    struct placing placing = {.policy = policy, .rights = rights};
    struct gfs_places *places = calloc(1, sizeof *places);
    if (places == NULL)
        return NULL;
    int rc = 0;
    if (!gfs_policy_user(placing.policy, rights->user)->suspended)
        rc = find_candidates(&placing);
    if (rc == 0)
        rc = each_visible(&placing, place_share);
    if (rc == 0)
        rc = name_places(&placing, &places->names);
    gfs_list_free(&placing.candidates);
    gfs_list_trim(&placing.places, sizeof(struct gfs_place));
    places->places = placing.places.rows;
    places->count = placing.places.count;
    if (rc == 0)
        return places;
    gfs_places_free(places);
    return NULL;
}

const struct gfs_place *gfs_rights_places(const struct gfs_rights *rights, size_t *count) {
    *count = 0;
    if (rights == NULL)
        return NULL;
    _Atomic(struct gfs_places *) *published = &((struct gfs_rights *)(uintptr_t)rights)->places;
    struct gfs_places *places = atomic_load_explicit(published, memory_order_acquire);
    if (places == NULL) {
        struct gfs_places *made = compute_places(rights);
        if (made == NULL)
            return NULL;
        if (atomic_compare_exchange_strong_explicit(published, &places, made, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            places = made;
            gfs_rights_computed(rights, gfs_places_bytes(made));
        } else {
            gfs_places_free(made); /* another thread was faster */
        }
    }
    *count = places->count;
    return places->places;
}
