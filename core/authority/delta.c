#include "core/authority/delta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/authority/change.h"
#include "guildfs/hash.h"

#define MOST_GONE 65536u /* indexes that stay empty, before a whole load numbers anew */

/* ---- what the rows are taken with ---- */

uint32_t gfs_delta_find(const struct gfs_delta *delta, gfs_find *find, gfs_id id) {
    uint32_t i = id == 0 ? GFS_NONE : find(delta->policy, id);
    return i == GFS_NONE && id != 0 ? find(delta->old, id) : i;
}

void gfs_delta_ends(struct gfs_delta *delta, int64_t end_ns) {
    if (end_ns > delta->now_ns && end_ns < delta->next_end_ns)
        delta->next_end_ns = end_ns;
}

int gfs_delta_number(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t i, uint32_t number, bool there) {
    return there ? gfs_vector_row_put(vector, &delta->step, i, &number, sizeof number, 0)
                 : gfs_vector_row_remove(vector, &delta->step, i, number, sizeof number, 0);
}

int gfs_delta_gone(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t i) {
    if (++delta->policy->family->gone > MOST_GONE)
        return -ESTALE;
    return gfs_vector_put(vector, &delta->step, i, (struct gfs_cell){0});
}

void *gfs_delta_record(struct gfs_delta *delta, const void *record, size_t size, const size_t *texts, size_t count) {
    size_t total = size;
    const char *text;
    for (size_t i = 0; i < count; i++) {
        memcpy(&text, (const char *)record + texts[i], sizeof text);
        total += strlen(text) + 1;
    }
    char *copy = gfs_step_allocate(&delta->step, total), *end = copy + size;
    if (copy == NULL)
        return NULL;
    memcpy(copy, record, size);
    for (size_t i = 0; i < count; i++) {
        memcpy(&text, (const char *)record + texts[i], sizeof text);
        size_t length = strlen(text) + 1;
        memcpy(end, text, length);
        memcpy(copy + texts[i], &end, sizeof end);
        end += length;
    }
    return copy;
}

/* ---- maps ---- */

struct checking {
    const struct gfs_policy *policy;
    const struct gfs_map *map;
};

static uint64_t text_key(const char *text) {
    return gfs_hash64(text, strlen(text));
}

/* Whether a pair is right in the new policy. */
static bool lives(const void *context, uint64_t key, uint32_t index) {
    const struct checking *checking = context;
    const struct gfs_policy *policy = checking->policy;
    const struct gfs_user *user = gfs_policy_user(policy, index);
    if (checking->map == &policy->user_by_name)
        return user != NULL && text_key(user->name) == key;
    if (checking->map == &policy->user_by_uuid)
        return user != NULL && text_key(user->uuid) == key;
    if (checking->map == &policy->user_by_uid)
        return user != NULL && user->uid == key;
    const gfs_id *record = checking->map == &policy->user_by_id      ? (const gfs_id *)user
                           : checking->map == &policy->group_by_id   ? gfs_vector_record(&policy->groups, index)
                           : checking->map == &policy->team_by_id    ? gfs_vector_record(&policy->teams, index)
                           : checking->map == &policy->project_by_id ? gfs_vector_record(&policy->projects, index)
                           : checking->map == &policy->share_by_id   ? gfs_vector_record(&policy->shares, index)
                                                                     : gfs_vector_record(&policy->organizations, index);
    return record != NULL && (uint64_t)*record == key;
}

/* A larger one, without what is not right any more; older policies keep the one that they have. */
static int copy_map(struct gfs_delta *delta, struct gfs_map *map) {
    const struct checking checking = {.policy = delta->policy, .map = map};
    size_t live = 0, capacity = 16;
    for (size_t i = 0; i < map->capacity; i++)
        live += map->slots[i].value != GFS_NONE && lives(&checking, map->slots[i].key, map->slots[i].value);
    while (capacity < live * 2 + 16)
        capacity *= 2;
    struct gfs_map_slot *slots = gfs_step_allocate(&delta->step, capacity * sizeof *slots);
    if (slots == NULL || gfs_step_replace(&delta->step, map->slots) < 0)
        return -ENOMEM;
    struct gfs_map copy;
    gfs_map_copy(map, slots, capacity, lives, &checking, &copy);
    *map = copy;
    return 0;
}

