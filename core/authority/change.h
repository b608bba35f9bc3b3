/* What the parts of a delta share: delta.c begins and ends it, touch.c says whom a change touches,
 * change_people.c and change_things.c take the rows. */
#ifndef GUILDFS_CORE_AUTHORITY_CHANGE_H
#define GUILDFS_CORE_AUTHORITY_CHANGE_H

#include "core/authority/snapshot.h"
#include "guildfs/clock.h"
#include "guildfs/store.h"

#define GFS_MOST_MOVED 1000u /* records that one change of a share may move: those nested in it */

struct gfs_delta {
    struct gfs_store *store;
    const struct gfs_policy *old;
    struct gfs_policy *policy; /* the new one */
    struct gfs_step step;
    struct gfs_touched touched;
    struct gfs_list ceilings; /* struct gfs_pending_ceiling */
    int64_t now_ns, next_end_ns;
};

/* A ceiling whose group comes later in the feed than its organization. */
struct gfs_pending_ceiling {
    uint32_t number;
    gfs_perms perms;
    gfs_id group;
};

/* ---- touch.c: whose rights, places or groups may come out differently; before and after ---- */

void gfs_touch_everybody(struct gfs_delta *delta);
void gfs_touch_user(struct gfs_delta *delta, uint32_t user);
void gfs_touch_group(struct gfs_delta *delta, uint32_t group);
/* 0 or -ENOMEM. */
int gfs_touch_principal(struct gfs_delta *delta, enum gfs_subject_kind kind, uint32_t index) GFS_MUST_CHECK;
/* Everybody who holds anything on the share. 0, -ENOMEM, or an error of the store. */
int gfs_touch_share(struct gfs_delta *delta, uint32_t share) GFS_MUST_CHECK;

/* ---- delta.c ---- */

/* What the maps of the family find: the index in the new policy, else in the old one, else GFS_NONE. */
typedef uint32_t gfs_find(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_delta_find(const struct gfs_delta *delta, gfs_find *find, gfs_id id);

/* Puts a record under a key of a shared map. The record must be in its vector. */
int gfs_delta_map(struct gfs_delta *delta, struct gfs_map *map, uint64_t key, uint32_t index) GFS_MUST_CHECK;

/* A record with `count` texts, given by their offsets in it, in one allocation; NULL when memory is out. */
void *gfs_delta_record(struct gfs_delta *delta, const void *record, size_t size, const size_t *texts, size_t count);

/* Something that ends at that time counts from now on. */
void gfs_delta_ends(struct gfs_delta *delta, int64_t end_ns);

/* Adds or removes an index in a list of them. */
int gfs_delta_number(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t i, uint32_t number,
                     bool there) GFS_MUST_CHECK;

/* Puts what is gone: an empty cell. */
int gfs_delta_gone(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t i) GFS_MUST_CHECK;

/* ---- change_people.c, change_things.c: the callbacks of struct gfs_change_sink ---- */

int gfs_change_organization(void *context, gfs_id id, const struct gfs_organization_row *row);
int gfs_change_user(void *context, gfs_id id, const struct gfs_user_row *row);
int gfs_change_organization_member(void *context, const struct gfs_organization_member_row *row, bool there);
int gfs_change_group(void *context, gfs_id id, const struct gfs_group_row *row);
int gfs_change_membership(void *context, const struct gfs_membership_row *row, bool there);
int gfs_change_team(void *context, gfs_id id, const struct gfs_team_row *row);
int gfs_change_team_member(void *context, const struct gfs_team_member_row *row, bool there);
int gfs_change_project(void *context, gfs_id id, const struct gfs_project_row *row, bool added);
int gfs_change_share(void *context, gfs_id id, const struct gfs_share_row *row, const char *node_path);
int gfs_change_grant(void *context, const struct gfs_grant_row *row, bool there);

#endif