int gfs_delta_map(struct gfs_delta *delta, struct gfs_map *map, uint64_t key, uint32_t index) {
    int rc = gfs_map_share(map, key, index);
    if (rc != -ENOSPC)
        return rc;
    rc = copy_map(delta, map); /* with the new pair left out: it was not there */
    return rc == 0 ? gfs_map_share(map, key, index) : rc;
}

/* ---- beginning and end ---- */

static const struct gfs_change_sink sink = {
    .organization = gfs_change_organization,
    .user = gfs_change_user,
    .organization_member = gfs_change_organization_member,
    .group = gfs_change_group,
    .membership = gfs_change_membership,
    .team = gfs_change_team,
    .team_member = gfs_change_team_member,
    .project = gfs_change_project,
    .share = gfs_change_share,
    .grant = gfs_change_grant,
};

static int begin(struct gfs_delta *delta, struct gfs_store *store, const struct gfs_snapshot *before, int64_t now_ns) {
    struct gfs_policy *old = before->policy;
    struct gfs_family *family = old->family;
    if (family->spoiled || old->newer != NULL)
        return -ESTALE;
    *delta = (struct gfs_delta){.store = store, .old = old, .now_ns = now_ns, .next_end_ns = before->next_end_ns};
    delta->policy = malloc(sizeof *delta->policy);
    /* Room for all that can be new. */
    delta->touched.users = calloc((old->users.count + GFS_MOST_CHANGES) / 64 + 1, sizeof(uint64_t));
    delta->touched.organizations = calloc((old->organizations.count + GFS_MOST_CHANGES) / 64 + 1, sizeof(uint64_t));
    if (delta->policy == NULL || delta->touched.users == NULL || delta->touched.organizations == NULL)
        return -ENOMEM;
    memcpy(delta->policy, old, sizeof *old);
    delta->policy->garbage = (struct gfs_list){0};
    delta->policy->version = ++family->steps;
    atomic_init(&delta->policy->holders, 1);
    delta->step = (struct gfs_step){.version = delta->policy->version, .bytes = &family->bytes};
    family->spoiled = true; /* until all went well: the maps hold what no policy knows */
    return 0;
}

static int finish_ceilings(struct gfs_delta *delta) {
    const struct gfs_pending_ceiling *pending = delta->ceilings.rows;
    int rc = 0;
    for (size_t i = 0; i < delta->ceilings.count && rc == 0; i++) {
        uint32_t group = gfs_policy_find_group(delta->policy, pending[i].group);
        const struct gfs_ceiling ceiling = {.group = group, .perms = pending[i].perms};
        const void *record = gfs_delta_record(delta, &ceiling, sizeof ceiling, NULL, 0);
        if (record == NULL)
            return -ENOMEM;
        rc = gfs_vector_put(&delta->policy->ceilings, &delta->step, pending[i].number,
                            (struct gfs_cell){.rows = record, .count = 1, .loose = true});
        if (rc == 0 && group != GFS_NONE)
            rc = gfs_delta_number(delta, &delta->policy->ceilings_of_group, group, pending[i].number, true);
    }
    return rc;
}

/* The old policy keeps what the new one does not share until nobody uses it. */
static void succeed(struct gfs_delta *delta, struct gfs_policy *old) {
    old->garbage = delta->step.garbage;
    old->newer = delta->policy;
    old->family->spoiled = false;
    gfs_list_free(&delta->step.made);
}

static void fail(struct gfs_delta *delta) {
    if (delta->step.bytes != NULL)
        gfs_step_free_list(&delta->step.made, delta->step.bytes);
    gfs_list_free(&delta->step.garbage);
    free(delta->policy);
}

int gfs_snapshot_load_changes(struct gfs_store *store, const struct gfs_snapshot *before, int64_t now_ns,
                              struct gfs_snapshot **out, struct gfs_error *err) {
    struct gfs_delta delta = {0};
    uint64_t generation = 0;
    int rc = begin(&delta, store, before, now_ns);
    if (rc == 0)
        rc = gfs_store_load_changes(store, before->generation, &sink, &delta, &generation, err);
    if (rc == 0)
        rc = finish_ceilings(&delta);
    if (rc == 0)
        rc = gfs_snapshot_next(before, delta.policy, generation, &delta.touched, now_ns, delta.next_end_ns, out);
    if (rc == 0)
        succeed(&delta, before->policy);
    else
        fail(&delta);
    free(delta.touched.users);
    free(delta.touched.organizations);
    gfs_list_free(&delta.ceilings);
    return rc;
}
